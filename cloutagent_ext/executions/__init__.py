"""Executions as a service: the queue, the worker, the log and the state folded from it.

`queue.Executions` is the face; the other files are its parts. Not here: what an agent
does (`engine`), how it is asked for over HTTP (`server`), where projects lie (`store`).
"""
