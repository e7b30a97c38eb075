"""Commands that are told something and answer (hooks): what goes in, what comes apart, what is left."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

import psutil

from cloutagent_ext.engine.tools.commands import Commands, Exchange, Ran
from tests.support.survivors import survivors

from .conftest import Box, living

KEPT = 64 * 1024


async def ask(box: Box, script: str, *, stdin: str = "", timeout_s: float = 20, **exchange: Any) -> Ran:
    where = str(box.workspace)
    return await box.toolbox.commands.run(
        ["bash", "-c", script],
        cwd=where,
        fallback=where,
        env=box.context.env,
        timeout_s=timeout_s,
        exchange=Exchange(stdin, KEPT, **exchange),
    )


async def test_what_it_is_told_comes_on_standard_input_and_errors_come_apart(box: Box) -> None:
    ran = await ask(box, "cat; echo problem >&2; exit 2", stdin='{"a": "ä"}')
    assert (ran.head.decode(), ran.errors, ran.exit_code) == ('{"a": "ä"}', b"problem\n", 2)


async def test_one_that_reads_nothing_of_a_large_input_is_not_waited_for(box: Box) -> None:
    ran = await ask(box, "exit 0", stdin="x" * 3_000_000)
    assert ran.exit_code == 0
    ran = await ask(box, "wc -c", stdin="x" * 3_000_000)
    assert ran.head.strip() == b"3000000"


async def test_100_mb_of_output_cost_little_memory_and_are_counted(box: Box) -> None:
    process = psutil.Process()
    before, most = process.memory_info().rss, 0
    task = asyncio.create_task(
        ask(box, "head -c 50000000 /dev/zero >&2; head -c 50000000 /dev/zero", timeout_s=60)
    )
    while not task.done():
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                if each == process:
                    most = max(most, each.memory_info().rss - before)
                elif "supervisor.py" in str(each.cmdline()):
                    most = max(most, each.memory_info().rss)
        await asyncio.sleep(0.02)
    ran = await task
    assert (ran.total, ran.errors_total) == (50_000_000, 50_000_000)
    assert (len(ran.head), len(ran.errors)) == (KEPT, KEPT)
    assert most < 30 * 1024 * 1024, "an interpreter is 10 to 20 MB; 100 MB of output add next to nothing"
    assert process.memory_info().rss - before < 10 * 1024 * 1024


async def test_what_it_leaves_in_the_background_is_gone_when_it_has_answered(box: Box) -> None:
    daemon = "import time; open('up', 'w'); time.sleep(600)"
    start = f'setsid env -i {sys.executable} -c "{daemon}" marked-daemon &'
    script = f"{start} until [ -e up ]; do sleep 0.05; done"
    ran = await ask(box, script)
    assert ran.exit_code == 0
    assert living("marked-daemon") == []


async def test_one_that_says_async_goes_on_until_its_time_is_over(box: Box) -> None:
    script = 'echo "{\\"async\\": true}"; sleep 600'
    ran = await ask(box, script, timeout_s=6)
    assert (ran.why, ran.head.strip()) == ("async", b'{"async": true}')
    assert survivors(box.context.execution_id)
    async with asyncio.timeout(60):
        while survivors(box.context.execution_id):
            await asyncio.sleep(0.05)


async def test_one_that_says_async_ends_with_the_execution(box: Box) -> None:
    ran = await ask(box, 'echo "{\\"async\\": true}"; trap "" TERM; sleep 600 & wait', timeout_s=300)
    assert ran.why == "async"
    await box.toolbox.close()
    assert survivors(box.context.execution_id) == []


async def test_saying_async_changes_nothing_where_it_may_not_go_on(box: Box) -> None:
    ran = await ask(box, 'echo "{\\"async\\": true}"; sleep 0.2; echo end', may_go_on=False)
    assert ran.head.endswith(b"end\n")
    assert ran.why == "exit"


async def test_a_time_limit_ends_the_whole_tree(box: Box) -> None:
    ran = await ask(box, "setsid sleep 600 & sleep 600", timeout_s=1)
    assert ran.why == "timeout"
    assert survivors(box.context.execution_id) == []


async def test_a_cancelled_one_leaves_nothing(box: Box) -> None:
    task = asyncio.create_task(ask(box, "touch up; sleep 600"))
    async with asyncio.timeout(60):
        while not (box.workspace / "up").exists():
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task}, timeout=60)
    assert task.cancelled()
    assert survivors(box.context.execution_id) == []


def test_nobody_has_to_close_what_never_started() -> None:
    asyncio.run(Commands().close())
