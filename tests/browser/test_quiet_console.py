"""What the other tests let pass in a page's console is Lab's own, and nothing but that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import splash
from tests.browser.lab import SLOW_MS
from tests.support.live_server import live_server

SAID = (
    "NotFoundError: Failed to execute 'removeChild' on 'Node': "
    "The node to be removed is not a child of this node."
)
# A slow machine: what has 200 ms has some seconds, and the theme changes as soon as the splash fades.
SLOW = """
const timer = window.setTimeout;
window.setTimeout = (f, ms, ...more) => timer(f, ms === 200 ? 3000 : ms, ...more);
new MutationObserver((_, observer) => {
  if (window.jupyterapp && document.querySelector('#jupyterlab-splash.splash-fade')) {
    observer.disconnect();
    window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' });
  }
}).observe(document, { subtree: true, childList: true, attributeFilter: ['class'] });
"""


def test_only_the_removal_of_labs_splash_passes() -> None:
    (bundle,) = [path for path in splash.STATIC.glob("jlab_core.*.js") if "splash-fade" in path.read_text()]
    frames = [
        (
            f"http://127.0.0.1:1/static/lab/{bundle.name}?v=1:{number}:{column + 1}",
            line[column - 120 : column],
        )
        for number, line in enumerate(bundle.read_text().split("\n"), 1)
        for column in range(len(line))
        if line.startswith("removeChild(", column)
    ]
    passed = [before for frame, before in frames if splash.taken_twice(f"{SAID}\n    at {frame}")]
    assert len(passed) == 1 < len(frames)
    assert "splash-fade" in passed[0]
    (own,) = [frame for frame, before in frames if before == passed[0]]
    assert not splash.taken_twice(f"{SAID}\n    at commit ({own})\n    at work ({own})"), "React's, or ours"
    assert not splash.taken_twice(f"{SAID}\n    at {own.replace('static/lab', 'lab/extensions/cloutagent')}")
    assert not splash.taken_twice(f"TypeError: x is undefined\n    at {own}")


@pytest.mark.nightly
def test_lab_says_it_by_itself_without_the_extension(chromium: Browser, tmp_path: Path) -> None:
    settings = tmp_path / "config" / "labconfig"
    settings.mkdir(parents=True)
    without = {"cloutagent": True, "@jupyterlab/apputils-extension:announcements": True}
    (settings / "page_config.json").write_text(json.dumps({"disabledExtensions": without}))
    with live_server(tmp_path, "--LabApp.expose_app_in_browser=True", app="lab") as server:
        page = chromium.new_page()
        page.set_default_timeout(SLOW_MS)
        page.add_init_script(SLOW)
        with page.expect_event("pageerror", timeout=SLOW_MS) as failed:
            page.goto(f"{server.url}lab?token={server.token}")
            page.locator("body[data-jp-theme-name='JupyterLab Dark']").wait_for(state="attached")
            expect(page.locator("#jupyterlab-splash")).to_have_count(0)
        assert not page.evaluate("() => window.jupyterapp.hasPlugin('cloutagent:project')")
        assert splash.taken_twice(failed.value.stack or ""), failed.value.stack
        page.close()
