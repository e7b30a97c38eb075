"""Which running Jupyter server is meant: read from the files that servers leave in the runtime folder.

Each Jupyter server writes `jpserver-<pid>.json` with its address and token, readable by
its user alone. Not here: asking whether CloutAgent answers there (`handles`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

from ..errors import InvalidRequest


@dataclass(frozen=True)
class Server:
    """Where a server is and how one proves oneself to it."""

    url: str
    """Address with base URL, ending in a slash."""
    token: str | None = None
    pid: int | None = None


def from_address(address: str, token: str | None = None) -> Server:
    """The server behind an address as Jupyter prints it or a browser shows it.

    A token in it is used (one given apart wins); what follows the base URL (`lab/…`,
    `tree/…`) is cut off. Raises `InvalidRequest` for what is no address.
    """
    address = address.strip()
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        _ = parts.port
    except ValueError as error:
        raise _no_address(address) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _no_address(address)
    found = parse_qs(parts.query).get("token", [None])[0]
    path = re.sub(r"/(lab|tree|notebooks|doc|edit|consoles|terminals)(/.*)?$", "/", parts.path)
    url = urlunsplit((parts.scheme, parts.netloc, path.rstrip("/") + "/", "", ""))
    return Server(url, token if token is not None else found)


def _no_address(text: str) -> InvalidRequest:
    return InvalidRequest(
        f"{text!r} is not the address of a Jupyter server. It is what the browser shows, or what "
        "`jupyter server list` prints, such as http://localhost:8888/."
    )


def running(runtime_dir: Path | None = None, environment: Mapping[str, str] = os.environ) -> list[Server]:
    """This user's running servers: the one this kernel belongs to first, then the newest.

    A file whose process is gone is passed over, and so is a server on a UNIX socket, which
    has no address that HTTP can use.
    """
    if runtime_dir is None:
        from jupyter_core.paths import jupyter_runtime_dir

        runtime_dir = Path(jupyter_runtime_dir())
    # Jupyter hands each kernel the pid of the server that started it.
    parent = environment.get("JPY_PARENT_PID", "")
    found: list[tuple[bool, float, Server]] = []
    for file in runtime_dir.glob("jpserver-*.json"):
        server = _read(file)
        if server is not None:
            with suppress(FileNotFoundError):  # it has just ended
                found.append((str(server.pid) == parent, file.stat().st_mtime, server))
    found.sort(key=lambda item: item[:2], reverse=True)
    return [server for _, _, server in found]


def _read(file: Path) -> Server | None:
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
        pid, url = int(info["pid"]), str(info["url"])
        unix_socket, token = info.get("sock"), info.get("token")
    except (OSError, ValueError, KeyError, TypeError):
        return None  # half-written, or of another program: not a server one could call
    if unix_socket or not _alive(pid):
        return None
    return Server(from_address(url).url, token or None, pid)


def _alive(pid: int) -> bool:
    import psutil

    return bool(psutil.pid_exists(pid))
