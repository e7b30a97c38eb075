"""axe-core in the page under test: what it finds against WCAG 2.1 AA, and controls that nobody can name."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from tests.browser.waiting import lasting

_AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
_RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
# What a whole page has to have, a part of it need not.
_ALL_RULES = {"rules": {"region": {"enabled": False}}}
# axe asks some kinds of controls for a name; every kind is asked here.
_NAMES = """() => {
  const roles = 'button link checkbox radio switch slider spinbutton textbox searchbox combobox listbox ' +
    'option menu menuitem menuitemcheckbox menuitemradio tab tablist tree treeitem dialog toolbar';
  const plain = 'button, a[href], input:not([type=hidden]), select, textarea, summary, ' +
    '[contenteditable=true], [role=separator][tabindex]';
  axe.configure({
    checks: [{
      id: 'has-a-name',
      evaluate: node => axe.commons.text.accessibleText(node).trim() !== '',
      metadata: { impact: 'critical', messages: { pass: 'named', fail: 'no accessible name' } }
    }],
    rules: [{
      id: 'control-without-a-name',
      selector: [plain, ...roles.split(' ').map(role => `[role=${role}]`)].join(', '),
      any: ['has-a-name'],
      tags: ['wcag2a'],
      metadata: { description: 'Every control has a name', help: 'Give it a label' }
    }]
  });
}"""


def findings(page: Page, selector: str, *, best: bool = False) -> list[str]:
    """Rule, and the element that breaks it, for everything inside `selector`; `best`: also what axe only
    recommends. What is just being drawn is looked at again."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(f"{_AXE.read_text()}; 0")
        page.evaluate(_NAMES)
    found = lasting(
        page,
        lambda: page.evaluate(
            """async ([selector, rules]) => {
                 const found = await axe.run(selector, rules);
                 return found.violations.flatMap(rule =>
                   rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`));
               }""",
            [selector, _ALL_RULES if best else _RULES],
        ),
    )
    return list(found)
