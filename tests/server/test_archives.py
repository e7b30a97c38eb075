"""Archives and backups over HTTP and from the command line, on a real server."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.archives import HOSTILE

from .caller import Caller, code


async def test_an_export_is_imported_as_a_new_project_with_a_key_that_works(server: Caller) -> None:
    project = await server.create("Sales/2026")
    for form, kind in (("zip", "application/zip"), ("tar.gz", "application/gzip")):
        exported = await server.call("GET", f"projects/{project['id']}/export?format={form}")
        assert (exported.status_code, exported.headers["Content-Type"]) == (200, kind)
        assert "attachment" in exported.headers["Content-Disposition"]
        imported = await server.call(
            "POST", "projects/import", content=exported.content, headers={"Content-Type": kind}
        )
        assert imported.status_code == 201, imported.text
        made = imported.json()
        server.projects.append(made)
        assert (made["warnings"], made["version"]) == ([], 1)
        assert imported.headers["Location"].endswith(f"/projects/{made['id']}")
        assert (await server.get(f"projects/{made['id']}", key=made["api_key"]))["agent"] == project["agent"]


async def test_a_form_with_the_field_file_is_taken_too(server: Caller) -> None:
    project = await server.create()
    data = (await server.call("GET", f"projects/{project['id']}/export")).content
    imported = await server.call(
        "POST", "projects/import", data={"note": "x"}, files={"file": ("a.zip", data, "application/zip")}
    )
    assert imported.status_code == 201, imported.text
    missing = await server.call("POST", "projects/import", files={"other": ("a.zip", data)})
    assert (missing.status_code, code(missing)) == (400, "INVALID_REQUEST")
    wrong = await server.call("POST", "projects/import", json={"a": 1})
    assert (wrong.status_code, code(wrong)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "what", ["zip, name: parent", "tar, link and a file through it", "zip, bomb", "neither"]
)
async def test_a_hostile_archive_is_a_422_and_leaves_nothing(server: Caller, what: str) -> None:
    before = (await server.get("projects"))["items"]
    response = await server.call(
        "POST", "projects/import", content=HOSTILE[what](), headers={"Content-Type": "application/zip"}
    )
    assert (response.status_code, code(response)) == (422, "BAD_ARCHIVE")
    assert (await server.get("projects"))["items"] == before
    temp = server.extension.services.settings.data_dir / "temp"
    assert not await asyncio.to_thread(lambda: [path for path in temp.glob("*") if path.is_file()])


async def test_ten_megabytes_travel_out_and_in_and_more_than_200_are_refused(server: Caller) -> None:
    project = await server.create()
    data = os.urandom(10 * 1024 * 1024)
    written = await server.call("PUT", f"projects/{project['id']}/files/large.bin", content=data)
    assert written.status_code == 200
    archive = (await server.call("GET", f"projects/{project['id']}/export")).content
    made = (await server.call("POST", "projects/import", content=archive)).json()
    assert (await server.call("GET", f"projects/{made['id']}/files/large.bin")).content == data
    reader, writer = await asyncio.open_connection(server.http.base_url.host, server.http.base_url.port)
    token = server.user_headers["Authorization"]
    path = f"{server.http.base_url.raw_path.decode()}{server.path('projects/import')}"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n"
    writer.write(f"{head}Content-Length: {201 * 1024 * 1024}\r\n\r\n".encode())
    async with asyncio.timeout(60):
        assert b" 413 " in await reader.readline(), "refused before a byte of it is sent"
    writer.close()
    await writer.wait_closed()


async def test_a_duplicate_is_another_project_of_the_same_content(server: Caller) -> None:
    project = await server.create("One", description="what for")
    response = await server.call("POST", f"projects/{project['id']}/duplicate")
    assert response.status_code == 201, response.text
    copy = response.json()
    assert (copy["name"], copy["description"]) == ("One (copy)", "what for")
    assert copy["id"] != project["id"]
    assert copy["api_key"] != project["api_key"]
    refused = await server.call("POST", f"projects/{project['id']}/duplicate", key=project["api_key"])
    assert refused.status_code == 403


async def test_a_backup_is_made_listed_downloaded_and_restored(server: Caller) -> None:
    project = await server.create("Kept", description="before")
    made = await server.call("POST", "backups")
    assert made.status_code == 201, made.text
    row = made.json()
    assert row["kind"] == "manual"
    assert row in (await server.get("backups"))["items"]
    download = await server.call("GET", f"backups/{row['name']}")
    assert (download.status_code, len(download.content)) == (200, row["size"])
    with zipfile.ZipFile(io.BytesIO(download.content)) as archive:
        assert f"projects/{project['id']}/metadata.json" in archive.namelist()
    await server.call("PUT", f"projects/{project['id']}", json=project_body(project, description="after"))
    path = f"backups/{row['name']}/restore"
    restored = await server.call("POST", path, json={"project": project["id"]})
    assert restored.status_code == 200, restored.text
    assert restored.json()["restored"] == [project["id"]]
    assert len(restored.json()["kept"]) == 1
    assert (await server.get(f"projects/{project['id']}"))["description"] == "before"
    assert (await server.get(f"projects/{project['id']}", key=project["api_key"]))["name"] == "Kept"
    nothing = await server.call("POST", "backups/..%2Fx.zip/restore", json={})
    assert nothing.status_code == 404


def project_body(project: dict[str, object], **changes: object) -> dict[str, object]:
    return {name: value for name, value in project.items() if name != "api_key"} | changes


async def test_a_restore_over_a_running_execution_is_refused(server: Caller) -> None:
    project = await server.create(agent={"tools": ["bash"], "permissions": {"bash": "allow"}})
    wait = {"name": "bash", "as": "w", "input": {"command": "sleep 30"}}
    await server.script(project["id"], {"text": "I wait.", "tools": [wait]}, {"text": "Done."})
    row = (await server.call("POST", "backups")).json()
    execution = await server.execute(project["id"])
    refused = await server.call("POST", f"backups/{row['name']}/restore", json={"project": project["id"]})
    assert (refused.status_code, code(refused)) == (409, "CONFLICT")
    await server.call("POST", f"executions/{execution}/cancel")
    await server.ended(execution)


async def command(data_dir: Path, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cloutagent_ext", *arguments, "--data-dir", str(data_dir),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_command_line_exports_imports_backs_up_and_restores(tmp_path: Path) -> None:
    data, archive = tmp_path / "data", tmp_path / "one.tar.gz"
    assert (await command(data, "projects", "create", "One"))[0] == 0
    assert (await command(data, "export", "One", str(archive)))[0] == 0
    again = await command(data, "export", "One", str(archive))
    assert again[0] == 2, "what is there is not replaced without being asked"
    status, out, err = await command(data, "import", str(archive), "--json")
    assert status == 0, err
    made = json.loads(out)
    assert (made["name"], made["warnings"]) == ("One (2)", [])
    status, out, err = await command(data, "backup", "--json")
    assert status == 0, err
    name = json.loads(out)["name"]
    status, out, err = await command(data, "restore", name, "--project", made["id"], "--json")
    assert (status, json.loads(out)["restored"]) == (0, [made["id"]]), err
    status, out, _ = await command(data, "backup", "--list")
    assert name in out
    bad = tmp_path / "bad.zip"
    bad.write_bytes(HOSTILE["zip, name: parent"]())
    status, out, _ = await command(data, "import", str(bad), "--json")
    assert (status, json.loads(out)["error"]["code"]) == (2, "BAD_ARCHIVE")
