"""Style sheets of views that are loaded one after the other do not dress each other's elements."""

from __future__ import annotations

import re
from pathlib import Path

STYLE = Path(__file__).parents[2] / "labextension" / "style"
COMMON = {"base.css", "theme.css", "shared.css", "forced.css", "index.css"}
"""What every view may count on."""
OTHERS = {
    "dashboard.css": "dashboard",
    "dashboard-tables.css": "dashboard",
    "sidebar.css": "sidebar",
    "projects.css": "dialogs",
}
"""Sheets of what is loaded by itself; all others are the project tab's."""


def own_classes(css: str) -> set[str]:
    """Classes that it has rules for wherever they stand, inside nothing else of ours."""
    plain = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    selectors = [each.strip() for rule in re.findall(r"([^{}]+)\{", plain) for each in rule.split(",")]
    return {found[1] for each in selectors if (found := re.match(r"\.(ca-[A-Za-z-]+)", each))}


def test_no_class_has_rules_of_its_own_in_sheets_of_two_views() -> None:
    common = set().union(*(own_classes((STYLE / name).read_text()) for name in COMMON))
    owners: dict[str, set[str]] = {}
    for sheet in STYLE.glob("*.css"):
        if sheet.name not in COMMON:
            for each in own_classes(sheet.read_text()) - common:
                owners.setdefault(each, set()).add(OTHERS.get(sheet.name, "project tab"))
    assert owners, "no sheet was found"
    assert {name: views for name, views in owners.items() if len(views) > 1} == {}
