"""Whether a failure says that the system has no more of something: memory, threads, files, processes.

Nothing is wrong then with what was asked for or with the disk, and in a moment there may be some again.
Not here: a full disk (`durable`).
"""

from __future__ import annotations

import errno

_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
_NO_THREAD = "can't start new thread"
"""How Python says it: a RuntimeError without a type of its own."""


def is_scarce(error: BaseException | None) -> bool:
    """Whether `error`, or what it was raised from, is such a failure."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError):
            return True
        if isinstance(error, OSError) and error.errno in _ERRNOS:
            return True
        if isinstance(error, RuntimeError) and str(error).startswith(_NO_THREAD):
            return True
        error = error.__cause__
    return False
