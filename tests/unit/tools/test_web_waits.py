"""`web_fetch` at strangers who let it wait: it leaves them by itself. Cancelling it is `test_web`'s."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from cloutagent_ext.engine.hooks.http import Caller
from cloutagent_ext.engine.reach import Reach

from .conftest import Box

BEGINS = {
    "record": b"\x16\x03\x03\x40\x00",  # of a handshake, announced and never whole
    "headers": b"HTTP/1.1 200 X\r\nX-Long: ",
    "page": b"HTTP/1.1 200 X\r\nContent-Type: text/plain\r\nContent-Length: 999999\r\n\r\n",
    "redirect": b"HTTP/1.1 302 X\r\nLocation: /on\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
}
DRIPS = ("record", "headers", "page")


class Stranger:
    """Takes connections and is silent or drips, in one part of an answer. Counts who came and who is here."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.came = self.here = 0

    @property
    def scheme(self) -> str:
        return "https" if self.at in ("handshake", "record") else "http"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        self.here += 1
        redirects = self.at == "redirect" and self.came == 1
        try:
            await reader.read(4096)
            writer.write(BEGINS.get(self.at, b"") if redirects or self.at in DRIPS else b"")
            gone = asyncio.create_task(reader.read())
            while not redirects and not gone.done():
                if self.at in DRIPS:
                    writer.write(b"a")
                await asyncio.wait({gone}, timeout=0.2)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
        finally:
            self.here -= 1
            writer.close()


@asynccontextmanager
async def strangers(*at: str) -> AsyncIterator[dict[str, Stranger]]:
    """Some of this machine, by their addresses."""
    async with AsyncExitStack() as servers:
        found = {}
        for each in map(Stranger, at):
            server = await servers.enter_async_context(await asyncio.start_server(each.serve, "127.0.0.1", 0))
            found[f"{each.scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"] = each
        yield found


async def left_by_all(found: dict[str, Stranger]) -> None:
    while any(each.here for each in found.values()):
        await asyncio.sleep(0.01)


ALL = ("handshake", "record", "answer", "headers", "page", "redirect")
REACHED = [1, 1, 1, 1, 1, 2]


async def test_whoever_lets_a_fetch_wait_is_left_in_time(make_box: Callable[..., Box]) -> None:
    """In the handshake, before the headers, in them, in the page, and behind a redirect."""
    box = make_box()
    box.toolbox.reach = Reach(allow=["127.0.0.1"])
    tool: Any = box.toolbox.tools["web_fetch"]
    async with box.toolbox, asyncio.timeout(100):
        for tool.timeout_s in (1.5, 6, 24):  # a busy machine may take that long to connect to all of them
            async with strangers(*ALL) as found:
                errors = await asyncio.gather(*(box.error("web_fetch", url=url) for url in found))
                await left_by_all(found)
            if [each.came for each in found.values()] == REACHED:
                break
        else:
            pytest.fail(f"some were never reached: {[each.came for each in found.values()]}")
    assert errors == [f"{url} was not there after {tool.timeout_s:g} s." for url in found] or (
        # with the longest one, a handshake has a limit of its own
        tool.timeout_s == 24 and "took no connection within 10 s" in errors[0]
    )


@pytest.mark.nightly
@pytest.mark.timeout(120)
async def test_a_fetch_keeps_the_times_that_it_promises(make_box: Callable[..., Box]) -> None:
    box = make_box()
    box.toolbox.reach = Reach(allow=["127.0.0.1"])
    async with box.toolbox, strangers(*ALL) as found, asyncio.timeout(60):
        errors = await asyncio.gather(*(box.error("web_fetch", url=url) for url in found))
        await left_by_all(found)
    assert [each.came for each in found.values()] == REACHED
    for url, error in zip(found, errors, strict=True):
        secure = url.startswith("https")
        assert error == f"{url} {'took no connection within 10 s' if secure else 'was not there after 30 s'}."


async def test_a_handshake_that_is_cancelled_leaves_no_connection_open(make_box: Callable[..., Box]) -> None:
    box = make_box()
    box.toolbox.reach = Reach(allow=["127.0.0.1"])
    async with box.toolbox, strangers("handshake") as found, asyncio.timeout(60):
        [(url, stranger)] = found.items()
        hook = Caller()
        calls = [
            asyncio.create_task(box.run("web_fetch", url=url)),
            asyncio.create_task(hook.post(url, {}, "{}", timeout_s=60)),
        ]
        while stranger.here < len(calls):
            await asyncio.sleep(0.01)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await left_by_all(found)
        await hook.close()
