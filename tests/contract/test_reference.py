"""The reference page of the documentation says what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_reference_page_has_every_route_event_setting_tool_and_error_as_they_are() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "reference.py"))["text"]()
    committed = (ROOT / "docs" / "reference.md").read_text()
    assert committed == written, "run `make types` and commit docs/reference.md"
