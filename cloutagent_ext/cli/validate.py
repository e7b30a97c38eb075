"""`jupyter cloutagent validate`: what would keep a project from running. Only `--connect` starts anything."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from ..client.display import money
from ..errors import InvalidRequest
from ..schema.project import Estimate
from . import exits, folder
from .desk import open_desk
from .progress import one_line


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    parser = commands.add_parser(
        "validate",
        parents=parents,
        help="say what would keep a project from running",
        epilog="Exit codes: 0 it would run, 1 it would not.",
    )
    parser.add_argument(
        "project", help="name or id of the project, or the path of a project's folder (with a slash, or .)"
    )
    parser.add_argument(
        "--connect", action="store_true", help="also start its MCP servers and ask them for their tools"
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(command=validate)


def _quote(estimate: Estimate) -> str:
    """What the project's run will probably cost, in a few words."""
    first = f"first call about {estimate.input_tokens:,} tokens, {money(estimate.cost_usd)}"
    if estimate.basis == "simulated":
        return f"{first}; simulated, so it costs nothing"
    if estimate.low_usd is None or estimate.high_usd is None:
        return first
    cap = "no money limit" if estimate.cap_usd is None else f"cap {money(estimate.cap_usd)}"
    return f"{first}; a run about {money(estimate.low_usd)} to {money(estimate.high_usd)}, {cap}"


async def validate(arguments: argparse.Namespace) -> int:
    if folder.is_folder(arguments.project):
        if arguments.connect:
            raise InvalidRequest(
                "--connect starts programs, and nobody has agreed to those of a folder. Import it as a "
                "project, look at what it would run, and name the project here."
            )
        found = await asyncio.to_thread(folder.validate, Path(arguments.project))
    else:
        async with open_desk(arguments) as desk:
            found = await desk.validate(arguments.project, connect=arguments.connect)
    if arguments.json:
        print(json.dumps(found.model_dump(mode="json"), ensure_ascii=False))
        return exits.OK if found.ok else exits.FAILED
    for problem in found.problems:
        place = ".".join(part for part in (problem.node, problem.path) if part)
        print(
            f"{problem.severity}: {f'{place}: ' if place else ''}{one_line(problem.message)} ({problem.code})"
        )
    print(f"{'It would run' if found.ok else 'It would not run'}; {_quote(found.estimate)}.")
    return exits.OK if found.ok else exits.FAILED
