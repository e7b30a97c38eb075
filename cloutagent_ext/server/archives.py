"""Projects as files: import, export, duplicate. What an archive may hold is `store.archive`'s business."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from ..errors import UnsupportedMediaType
from ..schema.archives import ImportedProject
from ..schema.project import CreatedProject
from ..schema.query import ExportQuery
from ..store.archive import MEDIA_TYPES
from . import multipart
from .files import attachment
from .projects import first_key
from .reply import Reply
from .route import Nothing
from .spool import Spool, answer, spool_of

if TYPE_CHECKING:
    from .handler import Endpoint

_CHUNK = 1024 * 1024
_ENDINGS = {"zip": "zip", "tar.gz": "tar.gz", "claude": "claude.zip"}
_RAW = frozenset(
    {"application/zip", "application/x-zip-compressed", "application/gzip", "application/x-gzip",
     "application/x-tar", "application/octet-stream", ""}
)  # fmt: skip


async def import_project(call: Endpoint, body: Spool) -> Reply:
    """Raw bytes, or the field `file` of a form: a zip or tar.gz of ours, or of a Claude Code project.

    All or nothing, into a new project that starts nothing until a person has trusted it.
    """
    content_type = call.header("Content-Type") or ""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        await _only_the_file(body, content_type)
    elif kind not in _RAW:
        raise UnsupportedMediaType(
            "Send the archive as application/zip, application/gzip, or as the field `file` of a form.",
            received=kind[:100],
        )
    store = call.services.store
    project_id, warnings = await store.archives.load(await body.open(), body.size)
    created = await _with_key(call, project_id)
    return _created(call, ImportedProject(**created.model_dump(), warnings=warnings))


async def duplicate_project(call: Endpoint, project_id: str, body: Nothing) -> Reply:
    """Definition and files; neither secrets nor keys, versions or executions."""
    return _created(call, await _with_key(call, await call.services.store.archives.duplicate(project_id)))


async def export_project(call: Endpoint, project_id: str, query: ExportQuery) -> None:
    """Definition and files; never secrets or keys.

    `claude`: in the form of Claude Code. `python`: its agents as one program on the `anthropic` SDK.
    """
    if query.format == "python":
        await _export_program(call, project_id)
        return
    spool = spool_of(call)
    try:
        file = await spool.open()
        name = await call.services.store.archives.export(
            project_id, file, query.format, ui=query.ui, executions=query.executions
        )
        await answer(call, file, f"{_stem(name)}.{_ENDINGS[query.format]}", MEDIA_TYPES[query.format])
    finally:
        await spool.close()


async def _export_program(call: Endpoint, project_id: str) -> None:
    from ..executions import programs

    name, source = await programs.of(call.services.store, call.services.models, project_id)
    for header, value in attachment(f"{_stem(name)}.py", "text/x-python").items():
        call.set_header(header, value)
    call.set_status(HTTPStatus.OK)
    call.finish(source)


def _stem(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:80] or "project"


async def _only_the_file(body: Spool, content_type: str) -> None:
    boundary = multipart.boundary_of(content_type)
    file = await body.open()

    def cut() -> int:
        offset, length = multipart.locate(file, body.size, boundary)
        # Moved to the front of the same file: the target always lies before the source.
        position = 0
        while position < length:
            file.seek(offset + position)
            data = file.read(min(_CHUNK, length - position))
            file.seek(position)
            file.write(data)
            position += len(data)
        file.truncate(length)
        return length

    body.size = await asyncio.to_thread(cut)


async def _with_key(call: Endpoint, project_id: str) -> CreatedProject:
    key = await first_key(call, project_id)
    call.noted |= {"made": project_id, "key_id": key.id}
    stored = await call.services.store.read(project_id)
    return CreatedProject(**stored.project.model_dump(), api_key=key.api_key)


def _created(call: Endpoint, project: CreatedProject) -> Reply:
    location = call.url(f"projects/{project.id}")
    return Reply(project, HTTPStatus.CREATED, headers={"Location": location})
