"""What the events of an execution add up to: the state that GET shows. Pure.

The panel folds the same events in TypeScript; `tests/support/fixtures` holds logs with
the state both must arrive at. What each field means where the schema leaves it open:

- `status`: `waiting` from the `waiting` event, which says that nothing can go on, not from
  `approval_required`: beside a call that asks others may run. `approval` ends it.
- `approvals`: calls that were asked about and not yet decided. They outlive `interrupted`: the
  question still stands when the execution is resumed.
- `duration_ms`: time in status `running`, by the events' own clock: from `start` (or
  `resumed`) to the newest event. Waiting for a person does not count, nor does the time
  between the last event before a death and the `interrupted` that tells of it. The
  ending event brings the measured figure, which then stands.
- `turns`: paid model turns of all agents, one per `cost_update`.
- `current_step`: `starting`; `waiting for the model`, `thinking`, `writing`; the name of
  the tool that runs (the one started last, when several do); `waiting to retry`;
  `waiting for approval of <tool>`; `finishing`. A subagent's has its name before it:
  `researcher#1: bash`. Null whenever nothing runs.
- `position`: null when it is 0 (starts at once) and from `start` on.

Four fields are no part of the log: `files`, which the worker counts; `cancelling`, which is
true between a cancel and the ending event; `pinned`, a file beside the log; and `expired`,
which only the ledger says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import PrivateAttr

from ..schema.approvals import OpenApproval, Preview
from ..schema.execution import ContextWindow, ExecutionState, Failure, PercentOfLimit, Result, Spec, Usage
from ..schema.project import Limits
from .account import Account

MAIN = "main"


@dataclass(frozen=True)
class OpenCall:
    """A tool call that the log tells of, and no result of it."""

    span: str
    agent: str
    call_id: str
    tool: str
    since: float
    """By the events' clock."""
    sitting: int
    """Which time the execution ran when it was made."""


class Folded(ExecutionState):
    """A state that can take the next event: with what the fold remembers and nobody else needs."""

    _last_moment: float | None = PrivateAttr(default=None)
    _calls: dict[str, str] = PrivateAttr(default_factory=dict)
    """Open tool calls in the order they started: call id → what the step says."""
    _unanswered: dict[str, OpenCall] = PrivateAttr(default_factory=dict)
    """By span, in the order they were made; also those of earlier sittings."""
    _deaths: int = PrivateAttr(default=0)
    _sittings: int = PrivateAttr(default=0)
    _why: str | None = PrivateAttr(default=None)
    _left: bool = PrivateAttr(default=False)
    _account: Account = PrivateAttr(default_factory=Account)

    @property
    def left(self) -> bool:
        """Whether it is said to be interrupted, and has not gone on since (it may wait for its turn to)."""
        return self._left

    @property
    def account(self) -> Account:
        """What it spent and did, for the ledger."""
        return self._account

    @property
    def deaths(self) -> int:
        """How many servers died with it."""
        return self._deaths

    @property
    def sittings(self) -> int:
        """How many times it has run, this time included."""
        return self._sittings

    @property
    def why_interrupted(self) -> str | None:
        """What the newest `interrupted` said."""
        return self._why

    def open_call(self) -> str | None:
        """Id of the tool call that was started last and has not come back, or None."""
        return next(reversed(self._calls), None)

    @property
    def unanswered(self) -> Mapping[str, OpenCall]:
        """Calls without a result, by span, in the order they were made: whoever ends it says one of each."""
        return self._unanswered


def initial(spec: Spec) -> Folded:
    """The state before the first event."""
    return Folded(
        execution_id=spec.execution_id,
        project_id=spec.project_id,
        project_name=spec.project_name,
        status="queued",
        version=spec.version,
        model=spec.definition.agent.model,
        simulated=spec.simulated,
        replay=spec.replay,
        origin=spec.origin,
        client_tools=[tool.name for tool in spec.client_tools],
        inputs=spec.files,
        limits=spec.limits,
        resumed_from=spec.resumed_from,
        forked_from=spec.forked_from,
        continued_from=spec.continued_from,
        created_at=spec.created_at,
        metadata=spec.metadata,
    )


