"""`jupyter cloutagent keys`: create, list and revoke the API keys of a project."""

from __future__ import annotations

import argparse
import json

from . import exits
from .desk import open_desk
from .progress import one_line


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    parser = commands.add_parser("keys", help="create, list and revoke API keys of a project")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    create = verbs.add_parser("create", parents=parents, help="make a key; its text is shown this once")
    create.add_argument("project", help="name or id of the project")
    create.add_argument("name", help="what the key is for")
    create.set_defaults(command=make)
    listing = verbs.add_parser("list", parents=parents, help="list keys, without their secrets")
    listing.add_argument("project", help="name or id of the project")
    listing.set_defaults(command=show)
    revoke = verbs.add_parser("revoke", parents=parents, help="refuse a key from now on")
    revoke.add_argument("project", help="name or id of the project")
    revoke.add_argument("key", help="id of the key, as `list` shows it")
    revoke.set_defaults(command=end)
    for verb in (create, listing, revoke):
        verb.add_argument("--json", action="store_true", help="print JSON")


async def make(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        key = await desk.create_key(arguments.project, arguments.name)
    print(json.dumps(key.model_dump(mode="json")) if arguments.json else key.api_key)
    return exits.OK


async def show(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        rows = await desk.keys(arguments.project)
    if arguments.json:
        print(json.dumps([row.model_dump(mode="json") for row in rows], ensure_ascii=False))
        return exits.OK
    for row in rows:
        print(f"{row.id}  {row.created_at}  last used {row.last_used_at or 'never'}  {one_line(row.name)}")
    return exits.OK


async def end(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        await desk.revoke_key(arguments.project, arguments.key)
    print(json.dumps({"revoked": arguments.key}) if arguments.json else f"Revoked {arguments.key}.")
    return exits.OK
