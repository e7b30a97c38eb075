"""Several files of one project change as one: old or new after any crash, never mixed.

1. New contents are written into `.staging/` inside the project and synced.
2. `.staging/journal.json`, one atomic record of what goes where: from here on the new state holds.
3. Contents are renamed into place, what is to go is removed, folders are synced.
4. The journal goes, then the folder.

A crash before 2 leaves litter that `recover` removes; a crash after it leaves work that `recover`
finishes. Both may be interrupted and repeated. Readers need neither a lock nor `recover`: they read
over a journal (`store.tree`), which is why `metadata.json` is always put in place last.
A change of a single file needs no journal, a rename is atomic by itself.

Not here: locks (the callers hold the project's), what the files mean. Everything blocks.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import durable
from ..errors import CloutError
from .jsonfiles import dump, unreadable

STAGING = ".staging"
JOURNAL = f"{STAGING}/journal.json"
LAST = "metadata.json"
"""Put in place after all other files of a commit: readers recognise a commit in between by it."""


@dataclass(frozen=True)
class Journal:
    """What a commit does, as its one record says. Paths are relative to the project."""

    commit: str
    """Unlike that of any other commit."""
    writes: Mapping[str, tuple[str, str]]
    """Path → name inside `.staging`, SHA-256 in hex."""
    removes: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    """Path of a new folder → name inside `.staging`."""

    def encode(self) -> bytes:
        return dump(
            {
                "schema_version": 1,
                "commit": self.commit,
                "writes": {path: list(item) for path, item in self.writes.items()},
                "removes": list(self.removes),
                "places": dict(self.places),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Journal:
        """Raises `UnreadableFile`: journals are written atomically, so a broken one is a broken disk."""
        try:
            raw: dict[str, Any] = json.loads(data)
            if raw["schema_version"] != 1:
                raise unreadable(JOURNAL, "was written by a newer version; start that one to finish its save")
            return cls(
                raw["commit"],
                {str(path): (str(name), str(digest)) for path, (name, digest) in raw["writes"].items()},
                tuple(str(path) for path in raw["removes"]),
                {str(path): str(name) for path, name in raw["places"].items()},
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            raise unreadable(JOURNAL, "is damaged, so an interrupted save cannot be finished") from None


def pending(project: Path) -> Journal | None:
    """The commit that is under way or was interrupted after it became valid."""
    try:
        data = (project / JOURNAL).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Journal.decode(data)


class Staging:
    """A commit being prepared; `Commit` makes it real."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.commit = secrets.token_hex(8)
        self.batch = durable.Batch()
        self._writes: dict[str, tuple[str, str]] = {}
        self._removes: list[str] = []
        self._places: dict[str, str] = {}

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """The file `path` shall hold `data`."""
        name = f"{self.commit}-{len(self._writes)}"
        target = self.project / path
        self.batch.parents(target, self.project)
        self._writes[path] = (name, self.batch.write(self.project / STAGING / name, data, mode))

    def copy(self, path: str, source: int, mode: int = 0o644) -> None:
        """The file `path` shall hold all bytes of the open descriptor `source`."""
        name = f"{self.commit}-{len(self._writes)}"
        target = self.project / path
        self.batch.parents(target, self.project)
        self._writes[path] = (name, self.batch.copy(source, self.project / STAGING / name, mode))

    def remove(self, path: str) -> None:
        """The file `path` shall be gone."""
        self._removes.append(path)

    def place(self, path: str) -> Path:
        """A new folder that shall appear as `path`; fill the returned one through `batch`."""
        name = f"{self.commit}-folder-{len(self._places)}"
        self.batch.parents(self.project / path, self.project)
        staged = self.project / STAGING / name
        self.batch.mkdir(staged)
        self._places[path] = name
        return staged

    def folder(self, path: str) -> Path:
        """The staged folder that `place` gave for `path`."""
        return self.project / STAGING / self._places[path]

    def journal(self) -> Journal:
        return Journal(self.commit, self._writes, tuple(self._removes), self._places)


@contextmanager
def commit(project: Path, last_look: Callable[[], None] = lambda: None) -> Iterator[Staging]:
    """Prepare a change of `project` inside the block; at its end the change is made, all or nothing.

    `last_look` may still refuse, by raising, when all that takes time is done.

    The caller holds the project's lock and has called `recover`. An error inside the block changes
    nothing. An error at its end may leave the new state: then it is whole, and `recover` settles it.
    """
    staging = Staging(project)
    try:
        with staging.batch:
            staging.batch.mkdir(project / STAGING)
            yield staging
            journal = staging.journal()
            staging.batch.sync()
        last_look()
        if len(journal.writes) + len(journal.removes) + len(journal.places) > 1:
            durable.atomic_write(project / JOURNAL, journal.encode())
    except BaseException:
        # With the journal there, valid or not, only `recover` may judge.
        if not (project / JOURNAL).exists():
            with suppress(CloutError, OSError):
                _clear(project)
        raise
    _apply(project, journal)
    _clear(project)


def drop(project: Path, path: str) -> None:
    """Remove the folder `path` of `project`, for readers at once and whole.

    The caller holds the project's lock and has called `recover`, which also clears what a crash leaves.
    """
    durable.make_folder(project / STAGING)
    durable.rename(project / path, project / STAGING / f"dropped-{secrets.token_hex(8)}")
    durable.sync_folder((project / path).parent)
    _clear(project)


def recover(project: Path) -> None:
    """Settle what a crash left: finish a valid commit, drop one that was not yet. Safe to repeat.

    The caller holds the project's lock. Raises `UnreadableFile` where the disk lost staged bytes.
    """
    if not (project / STAGING).exists():
        return
    if (journal := pending(project)) is not None:
        _apply(project, journal)
    _clear(project)


def _apply(project: Path, journal: Journal) -> None:
    staging = project / STAGING
    touched: dict[Path, None] = {}
    for path, name in journal.places.items():
        # A name that is gone from the staging folder has been put in place before a crash.
        if (staging / name).is_dir() and not (project / path).exists():
            durable.rename(staging / name, project / path)
        touched[(project / path).parent] = None
    for path in journal.removes:
        durable.remove(project / path)
        touched[(project / path).parent] = None
    for path, (name, digest) in sorted(journal.writes.items(), key=lambda item: item[0] == LAST):
        if (staging / name).exists():
            _check(staging / name, path, digest)
            durable.rename(staging / name, project / path)
        touched[(project / path).parent] = None
    for folder in touched:
        with suppress(FileNotFoundError):
            durable.sync_folder(folder)


def _check(staged: Path, path: str, digest: str) -> None:
    if hashlib.sha256(staged.read_bytes()).hexdigest() != digest:
        raise unreadable(
            f"{STAGING}/{staged.name}",
            f"damaged on the disk, so an interrupted save of {path} cannot be finished",
        )


def _clear(project: Path) -> None:
    """The journal first: what lies beside it means nothing without it."""
    staging = project / STAGING
    if (project / JOURNAL).exists():
        durable.remove(project / JOURNAL)
        durable.sync_folder(staging)
    if not durable.remove_folder(staging):
        durable.remove_tree(staging)


def staged(project: Path, journal: Journal, path: str) -> bytes | None:
    """What `journal` will put at `path`; None where it has done so already or does not touch it."""
    if path not in journal.writes:
        return None
    try:
        return (project / STAGING / journal.writes[path][0]).read_bytes()
    except FileNotFoundError:
        return None
