"""What the command's exit code says. Scripts rely on these; they never change meaning."""

from __future__ import annotations

from ..errors import CloutError

OK = 0
"""Done; of `run`: the execution completed."""
FAILED = 1
"""The execution failed; of `validate`: the project would not run."""
USAGE = 2
"""What was asked cannot be done as written: an unknown project, a missing variable, a bad option."""
UNAVAILABLE = 3
"""The server cannot be reached, refuses this caller, or has a failure of its own."""
READER_GONE = 141
"""What was printed is read by nobody any more (`… | head`). The shell's own number for a broken pipe."""
CANCELLED = 130
"""Stopped: by Ctrl-C here, or by somebody else. The shell's own number for an interrupt."""

_STATUS = {"completed": OK, "failed": FAILED, "cancelled": CANCELLED}


def of_status(status: str) -> int:
    """The code of an execution's final status."""
    return _STATUS.get(status, FAILED)


def of_error(error: CloutError) -> int:
    """The code of a refusal: 4xx that a better command mends are usage, the rest is not."""
    status = int(error.status)
    return USAGE if 400 <= status < 500 and status not in (401, 403, 408, 429) else UNAVAILABLE
