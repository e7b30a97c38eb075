"""The Jupyter Server extension: settings as traitlets, services bound to the server, start and stop.

Routes and what they answer are in `server`, what runs is in `executions`. Model SDKs and
price tables are not imported here: the first execution does that, in a thread.
"""

from __future__ import annotations

import ast
import asyncio
import os
import signal
import types
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Dict, Float, Integer, List, TraitType, Unicode, Union

from . import threads
from ._version import __version__
from .garbage import Settled, loading
from .settings import Row, Settings

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from .server.context import Context
    from .server.door import Door
    from .services import Services
    from .telemetry.prometheus import Collector

_ACTIVITY_S = 30.0
"""How often running executions are reported as activity; culling works in minutes."""

_TRAITS: dict[type, Any] = {str: Unicode, Path: Unicode, bool: Bool, int: Integer, float: Float}


class _Words(List):  # type: ignore[type-arg]
    """Words, on the command line as in the environment: with commas between, given once or several times.

    Jupyter's own list reads a single word as nothing at all.
    """

    def from_string(self, s: str) -> list[str]:
        try:
            told = ast.literal_eval(s)
        except (SyntaxError, ValueError):
            told = s.split(",")
        return [str(each).strip() for each in (told if isinstance(told, list | tuple) else [told])]

    def from_string_list(self, s_list: list[str]) -> list[str]:
        return [word for each in s_list for word in self.from_string(each)]


def _trait(row: Row) -> TraitType[Any, Any]:
    """A row of the settings table as a traitlet. None: not set here, so the environment is asked."""
    unit = f" In {row.unit}." if row.unit else ""
    alias = f" (or {row.alias})" if row.alias else ""
    variable = f" Environment variable: {row.env}{alias}." if row.env else ""
    help_text = f"{row.help}{unit}{variable}"
    if row.type is tuple:
        return _Words(Unicode(), default_value=None, allow_none=True, help=help_text).tag(config=True)
    if row.type is dict:
        kinds = [Dict(), Unicode()]  # JSON on the command line
        return Union(kinds, default_value=None, allow_none=True, help=help_text).tag(config=True)
    trait: TraitType[Any, Any] = _TRAITS[row.type](default_value=None, allow_none=True, help=help_text)
    return trait.tag(config=True)


# One traitlet per row of the settings table, so that a new setting is one new row.
_Configurable = types.new_class(
    "_Configurable",
    (ExtensionApp,),
    exec_body=lambda body: body.update({row.name: _trait(row) for row in Settings.rows()}),
)


class Activity:
    """When an execution last did something, where Jupyter and a hub's culler look for it.

    Told of the beginning and the end of each (an `executions.observers.Observer`) and asked in between;
    monitors and streams, which only look, count for nothing.
    """

    def __init__(self, times: dict[str, datetime], name: str) -> None:
        self._times = times
        self._name = name

    def now(self) -> None:
        """Something runs at this moment."""
        self._times[self._name] = datetime.now(UTC)

    def saw(self, live: object, event: Mapping[str, Any]) -> None:
        if event["type"] in ("start", "resumed", "complete", "error", "cancelled"):
            self.now()


