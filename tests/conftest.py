"""What holds for every test: no credentials of the machine, no network, no blocked event loop.

Fixtures of one kind of test live in that folder's own `conftest.py`; real servers are in
`tests/server/conftest.py`.
"""

from __future__ import annotations

import inspect
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster

from tests.support import patience

_CREDENTIALS = ("ANTHROPIC_", "CLAUDE_", "OPENAI_")

# Before anything of ours is imported: no test, and no child of one, ever sees them.
for _name in [name for name in os.environ if name.startswith(_CREDENTIALS)]:
    del os.environ[_name]

# What is started here, and this process, build no parsers that nobody uses (`support/lean`).
_LEAN = str(Path(__file__).parent / "support" / "lean")
sys.path.insert(0, _LEAN)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (_LEAN, os.environ.get("PYTHONPATH"))))

# A shell's background job ignores Ctrl-C, one under `nohup` a closed terminal, and so would every server
# and command started from it.
for _number, _default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _default)


class NetworkClosed(AssertionError):
    """A test wanted to leave this machine. Not an OSError, so that no retry or fallback swallows it."""


def _is_here(family: int, address: Any) -> bool:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True
    host = address[0]
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def _network_closed() -> Iterator[None]:
    """Only loopback can be connected to."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded(self: socket.socket, address: Any) -> None:
        if not _is_here(self.family, address):
            raise NetworkClosed(f"tests reach only this machine, not {address!r}")
        return connect(self, address)

    def guarded_ex(self: socket.socket, address: Any) -> int:
        if not _is_here(self.family, address):
            raise NetworkClosed(f"tests reach only this machine, not {address!r}")
        return connect_ex(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    patch.setattr(socket.socket, "connect_ex", guarded_ex)
    yield
    patch.undo()


# Where blocking is meant, and why. (file, function)
_MAY_BLOCK: tuple[tuple[str, str], ...] = (
    # An import inside a function looks at the disk once per process; the slow ones go to threads.
    ("<frozen importlib._bootstrap>", "_find_and_load"),
    # So does the first parser that pydantic builds late, for plugins, in whichever test that is.
    ("pydantic/plugin/_loader.py", "get_plugins"),
    # Jupyter loads extensions before it listens: nobody is kept waiting yet.
    ("jupyter_server/extension/manager.py", "load_all_extensions"),
    # Jupyter's own services block a little wherever they are called from.
    ("jupyter_server/services/contents/filemanager.py", "get"),
    ("jupyter_server/services/contents/filemanager.py", "save"),
    ("jupyter_server/services/contents/largefilemanager.py", "save"),
    ("jupyter_server/services/sessions/sessionmanager.py", "list_sessions"),
    ("jupyter_server_ydoc/app.py", "get_document"),
)


@pytest.fixture(autouse=True)
def _loop_not_blocked(request: pytest.FixtureRequest) -> Iterator[None]:
    """In async tests (and those with a server) a blocking call below our code fails."""
    function = getattr(request.node, "function", None)
    if not (inspect.iscoroutinefunction(function) or "jp_serverapp" in request.fixturenames):
        yield
        return
    guard = BlockBuster(scanned_modules="cloutagent_ext")
    for blocking in guard.functions.values():
        for file, name in _MAY_BLOCK:
            blocking.can_block_in(file, name)
    guard.activate()
    yield
    guard.deactivate()


@pytest.fixture
def promised() -> patience.Promised:
    """Holds a test to the seconds that the product promises."""
    return patience.promised


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "promised" in getattr(item, "fixturenames", ()):
            item.add_marker("timed")
