"""The composition root: the one place where the parts are put together.

`build` only connects; nothing is opened, imported in earnest or started before `start`.
Used by the server extension and by the command line, each with its own kernels.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Literal

from .auth.keys import Keys
from .engine.models import ModelProvider, ModelSettings
from .engine.ports import Clock, Kernels
from .executions.queue import Executions
from .settings import Settings
from .store.projects import ProjectStore
from .store.templates import Templates


class SystemClock:
    """The engine's `Clock` port on this machine's own."""

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True)
class Services:
    """Everything that serves requests, connected. `start` before use, `stop` at the end."""

    settings: Settings
    store: ProjectStore
    templates: Templates
    keys: Keys
    executions: Executions
    models: ModelProvider

    async def start(self, *, recover: bool = True) -> None:
        """Open the data folder and give unfinished executions their fate.

        `recover=False` leaves those alone: for a short-lived process that wants to run
        one execution of its own, not everything that a dead server had accepted.
        """
        await self.store.open()
        await self.executions.start(recover=recover)

    async def stop(self, grace_s: float | None = None) -> None:
        """End what runs (after `grace_s` seconds, else the setting's), close connections; repeatable."""
        await self.executions.stop(grace_s)
        await self.models.close()
        await self.keys.close()


def build(settings: Settings, *, kernels: Kernels, clock: Clock | None = None) -> Services:
    """The services of one data folder. No I/O."""
    store = ProjectStore(settings.data_dir)
    models = ModelProvider(lambda: model_settings(settings))
    executions = Executions(store, models, settings, kernels, clock=clock or SystemClock())
    return Services(
        settings=settings,
        store=store,
        templates=Templates(),
        keys=Keys(settings.data_dir / "projects"),
        executions=executions,
        models=models,
    )


def model_settings(settings: Settings) -> ModelSettings:
    """What the model provider is told. The key: the setting's, else the environment's, never another."""
    source: Literal["setting", "environment", "base_url", "none"]
    if settings.api_key:
        source = "environment" if settings.source("api_key") == "environment" else "setting"
    else:
        source = "base_url" if settings.base_url else "none"
    return ModelSettings(
        api_key=settings.api_key,
        base_url=settings.base_url,
        source=source,
        simulated_pace=settings.simulated_pace,
    )
