"""What every request can reach. One per server, made by `app`, handed to the base handler."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import Unavailable

if TYPE_CHECKING:
    from ..services import Services
    from .gate import Gate
    from .health import Probe


class StreamSlots:
    """How many streams may be open at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.open = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """One more while this is open; raises `Unavailable` when all are taken."""
        if self.open >= self.most:
            error = Unavailable(
                f"{self.most} event streams are open, the most this server keeps; close one or poll /events.",
                code="TOO_MANY_STREAMS",
            )
            error.retry_after_s = 5
            raise error
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


@dataclass
class Context:
    services: Services
    streams: StreamSlots
    version: str
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server shuts down: streams and waiting calls end, new calls get 503."""

    @cached_property
    def probe(self) -> Probe:
        """Looks at the data folder for whoever asks after this server's health; loaded likewise."""
        from .health import Probe

        return Probe()

    @cached_property
    def gate(self) -> Gate:
        """Judges callers that bring a key; loaded with the routes."""
        from .gate import Gate
        from .rate_limits import RateLimits

        settings = self.services.settings
        return Gate(self.services, RateLimits(settings.rate_limit, settings.failed_auth_limit))
