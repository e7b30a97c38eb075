"""Every check before an execution is accepted, and the frozen description that comes out.

Nothing is on disk before all of them have passed. Order: what the request asks for, trust, the
definition, its variables, its folders, its price, the model. Not here: room in the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import (
    BadGateway,
    CloutError,
    Forbidden,
    InvalidProject,
    InvalidRequest,
    MissingVariable,
    NotFound,
    PriceUnknown,
    SecretsLocked,
    UnknownVariable,
    UnreadableFile,
)
from ..loading import loaded
from ..schema.base import JsonObject, timestamp
from ..schema.execution import ExecuteRequest, ExecutionState, Origin, Spec
from ..schema.project import Definition, Folder, Limits, PartialLimits, Problem, Validation
from ..settings import Settings
from ..telemetry import context
from . import callers
from .batches import Batches, scope_of
from .cassettes import Cassettes
from .ids import made_at
from .records import Records
from .vault import Vault

if TYPE_CHECKING:
    from ..auth.principal import Principal
    from ..engine.models import ModelProvider
    from ..store.projects import ProjectStore

_LOOKED_AT = 60
"""Newest executions among which a quote looks for those that tell it something."""


class Acceptance:
    """The checks, with what they need to look at."""

    def __init__(
        self,
        store: ProjectStore,
        models: ModelProvider,
        settings: Settings,
        vault: Vault,
        batches: Batches,
        cassettes: Cassettes,
        records: Records,
    ) -> None:
        self._store = store
        self._models = models
        self._settings = settings
        self._vault = vault
        self._batches = batches
        self._cassettes = cassettes
        self._records = records

    async def check(
        self,
        project_id: str,
        request: ExecuteRequest,
        *,
        execution_id: str,
        principal: Principal,
        origin: Origin,
        idempotency_key: str | None,
    ) -> Spec:
        """What will run, frozen. Raises InvalidRequest (and its kinds), NotFound, Conflict, BadGateway."""
        by_key = principal.kind == "key"
        _may_ask(request, principal)
        if request.client_tools:
            await asyncio.to_thread(callers.check, request, principal)
        asked = None if request.version is None else int(request.version)  # a number since it was validated
        author = None if by_key else principal.author
        definition, version = await self._store.freeze(
            project_id, version=asked, published=by_key, author=author
        )
        await self._store.check_trust(project_id, version=version, definition=definition)
        if request.model is not None:
            agent = definition.agent.model_copy(update={"model": request.model})
            definition = definition.model_copy(update={"agent": agent})
        recorded = await self._recording(project_id, request.replay)
        await self._models.prepare(definition)
        simulated = definition.agent.simulate and recorded is None
        if not simulated and recorded is None:
            settings = await self._vault.model_settings(project_id)
            simulated = self._models.simulated(definition, settings)
        # Where tools are played too, nothing is started that a secret could be missing for.
        played = recorded is not None and recorded.get("tool_results") is not None
        names = None if played else await self._vault.names(project_id, definition)
        await self._valid(definition, simulated=simulated or recorded is not None, secrets=names)
        prompt, given = request.prompt, request.variables
        if recorded is not None:
            prompt = recorded["prompt"] if prompt is None else prompt
            given = {n: v for n, v in recorded["variables"].items() if n in definition.variables} | given
        prompt = definition.agent.task if prompt is None else prompt
        if not prompt.strip():
            raise InvalidRequest(
                "There is nothing to do: give a `prompt`, or write the agent's task in the project.",
                fields=[{"path": "prompt", "message": "needed, since the project has no task"}],
            )
        variables = variables_of(definition, given)
        if definition.agent.folders:
            await asyncio.to_thread(folders, definition, self._settings.root_dir)
        self._has_model(definition, by_key=by_key, simulated=simulated)
        if simulated:
            await self._store.scenario(
                project_id, version=version
            )  # a broken one is named now, not in the middle of the run
        spec = Spec(
            execution_id=execution_id,
            project_id=project_id,
            project_name=definition.name,
            version=version,
            definition=definition,
            prompt=prompt,
            variables=variables,
            limits=(request.limits or PartialLimits()).lower(definition.limits),
            origin="key" if by_key else origin,
            simulated=simulated,
            replay=request.replay,
            priority=1 if by_key else 0,
            step=request.step,
            attended=request.attended,
            idempotency_key=idempotency_key,
            batch=request.batch,
            client_tools=request.client_tools,
            files=request.files,
            metadata=request.metadata,
            traceparent=context.CALLER.get(),
            created_at=timestamp(made_at(execution_id)),
        )
        if spec.batch is not None:
            self._priced(definition, simulated=simulated)
            await self._batches.open(spec.batch, scope_of(spec))
        return spec

    def _priced(self, definition: Definition, *, simulated: bool) -> None:
        """A ceiling on money can be kept only where every price is known."""
        if simulated or self._models.local():
            return
        models = {definition.agent.model, *(one.model for one in definition.subagents if one.enabled)}
        for model in sorted(each for each in models if each is not None):
            if self._models.prices.of(model) is None:
                raise PriceUnknown(
                    f"No price is known for {model}, so the batch's ceiling cannot be kept: choose another "
                    "model, give it a price in the settings (`price_overrides`), or leave `batch` out.",
                    fields=[{"path": "batch", "message": f"needs a price of {model}"}],
                )

    async def check_again(self, spec: Spec, principal: Principal) -> None:
        """What `check` looks at, for one that begins from another one. Raises as that does."""
        await self._store.check_trust(spec.project_id, version=spec.version)
        if not spec.simulated and not (await self._vault.model_settings(spec.project_id)).usable:
            raise BadGateway(
                "No model is available any more: neither this server nor the project has a model key, and no "
                "base URL is set.",
                code="MODEL_UNAVAILABLE",
            )
        names = await self._vault.names(spec.project_id, spec.definition)
        await self._valid(spec.definition, simulated=spec.simulated, secrets=names)
        if spec.definition.agent.folders:
            await asyncio.to_thread(folders, spec.definition, self._settings.root_dir)
        self._has_model(spec.definition, by_key=principal.kind == "key", simulated=spec.simulated)

    async def limits_now(self, project_id: str) -> Limits:
        """The limits that the project has now. Raises NotFound, UnreadableFile."""
        return (await self._store.read(project_id)).project.limits

    async def validate(self, definition: Definition, project_id: str | None = None) -> Validation:
        """What an execution of `definition` would be refused for or warned of, and what it costs at least.

        `project_id`: whose secrets it would have; None where it is no project's yet.
        """
        await loaded("engine.plan", "engine.quote")
        from ..engine import plan
        from ..engine.quote import quoted

        settings, names, problems = self._models.settings, None, list[Problem]()
        if project_id is not None:
            try:
                if not definition.agent.simulate:
                    settings = await self._vault.model_settings(project_id)
                names = await self._vault.names(project_id, definition)
            except (SecretsLocked, UnreadableFile) as error:
                problems.append(
                    Problem(severity="error", code=error.error_code, node="agent", message=error.message)
                )
        await self._models.prepare(definition)
        simulated = self._models.simulated(definition, settings)
        problems += await self._problems(definition, simulated=simulated, secrets=names)
        told = {problem.path for problem in problems}
        missing = await asyncio.to_thread(_missing_folders, definition, self._settings.root_dir)
        problems[:0] = [problem for problem in missing if problem.path not in told]
        defaults = {
            name: each.default for name, each in definition.variables.items() if each.default is not None
        }
        first = plan.estimate(definition, definition.agent.task, defaults, self._models.prices)
        estimate = quoted(
            first,
            definition,
            self._models.prices,
            past=() if simulated or project_id is None else await self._past(definition, project_id),
            simulated=simulated,
            local=self._models.local(),
        )
        ok = not any(problem.severity == "error" for problem in problems)
        return Validation(ok=ok, problems=problems, estimate=estimate, credentials=settings.source)

    async def _past(self, definition: Definition, project_id: str) -> list[float]:
        """What the project's completed executions with this model cost, newest first.

        Those of the newest version, where they are enough.
        """
        from ..engine.quote import FEWEST, MOST

        newest, found = None, list[ExecutionState]()
        for execution_id, _ in (await self._records.ids(project_id))[:_LOOKED_AT]:
            try:
                state = await self._records.state(execution_id, listed=True)
            except CloutError:
                continue  # deleted meanwhile, or unreadable: not this check's concern
            if state.status != "completed" or state.simulated or state.total_cost_usd is None:
                continue
            if state.model == definition.agent.model:
                newest = max(newest or 0, state.version)
                found.append(state)
        same = [state for state in found if state.version == newest]
        chosen = same if len(same) >= FEWEST else found
        return [state.total_cost_usd for state in chosen[:MOST] if state.total_cost_usd is not None]

    async def _problems(
        self, definition: Definition, *, simulated: bool, secrets: frozenset[str] | None
    ) -> list[Problem]:
        await loaded("engine.plan", "engine.tools.registry")
        from ..engine import plan

        unpriced = simulated or self._models.local()
        prices = None if unpriced else self._models.prices
        found = [] if simulated else self._models.problems(definition)
        tools, broken = await asyncio.to_thread(_packages, definition)
        found += plan.broken_tools(definition, broken)
        return found + plan.validate(
            definition,
            prices=prices,
            tools=tools,
            secrets=secrets,
            facts=self._models.facts,
        )

    async def _valid(
        self, definition: Definition, *, simulated: bool, secrets: frozenset[str] | None
    ) -> None:
        problems = await self._problems(definition, simulated=simulated, secrets=secrets)
        errors = [each for each in problems if each.severity == "error"]
        if not errors:
            return
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        kind = PriceUnknown if all(each.code == "PRICE_UNKNOWN" for each in errors) else InvalidProject
        raise kind(
            f"The project cannot run. {errors[0].message}{more}",
            problems=[each.model_dump(mode="json") for each in errors],
        )

    async def _recording(self, project_id: str, cassette_id: str | None) -> JsonObject | None:
        """What the cassette to be played says about itself; it invents nothing, so keys may ask for it."""
        if cassette_id is None:
            return None
        try:
            header = await self._cassettes.header(project_id, cassette_id)
        except NotFound:
            raise InvalidRequest(
                f"The project has no cassette {cassette_id[:40]!r}. Its cassettes: GET …/cassettes, or "
                "`jupyter cloutagent cassette list`.",
                fields=[{"path": "replay", "message": "no such cassette"}],
            ) from None
        return header

    def _has_model(self, definition: Definition, *, by_key: bool, simulated: bool) -> None:
        """No invented answers: a program that calls with a key gets a model's, or none."""
        if by_key and simulated and not definition.agent.simulate and not self._settings.allow_simulated_api:
            raise BadGateway(
                "No model is available: neither this server nor the project has a model key, and no base URL "
                "is set. Set ANTHROPIC_API_KEY as a secret of the project or on the server, or "
                "`simulate: true` in the project if simulated answers will do.",
                code="MODEL_UNAVAILABLE",
            )


