"""What the events of an execution are as spans. Pure: the trace route and OpenTelemetry fold the same.

- A model call is one attempt. It begins where its agent can do nothing but ask the model: at the agent's
  start, when the last tool call of a turn has come back, when it tries again. It ends with the
  `cost_update` that pays for it, whose `duration_ms` then tells its beginning exactly.
- A call that was begun and of which nothing was heard is kept where it is what the end was about (the
  model failed, the time ran out, somebody cancelled), and forgotten where it was never made (a limit).

Not here: how spans are made (`spans`), and how they travel (`telemetry`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..engine.unfinished import ended_with_it
from ..schema.execution import Spec, Usage
from ..schema.trace import Moment, Span, SpanKind, SpanStatus
from .spans import Event, Spans, added, earlier, moment, ms_between, short, spent, usage_of

_ABOUT_THE_MODEL = frozenset(
    {"MODEL_ERROR", "MODEL_REFUSED", "TIMEOUT", "STALLED", "INTERNAL", "SUBAGENT_FAILED"}
)
"""Endings for which a model call that nothing was heard of may be the reason."""


ROOT: tuple[SpanKind, str] = ("execution", "")
"""Kind and path of the span that holds all others."""


def trace_id(execution_id: str) -> str:
    """The id of an execution's trace: its own, without hyphens."""
    return execution_id.replace("-", "")


@dataclass
class _Agent:
    """What is known of an agent while it works."""

    span: Span
    model: str
    calls: set[str] = field(default_factory=set)
    """Paths of its open tool calls."""
    call: Span | None = None
    """The model call that is under way."""
    heard: bool = False
    """Whether anything of that call was heard."""
    turn: int = 0
    seen: str = ""
    """Time of its newest event."""


