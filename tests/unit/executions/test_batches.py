"""A batch is one ceiling for many executions: side by side, in several processes, after a death."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from cloutagent_ext.engine.ports import EndExecution
from cloutagent_ext.errors import InvalidRequest, PriceUnknown
from cloutagent_ext.executions import batches as batches_module
from cloutagent_ext.executions.batches import Batches, changed
from cloutagent_ext.schema.execution import Batch
from tests.support.messages_api import MessagesApi, Say

from .conftest import Opens, agent

BATCH = Batch(id="sweep", max_cost_usd=1.0)


def spec(name: str, batch: Batch = BATCH, origin: str = "panel", simulated: bool = False):
    return SimpleNamespace(
        execution_id=name, batch=batch, origin=origin, project_id="p1", simulated=simulated
    )


@pytest.fixture
async def batches(tmp_path: Path):
    found = Batches(tmp_path)
    await found.open(BATCH, "server")
    yield found
    await asyncio.to_thread(found.close)


def content(tmp_path: Path) -> dict:
    [path] = (tmp_path / "batches").glob("*.json")
    return json.loads(path.read_text())


async def test_held_and_spent_of_all_executions_never_exceed_the_ceiling(batches, tmp_path):
    most = 0.0

    async def call(number: int) -> float:
        nonlocal most
        share = batches.join(spec(f"e{number}"))
        got = await share.hold(0.1, least=0.1)
        now = await asyncio.to_thread(content, tmp_path)
        most = max(most, sum(each["held"] + each["spent"] for each in now["executions"].values()))
        share.settle(got, 0.1)
        await share.close()
        return got

    outcomes = await asyncio.gather(*(call(number) for number in range(20)), return_exceptions=True)
    sent = [outcome for outcome in outcomes if isinstance(outcome, float)]
    ended = [outcome for outcome in outcomes if isinstance(outcome, EndExecution)]
    assert (len(sent), len(ended)) == (10, 10), outcomes
    assert {end.code for end in ended} == {"COST_LIMIT_EXCEEDED"}
    assert most <= 1.0 + 1e-9


async def test_a_call_waits_for_what_others_hold_and_may_not_need(batches):
    first, second = batches.join(spec("a")), batches.join(spec("b"))
    await first.hold(0.9, least=0.9)
    waits = asyncio.create_task(second.hold(0.5, least=0.5))
    await asyncio.sleep(0)
    first.settle(0.9, 0.01)
    async with asyncio.timeout(60):
        assert await waits == 0.5
    assert await first.hold(0.9, least=0.1) == pytest.approx(0.49)  # lowered to what is left
    await first.close()
    await second.close()


async def test_it_is_kept_over_a_restart(batches, tmp_path):
    share = batches.join(spec("a"))
    share.settle(await share.hold(0.8, least=0.8), 0.8)
    await share.close()
    again = Batches(tmp_path)
    await again.open(BATCH, "server")
    with pytest.raises(EndExecution, match=r"\$0\.8000 are spent"):
        await again.join(spec("b")).hold(0.3, least=0.3)


async def test_what_a_killed_process_held_counts_as_spent(batches, tmp_path):
    script = (
        "import asyncio, sys, time\n"
        "from types import SimpleNamespace as S\n"
        "from pathlib import Path\n"
        "from cloutagent_ext.executions.batches import Batches\n"
        "from cloutagent_ext.schema.execution import Batch\n"
        "b = Batch(id='sweep', max_cost_usd=1.0)\n"
        "s = S(execution_id='dead', batch=b, origin='panel', project_id='p1', simulated=False)\n"
        "share = Batches(Path(sys.argv[1])).join(s)\n"
        "asyncio.run(share.hold(0.8, least=0.8))\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    child = await asyncio.to_thread(
        lambda: subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    )
    try:
        assert child.stdout is not None
        assert await asyncio.to_thread(child.stdout.readline) == b"held\n"
        share = batches.join(spec("alive"))
        waits = asyncio.create_task(share.hold(0.5, least=0.5))
        done, _ = await asyncio.wait({waits}, timeout=0.7)
        assert not done  # it lives, and may need less than it holds
    finally:
        child.kill()
        await asyncio.to_thread(child.wait)
        assert child.stdout is not None
        child.stdout.close()
    async with asyncio.timeout(60):
        with pytest.raises(EndExecution, match=r"\$0\.8000 are spent"):
            await waits
    await share.close()


async def test_a_cancelled_call_leaves_nothing_held(batches, tmp_path):
    share = batches.join(spec("a"))
    task = asyncio.create_task(share.hold(0.9, least=0.9))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await share.close()
    now = await asyncio.to_thread(content, tmp_path)
    assert all(each["held"] == 0 for each in now["executions"].values())


async def test_what_could_not_be_written_down_at_once_is_spent_all_the_same(batches, tmp_path):
    share = batches.join(spec("e1"))
    held = await share.hold(0.6, least=0.1)
    [path] = (tmp_path / "batches").glob("*.json")
    kept = path.rename(tmp_path / "kept")
    path.mkdir()  # what cannot be read cannot be written
    share.settle(held, 0.5)
    while share._pending:
        await asyncio.wait(share._pending)
    path.rmdir()
    kept.rename(path)
    assert content(tmp_path)["executions"]["e1"]["held"] == 0.6, "until it is written, it counts as held"
    await share.close()
    assert content(tmp_path)["executions"]["e1"] | {"owner": ""} == {"held": 0.0, "spent": 0.5, "owner": ""}


async def test_another_ceiling_for_the_same_batch_is_refused_and_a_keys_batch_is_its_projects(batches):
    with pytest.raises(InvalidRequest, match="ceiling of \\$1"):
        await batches.open(Batch(id="sweep", max_cost_usd=2.0), "server")
    await batches.open(Batch(id="sweep", max_cost_usd=2.0), "project p1")
    share = batches.join(spec("by-key", Batch(id="sweep", max_cost_usd=2.0), origin="key"))
    assert await share.hold(1.5, least=1.5) == 1.5
    await share.close()
    assert batches.join(spec("free", simulated=True)) is None


# ---------------------------------------------------------------- whole executions


async def test_executions_of_one_batch_spend_from_one_purse(open_office: Opens):
    usage = {"input_tokens": 10_000}  # 4 cents each
    async with MessagesApi(
        lambda body, number: Say("ok", usage=usage, final_usage={"output_tokens": 10})
    ) as api:
        office = await open_office(api_key="test-key", base_url=api.url)
        project = await office.project(agent=agent(tools=[], max_tokens=256))
        batch = {"id": "b1", "max_cost_usd": 0.09}
        states = [await office.run(project, batch=batch) for _ in range(5)]
    ended = [(state.status, state.error.code if state.error else None) for state in states]
    assert ended.count(("completed", None)) == len(api.requests) < 5
    assert ended[-1] == ("failed", "COST_LIMIT_EXCEEDED")
    assert "batch b1" in states[-1].error.message
    with pytest.raises(InvalidRequest):
        await office.accept(project, batch={"id": "b1", "max_cost_usd": 5})


async def test_a_batch_with_a_model_of_unknown_price_is_refused(open_office: Opens):
    office = await open_office(api_key="test-key")
    limits = {"max_cost_usd": None}
    project = await office.project(agent=agent(tools=[], model="claude-nobody-9"), limits=limits)
    with pytest.raises(PriceUnknown, match="price_overrides"):
        await office.accept(project, batch={"id": "b1", "max_cost_usd": 1})
    priced = await open_office(
        api_key="test-key", price_overrides={"claude-nobody-9": {"input": 1, "output": 2}}
    )
    assert priced.services.models.prices.of("claude-nobody-9").output == 2


async def test_a_simulated_execution_takes_nothing_from_its_batch(office):
    project = await office.project()
    state = await office.run(project, batch={"id": "b1", "max_cost_usd": 0.000001})
    assert state.status == "completed"


def test_a_batch_that_somebody_changes_just_now_is_not_forgotten_with_its_lock(tmp_path: Path) -> None:
    """A second lock file would let two change the batch at once: money that one of them held was lost."""
    found = Batches(tmp_path)
    asyncio.run(found.open(BATCH, "server"))
    [old] = (tmp_path / "batches").glob("*.json")
    long_ago = time.time() - 100 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    with changed(old) as held:
        asyncio.run(found.open(Batch(id="another", max_cost_usd=1.0), "server"))
        assert old.exists()
        assert old.with_suffix(".lock").exists(), "who comes next would lock another file"
        held["executions"]["e"] = {"spent": 0.5, "held": 0.0, "owner": ""}
    assert json.loads(old.read_text())["executions"]["e"]["spent"] == 0.5
    os.utime(old, (long_ago, long_ago))
    asyncio.run(found.open(Batch(id="a third", max_cost_usd=1.0), "server"))
    assert not old.exists()
    assert not old.with_suffix(".lock").exists()


def test_a_server_that_takes_its_name_while_another_one_sweeps_is_not_taken_for_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it held would have counted as spent."""
    sweeper, newcomer = Batches(tmp_path), Batches(tmp_path)
    asyncio.run(sweeper.open(BATCH, "server"))
    go, opened = threading.Event(), threading.Event()

    def lock(descriptor: int, how: int) -> None:
        if how == fcntl.LOCK_EX:  # the newcomer: its file is there, and not locked yet
            opened.set()
            assert go.wait(60)
        fcntl.flock(descriptor, how)

    def close(descriptor: int) -> None:
        os.close(descriptor)
        if threading.current_thread() is threading.main_thread():  # the sweeper has let go of the file
            go.set()
            taken.result(60)

    monkeypatch.setattr(batches_module, "fcntl", SimpleNamespace(**{**vars(fcntl), "flock": lock}))
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(newcomer.owner)
        assert opened.wait(60)
        monkeypatch.setattr(batches_module, "os", SimpleNamespace(**{**vars(os), "close": close}))
        sweeper._forget_old_ones()
    monkeypatch.undo()
    assert sweeper.alive(taken.result())
    newcomer.close()
