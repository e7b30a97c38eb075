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

extensions = ["myst_parser", "sphinx_design"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "examples"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

html_theme = "pydata_sphinx_theme"
html_title = "CloutAgent"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "navbar_align": "left",
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
html_sidebars = {"index": []}


def setup(app: Any) -> None:
    from pages import write

    app.connect("builder-inited", lambda _: write(HERE / "generated"))
