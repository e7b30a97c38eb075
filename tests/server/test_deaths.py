"""The whole Jupyter server killed with an execution at work: the next one goes on with it.

A few points are in every run of the tests, all of them in the nightly form; random moments, and servers
that die one after another, are in `test_chain_of_deaths`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.failpoints import POINTS
from cloutagent_ext.store.projects import ProjectStore
from tests.crash.nursery import PROJECT
from tests.crash.oracles import left_of, oracles
from tests.crash.test_failpoints import CANCEL, RECOVER, RUN, Script
from tests.support.live_server import LiveServer, arguments, bare_environment, free_port, live_server
from tests.support.messages_api import MessagesApi
from tests.support.messages_thread import messages_api
from tests.support.patience import Promised

SHORT = ["accept.synced", "model.half", "tool.recorded:2", "subagent.named", "end.told"]
LONG = [point for point in RUN if not point.startswith("save.") and point not in SHORT]
SIGNALLED = ["accept.synced", "model.half", "tool.spawned", "subagent.named", "end.told"]
TAKEN_OVER = RECOVER[:5]
OTHER = sorted(POINTS.keys() - {point.partition(":")[0] for point in [*SHORT, *LONG, *TAKEN_OVER, *CANCEL]})
"""Named points that a run, a takeover and a cancel do not pass: each new one is signalled here, or fails."""


def options(api: MessagesApi) -> list[str]:
    return [f"--CloutAgent.base_url={api.url}", "--CloutAgent.api_key=test-key"]


def served(folder: Path, api: MessagesApi, **more: Any) -> Any:
    return live_server(
        folder / "server",
        *options(api),
        data_dir=folder / "data",
        interpreter=("-X", "cloutagent_failpoints"),
        **more,
    )


def create(folder: Path) -> str:
    """The project on the data folder, before any server is there."""
    store = ProjectStore(folder / "data")

    async def made() -> str:
        await store.open()
        return str((await store.create(PROJECT)).project.id)

    return asyncio.run(made())


def execute(server: LiveServer, project: str, folder: Path) -> None:
    """Ask for an execution; the server may die over it."""
    with contextlib.suppress(OSError, ValueError):
        status, accepted = server.request("POST", f"projects/{project}/execute", {})
        assert status == 202, accepted
        (folder / "1.accepted").write_text(json.dumps({"id": accepted["execution_id"]}))


def until_all_ended(server: LiveServer, within_s: float = 60) -> list[Any]:
    """The executions, once each has ended and its new owner, if it needed one, has let go of it."""
    deadline = time.monotonic() + within_s
    while True:
        _, page = server.request("GET", "executions")
        ended = all(each["status"] in ("completed", "cancelled", "failed") for each in page["items"])
        if ended and not list(server.data_dir.glob("projects/*/executions/*/owner")):
            return list(page["items"])
        assert time.monotonic() < deadline, page
        time.sleep(0.1)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", [*SHORT, *[pytest.param(each, marks=pytest.mark.nightly) for each in LONG]])
def test_the_next_server_goes_on_with_what_a_killed_one_was_at(tmp_path: Path, point: str) -> None:
    script = Script()
    with messages_api(script) as api:
        project = create(tmp_path)
        with served(tmp_path, api, env={"CLOUTAGENT_FAILPOINT": point}) as doomed:
            execute(doomed, project, tmp_path)
            assert doomed.process.wait(60) == -signal.SIGKILL
        with served(tmp_path, api) as last:
            until_all_ended(last)
        assert oracles(tmp_path, project, script, point) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "point",
    [
        *SIGNALLED,
        *[pytest.param(p, marks=pytest.mark.nightly) for p in [*SHORT, *LONG] if p not in SIGNALLED],
    ],
)
def test_a_server_told_to_end_at_any_point_ends_well_and_the_next_one_goes_on(
    tmp_path: Path, point: str, promised: Promised
) -> None:
    script = Script()
    with messages_api(script) as api:
        project = create(tmp_path)
        within = promised(20, "At most 10 s behind the signal, within the run.")
        with served(tmp_path, api, env={"CLOUTAGENT_FAILPOINT": f"{point}@SIGTERM"}) as told, within:
            execute(told, project, tmp_path)
            code = told.process.wait(90)
        assert (code, "Traceback" in told.log()) == (0, False), told.log()[-3000:]
        with served(tmp_path, api) as last:
            with promised(5, "Each has its fate at once."):
                _, page = last.request("GET", "executions")
                assert all(row["status"] != "running" or row["started_at"] for row in page["items"])
            until_all_ended(last)
        assert oracles(tmp_path, project, script, point) == []


def told_at(folder: Path, api: MessagesApi, point: str, *more: str) -> tuple[int, str]:
    """Exit code and log of a server that is told to end at `point`, be that before it listens."""
    place, data = folder / "told", folder / "data"
    (place / "root").mkdir(parents=True)
    given = arguments(
        port=free_port(), token="t", root=place / "root", data=data, options=[*options(api), *more]
    )
    command = [sys.executable, "-X", "cloutagent_failpoints", "-m", "jupyter_server", *given]
    env = {**bare_environment(place), "CLOUTAGENT_FAILPOINT": f"{point}@SIGTERM"}
    with (place / "server.log").open("wb") as log:
        told = subprocess.Popen(
            command, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=place / "root",
            start_new_session=True,
        )  # fmt: skip
    try:
        code = told.wait(120)
    finally:
        told.kill()
        told.wait()
    return code, (place / "server.log").read_text(errors="replace")


@pytest.mark.nightly
@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", TAKEN_OVER)
def test_a_server_told_to_end_while_it_takes_over_ends_well(tmp_path: Path, point: str) -> None:
    """It may not listen yet: what it has in its hands then is the next one's."""
    script = Script()
    with messages_api(script) as api:
        project = create(tmp_path)
        with served(tmp_path, api, env={"CLOUTAGENT_FAILPOINT": "tool.spawned:2"}) as doomed:
            execute(doomed, project, tmp_path)
            assert doomed.process.wait(60) == -signal.SIGKILL
        code, log = told_at(tmp_path, api, point)
        assert (code, "Traceback" in log) == (0, False), log[-3000:]
        with served(tmp_path, api) as last:
            until_all_ended(last)
        assert oracles(tmp_path, project, script, point) == []


