"""An execution that a cassette plays: what it is bound to in place of a model, and of tools.

Not here: cassettes (`cassettes`, `engine.models.cassette`), binding the rest (`worker`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from ..engine.models import open_recorded
from ..engine.models.canonical import Canon
from ..engine.models.cassette import Cassette
from ..engine.models.prices import NoPrices
from ..engine.ports import CASSETTE_MISS, Approvals, EndExecution, Models, Prices, Servers, Tool
from ..errors import NotFound, UnreadableFile
from ..schema.execution import Spec
from ..schema.project import Definition, McpServer
from .cassettes import Cassettes


@dataclass(frozen=True)
class Replay:
    """One cassette, about to be played once."""

    cassette: Cassette
    canon: Canon

    @classmethod
    async def of(cls, spec: Spec, cassettes: Cassettes) -> Replay | None:
        """What plays the execution; None where a model does. Raises `EndExecution`."""
        if spec.replay is None:
            return None
        try:
            cassette = await cassettes.load(spec.project_id, spec.replay)
        except NotFound:
            raise EndExecution(
                "MODEL_ERROR",
                f"The cassette {spec.replay} is gone: it was deleted after this execution was accepted.",
                kind=CASSETTE_MISS,
            ) from None
        except UnreadableFile as error:
            raise EndExecution("MODEL_ERROR", error.message, kind=CASSETTE_MISS) from None
        return cls(cassette, await cassettes.canon(spec))

    def models(self) -> AbstractAsyncContextManager[Models]:
        return open_recorded(self.cassette, self.canon)

    def tools(self, tools: Mapping[str, Tool]) -> Mapping[str, Tool]:
        """Those that really run, or those of the recording where it has results."""
        if not self.cassette.plays_tools:
            return tools
        from ..engine.tools.played import played

        return played(tools, self.cassette, self.canon.places)

    def servers(self, servers: Servers) -> Servers:
        """Those that really run, or what the recorded requests had of them."""
        if not self.cassette.plays_tools:
            return servers
        from ..engine.tools.played import RecordedServers

        return RecordedServers(self.cassette, self.canon.places)

    def env(self, definition: Definition) -> Mapping[str, str]:
        """Environment of its children, where there are any: secrets of one that plays are not asked for."""
        return {} if self.cassette.plays_tools else definition.agent.env

    def used(self, servers: Sequence[McpServer]) -> Sequence[McpServer]:
        """Of the project's servers those that are needed, with their secrets."""
        return () if self.cassette.plays_tools else servers

    def approvals(self, approvals: Approvals) -> Approvals:
        if not self.cassette.plays_tools:
            return approvals
        from ..engine.tools.played import Recording

        return Recording()

    @property
    def own_service(self) -> bool:
        """Whether the service itself had summarised what grew too long."""
        return self.cassette.own_service

    @property
    def prices(self) -> Prices:
        return NoPrices()
