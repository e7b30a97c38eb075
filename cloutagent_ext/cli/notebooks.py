"""`jupyter cloutagent notebook`: an execution as an executed notebook."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from . import exits
from .desk import open_desk
from .targets import check_free, write


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    parser = commands.add_parser(
        "notebook",
        parents=parents,
        help="write an execution as an executed notebook",
        description="Reasoning as Markdown, each tool call a cell with the output it had.",
    )
    parser.add_argument("execution", help="id of the execution")
    parser.add_argument("file", type=Path, nargs="?", help="notebook to write (default: its id.ipynb, here)")
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print it as JSON")
    parser.set_defaults(command=_write)


async def _write(arguments: argparse.Namespace) -> int:
    target: Path = arguments.file or Path(f"{Path(arguments.execution).name}.ipynb")
    await check_free(target, force=arguments.force)
    async with open_desk(arguments) as desk:
        data = await desk.notebook(arguments.execution)
    await write(target, data, force=arguments.force)
    said = {"file": str(target), "size": len(data)}
    print(json.dumps(said) if arguments.json else f"{target}  {len(data):,} bytes")
    return exits.OK
