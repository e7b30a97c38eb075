"""Bytes of the front end: what JupyterLab loads at its start, and what opening a project adds."""

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
    # At its start Lab loads the remote entry, the style entry and the chunk of the exposed module.
    entry = [file for file in scripts if file.name.startswith("remoteEntry")]
    exposed = re.findall(r'e\.e\("(\w+)"\)|\.e\((\d+)\)', entry[0].read_text())
    names = {name for pair in exposed for name in pair if name} | {"style", "lib_index_js"}
    start = entry + [file for file in scripts if file.name.split(".")[0] in names]
    rest = [file for file in scripts if file not in start]
    at_start, on_open = compressed(start), compressed(rest)
    show(
        "Front end, gzip",
        [
            Row("at JupyterLab's start", f"{at_start:.1f} KB", "", "≤ 20 KB", at_start <= 20),
            Row("on opening a project", f"{on_open:.1f} KB", "", "≤ 300 KB", on_open <= 300),
        ],
    )
