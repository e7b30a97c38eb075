"""A TLS handshake that is broken off takes its connection along.

`httpcore2` closes a connection whose handshake fails or takes too long, but not one that is cancelled in the
middle of it: the socket stays with the event loop for as long as the other side likes. So whoever makes an
`httpx2` client here gives it `event_hooks={"request": [watched]}`. Not here: what is requested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2


async def watched(request: httpx2.Request) -> None:
    """An event hook: see `request` through its handshake."""
    request.extensions["trace"] = _Handshake().see


class _Handshake:
    """What `httpcore2` says of one request, by the extension that is meant for it."""

    def __init__(self) -> None:
        self._opened: Any = None

    async def see(self, moment: str, about: dict[str, Any]) -> None:
        if moment == "connection.connect_tcp.complete":
            self._opened = about["return_value"]
        elif moment == "connection.start_tls.failed" and self._opened is not None:
            await self._opened.aclose()
