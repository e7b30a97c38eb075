"""The documentation as a site: `make docs`. Warnings are errors, here as everywhere.

Pages that follow from the code (HTTP, Python, command line) are written into `generated/` by
`pages.py` each time; they are in no repository and cannot be out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))

from cloutagent_ext import __version__  # noqa: E402

project = "CloutAgent for JupyterLab"
copyright = "the CloutAgent contributors"
release = version = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "examples"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = "CloutAgent for JupyterLab"
html_static_path = ["_static"]
html_css_files = ["site.css"]


def setup(app: Any) -> None:
    from pages import write

    app.connect("builder-inited", lambda _: write(HERE / "generated"))
