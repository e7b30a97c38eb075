"""Models an agent can talk to: live (`anthropic`), simulated, recorded, and what they cost.

`ModelProvider` decides which one an execution gets and opens it. Live, simulated and
recorded all enter below the SDK, so every run parses the same wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...schema.admin import ModelCredentials, ModelRow
from ...schema.base import JsonObject
from ...schema.project import Definition, Problem
from ..masking import NOTHING, Mask
from ..ports import EndExecution, Model, ModelFailure, ModelFiles, Models, Price, Wire
from .catalogue import ModelFacts, facts_of, rows
from .prices import ListPrices
from .suppliers import Secret, Suppliers

if TYPE_CHECKING:
    import httpx2

    from .anthropic import Connection
    from .canonical import Canon
    from .cassette import Cassette

Mask_ = Callable[[], Mask]
"""The mask as it is at that moment: secrets are added while an execution runs."""

SIMULATED_URL = "http://simulated.invalid"
"""Address of the simulated model; never looked up, its transport answers."""
RECORDED_URL = "http://recorded.invalid"
"""Address of a cassette; likewise."""


@dataclass(frozen=True)
class ModelSettings:
    """Where model calls go, as the settings say at this moment."""

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    source: ModelCredentials = "none"
    """Where the key comes from."""
    simulated_pace: float = 0.0
    """Words a second of the simulated model; 0 means at once."""

    def with_secret(self, api_key: str | None) -> ModelSettings:
        """The same with a project's own key, which stands after the setting and before the environment."""
        if api_key is None or self.source == "setting":
            return self
        return replace(self, api_key=api_key, source="secret")

    @property
    def usable(self) -> bool:
        """Whether a live model can be called: a key or a base URL is set."""
        return bool(self.api_key or self.base_url)


