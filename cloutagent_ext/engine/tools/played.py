"""Tools whose results come from a cassette: nothing runs, nothing is touched, nobody is asked.

Pictures are put back into the workspace, because the model sees them; other files that a tool had
made are not on a cassette. Not here: cassettes (`engine.models.cassette`).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ...schema.base import JsonObject
from ...schema.events import ImagePart, OutputPart, TextPart
from ..models.canonical import Places
from ..models.cassette import Cassette, ToolResult
from ..ports import CASSETTE_MISS, Decision, EndExecution, Question, Tool, ToolContext, ToolError
from . import beneath
from .paths import place, reached

_PARTS: TypeAdapter[list[OutputPart]] = TypeAdapter(list[OutputPart])


class PlayedTool:
    """`ports.Tool` in the place of `tool`: the same to the model, with the recorded results."""

    def __init__(self, tool: Tool | _Described, cassette: Cassette, places: Places) -> None:
        self.name = tool.name
        self.description = tool.description
        self.touches = "nothing: its results come from a recording"
        self.input_schema = tool.input_schema
        self.read_only = True
        self.default_permission = tool.default_permission
        self.source = tool.source
        self._cassette = cassette
        self._places = places

    def lock(self, arguments: JsonObject) -> str | None:
        return None

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """What was recorded for this call; raises `ToolError` where that was an error."""
        results = self._cassette.results.get(context.call_id)
        if not results:
            raise EndExecution(
                "MODEL_ERROR",
                f"The cassette has no result for the call {context.call_id} of {self.name}. Record it anew, "
                "or replay a cassette without tool results.",
                kind=CASSETTE_MISS,
                tool=self.name,
            )
        result = results.pop(0) if len(results) > 1 else results[0]
        try:
            parts = _PARTS.validate_python(self._places.put_in(result.output))
            await asyncio.to_thread(_put_back, parts, result, context)
        except (ValidationError, binascii.Error, ValueError) as error:
            raise EndExecution(
                "MODEL_ERROR",
                f"The cassette's result for the call {context.call_id} of {self.name} cannot be read.",
                kind=CASSETTE_MISS,
                tool=self.name,
            ) from error
        if result.is_error:
            text = "\n".join(part.text for part in parts if isinstance(part, TextPart))
            raise ToolError(text or "The tool failed.", parts=parts)
        return parts


def _put_back(parts: list[OutputPart], result: ToolResult, context: ToolContext) -> None:
    """Write the pictures to where their parts say. Raises `ToolError` for a path that leads out."""
    for part in parts:
        if isinstance(part, ImagePart) and (data := result.images.get(part.path)) is not None:
            with reached(place(part.path, context, write=True), make=True) as (directory, name):
                beneath.replace(directory, name, base64.b64decode(data, validate=True))


def played(tools: Mapping[str, Tool], cassette: Cassette, places: Places) -> dict[str, Tool]:
    """Each of `tools` with the results of `cassette`."""
    return {name: PlayedTool(tool, cassette, places) for name, tool in tools.items()}


@dataclass(frozen=True)
class _Described:
    """A tool of an MCP server, as the recorded requests described it."""

    name: str
    description: str
    input_schema: JsonObject
    source: str
    default_permission: Literal["allow", "ask"] = "allow"


class RecordedServers:
    """`ports.Servers` of a replay that runs no tool: the tools that the recorded requests had, no server."""

    def __init__(self, cassette: Cassette, places: Places) -> None:
        self._cassette = cassette
        self._places = places

    async def tools(self, servers: Sequence[str]) -> list[Tool]:
        """Those of these servers."""
        found: dict[str, Tool] = {}
        for reply in self._cassette.replies:
            for tool in reply.frozen.get("tools") or []:
                server = next((each for each in servers if tool["name"].startswith(f"mcp__{each}__")), None)
                if server is not None and tool["name"] not in found:
                    told = self._places.put_in(tool)
                    described = _Described(
                        told["name"], told["description"], told["input_schema"], f"mcp:{server}"
                    )
                    found[tool["name"]] = PlayedTool(described, self._cassette, self._places)
        return list(found.values())

    def check(self) -> None:
        """No server can be lost."""


class Recording:
    """`ports.Approvals` of a replay that runs no tool: there is nothing that a person need allow."""

    async def decide(self, question: Question) -> Decision:
        return Decision(allow=True, by="recording")

    def rest(self) -> None:
        """Nobody is waited for."""
