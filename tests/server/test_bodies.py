"""What callers send: whatever it is, it is refused with a reason or understood, never a 500."""

from __future__ import annotations

import json

import pytest

from .caller import Caller, code

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"not json", b'{"name": "a",}', b"\xff\xfe", b'{"name": "\xff"}', b'{"name": "\\ud800"}',
        b'{"name": NaN}', b'{"name": 1e999}', b'{"name": ' + b"9" * 5000 + b"}", b"[" * 5000,
        b'{"name": "a", "x": ' + b"[" * 70 + b"]" * 70 + b"}", b"[]", b'"text"', b"null", b"\xef\xbb\xbf{}",
    ],
    ids=lambda body: body[:16].decode("latin-1"),
)  # fmt: skip
async def test_a_bad_body_is_400_with_a_reason(server: Caller, body: bytes) -> None:
    response = await server.call("POST", "projects", content=body, headers=JSON)
    assert (response.status_code, code(response)) == (400, "INVALID_REQUEST"), response.text
    assert (await server.get("projects"))["items"] == []


async def test_sixty_four_levels_and_a_quarter_million_parts_are_taken_and_not_one_more(
    server: Caller,
) -> None:
    project = await server.create()
    path = f"projects/{project['id']}/execute"
    for inner, refused in (
        (b"[" * 62 + b"]" * 62, ""),
        (b"[" * 63 + b"]" * 63, "at most 64 levels"),
        (b"[" + b",".join([b"[]"] * 249_997) + b"]", ""),
        (b"[" + b",".join([b"[]"] * 249_998) + b"]", "at most 250,000 lists and objects"),
        (b'"' + b"[{" * 200_000 + b'"', ""),
    ):
        body = b'{"metadata": {"x": ' + inner + b"}}"
        response = await server.call("POST", path, content=body, headers=JSON)
        assert response.status_code == 400
        assert (refused or "There is nothing to do") in response.text, inner[:80]  # the project has no task


@pytest.mark.parametrize("settings", [{"max_body_mb": 0.01}])
async def test_a_body_that_is_too_long_is_413_announced_or_not(server: Caller) -> None:
    body = json.dumps({"name": "x" * 20_000}).encode()
    announced = await server.call("POST", "projects", content=body, headers=JSON)
    assert (announced.status_code, code(announced)) == (413, "TOO_LARGE")

    async def pieces():  # type: ignore[no-untyped-def]
        yield body[:9000]
        yield body[9000:]

    chunked = await server.call("POST", "projects", content=pieces(), headers=JSON)
    assert (chunked.status_code, code(chunked)) == (413, "TOO_LARGE")


async def test_the_contracts_ten_megabytes_hold_and_no_more(server: Caller) -> None:
    project = await server.create()
    refused = await server.call("POST", "projects", content=b" " * (10 * 1024 * 1024 + 1), headers=JSON)
    assert (refused.status_code, code(refused)) == (413, "TOO_LARGE")
    metadata = {"blob": "x" * (9 * 1024 * 1024)}
    response = await server.call(
        "POST",
        f"projects/{project['id']}/execute",
        json={"prompt": "Go.", "metadata": metadata, "nonsense": 1},
    )
    assert (response.status_code, code(response)) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
     "application/json; charset=latin-1", "nonsense", "/", ";;"],
)  # fmt: skip
async def test_another_content_type_is_415_and_changes_nothing(server: Caller, kind: str) -> None:
    response = await server.call("POST", "projects", content=b'{"name": "a"}', headers={"Content-Type": kind})
    assert (response.status_code, code(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert (await server.get("projects"))["items"] == []


async def test_json_is_taken_by_each_of_its_names(server: Caller) -> None:
    for kind in ("application/json", "application/json; charset=UTF-8", "application/merge-patch+json"):
        response = await server.call(
            "POST", "projects", content=b'{"name": "a"}', headers={"Content-Type": kind}
        )
        assert response.status_code == 201, (kind, response.text)


async def test_every_wrong_field_is_named_with_its_path(server: Caller) -> None:
    project = await server.create()
    project.pop("api_key")
    project["agent"] |= {"maxTokens": 5, "effort": "enormous"}
    response = await server.call("PUT", f"projects/{project['id']}", json=project)
    assert (response.status_code, code(response)) == (400, "INVALID_REQUEST")
    fields = {field["path"]: field["message"] for field in response.json()["error"]["details"]["fields"]}
    assert set(fields) == {"agent.maxTokens", "agent.effort"}
    assert "max_tokens" in fields["agent.maxTokens"]
    old = {"input": "Go.", "limits": {"maxCost": 1, "timeout": 60}, "temperature": 0}
    response = await server.call("POST", f"projects/{project['id']}/execute", json=old)
    fields = {field["path"]: field["message"] for field in response.json()["error"]["details"]["fields"]}
    new = {"input": "prompt", "limits.maxCost": "max_cost_usd", "limits.timeout": "timeout_s"}
    new["temperature"] = "effort"
    assert set(fields) == set(new)
    assert all(name in fields[path] for path, name in new.items()), fields


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_turns", "5"), ("max_turns", True), ("max_turns", 5.5), ("max_cost_usd", "0.5"),
        ("max_cost_usd", True), ("timeout_s", False),
    ],
)  # fmt: skip
async def test_a_value_of_another_type_than_published_is_not_made_to_fit(
    server: Caller, field: str, value: object
) -> None:
    address = f"projects/{(await server.create())['id']}/execute"
    response = await server.call("POST", address, json={"prompt": "Go.", "limits": {field: value}})
    assert (response.status_code, code(response)) == (400, "INVALID_REQUEST"), response.text
    assert [each["path"] for each in response.json()["error"]["details"]["fields"]] == [f"limits.{field}"]
    for flag in (1, "yes"):
        response = await server.call("POST", address, json={"prompt": "Go.", "wait": flag})
        assert (response.status_code, code(response)) == (400, "INVALID_REQUEST"), response.text


