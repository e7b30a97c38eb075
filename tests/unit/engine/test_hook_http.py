"""Hooks that are addresses, against a real server on loopback: answers, redirects, slow and huge ones."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.hooks.answers import Answer, read
from cloutagent_ext.engine.masking import NOTHING, Mask
from tests.support.patience import Promised

from .hooked import actions, hook, parsed

Heard = dict[str, Any]
Respond = Callable[[Heard, asyncio.StreamWriter], Awaitable[None]]


class Address:
    """A server that answers each path as the test says, and keeps what it heard."""

    def __init__(self) -> None:
        self.paths: dict[str, Respond] = {}
        self.heard: list[Heard] = []
        self.port = 0
        self.left = asyncio.Event()
        """A caller went away before it was answered."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                method, path, _ = first.split(" ")
                headers = {
                    name.lower(): value for name, _, value in (each.partition(": ") for each in lines if each)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                heard = {"method": method, "path": path, "headers": headers, "body": body}
                self.heard.append(heard)
                await self.paths[path](heard, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        finally:
            writer.close()


def answers(body: bytes | str = b"", status: int = 200, **headers: str) -> Respond:
    data = body.encode() if isinstance(body, str) else body

    async def respond(_: Heard, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

    return respond


@pytest.fixture
async def address() -> AsyncIterator[Address]:
    made = Address()
    server = await asyncio.start_server(made.connected, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@asynccontextmanager
async def asking(
    tmp_path: Path, url: str, *, mask: Mask = NOTHING, headers: dict[str, str] | None = None, **more: Any
) -> AsyncIterator[Callable[[], Awaitable[Answer]]]:
    definition = hook("guard", {"type": "http", "url": url}, **more)
    one = parsed(definition)
    async with actions(tmp_path, definition, headers={"guard": headers or {}}) as made:

        async def ask() -> Answer:
            return read(one, await made.run(one, {"hook_event_name": one.event, "tool_name": "bash"}), mask)

        yield ask


async def test_the_event_is_posted_as_json_with_the_headers_and_the_answer_decides(
    tmp_path: Path, address: Address
) -> None:
    address.paths["/x"] = answers('{"decision": "block", "reason": "policy 7"}')
    async with asking(tmp_path, f"{address.url}/x", headers={"Authorization": "Bearer abc"}) as ask:
        answer = await ask()
    assert (answer.permission, answer.reason) == ("deny", "policy 7")
    (heard,) = address.heard
    assert heard["method"] == "POST"
    assert json.loads(heard["body"]) == {"hook_event_name": "PreToolUse", "tool_name": "bash"}
    assert heard["headers"]["authorization"] == "Bearer abc"
    assert heard["headers"]["content-type"] == "application/json"


async def test_an_empty_answer_has_no_objection_and_plain_text_is_context(
    tmp_path: Path, address: Address
) -> None:
    address.paths["/"] = answers(status=204)
    async with asking(tmp_path, f"{address.url}/") as ask:
        assert (await ask()).outcome == "allow"
    address.paths["/"] = answers("it is Monday")
    async with asking(tmp_path, f"{address.url}/", event="UserPromptSubmit") as ask:
        assert (await ask()).context == "it is Monday"


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
async def test_any_other_status_is_a_failure_that_says_it(
    tmp_path: Path, address: Address, status: int
) -> None:
    address.paths["/"] = answers("out of order", status)
    async with asking(tmp_path, f"{address.url}/") as ask:
        answer = await ask()
    assert (answer.permission, answer.outcome) == ("deny", "failed")
    assert f"answered {status}: out of order" in answer.failed


async def test_a_redirect_to_another_origin_is_not_followed_and_takes_no_secret_along(
    tmp_path: Path, address: Address
) -> None:
    other = Address()
    other.paths["/stolen"] = answers("{}")
    async with await asyncio.start_server(other.connected, "127.0.0.1", 0) as server:
        other.port = server.sockets[0].getsockname()[1]
        for status in (301, 302, 303, 307, 308):
            address.paths["/"] = answers("", status, Location=f"{other.url}/stolen")
            async with asking(tmp_path, f"{address.url}/", headers={"X-Key": "abc"}) as ask:
                answer = await ask()
            assert answer.outcome == "failed"
            assert "redirects" in answer.failed
        address.paths["/"] = answers("", 307, Location=f"http://localhost:{address.port}/")
        async with asking(tmp_path, f"{address.url}/") as ask:
            assert (await ask()).outcome == "failed", "another name of this machine is another origin"
    assert other.heard == []


async def test_a_redirect_within_the_origin_is_followed_where_it_keeps_the_call(
    tmp_path: Path, address: Address
) -> None:
    address.paths["/old"] = answers("", 308, Location="/new")
    address.paths["/new"] = answers('{"decision": "block", "reason": "new"}')
    async with asking(tmp_path, f"{address.url}/old") as ask:
        assert (await ask()).reason == "new"
    assert [(heard["method"], heard["path"]) for heard in address.heard] == [
        ("POST", "/old"),
        ("POST", "/new"),
    ]
    assert address.heard[1]["body"] == address.heard[0]["body"]
    address.paths["/old"] = answers("", 307, Location="/old")
    async with asking(tmp_path, f"{address.url}/old") as ask:
        assert "more than" in (await ask()).failed


async def test_a_slow_answer_fails_in_time_however_steadily_it_drips(
    tmp_path: Path, address: Address, promised: Promised
) -> None:
    async def drip(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)

    address.paths["/"] = drip
    with promised(5):
        async with asking(tmp_path, f"{address.url}/", timeout_s=1) as ask:
            answer = await ask()
        assert "had not answered after 1 s" in answer.failed


async def test_a_huge_answer_fails_and_costs_little(tmp_path: Path, address: Address) -> None:
    async def pour(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 100_000)
            await writer.drain()

    address.paths["/"] = pour
    async with asking(tmp_path, f"{address.url}/") as ask:
        tracemalloc.start()
        try:
            answer = await ask()
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert "more than 65,536 bytes" in answer.failed
        await asyncio.wait_for(address.left.wait(), 60)
    assert most < 10_000_000


async def test_a_small_answer_that_unpacks_into_a_large_one_is_refused(
    tmp_path: Path, address: Address
) -> None:
    address.paths["/"] = answers(gzip.compress(b" " * 50_000_000), 200, Content_Encoding="gzip")
    async with asking(tmp_path, f"{address.url}/") as ask:
        assert "compressed" in (await ask()).failed
    assert address.heard[0]["headers"]["accept-encoding"] == "identity"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://127.0.0.1:99999/", "http://[::1"])
async def test_nobody_there_is_a_failure(tmp_path: Path, url: str) -> None:
    async with asking(tmp_path, url) as ask:
        answer = await ask()
    assert answer.outcome == "failed"
    assert "cannot be called" in answer.failed


async def test_no_secret_of_the_address_or_the_headers_is_told(tmp_path: Path, address: Address) -> None:
    async def echo(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await answers(heard["headers"]["x-key"], 500)(heard, writer)

    address.paths["/p?token=t0ps3cret"] = echo
    url = f"http://user:passw0rd@127.0.0.1:{address.port}/p?token=t0ps3cret"
    async with asking(tmp_path, url, headers={"X-Key": "s3cret-value"}, mask=Mask(["s3cret-value"])) as ask:
        told = (await ask()).told()
    assert f"http://127.0.0.1:{address.port}/p answered 500: [masked]" in told
    for secret in ("s3cret-value", "passw0rd", "t0ps3cret"):
        assert secret not in told


async def test_a_cancelled_call_hangs_up(tmp_path: Path, address: Address, promised: Promised) -> None:
    reached = asyncio.Event()

    async def hold(_: Heard, writer: asyncio.StreamWriter) -> None:
        reached.set()

    address.paths["/"] = hold
    async with asking(tmp_path, f"{address.url}/", timeout_s=600) as ask:
        task = asyncio.ensure_future(ask())
        await asyncio.wait_for(reached.wait(), 60)
        task.cancel()
        with promised(5):
            await asyncio.wait({task})
        assert task.cancelled()
        await asyncio.wait_for(address.left.wait(), 60)


async def test_the_servers_proxy_is_not_asked(
    tmp_path: Path, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:pass@127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    address.paths["/"] = answers("{}")
    async with asking(tmp_path, f"{address.url}/") as ask:
        assert (await ask()).outcome == "allow"
