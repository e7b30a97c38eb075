"""A real JupyterLab on a project of its own, and Debian's Chromium to drive it.

Playwright's synchronous face: these tests are a person at a screen. Not here: what the
panel looks like from inside (`lab.Lab`).

`CLOUTAGENT_SLOW=4 pytest tests/browser/...` gives every page a quarter of this machine's speed, and the tests
four times their patience: what passes only where the page is quicker than the test fails then. Whoever writes
a test here plays it so once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.lab import THEME_NAMES, Lab
from tests.browser.waiting import SLOWER
from tests.support.live_server import LiveServer, live_server

CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PANEL = Path(__file__).parents[2] / "cloutagent_ext" / "labextension"
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_first_agent.ipynb"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    twice = [item for item in items if _in_vain(item)]
    if twice:
        items[:] = [item for item in items if item not in twice]
        config.hook.pytest_deselected(items=twice)
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if SLOWER > 1 and item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(240 * SLOWER))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each scenario is played in Lab's light theme, and at night in the others too.

    A test that chooses its themes itself has them; where it knows only light and dark, the high contrast
    takes the place of the dark one.
    """
    own = {"theme", "mode"} & set(metafunc.fixturenames)
    nightly = metafunc.definition.get_closest_marker("nightly") is not None
    light, *others = THEME_NAMES
    if own or nightly:
        others = []
    elif "dark" in metafunc.fixturenames:
        others = others[-1:]
    at_night = [
        pytest.param(name, id=name.lower().replace(" ", "-"), marks=pytest.mark.nightly) for name in others
    ]
    as_ever = pytest.param(light, id=pytest.HIDDEN_PARAM)
    metafunc.parametrize("colours", [as_ever, *at_night], indirect=True)


def _in_vain(item: pytest.Item) -> bool:
    """In high contrast there is no light form."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    return params.get("dark") is False and params.get("colours", THEME_NAMES[0]) != THEME_NAMES[0]


@pytest.fixture(autouse=True)
def colours(request: pytest.FixtureRequest) -> Iterator[str]:
    """The theme in which every window of the test opens."""
    Lab.colours = request.param
    yield request.param
    Lab.colours = THEME_NAMES[0]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = (
        os.environ.get("CLOUTAGENT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    assert path, "no Chromium: `apt-get install chromium`, or name one in CLOUTAGENT_CHROMIUM"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """JupyterLab with auth on; the simulated model speaks fast."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "config" / "labconfig").mkdir(parents=True)
    (folder / "config" / "labconfig" / "page_config.json").write_text(
        '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}'
    )
    # A newcomer meets the tour once; every test but its own has met it.
    (folder / "config" / "labconfig" / "default_setting_overrides.json").write_text(
        '{"cloutagent:project": {"tourSeen": true}}'
    )
    options = ("--CloutAgent.simulated_pace=200", "--LabApp.expose_app_in_browser=True")
    # The panel under test is this tree's own, wherever the installed one was built.
    assert (PANEL / "package.json").is_file(), "no panel: `cd labextension && jlpm build:prod`"
    (folder / "panel" / "labextensions").mkdir(parents=True)
    (folder / "panel" / "labextensions" / "cloutagent").symlink_to(PANEL)
    with live_server(folder, *options, app="lab", env={"JUPYTER_PATH": str(folder / "panel")}) as running:
        shutil.copy(NOTEBOOK, running.root_dir)
        yield running


@pytest.fixture
def lab(chromium: Browser, server: LiveServer, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A browser window of its own on JupyterLab; errors in its console fail the test."""
    with Lab.opened(chromium, server) as window:
        yield window
        if request.session.testsfailed == 0:
            window.expect_quiet_console()
