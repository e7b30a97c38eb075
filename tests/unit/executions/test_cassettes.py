"""Recordings: an execution with a model, saved, and played again without one."""

from __future__ import annotations

import base64
import gzip
import json
import sys
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from cloutagent_ext.schema.project import McpServer, Subagent
from tests.support.messages_api import Call, Calls, Failure, Json, MessagesApi, Reply, Say, Scripted

from .conftest import Office, Opens, agent
from .studio import KEY, Studio, project, told


@pytest.fixture
async def api() -> AsyncIterator[MessagesApi]:
    async with MessagesApi([], api_key=KEY) as api:
        yield api


@pytest.fixture
def studio(open_office: Opens, api: MessagesApi) -> Studio:
    return Studio(open_office, api)


THINKING = {"type": "thinking", "thinking": "It is a file. " * 40, "signature": "sig-1"}
WHOLE: list[Scripted] = [
    Reply(
        [
            THINKING,
            {"type": "text", "text": "I look. " * 30},
            {"type": "tool_use", "id": "toolu_a", "name": "bash", "input": {"command": "cat in.txt; date>d"}},
        ],
        stop_reason="tool_use",
    ),
    Calls([("agent__helper", {"prompt": "one"}), ("agent__helper", {"prompt": "two"})], text="Both."),
]  # fmt: skip


def helpers(body: Json, number: int) -> Scripted:
    """The main agent's first two turns, then both helpers, then the end."""
    if number < 2:
        return WHOLE[number]
    first = body["messages"][0]["content"][0]["text"]
    if first in ("one", "two"):
        if len(body["messages"]) == 1:
            return Call("bash", {"command": f"echo {first}"}, id=f"toolu_{first}")
        return Say(f"I am {first}.")
    return Say("All done: ünïcödé ✓")


HELPED = project(
    subagents=[
        Subagent(
            id="helper",
            name="Helper",
            tools=["bash"],
            permissions={"bash": "allow"},
            parallel=True,
            max_parallel_instances=2,
        )
    ]
)


async def test_a_replay_tells_the_same_without_key_network_or_cost(studio: Studio) -> None:
    project_id, first, events, cassette = await studio.record(HELPED, helpers, files={"in.txt": b"data"})
    asked = len(studio.api.requests)
    assert first.total_cost_usd
    player = await studio.player()
    again = await player.run(project_id, replay=cassette)
    assert (again.status, again.error) == ("completed", None)
    assert told(await player.events(again.execution_id)) == told(events)
    assert again.result == first.result
    assert again.usage == first.usage
    assert (again.total_cost_usd, again.replay, again.simulated) == (0.0, cassette, False)
    assert len(studio.api.requests) == asked
    start = next(e for e in await player.events(again.execution_id) if e["type"] == "start")
    assert start["replay"] == cassette
    # Without tool results on the cassette, tools really ran.
    assert [row.path for row in await player.executions.results.files(again.execution_id)] == ["d"]


async def test_with_tool_results_a_replay_runs_no_tool(studio: Studio) -> None:
    command = (
        "date +%N; ls -la --time-style=full-iso; echo x > made; head -c 40000 /dev/zero | tr '\\0' x; exit 3"
    )
    script = [Call("bash", {"command": command}, id="toolu_a"), Say("It failed, as it should.")]
    project_id, _, events, cassette = await studio.record(project(), script, tools=True)
    player = await studio.player()
    again = await player.run(project_id, replay=cassette)
    assert (again.status, again.error) == ("completed", None)
    assert told(await player.events(again.execution_id)) == told(events)
    assert await player.executions.results.files(again.execution_id) == []
    row = (await player.executions.cassettes.rows(project_id))[0]
    assert (row.tool_results, row.replies, row.status) == (1, 2, "completed")


