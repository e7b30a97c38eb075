"""What comes in between: interrupts of a cell, odd text, servers that come and go, clocks that differ."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import AsyncGenerator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from cloutagent_ext.client import AsyncClient, connect
from cloutagent_ext.client.loop import LoopThread
from cloutagent_ext.client.magics import Magics, Usage
from cloutagent_ext.client.picture import Picture
from cloutagent_ext.client.stream import read_event
from cloutagent_ext.client.transport import Transport
from cloutagent_ext.errors import NotFound, Unauthorized
from tests.support.scripted_http import Answer, Request, ScriptedHttp, Stream

from .conftest import API, RUN, event, page, refusal, row, state

STREAM = f"GET {API}/executions/{RUN}/stream"


def test_an_interrupted_loop_says_that_it_was_interrupted_whatever_its_end_takes() -> None:
    """An end that takes a moment (a connection that is let go) must not hide Ctrl-C behind its own error."""
    loop, waits, ended = LoopThread(), threading.Event(), threading.Event()

    async def items() -> AsyncGenerator[int, None]:
        try:
            yield 1
            waits.set()
            await asyncio.Event().wait()
        finally:
            for _ in range(50):
                await asyncio.sleep(0)
            ended.set()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    main = threading.main_thread().ident
    assert main is not None
    before = signal.signal(signal.SIGUSR1, interrupt)
    sender = threading.Thread(target=lambda: waits.wait(20) and signal.pthread_kill(main, signal.SIGUSR1))
    sender.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            list(loop.iterate(items()))
        assert ended.is_set()
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)
        loop.stop()


async def test_a_handshake_that_is_interrupted_leaves_no_connection_open() -> None:
    """The server is a hub's, by TLS; the cell is interrupted before it has answered."""
    here: set[asyncio.StreamWriter] = set()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.add(writer)
        while await reader.read(4096):
            pass
        here.remove(writer)
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server, asyncio.timeout(60):
        transport = await Transport.open(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        asking = asyncio.create_task(transport.json("GET", "health"))
        while not here:
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        while here:
            await asyncio.sleep(0.01)
        await transport.close()


def test_an_answer_that_is_no_valid_text_reaches_the_server_all_the_same(server: ScriptedHttp) -> None:
    """File names of Linux need not be text; an answer that cannot be sent would leave the model waiting."""
    answered = threading.Event()

    def told(request: Request) -> Answer:
        if request.json()["status"] != "working":
            answered.set()
        return Answer(200, {})

    call = f"POST {API}/executions/{RUN}/calls/c1"
    server.routes[f"GET {API}/executions/{RUN}"] = Answer(200, state("running", client_tools=["names"]))
    server.routes[call] = told
    server.routes[STREAM] = Stream(
        [event(1, "client_call", call_id="c1", tool="names", input={}, timeout_s=60, silence_s=60)],
        hold=answered,
    )
    with connect(server.url) as client:
        run = client.execution(RUN)

        @run.tool
        def names() -> str:
            """Names of files."""
            return "caf\udce9.csv"

        assert answered.wait(20)
    last = server.asked(call)[-1].json()
    assert last["status"] == "done"
    assert last["outputs"] == [{"text/plain": "caf\ufffd.csv"}]


def test_one_that_is_taken_up_again_while_its_end_was_looked_for_is_waited_for_on(
    server: ScriptedHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was interrupted at one look and runs at the next: that is no timeout."""
    monkeypatch.setattr("cloutagent_ext.client.runs._SETTLE_S", 0.05)
    server.routes[f"GET {API}/executions/{RUN}"] = [
        *[Answer(200, state("running", last_event_id=1))] * 2,
        Answer(200, state("interrupted", last_event_id=2)),
        *[Answer(200, state("running", last_event_id=3))] * 8,
        Answer(200, state("completed", last_event_id=4)),
    ]
    server.routes[STREAM] = [
        Stream([event(2, "interrupted", why="gone")]),
        Stream([event(4, "complete")]),
    ]
    with connect(server.url) as client:
        assert client.execution(RUN).wait(20).status == "completed"


async def test_events_before_the_first_are_asked_for_as_from_the_first(server: ScriptedHttp) -> None:
    server.routes[STREAM] = Stream([event(1, "complete")])
    async with await AsyncClient.connect(server.url) as client:
        async with asyncio.timeout(60):
            for first in (0, -5):
                run = await client.execution(RUN)
                assert [e.id async for e in run.events(first)] == [1]


@pytest.mark.parametrize("id", ["20261126-040000-abcdef", "20269999-999999-abcdef"])
async def test_an_experiment_is_found_by_a_server_whose_clock_is_behind(
    server: ScriptedHttp, id: str
) -> None:
    """Its id has the time of this machine's clock, its trials that of the server's."""
    asked: list[str] = []

    def listed(request: Request) -> Answer:
        asked.append(request.query)
        return page()

    server.routes[f"GET {API}/executions"] = listed
    async with await AsyncClient.connect(server.url) as client:
        project = await client.project()
        assert await project.experiment([{"a": 1}], id=id).find() == 0
    assert ("2026-11-25" in asked[0]) is ("1126" in id)


async def test_metadata_of_others_that_looks_like_a_trial_is_passed_over(server: ScriptedHttp) -> None:
    about = [{"id": "mine", "repeat": odd} for odd in (None, "x", [], {})]
    server.routes[f"GET {API}/executions"] = page(*[state(metadata={"experiment": each}) for each in about])
    async with await AsyncClient.connect(server.url) as client:
        project = await client.project()
        assert await project.experiment([{"a": 1}], id="mine").find() == 0


@pytest.fixture
def magic(server: ScriptedHttp) -> Callable[[str], Any]:
    shell: Any = SimpleNamespace(user_ns={}, user_ns_hidden={})
    magics = Magics(shell)
    return lambda line: magics(f"{line} --url {server.url}" if line else line)


def test_a_line_that_ends_within_quotes_is_said_to_be_one(magic: Callable[[str], Any]) -> None:
    with pytest.raises(Usage, match="quot"):
        magic("O'Brien")


def test_a_server_that_came_back_with_another_token_is_asked_anew(
    server: ScriptedHttp, magic: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The magic keeps its connection; one that is refused is made again, not kept for good."""
    made: list[str] = []

    def connected(url: str, **options: Any) -> Any:
        made.append(url)
        return connect(url, **options)

    monkeypatch.setattr("cloutagent_ext.client.connect", connected)
    server.routes[f"GET {API}/projects"] = [refusal(401, "MISSING_API_KEY", "Who are you?"), page(row())]
    with pytest.raises(Unauthorized):
        magic("Nothing")
    with pytest.raises(NotFound):
        magic("Nothing")
    assert len(made) == 2


def test_of_two_questions_one_answer_leaves_the_picture_waiting() -> None:
    picture = Picture(RUN)
    asks = [
        event(number, "approval_required", call_id=call, tool="bash", input={}, reason="asks")
        for number, call in ((1, "a"), (2, "b"))
    ]
    answers = [
        event(number, "approval", call_id=call, tool="bash", decision="deny", by="ann", message="")
        for number, call in ((4, "a"), (5, "b"))
    ]
    for each in (*asks, event(3, "waiting"), answers[0]):
        picture.apply(read_event(json.dumps(each)))
    assert picture.status == "waiting"
    picture.apply(read_event(json.dumps(answers[1])))
    assert picture.status == "running"
