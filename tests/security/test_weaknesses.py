"""Published weaknesses of others, tried on ours: those that no other test's subject covers.

`docs/security.md` has them all, each with the test that would fail if we had it, too.
"""

from __future__ import annotations

import ast
import asyncio
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
from packaging.requirements import Requirement

from cloutagent_ext.server.openapi import document
from cloutagent_ext.server.route import Route
from cloutagent_ext.server.routes import ROUTES
from tests.server.caller import Caller, code
from tests.server.test_access import UNKNOWN, address, browser, sending  # noqa: F401
from tests.support import traversal

ROOT = Path(__file__).parents[2]
SCHEMAS = document()["components"]["schemas"]
SCOPES = {
    "read": {
        "read_contract", "list_tools", "list_models", "list_templates", "list_projects", "read_project",
        "validate_project", "list_executions", "read_execution", "list_events", "stream_execution",
        "read_notebook", "list_execution_files", "read_execution_file", "read_trace",
    },
    "execute": {"upload", "execute", "cancel_execution"},
    "approve": {"decide_approval"},
}  # fmt: skip
"""What a key with this scope, and no other, may call."""


async def test_a_scope_opens_its_routes_and_no_others(server: Caller) -> None:
    """n8n GHSA-h3jj: starting something again needed no more than the right to read."""
    project = await server.create()
    execution = await server.execute(project["id"])
    await server.ended(execution)
    routes = [route for route in ROUTES if route.access.kind == "key"]
    assert {route.operation_id for route in routes} == set().union(*SCOPES.values())
    for scope, opened in SCOPES.items():
        made = await server.call(
            "POST", f"projects/{project['id']}/keys", json={"name": scope, "scopes": [scope]}
        )
        for route in routes:
            response = await server.call(
                route.method,
                address(route, project["id"], execution),
                key=made.json()["api_key"],
                **sending(route),
            )
            refused = response.status_code == 403
            assert refused == (route.operation_id not in opened), (scope, route)


async def test_no_field_of_any_schema_smuggles_something_into_a_run(server: Caller) -> None:
    """Langflow CVE-2026-33017: a flow in an optional field of the request was run."""
    project = await server.create()
    path = f"projects/{project['id']}"
    before = await server.get(path)
    schemas = SCHEMAS
    fields = {name for schema in schemas.values() for name in schema.get("properties", {})}
    own = set(schemas["ExecuteRequest"]["properties"])
    assert len(fields - own) > 150
    for name in sorted(fields - own):
        for value in ("x", {"name": "Evil", "agent": {"task": "evil"}}):
            body = {"prompt": "Go.", name: value}
            response = await server.call("POST", f"{path}/execute", json=body, key=project["api_key"])
            if response.status_code == 429:
                server.extension.context.gate.limits.requests.per_minute = 10**6
                server.extension.context.gate.limits.requests._buckets.clear()
                response = await server.call("POST", f"{path}/execute", json=body, key=project["api_key"])
            assert (response.status_code, code(response)) == (400, "INVALID_REQUEST"), name
    assert await server.get(path) == before
    assert (await server.get("executions"))["items"] == []


def parameters() -> Iterator[tuple[Route, str]]:
    for route in ROUTES:
        for name in route.parameters:
            yield route, name


async def test_no_part_of_any_address_leads_to_a_file_outside(server: Caller, tmp_path: Path) -> None:
    """Flowise's `chatId`: every id becomes a part of a path somewhere, in every route."""
    project = await server.create()
    execution = await server.execute(project["id"])
    await server.ended(execution)
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    names = traversal.names(root, outside)
    assert len(names) >= 100
    corpus = [name for name in names if name.isprintable()]
    for number, (route, part) in enumerate(parameters()):
        for name in corpus[number % 5 :: 5]:
            # Dots encoded too: a client would take `..` away before it sends it.
            odd = quote(name.encode("utf-8", "surrogatepass"), safe="").replace(".", "%2E")
            values = {"project_id": project["id"], "execution_id": execution}
            values[part] = odd
            path = _with(route, values)
            response = await server.call(route.method, path, **sending(route))
            assert response.status_code != 500, (route, name)
            assert traversal.SECRET not in response.text
            assert b"root:" not in response.content
            if part != "path" and route.method == "GET":
                assert response.status_code in (400, 404), (path, name)
    for file in (tmp_path, server.extension.services.settings.data_dir.parent):
        assert not list(file.glob("secret.txt"))
    assert (await server.get(f"projects/{project['id']}"))["name"] == project["name"]


PLAIN = {
    "path": "a.txt", "key_id": "nobody", "name": "NOBODY", "cassette_id": "0123456789abcdef", "version": "1",
    "other": "1", "mcp": "nobody", "hook": "nobody", "call_id": "toolu_1",
}  # fmt: skip


def _with(route: Route, values: dict[str, str]) -> str:
    known = PLAIN | values
    filled = re.sub(r"\{([a-z_]+)(\.\.\.)?\}", lambda match: known[match[1]], route.path)
    return f"/cloutagent/api/{filled}"