def apply(state: Folded, event: Mapping[str, Any]) -> Folded:
    """`state` after `event` (changed in place). Types of a later version only move the id on."""
    moment = datetime.fromisoformat(event["ts"]).timestamp()
    if state.status == "running" and event["type"] != "interrupted" and state._last_moment is not None:
        passed = round((moment - state._last_moment) * 1000)
        state.duration_ms = (state.duration_ms or 0) + max(0, passed)
    state._last_moment = moment
    state.last_event_id = event["id"]
    if fold := _FOLDS.get(event["type"]):
        fold(state, event)
    state._account.add(event, moment, state.model)
    return state


def _step(state: Folded, event: Mapping[str, Any], what: str) -> None:
    state.current_step = _of(event.get("agent", MAIN), what)


def _queued(state: Folded, event: Mapping[str, Any]) -> None:
    state.status = "queued"
    state.position = event["position"] or None
    state.current_step = None


def _start(state: Folded, event: Mapping[str, Any]) -> None:
    state.status = "running"
    state.position = None
    state._sittings += 1
    state.started_at = state.started_at or event["ts"]
    state.duration_ms = state.duration_ms or 0
    state.version = event["version"]
    state.model = event["model"]
    state.limits = _model(Limits, event["limits"])
    state.simulated = event["simulated"]
    state.replay = event.get("replay")
    state.resumed_from = event.get("resumed_from")
    state.forked_from = event.get("forked_from")
    state.continued_from = event.get("continued_from")
    state.current_step = "starting"


def _interrupted(state: Folded, event: Mapping[str, Any]) -> None:
    state._deaths += bool(event.get("died"))
    state._left = True
    state._why = event.get("why")
    state.status = "interrupted"
    state.position = None
    state.current_step = None
    state._calls.clear()


def _resumed(state: Folded, event: Mapping[str, Any]) -> None:
    state._sittings += 1
    state._left = False
    state.status = "running"
    state.position = None
    if event.get("limits"):
        state.limits = _model(Limits, event["limits"])
    state.current_step = "starting"


def _agent_start(state: Folded, event: Mapping[str, Any]) -> None:
    _step(state, event, "waiting for the model")


def _agent_complete(state: Folded, event: Mapping[str, Any]) -> None:
    if event.get("agent", MAIN) == MAIN:
        state.current_step = "finishing"


def _thinking(state: Folded, event: Mapping[str, Any]) -> None:
    _step(state, event, "thinking")


def _text(state: Folded, event: Mapping[str, Any]) -> None:
    _step(state, event, "writing")


def _tool_call(state: Folded, event: Mapping[str, Any]) -> None:
    _step(state, event, event["tool"])
    call_id = event["call_id"]
    state._calls[call_id] = state.current_step or ""
    span = event.get("span", MAIN)
    state._unanswered[span] = OpenCall(
        span, event.get("agent", MAIN), call_id, event["tool"], state._last_moment or 0.0, state._sittings
    )


def _tool_result(state: Folded, event: Mapping[str, Any]) -> None:
    state._calls.pop(event["call_id"], None)
    state._unanswered.pop(event.get("span", MAIN), None)
    if state._calls:
        state.current_step = next(reversed(state._calls.values()))
    else:
        _step(state, event, "waiting for the model")


def _approval_required(state: Folded, event: Mapping[str, Any]) -> None:
    preview = event.get("preview")
    asked = OpenApproval(
        call_id=event["call_id"],
        tool=event["tool"],
        agent=event.get("agent", MAIN),
        asked_at=event["ts"],
        input=event["input"],
        preview=_model(Preview, preview) if preview else None,
        reason=event.get("reason", ""),
        running=event.get("running", False),
    )
    # A new list: snapshots of the state hold the old one.
    state.approvals = [*state.approvals, asked]
    _step(state, event, f"waiting for approval of {event['tool']}")
    state._calls[event["call_id"]] = state.current_step or ""


