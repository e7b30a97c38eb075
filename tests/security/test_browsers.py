"""Pages of other origins, names that are not ours, and what answers tell browsers to do with them."""

from __future__ import annotations

import itertools
from typing import Any

import httpx2
import pytest

from cloutagent_ext.server.routes import ROUTES
from tests.server.caller import Caller, code
from tests.server.test_access import address, browser, sending  # noqa: F401

LISTED = "https://app.example"
FOREIGN = [
    "https://evil.example", "http://app.example", "https://app.example:444", "https://app.example:443",
    "https://app.example.", "https://app.example.evil.example", "https://evil-app.example",
    "https://evil.example/app.example", "https://app.example@evil.example", "https://APP.example",
    "https://app.example/", "https://sub.app.example", "https://app.example%00.evil.example", "null", "*", "",
    "https://xn--pp-wia.example", "file://", "chrome-extension://abcdefgh",
    "https://app.example evil.example", "https://app.example,https://evil.example", "app.example",
]  # fmt: skip
"""No origin of these is the listed one, however alike."""
FOREIGN_HOSTS = [
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:80", "app.example",
    "[::1].evil.example", "evil.example#127.0.0.1", "evil.example@127.0.0.1",
]  # fmt: skip


def allowed(response: httpx2.Response) -> str | None:
    return response.headers.get("Access-Control-Allow-Origin")


async def test_without_a_setting_no_other_origin_may_read_anything(server: Caller) -> None:
    project = await server.create()
    for origin in [LISTED, *FOREIGN]:
        for method in ("GET", "OPTIONS"):
            response = await server.call(
                method,
                f"projects/{project['id']}",
                key=project["api_key"],
                headers={"Origin": origin, "Access-Control-Request-Method": "GET"},
            )
            assert allowed(response) is None, origin
            assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("settings", [{"allow_origins": [LISTED], "rate_limit": 10_000}])
async def test_an_origin_is_the_listed_one_to_the_letter_or_none(server: Caller) -> None:
    project = await server.create()
    path = f"projects/{project['id']}"
    assert (
        allowed(await server.call("GET", path, key=project["api_key"], headers={"Origin": LISTED})) == LISTED
    )
    for origin in FOREIGN:
        for method in ("GET", "OPTIONS"):
            response = await server.call(
                method,
                path,
                key=project["api_key"],
                headers={"Origin": origin, "Access-Control-Request-Method": "GET"},
            )
            assert allowed(response) is None, origin
    doubled = await server.http.get(
        server.path(path),
        headers=[("Origin", LISTED), ("Origin", "https://evil.example"), ("X-API-Key", project["api_key"])],
    )
    assert allowed(doubled) is None


@pytest.mark.parametrize("settings", [{"allow_origins": [LISTED]}])
async def test_a_listed_origin_has_no_use_of_a_cookie(
    server: Caller,
    browser: httpx2.AsyncClient,  # noqa: F811
) -> None:
    """Listed for keys: somebody's session in the same browser is not lent to that page."""
    for method, options in (("GET", {}), ("POST", {"json": {"name": "Forged"}})):
        response = await browser.request(
            method,
            "cloutagent/api/v1/projects",
            headers={"Origin": LISTED, "X-XSRFToken": browser.cookies["_xsrf"]},
            **options,
        )
        assert (response.status_code, code(response)) == (403, "FORBIDDEN")
        assert "Access-Control-Allow-Credentials" not in response.headers
    assert (await server.get("projects"))["items"] == []


