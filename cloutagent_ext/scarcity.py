"""Whether a failure says that the system has no more of something: memory, threads, files, processes.

Nothing is wrong then with what was asked for or with the disk, and in a moment there may be some again.
Which allocation is refused is chance, and so is what the library in which it happens makes of it: the one
question `is_scarce` is put to the whole chain. Not here: a full disk (`durable`).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator

SAID = (
    "The server had no memory, threads or files left. What was done is kept. Run less at once or give the "
    "server more, then resume it."
)
"""What somebody is told whose execution it ended."""

_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, socket.EAI_MEMORY})
_NOT_NOW = errno.EAGAIN
"""No process or thread for us; of anything that does not block, only that it is not ready."""
_WORDS = (
    "can't start new thread",
    "memoryerror",
    "out of memory",
    "malloc failure",
    "failed to map segment",
    "returned null without setting an exception",
    "error return without exception set",
    *(os.strerror(each).lower() for each in (errno.EMFILE, errno.ENFILE, errno.ENOMEM)),
)
"""How they say it who have no type or number for it. The two about exceptions are Python's own, of C code
that could not even make its error."""
_SAY_IT_IN_WORDS = (RuntimeError, SystemError, ImportError)
_LIBRARIES = frozenset({"sqlite3.OperationalError", "sqlite3.DatabaseError", "sqlite3.InternalError",
                        "ssl.SSLError", "zmq.error.ZMQError",
                        "pydantic_core._pydantic_core.PydanticSerializationError"})  # fmt: skip
"""Errors that say it in words of their own. By name: this imports none of them. Not every error: what a
service far away says about *its* memory is no want of ours."""


def is_scarce(error: BaseException | None) -> bool:
    """Whether `error`, or one that it was raised from, raised while handling, or holds, is such a failure."""
    return any(_is_one(each, meant) for each, meant in _chain(error))


def _is_one(error: BaseException, meant: bool) -> bool:
    if isinstance(error, MemoryError):
        return True
    number = getattr(error, "errno", None)
    if number in _ERRNOS or (number == _NOT_NOW and meant and isinstance(error, OSError)):
        return True
    kind = type(error)
    if isinstance(error, _SAY_IT_IN_WORDS) or f"{kind.__module__}.{kind.__qualname__}" in _LIBRARIES:
        said = str(error).lower()
        return any(words in said for words in _WORDS)
    return False


def _chain(error: BaseException | None) -> Iterator[tuple[BaseException, bool]]:
    """`error` and all behind it, each once, and whether it is there by somebody's wish.

    What was only being handled (`__context__`) counts less: code that does not block handles "not now" daily.
    """
    seen: set[int] = set()
    left = [(error, True)] if error is not None else []
    while left:
        each, meant = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each, meant
        if each.__context__ is not None:
            left.append((each.__context__, False))
        if each.__cause__ is not None:
            left.append((each.__cause__, meant))
        if isinstance(each, BaseExceptionGroup):
            left.extend((inner, meant) for inner in each.exceptions)
