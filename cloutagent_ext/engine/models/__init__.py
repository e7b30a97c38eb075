"""Models an agent can talk to: live (`anthropic`), simulated, recorded, and what they cost.

`ModelProvider` decides which one an execution gets and opens it. Live, simulated and
recorded all enter below the SDK, so every run parses the same wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...schema.admin import ModelCredentials, ModelRow
from ...schema.base import JsonObject
from ...schema.project import Definition
from ..ports import Model, Models, Price
from .catalogue import rows
from .prices import ListPrices

if TYPE_CHECKING:
    import anthropic
    import httpx2

    from .canonical import Canon
    from .cassette import Cassette

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
    """`ports.Models` on one client; with `names` it is told which agent is speaking."""

    def __init__(self, client: anthropic.AsyncAnthropic, *, names: bool = False) -> None:
        self._client = client
        self._names = names

    def for_agent(self, agent: str) -> Model:
        from .anthropic import LiveModel

        if not self._names:
            return LiveModel(self._client)
        from .simulated import AGENT_HEADER

        return LiveModel(self._client, headers={AGENT_HEADER: agent})


class ModelProvider:
    """Opens models for executions. One connection pool per key and address, until `close`."""

    def __init__(
        self, settings: Callable[[], ModelSettings], *, price_overrides: Mapping[str, Price] | None = None
    ) -> None:
        self._settings = settings
        self._prices = ListPrices(price_overrides)
        self._clients: dict[tuple[str | None, str | None], anthropic.AsyncAnthropic] = {}
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

    def simulated(self, definition: Definition, settings: ModelSettings | None = None) -> bool:
        """Whether the simulated model plays `definition`; `settings`: its project's own, where it has any."""
        return definition.agent.simulate or not (settings or self.settings).usable

    def local(self) -> bool:
        """Whether calls go to an address that is not Anthropic's, where an unknown price counts as 0."""
        host = urlsplit(self.settings.base_url or "").hostname
        return host is not None and host != "anthropic.com" and not host.endswith(".anthropic.com")

    def models(self) -> list[ModelRow]:
        """The table of known models with their prices."""
        return rows(self._prices)

    @asynccontextmanager
    async def open(
        self,
        *,
        definition: Definition,
        scenario: JsonObject | None,
        simulated: bool,
        variables: Mapping[str, str],
        settings: ModelSettings | None = None,
    ) -> AsyncIterator[Models]:
        """One execution's models, price lists loaded: `async with provider.open(…) as models`.

        `settings`: its project's own, where it has any.
        """
        await self._prices.load()
        if not simulated:
            yield ClientModels(await self._client(settings or self.settings))
            return
        async with open_simulated(
            scenario=scenario, variables=variables, pace=self.settings.simulated_pace
        ) as models:
            yield models

    async def close(self) -> None:
        """Close the connections to live models."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()

    async def _client(self, settings: ModelSettings) -> anthropic.AsyncAnthropic:
        address = (settings.api_key, settings.base_url)
        async with self._opening:
            if address not in self._clients:
                from .anthropic import connect

                self._clients[address] = await connect(*address)
            return self._clients[address]


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

    async with _below_the_sdk(RECORDED_URL, transport) as models:
        yield models


@asynccontextmanager
async def _below_the_sdk(url: str, make: Callable[[], httpx2.AsyncBaseTransport]) -> AsyncIterator[Models]:
    """A client whose requests `make`'s transport answers; nothing leaves this process."""

    def client() -> anthropic.AsyncAnthropic:
        from .anthropic import build_client

        return build_client(None, url, transport=make())

    opened = await asyncio.to_thread(client)
    try:
        yield ClientModels(opened, names=True)
    finally:
        await opened.close()