@pytest.mark.nightly
@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", CANCEL)
def test_a_server_told_to_end_while_somebody_cancels_ends_well_and_the_cancel_counts(
    tmp_path: Path, point: str
) -> None:
    script = Script()
    with messages_api(script) as api:
        project = create(tmp_path)
        with served(tmp_path, api, env={"CLOUTAGENT_FAILPOINT": f"{point}@SIGTERM"}) as told:
            execute(told, project, tmp_path)
            [execution] = json.loads((tmp_path / "1.accepted").read_text()).values()
            with contextlib.suppress(OSError, ValueError):  # it may die over the answer
                told.request("POST", f"executions/{execution}/cancel", {})
            code = told.process.wait(90)
        assert (code, "Traceback" in told.log()) == (0, False), told.log()[-3000:]
        with served(tmp_path, api) as last:
            [state] = until_all_ended(last)
        assert state["status"] in ("cancelled", "completed"), state
        assert oracles(tmp_path, project, script, point) == []


@pytest.mark.nightly
@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", OTHER)
def test_a_server_told_to_end_at_what_is_no_run_of_its_own_ends_well_and_loses_nothing(
    tmp_path: Path, point: str
) -> None:
    """A save, what goes on from an earlier execution, one that fails, and one whose time is over."""
    script = Script()
    with messages_api(script) as api:
        project = create(tmp_path)
        with served(tmp_path, api) as first:
            execute(first, project, tmp_path)
            [before] = until_all_ended(first)
            _, saved = first.request("GET", f"projects/{project}")
        wanted = {**saved, "description": "Another one."}
        if point.startswith("expire."):
            code, log = told_at(tmp_path, api, point, "--CloutAgent.retention_h=0.0001")
        else:
            with served(tmp_path, api, env={"CLOUTAGENT_FAILPOINT": f"{point}@SIGTERM"}) as told:
                with contextlib.suppress(OSError, ValueError):  # it may die over the answer
                    if point.startswith("save."):
                        told.request("PUT", f"projects/{project}", wanted)
                    else:
                        more = {"continue_from": before["execution_id"], "prompt": "Go on."}
                        body = more if point == "accept.copied" else {"limits": {"max_turns": 1}}
                        told.request("POST", f"projects/{project}/execute", body)
                code = told.process.wait(90)
            log = told.log()
        assert (code, "Traceback" in log) == (0, False), log[-3000:]
        with served(tmp_path, api) as last:
            until_all_ended(last)
            _, found = last.request("GET", f"projects/{project}")
            assert found["description"] in (saved["description"], wanted["description"])
            status, kept = last.request("GET", f"executions/{before['execution_id']}")
            assert status in ((200, 410) if point.startswith("expire.") else (200,)), kept
        assert left_of({before["execution_id"]}) == []
