"""Folders that tools may touch, by their text. Whether they exist is seen when an execution starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from ...schema.project import Definition, Problem
from .findings import error, repeated, warning


def check(definition: Definition) -> Iterator[Problem]:
    agent = definition.agent
    for index, folder in enumerate(agent.folders):
        path = f"agent.folders.{index}.path"
        if leads_out(folder.path):
            yield error(
                "FOLDER_OUTSIDE",
                "agent",
                path,
                f"{folder.path!a} leads out of the server's root: name a folder below it.",
            )
        elif folder.path.startswith(("/", "~")):
            yield warning(
                "FOLDER_NOT_RELATIVE",
                "agent",
                path,
                f"{folder.path!a} is looked for below the server's root, not in the whole file system: "
                "write it relative to the root.",
            )
    for index, name in repeated(str(PurePosixPath(folder.path.lstrip("/"))) for folder in agent.folders):
        message = f"{name} is on the list twice, and only one of the modes can hold: take one away."
        yield warning("LISTED_TWICE", "agent", f"agent.folders.{index}.path", message)
    if agent.notebook is not None and leads_out(agent.notebook):
        yield error(
            "FOLDER_OUTSIDE",
            "agent",
            "agent.notebook",
            f"{agent.notebook!a} leads out of the server's root: name a notebook below it.",
        )


def leads_out(path: str) -> bool:
    """Whether the `..` in `path` climb above where it begins."""
    depth = 0
    for part in path.replace("\\", "/").split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return "\0" in path
