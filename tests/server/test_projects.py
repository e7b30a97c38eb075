"""Projects over HTTP: create, read, replace, delete; their files and keys."""

from __future__ import annotations

import pytest

from .caller import Caller, code

ECHO = {"type": "command", "command": ["echo"]}


async def test_a_new_project_is_where_its_location_says_and_brings_its_first_key(server: Caller) -> None:
    response = await server.call("POST", "projects", json={"name": "Sales"})
    assert response.status_code == 201
    created = response.json()
    assert response.headers["Location"] == f"/a%40b/cloutagent/api/v1/projects/{created['id']}"
    assert created["version"] == 1
    read = await server.call("GET", f"projects/{created['id']}", key=created["api_key"])
    assert read.headers["ETag"] == response.headers["ETag"]
    assert read.json() == {name: value for name, value in created.items() if name != "api_key"}


async def test_a_name_loses_the_blanks_around_it_and_is_measured_with_them(server: Caller) -> None:
    kept = await server.call("POST", "projects", json={"name": "  Sales\u00a0"})
    assert (kept.status_code, kept.json()["name"]) == (201, "Sales")
    for name in ("", " \u00a0", "\u00a0" + "x" * 200):
        refused = await server.call("POST", "projects", json={"name": name})
        assert (refused.status_code, code(refused)) == (400, "INVALID_REQUEST"), name


async def test_every_template_is_listed_and_makes_a_project_that_validates(server: Caller) -> None:
    tools = {row["name"]: row for row in (await server.get("tools"))["items"]}
    assert {"bash", "python", "file_create", "view"} <= set(tools)
    assert all(row["input_schema"]["type"] == "object" and row["description"] for row in tools.values())
    models = (await server.get("models"))["items"]
    assert any(row["price"] for row in models)
    for row in models:
        assert row["context_window"] > 0, row
        assert row["price"] is None or 0 < row["price"]["input"] < row["price"]["output"], row
    rows = (await server.get("templates"))["items"]
    assert rows[0]["name"] == "Sales analyst"
    for row in rows:
        response = await server.call("POST", "projects", json={"name": "From it", "template": row["id"]})
        assert response.status_code == 201, response.text
        project = response.json()
        assert project["name"] == "From it"
        checked = await server.call("POST", f"projects/{project['id']}/validate", json={})
        assert checked.status_code == 200, checked.text
        problems = [each for each in checked.json()["problems"] if each["severity"] == "error"]
        assert row["id"] == "empty" or not problems, problems
    missing = await server.call("POST", "projects", json={"name": "x", "template": "no-such"})
    assert (missing.status_code, code(missing)) == (404, "NOT_FOUND")


async def test_what_get_gives_put_takes_and_a_stale_copy_is_refused(server: Caller) -> None:
    project = await server.create("Before")
    path = f"projects/{project['id']}"
    first = await server.call("GET", path)
    definition, etag = first.json(), first.headers["ETag"]
    unchanged = await server.call("PUT", path, json=definition, headers={"If-Match": etag})
    assert (unchanged.status_code, unchanged.headers["ETag"]) == (200, etag)
    assert unchanged.json()["version"] == 1

    changed = await server.call("PUT", path, json=definition | {"name": "After"}, headers={"If-Match": etag})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["version"]) == ("After", 2)
    assert changed.headers["ETag"] != etag

    stale = await server.call("PUT", path, json=definition | {"name": "Lost"}, headers={"If-Match": etag})
    assert (stale.status_code, code(stale)) == (412, "PRECONDITION_FAILED")
    assert (await server.get(path))["name"] == "After"
    for good in ("*", f'"other", {changed.headers["ETag"]}'):
        again = await server.call(
            "PUT", path, json=definition | {"name": "After"}, headers={"If-Match": good}
        )
        assert again.status_code == 200, good


