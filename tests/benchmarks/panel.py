"""Bytes of the front end: what JupyterLab loads at its start, what the panel adds, and its charts."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import cloutagent_ext

from .table import Row, show

STATIC = Path(cloutagent_ext.__file__).parent / "labextension" / "static"


def compressed(files: list[Path]) -> float:
    """Kilobytes after gzip, as a server would send them."""
    return sum(len(gzip.compress(file.read_bytes(), 6)) for file in files) / 1000


def main() -> None:
    scripts = sorted(STATIC.glob("*.js"))
    # At its start Lab loads the remote entry and the chunks of what that exposes, style and plugins.
    entry = next(file for file in scripts if file.name.startswith("remoteEntry"))
    exposed = re.findall(r'"\./(?:index|extension|style)":\(\)=>([^;{]*?)\.then', entry.read_text())
    chunks = set(re.findall(r"\.e\((\d+)\)", " ".join(exposed)))
    assert len(chunks) >= 2, "the remote entry does not say what Lab loads"
    start = [entry, *(file for file in scripts if file.name.split(".")[0] in chunks)]
    charts = [file for file in scripts if "recharts" in file.read_text() and file not in start]
    rest = [file for file in scripts if file not in start and file not in charts]
    at_start, on_open = compressed(start), compressed(rest)
    show(
        "Front end, gzip",
        [
            Row("at JupyterLab's start", f"{at_start:.1f} KB", "", "≤ 20 KB", at_start <= 20),
            Row("panel, all its views", f"{on_open:.1f} KB", "", "≤ 300 KB", on_open <= 300),
            Row("charts, in chunks of their own", f"{compressed(charts):.1f} KB"),
        ],
    )
