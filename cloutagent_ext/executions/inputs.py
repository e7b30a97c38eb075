"""Files that come with a request: uploads that wait a day, files of the Jupyter server, and their way in.

`temp/uploads/<project id>/<upload id>` holds an upload until it is a day old; every
execution of that project may use it. At acceptance each input is copied to
`temp/<execution id>/inputs/<n>`, so that what was accepted survives everything; the run
moves them to their places in its workspace before it begins. Not here: how bytes arrive
(`server`), what the model sees of them (`engine.attachments`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from ..engine.tools import beneath
from ..errors import InvalidRequest, TooLarge
from ..scarcity import is_scarce
from ..schema.base import timestamp
from ..schema.execution import InputFile, Upload
from .reserve import is_full

KEPT_S = 24 * 3600.0
MAX_BYTES = 200 * 1024 * 1024
"""Of one file."""
MAX_WAITING_BYTES = 2 * 1024**3
"""Of all uploads of one project that wait."""
_UPLOAD = re.compile(r"[0-9a-f]{32}")


class Inputs:
    """The inputs of one data folder's executions."""

    def __init__(self, data_dir: Path, root_dir: Path | None) -> None:
        self._data_dir = data_dir
        self._root_dir = root_dir

    async def keep(self, project_id: str, file: BinaryIO, size: int) -> Upload:
        """Keep `file`, from its beginning, as an upload of the project. Raises TooLarge, OSError."""
        return await asyncio.to_thread(self._keep, project_id, file, size)

    async def gather(
        self, files: Sequence[InputFile], project_id: str, execution_id: str, *, by_key: bool
    ) -> None:
        """Copy what `files` names to the execution's folder. Raises InvalidRequest where one cannot be."""
        if files:
            await asyncio.to_thread(self._gather, files, project_id, execution_id, by_key)

    async def drop(self, execution_id: str) -> None:
        """Of an execution that was not accepted after all."""
        await asyncio.to_thread(_forget, self._gathered(execution_id))

    async def take_over(self, files: Sequence[InputFile], source_id: str, execution_id: str) -> None:
        """Copy what was gathered for an execution that never began to one that begins in its place."""
        if files:
            await asyncio.to_thread(self._take_over, files, source_id, execution_id)

    async def place(self, files: Sequence[InputFile], execution_id: str, workspace: Path) -> None:
        """Move what was gathered to its places; done again after a crash, it finishes what is left."""
        if files:
            await asyncio.to_thread(self._place, files, execution_id, workspace)

    # ------------------------------------------------------------ blocking parts

    def _gathered(self, execution_id: str) -> Path:
        return self._data_dir / "temp" / execution_id / "inputs"

    def _waiting(self, project_id: str) -> Path:
        return self._data_dir / "temp" / "uploads" / project_id

    def _keep(self, project_id: str, file: BinaryIO, size: int) -> Upload:
        folder = self._waiting(project_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = 0
        for old in folder.iterdir():
            try:
                info = old.stat()
            except FileNotFoundError:
                continue  # another upload has just got its name
            if time.time() - info.st_mtime > KEPT_S:
                old.unlink(missing_ok=True)
            else:
                held += info.st_size
        if held + size > MAX_WAITING_BYTES:
            raise TooLarge(
                f"The uploads of this project that wait for an execution hold {held:,} bytes; with this one "
                f"it would be more than {MAX_WAITING_BYTES:,}. They go a day after they came."
            )
        name = secrets.token_hex(16)
        part = folder / f".{name}.part"
        try:
            file.seek(0)
            with part.open("xb") as out:
                shutil.copyfileobj(file, out, 1024 * 1024)
            part.replace(folder / name)
        finally:
            part.unlink(missing_ok=True)
        until = datetime.fromtimestamp(time.time() + KEPT_S, UTC)
        return Upload(upload_id=name, size=size, expires_at=timestamp(until))

    def _gather(self, files: Sequence[InputFile], project_id: str, execution_id: str, by_key: bool) -> None:
        folder = self._gathered(execution_id)
        problems, taken = [], set()
        folder.mkdir(parents=True, exist_ok=True)
        for index, each in enumerate(files):
            try:
                parts = _parts_of(each.path)
                if parts in taken:
                    raise ValueError("another file has the same path")
                taken.add(parts)
                if each.upload_id is not None:
                    # A copy, not a link: each execution may change its own.
                    shutil.copyfile(self._upload(project_id, each.upload_id), folder / str(index))
                elif by_key:
                    raise PermissionError("files of the Jupyter server are for its users; upload it instead")
                else:
                    self._copy(str(each.contents_path), folder / str(index))
            except (ValueError, beneath.Refused, OSError) as error:
                if is_full(error) or is_scarce(error):  # the server's want, no fault of what was asked for
                    _forget(folder)
                    raise
                said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                problems.append({"path": f"files.{index}", "message": said})
        if problems:
            _forget(folder)
            raise InvalidRequest(
                f"The file {files[int(problems[0]['path'].split('.')[1])].path!r} cannot be given to the "
                f"execution: {problems[0]['message']}.",
                fields=problems,
            )

    def _upload(self, project_id: str, upload_id: str) -> Path:
        path = self._waiting(project_id) / upload_id
        if not _UPLOAD.fullmatch(upload_id) or not path.is_file():
            raise ValueError("the project has no such upload; uploads go after a day")
        if time.time() - path.stat().st_mtime > KEPT_S:
            raise ValueError("the upload is older than a day: upload it again")
        return path

    def _copy(self, contents_path: str, target: Path) -> None:
        """A regular file below the server's root; hidden ones are nobody's business, as in Jupyter."""
        if self._root_dir is None:
            raise ValueError("no root folder is set here")
        root = os.path.realpath(self._root_dir)
        parts = beneath.normal(contents_path.strip("/"))
        if not parts or any(part.startswith(".") for part in parts):
            raise ValueError("it is hidden, or no file")
        with beneath.located(root, parts, follow_root=True) as (directory, name):
            descriptor = beneath.open_regular(directory, name)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
            if Path(f"/proc/self/fd/{descriptor}").resolve().is_relative_to(self._data_dir.resolve()):
                raise ValueError("it belongs to CloutAgent's own data")
            if os.fstat(descriptor).st_size > MAX_BYTES:
                raise ValueError(f"it holds more than {MAX_BYTES:,} bytes")
            with target.open("xb") as out:
                shutil.copyfileobj(file, out, 1024 * 1024)

    def _take_over(self, files: Sequence[InputFile], source_id: str, execution_id: str) -> None:
        source, target = self._gathered(source_id), self._gathered(execution_id)
        target.mkdir(parents=True, exist_ok=True)
        for index in range(len(files)):
            if (source / str(index)).exists():
                shutil.copyfile(source / str(index), target / str(index))

    def _place(self, files: Sequence[InputFile], execution_id: str, workspace: Path) -> None:
        folder = self._gathered(execution_id)
        for index, each in enumerate(files):
            source = folder / str(index)
            if not source.exists():
                continue
            with beneath.located(str(workspace), _parts_of(each.path), make=True) as (directory, name):
                os.replace(source, name, dst_dir_fd=directory)
        shutil.rmtree(folder, ignore_errors=True)


def _forget(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # there is more in it than inputs
        folder.parent.rmdir()


def _parts_of(path: str) -> tuple[str, ...]:
    if path.startswith(("/", "~")) or "\\" in path or any(ord(c) < 32 or ord(c) == 127 for c in path):
        raise ValueError("the path is relative to the workspace, with forward slashes")
    parts = beneath.normal(path)
    if not parts or path.endswith("/"):
        raise ValueError("the path names no file")
    if any(len(part.encode()) > 255 for part in parts):  # a lone surrogate is a ValueError here
        raise ValueError("a name in the path is too long")
    return parts
