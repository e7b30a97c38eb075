"""Processes that outlive what they were started for, as the machine knows them: by the mark they bear."""

from __future__ import annotations

import psutil

from cloutagent_ext.engine.tools.environment import MARKER


def survivors(execution_id: str, *, prefix: bool = False) -> list[str]:
    """Command lines of living processes that carry the execution's marker, or one that begins like this."""
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARKER, "")
            ours = mark.startswith(execution_id) if prefix else mark == execution_id
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found
