"""Executions that begin from another one: a resume of one that has ended, a fork, a continuation.

Each gets that one's journal, as far as it is shared, and a copy of its workspace as it is
now; its log is its own and begins with where it comes from. Not here: what goes into the
journal (`retelling`), turns and slots (`scheduler`), and the resume of one that was only
interrupted, which goes on in its own log.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.models.catalogue import facts_of
from ..engine.past import Past
from ..engine.prompt import fill, variables_in
from ..engine.text import clean
from ..engine.transcript import settings_for, with_model
from ..errors import Conflict, Forbidden, InvalidRequest, NotFound
from ..schema.base import JsonObject, timestamp
from ..schema.execution import ENDED, ExecutionState, ForkRequest, ResumeRequest, Spec
from ..schema.project import Definition, Limits, PartialLimits
from . import history, journal, retelling
from .acceptance import Acceptance, raised, variables_of
from .ids import made_at
from .log import EventLog
from .records import Records
from .workspace import Workspace

if TYPE_CHECKING:
    from ..auth.principal import Principal

_BY_LIMIT = {
    "COST_LIMIT_EXCEEDED": "max_cost_usd",
    "TOKEN_LIMIT_EXCEEDED": "max_tokens",
    "TIMEOUT": "timeout_s",
    "TURN_LIMIT_EXCEEDED": "max_turns",
}
"""Endings by a limit, and which one it was."""


@dataclass(frozen=True)
class Beginning:
    """What a new execution begins with: the records of its journal, and whose workspace it gets."""

    records: list[JsonObject]
    workspace: Workspace


class Branches:
    """Makes what such an execution is accepted with. Nothing is written here."""

    def __init__(self, records: Records, acceptance: Acceptance, data_dir: Path) -> None:
        self._records = records
        self._acceptance = acceptance
        self._data_dir = data_dir

    # ------------------------------------------------------------ resume

    async def resume(
        self, state: ExecutionState, request: ResumeRequest, *, execution_id: str, principal: Principal
    ) -> tuple[Spec, Beginning]:
        """A new execution that goes on where one ended that was not completed.

        Raises Conflict, InvalidRequest (a limit that has to be raised), and what acceptance does.
        """
        if state.status == "completed":
            raise Conflict(
                "This execution has come to its answer. Go on with its conversation by `continue_from`, or "
                "fork it.",
                status=state.status,
            )
        source, folder = await self._source(state.execution_id)
        records, past = await self._past(folder, state.execution_id)
        allowed = await self._acceptance.limits_now(source.project_id)
        limits = raised(state.limits, request.limits, allowed)
        _raised_enough(state, limits, allowed)
        files = [] if past else source.files  # nobody has seen them yet
        spec = _branched(
            source, execution_id, principal, limits=limits, resumed_from=state.execution_id, files=files
        )
        await self._acceptance.check_again(spec, principal)
        if not past:  # it ended before it began
            return spec, Beginning([], self._workspace(state.execution_id))
        ran_s = past.carried_s + (state.duration_ms or 0) / 1000
        kept = self._moved(past, state.execution_id, execution_id)
        past.first_files = _first_files(past, source)
        return spec, Beginning(
            retelling.resumed(records, past, ran_s=ran_s, kept=kept), self._workspace(state.execution_id)
        )

    # ------------------------------------------------------------ fork

    async def fork(
        self, state: ExecutionState, request: ForkRequest, *, execution_id: str, principal: Principal
    ) -> tuple[Spec, Beginning]:
        """A new execution that shares the history before the turn of an event. Raises as `resume` does."""
        source, folder = await self._source(state.execution_id)
        records, whole = await self._past(folder, state.execution_id)
        turn = await self._turn(folder, request.from_event, state.last_event_id)
        if request.tool_result is not None:
            past = retelling.with_turn(records, request.tool_result.call_id)
            if turn != past.conversations["main"].turns:
                raise InvalidRequest(
                    f"The call {request.tool_result.call_id!r} belongs to another turn than event "
                    f"{request.from_event}. Fork from its own `tool_result` event.",
                    fields=[{"path": "from_event", "message": "not in the turn of that call"}],
                )
        else:
            past = retelling.before_turn(records, turn) if turn is not None else Past.of(records)
        past.tools_used, past.kept = whole.tools_used, whole.kept  # the workspace is as it is now
        definition = source.definition
        if request.model is not None:
            agent = definition.agent.model_copy(update={"model": request.model})
            definition = definition.model_copy(update={"agent": agent})
        variables = variables_of(definition, {**source.variables, **(request.variables or {})})
        spec = _branched(
            source,
            execution_id,
            principal,
            limits=(request.limits or PartialLimits()).lower(
                await self._acceptance.limits_now(source.project_id)
            ),
            forked_from=state.execution_id,
            forked_at=request.from_event,
            definition=definition,
            variables=variables,
            prompt=source.prompt if request.prompt is None else request.prompt,
            files=[] if whole else source.files,
        )
        await self._acceptance.check_again(spec, principal)
        talk = past.conversations.get("main")
        if talk is not None and talk.turns == 0 and len(talk.messages) == 1 and variables != source.variables:
            past.conversations.clear()  # nothing was answered yet: it begins anew, with the new values
        change = retelling.Change(
            prompt=_filled(spec, request.prompt),
            results={request.tool_result.call_id: clean(request.tool_result.text)}
            if request.tool_result
            else None,
            request=None if talk is None else _request(talk.request, source, spec),
            files=_first_files(whole, source),
        )
        kept = self._moved(past, state.execution_id, execution_id)
        return spec, Beginning(
            retelling.retold(past, "forked", change, kept=kept), self._workspace(state.execution_id)
        )

    async def _turn(self, folder: Path, event_id: int, last_id: int) -> int | None:
        """Number of the main agent's turn that the event belongs to or comes before; None after the last."""
        if event_id > last_id:
            raise InvalidRequest(
                f"This execution has no event {event_id}; its last one is {last_id}.",
                fields=[{"path": "from_event", "message": f"at most {last_id}"}],
            )
        log, following = await EventLog.reader(folder), event_id
        while True:
            events, more = await log.page(following, 500)
            for event in events:
                if turn := retelling.turn_of(event["span"]):
                    return turn
            if more is None:
                return None
            following = more

    # ------------------------------------------------------------ continue

    async def continuation(
        self, source_id: str, prompt: str | None, spec: Spec, principal: Principal
    ) -> tuple[Spec, Beginning]:
        """`spec`, as an execution that goes on with a finished one's conversation by `prompt`.

        Raises InvalidRequest, Conflict, Forbidden, NotFound.
        """
        if prompt is None:
            raise InvalidRequest(
                "`continue_from` takes a `prompt`: what is said next in that conversation.",
                fields=[{"path": "prompt", "message": "needed with continue_from"}],
            )
        source, folder, state = await self._of_project(source_id, spec.project_id, principal)
        if state.status not in ENDED:
            raise retelling.refuse_open(state.status)
        _, past = await self._past(folder, source_id)
        if past.conversations.get("main") is None:
            raise Conflict(
                "That execution ended before its conversation began: there is nothing to continue."
            )
        spec = spec.model_copy(update={"continued_from": source_id})
        request = past.conversations["main"].request if _same_agent(source, spec) else None
        files = _first_files(past, source)
        change = retelling.Change(prompt=_filled(spec, spec.prompt), request=request, files=files)
        kept = self._moved(past, source_id, spec.execution_id)
        return spec, Beginning(
            retelling.retold(past, "continued", change, kept=kept), self._workspace(source_id)
        )

    async def _of_project(
        self, source_id: str, project_id: str, principal: Principal
    ) -> tuple[Spec, Path, ExecutionState]:
        try:
            project, _ = await self._records.find(source_id)
        except NotFound:
            project = None
        if project != project_id:
            if principal.kind == "key":  # as everywhere: a key cannot tell what exists
                raise Forbidden("This key opens its own project and that project's executions, nothing else.")
            raise InvalidRequest(
                f"This project has no execution {source_id!r} to continue from.",
                fields=[{"path": "continue_from", "message": "no execution of this project"}],
            )
        source, folder = await self._source(source_id)
        return source, folder, await self._records.state(source_id)

    # ------------------------------------------------------------ inside

    async def _source(self, execution_id: str) -> tuple[Spec, Path]:
        _, folder = await self._records.find(execution_id)
        spec = await self._records.spec(execution_id)
        if spec.replay is not None:
            raise Conflict(
                "This execution played a recording, which says nothing beyond its own end: run it live."
            )
        return spec, folder

    async def _past(self, folder: Path, execution_id: str) -> tuple[list[JsonObject], Past]:
        """The journal and what it comes to. Raises Conflict where its workspace is gone, UnreadableFile."""
        records = await asyncio.to_thread(journal.read, folder)
        past = await history.read(folder)
        await self._records.find(execution_id)  # of one that was just deleted, all of that reads as nothing
        await history.check(past, self._workspace(execution_id))
        return records, past

    def _workspace(self, execution_id: str) -> Workspace:
        return Workspace(self._data_dir, execution_id)

    def _moved(self, past: Past, source_id: str, execution_id: str) -> JsonObject:
        """What tools had kept, with the places of the workspace that are now in its copy."""
        old, new = str(self._workspace(source_id).path), str(self._workspace(execution_id).path)

        def moved(value: Any) -> Any:
            inside = isinstance(value, str) and (value == old or value.startswith(f"{old}/"))
            return new + value[len(old) :] if inside else value

        return {
            agent: {name: moved(value) for name, value in kept.items()}
            for agent, kept in past.kept.items()
            if agent == "main"
        }


