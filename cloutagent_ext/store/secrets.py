"""A project's secrets: names for everybody, values for the one child process that was given them.

Values are encrypted in `.secrets/secrets.enc` (`store.secret_file`) with a key of the ring
(`store.keyring`). Where the key is missing or another one, the project opens and its secrets are
locked: named, dated, and left exactly as they are. A damaged file is never written over either.

Two files hold the counter of the last write, `.secrets/counter` and, outside the project,
`projects/.counters/{id}`: an older `secrets.enc` put in the place of a newer one is refused, and so is the
whole older folder. The limit of that: who puts back both (all of the data folder, a copied disk) cannot be
told from somebody honest. A restore of ours forgets the outer counter first (`forget_counter`).

Writes take the project's lock, as every change of a project does, so that a copy made under that lock
has both files of one moment. Not here: who may ask, and what reaches a child (`executions`).
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from .. import durable, filelocks, smallfiles
from ..errors import (
    CloutError,
    DiskFull,
    InvalidRequest,
    NotFound,
    SecretsLocked,
    TooLarge,
    Unavailable,
    UnreadableFile,
)
from ..guard import Guard
from ..schema.admin import Rotation, RotationFailure, RotationKey, SecretRow
from ..schema.base import timestamp
from . import secret_file
from .commit import recover
from .keyring import Key, KeyRing, Ring
from .secret_file import SecretFile, damaged
from .shelf import COUNTERS, is_id
from .writer import LOCKS, lock_path

FOLDER, NAME, COUNTER = ".secrets", "secrets.enc", "counter"
MAX_BYTES = 16 * 1024 * 1024
MAX_SECRETS = 200
MIN_VALUE = 6
"""Characters of the shortest value: what is shorter cannot be masked in what programs print without
hiding ordinary words and numbers (`engine.masking`)."""
MAX_VALUE_BYTES = 64 * 1024
"""Of one value: the largest that a Linux environment variable can hold with room to spare."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_COUNTER = re.compile(rb"[1-9][0-9]{0,17}\n")

Answer = TypeVar("Answer")


