"""A tool that asks, at a real terminal: its effect is seen, the answer taken; elsewhere nobody waits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.cli.asking import rules_of
from cloutagent_ext.engine.ports import Decision
from cloutagent_ext.errors import InvalidRequest
from tests.support.children import with_tree
from tests.support.live_server import bare_environment
from tests.unit.executions.conftest import Office, agent, bash

ROOT = Path(__file__).parents[3]
ASKS = agent(permissions={})
MAIN = "import sys, cloutagent_ext.cli as cli; sys.exit(cli.main())"
COMMAND = [sys.executable, "-c", MAIN, "run", "Sales"]


@dataclass
class Terminal:
    """A command in a pseudo-terminal, what it has shown, and a keyboard."""

    process: subprocess.Popen[bytes]
    main: int
    shown: str = ""

    async def until(self, condition: Callable[[str], Any], within_s: float = 60) -> None:
        async with asyncio.timeout(within_s):
            while not condition(self.shown):
                await self._read()

    async def ends(self) -> int:
        with contextlib.suppress(OSError):  # the other side is closed when the command ends
            async with asyncio.timeout(60):
                while await self._read():
                    pass
        return await asyncio.to_thread(self.process.wait)

    async def _read(self) -> bool:
        data = await asyncio.to_thread(os.read, self.main, 65536)
        self.shown += re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", data.decode(errors="replace"))
        return bool(data)

    def type(self, text: str) -> None:
        os.write(self.main, text.encode())


@contextlib.asynccontextmanager
async def terminal(folder: Path, *options: str) -> AsyncIterator[Terminal]:
    main, side = pty.openpty()
    environment = with_tree(bare_environment(folder), TERM="xterm")
    command = [*COMMAND, "--data-dir", str(folder / "data"), *options]
    process = subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, env=environment, cwd=folder, start_new_session=True
    )
    os.close(side)
    try:
        yield Terminal(process, main)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(main)


async def prepared(folder: Path, *turns: Any, **definition: Any) -> None:
    office = Office(folder / "data")
    await office.services.store.open()
    await office.project(*turns, **{"agent": ASKS, **definition})
    await office.services.stop()


def asked(shown: str) -> bool:
    return shown.rstrip().endswith("?")


async def test_a_person_sees_what_would_happen_and_allows_it(tmp_path: Path) -> None:
    await prepared(tmp_path, bash("echo it ran"))
    async with terminal(tmp_path) as screen:
        await screen.until(asked)
        assert "bash waits for you" in screen.shown
        assert "│ echo it ran" in screen.shown
        assert "Done:" not in screen.shown
        screen.type("y\n")
        assert await screen.ends() == 0
    assert "allowed by" in screen.shown
    assert "Done: it ran" in screen.shown


async def test_words_are_a_refusal_that_the_model_reads_and_e_changes_the_arguments(tmp_path: Path) -> None:
    await prepared(tmp_path, bash("echo one", name="first"), bash("echo two"))
    async with terminal(tmp_path) as screen:
        await screen.until(asked)
        screen.type("Use the other file.\n")
        await screen.until(lambda shown: "echo two" in shown and asked(shown))
        screen.type("e\n")
        await screen.until(lambda shown: "new arguments" in shown)
        screen.type('{"command": 3}\n')
        await screen.until(lambda shown: "cannot be used" in shown and asked(shown))
        screen.type("e\n")
        await screen.until(lambda shown: shown.count("new arguments") == 2)
        screen.type(json.dumps({"command": "echo changed"}) + "\n")
        assert await screen.ends() == 0
    assert "denied by" in screen.shown
    assert "Use the other file." in screen.shown
    assert "with other arguments" in screen.shown
    assert "Done: changed" in screen.shown


async def test_ctrl_c_at_the_question_cancels_the_execution(tmp_path: Path) -> None:
    await prepared(tmp_path, bash("echo it ran"))
    async with terminal(tmp_path) as screen:
        await screen.until(asked)
        os.kill(screen.process.pid, 2)
        assert await screen.ends() == 130


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "needs a person's approval"),
        (["--allow", "bash(echo *)"], "it ran"),
        (["--allow", "bash(git *)"], "Nobody can be asked here"),
        (["--deny", "bash"], "refused"),
    ],
)
async def test_without_a_terminal_only_rules_answer(tmp_path: Path, options: list[str], said: str) -> None:
    await prepared(tmp_path, bash("echo it ran"))
    ran = await asyncio.to_thread(
        subprocess.run,
        [*COMMAND, "--data-dir", str(tmp_path / "data"), *options],
        env=with_tree(bare_environment(tmp_path)),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert said in ran.stdout


async def test_a_rule_that_cannot_be_read_is_refused_before_anything_starts() -> None:
    with pytest.raises(InvalidRequest, match="no rule"):
        rules_of(["bash("], [])
    rules = rules_of(["bash"], ["bash(rm *)"])
    assert rules.decide("bash", {"command": "rm x"}, "ask").permission == "deny"
    assert rules.decide("bash", {"command": "ls"}, "ask").permission == "allow"
    assert rules.decide("python", {"code": "1"}, "ask").permission == "ask"


async def test_what_somebody_else_answers_is_not_asked_any_more() -> None:
    from types import SimpleNamespace

    from cloutagent_ext.cli.asking import Asking

    sent: list[Decision] = []

    class Elsewhere:
        async def decide(self, call_id: str, **answer: Any) -> None:
            sent.append(Decision(answer["allow"], "ada"))

    main, side = pty.openpty()
    event = SimpleNamespace(
        type="approval_required", call_id="c", tool="bash", input={"command": "ls"}, agent="main", reason="",
        preview=None,
    )  # fmt: skip
    saved = sys.stdin
    with os.fdopen(side, "r") as sys.stdin:
        try:
            asking = Asking(Elsewhere(), rules_of([], []), None, people=True)  # type: ignore[arg-type]
            asking.take(event)
            task = asyncio.create_task(asking.run())
            await asyncio.sleep(0.05)
            asking.take(SimpleNamespace(type="approval", call_id="c"))
            await asyncio.sleep(0.05)
            os.write(main, b"y\n")  # typed too late: it answers nothing
            await asyncio.sleep(0.05)
            assert (sent, task.done()) == ([], False)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        finally:
            sys.stdin = saved
            os.close(main)