async def test_what_is_validated_is_never_executed(server: Caller, tmp_path: Path) -> None:
    """Langflow CVE-2025-3248: decorators and defaults of submitted code ran while it was "validated"."""
    project = await server.create()
    sentinel = tmp_path / "it-ran"
    touch = f"__import__('pathlib').Path({str(sentinel)!r}).touch()"
    payloads = [
        f"@exec({touch!r})\ndef f(x={touch}): pass",
        f"{{{{ {touch} }}}}",
        f"{{% set x = {touch} %}}",
        f"!!python/object/apply:os.system ['touch {sentinel}']",
        f"${{{touch}}}",
        f"`touch {sentinel}`",
        f"$(touch {sentinel})",
        f"=cmd|' /C touch {sentinel}'!A0",
    ]
    for payload in payloads:
        definition = {
            "name": payload[:200],
            "agent": {"system_prompt": payload, "task": payload, "output_schema": {"description": payload}},
            "variables": {"x": {"description": payload, "default": payload}},
            "hooks": [
                {"id": "h", "name": "h", "event": "PreToolUse", "matcher": payload,
                 "action": {"type": "command", "command": ["sh", "-c", payload]}},
            ],
            "mcps": [{"id": "m", "name": "m", "command": "sh", "args": ["-c", payload]}],
        }  # fmt: skip
        for key in (None, project["api_key"]):
            response = await server.call(
                "POST", f"projects/{project['id']}/validate", json=definition, key=key
            )
            assert response.status_code in (200, 400), response.text
    assert not sentinel.exists()


async def test_expressions_in_prompts_and_variables_stay_text(server: Caller) -> None:
    """n8n CVE-2025-68613 and its successors: one sandbox of expressions after the other was left."""
    project = await server.create(
        agent={"task": "{{x}}"}, variables={"x": {"required": True}, "y": {"default": "not this"}}
    )
    await server.script(project["id"], {"text": "I was told: {{prompt}}"})
    for text in (
        "{{7*7}}", "{{x.__class__.__mro__}}", "{{''.__class__}}", "{{x|attr('y')}}", "{{ x.constructor }}",
        "{{constructor.constructor('return process')()}}", "${7*7}", "<%= 7*7 %>", "#{7*7}", "{% if 1 %}",
        "%(x)s", "{x}", "{0.__class__}", "{{y}}", "{{execution_id}}", "{{ x }}",
    ):  # fmt: skip
        execution = await server.execute(project["id"], prompt=None, variables={"x": text})
        state = await server.ended(execution)
        assert state["status"] == "completed", state
        assert state["result"]["text"] == f"I was told: {text}"


FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "shelve", "marshal", "dill", "yaml", "jinja2", "mako", "jsonpickle"}
RUN_OUTSIDE = {
    "engine/arguments.py": "loads one library of ours by its own constant name, in a thread",
}
"""Files in which one of these words stands, each with its reason."""


def test_no_code_of_ours_makes_code_or_objects_out_of_text() -> None:
    """Flowise CVE-2025-59528 (`Function()` on configuration), LangGraph's deserialising GHSAs."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "cloutagent_ext").rglob("*.py"):
        name = path.relative_to(ROOT / "cloutagent_ext").as_posix()
        if name.startswith("templates/"):
            continue  # files of starter projects
        for node in ast.walk(ast.parse(path.read_text())):
            words: set[str] = set()
            if isinstance(node, ast.Name):
                words = {node.id} & FORBIDDEN_CALLS
            elif isinstance(node, ast.Import):
                words = {alias.name.partition(".")[0] for alias in node.names} & FORBIDDEN_MODULES
            elif isinstance(node, ast.ImportFrom):
                words = {(node.module or "").partition(".")[0]} & FORBIDDEN_MODULES
            if words:
                found.setdefault(name, set()).update(words)
    assert set(found) == set(RUN_OUTSIDE), found


def test_no_page_of_ours_takes_text_as_markup() -> None:
    """JupyterLab CVE-2024-43805, CVE-2021-32797: text goes through React's or Lab's own renderers."""
    sources = [
        path
        for path in (ROOT / "labextension/src").rglob("*.ts*")
        if ".spec." not in path.name and "generated" not in path.name
    ]
    assert len(sources) > 50
    for path in sources:
        text = path.read_text()
        for word in (
            "dangerouslySetInnerHTML",
            ".innerHTML =",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ):
            assert word not in text, (path, word)


def test_the_web_server_is_one_whose_parsers_are_mended() -> None:
    """Tornado CVE-2025-67725, 67726, CVE-2026-49853, 49855: forms that took square time, bombs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [tornado] = [each for each in map(Requirement, project["dependencies"]) if each.name.lower() == "tornado"]
    assert not tornado.specifier.contains("6.5.5")
    assert tornado.specifier.contains("6.5.6")


async def test_forms_of_a_hundred_thousand_parts_hold_up_nobody(server: Caller) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n'
    forms = [
        part * 100_000 + b"--b--\r\n",
        b"--b\r\n" + b"A: b\r\n" * 500_000,
        b"--b\r\nContent-Disposition: form-data; " + b'name="a"; ' * 300_000 + b"\r\n\r\nx\r\n--b--\r\n",
        b"--b" * 1_000_000,
    ]
    for form in forms:
        sent = asyncio.create_task(
            server.call(
                "POST", "projects/import", content=form,
                headers={"Content-Type": "multipart/form-data; boundary=b"},
            )
        )  # fmt: skip
        beside = 0
        async with asyncio.timeout(60):
            while not sent.done():
                assert (await server.call("GET", "/cloutagent/api/health", nobody=True)).status_code == 200
                beside += 1
        assert (await sent).status_code in (400, 422)
        assert beside


async def test_another_sites_page_cannot_embed_what_a_cookie_opens(
    server: Caller,
    browser: httpx2.AsyncClient,  # noqa: F811
) -> None:
    """jupyter_server CVE-2023-40170, JupyterHub CVE-2026-40864: a file as image or script of another page."""
    project = await server.create()
    await server.call("PUT", f"projects/{project['id']}/files/a.js", content=b"secret()")
    for path in (f"projects/{project['id']}/files/a.js", f"projects/{project['id']}/export", "projects"):
        where = server.path(path)
        for mode, expected in (("no-cors", 403), ("navigate", 200)):
            headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
            assert (await browser.get(where, headers=headers)).status_code == expected, (path, mode)
        own = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors"}
        assert (await browser.get(where, headers=own)).status_code == 200
