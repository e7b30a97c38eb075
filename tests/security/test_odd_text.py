"""Odd text wherever a caller, a model or a tool can give some: refused with a reason or kept as it is.

Never a 500, never a second frame, header or log line.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloutagent_ext.executions.log import EventLog
from cloutagent_ext.server.stream import _frames
from tests.server.caller import Caller, code
from tests.support.live_server import LiveServer, live_server
from tests.support.odd_text import ODD, SURROGATES

JSON = {"Content-Type": "application/json"}


def by_the_standard(stream: bytes) -> list[dict[str, Any]]:
    """Frames as WHATWG has them parsed: CR, LF and CRLF all end a line, a BOM is left out."""
    lines = re.split(r"\r\n|\n|\r", stream.decode("utf-8", "replace").removeprefix("\ufeff"))
    found: list[dict[str, Any]] = []
    data: list[str] = []
    last = ""
    for line in lines:
        name, _, value = line.partition(":")
        if not line:
            if data:
                found.append({"id": last, "data": "\n".join(data)})
            data = []
        elif name == "data":
            data.append(value.removeprefix(" "))
        elif name == "id" and "\0" not in value:
            last = value.removeprefix(" ")
        else:
            assert name in ("", "retry"), f"a line that nobody meant: {line[:80]!r}"
    return found


@pytest.mark.parametrize("settings", [{"simulated_pace": 0.0}])
async def test_nothing_that_a_model_or_tool_says_makes_a_frame_of_its_own(server: Caller) -> None:
    project = await server.create(agent={"tools": ["file_create"], "permissions": {"file_create": "allow"}})
    odd = "".join(text for text in ODD.values() if len(text) < 5000)
    turn = {
        "text": odd,
        "tools": [{"name": "file_create", "as": "a", "input": {"path": "a.txt", "content": odd}}],
    }
    await server.script(project["id"], turn, {"text": odd})
    execution = await server.execute(project["id"], prompt=odd, metadata={odd[:100]: odd})
    state = await server.ended(execution)
    assert state["status"] == "completed", state["error"]
    for path in (f"executions/{execution}/stream", f"stream?watch={execution}:1"):
        async with server.http.stream("GET", server.path(path), headers=server.user_headers) as response:
            received = b""
            async with asyncio.timeout(90):
                async for piece in response.aiter_raw():
                    received += piece
                    if b'"type":"complete"' in received and received.endswith(b"\n\n"):
                        break
        assert received.isascii()
        frames = [json.loads(frame["data"]) for frame in by_the_standard(received)]
        events = [frame.get("event", frame) for frame in frames if "state" not in frame]
        assert [event["id"] for event in events] == list(range(1, len(events) + 1))
        assert [event["type"] for event in events].count("complete") == 1
        said = "".join(event["content"] for event in events if event["type"] == "text")
        assert said == odd + odd


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=[])) | st.sampled_from(sorted(ODD.values(), key=len)[:20]),
        min_size=1,
        max_size=4,
    )
)
async def test_one_event_is_one_frame_whatever_characters_it_holds(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    log = await EventLog.create(tmp_path_factory.mktemp("log"))
    for text in texts:
        log.write("text", agent=text, span=text, content=text, **{"more": {text: text}})
    log.write("complete", usage={}, total_cost_usd=0.0, duration_ms=1, result=None)
    frames = by_the_standard(b"".join([piece async for piece in _frames(log, 1)]))
    assert [frame["id"] for frame in frames] == [str(number) for number in range(1, len(texts) + 2)]
    assert [json.loads(frame["data"])["content"] for frame in frames[:-1]] == texts
    await log.close()


async def test_every_field_that_takes_text_takes_any_or_says_why_not(server: Caller) -> None:
    project = await server.create()
    path = f"projects/{project['id']}"
    definition = await server.get(path)
    calls: list[tuple[str, str, Any]] = [
        ("POST", "projects", lambda text: {"name": text}),
        ("POST", f"{path}/execute", lambda text: {"prompt": text}),
        ("POST", f"{path}/execute", lambda text: {"prompt": "Go.", "variables": {text: text}}),
        ("POST", f"{path}/execute", lambda text: {"prompt": "Go.", "metadata": {text: [text]}}),
        ("POST", f"{path}/execute", lambda text: {"files": [{"path": text, "upload_id": text}]}),
        ("POST", f"{path}/execute", lambda text: {"batch": {"id": text, "max_cost_usd": 1}}),
        ("POST", f"{path}/keys", lambda text: {"name": text}),
        ("POST", f"{path}/secrets", lambda text: {"name": text, "value": text}),
        ("POST", f"{path}/secrets", lambda text: {"name": "ODD", "value": text}),
        ("POST", f"{path}/versions", lambda text: {"label": text}),
        ("PATCH", f"{path}/ui", lambda text: {"notes": [{"id": text, "text": text}]}),
        ("POST", f"{path}/trust", lambda text: {"hash": text}),
        ("POST", f"{path}/validate", lambda text: {"name": text}),
        (
            "PUT",
            path,
            lambda text: {**definition, "name": text, "agent": {"system_prompt": text, "task": text}},
        ),
        ("POST", f"{path}/validate", lambda text: {"name": "A", "agent": {"env": {text: text}}}),
        ("POST", f"{path}/validate", lambda text: {"name": "A", "agent": {"tools": [text]}}),
    ]  # fmt: skip
    for name, text in ODD.items():
        answers = await asyncio.gather(
            *(server.call(method, where, json=body(text)) for method, where, body in calls)
        )
        for response, (method, where, _) in zip(answers, calls, strict=True):
            assert response.status_code in (200, 201, 202, 400, 404, 409, 413, 503), (name, method, where)
            assert "X-Forged" not in response.headers
            if response.status_code >= 400:
                assert code(response) != "INTERNAL"
    for text in SURROGATES:
        for method, where, body in calls:
            content = json.dumps(body("ODD")).replace('"ODD"', text).encode()
            response = await server.call(method, where, content=content, headers=JSON)
            assert (response.status_code, code(response)) == (400, "INVALID_REQUEST"), (text, where)
    assert (await server.get("projects?limit=1000"))["items"]
    for row in (await server.get("executions?limit=1000"))["items"]:
        await server.ended(row["execution_id"])


async def test_odd_addresses_arguments_and_headers_are_refused_or_taken_and_never_a_500(
    server: Caller,
) -> None:
    project = await server.create()
    names = ("a%0d%0aX-Forged:%20yes", "%00", "%1b%5b2J", "%ff%fe", "%ed%a0%80", "..%2f..%2fetc", "%e2%80%ae")
    for odd in names:
        for path in (
            f"projects/{odd}", f"executions/{odd}", f"executions/{odd}/stream", f"projects?q={odd}",
            f"projects/{project['id']}/files/{odd}", f"projects/{project['id']}/secrets/{odd}",
            f"projects/{project['id']}/versions/{odd}", f"backups/{odd}", f"stream?watch={odd}",
            f"executions?since={odd}", f"executions?cursor={odd}", odd,
        ):  # fmt: skip
            for method in ("GET", "DELETE"):
                response = await server.call(method, path)
                assert response.status_code in (200, 204, 400, 404, 405), (method, path)
                assert "X-Forged" not in response.headers
    for header, values in {
        "Idempotency-Key": ("é", "\x7f", "a b", "x" * 300),
        "X-CloutAgent-Origin": ("é", "key", "panel\t", "x" * 300),
        "Last-Event-ID": ("-1", "1e9", "٣".encode(), "9" * 40, "\x7f"),
        "If-Match": ("*", "é", "W/", '"' * 50, "x" * 5000),
        "Accept": ("text/event-stream\x7f", ";;", "*/*;q=x"),
        "Content-Length": ("-1", "1_0", "0x10", "9" * 30),
        "User-Agent": ("\x7f\x80", "x" * 5000),
    }.items():
        for value in values:
            raw = value if isinstance(value, bytes) else value.encode("utf-8")
            request = server.http.build_request(
                "POST", server.path(f"projects/{project['id']}/execute"),
                headers=[*(server.user_headers | JSON).items()], content=b'{"prompt": "Go."}',
            )  # fmt: skip
            request.headers = type(request.headers)(
                [item for item in request.headers.raw if item[0].lower() != header.lower().encode()]
                + [(header.encode(), raw)]
            )
            try:
                response = await server.http.send(request)
            except (httpx2.HTTPError, ValueError):
                continue  # no request at all: the connection was closed, or it cannot be sent
            assert response.status_code < 500, (header, value)
    assert (await server.call("GET", "projects")).status_code == 200


async def test_a_packed_body_is_not_unpacked_and_not_mistaken(server: Caller) -> None:
    """A bomb costs nothing, and what is kept as a file is never something else than was meant."""
    project = await server.create()
    bomb = gzip.compress(b" " * 200_000_000)
    for packing in ("gzip", "deflate", "br", "gzip, gzip", "nonsense"):
        for method, path in (
            ("POST", "projects"),
            ("PUT", f"projects/{project['id']}/files/a.txt"),
            ("POST", f"projects/{project['id']}/uploads"),
            ("POST", "projects/import"),
        ):
            kind = "application/json" if path == "projects" else "application/octet-stream"
            response = await server.call(
                method, path, content=bomb, headers={"Content-Encoding": packing, "Content-Type": kind}
            )
            assert (response.status_code, code(response)) == (415, "UNSUPPORTED_MEDIA_TYPE"), (packing, path)
    plain = await server.call(
        "POST", "projects", json={"name": "Plain"}, headers={"Content-Encoding": "identity"}
    )
    assert plain.status_code == 201


# ------------------------------------------------------------ the server's log


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("log"), "--ServerApp.log_level=DEBUG") as server:
        yield server


def send(server: LiveServer, path: str, headers: dict[str, str], body: bytes | None = None) -> int:
    request = urllib.request.Request(f"{server.api}/{path}", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def test_nobody_writes_a_line_of_the_servers_log(lived: LiveServer) -> None:
    forged = "%0d%0a[C 2026-11-25 12:00:00.000 ServerApp] FORGED%0d%0a%1b[2J%1b]0;x%07%c2%85%e2%80%a8"
    proved = {"Authorization": f"token {lived.token}"}
    for headers in ({}, proved, {"X-API-Key": "ca_wrong\tFORGED\x7f"}):
        for path in (
            f"projects/{forged}",
            f"executions/{forged}/stream",
            f"projects?q={forged}",
            forged,
            f"projects?{forged}",
        ):
            send(lived, path.replace(" ", "%20"), headers)
    body = json.dumps({"name": ODD["a log line"] + ODD["terminal"], "wrong\nfield\x1b[2J": ODD["a log line"]})
    send(lived, "projects", proved | JSON, body.encode())
    send(lived, "projects", proved | JSON, json.dumps({"name": ODD["a log line"]}).encode())
    status, made = lived.request("POST", "projects", {"name": ODD["a log line"].strip() + ODD["terminal"]})
    if status == 201:
        lived.request("POST", f"projects/{made['id']}/execute", {"prompt": ODD["a log line"]})
    text = lived.log()
    assert "FORGED" in text, "the access log names what was asked, within its own line"
    assert not re.search(r"^\s*\[C [^\n]*FORGED", text, re.MULTILINE)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u2028\u2029]", text.replace("\x1b[m", ""))


def test_a_caller_cannot_fill_the_servers_log(lived: LiveServer) -> None:
    size = (lived.folder / "server.log").stat().st_size
    many = 40
    for _ in range(many):
        headers = {"X-API-Key": "k" * 20_000, "Referer": "r" * 6000, "User-Agent": "u" * 6000}
        assert send(lived, "projects/" + "x" * 30_000, headers) in (401, 429)
    grown = (lived.folder / "server.log").stat().st_size - size
    assert grown <= many * 2048, f"{grown / many:.0f} bytes a request"
