"""Files with a request: uploads, files of the Jupyter server, and what the agent finds of them."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.executions import inputs

from .caller import Caller, code

BASH = {"tools": ["bash"], "permissions": {"bash": "allow"}, "task": "Do it."}


def look(command: str) -> dict[str, Any]:
    return {"text": "I look.", "tools": [{"name": "bash", "as": "look", "input": {"command": command}}]}


async def upload(server: Caller, project: dict[str, Any], data: bytes, *, key: str | None = None) -> str:
    answer = await server.call("POST", f"projects/{project['id']}/uploads", content=data, key=key)
    assert answer.status_code == 201, answer.text
    assert answer.json()["size"] == len(data)
    return str(answer.json()["upload_id"])


async def seen(server: Caller, execution_id: str) -> str:
    """What the command showed."""
    state = await server.ended(execution_id)
    assert state["status"] == "completed", state
    results = [each for each in await server.events(execution_id) if each["type"] == "tool_result"]
    return "".join(part.get("text", "") for part in results[0]["output"])


async def test_an_upload_lies_in_the_workspace_before_the_agent_begins(server: Caller) -> None:
    project = await server.create(agent=BASH)
    await server.script(project["id"], look("cat in/a.txt b.bin | wc -c; cat in/a.txt"), {"text": "Done."})
    first = await upload(server, project, b"hello\n", key=project["api_key"])
    second = await upload(server, project, os.urandom(3_000_000))
    files = [{"path": "in/a.txt", "upload_id": first}, {"path": "b.bin", "upload_id": second}]
    for _ in range(2):  # an upload may be used again
        execution = await server.execute(project["id"], key=project["api_key"], files=files)
        assert await seen(server, execution) == "3000006\nhello\n"
    left = (await server.get(f"executions/{execution}/files"))["items"]
    assert [row["path"] for row in left] == [], "what was given is not what the run made"


async def test_a_file_of_the_server_is_copied_for_its_users_and_refused_to_keys(server: Caller) -> None:
    root = Path(server.app.root_dir)
    await asyncio.to_thread((root / "data").mkdir)
    await asyncio.to_thread((root / "data/sales.csv").write_text, "region,sum\n")
    project = await server.create(agent=BASH)
    await server.script(project["id"], look("cat sales.csv; echo changed >sales.csv"), {"text": "Done."})
    files = [{"path": "sales.csv", "contents_path": "data/sales.csv"}]
    execution = await server.execute(project["id"], files=files)
    assert await seen(server, execution) == "region,sum\n"
    assert await asyncio.to_thread((root / "data/sales.csv").read_text) == "region,sum\n"
    refused = await server.call(
        "POST", f"projects/{project['id']}/execute", json={"files": files}, key=project["api_key"]
    )
    assert (refused.status_code, code(refused)) == (400, "INVALID_REQUEST")
    assert "for its users" in refused.text


async def refusal(server: Caller, project: dict[str, Any], *files: dict[str, Any]) -> str:
    answer = await server.call("POST", f"projects/{project['id']}/execute", json={"files": list(files)})
    assert (answer.status_code, code(answer)) == (400, "INVALID_REQUEST"), answer.text
    return answer.text


async def test_what_cannot_be_given_is_refused_before_anything_is_accepted(
    server: Caller, tmp_path: Path
) -> None:
    project, other = await server.create(agent=BASH), await server.create(agent=BASH)
    mine = await upload(server, project, b"x")
    foreign = await upload(server, other, b"x")
    root = Path(server.app.root_dir)
    await asyncio.to_thread((root / ".hidden").write_text, "x")
    await asyncio.to_thread((tmp_path / "outside").write_text, "x")
    await asyncio.to_thread((root / "link").symlink_to, tmp_path / "outside")
    await asyncio.to_thread(os.mkfifo, root / "fifo")
    assert "no such upload" in await refusal(server, project, {"path": "a", "upload_id": foreign})
    assert "no such upload" in await refusal(server, project, {"path": "a", "upload_id": "../../x"})
    assert "same path" in await refusal(
        server, project, {"path": "a", "upload_id": mine}, {"path": "./a", "upload_id": mine}
    )
    assert "either" in await refusal(server, project, {"path": "a"})
    for path in (".hidden", "link", "fifo", "missing", "../outside", "", "/"):
        await refusal(server, project, {"path": "a", "contents_path": path})
    for path in ("/etc/x", "../x", "a/../../x", "~/x", "a/", ".", "a\\b", "a\nb", "x" * 300):
        await refusal(server, project, {"path": path, "upload_id": mine})
    assert (await server.get("executions"))["items"] == []
    temp = server.extension.services.settings.data_dir / "temp"
    assert await asyncio.to_thread(list, temp.glob("*/inputs")) == []


@pytest.mark.parametrize(
    ("number", "answer"), [(errno.ENOSPC, (507, "DISK_FULL")), (errno.EMFILE, (503, "OVERLOADED"))]
)
async def test_a_disk_without_room_for_an_input_is_not_told_as_the_callers_fault(
    server: Caller, monkeypatch: pytest.MonkeyPatch, number: int, answer: tuple[int, str]
) -> None:
    project = await server.create(agent=BASH)
    given = [{"path": "a.bin", "upload_id": await upload(server, project, b"x" * 1000)}]
    temp = server.extension.services.settings.data_dir / "temp"
    before = await asyncio.to_thread(lambda: sorted(temp.iterdir()))

    def broken(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(inputs.shutil, "copyfile", broken)
        refused = await server.call("POST", f"projects/{project['id']}/execute", json={"files": given})
    assert (refused.status_code, code(refused)) == answer
    assert await asyncio.to_thread(lambda: sorted(temp.iterdir())) == before, "nothing is left of it"
    assert (await server.get("executions"))["items"] == []


async def test_an_upload_goes_after_a_day(server: Caller) -> None:
    project = await server.create(agent=BASH)
    upload_id = await upload(server, project, b"x")
    folder = server.extension.services.settings.data_dir / "temp/uploads" / project["id"]
    old = time.time() - 25 * 3600
    await asyncio.to_thread(os.utime, folder / upload_id, (old, old))
    assert "older than a day" in await refusal(server, project, {"path": "a", "upload_id": upload_id})
    await upload(server, project, b"y")
    assert len(await asyncio.to_thread(os.listdir, folder)) == 1


async def test_a_key_uploads_to_its_own_project_only(server: Caller) -> None:
    project, other = await server.create(agent=BASH), await server.create(agent=BASH)
    answer = await server.call(
        "POST", f"projects/{other['id']}/uploads", content=b"x", key=project["api_key"]
    )
    assert answer.status_code == 403
    answer = await server.call("POST", "projects/00000000-0000-4000-8000-000000000000/uploads", content=b"x")
    assert answer.status_code == 404
