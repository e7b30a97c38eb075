"""axe-core in the page under test: what it finds against WCAG 2.1 AA."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

_AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


def findings(page: Page, selector: str) -> list[str]:
    """Rule, and the element that breaks it, for everything inside `selector`."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_AXE.read_text())
    return page.evaluate(
        """async selector => {
             const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];
             const found = await axe.run(selector, { runOnly: { type: 'tag', values: tags } });
             return found.violations.flatMap(rule =>
               rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`));
           }""",
        selector,
    )