async def test_pictures_come_back_to_where_the_model_saw_them(studio: Studio) -> None:
    png = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    )
    script = [Call("view", {"path": "dot.png"}), Say("A dot.")]
    viewing = project(agent=agent(tools=["view"]))
    project_id, _, events, cassette = await studio.record(viewing, script, tools=True, files={"dot.png": png})
    player = await studio.player()
    await player.services.store.delete_file(project_id, "dot.png")
    again = await player.run(project_id, replay=cassette)
    assert (again.status, again.error) == ("completed", None)
    assert told(await player.events(again.execution_id)) == told(events)
    parts = next(e["output"] for e in events if e["type"] == "tool_result")
    path = next(part["path"] for part in parts if part["type"] == "image")
    assert (await player.executions.results.file(again.execution_id, path)).read_bytes() == png


async def test_with_tool_results_a_replay_starts_no_mcp_server(studio: Studio) -> None:
    server = McpServer(id="time", name="Time", transport="stdio", command=sys.executable,
                       args=["-m", "mcp_server_time"], credentials={"TOKEN": "TIME_TOKEN"})  # fmt: skip
    env = {"ALSO": "{{secret:TIME_TOKEN}}"}
    timely = project(agent=agent(tools=[], permissions={"mcp__time__*": "allow"}, env=env), mcps=[server])
    when = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "UTC"}
    script = [Call("mcp__time__convert_time", when), Say("Noon.")]
    project_id, _, events, cassette = await studio.record(
        timely, script, tools=True, secrets={"TIME_TOKEN": "time-secret"}
    )
    player = await studio.player()
    await player.services.secrets.delete(project_id, "TIME_TOKEN")  # nothing is left to start it with
    gone = server.model_copy(update={"command": "/nonexistent"})
    await player.services.store.save(project_id, timely.model_copy(update={"mcps": [gone]}))
    again = await player.run(project_id, replay=cassette)
    assert (again.status, again.error) == ("completed", None)
    assert told(await player.events(again.execution_id)) == told(events)


async def test_what_belongs_to_one_run_is_no_difference(studio: Studio) -> None:
    system = "Run {{execution_id}} of {{timestamp}}."
    asking = project(agent=agent(system_prompt=system, task="Where? {{execution_id}}"))

    def script(body: Json, number: int) -> Scripted:
        if number == 0:
            return Call("bash", {"command": "pwd"})
        if number == 1:
            here = body["messages"][2]["content"][0]["content"][0]["text"].strip()
            return Call("bash", {"command": f"echo hello > {here}/made && echo {here}"})
        return Say(f"Done in {body['messages'][4]['content'][0]['content'][0]['text'].strip()}.")

    project_id, first, _, cassette = await studio.record(asking, script)
    player = await studio.player()
    again = await player.run(project_id, replay=cassette)
    assert (again.status, again.error) == ("completed", None)
    assert first.execution_id in first.result.text  # type: ignore[union-attr]
    assert again.result.text == first.result.text.replace(first.execution_id, again.execution_id)  # type: ignore[union-attr]
    assert [row.path for row in await player.executions.results.files(again.execution_id)] == ["made"]


async def test_a_changed_prompt_is_named_with_both_texts(studio: Studio) -> None:
    before = project(agent=agent(system_prompt="You are kind and brief."))
    project_id, _, _, cassette = await studio.record(before, [Say("Yes.")])
    player = await studio.player()
    after = before.model_copy(update={"agent": agent(system_prompt="You are kind and wordy.")})
    await player.services.store.save(project_id, after)
    failed = await player.run(project_id, replay=cassette)
    assert failed.error is not None
    assert failed.error.code == "MODEL_ERROR"
    details = failed.error.details
    assert (details["kind"], details["path"]) == ("cassette_miss", "system[0].text")
    assert "brief" in details["expected"]
    assert "wordy" in details["got"]
    assert "`system[0].text`" in failed.error.message
    # The recorded version still plays.
    assert (await player.run(project_id, replay=cassette, version=1)).status == "completed"


async def test_another_tool_result_is_named_by_its_path(studio: Studio) -> None:
    script = [Call("bash", {"command": "cat in.txt"}), Say("Read.")]
    project_id, _, _, cassette = await studio.record(project(), script, files={"in.txt": b"old words"})
    player = await studio.player()
    await player.services.store.write_file(project_id, "in.txt", b"new words")
    failed = await player.run(project_id, replay=cassette)
    assert failed.error is not None
    details = failed.error.details
    assert details["path"] == "messages[2].content[0].content[0].text"
    assert ("old words" in details["expected"], "new words" in details["got"]) == (True, True)


