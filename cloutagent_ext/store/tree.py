"""The definition files of a project, off the disk as one consistent set of bytes.

Reads take no lock: where a commit is under way, its journal says what is already decided, and
a commit that fits in between is noticed by `metadata.json`, which every commit of several files
replaces last. Links, FIFOs and the like are reported, never followed.

Not here: what the files mean (`store.layout`) and how they are written (`store.commit`).
Everything blocks.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import Conflict, NotFound
from . import commit
from .jsonfiles import MAX_BYTES, unreadable

METADATA = "metadata.json"
AGENT = "agent.config.json"
MCPS = "mcps/mcp-config.json"
MAIN_PROMPT = "prompts/main-prompt.txt"
SUBAGENT_PROMPTS = "prompts/subagent-prompts"
FLOW = ".ui/flow-coordinates.json"
VIEW = ".ui/ui-config.json"

_SINGLE = (METADATA, AGENT, MCPS, MAIN_PROMPT, FLOW, VIEW)
_FOLDERS = {"subagents": ".json", "hooks": ".json", SUBAGENT_PROMPTS: ".txt"}
_PARENTS = ("subagents", "hooks", "mcps", "prompts", SUBAGENT_PROMPTS, ".ui")
ATTEMPTS = 100
_PAUSE_S = 0.01
_MAX_FILES = 10_000

Tree = dict[str, bytes]
"""Path relative to the project → bytes."""


def read(project: Path) -> Tree:
    """All definition files of `project`. Raises `NotFound`, `UnreadableFile`, `Conflict` (never at rest)."""
    for _ in range(ATTEMPTS):
        journal, changed = commit.pending(project), _stamp_of(project, METADATA)
        tree = _read_once(project, journal)
        # In this order: a commit shows its journal before its first rename, metadata.json after its last.
        if moment(project) == (journal, changed):
            if not tree and not project.is_dir():
                raise NotFound("There is no such project.")
            return tree
        time.sleep(_PAUSE_S)
    raise Conflict("The project is being saved without a pause. Try again.")


def moment(project: Path) -> object:
    """Equal before and after a read: no commit of several files went on meanwhile."""
    return commit.pending(project), _stamp_of(project, METADATA)


def read_metadata(project: Path) -> Tree:
    """`metadata.json` alone, for what can still be said when another file is broken."""
    data = _read_file(project, METADATA)
    return {} if data is None else {METADATA: data}


def read_snapshot(folder: Path) -> Tree:
    """All definition files of a version's folder, which nothing changes."""
    return _read_once(folder, None)


def at_rest(project: Path) -> bool:
    """Whether no commit of several files is under way, or waits to be finished."""
    return _stamp_of(project, commit.JOURNAL) is None


def watched(project: Path) -> list[str]:
    """All that tells whether a definition changed: the journal, definition files, the folders they lie in.

    Paths relative to the project, whether they are there or not. Raises `UnreadableFile` where a
    folder is none.
    """
    base = str(project)
    for folder in _PARENTS:
        _must_be_folder(base, folder)
    return [commit.JOURNAL, *_SINGLE, *_PARENTS, *_in_folders(base)]


def present(project: Path) -> list[str]:
    """Paths of all definition files. Raises `UnreadableFile` where a folder is none."""
    return list(_present(project))


def _read_once(project: Path, journal: commit.Journal | None) -> Tree:
    paths = {*_present(project), *(journal.writes if journal else ())}
    tree = {}
    for path in paths.difference(journal.removes if journal else ()):
        if not is_definition(path):
            continue
        data = commit.staged(project, journal, path) if journal else None
        if data is None:
            data = _read_file(project, path)
        if data is not None:
            tree[path] = data
    return tree


def is_definition(path: str) -> bool:
    """Whether `path` is the place of a definition file (rather than of project files, keys, versions)."""
    folder, _, name = path.rpartition("/")
    return path in _SINGLE or (
        folder in _FOLDERS and name.endswith(_FOLDERS[folder]) and not name.startswith(".")
    )


def _present(project: Path) -> Iterator[str]:
    base = str(project)
    for folder in _PARENTS:
        _must_be_folder(base, folder)
    for path in _SINGLE:
        if os.path.lexists(f"{base}/{path}"):
            yield path
    yield from _in_folders(base)


def _in_folders(base: str) -> Iterator[str]:
    for folder in _FOLDERS:
        try:
            names = sorted(os.listdir(f"{base}/{folder}"))  # noqa: PTH208
        except FileNotFoundError:
            continue
        if len(names) > _MAX_FILES:
            raise unreadable(folder, f"holds more than {_MAX_FILES:,} files")
        yield from (path for name in names if is_definition(path := f"{folder}/{name}"))


def _must_be_folder(base: str, folder: str) -> None:
    try:
        mode = os.lstat(f"{base}/{folder}").st_mode
    except FileNotFoundError:
        return
    except NotADirectoryError:
        return  # its parent is reported
    if not stat.S_ISDIR(mode):
        raise unreadable(folder, "must be a folder of its own, not a link or a file")


def _read_file(project: Path, path: str) -> bytes | None:
    """The bytes of `path`, None where it has just gone."""
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        descriptor = os.open(f"{project}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        why = "is a symbolic link" if (project / path).is_symlink() else f"cannot be read ({error.strerror})"
        raise unreadable(path, why) from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise unreadable(path, "is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        if found.st_size > MAX_BYTES:
            raise unreadable(path, f"larger than {MAX_BYTES // 1024 // 1024} MB")
        return file.read()


def _stamp_of(project: Path | str, path: str) -> tuple[int, int, int, int] | None:
    try:
        found = os.lstat(f"{project}/{path}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
