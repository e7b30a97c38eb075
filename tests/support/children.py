"""Environments of programs of this tree that tests start by themselves. Not here: servers (`live_server`)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def with_tree(env: Mapping[str, str], **more: str) -> dict[str, str]:
    """`env` and `more`, with this tree first on Python's path."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**env, "PYTHONPATH": path, **more}
