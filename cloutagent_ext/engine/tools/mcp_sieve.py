"""A link whose tool listings lose the tools that the protocol forbids, so that the others remain.

The SDK checks a listing as a whole: one tool with a schema that is none would cost all of a server's
tools. Only where that has happened the sieve is switched on and the server asked again; each tool is
then held to the protocol by itself. Imports the SDK: load this module in a thread. Not here: what of
a tool that the protocol allows is no good for a model (`mcp_listing`).
"""

from __future__ import annotations

import asyncio
from typing import Any

import mcp_types
from mcp.shared.message import SessionMessage
from mcp_types import methods
from pydantic import ValidationError

from .mcp_link import Link

_METHOD = "tools/list"


class Sieve:
    """Around one link, whose place it takes; `mcp.Client` takes it as a transport."""

    def __init__(self, link: Link) -> None:
        self.version: str | None = None
        """The protocol's, once the listings are to be sifted."""
        self.refused: dict[str, str] = {}
        """Tools that were taken out, by name: what is wrong with each."""
        self._link = link

    async def __aenter__(self) -> Any:
        """See `Link.__aenter__`."""
        read, write = await self._link.__aenter__()
        return _Read(read, self), write

    async def __aexit__(self, *failure: object) -> Any:
        return await self._link.__aexit__(*failure)

    def sift(self, result: dict[str, Any], version: str) -> dict[str, Any]:
        """The listing `result` without what the protocol forbids."""
        kept = []
        for number, tool in enumerate(result["tools"]):
            if (why := _objection({**result, "tools": [tool]}, version)) is None:
                kept.append(tool)
                continue
            name = tool.get("name") if isinstance(tool, dict) else None
            self.refused[name if isinstance(name, str) else f"tool {number + 1}"] = why
        return {**result, "tools": kept}


class _Read:
    """What comes from the server, sifted where that is wanted."""

    def __init__(self, stream: Any, sieve: Sieve) -> None:
        self._stream = stream
        self._sieve = sieve

    async def __aenter__(self) -> _Read:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> Any:
        return await self._stream.__aexit__(*failure)

    def __aiter__(self) -> _Read:
        return self

    async def __anext__(self) -> Any:
        return await self._sifted(await self._stream.__anext__())

    async def receive(self) -> Any:
        return await self._sifted(await self._stream.receive())

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def _sifted(self, item: Any) -> Any:
        version = self._sieve.version
        if version is None or not isinstance(item, SessionMessage):
            return item
        message = item.message
        if not isinstance(message, mcp_types.JSONRPCResponse):
            return item
        result = message.result
        if "content" in result or not isinstance(result.get("tools"), list):
            return item
        # In a thread: there may be thousands of tools.
        sifted = await asyncio.to_thread(self._sieve.sift, result, version)
        return SessionMessage(message.model_copy(update={"result": sifted}), item.metadata)


def _objection(listing: dict[str, Any], version: str) -> str | None:
    """What is wrong with the only tool of `listing`, or None; with the rest of it the SDK is strict."""
    try:
        methods.validate_server_result(_METHOD, version, listing)
        mcp_types.ListToolsResult.model_validate(listing, by_name=False)
    except KeyError:
        return None  # the SDK knows no rules for this version
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False, include_context=False):
            if "tools" in each["loc"]:
                place = each["loc"][each["loc"].index("tools") + 2 :]
                return (
                    f"the protocol does not allow it ({'.'.join(map(str, place)) or 'tool'}: {each['msg']})"
                )
    return None