async def test_whatever_a_browser_says_of_a_foreign_pages_call_it_changes_nothing(
    server: Caller,
    browser: httpx2.AsyncClient,  # noqa: F811
) -> None:
    """All `Sec-Fetch-*`, with and without `Origin` and `Referer`: a form, an image, a script, a beacon."""
    sites, modes = ("cross-site", "same-site", "none", ""), ("no-cors", "cors", "navigate", "")
    kinds = ("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data")
    for site, mode, origin, kind in itertools.product(
        sites, modes, ("https://evil.example", "null", ""), kinds
    ):
        headers = {"Content-Type": kind, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
        headers |= {"Origin": origin, "Referer": f"{origin}/page"} if origin else {}
        response = await browser.post(
            "cloutagent/api/v1/projects", headers=headers, content=b'{"name": "Forged"}'
        )
        assert response.status_code in (403, 415), headers
        assert allowed(response) is None
    assert (await server.get("projects"))["items"] == []


async def test_a_name_that_is_not_ours_is_refused_with_any_proof(
    server: Caller,
    browser: httpx2.AsyncClient,  # noqa: F811
) -> None:
    """DNS rebinding: the page's name leads here, its cookies and keys do not help."""
    project = await server.create("A name that must not be told")
    for host in FOREIGN_HOSTS:
        for http, headers in (
            (server.http, server.user_headers),
            (server.http, {"X-API-Key": project["api_key"]}),
            (browser, {}),
        ):
            response = await http.get("cloutagent/api/v1/projects", headers={**headers, "Host": host})
            assert response.status_code in (400, 403), host
            assert project["name"] not in response.text


async def test_no_answer_repeats_a_name_or_address_that_the_caller_made_up(server: Caller) -> None:
    server.app.web_app.settings["allow_remote_access"] = server.app.allow_remote_access = True
    forged = {
        "Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "evil",
        "X-Forwarded-Prefix": "/evil.example", "Forwarded": "for=1.2.3.4;host=evil.example;proto=https",
        "X-Original-URL": "/evil.example", "X-Rewrite-URL": "/evil.example",
    }  # fmt: skip
    project = await server.create()
    for method, path, options in (
        ("POST", "projects", {"json": {"name": "A"}}),
        ("POST", f"projects/{project['id']}/execute", {"json": {"prompt": "Go."}}),
        ("POST", f"projects/{project['id']}/duplicate", {"json": {}}),
        ("GET", "openapi.json", {}),
        ("GET", "nothing", {}),
    ):
        response = await server.call(method, path, headers=forged, **options)
        assert response.status_code < 500
        told = response.text + "".join(
            value
            for name, value in response.headers.items()
            if name != "set-cookie"  # Jupyter's, of this host
        )
        assert "evil" not in told, (method, path)


async def test_every_answer_forbids_guessing_its_type_and_what_people_made_is_never_shown_here(
    server: Caller,
) -> None:
    project = await server.create(agent={"tools": ["file_create"], "permissions": {"file_create": "allow"}})
    page = b"<html><script>alert(document.cookie)</script>"
    await server.call("PUT", f"projects/{project['id']}/files/evil.html", content=page)
    await server.call("PUT", f"projects/{project['id']}/files/a.txt", content=b"<svg onload=alert(1)>")
    writes = {"name": "file_create", "as": "a", "input": {"path": "evil.svg", "content": page.decode()}}
    await server.script(project["id"], {"text": "On.", "tools": [writes]}, {"text": "Over."})
    execution = await server.execute(project["id"])
    await server.ended(execution)
    cases: list[tuple[str, str, dict[str, Any]]] = [
        (route.method, address(route, project["id"], execution), sending(route))
        for route in ROUTES
        if route.operation_id != "stream_watched" and route.method != "DELETE"
    ]
    downloads = [
        f"projects/{project['id']}/files/evil.html", f"projects/{project['id']}/files/a.txt",
        f"executions/{execution}/files/evil.svg", f"executions/{execution}/notebook",
        f"projects/{project['id']}/export", f"projects/{project['id']}/export?format=python",
    ]  # fmt: skip
    for method, path, options in [*(("GET", path, {}) for path in downloads), *cases]:
        response = await server.call(method, path, **options)
        headers = response.headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert "no-store" in headers["Cache-Control"], path
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, path
        if path in downloads:
            assert response.status_code == 200, path
            assert headers["Content-Disposition"].startswith("attachment;"), path
            assert policy.startswith("sandbox;"), path
            assert "unsafe" not in policy


async def test_a_call_with_a_key_sets_no_cookie(server: Caller) -> None:
    project = await server.create()
    for route in [route for route in ROUTES if route.access.kind == "key" and not route.stream]:
        response = await server.call(
            route.method, address(route, project["id"]), key=project["api_key"], **sending(route)
        )
        assert "Set-Cookie" not in response.headers, route
