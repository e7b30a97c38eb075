"""The code of a documentation page, and a program that runs it from top to bottom.

Every fenced block of Python or shell is run, in the order of the page: Python in one namespace
(with `await`, as in a notebook), shell with the variables that earlier blocks have set, stopping at
the first failure. A block whose first line reads ```` ```sh notest ```` is for reading only. What a
page takes for granted stands before the block in a comment that the site does not show:

    <!-- before sh
    EXECUTION=$(…)
    -->

Run as a program it takes a page, and the environment it is given is the reader's.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import subprocess
import sys
import tempfile
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LANGUAGES = {"python": "python", "sh": "sh", "bash": "sh"}
_BLOCK = re.compile(
    r"^(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=fence)[ ]*$"
    r"|^<!-- before (?P<hidden>python|sh)\n(?P<setup>.*?)^-->",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Block:
    language: str
    text: str
    line: int
    """Where it begins in the page."""
    runs: bool


def blocks(page: str) -> list[Block]:
    """Python and shell blocks, and hidden ones, in their order."""
    found = []
    for match in _BLOCK.finditer(page):
        line = page.count("\n", 0, match.start()) + 2
        if match["hidden"]:
            found.append(Block(match["hidden"], match["setup"], line, True))
            continue
        words = match["info"].split()
        if words and words[0] in LANGUAGES:
            found.append(Block(LANGUAGES[words[0]], match["text"], line, "notest" not in words))
    return found


class Reader:
    """Somebody who types a page's blocks one after another."""

    def __init__(self) -> None:
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main  # where a notebook's names are, for those who look them up
        self.names: dict[str, Any] = vars(main)
        self.loop = asyncio.new_event_loop()

    def python(self, text: str, name: str) -> None:
        code = compile(text, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

        async def cell() -> None:
            # Inside a running loop, as every cell of a notebook is.
            result = eval(code, self.names)
            if inspect.isawaitable(result):
                await result

        self.loop.run_until_complete(cell())

    def sh(self, text: str, name: str) -> None:
        with tempfile.NamedTemporaryFile() as kept:
            script = f"set -eauo pipefail\n{text}\nenv -0 >{kept.name}\n"
            done = subprocess.run(["bash", "-c", script], stdin=subprocess.DEVNULL, timeout=120)
            if done.returncode != 0:
                raise SystemExit(f"{name}: exit code {done.returncode}")
            pairs = (entry.partition("=") for entry in Path(kept.name).read_text().split("\0") if entry)
            os.environ.update({key: value for key, _, value in pairs})

    def read(self, page: Path) -> None:
        for block in blocks(page.read_text()):
            if block.runs:
                name = f"{page.name}:{block.line}"
                print(f"--- {name} ({block.language})", flush=True)
                getattr(self, block.language)(block.text, name)
        self.loop.close()


if __name__ == "__main__":
    Reader().read(Path(sys.argv[1]))
