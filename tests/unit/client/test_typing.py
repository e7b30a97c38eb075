"""What a type checker makes of a program that uses the client: the contract's models, and its mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RIGHT = """
from cloutagent_ext import aconnect, connect
from cloutagent_ext.schema.execution import ExecutionState, Result
from cloutagent_ext.schema.metrics import Metrics
from cloutagent_ext.schema.project import Project as Definition

client = connect()
project = client["Sales analyst"]
definition: Definition = project.definition()
names: list[str] = [row.name for row in client.projects()]
run = project.run("Look", wait=True, limits={"max_cost_usd": 1}, file="sales.csv")
state: ExecutionState = run.state
result: Result = run.result
size: int = run.files()[0].size
allowed: ExecutionState = run.allow(run.approvals()[0])
metrics: Metrics = client.metrics("1h")
again: str = run.fork(3).id
label: str | None = project.versions()[0].label


async def awaited() -> ExecutionState:
    async with await aconnect() as agents:
        other = await (await agents.project("Sales analyst")).run("Look")
        return await other.wait()
"""
WRONG = {
    "project.run(1)": "incompatible type",
    'project.set_secret("NAME")': "Too few arguments",
    "run.fork()": "Too few arguments",
    'client.metrics("2h")': "incompatible type",
    "run.state.costs": 'has no attribute "costs"',
    "run.allow(3)": "incompatible type",
}


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_a_program_that_uses_it_rightly_is_typed_and_its_mistakes_are_found(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(RIGHT + "".join(f"{line}\n" for line in WRONG))
    first = RIGHT.count("\n") + 1
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(program)],
        cwd=tmp_path, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    told = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert len(told) == len(WRONG), done.stdout + done.stderr
    for number, (line, why) in enumerate(WRONG.items(), first):
        assert any(f":{number}: error:" in each and why in each for each in told), (line, told)