class CloutAgent(_Configurable):  # type: ignore[misc, valid-type]
    """CloutAgent for JupyterLab: draw an agent, run it, watch it, call it from anywhere."""

    name = "cloutagent"
    description = __doc__ or ""

    services: Services
    context: Context
    door: Door
    _activity: asyncio.Task[None] | None = None
    _metrics: Collector | None = None
    _settled: Settled

    def make_settings(self) -> Settings:
        """The settings as configured; raises `SettingError` that names a wrong one."""
        given = {row.name: getattr(self, row.name) for row in Settings.rows()}
        if given["root_dir"] is None:
            given["root_dir"] = self._server.root_dir
        return Settings.from_environment(os.environ, **given)

    @property
    def _server(self) -> ServerApp:
        serverapp: ServerApp | None = self.serverapp
        if serverapp is None:
            raise RuntimeError("CloutAgent is not linked to a Jupyter server")
        return serverapp

    def initialize_settings(self) -> None:
        """Build the services; nothing is started, read or written yet."""
        with loading():
            from .jupyter.kernels import ServerKernels
            from .jupyter.notebooks import ServerNotebooks
            from .server.context import Context, StreamSlots
            from .services import build

        settings = self.make_settings()
        self.services = build(
            settings,
            kernels=ServerKernels(self._server.kernel_manager),
            notebooks=ServerNotebooks(self._server),
        )
        self._observe()
        self.context = Context(
            services=self.services, streams=StreamSlots(settings.max_streams), version=__version__
        )
        streams = self.context.streams
        self.services.telemetry.meters.gauge("cloutagent.streams", lambda: streams.open)
        page_config = self._server.web_app.settings.setdefault("page_config_data", {})
        page_config["cloutagentVersion"] = __version__

    def _observe(self) -> None:
        """Tell the server what of executions it wants to know: activity, Jupyter Events, warnings."""
        from .jupyter.events import ServerEvents
        from .jupyter.logs import Visible

        telemetry, observers = self.services.telemetry, self.services.observers
        telemetry.confide(getattr(self._server.identity_provider, "token", "") or "")
        telemetry.show_in(Visible(self._server.log))
        observers.add(ServerEvents(self._server.event_logger))
        observers.add(Activity(self._server.web_app.settings["last_activity_times"], self.name))
        self._settled = Settled()
        observers.add(self._settled)

    def initialize_handlers(self) -> None:
        """A door to our routes, which are not loaded yet."""
        from tornado.routing import PathMatches, Rule

        from .server.door import Door, Rows

        def rows() -> Rows:
            from .server.routes import handlers

            return handlers(self.context)

        web_app = self._server.web_app
        base = web_app.settings["base_url"]
        self.door = Door(web_app, base, rows)
        ours = Rule(PathMatches(rf"{base}{self.name}(?:/.*)?"), self.door)
        web_app.add_handlers(".*$", [ours])  # type: ignore[no-untyped-call]

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """The event loop runs: recover what a crash left, and begin to work."""
        asyncio.get_running_loop().set_default_executor(threads.started())
        await self.services.start()
        with loading():
            from .telemetry import prometheus

        self._metrics = prometheus.register(self.services.telemetry.meters)
        self._activity = asyncio.create_task(self._report_activity(), name="cloutagent activity")
        self._heed_signals(serverapp)
        self._settled.look(sure=True)

    @staticmethod
    def _heed_signals(serverapp: ServerApp) -> None:
        """A closed terminal, and Ctrl-C where there is none, stop the server as SIGTERM does.

        Jupyter itself would die on the spot. Only in a process whose signals Jupyter has taken, and
        none that somebody else has: one started to outlive its terminal (`nohup`) goes on doing so.
        """
        from .jupyter.leaving import has_the_process

        stop = serverapp._signal_stop
        if has_the_process(serverapp):
            for name, default in (("SIGHUP", signal.SIG_DFL), ("SIGINT", signal.default_int_handler)):
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) == default:
                    signal.signal(number, stop)

    async def _report_activity(self) -> None:
        """JupyterHub culls by last activity; an execution that runs is some, though nobody types."""
        activity = Activity(self._server.web_app.settings["last_activity_times"], self.name)
        while True:
            if self.services.executions.active:
                activity.now()
            await asyncio.sleep(_ACTIVITY_S)

    def current_activity(self) -> dict[str, int] | None:
        """What keeps Jupyter's own idle shutdown away."""
        if not hasattr(self, "services") or not self.services.executions.active:
            return None
        return {"executions": max(1, self.services.executions.running)}

    async def stop_extension(self) -> None:
        """End streams and waiting calls, then what runs; nothing that was accepted is lost."""
        if not hasattr(self, "context"):
            return
        from .jupyter import leaving

        if leaving.has_the_process(self._server):
            leaving.end_with_main_thread()
        self.context.closing.set()
        if self._activity is not None:
            self._activity.cancel()
            await asyncio.gather(self._activity, return_exceptions=True)
        if self._metrics is not None:
            from .telemetry import prometheus

            prometheus.unregister(self._metrics)
            self._metrics = None
        await leaving.within(self.services.settings.stop_grace_s + leaving.STOP_S, self.services.stop())
