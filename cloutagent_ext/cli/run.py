"""`jupyter cloutagent run`: execute a project and watch it.

The answer goes to standard output, everything on the way to standard error, so that
`… run X > answer.txt` does what it says. Ctrl-C cancels the execution and waits until
it is gone; a second Ctrl-C stops waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path, PurePosixPath
from types import FrameType

from pydantic import ValidationError

from ..errors import InvalidRequest
from ..schema.base import invalid_request
from ..schema.execution import ExecuteRequest, ExecutionState
from . import exits
from .asking import Asking, rules_of
from .desk import Desk, Started, open_desk
from .progress import Progress, printable

_TICK_S = 0.12


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    parser = commands.add_parser(
        "run",
        parents=parents,
        help="execute a project and watch it",
        description="Execute a project. Its answer goes to standard output, progress to standard error.",
        epilog="Exit codes: 0 completed, 1 failed, 2 cannot be done as written, 3 server unavailable, "
        "130 cancelled.",
    )
    parser.add_argument("project", help="name or id of the project")
    parser.add_argument("--prompt", help="what to do, in place of the project's task")
    parser.add_argument(
        "--var",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of a project variable; repeatable",
    )
    parser.add_argument(
        "--replay", metavar="CASSETTE", help="play a recording instead of asking a model; it costs nothing"
    )
    parser.add_argument(
        "--continue",
        dest="continue_from",
        metavar="EXECUTION",
        help="go on with the conversation of a finished execution; needs --prompt",
    )
    parser.add_argument("--max-cost", type=float, metavar="USD", help="lower the project's money limit")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="lower the project's token limit")
    parser.add_argument("--timeout", type=int, metavar="S", help="lower the project's time limit, in seconds")
    add_watching(parser)
    parser.set_defaults(command=run)


def add_watching(parser: argparse.ArgumentParser) -> None:
    """The options of every command that watches an execution to its end."""
    parser.add_argument(
        "--save", type=Path, metavar="FOLDER", help="copy the workspace's files there at the end"
    )
    asks = parser.add_argument_group(
        "tools that ask",
        "At a terminal you are asked. Elsewhere such a call fails, or waits, as the project says; with one "
        "of these options it fails unless a rule allows it.",
    )
    asks.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="TOOL",
        help="answer yes to a tool that asks: bash, bash(git *), mcp__time__*; repeatable",
    )
    asks.add_argument(
        "--deny",
        action="append",
        default=[],
        metavar="TOOL",
        help="answer no to a tool that asks; repeatable",
    )
    asks.add_argument("--step", action="store_true", help="ask before every tool call")
    parser.add_argument(
        "--json", action="store_true", help="print the final state as JSON instead of the answer"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")


def variables_of(given: list[str]) -> dict[str, str]:
    """Values of `--var`. Raises `InvalidRequest`."""
    variables = {}
    for text in given:
        name, found, value = text.partition("=")
        if not found or not name:
            raise InvalidRequest(f"--var {text!r} is not NAME=VALUE.")
        variables[name] = value
    return variables


def request_of(arguments: argparse.Namespace) -> ExecuteRequest:
    """What to ask for. Raises `InvalidRequest` for what the contract refuses."""
    limits = {
        "max_cost_usd": arguments.max_cost,
        "max_tokens": arguments.max_tokens,
        "timeout_s": arguments.timeout,
    }
    given = {name: value for name, value in limits.items() if value is not None}
    body = {"prompt": arguments.prompt, "variables": variables_of(arguments.var), "limits": given or None}
    if arguments.replay is not None:
        body["replay"] = arguments.replay
    if arguments.continue_from is not None:
        body["continue_from"] = arguments.continue_from
    body |= {"step": arguments.step, "attended": _attended(arguments)}
    try:
        return ExecuteRequest.model_validate(body)
    except ValidationError as error:
        raise invalid_request(error, "What was asked for") from error


def _at_a_terminal() -> bool:
    """Whether somebody sees a question and can type an answer."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _attended(arguments: argparse.Namespace) -> bool:
    """Whether this command answers tools that ask: by a person, or by rules given in advance."""
    return _at_a_terminal() or bool(arguments.allow or arguments.deny)


