"""Whether this server can take work, for load balancers and for people. No proof needed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..schema.admin import Health
from .reply import Reply

if TYPE_CHECKING:
    from .handler import Endpoint


async def health(call: Endpoint) -> Reply:
    reason = None
    if call.context.closing.is_set():
        reason = "shutting down"
    elif (read_only := call.services.read_only) is not None:
        reason = read_only
    elif not await asyncio.to_thread(_writable, call.services.settings.data_dir):
        reason = "the data folder cannot be written"
    status = "unavailable" if reason else "ok"
    body = Health(status=status, version=call.context.version, reason=reason)
    text = body.model_dump_json(exclude_none=True).encode()
    return Reply(text, 503 if reason else 200, headers={"Retry-After": "5"} if reason else {})


def _writable(folder: Path) -> bool:
    try:
        return os.access(folder, os.W_OK) and os.statvfs(folder).f_bavail > 0
    except OSError:
        return False