def _raised_enough(state: ExecutionState, limits: Limits, allowed: Limits) -> None:
    """Refuse to resume what would end at once by the same limit."""
    name = _BY_LIMIT.get(state.error.code if state.error else "")
    if name is None:
        return
    old, new, most = (getattr(each, name) for each in (state.limits, limits, allowed))
    if old is not None and new is not None and new <= old:
        raise InvalidRequest(
            f"It ended by its limit `{name}` of {old:g}, and what it has used counts on: resume it with a "
            f"higher one. The project allows {'any' if most is None else f'up to {most:g}'} now.",
            fields=[{"path": f"limits.{name}", "message": f"must be more than {old:g}"}],
        )


def _branched(source: Spec, execution_id: str, principal: Principal, **changes: Any) -> Spec:
    """The specification of an execution that begins from that of `source`, with `changes`."""
    by_key = principal.kind == "key"
    return source.model_copy(
        update={
            "execution_id": execution_id,
            "created_at": timestamp(made_at(execution_id)),
            "idempotency_key": None,
            "files": [],  # the workspace has them
            "origin": "key" if by_key else "panel" if source.origin == "key" else source.origin,
            "priority": 1 if by_key else 0,
            "resumed_from": None,
            "forked_from": None,
            "forked_at": None,
            "continued_from": None,
            **changes,
        }
    )


