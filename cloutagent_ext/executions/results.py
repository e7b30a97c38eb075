"""What an execution leaves to be read, while it goes on and afterwards: files, notebook, trace, cassette.

Not here: its state and its log, which these are made of (`queue`), and what each of them is (`workspace`,
`notebooks`, `traces`, `cassettes`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..loading import loaded
from ..schema.admin import FileRow
from ..schema.execution import ExecutionState
from . import notebooks
from .cassettes import Cassettes
from .live import Live
from .log import EventLog
from .records import Records
from .workspace import Workspace

if TYPE_CHECKING:
    from ..schema.trace import Trace


class Results:
    """Of all executions of one data folder.

    `held`: the execution where this process has it; `state` and `log` of any.
    """

    def __init__(
        self,
        records: Records,
        cassettes: Cassettes,
        data_dir: Path,
        *,
        held: Callable[[str], Live | None],
        state: Callable[[str], Awaitable[ExecutionState]],
        log: Callable[[str], Awaitable[EventLog]],
    ) -> None:
        self._records = records
        self._cassettes = cassettes
        self._data_dir = data_dir
        self._held = held
        self._state = state
        self._log = log

    async def files(self, execution_id: str) -> Sequence[FileRow]:
        """The files it made or changed. Raises NotFound, Expired."""
        return await (await self._at(execution_id)).files()

    async def file(self, execution_id: str, path: str) -> Path:
        """Where a file of its workspace lies, resolved and safe. Raises NotFound, Expired."""
        return await (await self._at(execution_id)).file(path)

    async def notebook(self, execution_id: str) -> bytes:
        """It as the bytes of an `.ipynb`, as far as it has come. Raises NotFound, UnreadableFile."""
        workspace, log = await self._at(execution_id), await self._log(execution_id)
        return await notebooks.of(await self._state(execution_id), log, workspace)

    async def trace(self, execution_id: str, *, first: int = 0, limit: int = 10_000) -> Trace:
        """Its spans as far as it has come, from the one at `first` on. Raises NotFound, UnreadableFile."""
        state, log = await self._state(execution_id), await self._log(execution_id)
        await loaded("executions.traces")
        from . import traces

        return await traces.of(state, await self._records.spec(execution_id), log, first, limit)

    async def record(self, execution_id: str, *, tools: bool) -> str:
        """Save it as a cassette; its id. Raises what `Cassettes.save` does."""
        return await self._cassettes.save(execution_id, await self._state(execution_id), tools=tools)

    async def _at(self, execution_id: str) -> Workspace:
        if self._held(execution_id) is None:
            await self._records.find(execution_id)
        return Workspace(self._data_dir, execution_id)
