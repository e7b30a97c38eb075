"""Versions, publishing and trust over HTTP."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.client import aconnect
from cloutagent_ext.errors import NotTrusted

from .caller import Caller, code

HOOK = {
    "id": "guard",
    "name": "Guard",
    "event": "PreToolUse",
    "action": {"type": "command", "command": ["python", "guard.py"]},
}


def folder(server: Caller, project: dict[str, Any]) -> Path:
    return Path(server.extension.services.settings.data_dir) / "projects" / str(project["id"])


async def save(server: Caller, project: dict[str, Any], **changes: Any) -> dict[str, Any]:
    path = f"projects/{project['id']}"
    response = await server.call("PUT", path, json=await server.get(path) | changes)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def numbers(server: Caller, project: dict[str, Any]) -> list[int]:
    return [row["version"] for row in (await server.get(f"projects/{project['id']}/versions"))["items"]]


async def test_each_save_is_a_version_of_the_jupyter_user_who_made_it(server: Caller) -> None:
    project = await server.create()
    await save(server, project, description="two")
    page = await server.get(f"projects/{project['id']}/versions?limit=1")
    (row,) = page["items"]
    assert (row["version"], row["label"], row["unreadable"]) == (2, None, None)
    assert row["author"]
    assert row["author"] != "disk"
    rest = await server.get(f"projects/{project['id']}/versions?cursor={page['next_cursor']}")
    assert [each["version"] for each in rest["items"]] == [1]
    assert rest["items"][0]["author"].startswith("Anonymous")  # whom Jupyter takes a bare token for
    assert rest["next_cursor"] is None


async def test_a_version_with_a_label_is_made_listed_and_read(server: Caller) -> None:
    project = await server.create()
    base = f"projects/{project['id']}/versions"
    made = await server.call("POST", base, json={"label": "Before the holidays"})
    assert made.status_code == 201, made.text
    assert made.json()["version"] == 2
    assert made.headers["Location"].endswith(f"{base}/2")
    read = await server.get(f"{base}/v2")
    assert (read["label"], read["definition"]["name"], read["files"]) == (
        "Before the holidays", "A project", [],
    )  # fmt: skip
    for wrong in ("3", "x", "-1", "v", "99999999999999999999"):
        missing = await server.call("GET", f"{base}/{wrong}")
        assert (missing.status_code, code(missing)) == (404, "NOT_FOUND"), wrong


async def test_restore_makes_a_new_version_and_honours_if_match(server: Caller) -> None:
    project = await server.create()
    path = f"projects/{project['id']}"
    first = (await server.call("GET", path)).headers["ETag"]
    await save(server, project, description="two")
    stale = await server.call("POST", f"{path}/versions/1/restore", headers={"If-Match": first})
    assert (stale.status_code, code(stale)) == (412, "PRECONDITION_FAILED")
    restored = await server.call("POST", f"{path}/versions/1/restore")
    assert restored.status_code == 200, restored.text
    assert (restored.json()["description"], restored.json()["version"]) == ("", 3)
    assert restored.headers["ETag"] == first
    assert await server.get(path) == restored.json()


@pytest.mark.parametrize("settings", [{"simulated_pace": 1.0}])
async def test_nothing_is_restored_over_an_unfinished_execution(server: Caller) -> None:
    project = await server.create()
    await server.script(project["id"], {"text": "word " * 200})
    execution = await server.execute(project["id"])
    path = f"projects/{project['id']}/versions/1/restore"
    refused = await server.call("POST", path)
    assert (refused.status_code, code(refused)) == (409, "CONFLICT")
    await server.call("POST", f"executions/{execution}/cancel")
    await server.ended(execution)
    async with asyncio.timeout(60):  # its last files are written after the state is known
        while (response := await server.call("POST", path)).status_code == 409:
            await asyncio.sleep(0.02)
    assert response.status_code == 200, response.text


async def test_a_key_runs_the_published_version_and_a_user_the_saved_state(server: Caller) -> None:
    project = await server.create()
    path, key = f"projects/{project['id']}", project["api_key"]
    await save(server, project, description="two")
    published = await server.call("POST", f"{path}/versions/v1/publish")
    assert published.status_code == 200, published.text
    assert published.json()["published_version"] == 1
    assert (await server.get(path))["published_version"] == 1

    async def version(**how: Any) -> int:
        return int((await server.ended(await server.execute(project["id"], **how)))["version"])

    assert await version(key=key) == 1
    assert await version() == 2
    other = await server.call("DELETE", f"{path}/versions/2/publish")
    assert (other.status_code, code(other)) == (409, "CONFLICT")
    withdrawn = await server.call("DELETE", f"{path}/versions/1/publish")
    assert withdrawn.json()["published_version"] is None
    assert await version(key=key) == 2


async def test_a_diff_is_per_file_and_per_field(server: Caller) -> None:
    project = await server.create()
    await save(server, project, description="two")
    diff = await server.get(f"projects/{project['id']}/versions/1/diff/2")
    assert diff["fields"] == [{"path": "description", "before": "", "after": "two"}]
    (file,) = diff["files"]
    assert (file["path"], file["change"]) == ("metadata.json", "changed")
    assert '+  "description": "two"' in file["diff"]
    back = await server.get(f"projects/{project['id']}/versions/2/diff/1")
    assert back["fields"] == [{"path": "description", "before": "two", "after": ""}]


@pytest.mark.parametrize("settings", [{"versions_keep": 3}])
async def test_old_versions_go_when_a_new_one_is_made_but_labelled_ones_stay(server: Caller) -> None:
    project = await server.create()
    await server.call("POST", f"projects/{project['id']}/versions", json={"label": "keep"})
    for number in range(5):
        await save(server, project, description=str(number))
    assert await numbers(server, project) == [7, 6, 5, 2]


@pytest.mark.parametrize("settings", [{"versions_keep": 1, "simulated_pace": 1.0}])
async def test_a_version_that_an_unfinished_execution_runs_stays(server: Caller) -> None:
    project = await server.create()
    await server.script(project["id"], {"text": "word " * 200})
    execution = await server.execute(project["id"])
    version = (await server.get(f"executions/{execution}"))["version"]
    services = server.extension.services
    services.store._frozen._since.clear()  # what a server that has been started anew knows
    await save(server, project, description="newer")
    await save(server, project, description="newest")
    found = await numbers(server, project)
    assert found == [found[0], version]
    await server.call("POST", f"executions/{execution}/cancel")
    await server.ended(execution)


async def test_a_key_may_neither_see_nor_change_versions_or_trust(server: Caller) -> None:
    project = await server.create()
    base = f"projects/{project['id']}"
    calls = [
        ("GET", "versions"), ("POST", "versions"), ("GET", "versions/1"), ("POST", "versions/1/restore"),
        ("POST", "versions/1/publish"), ("DELETE", "versions/1/publish"), ("GET", "versions/1/diff/1"),
        ("POST", "trust"),
    ]  # fmt: skip
    for method, path in calls:
        response = await server.call(method, f"{base}/{path}", key=project["api_key"])
        assert (response.status_code, code(response)) == (403, "FORBIDDEN"), path
    assert await numbers(server, project) == [1]


# ------------------------------------------------------------ trust


async def test_what_is_saved_through_put_is_trusted_and_what_changed_on_disk_is_not_run(
    server: Caller,
) -> None:
    project = await server.create(hooks=[HOOK])
    path = f"projects/{project['id']}"
    assert project["trusted"]
    hook = folder(server, project) / "hooks/guard.json"
    hook.write_text(json.dumps(HOOK | {"action": {"type": "command", "command": ["sh", "-c", "evil"]}}))
    assert not (await server.get(path))["trusted"]
    assert [row["trusted"] for row in (await server.get("projects"))["items"]] == [False]
    refused = await server.call("POST", f"{path}/execute", json={"prompt": "Go."})
    assert (refused.status_code, code(refused)) == (409, "NOT_TRUSTED")
    shown = refused.json()["error"]["details"]
    assert shown["would_run"]["hooks"][0]["command"] == ["sh", "-c", "evil"]
    looked = await server.get(f"{path}/trust")
    assert (looked["trusted"], looked["hash"]) == (False, shown["hash"])
    assert looked["would_run"]["hooks"][0]["command"] == ["sh", "-c", "evil"]
    assert (await server.get("executions"))["items"] == []
    wrong = await server.call("POST", f"{path}/trust", json={"hash": "0" * 64})
    assert (wrong.status_code, code(wrong)) == (409, "NOT_TRUSTED")
    assert wrong.json()["error"]["details"]["hash"] == shown["hash"]
    confirmed = await server.call("POST", f"{path}/trust", json={"hash": shown["hash"]})
    assert confirmed.status_code == 200, confirmed.text
    assert confirmed.json()["trusted"]
    assert (await server.get(path))["trusted"]
    assert await server.get(f"{path}/trust") == looked | {"trusted": True}
    again = await server.call("POST", f"{path}/execute", json={"prompt": "Go."})
    assert again.status_code == 202 or code(again) != "NOT_TRUSTED"


async def test_opening_listing_validating_and_saving_need_no_trust(server: Caller) -> None:
    project = await server.create(hooks=[HOOK])
    (folder(server, project) / "files").mkdir(exist_ok=True)
    (folder(server, project) / "files/guard.py").write_text("evil")
    path = f"projects/{project['id']}"
    assert not (await server.get(path))["trusted"]
    assert (await server.call("POST", f"{path}/validate")).status_code == 200
    assert not (await save(server, project, description="still"))["trusted"]


async def test_a_hash_is_sixty_four_hex_digits(server: Caller) -> None:
    project = await server.create()
    for body in ({}, {"hash": ""}, {"hash": "x" * 64}, {"hash": None}):
        refused = await server.call("POST", f"projects/{project['id']}/trust", json=body)
        assert (refused.status_code, code(refused)) == (400, "INVALID_REQUEST"), body


# ------------------------------------------------------------ the Python client


async def test_the_python_client_lists_restores_publishes_compares_and_trusts(server: Caller) -> None:
    project = await server.create("Mine", hooks=[HOOK])
    url = str(server.http.base_url)
    async with await aconnect(url, token=server.app.identity_provider.token) as client:
        mine = await client.project("Mine")
        definition = await mine.definition()
        definition.description = "three"
        await mine.save(definition)
        assert (await mine.make_version("named")).label == "named"
        assert [row.version for row in await mine.versions()] == [4, 3, 2, 1]
        assert (await mine.version(3)).definition.description == "three"
        change = (await mine.diff(2, "v3")).fields[0]
        assert (change.path, change.before, change.after) == ("description", "", "three")
        assert (await mine.publish(2)).published_version == 2
        assert (await mine.unpublish(2)).published_version is None
        restored = await mine.restore(2)
        assert (restored.description, restored.version) == ("", 5)
        await mine.save(restored)  # its ETag is known, so this is no stale change
        (folder(server, project) / "files").mkdir(exist_ok=True)
        (folder(server, project) / "files/guard.py").write_text("by hand")
        with pytest.raises(NotTrusted) as refused:
            await mine.run("Go.")
        assert (await mine.trust(refused.value.details["hash"])).trusted
