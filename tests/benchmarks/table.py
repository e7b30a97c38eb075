"""Rows of a benchmark table: what, how much, against what, and the figure to reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    what: str
    value: str
    ratio: str = ""
    target: str = ""
    reached: bool | None = None
    """None where there is no figure to reach."""

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        mark = {None: "", True: "reached", False: "NOT reached"}[self.reached]
        return self.what, self.value, self.ratio, self.target, mark


def show(title: str, rows: Sequence[Row]) -> None:
    """Print `rows` as a Markdown table."""
    lines = [("what", "measured", "ratio", "target", ""), *(row.cells for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(5)]
    print(f"\n## {title}\n")
    for number, line in enumerate(lines):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def quantile(values: Sequence[float], q: float) -> float:
    """The value below which a part `q` of `values` lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def median(values: Sequence[float]) -> float:
    return quantile(values, 0.5)
