"""Projects on disk: what is saved, how it becomes one change, and how it is read back.

`projects` the public face · `layout` definition ↔ files · `tree` files off the disk ·
`commit` several files as one · `versions` snapshots · `project_files` a project's data ·
`shelf` whole folders come and go · `templates` starter projects · `files` paths from outside.
Writing itself is `cloutagent_ext.durable`. Not here: executions, keys, HTTP.
"""