class Secrets:
    """All secrets of all projects below `projects`."""

    def __init__(self, projects: Path, ring: KeyRing) -> None:
        self._projects = projects
        self._ring = ring
        self._guard = Guard()

    def refuse(self, why: str) -> None:
        """Write nothing, for a reason that was found elsewhere."""
        self._guard.close(why)

    @property
    def read_only(self) -> str | None:
        """Why nothing is written any more (a failed fsync), None while all is well."""
        return self._guard.closed

    async def list(self, project_id: str) -> Sequence[SecretRow]:
        """Names and dates, by name; `locked` where the key is not at hand. Raises `UnreadableFile`."""
        return await asyncio.to_thread(self._list, self._folder(project_id))

    async def set(self, project_id: str, name: str, value: str) -> tuple[SecretRow, bool]:
        """Keep `value` under `name`, replacing what was there; its row and whether the name is new.

        Raises `InvalidRequest`, `TooLarge`, `SecretsLocked`, `UnreadableFile`, `NotFound`, `DiskFull`,
        `Unavailable`.
        """
        folder = self._folder(project_id)
        if _NAME.fullmatch(name) is None:
            raise InvalidRequest("A secret's name has letters, digits and `_`, and begins with no digit.")
        return await asyncio.to_thread(self._set, folder, name, _checked(value))

    async def delete(self, project_id: str, name: str) -> None:
        """Forget it. Raises `NotFound`, `SecretsLocked`, `UnreadableFile`."""
        await asyncio.to_thread(self._delete, self._folder(project_id), name)

    async def get(self, project_id: str, name: str) -> str | None:
        """The value, None where there is none of this name. For what hands it to one child, nobody else.

        Raises `SecretsLocked` where there is one that cannot be opened, `UnreadableFile`.
        """
        return await asyncio.to_thread(self._get, self._folder(project_id), name)

    async def rotate(self, *, new_key: bool = False) -> Rotation:
        """Encrypt every project's secrets with the key that writes, a new one first if `new_key`.

        What is encrypted with it already is left alone, so that doing it again after a crash finishes
        it and doing it once more changes nothing. A project that cannot be opened is reported and left
        as it is. Raises `SecretsLocked` (no key), `Conflict` (`new_key` where ENCRYPTION_KEY is set),
        `DiskFull`, `Unavailable`.
        """
        return await asyncio.to_thread(self._rotate, new_key)

    # ------------------------------------------------------------ the work, blocking

    def _list(self, folder: Path) -> Sequence[SecretRow]:
        try:
            found, key = self._seen(folder, self._ring.load())
        except SecretsLocked:  # the ring itself cannot be taken
            found, key = self._seen(folder, Ring(()))
        entries = found.entries.items() if found else ()
        return [
            SecretRow(name=name, created_at=entry.created_at, updated_at=entry.updated_at, locked=key is None)
            for name, entry in sorted(entries)
        ]

    def _set(self, folder: Path, name: str, value: str) -> tuple[SecretRow, bool]:
        def edit(found: SecretFile, key: Key) -> tuple[SecretFile, bool]:
            if name not in found.entries and len(found.entries) >= MAX_SECRETS:
                raise InvalidRequest(f"A project keeps at most {MAX_SECRETS} secrets.")
            return found.put(key, name, value, timestamp()), name not in found.entries

        after, is_new = self._change(folder, edit, makes=True)
        entry = after.entries[name]
        return SecretRow(name=name, created_at=entry.created_at, updated_at=entry.updated_at), is_new

    def _delete(self, folder: Path, name: str) -> None:
        def edit(found: SecretFile, key: Key) -> tuple[SecretFile, None]:
            if name not in found.entries:
                raise NotFound("There is no such secret.")
            return found.without(name), None

        self._change(folder, edit, makes=False)

    def _get(self, folder: Path, name: str) -> str | None:
        try:
            found, key = self._seen(folder, self._ring.load())
        except SecretsLocked:
            if (found := self._seen(folder, Ring(()))[0]) is None or name not in found.entries:
                return None
            raise
        if found is None or name not in found.entries:
            return None
        if key is None:
            raise _locked(found)
        return found.value(key, name)

    def _change(
        self,
        folder: Path,
        edit: Callable[[SecretFile, Key], tuple[SecretFile, Answer]],
        *,
        makes: bool,
    ) -> tuple[SecretFile, Answer]:
        """Replace the file by what `edit` makes of it, under the project's lock."""
        if not folder.is_dir():
            raise NotFound("There is no such project.")
        with self._guard.writing(), self._locked(folder):
            ring = self._ring.load()
            found, key = self._read(folder, ring)
            if found is None:
                if not makes:
                    raise NotFound("There is no such secret.")
                key = ring.current or self._first_key()
                found = SecretFile(folder.name, key.id)
            if key is None:
                raise _locked(found)
            after, answer = edit(found, key)
            self._write(folder, after, key)
            return after, answer

    def _first_key(self) -> Key:
        """A key where there is none; refused while secrets lie about that a lost one opens."""
        for project in self._projects.iterdir():
            if (project / FOLDER / NAME).exists():
                if (made := self._ring.load().current) is not None:  # by who kept these just now
                    return made
                raise SecretsLocked(
                    "There is no key here, but there are secrets that one was used for: bring back the key "
                    f"file {self._ring.path.name} or ENCRYPTION_KEY. No new key is made meanwhile."
                )
        return self._ring.first()

    def _rotate(self, new_key: bool) -> Rotation:
        if not self._projects.is_dir():
            raise Unavailable("The data folder is not there; nothing was rotated.", code="READ_ONLY")
        with self._guard.writing():
            current = self._ring.add() if new_key else self._ring.load().current
        if current is None:
            raise SecretsLocked(
                f"There is no key to rotate to: neither ENCRYPTION_KEY nor {self._ring.path.name}."
            )
        rewrapped: list[str] = []
        failed: list[RotationFailure] = []
        uses: Counter[str] = Counter()
        for project in sorted(path for path in self._projects.iterdir() if is_id(path.name)):
            try:
                used, changed = self._rewrap(project, current)
            except (DiskFull, Unavailable):  # the next project would fare no better; what is done stays done
                raise
            except NotFound:
                continue  # deleted meanwhile
            except CloutError as error:
                failed.append(
                    RotationFailure(project_id=project.name, code=error.error_code, message=error.message)
                )
            else:
                if used is not None:
                    uses[used] += 1
                if changed:
                    rewrapped.append(project.name)
        known = [key.id for key in self._ring.load().keys]
        return Rotation(
            key_id=current.id,
            rewrapped=rewrapped,
            failed=failed,
            keys=[RotationKey(id=each, uses=uses[each]) for each in known],
        )

    def _rewrap(self, folder: Path, current: Key) -> tuple[str | None, bool]:
        """Id of the key that the project's secrets are encrypted with now, and whether that was changed."""
        if not (folder / FOLDER).is_dir():
            return None, False
        with self._guard.writing(), self._locked(folder):
            found, key = self._read(folder, self._ring.load())
            if found is None or (key is not None and key.id == current.id):
                return (key.id if key else None), False
            if key is None:
                raise _locked(found)
            self._write(folder, found.rewrapped(key, current), current)
            return current.id, True

    # ------------------------------------------------------------ files

    def _folder(self, project_id: str) -> Path:
        if not is_id(str(project_id)):
            raise NotFound("There is no such project.")
        return self._projects / str(project_id)

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        durable.make_folder(self._projects / LOCKS)
        with filelocks.locked(lock_path(self._projects, folder.name)):
            recover(folder)  # a restore that a server died in would be finished over what is written now
            yield

    def _seen(self, folder: Path, ring: Ring) -> tuple[SecretFile | None, Key | None]:
        """`_read`, and where that finds them damaged, once more when nobody changes them: a restore puts
        older files in the place of newer ones, one after the other."""
        try:
            return self._read(folder, ring)
        except UnreadableFile as error:
            with suppress(CloutError, OSError), self._locked(folder):
                return self._read(folder, ring)
            raise error

    def _read(self, folder: Path, ring: Ring) -> tuple[SecretFile | None, Key | None]:
        """The file and its key: `(None, None)` where there is no file, no key where it is not in the ring."""
        # Counters first, the outer one before all: written last, they are never ahead of a file read after.
        outer = _outer_counter(folder)
        counter = _read_counter(folder)
        data = _bytes(folder, NAME)
        if data is None:
            if not folder.is_dir():
                raise NotFound("There is no such project.")
            if counter:
                raise damaged("it is gone")
            return None, None
        found, key = secret_file.parse(folder.name, data, {key.id: key for key in ring.keys})
        if found.counter < counter:
            raise damaged(f"it is an older one (write {found.counter}, where the last was {counter})")
        if found.counter < outer:
            raise damaged(
                f"the folder is an older one (write {found.counter}, where the last was {outer}); who put it "
                f"back knowingly removes projects/{COUNTERS}/{folder.name}"
            )
        return found, key

    def _write(self, folder: Path, content: SecretFile, key: Key) -> None:
        counter = max(content.counter, _outer_counter(folder)) + 1
        content = SecretFile(content.project_id, content.key_id, counter, content.entries)
        data = content.encode(key)
        if len(data) > MAX_BYTES:  # more than is read again: all of them would be locked
            raise TooLarge(
                f"The project's secrets would be {len(data):,} bytes encrypted; they may have {MAX_BYTES:,} "
                "together. Keep large values in a file instead, or delete secrets that nothing uses."
            )
        if not folder.is_dir():
            raise NotFound("There is no such project.")
        place = folder / FOLDER
        try:
            durable.make_folder(place, 0o700)
            for litter in place.glob(".*.tmp"):  # of a writer that was killed
                durable.remove(litter)
            durable.atomic_write(place / NAME, data, 0o600)
            durable.atomic_write(place / COUNTER, f"{counter}\n".encode(), 0o600)
            outer = _outer_path(folder)
            durable.make_folder(outer.parent, 0o700)
            durable.atomic_write(outer, f"{counter}\n".encode(), 0o600)
        except FileNotFoundError:  # the project was deleted meanwhile
            raise NotFound("There is no such project.") from None


