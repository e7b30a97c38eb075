"""Cassettes of executions: made from what one has journalled, listed, handed out, opened for a replay.

What is written holds no secret of the project and no model key in any usual spelling. A secret that
was deleted or replaced since the execution is not known any more; tool results were masked when they
came. Not here: the format (`engine.models.cassette`), the disk (`store.cassettes`), playing (`replay`).
"""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from pydantic import ValidationError

from ..engine.masking import Mask
from ..engine.models import cassette as tapes
from ..engine.models.canonical import Canon, Places
from ..engine.models.cassette import BadCassette, Cassette
from ..errors import BadArchive, Conflict, NotFound, TooLarge, UnreadableFile
from ..schema.base import JsonObject, timestamp
from ..schema.cassettes import CassetteRow
from ..schema.execution import ENDED, ExecutionState, Spec
from ..store.cassettes import MAX_FILE_BYTES, CassetteFiles
from . import journal
from .records import Records
from .vault import Vault
from .workspace import Workspace

_SHOWN_PROMPT = 2000
"""Characters of a prompt in a list."""


class Cassettes:
    """The cassettes of one data folder."""

    def __init__(self, files: CassetteFiles, records: Records, vault: Vault, data_dir: Path) -> None:
        self._files = files
        self._records = records
        self._vault = vault
        self._data_dir = data_dir

    async def save(self, execution_id: str, state: ExecutionState, *, tools: bool) -> str:
        """Keep the model replies of an ended execution, and on wish its tool results; the cassette's id.

        Raises Conflict (it has not ended, or asked no model), SecretsLocked (what cannot be read cannot
        be taken out), TooLarge, NotFound, UnreadableFile, DiskFull.
        """
        if state.status not in ENDED:
            raise Conflict("This execution has not ended; save it when it has.", status=state.status)
        project_id, folder = await self._records.find(execution_id)
        spec = await self._records.spec(execution_id)
        canon = await self.canon(spec, strict=True)
        cassette_id = secrets.token_hex(8)
        data = await asyncio.to_thread(_recorded, cassette_id, folder, spec, state, canon, tools)
        await asyncio.to_thread(self._files.write, project_id, cassette_id, data)
        return cassette_id

    async def canon(self, spec: Spec, *, strict: bool = False) -> Canon:
        """What makes requests of this execution canonical. `strict`: raise where a secret is locked."""
        mask = Mask(await self._vault.values(spec.project_id, strict=strict))
        root = Workspace(self._data_dir, spec.execution_id).root
        resolved = await asyncio.to_thread(root.resolve)
        folders = list(dict.fromkeys((str(root.absolute()), str(resolved))))
        return Canon(
            Places.of(execution_id=spec.execution_id, created_at=spec.created_at, folders=folders), mask
        )

    async def rows(self, project_id: str) -> list[CassetteRow]:
        """A project's cassettes, newest first; those that cannot be read are left out. Raises NotFound."""

        def read() -> list[CassetteRow]:
            found = []
            for cassette_id in self._files.ids(project_id):
                try:
                    found.append(_row(cassette_id, self._files.read(project_id, cassette_id)))
                except (BadCassette, NotFound):
                    continue
            return sorted(found, key=lambda row: (row.created_at, row.id), reverse=True)

        return await asyncio.to_thread(read)

    async def read(self, project_id: str, cassette_id: str) -> bytes:
        """The file. Raises NotFound."""
        return await asyncio.to_thread(self._files.read, project_id, cassette_id)

    async def take(self, project_id: str, data: bytes) -> CassetteRow:
        """Keep a cassette that was made elsewhere, under an id of its own. Raises BadArchive, TooLarge."""

        def keep() -> CassetteRow:
            if len(data) > MAX_FILE_BYTES:
                raise _too_large()
            cassette_id = secrets.token_hex(8)
            try:
                tapes.load(data)
                row = _row(cassette_id, data)
            except BadCassette as error:
                raise BadArchive(
                    f"This is no cassette that can be played: {error}. Nothing was kept."
                ) from error
            self._files.write(project_id, cassette_id, data)
            return row

        return await asyncio.to_thread(keep)

    async def delete(self, project_id: str, cassette_id: str) -> None:
        """Raises NotFound."""
        await asyncio.to_thread(self._files.delete, project_id, cassette_id)

    async def header(self, project_id: str, cassette_id: str) -> JsonObject:
        """What it says about itself. Raises NotFound, UnreadableFile."""
        return (await self.load(project_id, cassette_id)).header

    async def load(self, project_id: str, cassette_id: str) -> Cassette:
        """It, ready to be played once. Raises NotFound, UnreadableFile."""

        def read() -> Cassette:
            data = self._files.read(project_id, cassette_id)
            try:
                _row(cassette_id, data)
                cassette = tapes.load(data)
            except BadCassette as error:
                raise UnreadableFile(
                    f"The cassette {cassette_id} cannot be played: {error}. Record it anew.",
                    file=f"cassettes/{cassette_id}",
                    line=None,
                    reason=str(error),
                ) from error
            cassette.header["id"] = cassette_id
            return cassette

        return await asyncio.to_thread(read)


def _recorded(
    cassette_id: str, folder: Path, spec: Spec, state: ExecutionState, canon: Canon, tools: bool
) -> bytes:
    """The cassette's file. Blocking."""
    lines, replies, results = tapes.lines_of(list(journal.read(folder)), canon, tools=tools)
    if not replies:
        raise Conflict("This execution has no model reply to keep.", status=state.status)
    header = {
        "id": cassette_id,
        "execution_id": spec.execution_id,
        "project_name": spec.project_name,
        "version": spec.version,
        "model": spec.definition.agent.model,
        "prompt": spec.prompt,
        "variables": spec.variables,
        "status": state.status,
        "simulated": spec.simulated,
        "error": state.error.model_dump() if state.error else None,
        "replies": replies,
        "tool_results": results if tools else None,
        "created_at": timestamp(),
    }
    masked = {name: canon.mask.deep(value) for name, value in header.items()}
    try:
        data = tapes.dump(masked, lines)
    except BadCassette as error:
        raise _too_large() from error
    if len(data) > MAX_FILE_BYTES:
        raise _too_large()
    return data


def _too_large() -> TooLarge:
    return TooLarge(
        f"A cassette has at most {MAX_FILE_BYTES // 1024 // 1024} MB packed and "
        f"{tapes.MAX_BYTES // 1024 // 1024} MB unpacked; this one would have more. "
        "Save it without tool results, or a shorter execution."
    )


def _row(cassette_id: str, data: bytes) -> CassetteRow:
    header = tapes.header_of(data)
    known = {name: header[name] for name in CassetteRow.model_fields if name in header}
    prompt = header.get("prompt")
    known |= {"id": cassette_id, "size": len(data)}
    if isinstance(prompt, str):
        known["prompt"] = prompt[:_SHOWN_PROMPT]
    try:
        return CassetteRow.model_validate(known)
    except ValidationError as error:
        raise BadCassette("its header is not complete") from error
