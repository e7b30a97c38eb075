"""What a project would start on this machine, and whether a person here has agreed to it.

Agreement binds to a hash over exactly what would run: enabled hooks, enabled MCP servers, and the
project files a command may run. What is kept in `metadata.json` is not the hash but a code made
from it with a key of this data folder, so that a project which comes by git, archive or copy
cannot bring its own agreement along. A project with no enabled hook and no enabled MCP server has
nothing to agree to and counts as trusted.

Not here: when agreement is asked for and given (`store.writer`, `store.history`).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from .. import durable, filelocks
from ..errors import CloutError, Conflict, NotTrusted, Unavailable
from ..schema.base import JsonObject
from ..schema.project import CommandAction, Definition, Hook, McpServer
from .jsonfiles import canonical
from .layout import Loaded
from .project_files import SCENARIO, unmarked

KEY = "trust.key"
KEPT = 50
"""Most agreements a project remembers: each published or restored version may need its own."""

_KEY_BYTES = 32
_DATA = frozenset(
    (
        *(".csv", ".tsv", ".jsonl", ".xls", ".xlsx", ".ods", ".parquet", ".feather", ".arrow", ".orc"),
        *(".npy", ".npz", ".h5", ".hdf5", ".nc", ".geojson", ".txt", ".md", ".rst", ".log", ".bib"),
        *(".pdf", ".docx", ".odt", ".pptx", ".zip", ".gz", ".xz", ".mp3", ".mp4", ".mov", ".avi", ".wav"),
        *(".flac", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".bmp", ".tif", ".tiff", ".webp"),
    )
)
"""Kinds of files that no program runs by itself; any other beside a command may be (part of) a script."""

log = logging.getLogger("cloutagent.store")


def digest(definition: Definition, files: Mapping[str, str]) -> str | None:
    """Hex SHA-256 over what would run of `definition` with the project files `files` (path → mark).

    None where nothing would. Values of env and headers count too: `LD_PRELOAD` decides what runs.
    """
    if not starts_anything(definition):
        return None
    hooks, servers = _hooks(definition), _servers(definition)
    whole = [
        [{"id": h.id, "event": h.event, "action": h.action.model_dump(), "env": h.env} for h in hooks],
        [
            s.model_dump(
                include={"id", "transport", "command", "args", "env", "url", "headers", "credentials"}
            )
            for s in servers
        ],
        scripts(definition, files),
    ]
    return hashlib.sha256(canonical(whole)).hexdigest()


def digest_off(definition: Definition, files: Mapping[str, str]) -> str | None:
    """Likewise over the hooks that are switched off, which only a trial (a backtest) would start.

    Another hash than the same hooks would have when they are on: to agree to a trial is not to agree
    that they run in executions.
    """
    value = digest(asleep(definition), files)
    return None if value is None else hashlib.sha256(f"off {value}".encode()).hexdigest()


def asleep(definition: Definition) -> Definition:
    """Only the hooks of `definition` that are switched off, as if they were on."""
    hooks = [hook.model_copy(update={"enabled": True}) for hook in definition.hooks if not hook.enabled]
    return definition.model_copy(update={"hooks": hooks, "mcps": []})


def starts_anything(definition: Definition) -> bool:
    """Whether there is anything to agree to."""
    return bool(_hooks(definition) or _servers(definition))


def part(loaded: Loaded) -> Loaded | None:
    """What of `loaded` decides about trust, without bytes and prompts; None where nothing would run."""
    if not starts_anything(loaded.definition):
        return None
    definition = Definition(
        name=loaded.definition.name, hooks=loaded.definition.hooks, mcps=loaded.definition.mcps
    )
    return Loaded({}, loaded.metadata, definition)


def would_run(definition: Definition, files: Mapping[str, str]) -> JsonObject:
    """The same for a person: programs, addresses, names of env and headers (never values), scripts."""
    return {
        "hooks": [_hook_row(hook) for hook in _hooks(definition)],
        "mcps": [
            {
                "id": server.id,
                "name": server.name,
                "transport": server.transport,
                "command": server.command,
                "args": server.args,
                "url": server.url,
                "env": sorted(server.env),
                "headers": sorted(server.headers),
                "credentials": server.credentials,
            }
            for server in _servers(definition)
        ],
        "scripts": [
            {"path": path, "sha256": value, "executable": executable}
            for path, (value, executable) in sorted(
                (path, unmarked(value)) for path, value in scripts(definition, files).items()
            )
        ],
    }


def scripts(definition: Definition, files: Mapping[str, str]) -> dict[str, str]:
    """The files a command of the project may run: those it names, and all that are not plainly data.

    A command that is named may load what lies beside it (a module, a Makefile), so these count too.
    """
    commands = [
        argument
        for hook in _hooks(definition)
        if isinstance(hook.action, CommandAction)
        for argument in hook.action.command
    ]
    for server in _servers(definition):
        if server.transport == "stdio":
            commands += [server.command or "", *server.args]
    if not commands:
        return {}
    return {
        path: value
        for path, value in files.items()
        if path != SCENARIO
        and (
            PurePosixPath(path).suffix.lower() not in _DATA
            or any(PurePosixPath(path).name in each for each in commands)
        )
    }


def _hooks(definition: Definition) -> list[Hook]:
    return [hook for hook in definition.hooks if hook.enabled]


def _servers(definition: Definition) -> list[McpServer]:
    return [server for server in definition.mcps if server.enabled]


def _hook_row(hook: Hook) -> JsonObject:
    row: JsonObject = {"id": hook.id, "name": hook.name, "event": hook.event, "env": sorted(hook.env)}
    if isinstance(hook.action, CommandAction):
        return row | {"command": hook.action.command}
    return row | {"url": hook.action.url, "headers": sorted(hook.action.headers)}


class Trust:
    """Agreements of this data folder. Everything blocks."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / KEY
        self._key: bytes | None = None

    def make_key(self) -> None:
        """Make the key where there is none. Agreements made with a lost one count no more."""
        with suppress(Conflict), filelocks.locked(self._path.with_name(f".{KEY}.lock")):
            if not self._path.exists():
                durable.atomic_write(self._path, secrets.token_bytes(_KEY_BYTES).hex().encode(), 0o600)

    def holds(
        self, project_id: str, definition: Definition, files: Mapping[str, str], given: list[str]
    ) -> bool:
        """Whether the agreements `given` cover what would run."""
        return self._holds(project_id, digest(definition, files), given)

    def holds_off(
        self, project_id: str, definition: Definition, files: Mapping[str, str], given: list[str]
    ) -> bool:
        """Whether they cover a trial of the hooks that are switched off."""
        return self._holds(project_id, digest_off(definition, files), given)

    def _holds(self, project_id: str, value: str | None, given: list[str]) -> bool:
        if value is None:
            return True
        try:
            code = self._code(project_id, value)
        except CloutError as error:
            log.error("No project's hooks and MCP servers are trusted: %s", error.message)
            return False
        return any(hmac.compare_digest(code.encode(), each.encode()) for each in given)

    def add(
        self, project_id: str, definition: Definition, files: Mapping[str, str], given: list[str]
    ) -> list[str]:
        """`given` with agreement to what would run, as the newest. Raises `Unavailable` without a key."""
        return self._add(project_id, digest(definition, files), given)

    def add_off(
        self, project_id: str, definition: Definition, files: Mapping[str, str], given: list[str]
    ) -> list[str]:
        """The same with agreement to a trial of the hooks that are switched off."""
        return self._add(project_id, digest_off(definition, files), given)

    def _add(self, project_id: str, value: str | None, given: list[str]) -> list[str]:
        if value is None:
            return given
        code = self._code(project_id, value)
        return [*(each for each in given if each != code), code][-KEPT:]

    def _code(self, project_id: str, value: str) -> str:
        return hmac.new(self._loaded(), f"{project_id}\n{value}".encode(), "sha256").hexdigest()[:32]

    def _loaded(self) -> bytes:
        if self._key is None:
            try:
                key = bytes.fromhex(self._path.read_text("ascii"))
            except (OSError, ValueError):
                key = b""
            if len(key) != _KEY_BYTES:
                raise Unavailable(
                    f"{KEY} in the data folder is missing or damaged, so trust can be neither proved nor "
                    "given. Remove it and restart the server, then confirm each project again.",
                    code="READ_ONLY",
                )
            self._key = key
        return self._key


def refused(definition: Definition, version: int | None, files: Mapping[str, str]) -> NotTrusted:
    """The error that shows exactly what would run."""
    return NotTrusted(
        "This project would start programs or call addresses that nobody here has agreed to. "
        "Look at what would run; a Jupyter user who may write can then trust it.",
        hash=digest(definition, files),
        version=version,
        would_run=would_run(definition, files),
    )


def refused_off(definition: Definition, files: Mapping[str, str]) -> NotTrusted:
    """The same of a trial of hooks that are switched off."""
    return NotTrusted(
        "This project has hooks that are switched off and that nobody here has agreed to try. "
        "Look at what would run; a Jupyter user who may write can then trust it.",
        hash=digest_off(definition, files),
        version=None,
        would_run=would_run(asleep(definition), files),
    )
