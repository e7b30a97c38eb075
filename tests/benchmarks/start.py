"""What the extension adds to the start and the idle memory of a Jupyter server."""

from __future__ import annotations

import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from tests.support import live_server as live

from .table import Row, median, show

ROUNDS = 5


def once(folder: Path, *, extension: bool) -> tuple[float, float]:
    """CPU seconds until the server answers, and its memory then, in MB."""
    import subprocess
    import sys

    root, port = folder / "root", live.free_port()
    root.mkdir(parents=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyter_server", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
                "--allow-root",                f"--ServerApp.root_dir={root}", "--IdentityProvider.token=x",
                f"--ServerApp.jpserver_extensions={{'cloutagent_ext': {extension}}}",
            ],
            env=live.bare_environment(folder), stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=x", timeout=1):
                    break
            except OSError:
                time.sleep(0.02)
        server = psutil.Process(process.pid)
        times = server.cpu_times()
        return times.user + times.system, server.memory_info().rss / 2**20
    finally:
        live.stop(process)


def main() -> None:
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for extension, values in found.items():
            with tempfile.TemporaryDirectory() as folder:
                values.append(once(Path(folder), extension=extension))
    cpu = {key: median([value[0] for value in values]) for key, values in found.items()}
    memory = {key: median([value[1] for value in values]) for key, values in found.items()}
    added = (cpu[True] - cpu[False]) * 1000
    more = memory[True] - memory[False]
    show(
        "Start of a Jupyter server",
        [
            Row("without the extension", f"{cpu[False]:.2f} s CPU, {memory[False]:.0f} MB", "1"),
            Row(
                "with it", f"{cpu[True]:.2f} s CPU, {memory[True]:.0f} MB", f"{cpu[True] / cpu[False]:.2f} ×"
            ),
            Row("added to the start", f"{added:.0f} ms", "", "≤ 150 ms", added <= 150),
            Row("added to idle memory", f"{more:.1f} MB", "", "≤ 15 MB", more <= 15),
        ],
    )