async def test_a_whole_number_may_be_written_with_a_point(server: Caller) -> None:
    project = await server.create()
    project.pop("api_key")
    project["limits"] |= {"max_turns": 7.0, "max_cost_usd": 2}
    saved = await server.call("PUT", f"projects/{project['id']}", json=project)
    assert saved.status_code == 200, saved.text
    limits = (await server.get(f"projects/{project['id']}"))["limits"]
    assert (limits["max_turns"], limits["max_cost_usd"]) == (7, 2)


async def test_server_made_fields_are_never_taken_from_a_body(server: Caller) -> None:
    project = await server.create()
    for field in (
        "id",
        "execution_id",
        "project_id",
        "definition",
        "simulated",
        "origin",
        "priority",
        "api_key",
    ):
        response = await server.call(
            "POST", f"projects/{project['id']}/execute", json={"prompt": "Go.", field: "x"}
        )
        assert (response.status_code, code(response)) == (400, "INVALID_REQUEST"), field


async def test_query_arguments_are_checked_and_labs_time_stamp_is_not_one(server: Caller) -> None:
    assert (await server.call("GET", "projects?1763812345678")).status_code == 200
    assert (await server.call("GET", "projects?limit=5&1763812345678")).status_code == 200
    for query in ("limt=5", "limit=five", "limit=0", "limit=1&limit=2", "q=%ff", "cursor=" + "x" * 2000):
        response = await server.call("GET", f"projects?{query}")
        assert (response.status_code, code(response)) == (400, "INVALID_REQUEST"), query
    project = await server.create()
    execution = await server.execute(project["id"])
    await server.ended(execution)
    for path in ("projects", "executions", f"executions/{execution}/events", f"executions/{execution}/trace"):
        clamped = await server.call("GET", f"{path}?limit=1000000")
        assert clamped.status_code == 200, "a wish for more is clamped, not refused"


async def test_an_id_that_is_none_is_404_whatever_it_tries(server: Caller) -> None:
    for wrong in ("..%2f..", "%2e%2e", "a%00b", "x" * 5000, "9B2F0000-0000-4000-8000-000000000000", "-"):
        for noun in ("projects", "executions"):
            response = await server.call("GET", f"{noun}/{wrong}")
            assert (response.status_code, code(response)) == (404, "NOT_FOUND"), wrong
    broken = await server.call("GET", "projects/%ff")
    assert broken.status_code in (400, 404)


async def test_a_bug_of_ours_shows_a_request_id_and_nothing_else(server: Caller, caplog) -> None:  # type: ignore[no-untyped-def]
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the secret of the inside")

    server.extension.services.store.list = broken
    response = await server.call("GET", "projects?q=canary-in-query")
    assert (response.status_code, code(response)) == (500, "INTERNAL")
    assert "inside" not in response.text
    assert "Traceback" not in response.text
    assert response.json()["error"]["details"]["request_id"] in caplog.text
    assert "ZeroDivisionError" in caplog.text
