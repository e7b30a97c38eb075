"""Backups: list, make, download, restore. When they are made by themselves is `store.backups`' business."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from ..schema.archives import BackupRow, RestoreRequest
from ..schema.base import Page
from .reply import Reply
from .route import Nothing
from .spool import answer

if TYPE_CHECKING:
    from .handler import Endpoint


async def list_backups(call: Endpoint) -> Reply:
    return Reply(Page[BackupRow](items=await call.services.backups.rows()))


async def create_backup(call: Endpoint, body: Nothing) -> Reply:
    """Of all projects, with the time in its name; answered when it has been read back."""
    row = await call.services.backups.make()
    return Reply(row, HTTPStatus.CREATED, headers={"Location": call.url(f"backups/{row.name}")})


async def read_backup(call: Endpoint, name: str) -> None:
    """It holds secrets, encrypted, and the hashes of keys: for those who may write."""
    file = await call.services.backups.open(name)
    try:
        await answer(call, file, name, "application/zip")
    finally:
        await asyncio.to_thread(file.close)


async def restore_backup(call: Endpoint, name: str, body: RestoreRequest) -> Reply:
    """One project, or all. Keys revoked since stay revoked; nothing starts before somebody trusts it."""
    call.noted["project_id"] = body.project or "all"
    busy = call.services.executions.busy
    return Reply(await call.services.backups.restore(name, project_id=body.project, busy=busy))
