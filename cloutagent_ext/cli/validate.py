"""`jupyter cloutagent validate`: what would keep a project from running. Only `--connect` starts anything."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from ..client.display import money
from ..errors import InvalidRequest
from . import exits, folder
from .desk import open_desk


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
        print(f"{problem.severity}: {f'{place}: ' if place else ''}{problem.message} ({problem.code})")
    cost, tokens = money(found.estimate.cost_usd), found.estimate.input_tokens
    print(
        f"{'It would run' if found.ok else 'It would not run'}; first call about {tokens:,} tokens, {cost}."
    )
    return exits.OK if found.ok else exits.FAILED
