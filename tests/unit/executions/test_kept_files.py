"""Large files of a task are with the model's service while the execution may need them, and no longer."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloutagent_ext.engine import models
from cloutagent_ext.schema.execution import InputFile
from tests.support.messages_api import Call, MessagesApi, Say, Scripted

from .conftest import Office, Opens, agent

PDF = b"%PDF-1.7 " + bytes(11 * 1024 * 1024)


def script(body: dict[str, Any], number: int) -> Scripted:
    if any(message["role"] == "assistant" for message in body["messages"]):
        return Say("Read.")
    return Call("bash", {"command": "until [ -e go ]; do sleep 0.05; done"}, id="wait")


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MessagesApi]:
    # Only Anthropic's own address is taken to have the Files API, and no test goes there.
    monkeypatch.setattr(models, "_is_own", lambda base_url: True)
    async with MessagesApi(script) as made:
        yield made


async def begun(office: Office) -> str:
    """An execution whose command waits, its file uploaded."""
    project = await office.project(agent=agent())
    upload = (await office.executions.inputs.keep(project, io.BytesIO(PDF), len(PDF))).upload_id
    accepted = await office.accept(project, files=[InputFile(path="report.pdf", upload_id=upload)])
    await office.until(accepted.execution_id, "tool_call")
    return accepted.execution_id


def let_go(office: Office, execution_id: str) -> None:
    (office.services.settings.data_dir / "temp" / execution_id / "workspace" / "go").touch()


async def end_of(office: Office, execution_id: str) -> str:
    async with asyncio.timeout(90):
        return (await office.executions.wait(execution_id)).status


@pytest.mark.parametrize("how", ["completed", "cancelled"])
async def test_what_was_kept_is_deleted_when_it_is_over(
    open_office: Opens, api: MessagesApi, how: str
) -> None:
    office = await open_office(base_url=api.url, api_key="test-key")
    execution_id = await begun(office)
    assert list(api.files.values()) == [PDF]
    source = api.requests[0]["messages"][0]["content"][0]["source"]
    assert source == {"type": "file", "file_id": "file_0"}
    if how == "completed":
        let_go(office, execution_id)
    else:
        await office.executions.cancel(execution_id, by="ada")
    assert await end_of(office, execution_id) == how
    assert api.deleted == ["file_0"]


async def test_what_a_stopped_server_leaves_is_there_for_the_next_sitting_and_not_uploaded_again(
    open_office: Opens, api: MessagesApi
) -> None:
    office = await open_office(base_url=api.url, api_key="test-key")
    execution_id = await begun(office)
    await office.services.stop(0)
    assert api.deleted == []
    again = await open_office(base_url=api.url, api_key="test-key")
    let_go(again, execution_id)
    assert await end_of(again, execution_id) == "completed"
    assert api.requests[-1]["messages"][0] == api.requests[0]["messages"][0]
    assert (len(api.uploads), api.deleted) == (1, ["file_0"])


async def test_a_recording_plays_without_the_service_that_kept_its_files(
    open_office: Opens, api: MessagesApi
) -> None:
    office = await open_office(base_url=api.url, api_key="test-key")
    execution_id = await begun(office)
    let_go(office, execution_id)
    assert await end_of(office, execution_id) == "completed"
    cassette = await office.executions.results.record(execution_id, tools=True)
    asked, project = len(api.requests), (await office.executions.state(execution_id)).project_id
    upload = (await office.executions.inputs.keep(project, io.BytesIO(PDF), len(PDF))).upload_id
    files = [InputFile(path="report.pdf", upload_id=upload)]
    played = await office.run(project, replay=cassette, files=files)
    assert (played.status, played.error) == ("completed", None)
    assert (len(api.uploads), len(api.requests)) == (1, asked)
    without = await office.run(project, replay=cassette)
    assert without.error is not None
    assert without.error.details["kind"] == "cassette_miss"