async def test_an_unchanged_project_need_not_be_sent_again(server: Caller) -> None:
    project = await server.create()
    path = f"projects/{project['id']}"
    etag = (await server.call("GET", path)).headers["ETag"]
    again = await server.call("GET", path, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


async def test_another_id_in_the_body_is_refused_and_a_draft_makes_no_version(server: Caller) -> None:
    project, other = await server.create("One"), await server.create("Two")
    definition = await server.get(f"projects/{project['id']}")
    refused = await server.call("PUT", f"projects/{project['id']}", json=definition | {"id": other["id"]})
    assert (refused.status_code, code(refused)) == (400, "INVALID_REQUEST")
    draft = await server.call(
        "PUT", f"projects/{project['id']}?draft=true", json=definition | {"name": "Draft"}
    )
    assert (draft.json()["name"], draft.json()["version"]) == ("Draft", 1)


async def test_view_state_is_kept_outside_versions_and_etag(server: Caller) -> None:
    project = await server.create()
    path = f"projects/{project['id']}"
    before = await server.call("GET", path)
    patched = await server.call("PATCH", f"{path}/ui", json={"viewport": {"x": 5, "y": 6, "zoom": 2}})
    assert patched.status_code == 200
    after = await server.call("GET", path)
    assert after.json()["ui"]["viewport"] == {"x": 5, "y": 6, "zoom": 2}
    assert after.headers["ETag"] == before.headers["ETag"]


async def test_a_card_that_a_put_leaves_out_leaves_no_position_behind(server: Caller) -> None:
    hooks = [{"id": each, "name": each, "event": "Stop", "action": ECHO} for each in ("stays", "goes")]
    nodes = [{"id": f"hook:{each}", "position": {"x": 7, "y": 8}} for each in ("stays", "goes")]
    note = {"id": "note:todo", "position": {"x": 1, "y": 2}}
    project = await server.create(hooks=hooks, ui={"notes": [{"id": "todo"}], "nodes": [*nodes, note]})
    assert project["ui"]["nodes"] == [*nodes, note]
    del project["api_key"], project["hooks"][1]
    for draft in ("?draft=true", ""):  # the canvas saves so, and a notebook so
        saved = await server.call("PUT", f"projects/{project['id']}{draft}", json=project)
        assert saved.json()["ui"]["nodes"] == [nodes[0], note], saved.text
    checked = await server.call("POST", f"projects/{project['id']}/validate", json={})
    assert "NO_SUCH_CARD" not in checked.text


async def test_a_deleted_project_is_gone_and_its_zip_is_kept(server: Caller) -> None:
    project = await server.create()
    stale = await server.call("DELETE", f"projects/{project['id']}", headers={"If-Match": '"old"'})
    assert (stale.status_code, code(stale)) == (412, "PRECONDITION_FAILED")
    gone = await server.call("DELETE", f"projects/{project['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    read = await server.call("GET", f"projects/{project['id']}")
    assert (read.status_code, code(read)) == (404, "NOT_FOUND")
    lost = await server.call("GET", "projects", key=project["api_key"])
    assert (lost.status_code, code(lost)) == (401, "INVALID_API_KEY")
    backups = server.extension.services.settings.data_dir / "backups"
    assert len(list(backups.glob("*.zip"))) == 1


async def test_the_list_goes_on_where_the_last_page_ended(server: Caller) -> None:
    for number in range(5):
        await server.create(f"Project {number}")
    seen, cursor = [], ""
    while True:
        page = await server.get(f"projects?limit=2{cursor}")
        seen += [row["name"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [f"Project {number}" for number in (4, 3, 2, 1, 0)]


async def test_an_unreadable_file_is_named_and_costs_the_others_nothing(server: Caller) -> None:
    good, bad = await server.create("Good"), await server.create("Bad")
    file = server.extension.services.settings.data_dir / "projects" / bad["id"] / "agent.config.json"
    file.write_text('{\n  "model": oops\n}')
    response = await server.call("GET", f"projects/{bad['id']}")
    assert (response.status_code, code(response)) == (409, "UNREADABLE_FILE")
    assert response.json()["error"]["details"]["file"] == "agent.config.json"
    assert response.json()["error"]["details"]["line"] == 2
    rows = {row["name"]: row["unreadable"] for row in (await server.get("projects"))["items"]}
    assert rows["Good"] is None
    assert len(rows) == 2
    assert (await server.call("GET", f"projects/{good['id']}")).status_code == 200
    assert file.read_text() == '{\n  "model": oops\n}'


# ------------------------------------------------------------ files


async def test_project_files_keep_their_bytes_and_never_show_themselves_as_pages(server: Caller) -> None:
    project = await server.create()
    base = f"projects/{project['id']}/files"
    script = b"<script>alert(1)</script>\x00\xff"
    written = await server.call(
        "PUT", f"{base}/pages/a b.html", content=script, headers={"Content-Type": "text/html"}
    )
    assert written.status_code == 200, written.text
    assert [row["path"] for row in (await server.get(base))["items"]] == ["pages/a b.html"]
    read = await server.call("GET", f"{base}/pages/a%20b.html")
    assert read.content == script
    assert read.headers["Content-Disposition"].startswith("attachment")
    assert read.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in read.headers["Content-Security-Policy"]
    assert (await server.call("DELETE", f"{base}/pages/a%20b.html")).status_code == 204
    assert (await server.get(base))["items"] == []


@pytest.mark.parametrize(
    "path",
    ["%2e%2e/metadata.json", "..%2fmetadata.json", "%2fetc%2fpasswd", "a%00b", "a//b", "x/../../y", "%ff"],
)
async def test_no_path_leaves_the_projects_files(server: Caller, path: str) -> None:
    project = await server.create()
    for method in ("GET", "PUT", "DELETE"):
        response = await server.call(
            method, f"projects/{project['id']}/files/{path}", **({"content": b"x"} if method == "PUT" else {})
        )
        assert response.status_code in (400, 404, 405), (method, response.status_code)
        assert code(response)


# ------------------------------------------------------------ keys


async def test_keys_are_shown_once_and_listed_without_their_secret(server: Caller) -> None:
    project = await server.create()
    response = await server.call("POST", f"projects/{project['id']}/keys", json={"name": "Nightly"})
    assert response.status_code == 201
    key = response.json()
    assert key["api_key"].startswith(f"ca_{key['id']}_")
    listed = await server.call("GET", f"projects/{project['id']}/keys")
    assert [row["name"] for row in listed.json()["items"]] == ["First key", "Nightly"]
    assert key["api_key"].rpartition("_")[2] not in listed.text
    stored = (
        server.extension.services.settings.data_dir / "projects" / project["id"] / "keys.json"
    ).read_text()
    assert key["api_key"].rpartition("_")[2] not in stored
