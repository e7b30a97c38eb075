"""`jupyter cloutagent resume` and `… fork`: go on with an execution, and watch it like a new one."""

from __future__ import annotations

import argparse

from pydantic import ValidationError

from ..errors import InvalidRequest
from ..schema.base import invalid_request
from ..schema.execution import ForkRequest, ResumeRequest
from . import run
from .desk import Desk, Started


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    resume = commands.add_parser(
        "resume",
        parents=parents,
        help="go on with an interrupted or failed execution",
        description="An interrupted execution goes on in its own log, a failed or cancelled one as a new "
        "execution that repeats nothing already done.",
    )
    resume.add_argument("execution", help="id of the execution")
    resume.add_argument("--max-cost", type=float, metavar="USD", help="money limit from now on")
    resume.add_argument("--max-tokens", type=int, metavar="N", help="token limit from now on")
    resume.add_argument("--timeout", type=int, metavar="S", help="time limit from now on, in seconds")
    resume.add_argument("--max-turns", type=int, metavar="N", help="turn limit from now on")
    fork = commands.add_parser(
        "fork",
        parents=parents,
        help="a new execution that shares the history up to an event",
        description="Begin a new execution from an event of another one, with changes. The history before "
        "the event's turn is shared; the workspace is copied as it is now.",
    )
    fork.add_argument("execution", help="id of the execution")
    fork.add_argument("--from-event", type=int, required=True, metavar="N", help="the event, by its id")
    fork.add_argument("--prompt", help="what to say instead, or besides")
    fork.add_argument("--model", help="another model")
    fork.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help="another value")
    fork.add_argument("--result", nargs=2, metavar=("CALL", "TEXT"), help="another result of a tool call")
    for parser in (resume, fork):
        run.add_watching(parser)
    resume.set_defaults(command=go_on)
    fork.set_defaults(command=branch)


async def go_on(arguments: argparse.Namespace) -> int:
    limits = {
        "max_cost_usd": arguments.max_cost,
        "max_tokens": arguments.max_tokens,
        "timeout_s": arguments.timeout,
        "max_turns": arguments.max_turns,
    }
    given = {name: value for name, value in limits.items() if value is not None}
    try:
        request = ResumeRequest.model_validate({"limits": given or None})
    except ValidationError as error:
        raise invalid_request(error, "What was asked for") from error

    async def start(desk: Desk) -> Started:
        return await desk.resume(arguments.execution, request)

    return await run.watch(arguments, start)


async def branch(arguments: argparse.Namespace) -> int:
    body = {
        "from_event": arguments.from_event,
        "prompt": arguments.prompt,
        "model": arguments.model,
        "variables": run.variables_of(arguments.var) or None,
    }
    if arguments.result is not None:
        body["tool_result"] = {"call_id": arguments.result[0], "text": arguments.result[1]}
    try:
        request = ForkRequest.model_validate(body)
    except ValidationError as error:
        raise invalid_request(error, "What was asked for") from error
    if request.prompt is not None and not request.prompt.strip():
        raise InvalidRequest("--prompt is empty.")

    async def start(desk: Desk) -> Started:
        return await desk.fork(arguments.execution, request)

    return await run.watch(arguments, start)
