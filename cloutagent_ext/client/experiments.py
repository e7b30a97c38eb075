"""An experiment: rows × variants × repeats, each trial an execution of one project, under one budget.

Trials go through the project's queue a few at a time, and the server keeps them: whoever
builds the same experiment again, in another kernel or next week, finds those that were made
by their metadata and makes only the missing ones. Functions of the notebook are called as in
any execution, by each trial over values of its own. Not here: what came out (`outcomes`), how sure
that is (`measures`), rows and variants (`design`), the plain face (`sync_experiments`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..errors import CloutError, Conflict, InvalidRequest, NotFound, Unreachable
from ..schema.execution import ENDED, ExecutionState
from .answers import moment, pages, parse
from .asking import request_body
from .design import Variants, filled, plain, rows_of, variants_of
from .kernel_tools import Tool, Toolset
from .outcomes import Outcomes, Score, Trial
from .runs import AsyncRun
from .transport import Transport, segment

if TYPE_CHECKING:
    from .projects import AsyncProject

KEY = "experiment"
"""Name of the metadata by which an execution belongs to an experiment."""
WAITING = 10
"""Trials that wait in the queue behind those that run; the rest of the queue is left to others."""
_WAIT_S = 50.0
"""Longest that one request waits for a trial's end: less than proxies are patient."""
_CLOCKS = timedelta(days=1)
"""How far a server's clock may be behind this machine's."""
_FULL_S = 1.0
"""Pause after the queue was full."""
_LATE_S = 0.3
"""Seconds in which a request that nobody waits for any more has begun what it asks for."""


@dataclass(frozen=True)
class Progress:
    """How far an experiment is."""

    done: int
    total: int
    running: int
    """On their way: running or waiting in the queue."""
    failed: int
    cost_usd: float
    budget_usd: float | None
    left_s: float | None
    """Seconds until all are done, as far as the pace so far tells."""
    stopped: str = ""
    """Why no more trials are made, though some are missing."""


