"""One canary for each secret that a server holds: none is in any byte it writes, however it is spelled."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from tests.support.messages_api import Call, Failure, MessagesApi, Say

from .caller import Caller

NOT_OURS = re.compile(r"/\?token=\w+$|^INFO httpx2 HTTP Request: GET .*\?token=")
"""Jupyter's invitation on its terminal, and what this test's own client says of what it asked."""
ODD = '"\\/+ü\n'
"""Letters that each spelling writes differently."""


def canary(place: str, odd: str = "") -> str:
    return f"{place}-{secrets.token_hex(16)}{odd}{secrets.token_hex(16)}"


def spellings(value: str) -> set[bytes]:
    """As it is, in base64 at each of the three offsets, hex, URL-encoded, JSON-escaped (ASCII or not)."""
    raw = value.encode()
    found = {value, raw.hex(), raw.hex().upper(), quote(value, safe=""), quote(value), quote_plus(value)}
    found |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found |= {encode(b"\0" * shift + raw).decode()[4:-4] for shift in range(3)}
    return {each.encode() for each in found}


MODEL_KEY = canary("model")


@pytest.fixture
async def api() -> AsyncIterator[MessagesApi]:
    show = (
        "env; env | base64 -w0; printf %s \"$CANARY\" | od -An -v -tx1 | tr -d ' \\n'; cat /proc/self/environ"
    )
    long = "for i in $(seq 2000); do echo line $i $CANARY; done; exit 3"
    script = [
        Call("bash", {"command": show}), Call("bash", {"command": long}),
        Call("python", {"code": "import os\nx = os.environ['CANARY']\nprint(x)\nraise ValueError(x)"}),
        Say("Done."),
        Failure(401, "authentication_error", "invalid x-api-key"),
    ]  # fmt: skip
    async with MessagesApi(script, api_key=MODEL_KEY) as api:
        yield api


ENCRYPTION_KEY = secrets.token_hex(32)


@pytest.fixture
def settings(api: MessagesApi, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    # As variables: what stands in Jupyter's configuration files, Jupyter itself logs at DEBUG.
    monkeypatch.setenv("ANTHROPIC_API_KEY", MODEL_KEY)
    monkeypatch.setenv("ENCRYPTION_KEY", ENCRYPTION_KEY)
    return {"base_url": api.url}


@pytest.fixture
def debug_log() -> Iterator[io.StringIO]:
    """Everything that anybody logs, at DEBUG."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)
    handler.close()


async def test_no_canary_is_in_any_byte_that_the_server_wrote(
    debug_log: io.StringIO,
    server: Caller,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ServerApp", "CloutAgent", "tornado.access"):
        logging.getLogger(name).setLevel(logging.DEBUG)
        logging.getLogger(name).propagate = True
    server.app.log.setLevel(logging.DEBUG)
    created = await server.create(
        agent={
            "task": "Go.", "tools": ["bash", "python"], "permissions": {"bash": "allow", "python": "allow"},
            "env": {"CANARY": "{{secret:CANARY}}"},
        }
    )  # fmt: skip
    project = created["id"]
    cookie = canary("cookie")
    places = {
        "secret": canary("secret", ODD),
        "second": canary("second", ODD),
        "model key": MODEL_KEY,
        "encryption key": ENCRYPTION_KEY,
        "API key": created["api_key"].split("_", 2)[2],
        "Jupyter token": server.app.identity_provider.token,
        "cookie": cookie,
    }
    bodies: list[bytes] = []

    async def call(method: str, path: str, **options: Any) -> Any:
        headers = {"Cookie": f"username-127-0-0-1-8888={cookie}", **(options.pop("headers", None) or {})}
        answer = await server.call(method, path, headers=headers, **options)
        bodies.append(answer.content + json.dumps(dict(answer.headers)).encode())
        return answer

    # Kept, replaced, listed, refused, deleted.
    for name, value in (("CANARY", "second"), ("CANARY", "secret"), ("OTHER", "second")):
        assert (
            await call("POST", f"projects/{project}/secrets", json={"name": name, "value": places[value]})
        ).is_success
    almost = json.dumps({"name": "BAD", "value": places["secret"]})
    for body in (almost[:-1], almost.replace("BAD", "B D"), f"[{almost}]", almost.replace("value", "valeu")):
        assert (await call("POST", f"projects/{project}/secrets", content=body.encode())).status_code == 400
    await call("DELETE", f"projects/{project}/secrets/OTHER")
    # Run: what a command and a kernel print comes back, and so does a failure of the model service.
    executions = [await server.execute(project)]
    states = [await server.ended(executions[0])]
    executions.append(await server.execute(project, key=created["api_key"]))
    states.append(await server.ended(executions[1]))
    assert [state["status"] for state in states] == ["completed", "failed"], states[0]["error"]
    for execution in executions:
        bodies.append(json.dumps(await server.events(execution)).encode())
        await call("GET", f"executions/{execution}")
        await call("GET", f"executions/{execution}/files")
    # Looked at from all sides.
    for path in ("projects", f"projects/{project}", f"projects/{project}/secrets", f"projects/{project}/keys",
                 "models", "executions", f"projects/{project}/files"):  # fmt: skip
        assert (await call("GET", path)).is_success
    await call("POST", f"projects/{project}/validate", json={})
    await call("GET", f"projects?token={places['Jupyter token']}", nobody=True)
    await call("GET", f"projects/{project}", headers={"X-API-Key": created["api_key"] + "x"})

    # A bug of ours, with everything at hand.
    def bug(*_: Any) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(server.extension.services.secrets, "_list", bug)
        patch.setattr(server.extension.services.secrets, "_set", bug)
        assert (await call("GET", f"projects/{project}/secrets")).status_code == 500
        answer = await call(
            "POST", f"projects/{project}/secrets", json={"name": "A", "value": places["secret"]}
        )
        assert answer.status_code == 500
    assert (await call("DELETE", f"projects/{project}")).status_code in (204, 409)

    assert b"[masked]" in b"".join(bodies)
    assert "a bug" in debug_log.getvalue()
    log = [line for line in debug_log.getvalue().splitlines() if not NOT_OURS.search(line)]
    assert len(log) > 100
    written = {"bodies": b"\n".join(bodies), "log": "\n".join(log).encode()}
    for path in (tmp_path / "cloutagent").rglob("*"):
        if path.is_file() and not path.is_symlink():
            written[str(path)] = path.read_bytes()
    hits = [
        (place, where)
        for place, value in places.items()
        for where, data in written.items()
        if any(spelling in data for spelling in spellings(value))
    ]
    assert hits == []
    assert len(written) > 10
