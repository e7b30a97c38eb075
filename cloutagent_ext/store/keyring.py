"""The keys that secrets are encrypted with: one that writes, any number that still read.

The ring is `ENCRYPTION_KEY` (where it is set), then each line of the key file from the top; the
first one writes. The key file lies beside the data folder, never in it, so that no copy of the data
holds what opens it: one key of 64 hex digits a line, `#` begins a comment, mode 0600. It is looked at
again at each use, so that a rotation by one process is seen by all.

Not here: which project is encrypted with which key (`store.secrets`). Everything blocks.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from .. import durable, filelocks, smallfiles
from ..errors import Conflict, SecretsLocked

_KEY = re.compile(r"[0-9a-fA-F]{64}")
_MAX_BYTES = 64 * 1024
_HEADER = """\
# Keys of the secrets in CloutAgent's data folder, newest first: the first one writes, all of them read.
# Without this file those secrets cannot be read by anybody: keep a copy in a safe place, not beside
# the backups of the data folder.
"""

log = logging.getLogger("cloutagent.store")


@dataclass(frozen=True)
class Key:
    """One key. What encrypts and what authenticates are derived from it, for each project anew."""

    master: bytes = field(repr=False)
    id: str = ""

    @classmethod
    def of(cls, text: str) -> Key:
        master = bytes.fromhex(text)
        return cls(master, hmac.digest(master, b"cloutagent secrets: key id", hashlib.sha256)[:8].hex())

    def derive(self, purpose: str, project_id: str) -> bytes:
        """32 bytes that tell nothing about the key or about any other purpose and project."""
        label = f"cloutagent secrets: {purpose}\0{project_id}".encode()
        return hmac.digest(self.master, label, hashlib.sha256)


@dataclass(frozen=True)
class Ring:
    """The keys of this moment, the one that writes first."""

    keys: tuple[Key, ...]

    @property
    def current(self) -> Key | None:
        return self.keys[0] if self.keys else None

    def find(self, key_id: str) -> Key | None:
        return next((key for key in self.keys if key.id == key_id), None)


class KeyRing:
    """Where keys come from: `given` (the setting `encryption_key`) and the file at `path`."""

    def __init__(self, given: str | None, path: Path) -> None:
        self._given = given.strip() if given else None
        self.path = path

    @property
    def given(self) -> bool:
        """Whether the setting, and not the key file, says which key writes."""
        return self._given is not None

    def load(self) -> Ring:
        """The ring as it is now. Raises `SecretsLocked` where a key or the file cannot be taken."""
        keys = []
        if self._given is not None:
            if _KEY.fullmatch(self._given) is None:
                raise SecretsLocked(
                    f"ENCRYPTION_KEY takes 64 hex digits, not these {len(self._given)} characters. "
                    "Secrets stay locked, and nothing of them is changed, until it is set right."
                )
            keys.append(Key.of(self._given))
        found = {key.id: key for key in keys}
        for number, row in enumerate(self._text().splitlines(), 1):
            text = row.partition("#")[0].strip()
            if text and _KEY.fullmatch(text) is None:
                raise SecretsLocked(
                    f"Line {number} of the key file {self.path.name} is no key of 64 hex digits. "
                    "Secrets stay locked, and nothing of them is changed, until it is mended."
                )
            if text:
                key = Key.of(text)
                found.setdefault(key.id, key)
        return Ring(tuple(found.values()))

    def add(self) -> Key:
        """A new key, first in the key file from now on. On the disk when this returns.

        Raises `Conflict` where the setting says which key writes.
        """
        if self.given:
            raise Conflict(
                "ENCRYPTION_KEY says which key writes. Set a new one there, put the old one into "
                f"{self.path.name} as a line of its own, restart the server, and rotate again."
            )
        durable.make_folder(self.path.parent)
        with filelocks.locked(self._lock):
            return self._add()

    def first(self) -> Key:
        """The key that writes; made now, and said in the log, where there is none at all."""
        if (current := self.load().current) is not None:
            return current
        durable.make_folder(self.path.parent)
        with filelocks.locked(self._lock):
            if (current := self.load().current) is not None:  # another process was faster
                return current
            key = self._add()
        log.warning(
            "A key for secrets was made in %s. Keep a copy of that file in a safe place (a password manager, "
            "not beside the backups): without it no secret of this data folder can be read again.",
            self.path,
        )
        return key

    # ------------------------------------------------------------ inside

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f".{self.path.name}.lock")

    def _add(self) -> Key:
        text = secrets.token_hex(32)
        before = self._text() or _HEADER
        rows = before.splitlines(keepends=True)
        at = next((n for n, row in enumerate(rows) if row.partition("#")[0].strip()), len(rows))
        if rows and not rows[-1].endswith("\n"):
            rows[-1] += "\n"
        # Through a link, as it is read: others may read the same file through links of their own.
        path = self.path.resolve()
        data = "".join([*rows[:at], f"{text}\n", *rows[at:]]).encode()
        if len(data) > _MAX_BYTES:
            raise Conflict(
                f"The key file {self.path.name} has no room for another key. Remove from its end those that "
                "encrypt nothing any more, as a rotation reports, then rotate again."
            )
        for litter in path.parent.glob(f".{path.name}.*.tmp"):  # of a process that was killed
            durable.remove(litter)
        durable.atomic_write(path, data, 0o600)
        return Key.of(text)

    def _text(self) -> str:
        try:
            return (smallfiles.read(self.path, _MAX_BYTES, follow=True) or b"").decode("utf-8-sig")
        except smallfiles.Unusable as error:
            raise SecretsLocked(
                f"The key file {self.path.name} {error.reason}; secrets stay locked."
            ) from None
        except ValueError:
            raise SecretsLocked(f"The key file {self.path.name} is no text of a few lines.") from None
