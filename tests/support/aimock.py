"""`@copilotkit/aimock`: a Messages API that others wrote, as a child process on loopback.

An independent peer: where our own scripted service and the product misread the wire in the
same way, this one does not. It accounts for no caching and checks no signatures.
Not here: what it answers; that is each test's fixtures, in aimock's own format.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .live_server import bare_environment, free_port, stop

PROGRAM = Path(__file__).parents[2] / "labextension/node_modules/.bin/llmock"
START_S = 90


@dataclass
class Aimock:
    url: str

    def journal(self) -> list[dict[str, Any]]:
        """Every request so far, with the answer it got."""
        with urllib.request.urlopen(f"{self.url}/__aimock/journal", timeout=10) as answer:
            return list(json.loads(answer.read()))


@contextmanager
def aimock(folder: Path, fixtures: list[dict[str, Any]]) -> Iterator[Aimock]:
    """Start it with `fixtures` and end it by its pid. A request that none of them matches fails."""
    asked = folder / "fixtures"
    asked.mkdir(parents=True)
    (asked / "fixtures.json").write_text(json.dumps({"fixtures": fixtures}))
    port = free_port()
    with (folder / "aimock.log").open("ab") as log:
        process = subprocess.Popen(
            [str(PROGRAM), "-p", str(port), "-h", "127.0.0.1", "-f", str(asked), "--strict"],
            env=bare_environment(folder / "aimock"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    peer = Aimock(f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + START_S
        while True:
            try:
                with urllib.request.urlopen(f"{peer.url}/health", timeout=2):
                    break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    said = (folder / "aimock.log").read_text(errors="replace")
                    raise AssertionError(f"aimock did not come up:\n{said[-2000:]}") from error
                time.sleep(0.05)
        yield peer
    finally:
        stop(process)
