"""Every address of the live server, without a proof, with the wrong one, and with an operator who forbids.

What each route asks the operator's `Authorizer` stands here a second time, by hand, so that
a changed row of the table is a changed row of this page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer

from cloutagent_ext.server.route import Route
from cloutagent_ext.server.routes import ROUTES
from tests.server.caller import Caller, code
from tests.server.test_access import PUBLIC, UNKNOWN, address, live_routes, sending

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
EXECUTES = {
    "backtest_hook", "upload", "execute", "cancel_execution", "decide_approval", "resume_execution",
    "fork_execution", "test_mcp", "answer_call",
}  # fmt: skip
"""Routes that start, stop or go on with something; the right to change a project is not enough for them."""
READS = {"validate_project"}
"""Takes a body and changes nothing."""


ADMINISTERS = {"read_backup"}
"""Reads, but everything at once: hashes of keys and encrypted secrets with it."""


def wanted(route: Route) -> str:
    if route.operation_id in ADMINISTERS:
        return "write"
    if route.operation_id in EXECUTES:
        return "execute"
    return "read" if route.method == "GET" or route.operation_id in READS else "write"


class Forbids(Authorizer):
    """An operator who allows nothing, and notes what was asked."""

    asked: list[tuple[str, str]]

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        self.asked.append((resource, action))
        return False


async def test_each_route_asks_for_its_own_permission_and_takes_no_for_an_answer(server: Caller) -> None:
    project = await server.create()
    execution = await server.execute(project["id"])
    await server.ended(execution)
    policy = Forbids(parent=server.app)
    server.app.authorizer = server.app.web_app.settings["authorizer"] = policy
    for route in ROUTES:
        policy.asked = []
        response = await server.call(route.method, address(route, project["id"], execution), **sending(route))
        if (route.method, route.path) in PUBLIC:
            assert (response.status_code, policy.asked) == (200, [])
            continue
        assert (response.status_code, code(response)) == (403, "FORBIDDEN"), route
        assert policy.asked == [("cloutagent", wanted(route))], route
        assert project["name"] not in response.text


def spellings(pattern: str) -> Iterator[str]:
    """Addresses that `pattern` matches, below the base URL."""
    plain = re.sub(r"\(\?P<\w+>[^)]*\)", UNKNOWN, pattern[pattern.index("cloutagent") :])
    yield plain.replace("(?:/.*)?", "/nothing").rstrip("$")


async def test_nothing_on_the_live_server_answers_without_a_proof_but_health(server: Caller) -> None:
    """All methods at all live patterns, with nothing and with proofs that are none."""
    proofs: list[dict[str, str]] = [
        {},
        {"Authorization": "token wrong"},
        {"Authorization": f"Basic {server.app.identity_provider.token}"},
        {"Cookie": "username-127-0-0-1=forged; _xsrf=x", "X-XSRFToken": "x"},
        {"X-API-Key": "ca_wrong"},
        {"X-API-Key": ""},
        {"X-Forwarded-User": "admin", "Remote-User": "admin", "X-Original-URL": "/cloutagent/api/health"},
    ]
    public = {f"cloutagent/api/{path}" for _, path in PUBLIC}
    server.extension.context.gate.limits.failures.per_minute = 10**6
    for pattern, _ in await live_routes(server):
        for path in spellings(pattern):
            for method in METHODS:
                for headers in {"GET": proofs, "POST": proofs[:4]}.get(method, proofs[:1]):
                    response = await server.http.request(method, path, headers=headers)
                    status = response.status_code
                    if path in public and method in ("GET", "HEAD"):
                        assert status == 200
                    elif method == "OPTIONS":
                        assert (status, response.content) == (204, b""), path
                    else:
                        assert status in (401, 403, 404, 405), (method, path, status, headers)
                        assert "Set-Cookie" not in response.headers


async def test_others_ids_and_ids_of_nothing_look_alike_to_a_key_down_to_the_work_they_cost(
    server: Caller,
) -> None:
    """Body, headers, and that nothing is looked up in other projects, which could be timed."""
    mine, other = await server.create("Mine"), await server.create("Other")
    theirs = await server.execute(other["id"])
    await server.ended(theirs)
    own = await server.execute(mine["id"])
    await server.ended(own)
    await server.get("projects", key=mine["api_key"])

    async def looked(*_: object, **__: object) -> None:
        raise AssertionError("a key's question was asked of other projects")

    server.extension.services.store.ids = looked
    server.extension.services.executions.project_of = looked
    changing = {"x-request-id", "date", "content-length"}
    for route in [route for route in ROUTES if route.access.kind == "key" and route.parameters]:
        answers = []
        for project, execution in ((other["id"], theirs), (UNKNOWN, UNKNOWN)):
            response = await server.call(
                route.method, address(route, project, execution), key=mine["api_key"], **sending(route)
            )
            assert (response.status_code, code(response)) == (403, "FORBIDDEN"), route
            body = response.json()
            del body["error"]["details"]["request_id"]
            headers = sorted(item for item in response.headers.multi_items() if item[0] not in changing)
            answers.append((body, headers))
        assert answers[0] == answers[1], route
    assert (await server.get(f"executions/{own}", key=mine["api_key"]))["status"] == "completed"


@pytest.mark.parametrize("settings", [{"rate_limit": 10_000}])
async def test_no_answer_sends_a_browser_elsewhere(server: Caller) -> None:
    """`//evil`, `\\evil` and a `next` argument: no redirect follows from anything a caller wrote."""
    project = await server.create()
    for path in ("cloutagent/api/v1/projects", f"cloutagent/api/v1/projects/{project['id']}"):
        for tail in ("?next=//evil.example", "//evil.example", "/%5cevil.example", "/..//evil.example", "/"):
            response = await server.http.get(path + tail, headers=server.user_headers)
            assert not 300 <= response.status_code < 400, (path, tail)
            assert "evil.example" not in response.headers.get("Location", "")
