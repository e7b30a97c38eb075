"""A network that gives no answer: what waits for it is cancelled in time, and the server ends in time.

Names that are looked up for ever, a handshake that is never answered, and a thread that never ends.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_server import LiveServer, live_server
from tests.support.patience import Promised

from .test_signals import events, made, wait

CANCEL_S = 5.0
Project = tuple[dict[str, Any], list[dict[str, Any]]]
"""A definition, and what the simulated model plays."""


@contextmanager
def deaf() -> Iterator[tuple[int, list[socket.socket]]]:
    """The port of something that takes connections and never says a word, and those it took."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=20) as listener:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield listener.getsockname()[1], taken
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    for each in taken:
        each.close()


def fetching(url: str) -> Project:
    agent = {
        "task": "Fetch.", "simulate": True, "tools": ["web_fetch"], "permissions": {"web_fetch": "allow"},
    }  # fmt: skip
    return {"agent": agent}, [{"text": "I fetch.", "tools": [{"name": "web_fetch", "input": {"url": url}}]}]


def hooked(url: str) -> Project:
    hook = {
        "id": "guard",
        "name": "Guard",
        "event": "UserPromptSubmit",
        "action": {"type": "http", "url": url},
    }
    return {"agent": {"task": "Wait.", "simulate": True}, "hooks": [hook]}, [{"text": "Done."}]


def asking() -> Project:
    return {"agent": {"task": "Ask the model."}}, []


def cancelled(server: LiveServer, executions: list[str]) -> None:
    """Until all of them have ended."""
    for execution in executions:
        status, state = server.request("POST", f"executions/{execution}/cancel")
        assert status in (200, 202), state
    wait(lambda: all(events(server, each)[-1]["type"] == "cancelled" for each in executions), within_s=30)


def begun(server: LiveServer, *projects: Project) -> list[str]:
    """All made first: what waits for a connection gives up after ten seconds by itself."""
    ids = [made(server, {"name": f"P{n}", **body}, turns) for n, (body, turns) in enumerate(projects)]
    executions = []
    for each in ids:
        status, accepted = server.request("POST", f"projects/{each}/execute", {})
        assert status == 202, accepted
        executions.append(str(accepted["execution_id"]))
    return executions


def ends_in_time(server: LiveServer, promised: Promised) -> None:
    with promised(10):
        server.process.terminate()
        assert server.process.wait(30) == 0, server.log()[-2000:]


@pytest.mark.timeout(120)
def test_a_lookup_without_an_answer_holds_up_neither_a_cancel_nor_the_end(
    tmp_path: Path, promised: Promised
) -> None:
    asked = tmp_path / "asked"
    asked.touch()
    also = {"ServerApp": {"jpserver_extensions": {"tests.support.hanging": True}}}
    (tmp_path / "config/jupyter_server_config.d").mkdir(parents=True)
    (tmp_path / "config/jupyter_server_config.d/hanging.json").write_text(json.dumps(also))
    options = (
        "--CloutAgent.simulated_pace=0",
        "--CloutAgent.stop_grace_s=0.5",
        "--CloutAgent.base_url=https://model.hangs",
        "--CloutAgent.api_key=test-key",
        "--CloutAgent.web_fetch_allow=*.hangs",
    )
    with live_server(tmp_path, *options, env={"HANGING_NAMES": str(asked)}) as server:
        # More of them than there are threads for the files of everybody.
        fetches = [fetching(f"http://n{n}.hangs/") for n in range(8)]
        executions = begun(server, asking(), hooked("http://hook.hangs/"), *fetches)
        wait(lambda: len(set(asked.read_text().split())) == 10)
        with promised(CANCEL_S):
            cancelled(server, executions[:-1])
        ends_in_time(server, promised)
        assert events(server, executions[-1])[-1]["type"] == "interrupted"
        assert "threads that hang are left behind: one that hangs" in server.log()


@pytest.mark.timeout(120)
def test_a_handshake_without_an_answer_holds_up_neither_a_cancel_nor_the_end(
    tmp_path: Path, promised: Promised
) -> None:
    with deaf() as (port, taken):
        url = f"https://127.0.0.1:{port}"
        options = (
            "--CloutAgent.simulated_pace=0",
            "--CloutAgent.stop_grace_s=0.5",
            f"--CloutAgent.base_url={url}",
            "--CloutAgent.api_key=test-key",
            "--CloutAgent.web_fetch_allow=127.0.0.1",
        )
        with live_server(tmp_path, *options) as server:
            # A hook gives up a handshake after ten seconds by itself: this one waits for an answer.
            hook = hooked(f"http://127.0.0.1:{port}")
            executions = begun(server, asking(), fetching(url), hook, fetching(f"{url}/2"), asking())
            wait(lambda: len(taken) >= 5)
            with promised(CANCEL_S):
                cancelled(server, executions[:-1])
            ends_in_time(server, promised)
            assert events(server, executions[-1])[-1]["type"] == "interrupted"
