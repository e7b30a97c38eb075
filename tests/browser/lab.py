"""JupyterLab and the agent panel as a person meets them: what to click, what to wait for."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Route, expect

from tests.browser import splash, waiting
from tests.browser.waiting import SLOW_MS, SLOWER
from tests.support.live_server import LiveServer

expect.set_options(timeout=SLOW_MS / 2)
_ROOT = Path(__file__).parents[2]
SCREENSHOTS = _ROOT / (os.environ.get("CLOUTAGENT_SCREENSHOTS") or "test-results")
"""Where pictures go; `make screenshots` puts them into the documentation."""
THEME_NAMES = ("Light", "Dark", "Dark High Contrast")
"""Lab's own: the first by day, all of them at night."""
THEMES = (pytest.param(False, id="light"), pytest.param(True, id="dark", marks=pytest.mark.nightly))
"""For tests that take pictures: the light theme each time, the dark one at night."""
# Lab's own noise, which no extension can stop.
_NOT_OURS = (
    "webpack",
    "Failed to load resource: the server responded with a status of 404",
    "[lsp]",
    "React Router",
)


# Lab closes the command palette at each command that is executed; its router executes one late at the start.
_ROUTED = """
Object.defineProperty(window, 'jupyterapp', {
  configurable: true,
  set(app) {
    Object.defineProperty(window, 'jupyterapp', { value: app });
    app.commands.commandExecuted.connect((_, { id }) => { window.routed ||= id === 'router:tree'; });
  }
});
"""


