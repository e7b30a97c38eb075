"""Runs one execution: binds the engine's ports, plays it, and says how it ended.

The last event comes when nothing of the execution runs any more: kernel, commands and
whatever they started are gone. Not here: when it may run (`scheduler`), what an agent does
(`engine.loop`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..engine import loop
from ..engine.job import Job, Outcome
from ..engine.kept import KeptFiles
from ..engine.masking import NOTHING, Mask
from ..engine.past import Past
from ..engine.ports import Clock, EndExecution, Ports
from ..engine.tools.environment import child_environment
from ..engine.tools.mcp_process import Sandbox
from ..engine.tools.memory import NAME as MEMORY
from ..engine.tools.memory import Memory
from ..engine.tools.toolbox import Toolbox
from ..engine.wiring import used_servers
from ..errors import CloutError, SecretsLocked, UnreadableFile
from ..failpoints import failpoint
from ..scarcity import is_scarce
from ..schema.execution import Result, Spec
from ..telemetry import context
from . import endings, failures, history, hooks, propagation, stopping
from .acceptance import folders
from .approvals import Approvals
from .bindings import Bindings
from .gates import Gate, JournalGate
from .live import Live, Stop
from .memory import ProjectMemory
from .replay import Replay
from .reserve import ending_when_unwritable, takes_nothing
from .servers import reaches
from .vault import ProjectSecrets, used
from .workspace import Workspace

if TYPE_CHECKING:
    from ..engine.models import ModelSettings

_log = logging.getLogger(__name__)


_TRIES, _PAUSE_S = 30, 1.0
"""How often, and after what pause, the last event is tried where the system has nothing left to write it."""
_LONGEST_PAUSE_S = 5.0
"""Between looks at a disk that takes nothing."""
_FROM = ("resumed_from", "forked_from", "forked_at", "continued_from")


async def work(live: Live, bindings: Bindings) -> None:
    """Play `live` to its end. The ending event, `state.json` and `error.json` are written when this returns.

    Raises OSError only where nothing more can be written at all.
    """
    failpoint("run.claimed")
    began = bindings.clock.monotonic()
    before_ms = live.state.duration_ms or 0
    secrets = bindings.vault.of(live.spec.project_id)
    secrets.confide(bindings.models.settings.api_key)
    with context.within(live.id):
        run = asyncio.create_task(_play(live, bindings, secrets), name=f"execution {live.id}")
    try:
        await stopping.finished(run, live)
    except asyncio.CancelledError:  # the whole process is being torn down: leave nothing behind
        live.ask_to_stop(Stop("interrupted", "the server was stopped"))
        await stopping.torn_down(run, live)
        raise
    finally:
        duration_ms = before_ms + round((bindings.clock.monotonic() - began - live.rested_s) * 1000)
    await _end_at_last(live, run, duration_ms, secrets.mask, bindings.clock)


async def _end_at_last(
    live: Live, run: asyncio.Task[Outcome], duration_ms: int, mask: Mask, clock: Clock
) -> None:
    """`_end`; where not even that finds memory or a file, again until it does: nobody else would end it.

    A disk that takes nothing may do so again: until then nobody is told that it has ended, others have its
    slot, and what came of it (a cancel, say) stays decided. Raises OSError where this process ends first.
    """
    tries, pause_s = 0, _PAUSE_S
    while True:
        try:
            await _end(live, run, duration_ms, mask)
            return
        except Exception as error:
            if live.log.ended and is_scarce(error):
                await live.log.sync()
                return
            if takes_nothing(error) and not live.last_call.is_set():
                if pause_s == _PAUSE_S:
                    _log.error("Execution %s is over, which cannot be written down yet: %s", live.id, error)
                live.wait_for_disk()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await live.last_call.wait()
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            if not is_scarce(error) or tries >= _TRIES:
                raise
        tries += 1
        await clock.sleep(_PAUSE_S)


async def _play(live: Live, bindings: Bindings, secrets: ProjectSecrets) -> Outcome:
    """Everything between `start` (or `resumed`) and the end; its own processes are gone when it returns."""
    spec = live.spec
    definition = spec.definition
    workspace = Workspace(bindings.data_dir, spec.execution_id)
    untouched, live.untouched = live.untouched, False
    past = Past() if untouched else await _past(live, workspace)
    live.questions.restore(past.questions)
    failpoint("run.past_read")
    with ending_when_unwritable():
        await _begin(live)
    failpoint("run.begun")
    store, version = bindings.store, spec.version
    if untouched or not await workspace.ready():

        async def fill(target: Path) -> None:
            await store.copy_files(spec.project_id, target, version=version)
            await bindings.inputs.place(spec.files, spec.execution_id, target)

        await workspace.prepare(fill)
    failpoint("run.workspace_ready")
    scenario = await store.scenario(spec.project_id, version=version) if spec.simulated else None
    named: Mapping[Path, Literal["read", "write"]] = {}
    if definition.agent.folders:
        named = await asyncio.to_thread(folders, definition, bindings.root_dir)
    async with contextlib.AsyncExitStack() as stack:
        journal = await live.journal()
        replay = await Replay.of(spec, bindings.cassettes)
        own = await secrets.filled(replay.env(definition) if replay else definition.agent.env)
        unasked = spec.simulated or replay is not None
        await bindings.models.prepare(definition)
        settings = None if unasked else await _model_settings(spec, bindings)
        secrets.confide(settings.api_key if settings else None)
        trace = propagation.headers(spec, traced=bindings.traced)
        enabled = [hook for hook in definition.hooks if hook.enabled]
        asked = await hooks.prepared(enabled, secrets, workspace, spec.execution_id, trace)
        wanted = replay.used(used_servers(definition)) if replay else used_servers(definition)
        reached = await reaches(wanted, secrets, workspace, spec.execution_id, trace)
        opened = bindings.models.open(
            definition=definition,
            scenario=scenario,
            simulated=spec.simulated,
            variables=spec.variables,
            settings=settings,
            secret=secrets.get,
            mask=lambda: secrets.mask,
            headers=trace,
        )
        models = await stack.enter_async_context(replay.models() if replay else opened)
        journalled = JournalGate(live, journal)
        kept = None
        if (service := models.files(definition.agent.model)) is not None:
            kept = KeptFiles(service, journalled, bindings.clock, past.kept_files)
            stack.push_async_callback(_forget, live, kept)
        box = await stack.enter_async_context(
            Toolbox(
                kernels=bindings.kernels,
                execution_id=spec.execution_id,
                past=past,
                isolation=bindings.isolation,
            )
        )
        box.reach = bindings.reach
        await box.add_brought(
            set(definition.agent.tools).union(*(each.tools for each in definition.subagents))
        )
        box.bind(bindings.notebooks, definition.agent.notebook, definition.agent.kernel)
        mask = secrets.mask  # of all that was given away above
        shown = mask if used(definition) else NOTHING
        gate = Gate(live, shown)
        sandbox = Sandbox(bindings.isolation, named, definition.agent.network)
        servers = box.connect(reached, sandbox=sandbox, events=gate, mask=mask)
        actions = await stack.enter_async_context(
            hooks.bound(
                asked,
                commands=box.commands,
                workspace=workspace,
                sandbox=box.around(sandbox, gate),
                copy_files=lambda target: store.copy_files(spec.project_id, target, version=version),
            )
        )
        if (ceiling := bindings.batches.join(spec)) is not None:
            stack.push_async_callback(ceiling.close)
        live.questions.mask = shown
        approvals = Approvals(live, bindings.clock)
        stack.push_async_callback(approvals.close)
        job = Job(
            execution_id=spec.execution_id,
            definition=definition,
            project_name=spec.project_name,
            prompt=spec.prompt,
            variables=spec.variables,
            limits=live.state.limits,
            workspace=workspace.path,
            created_at=spec.created_at,
            simulated=spec.simulated,
            own_service=replay.own_service if replay else spec.simulated or not bindings.models.local(),
            step=spec.step,
            local_prices=bindings.models.local(),
            replay=spec.replay,
            folders=named,
            env=child_environment(spec.execution_id, own, home=workspace.home),
            mask=mask,
            home=workspace.home,
            files=tuple(each.path for each in spec.files),
            client_tools=tuple(each.name for each in spec.client_tools),
            isolation=bindings.isolation,
        )
        ports = Ports(
            models=models,
            prices=replay.prices if replay else bindings.models.prices,
            events=gate,
            journal=journalled,
            approvals=replay.approvals(approvals) if replay else approvals,
            kernels=bindings.kernels,
            secrets=secrets,
            clock=bindings.clock,
            hooks=actions,
            ceiling=ceiling,
            servers=replay.servers(servers) if replay else servers,
            facts=bindings.models.facts,
            kept=kept,
        )
        tools = dict(box.tools) | live.calls.tools(spec.client_tools, gate)
        if definition.agent.memory:
            tools[MEMORY] = Memory(ProjectMemory(*store.memory(spec.project_id)))
        return await loop.run(job, ports, tools=replay.tools(tools) if replay else tools, past=past)


async def _forget(live: Live, kept: KeptFiles) -> None:
    """Once it is over for good; one that goes on later finds its files where they are."""
    if live.stop is None or live.stop.ending == "cancelled":
        await kept.forget()


class CannotGoOn(Exception):
    """What earlier sittings left is of no use: it stays interrupted, for a person to look at."""


async def _past(live: Live, workspace: Workspace) -> Past:
    """What it goes on from; raises `CannotGoOn`."""
    try:
        past = await history.open_(live.folder, workspace)
    except CloutError as error:
        raise CannotGoOn(error.message) from error
    past.ran_s = (live.state.duration_ms or 0) / 1000
    return past


async def _begin(live: Live) -> None:
    """Say that it runs, for the first time or again."""
    spec, order = live.spec, live.order
    if live.state.started_at is not None:
        limits = order.limits.model_dump() if order.limits else None
        await live.emit("resumed", by=order.by, attempt=live.state.sittings + 1, limits=limits)
        return
    await live.emit(
        "start",
        execution_id=spec.execution_id,
        project_id=spec.project_id,
        version=spec.version,
        model=spec.definition.agent.model,
        limits=spec.limits.model_dump(),
        simulated=spec.simulated,
        replay=spec.replay,
        origin=spec.origin,
        **{name: value for name in _FROM if (value := getattr(spec, name)) is not None},
    )
    if spec.forked_from is not None:
        await live.emit(
            "warning",
            code="WORKSPACE_AS_NOW",
            message="The workspace was copied as it was when this began, not as it had been at the event "
            "that this goes on from.",
        )


async def _model_settings(spec: Spec, bindings: Bindings) -> ModelSettings:
    """Key and address of a live model, as they are now; raises `EndExecution`."""
    try:
        settings = await bindings.vault.model_settings(spec.project_id)
    except (SecretsLocked, UnreadableFile) as error:
        raise EndExecution("MODEL_ERROR", error.message) from None
    if not settings.usable and bindings.models.needs_key(spec.definition):
        raise EndExecution(
            "MODEL_ERROR",
            "The model key that there was when this was accepted is gone. Set ANTHROPIC_API_KEY as a secret "
            "of the project or on the server, then run it again.",
        )
    return settings


async def _end(live: Live, run: asyncio.Task[Outcome], duration_ms: int, mask: Mask) -> None:
    """Write down how it ended: `error.json` first, then the one ending event."""
    failpoint("end.processes_gone")
    if run.done() and not run.cancelled() and run.exception() is None:
        outcome = run.result()
        known = {
            "usage": outcome.usage.model_dump(),
            "total_cost_usd": outcome.total_cost_usd,
            "duration_ms": duration_ms,
            "result": mask.deep(outcome.result.model_dump()) if outcome.result else None,
        }
        if outcome.status == "completed":
            known["result"] = known["result"] or Result().model_dump()
            await endings.last(live, "complete", **known)
            failpoint("end.synced")
            return
        broken = failures.of_outcome(outcome)
    else:
        known = await endings.known(live, duration_ms)
        error = run.exception() if run.done() and not run.cancelled() else None
        cut = error is None or isinstance(error, CannotGoOn)
        if cut and live.stop is not None:
            await endings.stopped(live, live.stop, known)
            return
        if isinstance(error, CannotGoOn):
            await live.end("interrupted", why=str(error))
            if live.stop is not None:  # asked for while that was brought to the disk
                await endings.stopped(live, live.stop, known)
            return
        broken = failures.of_exception(
            error or RuntimeError("the run was cancelled by nobody"), mask, live.id
        )
    await endings.failed(live, broken.masked(mask), known)
