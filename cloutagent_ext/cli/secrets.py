"""`jupyter cloutagent secrets`: list, set and delete a project's secrets; rotate the keys of all.

A value is read from a prompt or from standard input, never from the command line, where other
programs and the shell's history see it. None is ever printed.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys

from ..errors import InvalidRequest
from . import exits, local
from .desk import open_desk


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    parser = commands.add_parser("secrets", help="list, set and delete secrets of a project; rotate keys")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    listing = verbs.add_parser("list", parents=parents, help="list names and dates, never a value")
    listing.set_defaults(command=show)
    setting = verbs.add_parser(
        "set", parents=parents, help="keep a secret; its value is asked for, or read from standard input"
    )
    setting.set_defaults(command=keep, first=ask)
    deleting = verbs.add_parser("delete", parents=parents, help="forget a secret")
    deleting.set_defaults(command=forget)
    for verb in (listing, setting, deleting):
        verb.add_argument("project", help="name or id of the project")
    for verb in (setting, deleting):
        verb.add_argument("name", help="name of the secret, e.g. ANTHROPIC_API_KEY")
    rotating = verbs.add_parser(
        "rotate",
        parents=parents,
        help="encrypt the secrets of all projects of a data folder with its newest key",
    )
    rotating.add_argument("--new-key", action="store_true", help="make a new key in the key file first")
    rotating.set_defaults(command=rotate)
    for verb in (listing, setting, deleting, rotating):
        verb.add_argument("--json", action="store_true", help="print JSON")


async def show(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        rows = await desk.secrets(arguments.project)
    if arguments.json:
        print(json.dumps([row.model_dump(mode="json") for row in rows]))
        return exits.OK
    for row in rows:
        print(f"{row.updated_at}  {row.name}{'  (locked: its key is missing)' if row.locked else ''}")
    return exits.OK


def ask(arguments: argparse.Namespace) -> None:
    """Read the value, before there is an event loop: Ctrl-C ends this at once. Raises InvalidRequest."""
    try:
        arguments.value = _value(arguments.name)
    except EOFError:
        raise InvalidRequest("No value was typed, so nothing was kept.") from None
    except UnicodeDecodeError:
        raise InvalidRequest("The value is no text (UTF-8), so nothing was kept.") from None


async def keep(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        row = await desk.set_secret(arguments.project, arguments.name, arguments.value)
    print(json.dumps(row.model_dump(mode="json")) if arguments.json else f"Kept {row.name}.")
    return exits.OK


async def forget(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        await desk.delete_secret(arguments.project, arguments.name)
    print(json.dumps({"deleted": arguments.name}) if arguments.json else f"Deleted {arguments.name}.")
    return exits.OK


async def rotate(arguments: argparse.Namespace) -> int:
    if arguments.url:
        raise InvalidRequest(
            "Rotation works on a data folder, not at a server: leave --url out, and give --data-dir, "
            "ENCRYPTION_KEY and CLOUTAGENT_ENCRYPTION_KEY_FILE as the server has them."
        )
    async with local.open_local(arguments.data_dir) as desk:
        done = await desk.rotate_secrets(new_key=arguments.new_key)
    if arguments.json:
        print(json.dumps(done.model_dump(mode="json")))
    else:
        print(f"{len(done.rewrapped)} projects encrypted anew with the key {done.key_id}.")
        for key in done.keys:
            print(f"key {key.id}: {key.uses} projects{' (writes)' if key.id == done.key_id else ''}")
    for failure in done.failed:
        print(f"{failure.project_id}: {failure.message} ({failure.code})", file=sys.stderr)
    return exits.FAILED if done.failed else exits.OK


def _value(name: str) -> str:
    """What a person types, or a program writes; one line end at its end does not belong to it. Blocks."""
    if sys.stdin.isatty():
        return getpass.getpass(f"Value of {name}: ")
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")