@dataclass
class Lab:
    page: Page
    server: LiveServer
    workspace: str = field(default_factory=lambda: secrets.token_hex(4))
    """A layout of its own, so that no test finds what another has left open."""
    complaints: list[str] = field(default_factory=list)
    worn: str = field(default_factory=lambda: Lab.colours)

    colours: ClassVar[str] = THEME_NAMES[0]
    """The theme of the test that is played (`conftest.colours`)."""

    @classmethod
    @contextmanager
    def opened(
        cls,
        browser: Browser,
        server: LiveServer,
        *,
        width: int = 1280,
        height: int = 800,
        forced_colors: bool = False,
    ) -> Iterator[Lab]:
        """`forced_colors`: as Windows' high contrast has it, where the page's own colours are not used."""
        context = browser.new_context(
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            forced_colors="active" if forced_colors else "none",
        )
        page = context.new_page()
        page.set_default_timeout(SLOW_MS)
        page.add_init_script(_ROUTED)
        if SLOWER > 1:
            context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        window = cls(page, server)
        page.on("console", window._heard)
        # With its stack: what happens once in many runs has to name its place by itself.
        page.on("pageerror", lambda error: window._failed(error.stack or str(error)))
        yield window
        context.close()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(part in message.text for part in _NOT_OURS):
            place = message.location
            self.complaints.append(f"{message.text} ({place['url']}:{place['lineNumber']})")

    def _failed(self, text: str) -> None:
        if not splash.taken_twice(text):
            self.complaints.append(text)

    def expect_quiet_console(self) -> None:
        assert not self.complaints, self.complaints

    # ------------------------------------------------------------ getting around

    def go(self, **query: str) -> None:
        """Open Lab on its workspace and wait until it stands."""
        words = "&".join(
            f"{name}={quote(value)}" for name, value in {"token": self.server.token, **query}.items()
        )
        self.page.goto(f"{self.server.url}lab/workspaces/{self.workspace}?{words}")
        self.wait_for_lab()

    def reload(self) -> None:
        """What F5 does. Going to the address again is not the same: the page that is left may still
        answer for the workspace, and Lab then opens an empty one of another name."""
        self.page.reload()
        self.wait_for_lab()

    def wait_until_layout_names(self, text: str) -> None:
        """Lab saves its layout a moment after a change; this is what a reload comes back to."""

        def names(data: dict[str, Any]) -> bool:
            layout = json.dumps((data.get("layout-restorer:data") or {}).get("main"))
            return text in layout and any(key.endswith(text) for key in data)

        self._until_saved(names)

    def wait_until_workspace_has(self, text: str) -> None:
        """The same for what else Lab keeps between two visits."""
        self._until_saved(lambda data: text in json.dumps(data))

    def go_where_layout_has_lost(self, project: str) -> None:
        """Open a workspace like this one, but that its layout does not name the tab of `project`."""
        self.wait_until_layout_names(project)
        lost = secrets.token_hex(4)
        self.page.evaluate(
            """async ([from, to, project]) => {
                 const { workspaces } = window.jupyterapp.serviceManager;
                 const { data } = await workspaces.fetch(from);
                 const without = area => area && {
                   ...area,
                   widgets: area.widgets?.filter(name => !name.endsWith(project)),
                   children: area.children?.map(without)
                 };
                 const { main } = data['layout-restorer:data'];
                 main.dock = without(main.dock);
                 delete main.current;
                 await workspaces.save(to, { metadata: { id: to }, data });
               }""",
            [self.workspace, lost, project],
        )
        self.workspace = lost
        self.go()

    def _until_saved(self, there: Callable[[dict[str, Any]], bool]) -> None:
        # Not `wait_for_function`: to that a promise is as good as true.
        ask = "async path => (await fetch(path, {cache: 'no-store'})).json()"
        place = f"/lab/api/workspaces/{self.workspace}"
        waiting.until(self.page, lambda: self.page.evaluate(ask, place).get("data") or {}, there)

    def wait_for_lab(self) -> None:
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0, timeout=SLOW_MS)
        self.page.locator("#jp-main-dock-panel").wait_for()
        # What is shown before the layout stands again, the layout may hide.
        self.page.evaluate("async () => { await window.jupyterapp?.restored; }")
        # The server remembers the theme of whoever was here before.
        self.wear(self.worn)

    def open_project(self, name: str, *, notebook: str | None = None) -> None:
        """The project's tab in front, its canvas drawn."""
        self.go(**({"cloutagent": name} | ({"cloutagent-notebook": notebook} if notebook else {})))
        self.card("agent").wait_for()

    def find_command(self, typed: str, found: str) -> None:
        """Have the command palette offer the command called `found`, by its key and what is typed then."""
        self.page.wait_for_function("() => window.routed")
        self.page.keyboard.press("Control+Shift+C")
        expect(self.page.locator(".lm-CommandPalette-input")).to_be_focused()
        self.page.keyboard.type(typed)
        expect(self.page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text(found)

    def command(self, id: str, /, **args: Any) -> None:
        self.page.evaluate(
            "([id, args]) => window.jupyterapp.commands.execute(id, args).then(() => null)", [id, args]
        )

    def theme(self, dark: bool) -> None:
        """For tests that know two themes: the other dark one, where that is played."""
        self.wear((self.colours if self.colours != THEME_NAMES[0] else "Dark") if dark else "Light")

    def high_contrast(self) -> None:
        self.wear("Dark High Contrast")

    def wear(self, theme: str) -> None:
        """Lab in this theme, now and after a reload."""
        self.worn = theme
        shown = self.page.locator(f"body[data-jp-theme-name='JupyterLab {theme}']")
        if shown.count() == 0:
            self.command("apputils:change-theme", theme=f"JupyterLab {theme}")
            shown.wait_for(state="attached")

    def hide(self, hidden: bool) -> None:
        """What the page believes of itself: a hidden one writes nothing, until it is seen again."""
        self.page.evaluate(
            """hidden => {
                 Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });
                 document.dispatchEvent(new Event('visibilitychange'));
               }""",
            hidden,
        )

    @contextmanager
    def nothing_saved_yet(self, project: str) -> Iterator[None]:
        """What the page saves of `project` within is sent afterwards: on a slow machine, too, comes first
        what somebody else does meanwhile."""
        held: list[Route] = []

        def hold(route: Route) -> None:
            if route.request.method == "PUT":
                held.append(route)
            else:
                route.continue_()

        address = re.compile(rf"/cloutagent/api/v1/projects/{project}(\?|$)")
        self.page.route(address, hold)
        yield
        self.page.unroute(address, hold)
        for route in held:
            route.continue_()

    def stored(self, project: str, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The project as the server has it, once `holds` is true of it."""
        return waiting.until(self.page, lambda: self.server.request("GET", f"projects/{project}")[1], holds)

    def tab_to(self, target: Locator, *, most: int = 60, back: bool = False) -> None:
        """Press Tab until `target` has the focus, as somebody without a mouse would."""
        for _ in range(most):
            self.page.keyboard.press("Shift+Tab" if back else "Tab")
            if target.evaluate("node => node === document.activeElement"):
                return
        focused = self.page.evaluate("() => document.activeElement?.outerHTML.slice(0, 200)")
        raise AssertionError(f"Tab does not lead to {target} within {most} steps; it is at {focused}")

    def pick(self, select: Locator, value: str) -> None:
        """Arrow down in a list that has the focus until that is chosen. Typing its name would need letters
        that follow each other quickly."""
        expect(select).to_be_focused()
        while (before := select.input_value()) != value:
            self.page.keyboard.press("ArrowDown")
            expect(select).not_to_have_value(before)

    def hide_sidebars(self) -> None:
        self.page.evaluate(
            "() => { window.jupyterapp.shell.collapseLeft(); window.jupyterapp.shell.collapseRight(); }"
        )

    def screenshot(self, name: str) -> None:
        """A picture of the whole window; of the same name in each theme that a test is played in at night."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        if self.colours != THEME_NAMES[0]:
            name += "-in-" + self.colours.lower().replace(" ", "-")
        self.page.wait_for_function("() => document.fonts.status === 'loaded'")
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")

    # ------------------------------------------------------------ the panel

    def card(self, id: str) -> Locator:
        """The card of `agent`, `subagent:<id>`, …"""
        return self.page.locator(f".react-flow__node[data-id='{id}']")

    @property
    def panel(self) -> Locator:
        return self.page.locator(".jp-CloutAgent-Project:visible, .jp-CloutAgent:visible").first

    def run(self) -> None:
        self.page.get_by_role("button", name=re.compile(r"^Run\b")).first.click()

    def monitor(self) -> Locator:
        return self.page.get_by_role("region", name=re.compile("Execution"))
