"""Parts that are loaded when they are first wanted, so that a server's start does not pay for them.

In a thread: importing on the event loop would hold up everybody. Not here: which parts those are.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_PACKAGE = __name__.rpartition(".")[0]


async def loaded(*modules: str) -> None:
    """Return when these modules of the package (`engine.plan`) are loaded: to import them is nothing then."""
    for module in modules:
        name = f"{_PACKAGE}.{module}"
        if not _is_whole(name):
            await asyncio.to_thread(importlib.import_module, name)


def _is_whole(name: str) -> bool:
    """Whether `name` is loaded, and not just being loaded by another thread: it has its place by then."""
    module = sys.modules.get(name)
    return module is not None and not getattr(module.__spec__, "_initializing", False)


class Late(Generic[T]):
    """One thing that is made when it is first wanted: `await late.get()`."""

    def __init__(self, module: str, make: Callable[[], T]) -> None:
        """`make` may import from `module`, which is loaded before it is called."""
        self._module = module
        self._make = make
        self.made: T | None = None
        """It, once it was wanted."""

    async def get(self) -> T:
        """It, always the same."""
        if self.made is None:
            await loaded(self._module)
            if self.made is None:  # somebody else may have waited for the same
                self.made = self._make()
        return self.made