def _read_counter(folder: Path) -> int:
    """Of the last write; 0 where nothing was ever written."""
    data = _bytes(folder, COUNTER)
    if data is None:
        return 0
    if _COUNTER.fullmatch(data) is None:
        raise damaged(f"the file {COUNTER} beside it holds no number")
    return int(data)


def _outer_path(folder: Path) -> Path:
    return folder.parent / COUNTERS / folder.name


def _outer_counter(folder: Path) -> int:
    """As `_read_counter`, of the file outside the project. One that holds no number says nothing."""
    try:
        data = _outer_path(folder).read_bytes()
    except OSError:
        return 0
    return int(data) if _COUNTER.fullmatch(data) else 0


def _bytes(folder: Path, name: str) -> bytes | None:
    try:
        return smallfiles.read(folder / FOLDER / name, MAX_BYTES)
    except smallfiles.Unusable as error:
        raise damaged(f"{name} {error.reason}") from None


def _checked(value: str) -> str:
    """A value that an environment variable can hold. The error never shows it."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidRequest("The value is not valid Unicode.") from None
    if size > MAX_VALUE_BYTES or "\0" in value:
        raise InvalidRequest(f"A value has at most {MAX_VALUE_BYTES:,} bytes, none of them NUL.")
    if len(value) < MIN_VALUE:
        raise InvalidRequest(
            f"A secret has at least {MIN_VALUE} characters: shorter ones could not be masked in what "
            "programs print. What is no secret belongs into `env`."
        )
    return value


def _locked(found: SecretFile) -> SecretsLocked:
    return SecretsLocked(
        f"The secrets of this project are locked: they are encrypted with the key {found.key_id}, which is "
        "neither ENCRYPTION_KEY nor in the key file. Nothing of them was changed. Bring that key back.",
        key_id=found.key_id,
    )
