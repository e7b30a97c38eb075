"""Files of one execution that the model's service keeps for it: uploaded once, deleted when it is over.

Each upload is journalled before a message names it, so that a sitting after a crash does not
upload it again. Whoever binds this deletes at the end; what a dead server leaves behind, the
service forgets by itself (`models.anthropic`). Not here: which files are shown (`attachments`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from .ports import Clock, Journal, ModelFailure, ModelFiles
from .retry import Say, retrying

MAX_BYTES = 500 * 1000 * 1000
"""Of one file, as the service takes it."""
FORGET_S = 2.0
"""Longest that deleting may take: a cancelled execution has 5 s for everything."""


class KeptFiles:
    """`known`: file ids by path, of earlier sittings."""

    def __init__(
        self, files: ModelFiles, journal: Journal, clock: Clock, known: Mapping[str, str] | None = None
    ) -> None:
        self._files = files
        self._journal = journal
        self._clock = clock
        self._ids = dict(known or {})

    async def keep(self, path: str, media_type: str, read: Callable[[], bytes], *, say: Say) -> str:
        """Its id with the service, uploaded now where it was not yet. Raises `ModelFailure`."""
        if (found := self._ids.get(path)) is not None:
            return found

        data = await asyncio.to_thread(read)

        async def upload() -> str:
            return await self._files.upload(path.rpartition("/")[2], media_type, data)

        file_id = await retrying(upload, clock=self._clock, say=say)
        self._ids[path] = file_id
        await self._journal.record(
            "file_kept", sync=True, agent="main", span="main", path=path, file_id=file_id, size=len(data)
        )
        return file_id

    async def forget(self) -> None:
        """Delete them all, as far as that goes quickly; the service forgets the others by itself later."""
        ids, self._ids = list(self._ids.values()), {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FORGET_S):
                await asyncio.gather(*map(self._delete, ids))

    async def _delete(self, file_id: str) -> None:
        with contextlib.suppress(ModelFailure):
            await self._files.delete(file_id)
