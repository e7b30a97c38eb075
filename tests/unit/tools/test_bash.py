"""`bash`: what a command may do, what comes back, and when."""

from __future__ import annotations

import asyncio
import os
import re
import time
from dataclasses import replace

import pytest

from cloutagent_ext.engine.ports import ToolError
from cloutagent_ext.engine.tools.isolation import NOT_ISOLATED, Isolation
from tests.support.patience import Promised

from .conftest import Box, with_and_without_a_sandbox


@pytest.fixture(params=["auto", "off"])
def isolation(request: pytest.FixtureRequest, bubblewrap_works: str | None) -> Isolation:
    return with_and_without_a_sandbox(request, bubblewrap_works)


async def test_output_and_errors_come_back_as_they_came(box: Box) -> None:
    assert await box.text("bash", command="echo one; echo two >&2; echo three") == "one\ntwo\nthree\n"


async def test_an_exit_code_other_than_zero_is_an_error_that_names_it(box: Box) -> None:
    assert await box.error("bash", command="echo so far; exit 7") == "so far\n[exit code 7]"
    assert "[ended by SIGSEGV]" in await box.error("bash", command="kill -SEGV $$")


async def test_silence_is_said(box: Box) -> None:
    assert await box.text("bash", command="true") == "[no output, exit code 0]"


async def test_the_working_directory_carries_over_for_each_agent_by_itself(box: Box) -> None:
    await box.run("bash", command="mkdir -p 'a b/c' && cd 'a b/c'")
    assert await box.text("bash", command="pwd -P") == f"{os.path.realpath(box.workspace)}/a b/c\n"
    assert (
        await box.text("bash", agent="analyst#1", command="pwd -P") == f"{os.path.realpath(box.workspace)}\n"
    )
    await box.error("bash", command="cd /; exit 3")
    assert await box.text("bash", command="pwd") == "/\n"


async def test_a_working_directory_that_is_gone_falls_back_to_the_workspace(box: Box) -> None:
    await box.run("bash", command="mkdir gone && cd gone")
    await box.run("bash", command="rmdir ../gone")
    assert await box.text("bash", command="pwd -P") == f"{os.path.realpath(box.workspace)}\n"


async def test_a_time_limit_stops_the_command_and_keeps_what_it_said(box: Box, promised: Promised) -> None:
    with promised(6):
        error = await box.error("bash", command="echo before; sleep 60", timeout_s=1)
        assert error.startswith("before\n[stopped after 1 s")


async def test_a_result_does_not_wait_for_children_that_hold_the_pipe(box: Box, promised: Promised) -> None:
    with promised(10):
        text = await box.text("bash", command="sleep 60 & sleep 0.3; echo done")
    assert text.startswith("done\n[still running in the background: ")
    assert "(sleep 60)" in text


async def test_a_server_in_the_background_answers_the_next_command(box: Box) -> None:
    serve = (
        "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler); "
        "open('port', 'w').write(str(s.server_port)); s.serve_forever()"
    )
    (box.workspace / "hello.txt").write_text("hello from the background")
    await box.run("bash", command=f'python -c "{serve}" & while [ ! -s port ]; do sleep 0.05; done')
    # It logs to the pipe of a call that is over: that must not kill it.
    fetch = "from urllib.request import urlopen as u; print(u('http://127.0.0.1:'+open('port').read()+'/hello.txt').read())"
    for _ in range(3):
        assert "hello from the background" in await box.text("bash", command=f'python -c "{fetch}"')


async def test_long_output_is_shown_by_head_and_tail_and_kept_whole_in_the_workspace(box: Box) -> None:
    (part,) = await box.run("bash", command="seq 1 200000")
    assert part.text.startswith("1\n2\n3\n")
    assert part.text.endswith("199999\n200000\n")
    assert "bytes left out here" in part.text
    assert len(part.text.encode()) <= 32 * 1024
    whole = (box.workspace / part.path).read_text()
    assert whole.split() == [str(n) for n in range(1, 200_001)]


async def test_output_past_16_mib_keeps_its_beginning_in_a_file_and_its_end_in_the_result(box: Box) -> None:
    (part,) = await box.run("bash", command="head -c 20000000 /dev/zero | tr '\\0' x; echo; echo the end")
    assert part.text.endswith("the end\n")
    assert (box.workspace / part.path).stat().st_size == 16 * 1024 * 1024


