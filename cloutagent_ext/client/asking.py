"""What one asks of an execution, put into the words of the contract; files of this machine are uploaded.

Not here: sending it (`projects`), functions that answer tool calls (`kernel_tools`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from ..schema.base import invalid_request
from ..schema.execution import Batch, ExecuteRequest
from .transport import Transport

Source = str | PurePath | bytes
"""A file of the Jupyter server by its name there; a `Path` or bytes are of this machine, and uploaded."""
Files = Mapping[str, Source] | Iterable[str | PurePath]
"""Files for the workspace: names, or workspace name → where it comes from."""


async def request_body(
    transport: Transport,
    project_path: str,
    *,
    files: Files | None = None,
    batch: Batch | Mapping[str, Any] | None = None,
    variables: Mapping[str, Any],
    **asked: Any,
) -> dict[str, Any]:
    """Body of POST …/execute. Raises `InvalidRequest` for what the contract does not take."""
    given = {name: value for name, value in asked.items() if value is not None and value is not False}
    given |= {"variables": texts(variables)} if variables else {}
    given |= {"batch": batch.model_dump() if isinstance(batch, Batch) else dict(batch)} if batch else {}
    try:
        # Before anything is sent: what is refused here has uploaded nothing.
        request = ExecuteRequest.model_validate(given)
    except ValidationError as error:
        raise invalid_request(error, "What was asked for") from error
    body = request.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    if files is not None:
        body["files"] = [
            {"path": target, **await _placed(transport, project_path, source)}
            for target, source in _pairs(files)
        ]
    return body


def texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Variables as the contract takes them: text, numbers, truth values; what tables hold is written out."""
    return {name: _written(value) for name, value in values.items()}


def _written(value: Any) -> Any:
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()  # numpy's numbers, truth values and times
    if isinstance(value, PurePath | UUID | Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date | time) else value


def _pairs(files: Files) -> list[tuple[str, Source]]:
    if isinstance(files, Mapping):
        return list(files.items())
    return [(PurePath(name).name, name) for name in files]


async def _placed(transport: Transport, project_path: str, source: Source) -> dict[str, str]:
    if isinstance(source, str):
        return {"contents_path": source}
    data = source if isinstance(source, bytes) else await asyncio.to_thread(Path(source).read_bytes)
    kept = await transport.json("POST", f"{project_path}/uploads", content=data, repeatable=True)
    return {"upload_id": kept["upload_id"]}
