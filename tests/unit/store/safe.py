"""A data folder with two projects and their secrets, for the tests of what is kept and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloutagent_ext.store.keyring import KeyRing
from cloutagent_ext.store.secrets import Secrets

KEY, OTHER = "a1" * 32, "b2" * 32
VALUE = "the value, with ünicode\nand a line"


@dataclass
class Safe:
    """Secrets of a data folder with two projects."""

    data_dir: Path
    one: str
    two: str

    @property
    def key_file(self) -> Path:
        return self.data_dir.with_name("data.keys")

    def secrets(self, given: str | None = None) -> Secrets:
        return Secrets(self.data_dir / "projects", KeyRing(given, self.key_file))

    def file(self, project: str) -> Path:
        return self.data_dir / "projects" / project / ".secrets" / "secrets.enc"

    def bytes(self) -> dict[Path, bytes]:
        """Everything that belongs to secrets, as it lies on the disk."""
        found = [self.key_file, *self.data_dir.glob("projects/*/.secrets/*")]
        return {path: path.read_bytes() for path in found if path.exists()}