def _first_files(past: Past, source: Spec) -> list[str]:
    """Files that the first message of an execution shows, wherever its conversation began."""
    return past.first_files or [each.path for each in source.files]


def _filled(spec: Spec, prompt: str | None) -> str | None:
    if prompt is None:
        return None
    builtins = {
        "timestamp": spec.created_at,
        "project_name": spec.project_name,
        "execution_id": spec.execution_id,
    }
    return clean(fill(prompt, spec.variables, builtins)) or " "


def _request(request: JsonObject | None, source: Spec, spec: Spec) -> JsonObject | None:
    """The frozen parts for a fork; None where the system prompt is another one."""
    agent, changed = spec.definition.agent, _changed(source, spec)
    if request is None or variables_in(agent.system_prompt) & changed:
        return None
    if agent.model == source.definition.agent.model:
        return request
    settings = settings_for(
        facts_of(agent.model), thinking=agent.thinking, effort=agent.effort, output_schema=agent.output_schema
    )
    return with_model(request, agent.model, settings)


def _changed(source: Spec, spec: Spec) -> set[str]:
    """Names of the variables with another value."""
    names = {*source.variables, *spec.variables}
    return {name for name in names if source.variables.get(name) != spec.variables.get(name)}


def _same_agent(source: Spec, spec: Spec) -> bool:
    """Whether system prompt, tools and model are what they were."""

    def parts(definition: Definition) -> list[Any]:
        return [definition.agent, definition.subagents, definition.mcps]

    if parts(source.definition) != parts(spec.definition) or source.client_tools != spec.client_tools:
        return False
    return not variables_in(spec.definition.agent.system_prompt) & _changed(source, spec)
