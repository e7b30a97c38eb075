"""What the scripts that make starter projects share: turns, calls, and where the files go."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent.parent / "cloutagent_ext" / "templates"

Turn = dict[str, Any]


def call(tool: str, name: str, **arguments: Any) -> dict[str, Any]:
    """A tool call whose result later words can name."""
    return {"name": tool, "as": name, "input": arguments}


def as_json(agents: dict[str, list[Turn]]) -> str:
    """A scenario as it is stored."""
    return json.dumps({"schema_version": 1, "agents": agents}, indent=2, ensure_ascii=False) + "\n"


def write(template: str, files: dict[str, str]) -> None:
    """Write the made `files` (path → text) of `template`, or below the folder named on the command line."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TEMPLATES / template / "files"
    for path, text in files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(text)
