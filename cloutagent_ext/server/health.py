"""Whether this server can take work, for load balancers and for people. No proof needed.

The answer never waits behind other work: not for the event loop's threads, which slow disks may hold
up, and not for a data folder that does not answer at all.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ..scarcity import is_scarce
from ..schema.admin import Health
from .reply import Reply

if TYPE_CHECKING:
    from .handler import Endpoint

ANSWER_S = 3.0
"""Longest wait for the data folder: those who ask wait about ten seconds for the whole answer."""


class Probe:
    """Looks at the data folder, one look at a time whoever asks, in a thread of its own."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="cloutagent-health")  # ends with this object
        self._look: asyncio.Future[bool] | None = None

    async def why_not(self, folder: Path) -> str | None:
        """Why `folder` cannot be written; None where it can."""
        if self._look is None or self._look.done():
            self._look = asyncio.get_running_loop().run_in_executor(self._pool, _writable, folder)
        try:
            async with asyncio.timeout(ANSWER_S):
                return None if await asyncio.shield(self._look) else "the data folder cannot be written"
        except TimeoutError:
            return "the data folder does not answer"


async def health(call: Endpoint) -> Reply:
    if call.context.closing.is_set():
        reason: str | None = "shutting down"
    elif (reason := call.services.read_only) is None:
        reason = await call.context.probe.why_not(call.services.settings.data_dir)
    status = "unavailable" if reason else "ok"
    body = Health(status=status, version=call.context.version, reason=reason)
    text = body.model_dump_json(exclude_none=True).encode()
    return Reply(text, 503 if reason else 200, headers={"Retry-After": "5"} if reason else {})


def _writable(folder: Path) -> bool:
    """By a file without a name, not only by permissions: of a disk that was taken away those look well."""
    try:
        if not os.access(folder, os.W_OK) or os.statvfs(folder).f_bavail == 0:
            return False
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            return file.write(b"ok") == 2
    except OSError as error:
        return is_scarce(error)  # of files or memory: nothing is wrong with the disk