async def run(arguments: argparse.Namespace) -> int:
    request = request_of(arguments)
    rules_of(arguments.allow, arguments.deny)
    return await watch(arguments, lambda desk: desk.start(arguments.project, request))


async def watch(arguments: argparse.Namespace, start: Callable[[Desk], Awaitable[Started]]) -> int:
    """Begin what `start` begins, and stay with it to its end."""
    # The signal is caught from here on, so that an execution that is just being started is cancelled too.
    with _interrupts() as stop:
        async with open_desk(arguments, executes=True) as desk:
            return await _run(await start(desk), arguments, stop)


async def _run(started: Started, arguments: argparse.Namespace, stop: _Stop) -> int:
    progress = None if arguments.quiet else Progress()
    asking = None
    if _attended(arguments):
        rules = rules_of(arguments.allow, arguments.deny)
        asking = Asking(started, rules, progress, people=_at_a_terminal())
    watching = asyncio.create_task(_watch(started, progress, asking))
    cancelling = asyncio.create_task(_cancel_when_asked(started, stop, progress))
    ticking = asyncio.create_task(_tick(progress))
    leaving = asyncio.create_task(stop.twice.wait())
    tasks = [watching, cancelling, ticking, leaving]
    if asking is not None:
        tasks.append(answering := asyncio.create_task(asking.run()))
    try:
        # Answering only ends by a fault of ours, which must not leave the execution waiting unseen.
        ends = {watching, leaving} | ({answering} if asking is not None else set())
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if asking is not None and answering.done():
            await started.cancel()
            answering.result()
        if not watching.done():
            return exits.CANCELLED
        state = await watching
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if progress is not None:
        progress.end(state)
    if arguments.save is not None:
        await _save(started, arguments.save)
    _answer(state, as_json=arguments.json)
    return exits.of_status(state.status)


async def _watch(started: Started, progress: Progress | None, asking: Asking | None) -> ExecutionState:
    async with aclosing(started.events()) as events:
        async for event in events:
            if asking is not None:
                asking.take(event)
            if progress is not None:
                progress.take(event)
    return await started.state()


async def _cancel_when_asked(started: Started, stop: _Stop, progress: Progress | None) -> None:
    await stop.once.wait()
    if progress is not None:
        progress.note("cancelling")
    await started.cancel()


async def _tick(progress: Progress | None) -> None:
    while progress is not None:
        progress.tick()
        await asyncio.sleep(_TICK_S)


def _answer(state: ExecutionState, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(state.model_dump(mode="json"), ensure_ascii=False))
    elif state.result is not None and state.result.text and state.status == "completed":
        text = state.result.text
        # A terminal has shown it as it came; a file or a pipe gets it whole, as it is.
        if not (sys.stdout.isatty() and sys.stderr.isatty()):
            print(printable(text) if sys.stdout.isatty() else text)


async def _save(started: Started, folder: Path) -> None:
    for row in await started.files():
        name = PurePosixPath(row.path)
        if name.is_absolute() or ".." in name.parts:
            raise InvalidRequest(f"The server named a file outside of its workspace: {row.path!r}.")
        data = await started.read(row.path)
        await asyncio.to_thread(_write, folder.joinpath(*name.parts), data)


def _write(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


class _Stop:
    """What Ctrl-C has asked for."""

    def __init__(self) -> None:
        self.once = asyncio.Event()
        self.twice = asyncio.Event()


@contextmanager
def _interrupts() -> Iterator[_Stop]:
    """Interrupts and terminations become a wish to cancel while this is open."""
    stop = _Stop()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        (stop.twice if stop.once.is_set() else stop.once).set()

    def handle(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(ask)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
