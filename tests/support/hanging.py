"""A Jupyter server extension that makes a server's network hang: for tests of what must end all the same.

Names below `.hangs` are looked up for ever, as by a resolver that nobody answers; each is noted in the
file HANGING_NAMES. And one thread of the server never ends, as after a call into a dead network mount.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path
from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "tests.support.hanging"}]


def _load_jupyter_server_extension(server: Any) -> None:
    real = socket.getaddrinfo

    def hang(host: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name.endswith(".hangs"):
            with Path(os.environ["HANGING_NAMES"]).open("a") as asked:
                asked.write(f"{name}\n")
            time.sleep(3600)
        return real(host, *rest, **more)

    socket.getaddrinfo = hang
    threading.Thread(target=time.sleep, args=(3600,), name="one that hangs").start()
