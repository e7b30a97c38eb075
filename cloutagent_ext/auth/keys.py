"""API keys: `ca_<key id>_<secret>`, each for one project, with 256 bits of secret.

The key id names the project, so a key is found without a search. At rest there is a bcrypt hash of
the secret; bcrypt runs in two threads of its own, at most once per request. A key that was right is
remembered for five minutes under a keyed digest (never itself), together with the hash it matched:
it stays good only as long as `keys.json` holds that very hash, so revoking works at once here, and
within `TRUST_S` where another server of the same data folder revoked.

A wrong, unknown, malformed or revoked key gets one and the same answer after one bcrypt check.
Not here: HTTP, limits on failures (`server`), the file (`auth.key_file`).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import bcrypt

from .. import steady
from ..errors import CloutError, NotFound, Unauthorized
from ..guard import Guard
from ..schema.admin import CreatedKey, KeyRow, Scope
from ..schema.base import timestamp
from .key_file import KeyFile, Stamp, StoredKey
from .principal import Principal
from .revoked import Revoked

BCRYPT_COST = 10
"""About 0.06 s of one core per check; the secret has 256 bits, so a higher cost protects nothing more."""
BCRYPT_THREADS = 2
REMEMBER_S = 300.0
TRUST_S = 2.0
"""Longest time a remembered key is believed without a look at `keys.json`."""
MAX_REMEMBERED = 1000
USED_EVERY_S = 60.0
"""`last_used_at` is written at most this often per key."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_KEY_ID = re.compile(r"([0-9a-f]{32})-[0-9a-f]{8}")
_NOBODY = b"$2b$10$FCS0533QL1PfBpUjSpN7jOWugGmmLRrt48pIgQ1.Y0EMOIrwDw/z2"
"""What an unknown key is compared with, so that it costs the same. No key is ever let in by it."""

log = logging.getLogger("cloutagent.auth")


@dataclass
class _Remembered:
    principal: Principal
    hash: str
    until: float
    seen: float
    """When `keys.json` was last seen to hold the hash; both in `steady` seconds."""


