"""Who may call what: every route of the live server, with every way to prove oneself or not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from jupyter_server.auth.authorizer import Authorizer

from cloutagent_ext.server.door import Door
from cloutagent_ext.server.handler import Endpoint
from cloutagent_ext.server.route import Route
from cloutagent_ext.server.routes import ROUTES

from .caller import Caller, code

UNKNOWN = "00000000-0000-4000-8000-000000000000"

PUBLIC = {("GET", "health"): "load balancers and people look whether the server lives; it tells nothing else"}
"""Routes that answer without any proof, each with its reason."""


def address(route: Route, project: str = UNKNOWN, execution: str = UNKNOWN) -> str:
    values = {
        "project_id": project,
        "execution_id": execution,
        "path...": "a.txt",
        "key_id": "nobody",
        "name": "NOBODY",
        "cassette_id": "0123456789abcdef",
        "version": "1",
        "mcp": "nobody",
        "hook": "nobody",
        "other": "1",
        "call_id": "toolu_1",
    }
    return "/cloutagent/api/" + re.sub(r"\{([^}]+)\}", lambda match: values[match[1]], route.path)


def sending(route: Route) -> dict[str, Any]:
    return {"json": {}} if route.method in ("POST", "PUT", "PATCH") else {}


async def live_routes(server: Caller) -> list[tuple[str, type]]:
    """(pattern, handler) of everything below our address, as Tornado has it, our door opened."""
    await server.call("GET", "tools")
    found = []
    rules = [*server.app.web_app.wildcard_router.rules, *server.app.web_app.default_router.rules]
    while rules:
        rule = rules.pop()
        target = rule.target.behind if isinstance(rule.target, Door) else rule.target
        if (nested := getattr(target, "rules", None)) is not None:
            rules += nested
        elif (regex := getattr(rule.matcher, "regex", None)) and "/cloutagent" in regex.pattern:
            found.append((regex.pattern, target))
    return found


async def test_every_live_route_below_ours_is_judged_by_the_table(server: Caller) -> None:
    routes = await live_routes(server)
    assert len(routes) == len({route.path for route in ROUTES}) + 1
    assert all(issubclass(handler, Endpoint) for _, handler in routes)


async def test_every_route_refuses_without_credentials(server: Caller) -> None:
    for route in ROUTES:
        response = await server.call(route.method, address(route), nobody=True, **sending(route))
        if (route.method, route.path) in PUBLIC:
            assert response.status_code == 200, route
        else:
            assert (response.status_code, code(response)) == (401, "MISSING_API_KEY"), route
            assert "WWW-Authenticate" in response.headers


async def test_no_way_around_by_another_method_or_spelling(server: Caller) -> None:
    project = await server.create()
    path = f"cloutagent/api/v1/projects/{project['id']}"
    for method in ("HEAD", "OPTIONS", "TRACE", "PATCH"):
        response = await server.http.request(method, path)
        assert project["name"] not in response.text, method
    for spelling in (f"{path}/", f"{path};x", f"{path}%2f", f"cloutagent//api/v1/projects/{project['id']}"):
        response = await server.http.get(spelling)
        assert response.status_code in (401, 404), spelling
        assert project["name"] not in response.text, spelling


async def test_a_key_reaches_its_own_project_without_any_jupyter_proof(server: Caller) -> None:
    project = await server.create("Mine")
    definition = await server.get(f"projects/{project['id']}", key=project["api_key"])
    assert definition["name"] == "Mine"
    listed = await server.get("projects", key=project["api_key"])
    assert [row["id"] for row in listed["items"]] == [project["id"]]


async def test_a_key_posts_without_an_xsrf_cookie(server: Caller) -> None:
    project = await server.create()
    response = await server.call(
        "POST", f"projects/{project['id']}/validate", key=project["api_key"], json={}
    )
    assert response.status_code == 200, response.text


async def test_routes_for_jupyter_users_refuse_every_key(server: Caller) -> None:
    project = await server.create()
    closed = [route for route in ROUTES if route.access.kind == "jupyter"]
    assert closed
    for route in closed:
        response = await server.call(
            route.method, address(route, project["id"]), key=project["api_key"], **sending(route)
        )
        assert (response.status_code, code(response)) == (403, "FORBIDDEN"), route


async def test_another_projects_key_cannot_tell_what_exists(server: Caller) -> None:
    mine, other = await server.create("Mine"), await server.create("Other")
    execution = await server.execute(other["id"])
    await server.ended(execution)
    for route in [route for route in ROUTES if route.access.kind == "key" and route.parameters]:
        bodies = []
        for project, run in ((other["id"], execution), (UNKNOWN, UNKNOWN), ("no-id", "no-id")):
            response = await server.call(
                route.method, address(route, project, run), key=mine["api_key"], **sending(route)
            )
            assert (response.status_code, code(response)) == (403, "FORBIDDEN"), route
            body = response.json()
            del body["error"]["details"]["request_id"]
            bodies.append((body, sorted(set(response.headers) - {"content-length"})))
        assert bodies[0] == bodies[1] == bodies[2], route


async def test_a_list_with_a_key_shows_only_its_own_project(server: Caller) -> None:
    mine, other = await server.create("Mine"), await server.create("Other")
    await server.ended(await server.execute(other["id"]))
    own = await server.execute(mine["id"])
    await server.ended(own)
    listed = await server.get("executions", key=mine["api_key"])
    assert [row["execution_id"] for row in listed["items"]] == [own]
    response = await server.call("GET", f"executions?project={other['id']}", key=mine["api_key"])
    assert (response.status_code, code(response)) == (403, "FORBIDDEN")


async def test_a_key_does_only_what_its_scopes_say(server: Caller) -> None:
    project = await server.create()
    response = await server.call(
        "POST", f"projects/{project['id']}/keys", json={"name": "R", "scopes": ["read"]}
    )
    reader = response.json()["api_key"]
    assert (await server.call("GET", f"projects/{project['id']}", key=reader)).status_code == 200
    refused = await server.call(
        "POST", f"projects/{project['id']}/execute", key=reader, json={"prompt": "Go."}
    )
    assert (refused.status_code, code(refused)) == (403, "FORBIDDEN")
    assert "execute" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    "wrong",
    [
        "x",
        "null",
        "0",
        "[]",
        "{}",
        "ca_",
        "ca__",
        "ca_a_b",
        "ca_" + "a" * 72,
        "ca_x_" + "a" * 73,
        "k" * 4096,
        "é",
    ],
)
async def test_what_is_no_key_is_401_and_never_500(server: Caller, wrong: str) -> None:
    response = await server.call(
        "GET", "projects", headers={"X-API-Key": wrong.encode("latin-1")}, nobody=True
    )
    assert (response.status_code, code(response)) == (401, "INVALID_API_KEY")


async def test_an_empty_or_doubled_key_is_401(server: Caller) -> None:
    project = await server.create()
    empty = await server.call("GET", "projects", headers={"X-API-Key": ""})
    assert (empty.status_code, code(empty)) == (401, "MISSING_API_KEY")
    doubled = [("X-API-Key", project["api_key"])] * 2
    response = await server.http.get("cloutagent/api/v1/projects", headers=doubled)
    assert (response.status_code, code(response)) == (401, "INVALID_API_KEY")


async def test_a_key_counts_only_in_its_header(server: Caller) -> None:
    project = await server.create()
    key = project["api_key"]
    for attempt in (
        {"params": {"X-API-Key": key}},
        {"headers": {"Cookie": f"X-API-Key={key}"}},
        {"headers": {"Authorization": f"Bearer {key}"}},
    ):
        response = await server.call("GET", f"projects/{project['id']}", nobody=True, **attempt)
        assert response.status_code == 401, (attempt, response.text)


async def test_a_wrong_key_is_not_rescued_by_jupyters_own_proof(server: Caller) -> None:
    for method, path in (("GET", "projects"), ("POST", "projects")):
        headers = server.user_headers | {"X-API-Key": "ca_wrong"}
        response = await server.call(method, path, nobody=True, headers=headers)
        assert (response.status_code, code(response)) == (401, "INVALID_API_KEY")


async def test_a_revoked_key_opens_nothing_any_more(server: Caller) -> None:
    project = await server.create()
    assert (await server.call("GET", "projects", key=project["api_key"])).status_code == 200
    rows = await server.get(f"projects/{project['id']}/keys")
    key_id = rows["items"][0]["id"]
    assert (await server.call("DELETE", f"projects/{project['id']}/keys/{key_id}")).status_code == 204
    response = await server.call("GET", "projects", key=project["api_key"])
    assert (response.status_code, code(response)) == (401, "INVALID_API_KEY")


# ------------------------------------------------------------ browsers


@pytest.fixture
async def browser(server: Caller) -> AsyncIterator[httpx2.AsyncClient]:
    """Logged in by cookie, as a page of JupyterLab is."""
    async with httpx2.AsyncClient(base_url=server.http.base_url, trust_env=False) as http:
        await http.get("login")
        await http.get("api/status", params={"token": server.app.identity_provider.token})
        assert "_xsrf" in http.cookies
        yield http


async def test_a_cookie_reads_but_writes_only_with_its_xsrf_token(
    server: Caller, browser: httpx2.AsyncClient
) -> None:
    address = "cloutagent/api/v1/projects"
    assert (await browser.get(address)).status_code == 200
    refused = await browser.post(address, json={"name": "Forged"})
    assert (refused.status_code, code(refused)) == (403, "FORBIDDEN")
    xsrf = {"X-XSRFToken": browser.cookies["_xsrf"]}
    assert (await browser.post(address, json={"name": "Meant"}, headers=xsrf)).status_code == 201
    listed = await server.get("projects")
    assert [row["name"] for row in listed["items"]] == ["Meant"]


async def test_a_key_beside_a_cookie_is_judged_alone(server: Caller, browser: httpx2.AsyncClient) -> None:
    project, other = await server.create("Mine"), await server.create("Other")
    wrong = await browser.get("cloutagent/api/v1/projects", headers={"X-API-Key": "ca_wrong"})
    assert (wrong.status_code, code(wrong)) == (401, "INVALID_API_KEY")
    foreign = await browser.get(
        f"cloutagent/api/v1/projects/{other['id']}", headers={"X-API-Key": project["api_key"]}
    )
    assert (foreign.status_code, code(foreign)) == (403, "FORBIDDEN")


async def test_a_page_of_another_origin_changes_nothing_and_reads_nothing(
    server: Caller, browser: httpx2.AsyncClient
) -> None:
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{browser.base_url.port}.evil.example"):
        headers = {"Origin": origin, "X-XSRFToken": browser.cookies["_xsrf"]}
        for method in ("GET", "POST"):
            response = await browser.request(
                method, "cloutagent/api/v1/projects", headers=headers,
                **({"json": {"name": "Forged"}} if method == "POST" else {}),
            )  # fmt: skip
            assert response.status_code == 403, (origin, method)
            assert "Access-Control-Allow-Origin" not in response.headers
    assert (await server.get("projects"))["items"] == []


@pytest.mark.parametrize("settings", [{"allow_origins": ["https://app.example"]}])
async def test_listed_origins_reach_key_routes_without_credentials_and_nothing_else(server: Caller) -> None:
    project = await server.create()
    path = f"cloutagent/api/v1/projects/{project['id']}"
    asking = {
        "Origin": "https://app.example", "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "x-api-key",
    }  # fmt: skip
    preflight = await server.http.options(path, headers=asking)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "X-API-Key" in preflight.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    called = await server.http.get(
        path, headers={"Origin": "https://app.example", "X-API-Key": project["api_key"]}
    )
    assert called.status_code == 200
    assert called.headers["Access-Control-Allow-Origin"] == "https://app.example"
    refused = await server.http.get(path, headers={"Origin": "https://app.example"})
    assert refused.headers["Access-Control-Allow-Origin"] == "https://app.example", "the page must read why"
    for headers in (
        asking | {"Origin": "https://app.example.evil"},
        asking | {"Access-Control-Request-Method": "PUT"},
    ):
        answer = await server.http.options(path, headers=headers)
        assert "Access-Control-Allow-Origin" not in answer.headers


class OnlyReads(Authorizer):
    """An operator's policy, asynchronous as Jupyter allows."""

    async def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:  # type: ignore[override]
        await asyncio.sleep(0)
        return resource != "cloutagent" or action == "read"


