"""Whether whoever is at the other end of a connection is still there, asked of the system's own TCP.

A laptop that is closed, a network that is gone: nobody says goodbye, and what is sent waits in the
system's buffers for a quarter of an hour. While a stream lasts the system asks the other end every
few seconds, and closes the connection when nothing comes back. Not here: readers who are there and do
not read (`server.sse`).
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

GONE_S = 16
"""Seconds without a word from the other end, not even of its system's, after which it counts as gone: its
stream's place is free within 20."""
_ASK_EVERY_S = 4


def watch(connection: Any) -> None:
    """From now on. `connection`: Tornado's stream, or None; one that is no TCP is left as it is."""
    idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))  # Linux, macOS
    _set(connection, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    _set(connection, socket.IPPROTO_TCP, idle, _ASK_EVERY_S)
    _set(connection, socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPINTVL", None), _ASK_EVERY_S)
    _set(connection, socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPCNT", None), GONE_S // _ASK_EVERY_S - 1)
    # What is under way, and what finds no room at the other end.
    _set(connection, socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", None), GONE_S * 1000)


def let_be(connection: Any) -> None:
    """No longer: what else this connection carries may wait as long as it likes."""
    _set(connection, socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", None), 0)
    _set(connection, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)


def _set(connection: Any, level: int, option: int | None, value: int) -> None:
    the_socket = getattr(connection, "socket", None)
    if the_socket is None or option is None or the_socket.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with contextlib.suppress(OSError):  # closed meanwhile, or a system without it
        the_socket.setsockopt(level, option, value)