def _packages(definition: Definition) -> tuple[frozenset[str], dict[str, str]]:
    """Names of the tools there are, and what is wrong with those of packages that are used. Blocking."""
    from ..engine.tools import registry

    used = set(definition.agent.tools).union(*(each.tools for each in definition.subagents))
    return registry.all_names(), registry.brought(used)[1]


def _may_ask(request: ExecuteRequest, principal: Principal) -> None:
    """A key cannot order questions that only others may answer."""
    if principal.kind != "key":
        return
    if request.step:
        raise Forbidden("`step` is for Jupyter users: every call would wait for one. Leave it out.")
    if request.model is not None:
        raise Forbidden("`model` is for Jupyter users; a key runs the project's own. Leave it out.")
    if request.attended and "approve" not in principal.scopes:
        raise Forbidden("`attended: true` needs a key with the scope `approve`; this one cannot answer.")


def variables_of(definition: Definition, given: Mapping[str, str]) -> dict[str, str]:
    """Every declared variable with its value; an optional one without any is empty text."""
    declared = definition.variables
    if unknown := sorted(set(given) - set(declared)):
        known = ", ".join(sorted(declared)) or "none"
        raise UnknownVariable(
            f"The project has no variable {', '.join(repr(name) for name in unknown)}. It has: {known}.",
            variables=unknown,
        )
    values = {
        name: value
        for name, variable in declared.items()
        if (value := given.get(name, variable.default)) is not None
    }
    missing = [name for name, variable in declared.items() if variable.required and name not in values]
    if missing:
        named = ", ".join(repr(name) for name in missing)
        raise MissingVariable(
            f"No value for the variable {named}: give it in `variables`, or a default in the project.",
            variables=missing,
        )
    return {name: values.get(name, "") for name in declared}


