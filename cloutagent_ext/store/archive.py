"""Projects as one file: export, import, duplicate.

An archive holds what people would put under git: the definition files and `files/`, on wish without
`.ui/`, on wish with the logs of executions. Never secrets, keys or versions. The same project gives
the same bytes. Importing makes a new project with a new id, all or nothing, and starts nothing;
what is found beyond the definition and `files/` is named in the warnings, not kept.

Not here: the defence against hostile archives (`store.unpack`), the form of other programs
(`store.claude_code`), HTTP; both are loaded when an archive comes. `Archives` is async; everything
else blocks.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from .. import filelocks
from ..errors import BadArchive, NotFound, TooLarge, UnreadableFile
from ..schema.base import advice
from ..schema.project import Definition
from . import layout, project_files, tree
from .commit import recover
from .files import open_beneath
from .layout import Loaded
from .listing import Listing
from .shelf import EXECUTIONS, Shelf
from .tree import AGENT, METADATA, Tree
from .writer import GITIGNORE, lock_path

Format = Literal["zip", "tar.gz", "claude"]
MEDIA_TYPES: dict[Format, str] = {
    "zip": "application/zip",
    "tar.gz": "application/gzip",
    "claude": "application/zip",
}

MAX_NAME = 200
MAX_DEFINITION_BYTES = 20 * 1024 * 1024
"""All definition files of an imported project together."""
MAX_BRACKETS, MAX_COMMAS = 250_000, 500_000
"""Most of these in all its JSON: each costs far more memory than its one character."""

_LOGS = ("events.jsonl", "state.json")
"""What of an execution travels: what every reader of its API may see."""
_NEVER = (".secrets", "keys.json", "versions", EXECUTIONS)
_CHUNK = 256 * 1024
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Arrived:
    """A project read from elsewhere, not yet stored."""

    definition: Definition
    files: _Files
    source: Loaded | None = None
    """Its files, where they are in our own form: bytes and unknown fields are kept."""
    warnings: list[str] = field(default_factory=list)
    """What could not be taken, a sentence each."""


class Archives:
    """Copies of whole projects."""

    def __init__(self, projects: Path, shelf: Shelf, listing: Listing) -> None:
        self._projects = projects
        self._shelf = shelf
        self._listing = listing

    async def export(
        self, project_id: str, sink: BinaryIO, form: Format, *, ui: bool = True, executions: bool = False
    ) -> str:
        """Write the project as `form` to `sink`, which is empty and can seek; its name.

        Raises `NotFound`, `UnreadableFile`, and `BadArchive` for what `load` would not take.
        """
        return await asyncio.to_thread(self._export, project_id, sink, form, ui, executions)

    async def load(self, source: BinaryIO, size: int) -> tuple[str, list[str]]:
        """A new project from the archive of `size` bytes in `source`: its id, and warnings.

        Raises `BadArchive`, `TooLarge`, `NewerFormat`, `DiskFull`; then nothing is left of it.
        """
        return await asyncio.to_thread(self._load, source, size)

    async def duplicate(self, project_id: str) -> str:
        """A new project like this one: definition and files, neither secrets nor keys; its id."""
        return await asyncio.to_thread(self._duplicate, project_id)

    # ------------------------------------------------------------ inside

    @contextmanager
    def _at_rest(self, project_id: str) -> Iterator[Path]:
        """The project's folder while nobody changes it."""
        folder = self._projects / project_id
        if not folder.is_dir():
            raise NotFound("There is no such project.")
        with filelocks.locked(lock_path(self._projects, project_id)):
            recover(folder)
            yield folder

    def _export(self, project_id: str, sink: BinaryIO, form: Format, ui: bool, executions: bool) -> str:
        with self._at_rest(project_id) as folder:
            content = tree.read(folder)
            name = layout.parse_metadata(content).name
            if form == "claude":
                from . import claude_export

                files = _Files(folder / project_files.FOLDER)
                scripts = files.executable()
                definition = layout.parse(content).definition
                _pack(
                    sink,
                    _write_zip,
                    lambda: (
                        (path, io.BytesIO(data), len(data), path in scripts)
                        for path, data in claude_export.render(definition, files)
                    ),
                )
                return name
            wanted = {path: data for path, data in content.items() if ui or not path.startswith(".ui/")}
            _pack(
                sink,
                _write_zip if form == "zip" else _write_tar,
                lambda: _members(folder, wanted, executions),
            )
            return name

    def _load(self, source: BinaryIO, size: int) -> tuple[str, list[str]]:
        from .unpack import bad, unpack

        with self._shelf.scratch() as folder:
            if not unpack(source, size, folder):
                raise bad("there is no file in it")
            arrived = _read(folder)
            definition = arrived.definition.model_copy(
                update={"name": self._free_name(arrived.definition.name)}
            )
            project_id = self._shelf.create(
                definition,
                arrived.files,
                author=None,
                trusted=False,
                source=arrived.source,
                executable=arrived.files.executable(),
            )
        return project_id, arrived.warnings

    def _duplicate(self, project_id: str) -> str:
        with self._at_rest(project_id) as folder:
            loaded = layout.parse(tree.read(folder))
            name = self._free_name(f"{loaded.definition.name[: MAX_NAME - 10]} (copy)")
            definition = loaded.definition.model_copy(update={"name": name})
            files = _Files(folder / project_files.FOLDER)
            return self._shelf.create(
                definition,
                files,
                author=None,
                trusted=False,
                source=loaded,
                executable=files.executable(),
            )

    def _free_name(self, wanted: str) -> str:
        """`wanted`, with a number where a project has this name already."""
        taken = {row.name.casefold() for row in self._listing.rows(self._shelf.ids())}
        name, number = wanted, 1
        while name.casefold() in taken:
            number += 1
            ending = f" ({number})"
            name = wanted[: MAX_NAME - len(ending)] + ending
        return name


