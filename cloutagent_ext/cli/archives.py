"""`jupyter cloutagent export | import | backup | restore`: projects as files, and all of them kept safe."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..store.unpack import MAX_BYTES
from . import exits
from .desk import Format, open_desk
from .progress import one_line
from .targets import check_free, read, write

_FORMATS = ("zip", "tar.gz", "claude", "python")


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    def command(name: str, help_text: str) -> argparse.ArgumentParser:
        parser = commands.add_parser(name, parents=parents, help=help_text)
        parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print it as JSON")
        return parser

    export = command("export", "write a project to an archive, or as a program that stands alone")
    export.add_argument("project", help="name or id of the project")
    export.add_argument("file", type=Path, help="file to write; its ending chooses zip, tar.gz or Python")
    export.add_argument(
        "--format",
        choices=_FORMATS,
        help="in place of the ending; `claude`: for Claude Code, `python`: a program that stands alone",
    )
    export.add_argument("--no-ui", action="store_true", help="without positions and notes of the canvas")
    export.add_argument("--executions", action="store_true", help="with the logs of its executions")
    export.add_argument("--force", action="store_true", help="replace the file if it is there")
    export.set_defaults(command=_export)

    load = command("import", "make a project from an archive, ours or of a Claude Code project")
    load.add_argument("file", type=Path, help="zip or tar.gz")
    load.set_defaults(command=_import)

    backup = command("backup", "make a backup of all projects now, or list them")
    backup.add_argument("--list", action="store_true", dest="listing", help="list backups, newest first")
    backup.set_defaults(command=_backup)

    restore = command("restore", "put projects back as a backup has them; what is replaced is kept")
    restore.add_argument("backup", help="name of the backup, as `backup --list` shows it")
    which = restore.add_mutually_exclusive_group(required=True)
    which.add_argument("--project", help="name or id of the only project to restore")
    which.add_argument("--all", action="store_true", help="restore every project of the backup")
    restore.set_defaults(command=_restore)


async def _export(arguments: argparse.Namespace) -> int:
    target: Path = arguments.file
    form: Format = arguments.format or _form_of(target)
    await check_free(target, force=arguments.force)
    async with open_desk(arguments) as desk:
        data = await desk.export(
            arguments.project, form, ui=not arguments.no_ui, executions=arguments.executions
        )
    await write(target, data, force=arguments.force)
    if arguments.json:
        print(json.dumps({"file": str(target), "format": form, "size": len(data)}))
    else:
        print(f"{target}  {len(data):,} bytes")
    return exits.OK


def _form_of(target: Path) -> Format:
    if target.name.endswith((".tar.gz", ".tgz")):
        return "tar.gz"
    return "python" if target.suffix == ".py" else "zip"


async def _import(arguments: argparse.Namespace) -> int:
    data = await read(arguments.file, MAX_BYTES)
    async with open_desk(arguments) as desk:
        row, api_key, warnings = await desk.load(data)
    if arguments.json:
        answer = {**row.model_dump(mode="json"), "api_key": api_key, "warnings": warnings}
        print(json.dumps(answer, ensure_ascii=False))
        return exits.OK
    print(f"{row.id}  {one_line(row.name)}")
    print(f"Its first API key, shown this once: {api_key}")
    for warning in warnings:
        print(f"Note: {one_line(warning)}")
    return exits.OK


async def _backup(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        rows = await desk.backups() if arguments.listing else [await desk.make_backup()]
    if arguments.json:
        found = [row.model_dump(mode="json") for row in rows]
        print(json.dumps(found if arguments.listing else found[0]))
        return exits.OK
    for row in rows:
        print(f"{row.name}  {row.kind:<8} {row.size:,} bytes")
    return exits.OK


async def _restore(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        done = await desk.restore(arguments.backup, arguments.project)
    if arguments.json:
        print(json.dumps(done.model_dump(mode="json")))
        return exits.OK
    print(f"Restored: {len(done.restored)} project(s). They start nothing until you have trusted them.")
    for name in done.kept:
        print(f"What was replaced is kept as {name}")
    return exits.OK
