"""Whether what must survive may still be written, and why not.

Not here: the writing itself (`durable`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import Unavailable

log = logging.getLogger("cloutagent.store")


class SyncFailed(Unavailable):
    """An fsync failed: what was just written may or may not be on the disk. Never retry."""

    code = "READ_ONLY"


class Guard:
    """Whether a store may still write. A failed fsync closes it until the process starts again, and so do
    locks that hold nobody off."""

    def __init__(self) -> None:
        self.closed: str | None = None
        """Why nothing may be written any more, for a person; None while all is well."""
        self.place: Path | None = None
        """A folder that was there at the start. While it is not, as when a mount has gone, nothing is
        written: it would be made anew beside what it holds."""

    def close(self, why: str) -> None:
        """Write nothing more. Said loudly."""
        self.closed = why
        log.critical("%s", why)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around every write. Raises `Unavailable` (READ_ONLY) once an fsync has failed."""
        if self.closed:
            raise Unavailable(self.closed, code="READ_ONLY")
        if self.place is not None and not self.place.is_dir():
            raise Unavailable(
                "The data folder is not there. Nothing is written until it is back: look for a mount that "
                "has gone, or a folder that was moved.",
                code="READ_ONLY",
            )
        with self.noticing():
            yield

    @contextmanager
    def noticing(self) -> Iterator[None]:
        """Around what may go on in a closed store: an fsync that fails in it closes it."""
        try:
            yield
        except SyncFailed as failure:
            if not self.closed:
                self.close(
                    f"Nothing is written any more, because the disk failed: {failure.message} "
                    "Check the disk and the kernel's log, then restart the server."
                )
            raise
