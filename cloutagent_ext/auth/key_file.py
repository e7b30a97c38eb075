"""`keys.json` of a project: ids, names, scopes, bcrypt hashes; never a key. Mode 0600.

Outside versions, ETag and exports. A file that cannot be read opens nothing for anybody and is
never overwritten. A row whose id is noted as revoked (`auth.revoked`) is as good as gone: it came back
with a backup. Not here: what a key's text looks like and whether one is right (`auth.keys`).
Everything blocks.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from .. import durable, filelocks, smallfiles
from ..errors import DiskFull, NewerFormat, NotFound, TooLarge, UnreadableFile
from ..schema.admin import KeyRow
from ..schema.base import Model
from .revoked import Revoked

NAME = "keys.json"
LOCKS = ".locks"
"""Beside the projects, where the store keeps its locks too."""
SCHEMA_VERSION = 1
MAX_BYTES = 4 * 1024 * 1024

_REVOKED = "!"
"""First letter of a hash that was blanked in place; such a row is as good as gone."""

Answer = TypeVar("Answer")
Stamp = tuple[object, object]


class StoredKey(KeyRow):
    """A row as it lies on disk."""

    hash: str = Field(min_length=1, max_length=200)

    def row(self) -> KeyRow:
        return KeyRow(**self.model_dump(exclude={"hash"}))


class _File(Model):
    schema_version: int = SCHEMA_VERSION
    keys: list[StoredKey] = []


class KeyFile:
    """The keys of one project."""

    def __init__(self, projects: Path, project_id: str, revoked: Revoked) -> None:
        self._revoked = revoked
        self._project = projects / project_id
        self._path = self._project / NAME
        self._lock = projects / LOCKS / f"{project_id}.keys.lock"

    def stamp(self) -> Stamp | None:
        """Something that differs whenever the file may have changed; None where there is none."""
        found = smallfiles.stamp(self._path)
        return None if found is None else (found, self._revoked.stamp())

    def read(self) -> list[StoredKey]:
        """All living keys, oldest first. Raises `NotFound` (no project), `UnreadableFile`, `NewerFormat`."""
        # The file first: whoever revokes notes it before the row goes.
        rows, revoked = self._rows(), self._revoked.ids()
        return [key for key in rows if not key.hash.startswith(_REVOKED) and key.id not in revoked]

    def _rows(self) -> list[StoredKey]:
        """All rows, those that were blanked in place too."""
        try:
            data = smallfiles.read(self._path, MAX_BYTES)
        except smallfiles.Unusable as error:
            raise _unreadable(error.reason) from None
        if data is None:
            if not self._project.is_dir():
                raise NotFound("There is no such project.")
            return []
        return _decode(data)

    def change(self, edit: Callable[[list[StoredKey]], tuple[list[StoredKey], Answer]]) -> Answer:
        """Replace the keys by what `edit` makes of them, under the file's lock; what else it returns.

        Nothing is written where `edit` returns the same keys. Raises what `read` raises, `TooLarge`,
        `DiskFull`, `Unavailable`.
        """
        if not self._project.is_dir():
            raise NotFound("There is no such project.")
        durable.make_folder(self._lock.parent)
        with filelocks.locked(self._lock):
            rows = self._rows()
            self._revoked.add(key.id for key in rows if key.hash.startswith(_REVOKED))
            before = self.read()
            after, answer = edit(list(before))
            if after != rows:
                data = _encode(after)
                if len(data) > MAX_BYTES and len(after) > len(before):
                    raise TooLarge(
                        "The project has more keys than its file may hold. Revoke some that nobody uses."
                    )
                for litter in self._project.glob(f".{NAME}.*.tmp"):  # of a writer that was killed
                    durable.remove(litter)
                try:
                    durable.atomic_write(self._path, data, 0o600)
                except FileNotFoundError:  # the project was deleted meanwhile
                    raise NotFound("There is no such project.") from None
            return answer

    def revoke(self, key_id: str) -> bool:
        """Remove a key, for good; whether it was there.

        On a full disk its hash is blanked in place instead, and noted as revoked at the next change.
        """
        try:
            if all(key.id != key_id for key in self.read()):
                return False
            self._revoked.add([key_id])
            self.change(lambda keys: ([key for key in keys if key.id != key_id], None))
            return True
        except DiskFull:
            with filelocks.locked(self._lock):
                for key in self._rows():
                    if key.id == key_id:
                        offset = self._path.read_bytes().index(json.dumps(key.hash).encode()) + 1
                        durable.overwrite_in_place(self._path, offset, _REVOKED.encode())
                        return True
            return False


def _encode(keys: list[StoredKey]) -> bytes:
    value = _File(keys=keys).model_dump(mode="json")
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _decode(data: bytes) -> list[StoredKey]:
    try:
        raw = json.loads(data)
        version = raw.get("schema_version") if isinstance(raw, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise NewerFormat(f"{NAME} was written by a newer version; upgrade to change keys.", file=NAME)
        return _File.model_validate(raw).keys
    except json.JSONDecodeError as error:
        raise _unreadable(f"not valid JSON: {error.msg}", error.lineno) from None
    except ValidationError as error:
        raise _unreadable(f"does not fit: {error.errors()[0]['msg']}") from None
    except (ValueError, RecursionError):
        raise _unreadable("not valid JSON in UTF-8") from None


def _unreadable(reason: str, line: int | None = None) -> UnreadableFile:
    where = f"{NAME}, line {line}" if line else NAME
    return UnreadableFile(
        f"{where}: {reason}. No key of this project works until the file is mended or removed.",
        file=NAME,
        line=line,
        reason=reason,
    )
