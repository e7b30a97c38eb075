"""Getting work out: an execution as a notebook, a project as a program of its own.

Pure: from what the schema describes to text. No store, no engine, no server; who reads the
execution and its files is the caller.
"""
