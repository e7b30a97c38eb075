"""Bytes too large for memory, on their way in or out: a file without a name, gone when it is closed.

Not here: what the bytes are. Everything that touches the disk runs in a thread.
"""

from __future__ import annotations

import asyncio
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from .files import attachment, send

if TYPE_CHECKING:
    from .handler import Endpoint

FOLDER = "temp"
"""Below the data folder: uploads are not to fill a small /tmp."""


class Spool:
    """A nameless file in the data folder's `temp/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file: BinaryIO | None = None
        self.size = 0

    async def open(self) -> BinaryIO:
        """The file, made at first use."""
        if self.file is None:

            def make() -> BinaryIO:
                self._folder.mkdir(parents=True, exist_ok=True)
                return cast(BinaryIO, tempfile.TemporaryFile(dir=self._folder))

            self.file = await asyncio.to_thread(make)
        return self.file

    async def write(self, data: bytes) -> None:
        file = await self.open()
        await asyncio.to_thread(file.write, data)
        self.size += len(data)

    async def close(self) -> None:
        if self.file is not None:
            await asyncio.to_thread(self.discard)

    def discard(self) -> None:
        """Let go of the file at once."""
        if self.file is not None:
            self.file.close()
            self.file = None


def spool_of(call: Endpoint) -> Spool:
    return Spool(call.services.settings.data_dir / FOLDER)


async def answer(call: Endpoint, file: BinaryIO, name: str, media_type: str) -> None:
    """Send all of `file` as the attachment `name`."""
    size = await asyncio.to_thread(file.seek, 0, 2)
    await asyncio.to_thread(file.seek, 0)
    for header, value in attachment(name, media_type).items():
        call.set_header(header, value)
    call.set_status(HTTPStatus.OK)
    call.set_header("Content-Length", str(size))
    await send(call, file, size)
    call.finish()
