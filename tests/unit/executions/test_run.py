"""One execution from request to end, with the real store, engine and tools."""

from __future__ import annotations

import asyncio
import errno
import json
from collections import Counter
from typing import Any

import pytest

from cloutagent_ext.auth.principal import Principal
from cloutagent_ext.errors import (
    BadGateway,
    CloutError,
    Conflict,
    DiskFull,
    InvalidProject,
    InvalidRequest,
    MissingVariable,
    NotFound,
    UnknownVariable,
    UnreadableFile,
)
from cloutagent_ext.executions import worker
from cloutagent_ext.executions.appendfile import AppendFile
from cloutagent_ext.schema.events import ENDINGS, EVENT
from cloutagent_ext.schema.execution import ExecuteRequest, ExecutionState
from cloutagent_ext.services import SystemClock
from tests.support.patience import Promised
from tests.support.survivors import survivors

from .conftest import Office, Opens, agent, bash


async def processes_of(execution_id: str) -> list[str]:
    """Command lines of its living processes."""
    return await asyncio.to_thread(survivors, execution_id)


async def none_lives(execution_id: str) -> None:
    """Return once no process of it does.

    A supervisor that a server was just starting when it was killed cannot be seen before its exec; it finds
    nobody to tell it what to start, and ends by itself.
    """
    async with asyncio.timeout(30):
        while await processes_of(execution_id):
            await asyncio.sleep(0.05)


async def test_a_run_computes_with_the_projects_files_and_says_so(office: Office) -> None:
    project = await office.project(
        bash("wc -l < sales.csv; echo made > report.txt"), files={"sales.csv": b"a\n1\n2\n"}
    )
    state = await office.run(project)
    assert (state.status, state.simulated, state.turns) == ("completed", True, 2)
    assert state.result is not None
    assert state.result.text.startswith("Done: 3")
    assert state.files == 1
    [row] = await office.executions.results.files(state.execution_id)
    assert row.path == "report.txt"
    path = await office.executions.results.file(state.execution_id, "report.txt")
    assert await asyncio.to_thread(path.read_text) == "made\n"


async def test_the_log_speaks_the_contract_without_gaps_and_ends_once(office: Office) -> None:
    state = await office.run(await office.project(bash("true")))
    events = await office.events(state.execution_id)
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    for event in events:
        EVENT.validate_json(json.dumps(event))
    types = [event["type"] for event in events]
    assert types[:2] == ["queued", "start"]
    assert [each for each in types if each in ENDINGS] == ["complete"] == types[-1:]
    assert state.last_event_id == len(events)


async def test_the_state_on_disk_is_the_state_that_is_shown(office: Office) -> None:
    state = await office.run(await office.project(bash("true")))
    folder = office.services.store.executions_dir(state.project_id) / state.execution_id
    written = await asyncio.to_thread((folder / "state.json").read_bytes)
    assert ExecutionState.model_validate_json(written) == state
    assert {path.name for path in await asyncio.to_thread(lambda: list(folder.iterdir()))} == {
        "spec.json", "events.jsonl", "state.json", "journal",
    }  # fmt: skip


async def test_a_cancel_in_the_middle_of_a_command_leaves_no_process(
    office: Office, promised: Promised
) -> None:
    stubborn = "trap '' TERM; (setsid sh -c \"trap '' TERM; sleep 300\" &); touch started; sleep 300"
    accepted = await office.accept(await office.project(bash(stubborn)))
    await office.until(accepted.execution_id, "tool_call")
    async with asyncio.timeout(60):
        while not [
            row
            for row in await office.executions.results.files(accepted.execution_id)
            if row.path == "started"
        ]:
            await asyncio.sleep(0.02)
    assert await processes_of(accepted.execution_id)
    with promised(5):
        state = await office.executions.cancel(accepted.execution_id, by="ada")
        assert (state.status, state.cancelling) == ("running", True)
        again = await office.executions.cancel(accepted.execution_id, by="somebody else")
        assert again.cancelling
        state = await office.executions.wait(accepted.execution_id)
    assert await processes_of(accepted.execution_id) == []
    assert (state.status, state.cancelling) == ("cancelled", False)
    assert (await office.events(accepted.execution_id))[-1]["by"] == "ada"
    with pytest.raises(Conflict):
        await office.executions.cancel(accepted.execution_id, by="ada")


