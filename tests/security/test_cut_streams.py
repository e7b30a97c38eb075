"""Streams through networks that cut, hold back and time out: what arrives is the log, once and in order."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx2
import pytest

from cloutagent_ext.client.runs import AsyncRun
from cloutagent_ext.client.stream import follow
from cloutagent_ext.client.transport import Transport
from tests.server.caller import DEADLINE_S, Caller
from tests.server.test_executions import BASH, SLEEPS, until_running
from tests.support.proxies import Proxy

CUTS = 1000
SEED = 20261125
TALK = " ".join(f"word{number} \u2028 id: {number}" for number in range(700))
"""What the simulated model says: long, and full of what could be taken for frames."""


def moments(seed: int) -> Iterator[int]:
    """After how many bytes of an answer to cut: mostly within the first frames, sometimes far in."""
    dice = random.Random(seed)
    while True:
        yield dice.choice((dice.randrange(0, 60), dice.randrange(0, 2000), dice.randrange(0, 30_000)))


def frames(received: bytes) -> list[tuple[int | None, Any]]:
    """Whole frames as an `EventSource` takes them: what no blank line ends is thrown away."""
    found = []
    for block in received.decode(errors="ignore").split("\n\n")[:-1]:
        fields = [line.partition(":") for line in block.split("\n")]
        data = "\n".join(value.removeprefix(" ") for name, _, value in fields if name == "data")
        ids = [value.strip() for name, _, value in fields if name == "id"]
        if data:
            found.append((int(ids[-1]) if ids else None, json.loads(data)))
    return found


class Line:
    """Somebody who follows through a proxy and counts how often the line broke."""

    def __init__(self, server: Caller, proxy: Proxy) -> None:
        self._server = server
        base = server.http.base_url.copy_with(port=proxy.port)
        self.http = httpx2.AsyncClient(base_url=base, trust_env=False, timeout=30)
        self.broken = 0

    async def read(
        self, path: str, *, headers: dict[str, str] | None = None, **options: Any
    ) -> tuple[int | None, bytes]:
        """Status (None where not even that arrived) and what was received of one connection."""
        received = b""
        status = None
        try:
            async with self.http.stream(
                "GET",
                self._server.path(path),
                headers=self._server.user_headers | {"Connection": "close"} | (headers or {}),
                **options,
            ) as response:
                status = response.status_code
                async for piece in response.aiter_raw():
                    received += piece
        except httpx2.TransportError:
            self.broken += 1
        return status, received


@asynccontextmanager
async def line_through(server: Caller, proxy: Proxy) -> AsyncIterator[Line]:
    line = Line(server, proxy)
    yield line
    await line.http.aclose()


def port(server: Caller) -> int:
    found = server.http.base_url.port
    assert found is not None
    return found


async def follow_by_header(line: Line, execution: str) -> list[dict[str, Any]]:
    """All events, by reconnecting with `Last-Event-ID` as a browser does, until 204."""
    events: list[dict[str, Any]] = []
    last = 0
    while True:
        headers = {"Last-Event-ID": str(last)} if last else {}
        status, received = await line.read(f"executions/{execution}/stream", headers=headers)
        if status == 204:
            return events
        for number, event in frames(received):
            assert number == event["id"] == last + 1
            events.append(event)
            last = event["id"]


async def follow_by_argument(line: Line, execution: str) -> list[dict[str, Any]]:
    """The same with `from_event`."""
    events: list[dict[str, Any]] = []
    while True:
        params = {"from_event": len(events) + 1}
        status, received = await line.read(f"executions/{execution}/stream", params=params)
        if status == 204:
            return events
        events += [event for _, event in frames(received)]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("settings", [{"simulated_pace": 800.0}])
async def test_a_thousand_random_cuts_lose_and_repeat_nothing(server: Caller) -> None:
    """The first follower comes while the run speaks, the others when it has ended."""
    project = await server.create(**BASH)
    says = {"name": "bash", "as": "a", "input": {"command": "seq 1 400; printf 'id: 7\\r\\ndata: {}\\n\\n'"}}
    await server.script(project["id"], {"text": TALK, "tools": [says]}, {"text": TALK})
    execution = await server.execute(project["id"])
    cut, dice = moments(SEED), random.Random(SEED)
    async with (
        Proxy(port(server), cut=lambda: next(cut), reset=lambda: dice.random() < 0.5) as proxy,
        line_through(server, proxy) as line,
    ):
        first = await follow_by_header(line, execution)
        log = (await server.get(f"executions/{execution}/events"))["items"]
        assert len(log) > 50
        assert log[-1]["type"] == "complete"
        assert first == log
        ways = (follow_by_header, follow_by_argument)
        while proxy.cuts < CUTS:
            assert await ways[dice.randrange(2)](line, execution) == log
    slots = server.extension.context.streams
    async with asyncio.timeout(DEADLINE_S):
        while slots.open:
            await asyncio.sleep(0.02)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("settings", [{"simulated_pace": 800.0}])
async def test_a_whole_tabs_stream_cut_at_random_loses_and_repeats_nothing(server: Caller) -> None:
    project = await server.create(**BASH)
    says = {"name": "bash", "as": "a", "input": {"command": "seq 1 300"}}
    await server.script(project["id"], {"text": TALK, "tools": [says]}, {"text": "Over."})
    running = [await server.execute(project["id"]) for _ in range(3)]
    cut = moments(SEED + 1)
    # A tab's stream does not end by itself: what no byte cuts, time does.
    proxies = Proxy(port(server), cut=lambda: next(cut), lifetime_s=0.4)
    async with proxies as proxy, line_through(server, proxy) as line:
        while proxy.cuts < 150:
            seen: dict[str, list[Any]] = {each: [] for each in running}
            while not all(events and events[-1]["type"] == "complete" for events in seen.values()):
                watch = [f"{each}:{len(events) + 1}" for each, events in seen.items()]
                _, received = await line.read("stream", params={"watch": watch})
                for _, frame in frames(received):
                    if "event" in frame:
                        seen[frame["execution_id"]].append(frame["event"])
                    else:
                        assert frame["execution_id"] == frame["state"]["execution_id"]
            for each, events in seen.items():
                assert events == (await server.get(f"executions/{each}/events"))["items"]


@pytest.mark.parametrize("settings", [{"simulated_pace": 800.0, "heartbeat_s": 0.2}])
async def test_a_proxy_that_cuts_after_a_while_costs_the_python_client_nothing(server: Caller) -> None:
    """Sixty seconds at most, half a second here: the client of this package goes on by itself."""
    project = await server.create()
    await server.script(project["id"], {"text": TALK})
    execution = await server.execute(project["id"])
    async with Proxy(port(server), lifetime_s=0.5) as proxy:
        url = str(server.http.base_url.copy_with(port=proxy.port))
        transport = await Transport.open(url, token=server.app.identity_provider.token)
        async with asyncio.timeout(DEADLINE_S):
            events = [event.id async for event in follow(transport, execution)]
        await transport.close()
        assert proxy.cuts >= 2
    assert events == [event["id"] for event in (await server.get(f"executions/{execution}/events"))["items"]]


@pytest.mark.parametrize("settings", [{"heartbeat_s": 0.2}])
async def test_heartbeats_keep_a_proxy_that_cuts_silence_from_cutting(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    async with Proxy(port(server), idle_s=1.5) as proxy, line_through(server, proxy) as line:
        for path, options in (
            (f"executions/{execution}/stream", {}),
            ("stream", {"params": {"watch": f"{execution}:1"}}),
        ):
            following = asyncio.create_task(line.read(path, **options))
            await asyncio.sleep(3)
            assert not following.done(), "it was quiet for twice the proxy's patience"
            assert proxy.cuts == 0
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    await server.call("POST", f"executions/{execution}/cancel")
    await server.ended(execution)


async def test_a_buffering_proxy_passes_on_what_asks_for_it_and_loses_nothing_where_it_is_deaf(
    server: Caller,
) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    path = server.path(f"executions/{execution}/stream")
    async with (
        asyncio.timeout(DEADLINE_S),
        Proxy(port(server), buffering="obeys") as proxy,
        line_through(server, proxy) as line,
        line.http.stream("GET", path, headers=server.user_headers) as response,
    ):
        async for text in response.aiter_lines():
            if '"tool_call"' in text:
                break  # it runs still, and is seen
    async with Proxy(port(server), buffering="deaf") as proxy, line_through(server, proxy) as line:
        following = asyncio.create_task(follow_by_header(line, execution))
        page = await line.http.get(server.path(f"executions/{execution}/events"), headers=server.user_headers)
        assert [event["type"] for event in page.json()["items"]][-1] == "tool_call", (
            "polling sees it meanwhile"
        )
        await server.call("POST", f"executions/{execution}/cancel")
        async with asyncio.timeout(DEADLINE_S):
            events = await following
    assert events == (await server.get(f"executions/{execution}/events"))["items"]
    assert events[-1]["type"] == "cancelled"


async def test_behind_a_proxy_that_holds_streams_back_the_python_client_reads_page_by_page(
    server: Caller,
) -> None:
    """It is told of each event while the run goes on, loses none, and tries no stream again at once."""
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    async with Proxy(port(server), buffering="deaf") as proxy, asyncio.timeout(DEADLINE_S):
        url = str(server.http.base_url.copy_with(port=proxy.port))
        transport = await Transport.open(url, token=server.app.identity_provider.token)
        seen: list[Any] = []
        async with aclosing(follow(transport, execution, quiet_s=0.5)) as events:
            async for event in events:
                seen.append(event)
                if event.type == "tool_call":
                    state = await server.get(f"executions/{execution}")
                    assert state["status"] == "running", "it was told while it runs"
                    await server.call("POST", f"executions/{execution}/cancel")
        assert seen[-1].type == "cancelled"
        run = AsyncRun(transport, execution)
        assert (await run.wait()).status == "cancelled"
        assert [event.id async for event in run.events(from_event=2)] == [event.id for event in seen[1:]]
        assert [event async for event in run.events(from_event=seen[-1].id + 1)] == []
        await transport.close()
    log = (await server.get(f"executions/{execution}/events"))["items"]
    assert [event.id for event in seen] == [event["id"] for event in log]
