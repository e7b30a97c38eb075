"""Waiting for what a page comes to: a value that holds, a thing that stands still, a frame that is drawn.

A page is never judged by one look right after an act: what follows an act comes a moment later, and how
much later is the machine's affair. Not here: what Playwright's own `expect` waits for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from playwright.sync_api import Locator, Page

T = TypeVar("T")

SLOWER = float(os.environ.get("CLOUTAGENT_SLOW") or 1)
"""How many times slower than this machine the pages are (`conftest`)."""
SLOW_MS = int(60_000 * max(1, SLOWER))
"""Patience with a machine that does other things too."""
_LOOK_MS = 50
_ALIKE = 4
"""Looks that have to be alike before something counts as at rest."""
_LASTING_LOOKS = 60
"""Looks at a complaint before it is believed."""


def until(page: Page, read: Callable[[], T], holds: Callable[[T], object]) -> T:
    """What `read` gives, as soon as `holds` is true of it."""
    found = read()
    for _ in range(SLOW_MS // (2 * _LOOK_MS)):
        if holds(found):
            return found
        page.wait_for_timeout(2 * _LOOK_MS)
        found = read()
    raise AssertionError(f"it did not come to what was awaited: {found}")


def at_rest(page: Page, read: Callable[[], T]) -> T:
    """What `read` gives, once it gives the same again and again: nothing moves any more."""
    found, alike = read(), 0
    for _ in range(SLOW_MS // _LOOK_MS):
        page.wait_for_timeout(_LOOK_MS)
        before, found = found, read()
        alike = alike + 1 if found == before else 0
        if alike == _ALIKE:
            return found
    raise AssertionError(f"it does not come to rest: {found}")


def box(target: Locator) -> Any:
    """Where `target` is on the screen, once it stands still: a mouse may go there."""

    def there() -> Any:
        target.wait_for()
        return target.bounding_box()

    return until(target.page, lambda: at_rest(target.page, there), bool)


def lasting(page: Page, look: Callable[[], Collection[T]]) -> Collection[T]:
    """What `look` still complains of after some seconds: what is only about to be drawn is no complaint."""
    found = look()
    for _ in range(_LASTING_LOOKS):
        if not found:
            break
        page.wait_for_timeout(2 * _LOOK_MS)
        found = look()
    return found


def next_frame(page: Page) -> None:
    """Until what was asked for by now is drawn."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
