"""What notebooks do to a client: interrupts, other threads, forks, and values as tables hold them."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from cloutagent_ext.client import Run, connect
from cloutagent_ext.client.loop import LoopThread
from cloutagent_ext.errors import InvalidRequest, NotFound, Unauthorized
from tests.support.scripted_http import ScriptedHttp, Stream

from .conftest import API, PROJECT, RUN, event, refusal

STREAM = f"GET {API}/executions/{RUN}/stream"
EXECUTE = f"POST {API}/projects/{PROJECT}/execute"


@pytest.fixture
def held() -> threading.Event:
    return threading.Event()


def follow(run: Run, seen: threading.Event) -> None:
    for _ in run:
        seen.set()


def test_an_interrupted_loop_over_events_is_an_interrupt_and_the_handle_works_on(
    server: ScriptedHttp, held: threading.Event
) -> None:
    server.routes[STREAM] = [
        Stream([event(1)], hold=held),
        Stream([event(1), event(2, "complete")]),
    ]
    seen = threading.Event()

    def interrupt() -> None:
        assert seen.wait(30)
        os.kill(os.getpid(), signal.SIGINT)  # what Interrupt the Kernel sends

    threading.Thread(target=interrupt).start()
    with connect(server.url) as client:
        run = client.execution(RUN)
        with pytest.raises(KeyboardInterrupt):
            follow(run, seen)
        held.set()
        assert [e.id for e in run] == [1, 2]


def test_a_call_that_is_interrupted_has_let_go_of_everything() -> None:
    loop = LoopThread()
    state: list[str] = []
    begun = threading.Event()

    async def holds() -> None:
        state.append("held")
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)  # as closing a connection takes a while
            state.append("free")

    def interrupt() -> None:
        assert begun.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        loop.call(holds())
    assert state == ["held", "free"]
    loop.stop()


def test_a_client_that_another_thread_closes_leaves_nobody_waiting(
    server: ScriptedHttp, held: threading.Event
) -> None:
    server.routes[STREAM] = Stream([event(1)], hold=held)
    client = connect(server.url)
    seen = threading.Event()
    closing = threading.Thread(target=lambda: seen.wait(30) and client.close())
    closing.start()
    with pytest.raises(RuntimeError, match="connect\\(\\) again"):
        follow(client.execution(RUN), seen)
    closing.join(30)
    held.set()


def test_events_that_are_dropped_in_the_clients_own_thread_are_closed_without_waiting() -> None:
    loop, closed = LoopThread(), threading.Event()

    async def numbers():  # type: ignore[no-untyped-def]
        try:
            yield 1
            yield 2
        finally:
            closed.set()

    holder = [loop.iterate(numbers())]
    assert next(holder[0]) == 1

    async def drop() -> None:
        holder.clear()  # as a garbage collection does that happens to run there

    asyncio.run_coroutine_threadsafe(drop(), loop._loop).result(20)
    assert closed.wait(20)
    loop.stop()


def test_a_forked_process_is_told_to_connect_again_instead_of_waiting_for_ever(server: ScriptedHttp) -> None:
    """As a pool of worker processes does that takes the notebook's names along."""
    code = f"""
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
from cloutagent_ext import connect
agents = connect({server.url!r})
if (child := os.fork()) == 0:
    try:
        agents.projects()
    except RuntimeError as error:
        print(error, flush=True)
    sys.exit(7)  # not at once: what is done at an interpreter's end must not wait either
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), [row.name for row in agents.projects()])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "This client belongs to the process that made it; connect() again in this one.",
        "7 ['Sales analyst']",
    ]


def test_variables_are_taken_as_tables_hold_them(server: ScriptedHttp) -> None:
    table = pd.DataFrame({"n": [3], "share": [0.5], "yes": [True], "at": [pd.Timestamp("2026-11-01 08:00")]})
    row = {name: table[name].iloc[0] for name in table}
    assert isinstance(row["n"], np.int64)
    key = uuid.UUID(int=7)
    with connect(server.url) as client:
        client["Sales analyst"].run(
            **row,
            day=dt.date(2026, 11, 1),
            price=Decimal("1.10"),
            key=key,
            np_day=np.datetime64("2026-11-02"),
        )
    assert server.asked(EXECUTE)[0].json()["variables"] == {
        "n": "3", "share": "0.5", "yes": "true", "at": "2026-11-01T08:00:00", "day": "2026-11-01",
        "price": "1.10", "key": str(key), "np_day": "2026-11-02",
    }  # fmt: skip


def test_what_is_no_value_of_a_variable_is_named_before_anything_is_sent(server: ScriptedHttp) -> None:
    with connect(server.url) as client, pytest.raises(InvalidRequest, match=r"variables\.file"):
        client["Sales analyst"].run(file=None)
    assert server.asked(EXECUTE) == []


@pytest.mark.parametrize(
    "text", ["", "  ", "http://", "ftp://127.0.0.1/", "http://[::1", "http://127.0.0.1:99999"]
)
def test_what_is_no_address_is_said_to_be_none(text: str) -> None:
    with pytest.raises(InvalidRequest, match="not the address of a Jupyter server"):
        connect(text)


def test_a_wrong_key_is_refused_with_the_servers_sentence(server: ScriptedHttp) -> None:
    server.routes[f"GET {API}/projects"] = refusal(401, "INVALID_API_KEY", "No key is as this one.")
    with (
        connect(server.url, api_key="ca_wrong_key") as client,
        pytest.raises(Unauthorized, match="as this one"),
    ):
        client.projects()
    assert len(server.asked(f"GET {API}/projects")) == 1, "a wrong key counts against a limit: once is enough"


def test_a_client_is_a_mapping_of_names_to_projects_for_whoever_takes_it_for_one(
    server: ScriptedHttp,
) -> None:
    with connect(server.url) as client:
        assert list(client) == ["Sales analyst"]
        assert "Sales analyst" in client
        assert "Another" not in client
        with pytest.raises(NotFound, match="Projects here: “Sales analyst”"):
            client[1]  # type: ignore[index]