async def test_the_inputs_of_the_recording_are_played_unless_others_are_given(studio: Studio) -> None:
    project_id, _, _, cassette = await studio.record(project(), [Say("Yes.")], prompt="Is it so?")
    player = await studio.player()
    assert (await player.run(project_id, replay=cassette)).status == "completed"
    other = await player.run(project_id, replay=cassette, prompt="Is it not?")
    assert other.error is not None
    assert other.error.details["path"] == "messages[0].content[0].text"


async def test_equal_requests_of_parallel_instances_get_their_replies_in_order(studio: Studio) -> None:
    said = iter(["first", "second"])

    def script(body: Json, number: int) -> Scripted:
        if number == 0:
            return Calls([("agent__helper", {"prompt": "same"}), ("agent__helper", {"prompt": "same"})])
        if body["messages"][0]["content"][0]["text"] == "same":
            return Say(next(said))
        return Say("Both.")

    project_id, _, events, cassette = await studio.record(HELPED, script)
    player = await studio.player()
    again = await player.run(project_id, replay=cassette)
    assert again.status == "completed"
    answers = {e["result"] for e in await player.events(again.execution_id) if e["type"] == "agent_complete"}
    assert answers == {"first", "second", "Both."}
    assert {e["result"] for e in events if e["type"] == "agent_complete"} == answers


async def test_a_request_made_more_often_than_recorded_says_so(studio: Studio, open_office: Opens) -> None:
    project_id, _, _, cassette = await studio.record(
        project(), [Call("bash", {"command": "true"}), Say("Once.")]
    )
    player = await studio.player()
    tape = await player.executions.cassettes.load(project_id, cassette)
    reply = tape.replies[0]
    assert tape.find(reply.frozen, reply.messages[: reply.at]) == [reply]
    reply.used = True
    from cloutagent_ext.engine.models import open_recorded
    from cloutagent_ext.engine.models.canonical import Canon
    from cloutagent_ext.engine.ports import ModelFailure

    request = {**reply.frozen, "max_tokens": 1000, "messages": reply.messages[: reply.at]}
    async with open_recorded(tape, Canon()) as models:
        with pytest.raises(ModelFailure, match="made more often than in the recording") as caught:
            async for _ in models.for_agent("main").stream(request):
                pass
        assert not caught.value.retryable
        assert await models.for_agent("main").count_tokens(request) == sum(
            reply.wire["usage"].get(name, 0)
            for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        )


async def test_a_reply_that_was_asked_for_again_is_on_the_cassette_too(studio: Studio) -> None:
    cut = Call("bash", {"command": "true"}, stop_reason="max_tokens")
    script = [cut, Call("bash", {"command": "echo whole"}), Say("Whole.")]
    project_id, _, events, cassette = await studio.record(project(), script)
    player = await studio.player()
    again = await player.run(project_id, replay=cassette)
    assert (again.status, again.error) == ("completed", None)
    assert told(await player.events(again.execution_id)) == told(events)


async def test_a_summary_that_made_room_is_on_the_cassette_too(studio: Studio) -> None:
    long = "for i in $(seq 4000); do printf 'word%s ' $i; done"
    turns = [Call("bash", {"command": long}), Call("bash", {"command": f"{long}; echo"}), Say("Done.")]

    def script(body: Json, number: int) -> Scripted:
        last = body["messages"][-1]["content"]
        if any("Write that summary" in block.get("text", "") for block in last):
            return Say("SUMMARY: words, many.")
        return turns.pop(0)

    small = project(agent=agent(compact_at_tokens=10_000))
    project_id, first, events, cassette = await studio.record(small, script)
    assert [e for e in events if e.get("code") == "COMPACTED"]
    player = await studio.player()
    again = await player.run(project_id, replay=cassette)
    assert (again.status, again.error) == ("completed", None)
    assert told(await player.events(again.execution_id)) == told(events)
    assert again.usage == first.usage


