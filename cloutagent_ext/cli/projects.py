"""`jupyter cloutagent projects`: list them, make one from a starter project."""

from __future__ import annotations

import argparse
import json

from . import exits
from .desk import open_desk
from .progress import one_line


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    parser = commands.add_parser("projects", parents=parents, help="list projects, or create one")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print rows as JSON")
    parser.set_defaults(command=show)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    create = verbs.add_parser("create", parents=parents, help="make a project, and its first key")
    create.add_argument("name", help="what it is called")
    create.add_argument("--template", help="starter project to begin with, for example sales-analyst")
    create.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print the row and the key as JSON"
    )
    create.set_defaults(command=make)
    listing = verbs.add_parser("list", parents=parents, help="list projects (the same as without a verb)")
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print rows as JSON")
    listing.set_defaults(command=show)


async def show(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        rows, where = await desk.projects(), desk.where
    if arguments.json:
        print(json.dumps([row.model_dump(mode="json") for row in rows], ensure_ascii=False))
        return exits.OK
    for row in rows:
        broken = f"  (unreadable: {row.unreadable})" if row.unreadable else ""
        print(f"{row.id}  v{row.version:<4} {one_line(row.name)}{broken}")
    if not rows:
        print(f"No projects at {where} yet. Make one:")
        print("jupyter cloutagent projects create NAME --template sales-analyst")
    return exits.OK


async def make(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        row, api_key = await desk.create(arguments.name, arguments.template)
    if arguments.json:
        print(json.dumps({**row.model_dump(mode="json"), "api_key": api_key}, ensure_ascii=False))
        return exits.OK
    print(f"{row.id}  {one_line(row.name)}")
    print(f"Its first API key, shown this once: {api_key}")
    return exits.OK