class TraceFold:
    """Takes events one by one; `apply` gives the spans that have ended with each."""

    def __init__(self, spec: Spec, *, keep: bool = True) -> None:
        """`keep`: whether `spans` is wanted."""
        self._spec = spec
        self._spans = Spans(spec.execution_id, keep=keep)
        self._agents: dict[str, _Agent] = {}
        self._open: dict[str, Span] = {}
        """Tool calls and agents that go on, by path."""
        self._asked: dict[str, str] = {}
        """When a person was asked, by the path of the call."""
        self._silent: dict[str, Span] = {}
        """Model calls of agents that are over, whose fate the next event tells; by the agent's path."""
        self._root: Span | None = None

    @property
    def spans(self) -> list[Span]:
        """All so far, in the order in which they began."""
        return self._spans.all

    def apply(self, event: Event) -> list[Span]:
        """Fold one event; the spans that it ended. Types of a later version are passed over."""
        if self._root is None:
            self._root = self._begin_root(event)
        if fold := _FOLDS.get(event["type"]):
            fold(self, event)
        if (agent := self._agents.get(event.get("agent", "main"))) is not None:
            agent.seen = event["ts"]
        if not self._spans.ended:
            return []
        ended, self._spans.ended = self._spans.ended, []
        return ended

    def _begin_root(self, event: Event) -> Span:
        spec = self._spec
        return self._spans.begin(
            ROOT[0], ROOT[1], event, f"execution {spec.project_name}", None,
            **{
                "gen_ai.conversation.id": spec.execution_id, "gen_ai.workflow.name": spec.project_name,
                "gen_ai.operation.name": "invoke_workflow",
                "cloutagent.execution.id": spec.execution_id, "cloutagent.project.id": spec.project_id,
                "cloutagent.project.version": spec.version, "cloutagent.origin": spec.origin,
                "cloutagent.simulated": spec.simulated, "cloutagent.replay": spec.replay is not None,
                "cloutagent.batch.id": spec.batch.id if spec.batch else None,
                "cloutagent.resumed_from": spec.resumed_from, "cloutagent.forked_from": spec.forked_from,
                "cloutagent.continued_from": spec.continued_from,
                "cloutagent.caller.traceparent": spec.traceparent,
            },
        )  # fmt: skip

    @property
    def _top(self) -> Span:
        assert self._root is not None
        return self._root

    def _provider(self, model: str) -> str:
        if self._spec.simulated or self._spec.replay is not None:
            return "cloutagent"
        return model.partition("/")[0] if "/" in model else "anthropic"

    # ------------------------------------------------------------ model calls

    def _ask(self, agent: _Agent, event: Event, path: str | None = None, *, start: str | None = None) -> Span:
        """The agent's next model call begins."""
        path = path or f"{agent.span.path}/{agent.turn + 1}"
        agent.call = self._spans.begin(
            "model", path, event, f"chat {agent.model}", agent.span,
            **{
                "gen_ai.operation.name": "chat", "gen_ai.provider.name": self._provider(agent.model),
                "gen_ai.request.model": agent.model, "gen_ai.request.stream": True,
                "gen_ai.conversation.id": self._spec.execution_id,
            },
        )  # fmt: skip
        agent.call.agent = agent.span.agent
        agent.call.start = start or event["ts"]
        agent.heard = False
        return agent.call

    def _hears(self, event: Event) -> None:
        agent = self._agents.get(event.get("agent", "main"))
        if agent is None:
            return
        call = agent.call or self._ask(agent, event, event["span"], start=agent.seen or None)
        call.path = event["span"]
        if not agent.heard:
            agent.heard = True
            first = ms_between(call.start, event["ts"]) / 1000
            call.attributes["gen_ai.response.time_to_first_chunk"] = first

    def _paid(self, event: Event) -> None:
        root, usage, cost = self._top, usage_of(event["usage"]), event["total_cost_usd"]
        spent(root, usage, cost)
        agent = self._agents.get(event.get("agent", "main"))
        if agent is None:
            return
        turn, turn_cost = usage_of(event["turn_usage"]), event["turn_cost_usd"]
        before = agent.span.usage or Usage()
        spent(agent.span, before + turn, added(agent.span, turn_cost))
        call = agent.call or self._ask(agent, event, event["span"], start=agent.seen or None)
        call.path, agent.call = event["span"], None
        if (took := event.get("duration_ms")) is not None:
            call.start = max(agent.span.start, earlier(event["ts"], took))
        spent(call, turn, turn_cost)
        if reason := event.get("stop_reason"):
            call.attributes["gen_ai.response.finish_reasons"] = [short(reason)]
        tail = event["span"].rpartition("/")[2]
        agent.turn = int(tail) if tail.isdecimal() else agent.turn
        broken = "duration_ms" in event and not event.get("stop_reason")
        self._spans.end(
            call, event["ts"], "error" if broken else "ok", "The reply was broken off." if broken else ""
        )
        if broken:
            call.attributes["error.type"] = "incomplete"

    def _warned(self, event: Event) -> None:
        agent = self._agents.get(event.get("agent", "main"))
        at = self._open.get(event["span"]) or (agent.span if agent else self._top)
        code, details = event["code"], event.get("details") or {}
        moment(at, "warning", event, code=code)
        if agent is None or code not in ("RETRYING", "COMPACTED"):
            return
        if code == "RETRYING" and agent.call is not None:
            if details.get("kind") == "interrupted" and not agent.heard:
                return  # this one is the new try
            agent.call.attributes["error.type"] = short(str(details.get("kind") or "failed"))
            self._spans.end(agent.call, event["ts"], "error", event["message"])
            agent.call = None
        if agent.call is None and not agent.calls:
            wait_s = details.get("wait_s")
            later = earlier(event["ts"], -round(wait_s * 1000)) if isinstance(wait_s, int | float) else None
            self._ask(agent, event, event["span"] if code == "RETRYING" else None, start=later)

    # ------------------------------------------------------------ agents, tools, hooks

    def _agent_start(self, event: Event) -> None:
        label, path, subagent = event["agent"], event["span"], event.get("subagent")
        parent = self._open.get(path.removesuffix(f"/{label}")) if subagent else self._top
        span = self._spans.begin(
            "subagent" if subagent else "agent", path, event, f"invoke_agent {event['name']}",
            parent or self._top,
            **{
                "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": event["name"],
                "gen_ai.agent.id": subagent or "main", "gen_ai.request.model": event["model"],
                "gen_ai.provider.name": self._provider(event["model"]),
                "gen_ai.conversation.id": self._spec.execution_id,
            },
        )  # fmt: skip
        self._open[path] = span
        agent = self._agents[label] = _Agent(span, event["model"], seen=event["ts"])
        self._ask(agent, event)

    def _agent_complete(self, event: Event) -> None:
        agent = self._agents.pop(event["agent"], None)
        if agent is None:
            return
        self._open.pop(agent.span.path, None)
        if agent.call is not None:
            if agent.heard:
                self._spans.end(agent.call, event["ts"], "error", "The reply was broken off.")
            else:
                agent.call.moments.append(Moment(name="agent_complete", ts=event["ts"]))
                self._silent[agent.span.path] = agent.call
        spent(agent.span, usage_of(event["usage"]), event["total_cost_usd"])
        agent.span.attributes["cloutagent.turns"] = event["turns"]
        self._spans.end(agent.span, event["ts"])

    def _settle(self, path: str, why: str | None) -> None:
        """The agent at `path` ended without the reply it waited for; None: it had never asked."""
        call = self._silent.pop(path, None)
        if call is None:
            return
        over = call.moments.pop().ts
        if why is None:
            self._spans.forget(call)
        else:
            call.attributes["error.type"] = why
            self._spans.end(call, over, "error", "No reply came.")

    def _tool_call(self, event: Event) -> None:
        tool, source, path = event["tool"], event.get("source", "builtin"), event["span"]
        agent = self._agents.get(event.get("agent", "main"))
        mcp, _, server = source.partition(":")
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool,
            "gen_ai.tool.call.id": event["call_id"],
            "gen_ai.tool.type": "extension" if mcp == "mcp" else "function",
            "gen_ai.agent.name": agent.span.attributes["gen_ai.agent.name"] if agent else None,
            "gen_ai.conversation.id": self._spec.execution_id, "cloutagent.tool.source": source,
        }  # fmt: skip
        if mcp == "mcp":
            attributes |= {"mcp.method.name": "tools/call", "cloutagent.mcp.server": server}
        kind: SpanKind = "mcp" if mcp == "mcp" else "tool"
        parent = agent.span if agent else self._top
        self._open[path] = self._spans.begin(kind, path, event, f"execute_tool {tool}", parent, **attributes)
        if agent is not None:
            agent.calls.add(path)

    def _tool_result(self, event: Event) -> None:
        path = event["span"]
        for ended in [each for each in self._silent if each.startswith(f"{path}/")]:
            self._settle(ended, "SUBAGENT_FAILED" if event["is_error"] else None)
        if event["is_error"] and ended_with_it(event["output"]):
            return  # it is over with all the rest, as the next event says (`_over`)
        if (span := self._open.pop(path, None)) is not None:
            if event["is_error"]:
                span.attributes["error.type"] = "tool_error"
            self._spans.end(span, event["ts"], "error" if event["is_error"] else "ok")
        agent = self._agents.get(event.get("agent", "main"))
        if agent is None:
            return
        agent.calls.discard(path)
        if not agent.calls and agent.call is None:
            self._ask(agent, event)

    def _approval_required(self, event: Event) -> None:
        self._asked[event["span"]] = event["ts"]
        at = self._open.get(event["span"], self._top)
        moment(at, "approval_required", event)

    def _approval(self, event: Event) -> None:
        at = self._open.get(event["span"], self._top)
        moment(at, "approval", event, decision=event["decision"])
        if (asked := self._asked.pop(event["span"], None)) is not None:
            at.attributes["cloutagent.approval.wait_ms"] = ms_between(asked, event["ts"])

    def _hook(self, event: Event) -> None:
        agent = self._agents.get(event.get("agent", "main"))
        parent = self._open.get(event["span"]) or (agent.span if agent else self._top)
        name, on, outcome = event["hook"], event["on"], event["outcome"]
        span = self._spans.begin(
            "hook", event["span"], event, f"hook {name}", parent,
            **{"cloutagent.hook.id": name, "cloutagent.hook.event": on, "cloutagent.hook.outcome": outcome},
        )  # fmt: skip
        span.start = max(parent.start, earlier(event["ts"], event["duration_ms"]))
        if outcome == "failed":
            span.attributes["error.type"] = "hook_failed"
        self._spans.end(span, event["ts"], "error" if outcome == "failed" else "ok")

    # ------------------------------------------------------------ the execution

    def _queued(self, event: Event) -> None:
        moment(self._top, "queued", event, position=event["position"])

    def _start(self, event: Event) -> None:
        self._top.attributes["cloutagent.queue.wait_ms"] = ms_between(self._top.start, event["ts"])
        self._top.attributes["gen_ai.request.model"] = short(event["model"])
        moment(self._top, "start", event)

    def _stays(self, event: Event) -> None:
        moment(self._top, event["type"], event)

    def _interrupted(self, event: Event) -> None:
        moment(self._top, "interrupted", event, why=event["why"])
        for agent in self._agents.values():
            if agent.call is not None:
                self._spans.end(agent.call, agent.seen or event["ts"], "interrupted", "Its server stopped.")
                agent.call = None

    def _resumed(self, event: Event) -> None:
        moment(self._top, "resumed", event, by=event["by"], attempt=event["attempt"])
        for agent in self._agents.values():
            if agent.call is None and not agent.calls:
                self._ask(agent, event)

    def _over(self, event: Event) -> None:
        ending: SpanStatus = {"complete": "ok", "error": "error"}.get(event["type"], "cancelled")  # type: ignore[assignment]
        code = event.get("code", "")
        why = code if code in _ABOUT_THE_MODEL else None
        for path in list(self._silent):
            self._settle(path, why)
        for agent in self._agents.values():
            if agent.call is None:
                continue
            if agent.heard or why is not None or ending == "cancelled":
                if code:
                    agent.call.attributes["error.type"] = code
                self._spans.end(agent.call, event["ts"], ending if ending != "ok" else "error")
            else:
                self._spans.forget(agent.call)
        for path in sorted(self._open, key=len, reverse=True):  # what is inside ends first
            why_open = "" if ending == "ok" else "The execution ended."
            self._spans.end(self._open[path], event["ts"], ending, why_open)
        root = self._top
        spent(root, usage_of(event["usage"]), event["total_cost_usd"])
        root.attributes["cloutagent.duration_ms"] = event["duration_ms"]
        if code:
            root.attributes["error.type"] = code
        self._spans.end(root, event["ts"], ending, event.get("message", ""))
        self._open.clear()
        self._agents.clear()


_FOLDS: dict[str, Callable[[TraceFold, Event], None]] = {
    "queued": TraceFold._queued,
    "start": TraceFold._start,
    "interrupted": TraceFold._interrupted,
    "resumed": TraceFold._resumed,
    "waiting": TraceFold._stays,
    "running": TraceFold._stays,
    "agent_start": TraceFold._agent_start,
    "agent_complete": TraceFold._agent_complete,
    "thinking": TraceFold._hears,
    "text": TraceFold._hears,
    "tool_call": TraceFold._tool_call,
    "tool_result": TraceFold._tool_result,
    "approval_required": TraceFold._approval_required,
    "approval": TraceFold._approval,
    "hook": TraceFold._hook,
    "cost_update": TraceFold._paid,
    "warning": TraceFold._warned,
    "complete": TraceFold._over,
    "error": TraceFold._over,
    "cancelled": TraceFold._over,
}
