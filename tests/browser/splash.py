"""Lab's own splash, which Lab takes away twice when the theme changes while it fades.

Each theme that is loaded shows the splash, and each showing ends with a timer of 200 ms that takes the node
out of the page; the second timer finds it gone. Not here: what else a page may complain of (`lab`).
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from pathlib import Path

STATIC = Path(sys.prefix) / "share" / "jupyter" / "lab" / "static"
"""Where this environment's Lab has its bundles."""
_GONE = re.compile(
    r"NotFoundError: Failed to execute 'removeChild' on 'Node': "
    r"The node to be removed is not a child of this node\."
    r"\n    at (?:\S+ )?\(?https?://[^/\s]+/\S*static/lab/(jlab_core\.\w+\.js)\S*?:(\d+):(\d+)\)?"
)
_FADES = 'classList.add("splash-fade")'
_NEAR = 200
"""Characters between the fading and the removal behind it."""


def taken_twice(stack: str) -> bool:
    """Whether `stack` is that failure: one frame, a timer, and at its place in Lab's bundle the splash."""
    found = _GONE.fullmatch(stack)
    if found is None:
        return False
    line = _lines(found[1])[int(found[2]) - 1]
    column = int(found[3])
    return _FADES in line[max(0, column - _NEAR) : column]


@lru_cache
def _lines(bundle: str) -> list[str]:
    return (STATIC / bundle).read_text(encoding="utf-8").split("\n")
