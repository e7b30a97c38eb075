"""Positions on the canvas of cards that are not there. Harmless, and a sign of a hand edit gone wrong."""

from __future__ import annotations

from collections.abc import Iterator

from ...schema.canvas import cards
from ...schema.project import Definition, Problem
from .findings import info, repeated


def check(definition: Definition) -> Iterator[Problem]:
    there = cards(definition)
    nodes = [node.id for node in definition.ui.nodes]
    for index, node in enumerate(nodes):
        if node not in there:
            message = f"A position is kept for {node}, which is not there: make the card, or save once."
            yield info("NO_SUCH_CARD", None, f"ui.nodes.{index}", message)
    for index, node in repeated(nodes):
        yield info(
            "LISTED_TWICE",
            node,
            f"ui.nodes.{index}",
            f"{node} has two positions, and one is used: remove one.",
        )
