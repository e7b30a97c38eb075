"""Files over HTTP: a project's own, and those of an execution's workspace.

What people or models made is never shown by this origin: every answer with such bytes
is an attachment in a sandbox without scripts, whatever its type. Not here: which paths
are allowed (`store.files`).
"""

from __future__ import annotations

import asyncio
import os
import stat
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from ..errors import NotFound
from ..schema.admin import FileRow
from ..schema.base import Page
from .reply import NO_CONTENT, Reply

if TYPE_CHECKING:
    from .handler import Endpoint

_CHUNK = 256 * 1024
_TEXT = ("application/json", "application/xml", "application/x-ndjson")


def attachment(path: str, media_type: str) -> dict[str, str]:
    """Headers for bytes that nobody of ours wrote."""
    name = path.rsplit("/", 1)[-1]
    charset = "; charset=utf-8" if media_type.startswith("text/") or media_type in _TEXT else ""
    return {
        "Content-Type": media_type + charset,
        "Content-Disposition": f"attachment; filename*=utf-8''{quote(name, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }


async def list_project_files(call: Endpoint, project_id: str) -> Reply:
    return Reply(Page[FileRow](items=list(await call.services.store.list_files(project_id))))


async def read_project_file(call: Endpoint, project_id: str, path: str) -> Reply:
    data, row = await call.services.store.read_file(project_id, path)
    headers = attachment(row.path, row.media_type)
    return Reply(data, media_type=headers["Content-Type"], headers=headers)


async def write_project_file(call: Endpoint, project_id: str, path: str, body: bytes) -> Reply:
    return Reply(await call.services.store.write_file(project_id, path, body))


async def delete_project_file(call: Endpoint, project_id: str, path: str) -> Reply:
    await call.services.store.delete_file(project_id, path)
    return NO_CONTENT


async def list_execution_files(call: Endpoint, execution_id: str) -> Reply:
    return Reply(Page[FileRow](items=await call.services.executions.results.files(execution_id)))


async def read_execution_file(call: Endpoint, execution_id: str, path: str) -> None:
    """Piece by piece: a workspace file may be larger than memory."""
    rows = await call.services.executions.results.files(execution_id)
    row = next((row for row in rows if row.path == path), None)
    if row is None:
        raise NotFound(f"This execution has no file {path[:200]!r}.")
    place = await call.services.executions.results.file(execution_id, path)
    file, size = await asyncio.to_thread(_open, place)
    try:
        for name, value in attachment(path, row.media_type).items():
            call.set_header(name, value)
        call.set_status(HTTPStatus.OK)
        call.set_header("Content-Length", str(size))
        await send(call, file, size)
    finally:
        await asyncio.to_thread(file.close)
    call.finish()


async def send(call: Endpoint, file: BinaryIO, size: int) -> None:
    """The next `size` bytes of `file`, piece by piece."""
    left = 0 if call.request.method == "HEAD" else size
    while left > 0:
        chunk = await asyncio.to_thread(file.read, min(_CHUNK, left))
        if not chunk:
            # A program made it shorter meanwhile: the promised length cannot be kept.
            raise OSError(f"the file became shorter while it was sent, {left} bytes are missing")
        left -= len(chunk)
        call.write(chunk)
        await call.flush()


def _open(place: Path) -> tuple[BinaryIO, int]:
    """A regular file and its size; a symbolic link that appeared since is not followed."""
    try:
        fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):  # a program has just removed it
        raise NotFound("This execution has no such file any more.") from None
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise NotFound("This is not a file.")
    return os.fdopen(fd, "rb"), status.st_size