class Keys:
    """All keys of all projects below `store_root` (the folder `projects/`)."""

    def __init__(self, store_root: Path, *, clock: Callable[[], float] = steady.seconds) -> None:
        self._root = store_root
        self._revoked = Revoked(store_root.parent)
        self._clock = clock
        self._guard = Guard()
        self._pool = ThreadPoolExecutor(BCRYPT_THREADS, thread_name_prefix="cloutagent-bcrypt")
        self._digest_key = secrets.token_bytes(32)
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._checks: dict[tuple[bytes, bytes], asyncio.Future[bool]] = {}
        self._rows: dict[str, tuple[Stamp, list[StoredKey]]] = {}
        self._used: dict[str, tuple[float, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._revocations = 0

    def refuse(self, why: str) -> None:
        """Write nothing, for a reason that was found elsewhere."""
        self._guard.close(why)

    @property
    def read_only(self) -> str | None:
        """Why nothing is written any more (a failed fsync), None while all is well."""
        return self._guard.closed

    async def create(
        self, project_id: str, name: str, scopes: Sequence[Scope] = ("read", "execute")
    ) -> CreatedKey:
        """A new key; its text is in the answer and nowhere else. Raises `NotFound`, `UnreadableFile`."""
        file = self._file(project_id)
        key_id = f"{UUID(project_id).hex}-{secrets.token_hex(4)}"
        secret = secrets.token_urlsafe(32)
        hashed = await self._in_pool(lambda: bcrypt.hashpw(secret.encode(), bcrypt.gensalt(BCRYPT_COST)))
        key = StoredKey(
            id=key_id, name=name, scopes=list(scopes), created_at=timestamp(), hash=hashed.decode("ascii")
        )

        def add() -> None:
            with self._guard.writing():
                file.change(lambda keys: ([*keys, key], None))

        await asyncio.to_thread(add)
        return CreatedKey(**key.row().model_dump(), api_key=f"ca_{key_id}_{secret}")

    async def list(self, project_id: str) -> Sequence[KeyRow]:
        """The project's keys, oldest first. Raises `NotFound`, `UnreadableFile`."""
        rows = [key.row() for key in await asyncio.to_thread(self._file(project_id).read)]
        return [self._with_use(row) for row in rows]

    async def revoke(self, project_id: str, key_id: str) -> None:
        """The key opens nothing from now on. Raises `NotFound`."""
        file = self._file(project_id)

        def remove() -> bool:
            with self._guard.writing():
                return file.revoke(key_id)

        try:
            if not await asyncio.to_thread(remove):
                raise NotFound("There is no such key.")
        finally:
            self._revocations += 1  # who has just looked looks again
            for digest, entry in list(self._remembered.items()):
                if entry.principal.key_id == key_id:
                    del self._remembered[digest]

    def remembered(self, text: str) -> Principal | None:
        """Whose key this is, where that was established a moment ago; never waits, touches no disk."""
        entry = self._remembered.get(self._digest(text))
        now = self._clock()
        if entry is None or entry.until < now or entry.seen + TRUST_S < now:
            return None
        self._note_use(entry.principal)
        return entry.principal

    async def recall(self, text: str) -> Principal | None:
        """Whose key this is, where it was verified within five minutes and still stands; never bcrypt.

        Unlike `remembered` it looks at `keys.json` where that is due.
        """
        digest = self._digest(text)
        if digest not in self._remembered:
            return None
        project_id, key_id, _ = _parse(text)
        key = await self._standing(project_id, key_id)
        return self._accept(digest, key, project_id) if key and self._still_good(digest, key) else None

    async def verify(self, text: str) -> Principal:
        """Whose key this is. Raises `Unauthorized` (INVALID_API_KEY) whatever else it is given."""
        digest = self._digest(text)
        project_id, key_id, secret = _parse(text)
        key = await self._standing(project_id, key_id)
        if key is not None and self._still_good(digest, key):
            return self._accept(digest, key, project_id)
        matches = await self._check(digest, secret, key.hash.encode() if key else _NOBODY)
        # Looked at again: it may have been revoked while bcrypt ran.
        if not matches or key is None or await self._standing(project_id, key_id) is None:
            self._remembered.pop(digest, None)
            raise Unauthorized(
                "This key is not valid. Make a new one in the project's settings.", code="INVALID_API_KEY"
            )
        return self._accept(digest, key, project_id)

    async def close(self) -> None:
        """Wait for what is being written; no key can be checked afterwards."""
        while self._tasks or self._checks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.gather(*self._checks.values(), return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown)

    # ------------------------------------------------------------ inside

    def _file(self, project_id: str) -> KeyFile:
        if not _is_uuid(project_id):
            raise NotFound("There is no such project.")
        return KeyFile(self._root, project_id, self._revoked)

    def _digest(self, text: object) -> bytes:
        data = text.encode(errors="surrogatepass") if isinstance(text, str) else repr(text).encode()
        return hmac.digest(self._digest_key, data, hashlib.sha256)

    async def _standing(self, project_id: str, key_id: str) -> StoredKey | None:
        """The stored key, not from before a revocation that has been answered."""
        while True:
            before = self._revocations
            key = await asyncio.to_thread(self._find, project_id, key_id)
            if before == self._revocations:
                return key

    def _find(self, project_id: str, key_id: str) -> StoredKey | None:
        """The stored key, read anew only where the file changed. Blocks; raises nothing."""
        if not key_id:
            return None
        file = KeyFile(self._root, project_id, self._revoked)
        try:
            stamp = file.stamp()
            known = self._rows.get(project_id)
            if stamp is None:
                return None
            if known is None or known[0] != stamp:
                if len(self._rows) > MAX_REMEMBERED:
                    self._rows.clear()
                known = self._rows[project_id] = (stamp, file.read())
        except (CloutError, OSError) as error:
            log.error("No key of project %s works: %s", project_id, error)
            return None
        return next((key for key in known[1] if key.id == key_id), None)

    async def _check(self, digest: bytes, secret: bytes, hashed: bytes) -> bool:
        """One bcrypt check per text and hash, however many requests bring it at once."""
        wanted = (digest, hashed)
        check = self._checks.get(wanted)
        if check is None:
            check = self._checks[wanted] = asyncio.ensure_future(
                self._in_pool(lambda: bcrypt.checkpw(secret, hashed))
            )
            check.add_done_callback(lambda _: self._checks.pop(wanted, None))
        return await asyncio.shield(check)

    async def _in_pool(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _still_good(self, digest: bytes, key: StoredKey) -> bool:
        entry = self._remembered.get(digest)
        return entry is not None and entry.hash == key.hash and entry.until >= self._clock()

    def _accept(self, digest: bytes, key: StoredKey, project_id: str) -> Principal:
        principal = Principal("key", key.name, project_id, key.id, frozenset(key.scopes))
        now = self._clock()
        entry = self._remembered.get(digest)
        until = entry.until if entry and entry.hash == key.hash and entry.until >= now else now + REMEMBER_S
        self._remembered[digest] = _Remembered(principal, key.hash, until, now)
        self._remembered.move_to_end(digest)
        while len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        self._note_use(principal)
        return principal

    # ------------------------------------------------------------ last use

    def _note_use(self, principal: Principal) -> None:
        """Remember the use, and write it once a minute; nobody waits for that or fails with it."""
        key_id, project_id = principal.key_id, principal.project_id
        assert key_id is not None
        assert project_id is not None
        now = self._clock()
        written, _ = self._used.get(key_id, (float("-inf"), ""))
        due = now - written >= USED_EVERY_S
        moment = timestamp()
        self._used[key_id] = (now if due else written, moment)
        if due:
            self._start(self._write_use(project_id, key_id, moment))

    async def _write_use(self, project_id: str, key_id: str, moment: str) -> None:
        def edit(keys: list[StoredKey]) -> tuple[list[StoredKey], None]:
            return [
                key.model_copy(update={"last_used_at": moment})
                if key.id == key_id and _stale(key.last_used_at)
                else key
                for key in keys
            ], None

        def write() -> None:
            with self._guard.writing():
                KeyFile(self._root, project_id, self._revoked).change(edit)

        try:
            await asyncio.to_thread(write)
        except (CloutError, OSError) as error:
            log.warning("The last use of a key of project %s could not be noted: %s", project_id, error)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _with_use(self, row: KeyRow) -> KeyRow:
        _, moment = self._used.get(row.id, (0.0, ""))
        return row.model_copy(update={"last_used_at": max(row.last_used_at or "", moment) or None})


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except (ValueError, AttributeError, TypeError):
        return False


def _parse(text: object) -> tuple[str, str, bytes]:
    """Project id, key id and secret; empty ids and some secret where `text` is no key of ours."""
    nobody = ("", "", b"nobody")
    if not isinstance(text, str) or len(text) > 200 or not text.startswith("ca_"):
        return nobody
    key_id, found, secret = text.removeprefix("ca_").partition("_")
    match = _KEY_ID.fullmatch(key_id)
    if not found or match is None or _SECRET.fullmatch(secret) is None:
        return nobody
    return str(UUID(match[1])), key_id, secret.encode("ascii")


def _stale(moment: str | None) -> bool:
    """Whether `moment` is older than a minute: another server may have written it."""
    if moment is None:
        return True
    return datetime.fromisoformat(moment) < datetime.now(UTC) - timedelta(seconds=USED_EVERY_S / 2)