async def test_the_servers_authorizer_is_asked_for_every_route(server: Caller) -> None:
    project = await server.create()
    execution = await server.execute(project["id"])
    await server.ended(execution)
    server.app.authorizer = server.app.web_app.settings["authorizer"] = OnlyReads(parent=server.app)
    for route in [route for route in ROUTES if route.access.kind != "public" and not route.stream]:
        response = await server.call(route.method, address(route, project["id"], execution), **sending(route))
        if route.action == "read":
            assert response.status_code in (200, 404), route
        else:
            assert (response.status_code, code(response)) == (403, "FORBIDDEN"), route


# ------------------------------------------------------------ limits


@pytest.mark.parametrize("settings", [{"rate_limit": 5}])
async def test_calls_with_a_key_are_limited_and_jupyters_are_not(server: Caller) -> None:
    project = await server.create()
    for _ in range(5):
        assert (await server.call("GET", "projects", key=project["api_key"])).status_code == 200
    response = await server.call("GET", "projects", key=project["api_key"])
    assert (response.status_code, code(response)) == (429, "RATE_LIMITED")
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"}
    again = await server.call("GET", "projects", key=project["api_key"], headers=forged)
    assert again.status_code == 429, "a header of the client does not make it another client"
    for _ in range(20):
        assert (await server.call("GET", "projects")).status_code == 200


@pytest.mark.parametrize("settings", [{"failed_auth_limit": 3}])
async def test_wrong_keys_are_limited_but_never_hold_up_a_key_that_is_known(server: Caller) -> None:
    project = await server.create()
    assert (await server.call("GET", "projects", key=project["api_key"])).status_code == 200
    answers = [await server.call("GET", "projects", key=f"ca_wrong_{number}") for number in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert "Retry-After" in answers[-1].headers
    assert (await server.call("GET", "projects", key=project["api_key"])).status_code == 200


async def test_many_first_calls_with_one_good_key_at_once_all_pass(server: Caller) -> None:
    project = await server.create()
    calls = [server.call("GET", "projects", key=project["api_key"]) for _ in range(40)]
    assert {answer.status_code for answer in await asyncio.gather(*calls)} == {200}
