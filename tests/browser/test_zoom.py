"""Every view at 200 % (WCAG 1.4.4): of a window of 1280 × 800 are 640 × 400 left then; nothing is lost in it.

A control counts as lost where no scrolling brings it into sight, or where something lies over it.
"""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Lab
from tests.browser.views import every_view
from tests.browser.waiting import lasting
from tests.support.live_server import LiveServer

LOST = """selector => {
  const CONTROLS = 'button, a[href], input, select, textarea, summary, [role=tab], [role=option], ' +
    '[role=treeitem], [contenteditable=true]';
  const called = node => `${node.tagName.toLowerCase()} "${node.getAttribute('aria-label') ||
    node.title || node.textContent.trim().slice(0, 40) || node.className}"`;
  const scrolls = (style, axis) => ['auto', 'scroll'].includes(style[`overflow${axis}`]);
  const found = [];
  // As far as Lab's own frame, whose side bars need more than so low a window has.
  const around = node => {
    const all = [];
    for (let each = node.parentElement; each && each.id !== 'main' && each !== document.body &&
      !each.classList.contains('jp-ThemedContainer'); each = each.parentElement) all.push(each);
    return all;
  };
  // What a hidden overflow cuts off, no hand can scroll to; in a scroller it is there.
  const cut = node => {
    let box = node.getBoundingClientRect();
    let [left, top, right, bottom] = [box.left, box.top, box.right, box.bottom];
    for (const each of around(node)) {
      const style = getComputedStyle(each);
      const inside = each.getBoundingClientRect();
      if (scrolls(style, 'X')) [left, right] = [inside.left, inside.right];
      else if (style.overflowX !== 'visible' && (left < inside.left - 1 || right > inside.right + 1))
        return `is cut off beside by ${each.className}`;
      if (scrolls(style, 'Y')) [top, bottom] = [inside.top, inside.bottom];
      else if (style.overflowY !== 'visible' && (top < inside.top - 1 || bottom > inside.bottom + 1))
        return `is cut off above or below by ${each.className}`;
    }
    return left < -1 || right > innerWidth + 1 ? 'lies outside of the window' : null;
  };
  const covered = node => {
    const still = [];
    for (let each = node.parentElement; each; each = each.parentElement) {
      const style = getComputedStyle(each);
      if (!scrolls(style, 'X') && !scrolls(style, 'Y')) still.push([each, each.scrollLeft, each.scrollTop]);
    }
    node.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    // Script scrolls what no hand can.
    for (const [each, left, top] of still) [each.scrollLeft, each.scrollTop] = [left, top];
    // In the middle of what is seen of it: a text may be taller than its frame.
    let { left, top: upper, right, bottom } = node.getBoundingClientRect();
    for (const each of around(node)) {
      if (getComputedStyle(each).overflowY === 'visible') continue;
      const frame = each.getBoundingClientRect();
      [left, right] = [Math.max(left, frame.left), Math.min(right, frame.right)];
      [upper, bottom] = [Math.max(upper, frame.top), Math.min(bottom, frame.bottom)];
    }
    if (right - left < 2 || bottom - upper < 2) return 'cannot be brought into sight';
    const top = document.elementFromPoint((left + right) / 2, (upper + bottom) / 2);
    const own = top && (node.contains(top) || [...(node.labels ?? [])].some(each => each.contains(top)));
    return own ? null : `lies below ${top?.className || top?.tagName}`;
  };
  for (const root of document.querySelectorAll(selector)) {
    for (const node of root.querySelectorAll(CONTROLS)) {
      const box = node.getBoundingClientRect();
      const unseen = !node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
      // Cards lie on a plane that is panned; a picture for the eye alone has a control beside it.
      const plane = node.closest('.react-flow__viewport, .ca-CardTools, [aria-hidden=true], [inert]');
      if (unseen || plane || box.width < 2 || box.height < 2) continue;
      const why = cut(node) ?? covered(node);
      if (why) found.push(`${called(node)} ${why}`);
    }
    for (const node of [root, ...root.querySelectorAll('*')]) {
      // Sideways is for tables, code and charts, not for a form or a list.
      const style = getComputedStyle(node);
      const free = node.closest('table, pre, .cm-editor, .ca-Rendered, [role=tablist], .ca-Timeline');
      const wide = node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0;
      if (wide && scrolls(style, 'X') && !free && !node.querySelector('table, pre'))
        found.push(`${called(node)} ${node.className} scrolls sideways`);
    }
  }
  return found;
}"""


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_at_two_hundred_per_cent_every_view_can_be_seen_and_reached(
    chromium: Browser, server: LiveServer
) -> None:
    lost: dict[str, list[str]] = {}
    with Lab.opened(chromium, server, width=640, height=400) as lab:
        for name, selector in every_view(lab, server, "at 200 %"):
            lab.screenshot(f"zoom-{name}".replace(" ", "-"))
            if found := lasting(lab.page, lambda here=selector: lab.page.evaluate(LOST, here)):
                lost[name] = list(found)
        lab.expect_quiet_console()
    assert not lost, json.dumps(lost, indent=1, ensure_ascii=False)
