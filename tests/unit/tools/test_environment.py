"""What the server holds in its environment stays there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cloutagent_ext.engine.ports import EndExecution, ToolError
from cloutagent_ext.engine.tools.environment import MARKER, child_environment
from cloutagent_ext.engine.tools.isolation import Isolation
from tests.support.mcp_bench import McpBench
from tests.unit.engine.hooked import actions, parsed, script

from .conftest import Box, with_and_without_a_sandbox


@pytest.fixture(params=["auto", "off"])
def isolation(request: pytest.FixtureRequest, bubblewrap_works: str | None) -> Isolation:
    return with_and_without_a_sandbox(request, bubblewrap_works)


def nothing_of(canaries: dict[str, str], text: str) -> bool:
    return not any(value in text or name in text for name, value in canaries.items())


async def test_no_secret_of_the_server_is_visible_to_a_command(
    canaries: dict[str, str], make_box: Callable[..., Box]
) -> None:
    box = make_box()
    async with box.toolbox:
        for command in (
            "env",
            "export -p; declare -f",
            "tr '\\0' '\\n' </proc/self/environ",
            "tr '\\0' '\\n' </proc/$PPID/environ",  # the supervisor's: it has the command's, not the server's
            "ps eww -o command --ppid $PPID; ps eww -o command -p $PPID",
            "python -c 'import os; print(dict(os.environ))'",
            "bash -lc env",
            "ls -l /proc/self/fd /proc/$PPID/fd",
        ):
            assert nothing_of(canaries, await box.text("bash", command=command)), command


async def test_no_secret_of_the_server_is_visible_to_the_kernel(
    canaries: dict[str, str], make_box: Callable[..., Box]
) -> None:
    box = make_box()
    async with box.toolbox:
        for code in (
            "import os; print(dict(os.environ))",
            "print(open('/proc/self/environ').read())",
            "!env",
            "import subprocess; print(subprocess.run(['env'], capture_output=True, text=True).stdout)",
        ):
            text = await box.text("python", code=code)
            assert nothing_of(canaries, text), code
            assert box.context.execution_id in text


async def test_no_secret_of_the_server_is_visible_to_a_hook(
    canaries: dict[str, str], tmp_path: Path, isolation: Isolation
) -> None:
    for command in (
        "env",
        "export -p; declare -f",
        "cat /proc/self/environ | tr '\\0' '\\n'",
        "cat /proc/$PPID/environ | tr '\\0' '\\n'",
        "ls -l /proc/self/fd /proc/$PPID/fd",
    ):
        see = script("see", f"cat >/dev/null; {command}", "UserPromptSubmit")
        async with actions(tmp_path, see, isolation=isolation) as made:
            reply = await made.run(parsed(see), {"hook_event_name": "UserPromptSubmit"})
        assert not reply.failed
        assert reply.text.strip(), command
        assert nothing_of(canaries, reply.text + reply.errors), command


async def test_no_secret_of_the_server_is_visible_to_an_mcp_server(
    canaries: dict[str, str], tmp_path: Path, isolation: Isolation
) -> None:
    async with McpBench(tmp_path, isolation=isolation.mode) as bench:
        bench.hostile("tells-environments")
        tools = await bench.tools("tells-environments")
        told = json.loads(await bench.text(tools["mcp__tells-environments__echo"]))
    assert len(told) == 4
    for text in told:
        assert "HOME=" in text
        assert nothing_of(canaries, text)


def test_the_project_may_add_variables_but_not_hide_the_marker(tmp_path: Path) -> None:
    env = child_environment("e-1", {"REGION": "north", "HOME": "/elsewhere", MARKER: "other"}, home=tmp_path)
    assert (env["REGION"], env["HOME"], env[MARKER]) == ("north", "/elsewhere", "e-1")


def test_shell_functions_and_everything_unlisted_stay_out(canaries: dict[str, str], tmp_path: Path) -> None:
    env = child_environment("e-1", {}, home=tmp_path)
    assert nothing_of(canaries, str(env))
    assert env["HOME"] == str(tmp_path)
    assert set(env) <= {
        "HOME", "LOGNAME", "USER", "SHELL", "LANG", "LC_ALL", "TZ", "TERM", "PATH", "PYTHONUSERBASE", MARKER,
    }  # fmt: skip


async def test_python_of_a_command_is_the_one_the_server_runs_on(box: Box) -> None:
    assert await box.text("bash", command="python -c 'import pydantic; print(1)'") == "1\n"


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
async def test_a_variable_that_no_program_can_be_given_is_named(
    make_box: Callable[..., Box], isolation: Isolation, value: str
) -> None:
    """It comes from a project, and is no bug of ours: the model, or the caller, is told which one it is."""
    box = make_box(env={"FINE": "x", "ODD": value})
    async with box.toolbox:
        with pytest.raises((ToolError, EndExecution), match="ODD"):
            await box.run("bash", command="true")