def raised(limits: Limits, wished: PartialLimits | None, allowed: Limits) -> Limits:
    """`limits`, those that are wished for changed: never to more than the project allows now."""
    if wished is None:
        return limits
    capped = wished.lower(allowed)
    given = {name: getattr(capped, name) for name in wished.model_dump(exclude_none=True)}
    return Limits.model_validate({**limits.model_dump(), **given})


def folders(definition: Definition, root: Path | None) -> dict[Path, Literal["read", "write"]]:
    """The folders the project names, absolute. Blocking.

    Raises InvalidRequest for one that does not exist or lies outside the server's root.
    """
    found: dict[Path, Literal["read", "write"]] = {}
    for folder in definition.agent.folders:
        found[_folder(folder, root)] = folder.mode
    return found


def _folder(folder: Folder, root: Path | None) -> Path:
    if root is None:
        raise InvalidRequest(
            f"The project names the folder {folder.path!r}, but no root folder is set here. "
            "Run it in a Jupyter server, or set `root_dir`."
        )
    base = root.resolve()
    try:
        path = (base / folder.path.lstrip("/")).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise InvalidRequest(f"The project names the folder {folder.path!r}, which does not exist.") from None
    if not path.is_relative_to(base) or not path.is_dir():
        raise InvalidRequest(
            f"The project names {folder.path!r}, which is no folder below the server's root."
        )
    return path


def _missing_folders(definition: Definition, root: Path | None) -> list[Problem]:
    """What `folders` would refuse, each at its place. Blocking."""
    found = []
    for index, folder in enumerate(definition.agent.folders):
        try:
            _folder(folder, root)
        except InvalidRequest as error:
            path = f"agent.folders.{index}.path"
            found.append(
                Problem(
                    severity="error", code="FOLDER_MISSING", node="agent", path=path, message=error.message
                )
            )
    return found