async def test_what_the_simulated_service_summarised_replays_too(office: Office) -> None:
    long = "for i in $(seq 4000); do printf 'word%s ' $i; done"
    turns = [{"tools": [{"name": "bash", "input": {"command": f"{long}; echo {n}"}}]} for n in range(3)]
    project_id = await office.project(*turns, agent=agent(compact_at_tokens=10_000))
    first = await office.run(project_id)
    events = await office.events(first.execution_id)
    assert [e["details"]["by"] for e in events if e.get("code") == "COMPACTED"] == ["service"]
    cassette = await office.executions.results.record(first.execution_id, tools=True)
    again = await office.run(project_id, replay=cassette)
    assert (again.status, again.error) == ("completed", None)
    assert told(await office.events(again.execution_id)) == told(events)


async def test_a_refusal_is_refused_again(studio: Studio) -> None:
    refusal = Reply([], stop_reason="refusal", stop_details={"type": "refusal", "category": "cyber"})
    project_id, first, _, cassette = await studio.record(project(), [refusal], status="failed")
    player = await studio.player()
    again = await player.run(project_id, replay=cassette)
    assert again.error == first.error
    assert again.error is not None
    assert again.error.code == "MODEL_REFUSED"


async def test_a_recording_that_ended_early_says_how_it_ended(studio: Studio) -> None:
    script = [Call("bash", {"command": "true"}), Failure(401, "authentication_error", "no")]
    project_id, _, _, cassette = await studio.record(project(), script, status="failed")
    player = await studio.player()
    again = await player.run(project_id, replay=cassette)
    assert again.error is not None
    assert again.error.details["path"] == "messages[1]"
    assert "ended before (failed)" in again.error.message


# ---------------------------------------------------------------- secrets


def spellings(value: str) -> set[str]:
    raw = value.encode()
    found = {
        value,
        raw.hex(),
        raw.hex().upper(),
        quote(value, safe=""),
        json.dumps(value)[1:-1],
        repr(value)[1:-1],
    }
    return found | {base64.b64encode(b"\0" * n + raw).decode()[4:-4] for n in range(3)}


def written(value: str) -> set[str]:
    """The same as programs write them: in the middle of something longer, where it is base64."""
    raw = value.encode()
    found = {value, raw.hex(), raw.hex().upper(), quote(value, safe=""), json.dumps(value), repr(value)}
    return found | {base64.b64encode(b"\0" * n + raw + b"\0\0").decode() for n in range(3)}


async def test_no_secret_is_on_a_cassette_in_any_spelling(studio: Studio) -> None:
    given, kept = "given-" + "g" * 20 + '"ü/', "kept-" + "s" * 20 + "+/ "
    told_by_hand = " ".join(form for secret in (kept, KEY) for form in written(secret))
    asking = project(
        agent=agent(
            env={"TOKEN": "{{secret:GIVEN}}"},
            system_prompt=f"Never say {kept}.",
            task=f"My key is {kept}; hex {kept.encode().hex()}.",
        )
    )
    command = (
        'printf %s "$TOKEN"; printf %s "$TOKEN" | base64; printf %s "$TOKEN" | od -An -tx1 | tr -d " \\n"'
    )
    script = [Call("bash", {"command": command}, text=told_by_hand), Say(f"It was {kept}: {told_by_hand}")]
    project_id, _, _, cassette = await studio.record(
        asking, script, tools=True, secrets={"GIVEN": given, "KEPT": kept}
    )
    player = await studio.player()
    packed = await player.executions.cassettes.read(project_id, cassette)
    text = gzip.decompress(packed).decode()
    for secret in (given, kept, KEY):
        found = [each for each in spellings(secret) if each in text or json.dumps(each)[1:-1] in text]
        assert found == [], secret
    assert "[masked]" in text
    # The same secrets in today's requests are no difference.
    again = await player.run(project_id, replay=cassette)
    assert (again.status, again.error) == ("completed", None)
