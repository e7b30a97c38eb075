"""Whether whoever is at the other end of a connection is still there, asked of the system's own TCP.

A laptop that is closed, a network that is gone: nobody says goodbye, and what is sent waits in the
system's buffers for a quarter of an hour. While a stream lasts the system asks the other end every
few seconds, whose system answers even where its program reads nothing. Not here: readers who are
there and do not read (`server.sse`).
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any

GONE_S = 16.0
"""Seconds without a word from the other end's system after which it counts as gone."""
_ASK_EVERY_S = 4
_UNANSWERED = 4
"""Questions without an answer after which the system itself gives the connection up."""
_LAST_ACK_AT = 56
"""Where Linux's `struct tcp_info` has the milliseconds since the other end last acknowledged anything."""


def watch(connection: Any) -> None:
    """Ask from now on. `connection`: Tornado's stream, or None; one that is no TCP is left as it is."""
    idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))  # Linux, macOS
    _set(connection, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    _set(connection, socket.IPPROTO_TCP, idle, _ASK_EVERY_S)
    _set(connection, socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPINTVL", None), _ASK_EVERY_S)
    _set(connection, socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPCNT", None), _UNANSWERED)


def is_gone(connection: Any) -> bool:
    """Whether nothing has come back for `GONE_S`.

    Not left to the system alone: it does not ask while something is under way, and a heartbeat always is.
    """
    the_socket, option = _tcp(connection), getattr(socket, "TCP_INFO", None)
    if the_socket is None or option is None:
        return False
    try:
        facts = the_socket.getsockopt(socket.IPPROTO_TCP, option, _LAST_ACK_AT + 4)
    except OSError:
        return False  # closed meanwhile: whoever reads it hears of that
    if len(facts) < _LAST_ACK_AT + 4:
        return False
    (silent_ms,) = struct.unpack_from("=I", facts, _LAST_ACK_AT)
    return bool(silent_ms > GONE_S * 1000)


def let_be(connection: Any) -> None:
    """Ask no longer: what else this connection carries is not ours."""
    _set(connection, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)


def _tcp(connection: Any) -> socket.socket | None:
    found: socket.socket | None = getattr(connection, "socket", None)
    return found if found is not None and found.family in (socket.AF_INET, socket.AF_INET6) else None


def _set(connection: Any, level: int, option: int | None, value: int) -> None:
    the_socket = _tcp(connection)
    if the_socket is None or option is None:
        return
    with contextlib.suppress(OSError):  # closed meanwhile, or a system without it
        the_socket.setsockopt(level, option, value)
