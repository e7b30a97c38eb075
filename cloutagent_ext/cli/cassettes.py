"""`jupyter cloutagent cassette`: record executions, list, hand out, take in and delete recordings.

Playing one is `run --replay`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..store.cassettes import MAX_FILE_BYTES
from . import exits
from .desk import open_desk
from .progress import one_line
from .targets import check_free, read, write

_PROMPT = 60
"""Characters of a prompt in a list."""


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    parser = commands.add_parser(
        "cassette",
        help="record executions, and look after the recordings",
        description="A cassette holds what a model replied in one execution. `run PROJECT --replay CASSETTE` "
        "plays it, without a key and at no cost.",
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    def verb(name: str, help_text: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, parents=parents, help=help_text)
        made.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
        return made

    saving = verb("save", "record an execution that has ended; secrets are taken out")
    saving.add_argument("execution", help="id of the execution")
    saving.add_argument("--tools", action="store_true", help="with tool results: a replay then runs no tool")
    saving.set_defaults(command=_save)
    listing = verb("list", "list the cassettes of a project, newest first")
    listing.set_defaults(command=_list)
    downloading = verb("download", "write a cassette to a file")
    downloading.set_defaults(command=_download)
    uploading = verb("upload", "keep a cassette that was made elsewhere, by somebody you trust")
    uploading.set_defaults(command=_upload)
    deleting = verb("delete", "delete a cassette")
    deleting.set_defaults(command=_delete)
    for each in (listing, downloading, uploading, deleting):
        each.add_argument("project", help="name or id of the project")
    for each in (downloading, deleting):
        each.add_argument("cassette", help="id of the cassette")
    for each in (downloading, uploading):
        each.add_argument("file", type=Path, help="the file, usually *.jsonl.gz")
    downloading.add_argument("--force", action="store_true", help="replace the file if it is there")


async def _save(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        cassette_id = await desk.save_cassette(arguments.execution, tools=arguments.tools)
    print(json.dumps({"cassette_id": cassette_id}) if arguments.json else cassette_id)
    return exits.OK


async def _list(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        rows = await desk.cassettes(arguments.project)
    if arguments.json:
        print(json.dumps([row.model_dump(mode="json") for row in rows], ensure_ascii=False))
        return exits.OK
    for row in rows:
        tools = "" if row.tool_results is None else f", {row.tool_results} tool results"
        asked = one_line(row.prompt)
        asked = asked if len(asked) <= _PROMPT else f"{asked[:_PROMPT]}…"
        print(f"{row.id}  {row.created_at}  {row.status}, {row.replies} replies{tools}  {asked}")
    return exits.OK


async def _download(arguments: argparse.Namespace) -> int:
    await check_free(arguments.file, force=arguments.force)
    async with open_desk(arguments) as desk:
        data = await desk.download_cassette(arguments.project, arguments.cassette)
    await write(arguments.file, data, force=arguments.force)
    size = {"file": str(arguments.file), "size": len(data)}
    print(json.dumps(size) if arguments.json else f"{arguments.file}  {len(data):,} bytes")
    return exits.OK


async def _upload(arguments: argparse.Namespace) -> int:
    data = await read(arguments.file, MAX_FILE_BYTES)
    async with open_desk(arguments) as desk:
        row = await desk.upload_cassette(arguments.project, data)
    print(json.dumps(row.model_dump(mode="json"), ensure_ascii=False) if arguments.json else row.id)
    return exits.OK


async def _delete(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        await desk.delete_cassette(arguments.project, arguments.cassette)
    gone = arguments.cassette
    print(json.dumps({"deleted": gone}) if arguments.json else f"Deleted {gone}.")
    return exits.OK
