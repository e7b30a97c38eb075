"""SIGKILL at every failpoint of an execution with real tools, then another process goes on with it.

The oracles after each: one log without gaps and with one end, no tool with an effect
started twice, every request valid on the wire, a ledger that never says less than was
charged, the workspace kept, no process and no lock left.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.models.prices import ListPrices
from cloutagent_ext.failpoints import POINTS
from tests.crash.oracles import events_of, folders_of, ledger_of, oracles
from tests.support.children import with_tree
from tests.support.messages_api import Calls, Failure, MessagesApi, Reply, Say
from tests.support.messages_thread import messages_api

ROOT = Path(__file__).parents[2]
MODEL = "claude-opus-5-5"

RUN = [
    "save.begun", "save.written", "save.files_synced", "save.synced", "accept.checked", "accept.placed",
    "accept.queued", "accept.synced", "run.claimed", "run.past_read", "run.begun", "run.workspace_ready",
    "run.agent_begun", "run.conversation", "model.reserved", "model.recorded", "model.first_event",
    "model.half", "model.half:3", "model.complete", "model.settled", "model.told", "model.journalled",
    "tool.announced", "tool.announced:2", "tool.allowed", "tool.recorded", "tool.recorded:2",
    "tool.spawned", "tool.exited", "tool.ran", "tool.ran:2", "tool.journalled", "tool.told", "tool.answered",
    "hook.begun", "hook.ended", "subagent.placed", "subagent.named", "subagent.answered",
    "model.journalled:3", "tool.recorded:5", "compaction.begun", "compaction.summarised", "compaction.done",
    "end.processes_gone", "end.told", "end.synced", "end.state_written", "end.released", "end.slot_free",
]  # fmt: skip
"""Where the first life ends; the second one sees it to its end."""
RECOVER = [
    "run.restored", "recovery.taken", "recovery.swept", "recovery.interrupted", "recovery.waiting",
    "run.past_read", "run.begun", "model.recorded", "tool.recorded", "end.told",
]  # fmt: skip
"""Where the second life ends, after the first was killed in the middle of a tool; the third one finishes."""
CANCEL = ["cancel.asked", "cancel.delivered"]
ELSEWHERE = {"accept.copied", "end.error_written", "save.renamed", "expire.kept", "expire.removed"}
"""Passed by other operations; killed there in tests of their own."""


class Script:
    """The model of one case: counts what it charges. The same request gets the same answer."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.charged = 0.0
        self.api: MessagesApi | None = None
        self.prices = ListPrices()
        self._billed = 0

    def __call__(self, body: dict[str, Any], number: int) -> Reply | Failure:
        if self.refuses:
            return Failure(401, "authentication_error", "no such key")
        reply = self._reply(body)
        size = min(-(-len(json.dumps(reply.blocks)) // 4), body["max_tokens"])  # no service charges for more
        reply.final_usage = {"output_tokens": size}
        reply.usage = {"input_tokens": len(json.dumps(body["messages"])) // 4 + 10}
        self.charged += self.prices.cost(MODEL, {**reply.usage, "output_tokens": size}) or 0.0
        return reply

    def _reply(self, body: dict[str, Any]) -> Reply:
        messages = body["messages"]
        first = json.dumps(messages[0])
        if "compaction" in body or "go on from a summary alone" in json.dumps(messages[-1]):
            return Say("Summary: the work is nearly done.")
        turn = sum(message["role"] == "assistant" for message in messages)
        if "help-me" in first:
            return [mark("sub"), Say("Helped.")][turn]
        if "nearly done" in first:
            return Say("All done.")
        padding = "x" * 24_000
        return [
            mark("one", "two"),
            Calls([("view", {"path": "made"}), ("agent__helper", {"prompt": "help-me"})], ids=["v", "h"]),
            mark("three", more=f"; echo {padding}"),
        ][turn]


def mark(*names: str, more: str = "") -> Reply:
    return Calls(
        [("bash", {"command": f"echo {name} >> made{more}"}) for name in names],
        ids=[f"call-{name}" for name in names],
    )


class Nursery:
    """One warm process at a time for each thread."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, text=True,
            env=with_tree(os.environ),
        )  # fmt: skip

    def live(self, folder: Path, **order: Any) -> tuple[int, dict[str, Any]]:
        """One life; the signal that ended it and what it said."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        out = folder / f"out-{order['do']}-{len(list(folder.iterdir()))}"
        self.process.stdin.write(json.dumps({"data": str(folder / "data"), "out": str(out), **order}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        failed = Path(f"{out}.failed")
        if failed.exists():
            raise AssertionError(f"{order}: {json.loads(failed.read_text())['trace']}")
        said = json.loads(out.read_text()) if out.exists() else {}
        return answer["signal"], said

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def nurseries() -> Iterator[list[Nursery]]:
    made = [Nursery(), Nursery()]
    yield made
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def template(nurseries: list[Nursery], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder with the project, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    _, said = nurseries[0].live(folder, do="make", url="http://127.0.0.1:9")
    return folder / "data", said["project"]


class Case:
    """One data folder, one scripted service, as many lives as it takes."""

    def __init__(
        self,
        nursery: Nursery,
        folder: Path,
        template: tuple[Path, str],
        api: MessagesApi,
        isolation: str = "auto",
    ) -> None:
        self.nursery = nursery
        self.folder = folder
        self.project = template[1]
        self.api = api
        self.isolation = isolation
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(template[0], folder / "data")

    def live(self, do: str, die: str | None = None, **more: Any) -> tuple[int, dict[str, Any]]:
        return self.nursery.live(self.folder, do=do, die=die, url=self.api.url, project=self.project, **more)


def play(nursery: Nursery, folder: Path, template: tuple[Path, str], case: tuple[str, ...]) -> list[str]:
    """One case: (what the first life does, where it dies, where the second dies)."""
    do, *deaths = case
    label = " then ".join(deaths)
    script = Script()
    with messages_api(script) as api:
        # Half of them in a sandbox, where the machine has one.
        made = Case(nursery, folder, template, api, "auto" if len(label) % 2 else "off")
        for number, point in enumerate(deaths):
            killed, _ = made.live(do if number == 0 else "recover", point)
            if killed != 9:
                return [f"{label}: {point} was never passed"]
        ended, _ = made.live("recover")
        if ended:
            return [f"{label}: the last life ended by signal {ended}"]
        return oracles(folder, template[1], script, label)


CASES = [
    *[("run", point) for point in RUN],
    *[("run", "tool.spawned:2", point) for point in RECOVER],
    *[("cancel", point) for point in CANCEL],
]


@pytest.mark.timeout(1200)  # about a minute and a half on two idle cores
def test_a_death_at_any_point_loses_nothing_and_repeats_nothing(
    nurseries: list[Nursery], template: tuple[Path, str], tmp_path: Path
) -> None:
    pool = list(nurseries)

    def one(numbered: tuple[int, tuple[str, ...]]) -> list[str]:
        nursery = pool.pop()
        try:
            return play(nursery, tmp_path / f"case-{numbered[0]}", template, numbered[1])
        finally:
            pool.append(nursery)

    with ThreadPoolExecutor(len(nurseries)) as threads:
        wrong = [each for found in threads.map(one, enumerate(CASES)) for each in found]
    assert wrong == [], "\n".join(wrong)


def test_a_death_between_the_error_file_and_the_log_ends_it_once(
    nurseries: list[Nursery], template: tuple[Path, str], tmp_path: Path
) -> None:
    with messages_api(Script(refuses=True)) as api:
        case = Case(nurseries[0], tmp_path / "case", template, api)
        killed, _ = case.live("run", "end.error_written")
        assert killed == 9
        ended, said = case.live("recover")
    assert ended == 0
    [state] = said["states"].values()
    assert (state["status"], state["error"]["code"]) == ("failed", "MODEL_ERROR")


def test_one_given_up_has_cost_what_was_paid_a_moment_before_a_death(
    nurseries: list[Nursery], template: tuple[Path, str], tmp_path: Path
) -> None:
    script = Script()
    with messages_api(script) as api:
        case = Case(nurseries[0], tmp_path / "case", template, api)
        assert case.live("run", "model.settled")[0] == 9  # the journal knows of it, the log does not
        for _ in range(2):
            assert case.live("recover", "run.begun")[0] == 9
        ended, said = case.live("recover")
    assert ended == 0
    [state] = said["states"].values()
    assert (state["status"], state["error"]["code"]) == ("failed", "INTERRUPTED")
    [folder] = folders_of(case.folder / "data", case.project)
    assert ledger_of(events_of(folder)) == pytest.approx(script.charged)
    assert state["usage"]["output_tokens"] > 0


def test_a_save_that_died_behind_its_new_name_is_the_old_or_the_new(
    nurseries: list[Nursery], template: tuple[Path, str], tmp_path: Path
) -> None:
    with messages_api(Script()) as api:
        case = Case(nurseries[0], tmp_path / "case", template, api)
        assert case.live("save", "save.renamed")[0] == 9
        assert case.live("save")[0] == 0
        assert case.live("run")[0] == 0


def test_a_whole_run_passes_the_points_and_a_fork_that_died_as_it_was_copied_was_never_there(
    nurseries: list[Nursery], template: tuple[Path, str], tmp_path: Path
) -> None:
    script = Script()
    with messages_api(script) as api:
        case = Case(nurseries[0], tmp_path / "case", template, api)
        killed, said = case.live("run", watch=True)
        assert killed == 0
        assert {point.partition(":")[0] for point in RUN} <= set(said["seen"])
        assert oracles(case.folder, case.project, script, "whole") == []
        [made] = (case.folder / "data" / "temp").glob("*/workspace/made")
        assert sorted(made.read_text().split()) == ["one", "sub", "three", "two"]
        assert case.live("fork", "accept.copied")[0] == 9
        ended, said = case.live("recover")
        assert ended == 0
        assert len(said["states"]) == 1
        assert oracles(case.folder, case.project, script, "fork") == []


def test_every_point_has_one_place_in_the_code_and_a_death() -> None:
    used: Counter[str] = Counter()
    for path in (ROOT / "cloutagent_ext").rglob("*.py"):
        used.update(re.findall(r'failpoint\("([a-z_.]+)"\)', path.read_text()))
    assert used == Counter(dict.fromkeys(POINTS, 1))
    assert len(POINTS) >= 40
    killed = {point.partition(":")[0] for _, *points in CASES for point in points}
    assert set(POINTS) - killed == ELSEWHERE


def test_an_environment_alone_arms_nothing() -> None:
    program = "from cloutagent_ext.failpoints import failpoint; failpoint('run.begun'); print('lived')"
    env = with_tree(os.environ, CLOUTAGENT_FAILPOINT="run.begun")
    for options, code in (([], 0), (["-X", "cloutagent_failpoints"], -9)):
        ran = subprocess.run([sys.executable, *options, "-c", program], env=env, cwd=ROOT, check=False)
        assert ran.returncode == code