async def test_a_failure_keeps_what_is_known_and_says_where(office: Office) -> None:
    project = await office.project(*[bash("true") for _ in range(9)])
    state = await office.run(project, limits={"max_turns": 2})
    assert state.status == "failed"
    assert state.error is not None
    assert state.error.code == "TURN_LIMIT_EXCEEDED"
    assert state.usage.output_tokens > 0
    folder = office.services.store.executions_dir(project) / state.execution_id
    error = json.loads(await asyncio.to_thread((folder / "error.json").read_bytes))
    assert (error["code"], error["agent"], error["turn"]) == ("TURN_LIMIT_EXCEEDED", "main", 2)


async def test_a_bug_of_ours_ends_the_run_with_a_number_and_shows_no_secret(
    open_office: Opens, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    office = await open_office(api_key="sk-ant-very-secret-key")

    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("with sk-ant-very-secret-key in it")

    monkeypatch.setattr(worker.loop, "run", broken)
    state = await office.run(await office.project(agent=agent(simulate=True)))
    assert state.error is not None
    assert state.error.code == "INTERNAL"
    number = state.error.details["request_id"]
    folder = office.services.store.executions_dir(state.project_id) / state.execution_id
    written = await asyncio.to_thread((folder / "error.json").read_text)
    assert number in written
    assert "ZeroDivisionError" in written
    assert "ZeroDivisionError" not in state.model_dump_json()
    assert number in caplog.text
    assert "very-secret" not in written + caplog.text + state.model_dump_json()


async def test_a_run_that_does_not_stop_is_given_up_within_five_seconds(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, promised: Promised
) -> None:
    released = asyncio.Event()

    async def deaf(*_: Any, **__: Any) -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    monkeypatch.setattr(worker.loop, "run", deaf)
    accepted = await office.accept(await office.project())
    await office.until(accepted.execution_id, "start")
    with promised(6):
        await office.executions.cancel(accepted.execution_id, by="ada")
        state = await office.executions.wait(accepted.execution_id)
    assert state.status == "cancelled"
    assert office.executions.running == 0
    released.set()


@pytest.mark.parametrize(
    ("request_fields", "expected"),
    [
        ({"variables": {"nobody": "x"}}, UnknownVariable),
        ({}, MissingVariable),
        ({"variables": {"topic": "x"}, "continue_from": "0" * 36}, InvalidRequest),
        ({"variables": {"topic": "x"}, "replay": "cassette"}, InvalidRequest),
        ({"variables": {"topic": "x"}, "files": [{"path": "a", "upload_id": "u"}]}, InvalidRequest),
        ({"variables": {"topic": "x"}, "prompt": "  "}, InvalidRequest),
        ({"variables": {"topic": "x"}, "version": 99}, NotFound),
    ],
)
async def test_what_cannot_run_is_refused_by_name_and_leaves_nothing(
    office: Office, request_fields: dict[str, Any], expected: type[CloutError]
) -> None:
    project = await office.project(variables={"topic": {}}, agent=agent(task="Study {{topic}}."))
    with pytest.raises(expected) as caught:
        await office.accept(project, **request_fields)
    assert type(caught.value) is expected
    assert (await office.executions.list()).items == []
    assert not office.executions.active


async def test_a_definition_with_errors_is_refused_with_its_problems(office: Office) -> None:
    project = await office.project(agent=agent(tools=["telepathy"]))
    with pytest.raises(InvalidProject) as caught:
        await office.accept(project)
    assert caught.value.details["problems"][0]["message"] in caught.value.message


async def test_a_broken_scenario_is_named_before_anything_starts(office: Office) -> None:
    project = await office.project(files={"scenario.json": b"{"})
    with pytest.raises(UnreadableFile, match="scenario"):
        await office.accept(project)


async def test_a_program_never_gets_an_invented_answer(open_office: Opens) -> None:
    office = await open_office()
    project = await office.project(bash("true"))
    program = Principal(kind="key", name="ci", project_id=project, scopes=frozenset({"execute"}))
    with pytest.raises(BadGateway) as caught:
        await office.accept(project, principal=program)
    assert caught.value.error_code == "MODEL_UNAVAILABLE"
    simulated = await office.project(bash("true"), agent=agent(simulate=True))
    assert (await office.run(simulated, principal=program)).origin == "key"
    allowed = await open_office(allow_simulated_api=True)
    assert (await allowed.run(project, principal=program)).status == "completed"


async def test_limits_of_a_request_only_lower_the_projects(office: Office) -> None:
    project = await office.project(bash("true"))
    state = await office.run(project, limits={"timeout_s": 5, "max_turns": 1000, "max_cost_usd": 99.0})
    assert (state.limits.timeout_s, state.limits.max_turns, state.limits.max_cost_usd) == (5, 50, 1.0)


async def test_what_was_accepted_runs_whatever_happens_to_the_project_later(office: Office) -> None:
    project = await office.project(bash("cat data.txt"), files={"data.txt": b"first"})
    await office.services.store.write_file(project, "data.txt", b"second")
    state = await office.run(project, version=1)
    assert state.result is not None
    assert "first" in state.result.text


async def test_a_call_that_must_ask_fails_with_words_and_the_run_goes_on(office: Office) -> None:
    project = await office.project(bash("true"), agent=agent(permissions={"bash": "ask"}))
    state = await office.run(project, origin="api")
    assert state.status == "completed"
    [result] = [e for e in await office.events(state.execution_id) if e["type"] == "tool_result"]
    assert result["is_error"]
    assert '"bash": "allow"' in result["output"][0]["text"]


async def test_lists_go_newest_first_page_by_page_and_filter(office: Office) -> None:
    one, two = await office.project(bash("true")), await office.project(bash("true"))
    ran = [(await office.run(project)).execution_id for project in (one, two, one)]
    listed: list[str] = []
    cursor = None
    while True:
        page = await office.executions.list(limit=2, cursor=cursor)
        listed += [state.execution_id for state in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert listed == ran[::-1]
    assert [s.execution_id for s in (await office.executions.list(project=two)).items] == [ran[1]]
    assert (await office.executions.list(status="failed")).items == []
    since = (await office.executions.state(ran[2])).created_at
    assert [s.execution_id for s in (await office.executions.list(since=since)).items] == [ran[2]]
    with pytest.raises(InvalidRequest):
        await office.executions.list(cursor="nonsense")


async def test_a_deleted_execution_is_gone_with_its_workspace(office: Office) -> None:
    state = await office.run(await office.project(bash("echo x > y")))
    await office.executions.delete(state.execution_id)
    with pytest.raises(NotFound):
        await office.executions.state(state.execution_id)
    temp = office.services.settings.data_dir / "temp"
    assert await asyncio.to_thread(lambda: list(temp.iterdir())) == []


async def test_who_watches_sees_the_newest_state_of_everything(office: Office) -> None:
    changes = office.executions.changes()
    seen: list[ExecutionState] = []

    async def watch() -> None:
        async for state in changes:
            seen.append(state)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    state = await office.run(await office.project(bash("true")))
    async with asyncio.timeout(60):
        while not seen or seen[-1].status != "completed":
            await asyncio.sleep(0.01)
    assert {each.execution_id for each in seen} == {state.execution_id}
    assert "running" in Counter(each.status for each in seen)
    await office.services.stop()
    async with asyncio.timeout(60):
        await watching


async def test_a_caller_that_goes_away_leaves_no_half_acceptance(office: Office) -> None:
    project = await office.project(bash("true"))
    request = ExecuteRequest()
    calling = asyncio.create_task(
        office.executions.accept(
            project, request, principal=Principal(kind="user", name="ada"), origin="panel"
        )
    )
    await asyncio.sleep(0.001)
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    async with asyncio.timeout(60):
        while not (states := (await office.executions.list(status="completed")).items):
            await asyncio.sleep(0.01)
    assert len(states) == 1


async def test_a_full_disk_refuses_new_work_and_leaves_nothing_of_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await office.project(bash("true"))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(AppendFile, "append", full)
    with pytest.raises(DiskFull):
        await office.accept(project)
    monkeypatch.undo()
    assert not office.executions.active
    assert (await office.executions.list()).items == []
    assert (await office.run(project)).status == "completed"


async def test_a_stream_of_a_deleted_execution_ends(office: Office) -> None:
    state = await office.run(await office.project(bash("true")))
    log = await office.executions.log(state.execution_id)
    await office.executions.delete(state.execution_id)
    async with asyncio.timeout(60):
        assert [line async for line in log.cursor()] == []


async def test_an_end_that_finds_no_memory_to_be_written_is_written_when_there_is_some(
    open_office: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hurried(SystemClock):
        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(0.01)

    office = await open_office(clock=Hurried())
    project = await office.project(bash("true"))
    append, refused = AppendFile.append, 0

    def starved(file: AppendFile, record: bytes) -> None:
        nonlocal refused
        if b'"complete"' in record and refused < 3:
            refused += 1
            raise MemoryError
        append(file, record)

    monkeypatch.setattr(AppendFile, "append", starved)
    state = await office.run(project)
    assert (state.status, refused) == ("completed", 3)
    assert [event["type"] for event in await office.events(state.execution_id)].count("complete") == 1
