"""A Jupyter server extension that makes a server's disk slow: for tests of what must go on meanwhile.

While the file SLOW_DISK is there, each sync to the disk takes SLOW_DISK_S seconds longer, as it does on a
disk that is busy or spinning up. Only the thread that syncs waits, as in the system's own call. Each is noted
in SLOW_DISK.syncs: when it began and ended, by the machine's steady clock.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "tests.support.slow_disk"}]


def _load_jupyter_server_extension(server: Any) -> None:
    noted = Path(f"{os.environ['SLOW_DISK']}.syncs")
    switch, delay_s = Path(os.environ["SLOW_DISK"]), float(os.environ["SLOW_DISK_S"])

    def slowed(real: Any) -> Any:
        def sync(descriptor: Any) -> None:
            if not switch.exists():
                return real(descriptor)
            began = time.monotonic()
            time.sleep(delay_s)
            real(descriptor)
            with noted.open("a") as file:
                file.write(f"{began} {time.monotonic()}\n")
            return None

        return sync

    os.fsync, os.fdatasync = slowed(os.fsync), slowed(os.fdatasync)