class ClientModels:
    """`ports.Models` on one connection; with `names` it is told which agent is speaking."""

    def __init__(
        self,
        connection: Connection,
        *,
        names: bool = False,
        keeps_files: bool = False,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`keeps_files`: the service at its address has the Files API. `headers`: of every request."""
        self._connection = connection
        self._headers = headers
        self._names = names
        self._keeps_files = keeps_files

    def for_agent(self, agent: str) -> Model:
        from .anthropic import LiveModel

        if not self._names:
            return LiveModel(self._connection, headers=self._headers, far=True)
        from .simulated import AGENT_HEADER

        return LiveModel(self._connection, headers={AGENT_HEADER: agent})

    def files(self, model: str) -> ModelFiles | None:
        if not self._keeps_files:
            return None
        from .anthropic import LiveFiles

        return LiveFiles(self._connection)


class RoutedModels:
    """`ports.Models` where packages bring some: each request goes where its model's id says."""

    def __init__(self, ours: Models | None, suppliers: Suppliers, secret: Secret, mask: Mask_) -> None:
        self._ours = ours
        self._suppliers = suppliers
        self._secret = secret
        self._mask = mask
        self._theirs: dict[str, Model] = {}

    def for_agent(self, agent: str) -> Model:
        return _Routed(self, None if self._ours is None else self._ours.for_agent(agent))

    def files(self, model: str) -> ModelFiles | None:
        if self._ours is None or self._suppliers.supplies(model):
            return None
        return self._ours.files(model)

    def theirs(self, model: str) -> Model | None:
        """A supplier's endpoint for this id; None where the id is no supplier's."""
        if not self._suppliers.supplies(model):
            return None
        if model not in self._theirs:
            self._theirs[model] = self._suppliers.open(model, self._secret, self._mask)
        return self._theirs[model]


class _Routed:
    def __init__(self, models: RoutedModels, ours: Model | None) -> None:
        self._models = models
        self._ours = ours

    def _chosen(self, request: Wire) -> Model:
        found = self._models.theirs(str(request.get("model"))) or self._ours
        if found is None:
            raise ModelFailure(
                f"There is no model key and no base URL for {request.get('model')}.",
                retryable=False,
                kind="no_key",
            )
        return found

    async def stream(self, request: Wire) -> AsyncIterator[Wire]:
        """See `ports.Model.stream`."""
        async with aclosing(self._chosen(request).stream(request)) as events:  # type: ignore[type-var]
            async for event in events:
                yield event

    async def count_tokens(self, request: Wire) -> int | None:
        """See `ports.Model.count_tokens`."""
        try:
            return await self._chosen(request).count_tokens(request)
        except ModelFailure:
            return None


class ModelProvider:
    """Opens models for executions. One connection pool per key and address, until `close`."""

    def __init__(
        self, settings: Callable[[], ModelSettings], *, price_overrides: Mapping[str, Price] | None = None
    ) -> None:
        self._settings = settings
        self.suppliers = Suppliers()
        """Models that other packages bring."""
        self._prices = ListPrices(price_overrides, self.suppliers.price)
        self._connections: dict[tuple[str | None, str | None], Connection] = {}
        self._opening = asyncio.Lock()

    @property
    def settings(self) -> ModelSettings:
        """The settings as they are now."""
        return self._settings()

    @property
    def prices(self) -> ListPrices:
        """Price lists. `await prices.load()` first on an event loop, else the first question blocks it."""
        return self._prices

    def usable(self) -> bool:
        """Whether a live model can be called: a key or a base URL is set."""
        return self.settings.usable

    async def prepare(self, definition: Definition) -> None:
        """Load price lists and the packages that bring models of `definition`: before anything else is asked.

        One that cannot be loaded is a finding (`problems`), never a failure here.
        """
        await self._prices.load()
        await self.suppliers.load(models_of(definition))

    def simulated(self, definition: Definition, settings: ModelSettings | None = None) -> bool:
        """Whether the simulated model plays `definition`; `settings`: its project's own, where it has any."""
        usable = (settings or self.settings).usable or not self.needs_key(definition)
        return definition.agent.simulate or not usable

    def needs_key(self, definition: Definition) -> bool:
        """Whether one of its models is asked at the Messages API, rather than at a package's own service."""
        return any(not self.suppliers.supplies(model) for model in models_of(definition))

    def problems(self, definition: Definition) -> list[Problem]:
        """What is wrong with the packages that bring its models."""
        found = []
        places = [("agent", "agent.model", definition.agent.model)]
        for index, each in enumerate(definition.subagents):
            if each.enabled and each.model is not None:
                places.append((f"subagent:{each.id}", f"subagents.{index}.model", each.model))
        for node, path, model in places:
            if (why := self.suppliers.broken(model)) is not None:
                said = f"{why[0].upper()}{why[1:]}. Mend or reinstall the package, or choose another model."
                found.append(
                    Problem(severity="error", code="MODEL_PROVIDER", node=node, path=path, message=said)
                )
        return found

    def facts(self, model: str) -> ModelFacts | None:
        """What is known about a model, whoever brings it."""
        return self.suppliers.facts(model) or facts_of(model)

    def local(self) -> bool:
        """Whether calls go to an address that is not Anthropic's, where an unknown price counts as 0."""
        return not _is_own(self.settings.base_url)

    def models(self) -> list[ModelRow]:
        """The table of known models with their prices, those of loaded packages last."""
        return [*rows(self._prices), *self.suppliers.rows()]

    @asynccontextmanager
    async def open(
        self,
        *,
        definition: Definition,
        scenario: JsonObject | None,
        simulated: bool,
        variables: Mapping[str, str],
        settings: ModelSettings | None = None,
        secret: Secret | None = None,
        mask: Mask_ = lambda: NOTHING,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncIterator[Models]:
        """One execution's models, price lists loaded: `async with provider.open(…) as models`.

        `settings`: its project's own, where it has any. `secret`, `mask`: what packages may ask for,
        and what is taken out of their errors. `headers`: what requests to the Messages API carry besides.
        """
        await self.prepare(definition)
        if not simulated:
            chosen = settings or self.settings
            ours = None
            if chosen.usable:
                connection, own = await self._connection(chosen), _is_own(chosen.base_url)
                ours = ClientModels(connection, keeps_files=own, headers=headers)
            if ours is not None and not any(map(self.suppliers.supplies, models_of(definition))):
                yield ours
                return
            yield RoutedModels(ours, self.suppliers, secret or _no_secrets, mask)
            return
        async with open_simulated(
            scenario=scenario, variables=variables, pace=self.settings.simulated_pace
        ) as models:
            yield models

    async def close(self) -> None:
        """Close the connections to live models."""
        connections, self._connections = list(self._connections.values()), {}
        for connection in connections:
            await connection.close()
        await self.suppliers.close()

    async def _connection(self, settings: ModelSettings) -> Connection:
        address = (settings.api_key, settings.base_url)
        async with self._opening:
            if address not in self._connections:
                from .anthropic import connect

                self._connections[address] = await connect(*address)
            return self._connections[address]


def _is_own(base_url: str | None) -> bool:
    """Whether calls go to Anthropic's own service."""
    host = urlsplit(base_url or "").hostname
    return host is None or host == "anthropic.com" or host.endswith(".anthropic.com")


def models_of(definition: Definition) -> set[str]:
    """Ids of the models that its agent and its enabled subagents think with."""
    subagents = {each.model for each in definition.subagents if each.enabled and each.model is not None}
    return {definition.agent.model, *subagents}


async def _no_secrets(name: str) -> str:
    raise EndExecution("MODEL_ERROR", f"There is no project here whose secret {name} could be used.")


@asynccontextmanager
async def open_simulated(
    *, scenario: JsonObject | None, variables: Mapping[str, str], pace: float = 0.0
) -> AsyncIterator[Models]:
    """The simulated model of one execution; `pace` in words a second, 0 for at once."""

    def transport() -> httpx2.AsyncBaseTransport:
        from .simulated import SimulatedTransport

        return SimulatedTransport(scenario, dict(variables), pace)

    async with _below_the_sdk(SIMULATED_URL, transport) as models:
        yield models


@asynccontextmanager
async def open_recorded(cassette: Cassette, canon: Canon) -> AsyncIterator[Models]:
    """A cassette in the model's place, for one execution; `canon` is that execution's."""

    def transport() -> httpx2.AsyncBaseTransport:
        from .recorded import RecordedTransport

        return RecordedTransport(cassette, canon)

    async with _below_the_sdk(RECORDED_URL, transport, keeps_files=cassette.keeps_files) as models:
        yield models


@asynccontextmanager
async def _below_the_sdk(
    url: str, make: Callable[[], httpx2.AsyncBaseTransport], *, keeps_files: bool = False
) -> AsyncIterator[Models]:
    """A client whose requests `make`'s transport answers; nothing leaves this process."""

    def connection() -> Connection:
        from .anthropic import build_connection

        return build_connection(None, url, transport=make())

    opened = await asyncio.to_thread(connection)
    try:
        yield ClientModels(opened, names=True, keeps_files=keeps_files)
    finally:
        await opened.close()
