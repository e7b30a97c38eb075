"""Following events: what would lose, repeat or invent one."""

from __future__ import annotations

import json
import threading

import httpx2
import pytest

from cloutagent_ext.client import AsyncClient, connect
from cloutagent_ext.client.stream import follow
from cloutagent_ext.errors import ApprovalNeeded, Forbidden, Unreachable
from tests.support.scripted_http import Answer, ScriptedHttp, Stream

from .conftest import API, NOW, RUN, event, page, refusal, state

STREAM = f"GET {API}/executions/{RUN}/stream"


def test_a_cut_connection_loses_no_event_and_repeats_none(server: ScriptedHttp) -> None:
    server.routes[STREAM] = [
        Stream([event(1), event(2)], cut=True),
        Answer(cut=True),
        Stream([event(2), event(3)], cut=True),
        Stream([event(4), event(5, "complete")]),
    ]
    with connect(server.url) as client:
        seen = [e.id for e in client.execution(RUN)]

    assert seen == [1, 2, 3, 4, 5]
    assert [r.headers.get("last-event-id") for r in server.asked(STREAM)] == [None, "2", "2", "3"]


def test_a_stream_that_ends_cleanly_before_the_last_event_is_taken_up_again(server: ScriptedHttp) -> None:
    server.routes[STREAM] = [Stream([event(1)]), Stream([event(2, "complete")])]
    with connect(server.url) as client:
        assert [e.type for e in client.execution(RUN)] == ["text", "complete"]


def test_a_gap_in_the_ids_is_asked_for_again(server: ScriptedHttp) -> None:
    server.routes[STREAM] = [Stream([event(1), event(3)]), Stream([event(2), event(3, "complete")])]
    with connect(server.url) as client:
        assert [e.id for e in client.execution(RUN)] == [1, 2, 3]


def test_a_server_that_is_starting_again_is_waited_for(server: ScriptedHttp) -> None:
    server.routes[STREAM] = [
        refusal(503, "SHUTTING_DOWN", "Going down."),
        Stream([event(1, "complete")]),
    ]
    with connect(server.url) as client:
        assert [e.id for e in client.execution(RUN)] == [1]


def test_a_refusal_is_raised_with_the_servers_sentence(server: ScriptedHttp) -> None:
    server.routes[STREAM] = refusal(403, "FORBIDDEN", "Not yours.")
    with connect(server.url) as client, pytest.raises(Forbidden, match=r"Not yours\."):
        list(client.execution(RUN))


def test_nothing_more_to_see_ends_the_iteration(server: ScriptedHttp) -> None:
    server.routes[STREAM] = Answer(204)
    with connect(server.url) as client:
        assert list(client.execution(RUN).events(from_event=9)) == []
    assert server.asked(STREAM)[0].headers["last-event-id"] == "8"


def test_an_event_type_of_a_newer_server_comes_through(server: ScriptedHttp) -> None:
    server.routes[STREAM] = Stream([event(1, "confetti", colour="red"), event(2, "complete", extra=1)])
    with connect(server.url) as client:
        first, last = client.execution(RUN)
    assert (first.type, first.colour) == ("confetti", "red")
    assert last.result.text == "done"


def test_leaving_the_loop_early_closes_the_stream_and_the_handle_still_works(server: ScriptedHttp) -> None:
    server.routes[STREAM] = Stream([event(1), event(2), event(3, "complete")])
    with connect(server.url) as client:
        run = client.execution(RUN)
        for e in run:
            assert e.id == 1
            break
        assert [e.id for e in run] == [1, 2, 3]


async def test_a_server_that_stays_away_is_given_up_with_its_address(server: ScriptedHttp) -> None:
    server.routes[STREAM] = Answer(cut=True)
    async with await AsyncClient.connect(server.url) as client:
        with pytest.raises(Unreachable, match="No answer from http://127"):
            async for _ in follow(client._transport, RUN, patience_s=0):
                pass


async def test_the_async_face_sees_the_same_events(server: ScriptedHttp) -> None:
    server.routes[STREAM] = [Stream([event(1)], cut=True), Stream([event(2, "complete")])]
    async with await AsyncClient.connect(server.url) as client:
        run = await client.execution(RUN)
        assert [e.id async for e in run] == [1, 2]


def test_waiting_follows_the_stream_only_from_what_the_state_knows(server: ScriptedHttp) -> None:
    server.routes[f"GET {API}/executions/{RUN}"] = [
        Answer(200, state("running", last_event_id=40)),
        Answer(200, state("running", last_event_id=40)),
        Answer(200, state()),
    ]
    server.routes[STREAM] = Stream([event(41), event(42, "complete")])
    with connect(server.url) as client:
        assert client.execution(RUN).wait().status == "completed"
    assert server.asked(STREAM)[0].headers["last-event-id"] == "40"


