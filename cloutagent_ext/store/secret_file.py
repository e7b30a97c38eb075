"""`.secrets/secrets.enc` of a project: what its bytes mean, and whether they are as they were written.

`{"schema", "key_id", "counter", "mac", "entries": {name: {"iv", "authTag", "encrypted", "created_at",
"updated_at"}}}`, in hex, as canonical JSON: one and only one text for each content, so that every
changed byte is noticed. Each value is AES-256-GCM with a random 12-byte IV; its associated data binds
it to project, name and key. `mac` is an HMAC-SHA256 over everything else and the project's id, so that
entries cannot be added, removed, exchanged or moved to another project. `counter` grows with each write.

A file of a key that is not at hand is parsed all the same: names and dates can be shown.
Not here: where the file lies, counters kept beside it, locks (`store.secrets`). Nothing blocks.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from ..errors import NewerFormat, UnreadableFile
from ..schema.admin import SecretName
from ..schema.base import Model, Timestamp
from .jsonfiles import dump, load_object
from .keyring import Key

FILE = ".secrets/secrets.enc"
SCHEMA = 1
IV_BYTES, TAG_BYTES = 12, 16

_Hex = StringConstraints(pattern=r"^(?:[0-9a-f]{2})*$")


class Entry(Model):
    """One secret as it lies on disk."""

    iv: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{24}$")]
    authTag: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    encrypted: Annotated[str, _Hex]
    created_at: Timestamp
    updated_at: Timestamp


class _Content(Model):
    schema_: Annotated[Literal[1], Field(alias="schema")]
    key_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    counter: Annotated[int, Field(ge=1, strict=True)]
    mac: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    entries: dict[SecretName, Entry]


@dataclass(frozen=True)
class SecretFile:
    """The content of one project's file. Immutable: `put` and `without` give new ones."""

    project_id: str
    key_id: str
    counter: int = 0
    entries: Mapping[str, Entry] = field(default_factory=dict)

    def value(self, key: Key, name: str) -> str:
        """The secret in the clear. Raises `UnreadableFile` where it is not what was written."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        entry = self.entries[name]
        sealed = bytes.fromhex(entry.encrypted + entry.authTag)
        cipher = AESGCM(key.derive("encrypt", self.project_id))
        try:
            opened = cipher.decrypt(bytes.fromhex(entry.iv), sealed, self._bound_to(name))
        except InvalidTag:
            raise damaged(f"the entry {name} is not what was written") from None
        return opened.decode()

    def put(self, key: Key, name: str, value: str, now: str) -> SecretFile:
        """With `name` holding `value`, encrypted anew."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        iv = secrets.token_bytes(IV_BYTES)
        sealed = AESGCM(key.derive("encrypt", self.project_id)).encrypt(
            iv, value.encode(), self._bound_to(name)
        )
        before = self.entries.get(name)
        entry = Entry(
            iv=iv.hex(),
            authTag=sealed[-TAG_BYTES:].hex(),
            encrypted=sealed[:-TAG_BYTES].hex(),
            created_at=before.created_at if before else now,
            updated_at=now,
        )
        return replace(self, entries={**self.entries, name: entry})

    def without(self, name: str) -> SecretFile:
        return replace(self, entries={each: entry for each, entry in self.entries.items() if each != name})

    def rewrapped(self, old: Key, new: Key) -> SecretFile:
        """The same secrets with the same dates, encrypted with `new`."""
        fresh = SecretFile(self.project_id, new.id, self.counter)
        for name, entry in self.entries.items():
            fresh = fresh.put(new, name, self.value(old, name), entry.updated_at)
            dated = fresh.entries[name].model_copy(update={"created_at": entry.created_at})
            fresh = replace(fresh, entries={**fresh.entries, name: dated})
        return fresh

    def encode(self, key: Key) -> bytes:
        """The file's bytes."""
        return dump({**self._authenticated(), "mac": self._mac(key)})

    # ------------------------------------------------------------ inside

    def _authenticated(self) -> dict[str, object]:
        entries = {name: entry.model_dump(mode="json") for name, entry in self.entries.items()}
        return {"schema": SCHEMA, "key_id": self.key_id, "counter": self.counter, "entries": entries}

    def _mac(self, key: Key) -> str:
        text = json.dumps([self.project_id, self._authenticated()], sort_keys=True, separators=(",", ":"))
        return hmac.new(key.derive("mac", self.project_id), text.encode(), hashlib.sha256).hexdigest()

    def _bound_to(self, name: str) -> bytes:
        return json.dumps([SCHEMA, self.project_id, self.key_id, name]).encode()

    def _checked(self, key: Key, mac: str) -> SecretFile:
        if not hmac.compare_digest(self._mac(key), mac):
            raise damaged("its entries are not those that were written, or are another project's")
        return self


def parse(project_id: str, data: bytes, keys: Mapping[str, Key]) -> tuple[SecretFile, Key | None]:
    """What `data` holds, and its key; None where that is not among `keys`: the rest is then unproven.

    Raises `UnreadableFile` (damaged in any way), `NewerFormat`.
    """
    raw = load_object(FILE, data)
    version = raw.get("schema")
    if isinstance(version, int) and version > SCHEMA and dump(raw) == data:
        raise NewerFormat(f"{FILE} was written by a newer version; upgrade to use these secrets.", file=FILE)
    try:
        content = _Content.model_validate(raw)
    except ValidationError as error:
        where = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise damaged(f"{'.'.join(map(str, where['loc']))}: {where['msg']}") from None
    if dump(raw) != data:
        raise damaged("it was changed by something that does not write such files")
    found = SecretFile(project_id, content.key_id, content.counter, content.entries)
    key = keys.get(content.key_id)
    return (found, None) if key is None else (found._checked(key, content.mac), key)


def damaged(reason: str) -> UnreadableFile:
    """The error for secrets that are not as they were written."""
    return UnreadableFile(
        f"{FILE}: {reason}. No secret of this project can be used or changed until the newest intact copy "
        "is put back, or the folder .secrets is removed and the secrets are entered again.",
        file=FILE,
        line=None,
        reason=re.sub(r"[^ -~]", "?", reason),
    )
