"""Equal conversations side by side: the first one warms the prompt cache for the others."""

from __future__ import annotations

import asyncio


class Warmup:
    """Lets the first of several equal conversations write the shared prefix into the cache.

    An entry can be read once the first reply begins to stream; till then the others wait.
    """

    def __init__(self) -> None:
        self._ready = asyncio.Event()
        self._taken = False

    async def enter(self) -> bool:
        """True for the first, at once; False for the others, once the first has its first token or failed."""
        if not self._taken:
            self._taken = True
            return True
        await self._ready.wait()
        return False

    def open(self) -> None:
        """Let the others go."""
        self._ready.set()
