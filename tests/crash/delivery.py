"""A warm process that forks whole Jupyter servers, so that a server is there in a third of the time.

    python -m tests.crash.delivery

What a server imports is imported once, and nothing else is shared: no loop and no thread lives here
when it forks, and each child is a session of its own that runs Jupyter's own `main` with its own
arguments, environment, folder and log. Reads one JSON object a line: `{"argv", "env", "cwd", "log"}`
begins a server and is answered by `{"pid"}`; `{"reap": pid}` waits for its death and is answered by
`{"code"}` (below 0: the signal). `Delivery` is the other side of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, cast

from tests.support.children import with_tree
from tests.support.live_server import LiveServer, arguments, bare_environment, free_port

ROOT = Path(__file__).parents[2]


class Born:
    """As much of a `Popen` as a server of `LiveServer` needs."""

    def __init__(self, delivery: Delivery, pid: int) -> None:
        self._delivery = delivery
        self.pid = pid
        self.returncode: int | None = None

    def kill(self) -> None:
        """SIGKILL, from any thread."""
        with contextlib.suppress(ProcessLookupError):  # nobody else can have this pid: it is not reaped yet
            os.kill(self.pid, 9)

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        if self.returncode is None:
            self.returncode = int(self._delivery.order({"reap": self.pid})["code"])
        return self.returncode


class Delivery:
    """The warm process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.delivery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True,
            env=with_tree(os.environ),
        )  # fmt: skip

    def serve(self, folder: Path, *options: str, data_dir: Path) -> LiveServer:
        """A server on its way; it does not answer yet."""
        (root := folder / "root").mkdir(parents=True, exist_ok=True)
        port, token, env = free_port(), secrets.token_hex(16), bare_environment(folder)
        argv = arguments(port=port, token=token, root=root, data=data_dir, options=options)
        log = str(folder / "server.log")
        born = self.order({"argv": argv, "env": env, "cwd": str(root), "log": log})
        process = cast("subprocess.Popen[bytes]", Born(self, born["pid"]))
        return LiveServer(f"http://127.0.0.1:{port}/", token, folder, data_dir, root, env, process)

    def order(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return cast("dict[str, Any]", json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


def _warm() -> None:
    import anthropic  # noqa: F401
    import genai_prices.data  # noqa: F401
    import jsonschema  # noqa: F401
    import jupyter_server.serverapp  # noqa: F401

    import cloutagent_ext.app
    import cloutagent_ext.engine.loop
    import cloutagent_ext.engine.models.anthropic
    import cloutagent_ext.server.routes
    import cloutagent_ext.services  # noqa: F401

    assert threading.active_count() == 1, "a fork would leave the other threads behind"


def _child(order: dict[str, Any]) -> None:
    os.setsid()
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for target, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
        os.dup2(source, target)
    sys.argv = ["jupyter-server", *order["argv"]]
    from jupyter_server.serverapp import main

    try:
        main()
    except SystemExit as end:
        os._exit(int(end.code or 0))
    os._exit(0)


def main() -> None:
    _warm()
    for line in sys.stdin:
        order = json.loads(line)
        if "reap" in order:
            _, status = os.waitpid(order["reap"], 0)
            said = {"code": os.waitstatus_to_exitcode(status)}
        else:
            pid = os.fork()
            if pid == 0:
                _child(order)
            said = {"pid": pid}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
