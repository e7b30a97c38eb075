"""`jupyter cloutagent`: projects from a shell. One file per noun; this one reads the command line.

Each noun's `add` declares its options and sets `command`, a coroutine function that
takes the parsed arguments and gives the exit code (`exits`). What has to be asked at the
terminal before that is `first`, a plain function.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from ..errors import CloutError
from ..settings import SettingError
from . import (
    again,
    archives,
    cassettes,
    desk,
    exits,
    hooks,
    keys,
    mcp,
    notebooks,
    projects,
    run,
    secrets,
    validate,
)
from .progress import printable


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="jupyter cloutagent",
        description="Run agent projects and look after them, at your running Jupyter server or without one.",
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    parents = [desk.options()]
    nouns = (run, again, validate, projects, keys, secrets, archives, cassettes, notebooks, mcp, hooks)
    for noun in nouns:
        noun.add(commands, parents)
    # Options leave these alone when they are not given, so that they may stand before or after a verb.
    top.set_defaults(url=None, token=None, in_process=False, data_dir=None, json=False, first=None)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives its exit code."""
    parsed = parser().parse_args(arguments)
    try:
        code = _run(parsed)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        if not any([_is_unread(sys.stdout), _is_unread(sys.stderr)]):
            raise
        return exits.READER_GONE


def _run(parsed: argparse.Namespace) -> int:
    try:
        if parsed.first is not None:
            parsed.first(parsed)
        code: int = asyncio.run(parsed.command(parsed))
        return code
    except CloutError as error:
        if getattr(parsed, "json", False):
            print(json.dumps(error.envelope(), ensure_ascii=False))
        print(f"{printable(error.message)} ({error.error_code})", file=sys.stderr)
        return exits.of_error(error)
    except SettingError as error:
        print(error, file=sys.stderr)
        return exits.USAGE
    except KeyboardInterrupt:
        return exits.CANCELLED


def _is_unread(stream: TextIO) -> bool:
    """Whether nobody reads `stream` any more; then what is left of it goes nowhere, also at Python's end."""
    try:
        stream.flush()
    except BrokenPipeError:
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
        return True
    return False