class AsyncExperiment:
    """See `AsyncProject.experiment`, which makes one."""

    def __init__(
        self,
        transport: Transport,
        project: AsyncProject,
        rows: Any,
        variants: Variants | None = None,
        *,
        repeats: int = 1,
        scores: Mapping[str, Score] | None = None,
        tools: Iterable[Tool] | None = None,
        max_cost_usd: float | None = None,
        id: str | None = None,
        at_once: int | None = None,
    ) -> None:
        if repeats < 1:
            raise InvalidRequest("An experiment makes each trial at least once: `repeats` is 1 or more.")
        self._transport = transport
        self._project = project
        self._path = f"v1/projects/{segment(project.id)}"
        self._new = id is None
        self.id = id or f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid4().hex[:6]}"
        """Its name: building it again with this `id` goes on with it."""
        if not re.fullmatch(r"[\w.:-]{1,50}", self.id):
            raise InvalidRequest("An experiment's id has 1 to 50 letters, digits and the signs . : - _")
        self.max_cost_usd = max_cost_usd
        self._at_once = at_once
        self._rows = rows_of(rows)
        self._variants = variants_of(variants)
        self._tools = {
            name: project.tools.chosen(tools if each.tools is None else each.tools)
            for name, each in self._variants.items()
        }
        self._served: dict[str, AsyncRun] = {}
        """Executions whose calls of the notebook's functions are answered here."""
        self._declared: frozenset[str] | None = None
        self._stopped = ""
        self.outcomes = Outcomes(self._rows, list(self._variants), repeats, dict(scores or {}))
        """Its trials and what came of them; tables and figures are made of this."""
        for trial in self.trials:
            trial.values = self._project.values.room()

    @property
    def trials(self) -> list[Trial]:
        """All trials, those not yet made included."""
        return self.outcomes.trials

    # ------------------------------------------------------------ going

    async def advance(self, *, retry: bool = False, every_s: float = 0.25) -> AsyncGenerator[Progress, None]:
        """Make the missing trials, and tell how far it is until all are done, or the budget is.

        `retry`: those that failed or were cancelled are made again. Leaving it early, or dying, leaves
        the trials on their way to the server; `advance` again takes them up. Raises what the server
        refuses (a variable that does not exist, a project that cannot run).
        """
        await self.find()
        self._stopped = ""
        missing = [trial for trial in self.trials if _is_due(trial, retry=retry)]
        window = self._at_once or (await self._project.definition()).queue.max_concurrent + WAITING
        began, before = time.monotonic(), self._done()
        line = iter(missing)
        workers = [asyncio.create_task(self._work(line)) for _ in range(min(window, len(missing)))]
        try:
            pending: set[asyncio.Task[None]] = set(workers)
            while pending:
                done, pending = await asyncio.wait(
                    pending, timeout=every_s, return_when=asyncio.FIRST_EXCEPTION
                )
                for worker in done:
                    worker.result()
                if pending:
                    yield self._progress(began, before)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        yield self._progress(began, before)

    async def run(self, *, retry: bool = False) -> Progress:
        """`advance` to the end; how far it got."""
        async with contextlib.aclosing(self.advance(retry=retry)) as steps:
            told = [step async for step in steps]
        return told[-1]

    async def find(self) -> int:
        """Take up the trials that were made before under this id; how many.

        Raises `Conflict` where one was made of another prompt, variables, model or version.
        """
        if self._new:
            self._new = False
            return 0
        found = 0
        listed = pages(
            self._transport,
            ExecutionState,
            "v1/executions",
            project=self._project.id,
            since=moment(_begun(self.id)),
            limit=1000,
        )
        own = {(trial.row, trial.variant, trial.repeat): trial for trial in self.trials}
        tries: dict[int, list[ExecutionState]] = {}
        async for state in listed:
            about = state.metadata.get(KEY)
            if isinstance(about, dict) and about.get("id") == self.id:
                repeat = about.get("repeat")
                if not isinstance(repeat, int):
                    continue  # somebody else's, under the same name
                trial = own.get((str(about.get("row")), str(about.get("variant")), repeat))
                if trial is not None:
                    await self._check_same(trial, about)
                    tries.setdefault(id(trial), []).append(state)
                    found += len(tries[id(trial)]) == 1
        for trial in self.trials:
            if id(trial) in tries:
                newest = tries[id(trial)][0]
                trial.state, trial.attempts = newest, len(tries[id(trial)])
        return found

    async def cancel(self) -> int:
        """Stop the trials that are on their way; how many. Those that are done stay."""
        stopped = await self._cancel_found()
        while True:
            # A request that was on its way when `advance` was left begins an execution a moment later.
            await asyncio.sleep(_LATE_S)
            if not (late := await self._cancel_found()):
                return stopped
            stopped += late

    async def _cancel_found(self) -> int:
        await self.find()
        stopped = 0
        for trial in self.trials:
            state = trial.state
            if state is not None and state.status not in ENDED and not state.cancelling:
                with contextlib.suppress(Conflict):  # it ended in the same moment
                    trial.state = await AsyncRun(self._transport, state.execution_id).cancel()
                    stopped += 1
        return stopped

    # ------------------------------------------------------------ one trial

    async def _work(self, line: Any) -> None:
        for trial in line:
            if self._stopped:
                return
            await self._make(trial)
            error = trial.state.error if trial.state else None
            if error is not None and error.code == "COST_LIMIT_EXCEEDED" and "batch" in error.details:
                self._stopped = f"the budget of ${self.max_cost_usd:g} is spent"

    async def _make(self, trial: Trial) -> None:
        """Have it executed, once, whatever happens to connections; its state when it has ended."""
        if trial.state is not None and trial.state.status not in ENDED:
            trial.state = await self._ended(trial, trial.state.execution_id)
            return
        body = await self._body(trial)
        key = f"experiment/{self.id}/{_digest([trial.row, trial.variant, trial.repeat, trial.attempts])}"
        headers = {"Idempotency-Key": key}
        trial.attempts += 1
        while True:
            try:
                # Who waits for the answer does not know yet whose calls to answer.
                trial.state = await self._begun(trial, body, headers, wait="client_tools" not in body)
            except CloutError as error:
                if error.error_code in ("QUEUE_FULL", "RATE_LIMITED", "SHUTTING_DOWN"):
                    await asyncio.sleep(_FULL_S)
                    continue
                if "execution_id" not in error.details:
                    raise
                trial.state = await self._ended(trial, error.details["execution_id"])
            return

    async def _begun(
        self, trial: Trial, body: dict[str, Any], headers: dict[str, str], *, wait: bool
    ) -> ExecutionState:
        path = f"{self._path}/execute"
        if wait:
            try:
                answer = await self._transport.json(
                    "POST", path, body={**body, "wait": True}, headers=headers, tries=1, silence_s=_WAIT_S
                )
                return parse(ExecutionState, answer)
            except Unreachable:
                pass  # it may have begun: the same key finds it, or begins it, and then it is followed
        answer = await self._transport.json("POST", path, body=body, headers=headers, repeatable=True)
        return await self._ended(trial, answer["execution_id"])

    async def _ended(self, trial: Trial, execution_id: str) -> ExecutionState:
        run = self._served.get(execution_id) or AsyncRun(self._transport, execution_id)
        if tools := self._own(trial):
            run._serve(tools)
            self._served[execution_id] = run
        try:
            return await run.wait()
        except NotFound:
            raise Conflict(
                f"The trial's execution {execution_id} was deleted; build the experiment anew."
            ) from None

    def _own(self, trial: Trial) -> Toolset:
        """Its functions, over its own values: what other trials make has no part in it."""
        return self._tools[trial.variant].over(trial.values)

    async def _body(self, trial: Trial) -> dict[str, Any]:
        body = await self._asked(trial)
        about = {"id": self.id, "row": trial.row, "variant": trial.variant, "repeat": trial.repeat}
        body["metadata"] = {KEY: {**about, "asked": _digest(body)}}
        body["attended"] = False
        if self.max_cost_usd is not None:
            body["batch"] = {"id": f"experiment:{self.id}", "max_cost_usd": self.max_cost_usd}
        return body

    async def _asked(self, trial: Trial) -> dict[str, Any]:
        """What the trial asks for, as it comes of its row and its variant."""
        variant, row = self._variants[trial.variant], trial.values.told(self._rows[trial.row])
        if self._declared is None:
            self._declared = frozenset((await self._project.definition()).variables)
        values = {name: value for name, value in row.items() if name in self._declared and value is not None}
        values |= {
            name: filled(value, row) if isinstance(value, str) else value
            for name, value in (variant.variables or {}).items()
        }
        return await request_body(
            self._transport,
            self._path,
            variables={name: plain(value) for name, value in trial.values.told(values).items()},
            client_tools=self._tools[trial.variant].offer(),
            prompt=None if variant.prompt is None else filled(variant.prompt, row),
            model=variant.model,
            version=variant.version,
            limits=variant.limits,
        )

    async def _check_same(self, trial: Trial, about: Mapping[str, Any]) -> None:
        if about.get("asked") != _digest(await self._asked(trial)):
            raise Conflict(
                f"{self.id} has a trial of row {trial.row!r}, variant {trial.variant!r}, that asked "
                "for something else. Rows and variants stay as they were, or it gets another id."
            )

    # ------------------------------------------------------------ telling

    def _done(self) -> int:
        return sum(1 for trial in self.trials if trial.ended)

    def _progress(self, began: float, before: int) -> Progress:
        done, total = self._done(), len(self.trials)
        states = [trial.state for trial in self.trials if trial.state is not None]
        made = done - before
        pace = (time.monotonic() - began) / made if made else None
        budget = self.max_cost_usd
        begun = sum(1 for trial in self.trials if trial.attempts and not trial.ended)
        return Progress(
            done=done,
            total=total,
            running=begun,
            failed=sum(1 for state in states if state.status in ("failed", "cancelled")),
            cost_usd=sum(state.total_cost_usd or 0.0 for state in states),
            budget_usd=budget,
            left_s=None if pace is None or self._stopped else pace * (total - done),
            stopped=self._stopped,
        )


def _is_due(trial: Trial, *, retry: bool) -> bool:
    if trial.state is None or trial.state.status not in ENDED:
        return True
    return retry and trial.state.status != "completed"


def _digest(value: Any) -> str:
    data = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(data.encode("utf-8", "replace")).hexdigest()[:32]


def _begun(experiment_id: str) -> datetime | None:
    """When an experiment with an id of ours began, at the earliest; before that nothing is to be found.

    The id has this machine's time, and the server's clock may be behind it.
    """
    found = re.match(r"(\d{8}-\d{6})-[0-9a-f]{6}$", experiment_id)
    try:
        began = datetime.strptime(found[1], "%Y%m%d-%H%M%S") if found else None
    except ValueError:  # somebody's own id that looks like one
        began = None
    return began.replace(tzinfo=UTC) - _CLOCKS if began else None