async def test_a_walk_over_the_whole_machine_is_a_beginning_an_end_and_a_file(
    box: Box, promised: Promised
) -> None:
    with promised(7):
        said = await box.error("bash", command="find / 2>/dev/null; false", timeout_s=2)
    assert said.startswith("/\n")
    assert len(said.encode()) < 34 * 1024
    [kept] = box.workspace.glob("**/*.txt")
    assert kept.stat().st_size > 100 * 1024
    assert (await box.text("bash", command="echo on")).strip() == "on"


async def test_endless_output_is_stopped_at_the_limit(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloutagent_ext.engine.tools.commands.MAX_OUTPUT_BYTES", 4 * 1024 * 1024)
    error = await box.error("bash", command="yes")
    assert re.search(r"\[stopped after [45],\d{3},\d{3} bytes of output", error)


async def test_a_fork_bomb_is_stopped_by_count(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloutagent_ext.engine.tools.commands.MAX_PROCESSES", 20)
    error = await box.error("bash", command="for i in $(seq 40); do sleep 60 & done; wait", timeout_s=60)
    assert "too many processes" in error


async def test_terminal_sequences_and_invalid_bytes_never_come_through(box: Box) -> None:
    command = (
        r"printf '\033[31mred\033[0m \033]52;c;aGFjaw==\007\033]0;title\033\\done \xff\xfe \x9b1m\n'; "
        r"printf '10%%\r100%%\n'"
    )
    text = await box.text("bash", command=command)
    assert "red done" in text
    assert text.isprintable() or not any(ord(c) < 32 and c not in "\n\t" for c in text)
    assert "aGFjaw" not in text
    assert "\ufffd" in text
    assert text.endswith("100%\n")


async def test_commands_of_one_turn_run_side_by_side(box: Box) -> None:
    # Each waits for what the other makes: one after the other, they would never end.
    first = box.text(
        "bash", command="touch a; while [ ! -e b ]; do sleep 0.05; done; echo first", timeout_s=30
    )
    second = box.text(
        "bash", command="touch b; while [ ! -e a ]; do sleep 0.05; done; echo second", timeout_s=30
    )
    assert await asyncio.gather(first, second) == ["first\n", "second\n"]


async def test_a_script_sees_no_arguments_of_ours(box: Box) -> None:
    assert await box.text("bash", command='echo "[$1] $# $-"') == "[] 0 hBc\n"


async def test_a_command_has_no_input_to_wait_for(box: Box) -> None:
    assert await box.text("bash", command="cat; read x; echo got:$x") == "got:\n"


async def test_a_missing_shell_is_a_sentence_not_a_crash(box: Box) -> None:
    box.context.env = {**box.context.env, "PATH": "/nonexistent"}
    assert "could not be started" in await box.error("bash", command="true")


@pytest.mark.parametrize("command", ["echo \0", "echo \ud800"])
async def test_commands_that_no_system_can_take_are_refused(box: Box, command: str) -> None:
    with pytest.raises(ToolError):
        await box.run("bash", command=command)


async def test_an_execution_says_once_when_it_is_not_isolated(box: Box, isolation: Isolation) -> None:
    await box.run("bash", command="true")
    await box.run("bash", command="true")
    assert box.warnings == ([("NOT_ISOLATED", NOT_ISOLATED)] if isolation.mode == "off" else [])


async def test_core_dumps_are_off_and_a_file_cannot_grow_without_end(box: Box) -> None:
    assert (await box.text("bash", command="ulimit -c; ulimit -f")).split() == ["0", str(8 * 1024**2)]


async def test_a_command_that_goes_on_writing_gives_signs_of_life_and_a_silent_one_none(box: Box) -> None:
    signs: list[float] = []
    box.context = replace(box.context, alive=lambda: signs.append(time.monotonic()))
    await box.run("bash", command="sleep 0.3")
    assert signs == []
    text = await box.text("bash", command="for i in 1 2 3; do echo $i; sleep 0.1; done")
    assert text == "1\n2\n3\n"
    assert len(signs) == 1  # not one for each line
