"""What every execution of this process is bound to; put together once, by `queue`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.notebooks import Notebooks
from ..engine.ports import Clock, Kernels
from ..engine.reach import Reach
from ..engine.tools.isolation import Isolation
from ..loading import loaded
from .batches import Batches
from .cassettes import Cassettes
from .inputs import Inputs
from .vault import Vault

if TYPE_CHECKING:
    from ..engine.models import ModelProvider
    from ..store.projects import ProjectStore
    from .live import Live


@dataclass(frozen=True)
class Bindings:
    """Ports and folders; an execution adds what is its own."""

    store: ProjectStore
    models: ModelProvider
    kernels: Kernels
    clock: Clock
    data_dir: Path
    root_dir: Path | None
    vault: Vault
    batches: Batches
    cassettes: Cassettes
    inputs: Inputs
    isolation: Isolation = field(default_factory=Isolation)
    reach: Reach = field(default_factory=Reach)
    notebooks: Notebooks | None = None
    traced: bool = False
    """Whether spans go to a collector."""

    async def play(self, live: Live) -> None:
        """Play `live` to its end (`worker.work`). What agents need is loaded when the first one is to run."""
        await loaded("executions.worker")
        from .worker import work

        await work(live, self)