def _waiting(state: Folded, _: Mapping[str, Any]) -> None:
    state.status = "waiting"
    if state.approvals:
        state.current_step = _waits_for(state.approvals[0])


def _running(state: Folded, _: Mapping[str, Any]) -> None:
    state.status = "running"
    state.position = None
    state.current_step = next(reversed(state._calls.values()), "waiting for the model")


def _approval(state: Folded, event: Mapping[str, Any]) -> None:
    asked, others = None, []
    for each in state.approvals:
        if asked is None and each.call_id == event["call_id"]:
            asked = each
        else:
            others.append(each)
    state.approvals = others
    if state.status == "waiting":
        state.status = "running"
    if asked is not None and event["call_id"] in state._calls:
        del state._calls[event["call_id"]]  # what was decided last counts as started last
        state._calls[event["call_id"]] = _of(asked.agent, asked.tool)
    if state.status == "running":
        state.current_step = next(reversed(state._calls.values()), "waiting for the model")


def _waits_for(asked: OpenApproval) -> str:
    return _of(asked.agent, f"waiting for approval of {asked.tool}")


def _of(agent: str, what: str) -> str:
    return what if agent == MAIN else f"{agent}: {what}"


def _cost_update(state: Folded, event: Mapping[str, Any]) -> None:
    state.usage = _model(Usage, event["usage"])
    state.total_cost_usd = event["total_cost_usd"]
    state.percent_of_limit = _model(PercentOfLimit, event["percent_of_limit"])
    state.turns += 1
    if event.get("agent", MAIN) == MAIN and event.get("context") is not None:
        state.context = _model(ContextWindow, event["context"])


def _warning(state: Folded, event: Mapping[str, Any]) -> None:
    if event["code"] == "RETRYING":
        _step(state, event, "waiting to retry")
    elif event["code"] == "COMPACTED" and event.get("agent", MAIN) == MAIN and state.context is not None:
        tokens = (event.get("details") or {}).get("tokens_after")
        state.context = ContextWindow(
            tokens=tokens if isinstance(tokens, int) else state.context.tokens, window=state.context.window
        )


def _end(state: Folded, event: Mapping[str, Any]) -> None:
    state.usage = _model(Usage, event["usage"])
    state.total_cost_usd = event["total_cost_usd"]
    state.duration_ms = event["duration_ms"]
    if event.get("result") is not None:
        state.result = _model(Result, event["result"])
    state.ended_at = event["ts"]
    state.position = None
    state.current_step = None
    state.cancelling = False
    state.approvals = []
    state._calls.clear()


def _complete(state: Folded, event: Mapping[str, Any]) -> None:
    state.status = "completed"
    _end(state, event)


def _error(state: Folded, event: Mapping[str, Any]) -> None:
    state.status = "failed"
    state.error = Failure(code=event["code"], message=event["message"], details=event.get("details") or {})
    _end(state, event)


def _cancelled(state: Folded, event: Mapping[str, Any]) -> None:
    state.status = "cancelled"
    _end(state, event)


def _model(kind: Any, value: Any) -> Any:
    """`value` (a mapping from the log, or already the model) as `kind`, fields of later versions left out."""
    if isinstance(value, kind):
        return value
    return kind(**{name: value[name] for name in kind.model_fields if name in value})


_FOLDS: dict[str, Callable[[Folded, Mapping[str, Any]], None]] = {
    "queued": _queued,
    "start": _start,
    "interrupted": _interrupted,
    "resumed": _resumed,
    "agent_start": _agent_start,
    "agent_complete": _agent_complete,
    "thinking": _thinking,
    "text": _text,
    "tool_call": _tool_call,
    "tool_result": _tool_result,
    "approval_required": _approval_required,
    "waiting": _waiting,
    "running": _running,
    "approval": _approval,
    "cost_update": _cost_update,
    "warning": _warning,
    "complete": _complete,
    "error": _error,
    "cancelled": _cancelled,
}