def approval(call_id: str = "c1") -> dict[str, object]:
    preview = {"kind": "command", "content": "ls", "where": "workspace", "note": "", "truncated": False}
    asked = {"call_id": call_id, "tool": "bash", "agent": "main", "asked_at": NOW, "input": {"command": "ls"}}
    return {**asked, "preview": preview, "reason": "rule bash: ask"}


def test_waiting_for_a_person_ends_the_wait_and_never_looks_like_a_result(server: ScriptedHttp) -> None:
    waits = Answer(200, state("waiting", last_event_id=41, approvals=[approval()]))
    server.routes[f"GET {API}/executions/{RUN}"] = [Answer(200, state("running", last_event_id=40)), waits]
    server.routes[STREAM] = Stream([event(41, "waiting")])
    with connect(server.url) as client:
        run = client.execution(RUN)
        assert run.wait().status == "waiting"
        (asked,) = run.approvals()
        assert (asked.tool, asked.preview.content if asked.preview else None) == ("bash", "ls")
        with pytest.raises(ApprovalNeeded, match="allow or deny `bash` of main") as caught:
            _ = run.result
    assert caught.value.details["approvals"][0]["call_id"] == "c1"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (lambda run: run.allow("c/1"), {"decision": "allow", "message": ""}),
        (lambda run: run.allow(run.approvals()[0]), {"decision": "allow", "message": ""}),
        (
            lambda run: run.allow("c/1", {"command": "pwd"}, message="Look first."),
            {"decision": "allow", "message": "Look first.", "input": {"command": "pwd"}},
        ),
        (lambda run: run.deny("c/1", "No."), {"decision": "deny", "message": "No."}),
    ],
)
def test_an_answer_is_sent_to_its_call_and_gives_the_state(server: ScriptedHttp, answer, body) -> None:
    server.routes[f"GET {API}/executions/{RUN}"] = Answer(200, state("waiting", approvals=[approval("c/1")]))
    route = f"POST {API}/executions/{RUN}/approvals/c%2F1"
    server.routes[route] = Answer(200, state("running"))
    with connect(server.url) as client:
        assert answer(client.execution(RUN)).status == "running"
    (asked,) = server.asked(route)
    assert json.loads(asked.body) == body


EVENTS = f"GET {API}/executions/{RUN}/events"


async def test_a_stream_that_is_held_back_is_read_page_by_page_and_not_tried_again_at_once(
    server: ScriptedHttp,
) -> None:
    """The connection stands, the server speaks, a proxy keeps it for itself."""
    gate = threading.Event()
    server.routes[STREAM] = Stream([], hold=gate)
    server.routes[EVENTS] = [page(event(1)), page(), page(event(2), event(3, "complete"))]
    async with await AsyncClient.connect(server.url) as client:
        transport = client._transport
        assert [e.id async for e in follow(transport, RUN, quiet_s=0.2)] == [1, 2, 3]
        assert [r.query for r in server.asked(EVENTS)] == ["from_event=1", "from_event=2", "from_event=2"]
        server.routes[EVENTS] = page(event(1), event(2), event(3, "complete"))
        run = await client.execution(RUN)
        assert [e.id async for e in run] == [1, 2, 3]
        assert len(server.asked(STREAM)) == 1

        transport.held_until = 0.0  # its time is over: once more the stream, which comes through now
        server.routes[STREAM] = Stream([event(1), event(2, "complete")])
        assert [e.id async for e in run] == [1, 2]
        assert len(server.asked(STREAM)) == 2
    gate.set()


async def test_a_stream_that_falls_silent_is_read_page_by_page(server: ScriptedHttp) -> None:
    """Not even the sign of life comes that a server gives every few seconds."""
    gate = threading.Event()
    server.routes[STREAM] = Stream([event(1)], hold=gate)
    server.routes[EVENTS] = [Answer(502), page(event(2, "complete"))]
    async with await AsyncClient.connect(server.url) as client:
        client._transport._client.timeout = httpx2.Timeout(0.3)
        assert [e.id async for e in follow(client._transport, RUN)] == [1, 2]
    gate.set()


async def test_nothing_more_to_see_ends_the_reading_of_pages_too(server: ScriptedHttp) -> None:
    server.routes[EVENTS] = page()
    server.routes[f"GET {API}/executions/{RUN}"] = [
        Answer(200, state("running", last_event_id=8)),
        Answer(200, state(last_event_id=9)),
    ]
    async with await AsyncClient.connect(server.url) as client:
        client._transport.held_back()
        assert [e async for e in follow(client._transport, RUN, from_event=10)] == []
