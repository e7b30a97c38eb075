"""What stands between browser and server: a wire that a test can cut and mend, or a proxy with a vice."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.support.proxies import Proxy


class Wire:
    """Passes bytes on to `target` until it is cut; then every connection breaks, and no new one is made."""

    def __init__(self, target: str) -> None:
        self.instead: tuple[bytes, bytes] | None = None
        """What of the server's bytes reaches the browser as something else, of the same length."""
        to = urlsplit(target)
        self._to = (to.hostname or "127.0.0.1", to.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._whole = True
        self.url = target.replace(f":{to.port}/", f":{self._listener.getsockname()[1]}/")
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def cut(self) -> None:
        with self._lock:
            self._whole = False
            ends, self._open = self._open, set()
        for end in ends:
            _close(end)

    def mend(self) -> None:
        with self._lock:
            self._whole = True

    def close(self) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                whole = self._whole
            if not whole:
                _close(near)
                continue
            try:
                far = socket.create_connection(self._to)
            except OSError:  # nobody is there, for now
                _close(near)
                continue
            with self._lock:
                self._open |= {near, far}
            threading.Thread(target=_pass_on, args=(near, far), daemon=True).start()
            threading.Thread(target=_pass_on, args=(far, near, self._said), daemon=True).start()

    def _said(self, data: bytes) -> bytes:
        return data if self.instead is None else data.replace(*self.instead)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _pass_on(
    source: socket.socket, sink: socket.socket, said: Callable[[bytes], bytes] = lambda data: data
) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(said(data))
    _close(source)
    _close(sink)


@contextmanager
def proxied(target: str, **vice: Any) -> Iterator[str]:
    """The address of a `Proxy` before `target`; in a thread of its own, since a browser is driven here."""
    to = urlsplit(target)
    started: list[str] = []
    up = threading.Event()
    down = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def stand() -> None:
        loops.append(asyncio.get_running_loop())
        async with Proxy(to.port or 80, **vice) as proxy:
            started.append(target.replace(f":{to.port}/", f":{proxy.port}/"))
            up.set()
            await down.wait()

    thread = threading.Thread(target=lambda: asyncio.run(stand()))
    thread.start()
    try:
        assert up.wait(10), "the proxy did not start"
        yield started[0]
    finally:
        loops[0].call_soon_threadsafe(down.set)
        thread.join()