class _Files(Mapping[str, bytes]):
    """Files below a folder, read when they are asked for, one at a time."""

    def __init__(self, root: Path, paths: list[str] | None = None) -> None:
        self._root = root
        self._paths = sorted(path for path, _ in project_files.walk(root)) if paths is None else paths
        project_files.check_total(sum((root / path).lstat().st_size for path in self._paths))

    def __getitem__(self, path: str) -> bytes:
        return project_files.read(self._root, path)[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def executable(self) -> frozenset[str]:
        """Those that may be executed."""
        modes = {path: (self._root / path).lstat().st_mode for path in self._paths}
        return frozenset(path for path, mode in modes.items() if mode & stat.S_IXUSR)


# ---------------------------------------------------------------- reading


def _read(folder: Path) -> Arrived:
    """What was unpacked into `folder`: our form, or a Claude Code project, perhaps one folder deeper."""
    from . import claude_code
    from .unpack import bad

    root = folder
    entries = list(root.iterdir())
    if len(entries) == 1 and entries[0].is_dir() and not _is_ours(root) and not claude_code.is_one(root):
        root = entries[0]
    if _is_ours(root):
        return _ours(root)
    if claude_code.is_one(root):
        return _foreign(root)
    raise bad(
        f"it holds neither a CloutAgent project ({METADATA} and {AGENT}) nor a Claude Code one "
        "(.claude/, .mcp.json or CLAUDE.md)"
    )


def _is_ours(root: Path) -> bool:
    return (root / METADATA).is_file() and (root / AGENT).is_file()


def _ours(root: Path) -> Arrived:
    try:
        content = tree.read_snapshot(root)
        _check_definition(content)
        loaded = layout.parse(content)
    except UnreadableFile as error:
        raise BadArchive(
            f"This archive is not taken: {error.message.partition(' The project is read-only')[0]} "
            "Nothing was imported.",
            **error.details,
        ) from error
    warnings = []
    for name in _NEVER:
        if (root / name).exists():
            warnings.append(f"{name} was left out: it belongs to the project it came from.")
    warnings += [f"{AGENT}: `{name}` does nothing: {advice(name)}." for name in layout.unread(loaded.tree)]
    known = {*content, GITIGNORE}
    others = [
        path
        for path, _ in project_files.walk(root)
        if path not in known and path.partition("/")[0] not in (*_NEVER, project_files.FOLDER)
    ]
    if others:
        warnings.append(_listed("left out, since a project has no such files", others))
    return Arrived(loaded.definition, _Files(root / project_files.FOLDER), loaded, warnings)


def _foreign(root: Path) -> Arrived:
    from . import claude_code

    found = claude_code.read(root)
    return Arrived(found.definition, _Files(root, found.files), None, found.warnings)


def _check_definition(content: Tree) -> None:
    if sum(map(len, content.values())) > MAX_DEFINITION_BYTES:
        raise TooLarge(
            f"The project's definition is larger than {MAX_DEFINITION_BYTES // 1024 // 1024} MB; "
            "nothing was imported."
        )
    data = [value for path, value in content.items() if path.endswith(".json")]
    brackets = sum(each.count(b"[") + each.count(b"{") for each in data)
    if brackets > MAX_BRACKETS or sum(each.count(b",") for each in data) > MAX_COMMAS:
        from .unpack import bad

        raise bad("its definition has too many parts")


def _listed(what: str, paths: list[str]) -> str:
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return f"{', '.join(sorted(paths)[:5])}{more}: {what}."


# ---------------------------------------------------------------- writing

Entry = tuple[str, BinaryIO, int, bool]
"""Path, bytes, how many of them, whether it may be executed."""


def _members(folder: Path, content: Tree, executions: bool) -> Iterator[Entry]:
    for path, data in sorted(content.items()):
        yield path, io.BytesIO(data), len(data), False
    yield from _below(folder, project_files.FOLDER, (path for path, _ in _sorted(folder / "files")))
    if executions and (folder / EXECUTIONS).is_dir():
        for place in sorted((folder / EXECUTIONS).iterdir()):
            yield from _below(folder, f"{EXECUTIONS}/{place.name}", _LOGS)


def _sorted(root: Path) -> list[tuple[str, os.stat_result]]:
    return sorted(project_files.walk(root))


def _below(folder: Path, prefix: str, paths: Iterator[str] | tuple[str, ...]) -> Iterator[Entry]:
    for relative in paths:
        path = f"{prefix}/{relative}"
        try:
            descriptor = open_beneath(folder, path)
        except NotFound:
            continue
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            yield path, file, found.st_size, bool(found.st_mode & stat.S_IXUSR)


def _pieces(source: BinaryIO, size: int) -> Iterator[bytes]:
    """Exactly `size` bytes: a log may grow meanwhile."""
    while size:
        data = source.read(min(size, _CHUNK))
        if not data:
            raise OSError("a file became shorter while it was read")
        size -= len(data)
        yield data


def _pack(
    sink: BinaryIO,
    write: Callable[[BinaryIO, Iterator[Entry], bool], None],
    members: Callable[[], Iterator[Entry]],
) -> None:
    """Write an archive that our import takes. Raises `BadArchive` where there can be none."""
    from .outgoing import Outgoing

    outgoing = Outgoing()

    def judged() -> Iterator[Entry]:
        for entry in members():
            outgoing.take(entry[0], entry[2])
            yield entry

    write(sink, judged(), True)
    if outgoing.too_dense(sink.tell()):  # honest blanks look like a bomb when they are squeezed
        sink.seek(0)
        sink.truncate()
        write(sink, members(), False)


def _write_zip(sink: BinaryIO, members: Iterator[Entry], squeezed: bool) -> None:
    with zipfile.ZipFile(sink, "w") as archive:
        for path, source, size, executable in members:
            info = zipfile.ZipInfo(path, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED if squeezed else zipfile.ZIP_STORED
            info.create_system = 3
            info.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
            info.file_size = size
            with archive.open(info, "w") as target:
                for data in _pieces(source, size):
                    target.write(data)


def _write_tar(sink: BinaryIO, members: Iterator[Entry], squeezed: bool) -> None:
    import tarfile

    packed = gzip.GzipFile("", "wb", 9 if squeezed else 0, fileobj=sink, mtime=0)
    with packed, tarfile.TarFile(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, source, size, executable in members:
            info = tarfile.TarInfo(path)
            info.size, info.mode = size, 0o755 if executable else 0o644
            archive.addfile(info, source)
