"""The composition root: the one place where the parts are put together.

`build` only connects; nothing is opened, imported in earnest or started before `start`.
Used by the server extension and by the command line, each with its own kernels.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ._version import __version__
from .auth.keys import Keys
from .engine.masking import Mask
from .engine.models import ModelProvider, ModelSettings
from .engine.notebooks import Notebooks
from .engine.ports import Clock, Kernels, Price
from .engine.tools.isolation import Isolation, Mode
from .errors import CloutError
from .executions.observers import Diary, Measures, Observers
from .executions.queue import Executions
from .executions.vault import Vault
from .loading import Late
from .schema.admin import ModelCredentials
from .settings import Settings
from .store.backups import Backups
from .store.keyring import KeyRing
from .store.projects import ProjectStore
from .store.secrets import Secrets
from .store.templates import Templates
from .telemetry.facade import Telemetry

if TYPE_CHECKING:
    from .executions.backtest import Backtests
    from .executions.trials import Trials

_log = logging.getLogger("cloutagent.services")


class SystemClock:
    """The engine's `Clock` port on this machine's own."""

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True)
class Services:
    """Everything that serves requests, connected. `start` before use, `stop` at the end."""

    settings: Settings
    store: ProjectStore
    templates: Templates
    keys: Keys
    secrets: Secrets
    executions: Executions
    trials: Late[Trials]
    models: ModelProvider
    backups: Backups
    backtests: Late[Backtests]
    telemetry: Telemetry
    observers: Observers
    """Who is told of every event of this process's executions; `add` before `start`."""

    async def start(self, *, recover: bool = True) -> None:
        """Open the data folder and give unfinished executions their fate.

        `recover=False` leaves those alone: for a short-lived process that wants to run
        one execution of its own, not everything that a dead server had accepted.
        """
        try:
            await self.store.open()
        except BaseException:
            self.executions.not_started()
            raise
        self.telemetry.start()
        if why := self.store.read_only:
            self.executions.read_only = why
            self.secrets.refuse(why)
            self.keys.refuse(why)
        await self.executions.start(recover=recover)
        if recover and why is None and self.settings.backup_enabled:
            self.backups.start()

    @property
    def read_only(self) -> str | None:
        """Why projects, secrets or keys are not written (a failed fsync, no locks); None if all is well."""
        return (
            self.store.read_only
            or self.secrets.read_only
            or self.keys.read_only
            or self.executions.disk_failed
        )

    async def prune_versions(self, project_id: str) -> None:
        """Let go of versions that the settings no longer keep; called when one has been made.

        A failure is the log's: what was asked for has been done, and the next version tries again.
        """
        keep, age = self.settings.versions_keep, self.settings.versions_max_age_days
        try:
            if await self.store.prune_is_due(project_id, keep=keep, max_age_days=age):
                in_use = await self.executions.versions_in_use(project_id)
                await self.store.prune(project_id, keep=keep, max_age_days=age, in_use=in_use)
        except (CloutError, OSError) as error:
            _log.warning("Old versions of project %s could not be pruned: %s", project_id, error)

    async def _end_trials(self) -> None:
        if self.trials.made is not None:
            await self.trials.made.close()

    async def stop(self, grace_s: float | None = None) -> None:
        """End what runs (after `grace_s` seconds, else the setting's), close connections; repeatable."""
        try:
            # Side by side: whoever tells a server to end gives it some ten seconds for everything.
            await _all(self.executions.stop(grace_s), self._end_trials(), self.backups.stop())
            await _all(self.models.close(), self.keys.close())
        finally:
            await self.telemetry.stop()


async def _all(*parts: Awaitable[None]) -> None:
    """Wait for each of `parts`, whatever becomes of the others; raises what the first of them raised."""
    for outcome in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def build(
    settings: Settings,
    *,
    kernels: Kernels,
    clock: Clock | None = None,
    notebooks: Notebooks | None = None,
) -> Services:
    """The services of one data folder. No I/O."""
    store = ProjectStore(settings.data_dir)
    prices = {model: Price(**price) for model, price in settings.price_overrides.items()}
    models = ModelProvider(lambda: model_settings(settings), price_overrides=prices)
    secrets = Secrets(settings.data_dir / "projects", KeyRing(settings.encryption_key, settings.key_file))
    around = isolation(settings)
    telemetry = Telemetry(settings, version=__version__, hide=Mask)
    observers = Observers([Measures(telemetry.meters), Diary()])
    if telemetry.exporting:
        from .executions.spanfeed import SpanFeed

        observers.add(SpanFeed(telemetry))
    executions = Executions(
        store,
        models,
        settings,
        kernels,
        secrets=secrets,
        clock=clock or SystemClock(),
        isolation=around,
        notebooks=notebooks,
        observers=observers,
    )

    def trials() -> Trials:
        from .executions.trials import Trials

        return Trials(store, Vault(secrets, models), settings.data_dir, settings.root_dir, around)

    def backtests() -> Backtests:
        from .executions.backtest import Backtests
        from .executions.records import Records

        own = Vault(secrets, models)
        return Backtests(store, own, Records(store), settings.data_dir, settings.root_dir, around)

    meters = telemetry.meters
    meters.gauge("cloutagent.executions.running", lambda: executions.running)
    meters.gauge("cloutagent.executions.queued", lambda: executions.count("queued"))
    meters.gauge("cloutagent.executions.waiting", lambda: executions.count("waiting"))
    return Services(
        settings=settings,
        store=store,
        templates=Templates(),
        keys=Keys(settings.data_dir / "projects"),
        secrets=secrets,
        executions=executions,
        trials=Late("executions.trials", trials),
        models=models,
        backtests=Late("executions.backtest", backtests),
        backups=store.backups(keep_manual=settings.backups_keep_manual),
        telemetry=telemetry,
        observers=observers,
    )


def isolation(settings: Settings) -> Isolation:
    """The sandbox around children, as the settings want it; what is nobody's business in it."""
    mode: Mode = "require" if settings.isolation == "require" else "off"
    return Isolation(
        mode="auto" if settings.isolation == "auto" else mode,
        secret=(settings.data_dir, settings.key_file),
        find_secret=_jupyters_own,
        hidden=() if settings.root_dir is None else (settings.root_dir,),
        readable=tuple(Path(path).expanduser() for path in settings.isolation_readable),
        memory_bytes=settings.command_memory_mb * 1024**2,
        disk_bytes=settings.workspace_limit_mb * 1024**2,
    )


def _jupyters_own() -> tuple[Path, ...]:
    """Folders with Jupyter's tokens and passwords. Blocking."""
    from jupyter_core.paths import jupyter_config_dir, jupyter_runtime_dir

    return Path(jupyter_runtime_dir()), Path(jupyter_config_dir())


def model_settings(settings: Settings) -> ModelSettings:
    """What the model provider is told. The key: the setting's, else the environment's, never another.

    A project's own key stands between the two (`executions.vault`).
    """
    source: ModelCredentials
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
