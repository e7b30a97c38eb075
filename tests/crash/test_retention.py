"""A server that dies while it lets go of an old execution: it is there whole, or expired whole."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cloutagent_ext import failpoints
from cloutagent_ext.errors import Expired
from cloutagent_ext.schema.query import MetricsQuery
from cloutagent_ext.services import SystemClock
from tests.support.children import with_tree
from tests.unit.executions.conftest import Office, bash

ROOT = Path(__file__).parents[2]
_OLD_H = 0.001 / 3600


class TwoDaysOn(SystemClock):
    def time(self) -> float:
        return time.time() + 2 * 86400


@pytest.mark.parametrize("point", [None, "expire.kept", "expire.removed"])
async def test_a_death_in_the_middle_of_letting_go_leaves_all_of_it_or_its_summary(
    tmp_path: Path, point: str | None
) -> None:
    office = Office(tmp_path / "data")
    await office.services.start()
    state = await office.run(await office.project(bash("echo a > made")))
    await office.services.stop(0)

    # The same interpreter options as every death of these tests.
    command = [sys.executable, "-X", "cloutagent_failpoints", "-m", __name__, str(tmp_path / "data")]
    environment = with_tree(os.environ)
    ran = await asyncio.to_thread(
        subprocess.run, [*command, point or ""], env=environment, cwd=ROOT, check=False, capture_output=True
    )
    assert ran.returncode == (0 if point is None else -9), ran.stderr.decode()

    office = Office(tmp_path / "data", retention_h=0)
    await office.services.start()
    try:
        found = await office.executions.state(state.execution_id)
        workspace = tmp_path / "data/temp" / state.execution_id
        if point == "expire.kept":
            assert found == state, "nothing of it may be missing while its folder is there"
            assert (await office.events(state.execution_id))[-1]["type"] == "complete"
            assert (workspace / "workspace/made").read_text() == "a\n"
        else:
            assert (found.expired, found.status, found.usage) == (True, "completed", state.usage)
            with pytest.raises(Expired):
                await office.executions.log(state.execution_id)
            assert workspace.exists() == (point == "expire.removed")
        metering = office.executions.books.metering
        counted = await metering.metrics(MetricsQuery(simulated=True, window="7d"), streams=0, max_streams=1)
        assert (counted.executions.completed, counted.by_tool[0].calls) == (1, 1)
    finally:
        await office.services.stop(0)

    # The next sweeps let go of what is left, and count it once.
    office = Office(tmp_path / "data", clock=TwoDaysOn(), retention_h=47)
    await office.services.start()
    try:
        retention = office.executions.books.retention
        async with asyncio.timeout(60):
            while not (await office.executions.state(state.execution_id)).expired:
                await retention.sweep()
        await retention.sweep()  # a workspace without an execution is litter after a day
        assert not workspace.exists()
        assert not list((tmp_path / "data/projects").glob("*/executions/.deleted-*"))
        counted = await office.executions.books.metering.metrics(
            MetricsQuery(simulated=True, window="7d"), streams=0, max_streams=1
        )
        assert (counted.executions.completed, counted.by_tool[0].calls) == (1, 1)
    finally:
        await office.services.stop(0)


async def main(folder: Path, point: str) -> None:
    office = Office(folder, retention_h=0)
    await office.services.start()
    await office.services.stop(0)
    office = Office(folder, retention_h=_OLD_H)
    if point:
        failpoints.arm(point)
    await office.services.start()
    async with asyncio.timeout(60):
        while (await office.executions.list()).items:
            await office.executions.books.retention.sweep()
    await office.services.stop(0)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
