"""A project under its lock, as it was found there. Not here: taking the lock, changes (`store.writer`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import Conflict
from . import tree, versions
from .layout import Loaded


class EditedMeanwhile(Conflict):
    """Somebody edited a file between our look at it and the moment at which it would have been replaced."""


@dataclass
class Held:
    """A project under its lock, as it is now."""

    folder: Path
    loaded: Loaded
    newest: versions.Record | None
    """Record of the newest version; None where its snapshot is missing."""
    files: dict[str, str]
    content: str
    """Digest of what is on the disk now."""

    @property
    def edited(self) -> bool:
        """Whether somebody changed it on the disk since we last wrote."""
        return self.content != self.loaded.metadata.content

    def check(self) -> None:
        """Raises `EditedMeanwhile` where the disk holds another definition now: an editor knows no lock."""
        if tree.read(self.folder) != self.loaded.tree:
            raise EditedMeanwhile(
                "The project's files were changed on the disk while they were being saved, and nothing was "
                "saved. Look at them, then try again."
            )

    @property
    def versioned(self) -> bool:
        """Whether the newest version holds exactly this."""
        return self.newest is not None and self.newest.content == self.content
