"""Every view under axe (WCAG 2.1 AA), in each theme, and where the system forces its own colours.

The light theme is held to the same in the tests of the views themselves.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.axe import findings
from tests.browser.lab import Lab
from tests.browser.views import every_view
from tests.support.live_server import LiveServer

MODES = ["Light", "Dark", "Dark High Contrast", "forced colours"]


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", MODES)
def test_no_view_shuts_anybody_out_whatever_its_colours(
    chromium: Browser, server: LiveServer, mode: str
) -> None:
    forced = mode == "forced colours"
    found: dict[str, list[str]] = {}
    with Lab.opened(chromium, server, height=900, forced_colors=forced) as lab:
        lab.worn = "Light" if forced else mode
        for name, selector in every_view(lab, server, mode):
            lab.screenshot(f"access-{mode}-{name}".replace(" ", "-").lower())
            if complaints := findings(lab.page, selector):
                found[name] = complaints
        lab.theme(False)
        lab.expect_quiet_console()
    assert found == {}
