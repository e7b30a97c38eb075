"""Promise P10: whatever is done with a project that came from elsewhere, nothing of it runs by itself."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.support.archives import zipped

from .caller import Caller, code


def trap(sentinel: Path) -> bytes:
    """A project that would make the file `sentinel` in every way a project can."""
    touch = ["touch", str(sentinel)]
    code_text = f"__import__('pathlib').Path({str(sentinel)!r}).touch()"
    hook = {"event": "SessionStart", "name": "h", "action": {"type": "command", "command": touch}}
    servers = {
        "a": {"type": "stdio", "command": "touch", "args": [str(sentinel)]},
        "b": {
            "type": "stdio",
            "command": "sh",
            "args": ["-c", f"touch {sentinel}"],
            "env": {"BASH_ENV": "x"},
        },
    }
    agent = {
        "system_prompt": "",
        "task": f"{{{{ {code_text} }}}} {{% {code_text} %}} ${{{code_text}}} `touch {sentinel}`",
        "env": {"LD_PRELOAD": str(sentinel)},
        "tools": ["bash"],
        "permissions": {"bash": "allow"},
    }
    members = [
        ("metadata.json", json.dumps({"name": "Trap", "schema_version": 1}).encode()),
        ("agent.config.json", json.dumps({k: v for k, v in agent.items() if k != "system_prompt"}).encode()),
        ("prompts/main-prompt.txt", f"You are {{{{ {code_text} }}}}".encode()),
        ("hooks/h.json", json.dumps(hook).encode()),
        ("mcps/mcp-config.json", json.dumps({"mcpServers": servers}).encode()),
        ("files/sitecustomize.py", f"{code_text}\n".encode()),
        ("files/conftest.py", f"{code_text}\n".encode()),
        ("files/.envrc", f"touch {sentinel}\n".encode()),
        ("files/Makefile", f"all:\n\ttouch {sentinel}\n".encode()),
    ]
    return zipped(members, honest=False)


async def test_a_project_from_elsewhere_is_looked_at_in_every_way_and_nothing_of_it_runs(
    server: Caller, tmp_path: Path
) -> None:
    sentinel = tmp_path / "it-ran"
    came = await server.call(
        "POST",
        "projects/import",
        content=trap(sentinel),
        headers={"Content-Type": "application/zip"},
    )
    assert came.status_code == 201, came.text
    pid = came.json()["id"]
    base = f"projects/{pid}"
    assert (await server.get(base))["trusted"] is False
    for path in (
        *("projects", base, f"{base}/files", f"{base}/versions", f"{base}/versions/1", f"{base}/keys"),
        *(f"{base}/files/sitecustomize.py", f"{base}/secrets", "executions", "tools", "backups"),
    ):
        assert (await server.call("GET", path)).status_code == 200, path
    for form in ("zip", "tar.gz", "claude"):
        assert (await server.call("GET", f"{base}/export?format={form}")).status_code == 200
    assert (await server.call("POST", f"{base}/validate")).status_code == 200
    copy = await server.call("POST", f"{base}/duplicate")
    assert (copy.status_code, copy.json()["trusted"]) == (201, False)
    definition = await server.get(base)
    definition["description"] = "changed"
    saved = await server.call("PUT", base, json=definition)
    assert (saved.status_code, saved.json()["trusted"]) == (200, False)
    assert (await server.call("GET", f"{base}/versions/1/diff/2")).status_code == 200
    assert (await server.call("POST", f"{base}/versions/1/restore")).status_code == 200
    backup = (await server.call("POST", "backups")).json()["name"]
    assert (await server.call("POST", f"backups/{backup}/restore", json={"project": pid})).status_code == 200
    for key in (None, came.json()["api_key"]):
        refused = await server.call("POST", f"{base}/execute", json={"prompt": "go"}, key=key)
        assert refused.status_code in (400, 409), refused.text
        assert code(refused) in ("NOT_TRUSTED", "INVALID_PROJECT", "NOT_SUPPORTED")
    assert (await server.call("DELETE", base)).status_code == 204
    await asyncio.sleep(0)
    assert not sentinel.exists()
