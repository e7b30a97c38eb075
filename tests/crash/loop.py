"""One event loop for the thousands of short runs of these tests; `conftest` closes it at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Answer = TypeVar("Answer")
RUNNER = asyncio.Runner()


def run(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run `work` to its end."""
    return RUNNER.run(work)
