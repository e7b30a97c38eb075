"""The canvas in a real browser beside plain React Flow with as many plain nodes, in the same browser.

Needs a built panel (`jlpm build:prod`), its `node_modules` and Chromium. Both are drawn in
areas of the same size, at the same zoom, and moved by the same events, one for each frame.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from tests.browser.conftest import CHROMIUM_FLAGS, PANEL
from tests.browser.lab import Lab
from tests.support.live_server import LiveServer, live_server

from . import flood, monitor, panel
from .table import Row, median, show

MODULES = Path(__file__).parents[2] / "labextension" / "node_modules"
SIZES = (200, 1000)
ROUNDS = 3
FRAMES = 90
WIDTH, HEIGHT = 1280, 800
ACROSS = 20
STEP_X, STEP_Y = 280, 160

_MOVE = """
([what, frames]) => new Promise(done => {
  const root = document.querySelector('.react-flow');
  const box = root.getBoundingClientRect();
  const inside = ({ left, top, right, bottom }) =>
    left > box.left + 160 && top > box.top + 60 && right < box.right - 20 && bottom < box.bottom - 80;
  const nodes = [...root.querySelectorAll('.react-flow__node')];
  const node = nodes.find(each => inside(each.getBoundingClientRect()));
  const at = node.getBoundingClientRect();
  // The gap between two rows of cards is free ground.
  const target = what === 'drag' ? node : root.querySelector('.react-flow__pane');
  const start = what === 'drag' ? [at.left + 60, at.top + 12] : [at.left + 20, at.top - 8];
  const send = (type, target, [x, y]) => target.dispatchEvent(new MouseEvent(type, {
    bubbles: true, cancelable: true, view: window, button: 0, buttons: 1, clientX: x, clientY: y
  }));
  const place = n => [start[0] + 120 * Math.sin(n / 8), start[1] + 60 * Math.sin(n / 5)];
  const first = node.getBoundingClientRect().left;
  let moved = 0;
  send('mousedown', target, start);
  let n = 0;
  let begun = 0;
  const step = now => {
    begun ||= now;
    moved = Math.max(moved, Math.abs(node.getBoundingClientRect().left - first));
    if (n++ < frames) {
      send('mousemove', window, place(n));
      requestAnimationFrame(step);
    } else {
      send('mouseup', window, place(n));
      done({ fps: (1000 * frames) / (now - begun), moved });
    }
  };
  requestAnimationFrame(step);
})
"""
"""Moves the ground or a card with each frame; tells the frame rate, and how far the card came."""

_PLAIN = """
([count, across, stepX, stepY]) => {
  const nodes = Array.from({ length: count }, (_, n) => ({
    id: String(n), data: { label: `Node ${n}` },
    position: { x: (n % across) * stepX, y: Math.floor(n / across) * stepY }
  }));
  const edges = nodes.slice(1).map(node => ({ id: `e${node.id}`, source: '0', target: node.id }));
  const { ReactFlow, Background } = window.ReactFlow;
  const App = () => React.createElement(
    ReactFlow,
    { defaultNodes: nodes, defaultEdges: edges, minZoom: 0.1, defaultViewport: { x: 40, y: 40, zoom: 1 } },
    React.createElement(Background)
  );
  const begun = performance.now();
  ReactDOM.createRoot(document.getElementById('root')).render(React.createElement(App));
  return new Promise(done => {
    const look = () => document.querySelector('.react-flow__node')
      ? done(performance.now() - begun) : requestAnimationFrame(look);
    look();
  });
}
"""


@dataclass
class Measured:
    first_ms: list[float] = field(default_factory=list)
    pan: list[float] = field(default_factory=list)
    drag: list[float] = field(default_factory=list)
    script_ms: list[float] = field(default_factory=list)
    """Per frame, panning and dragging together."""


def _project(server: LiveServer, count: int) -> str:
    """A project whose cards stand as the plain nodes do; the agent is one of them."""
    made = server.create_project(f"{count} cards", "empty")
    subagents = [
        {"id": f"s{n}", "name": f"Node {n}", "prompt": "You read.", "description": "reads", "tools": ["view"]}
        for n in range(1, count)
    ]
    places = {"agent": 0} | {f"subagent:s{n}": n for n in range(1, count)}
    nodes = [
        {"id": id, "position": {"x": n % ACROSS * STEP_X, "y": n // ACROSS * STEP_Y}}
        for id, n in places.items()
    ]
    definition = made | {
        "agent": made["agent"] | {"task": "Go."},
        "subagents": subagents,
        "ui": made["ui"] | {"nodes": nodes, "viewport": {"x": 40, "y": 40, "zoom": 1}},
    }
    definition.pop("api_key")
    status, answer = server.request("PUT", f"projects/{made['id']}", definition)
    assert status == 200, answer
    return str(made["id"])


def _script_s(session: CDPSession) -> float:
    metrics: list[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "ScriptDuration"))


def _move(page: Page, into: Measured) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    before = _script_s(session)
    for what, values in (("pan", into.pan), ("drag", into.drag)):
        result = page.evaluate(_MOVE, [what, FRAMES])
        assert result["moved"] > 20, f"{what}: nothing moved"
        values.append(result["fps"])
    into.script_ms.append((_script_s(session) - before) * 1000 / (2 * FRAMES))


def _ours(browser: Browser, server: LiveServer, project: str, warm: str, into: Measured) -> tuple[int, int]:
    with Lab.opened(browser, server, width=WIDTH, height=HEIGHT) as lab:
        lab.open_project(warm)
        lab.hide_sidebars()
        lab.page.get_by_role("button", name="Close properties").click()
        into.first_ms.append(
            lab.page.evaluate(
                """async id => {
                     const begun = performance.now();
                     window.jupyterapp.commands.execute('cloutagent:open-project', { id });
                     const there = () => [...document.querySelectorAll('.ca-ProjectTab')].some(tab =>
                       tab.offsetParent && tab.querySelector('[data-id="subagent:s1"]'));
                     while (!there()) await new Promise(requestAnimationFrame);
                     return performance.now() - begun;
                   }""",
                project,
            )
        )
        # One canvas in the page, as in the plain one.
        lab.page.evaluate(
            """id => { for (const each of window.jupyterapp.shell.widgets('main'))
                         if (each.projectId && each.projectId !== id) each.dispose(); }""",
            project,
        )
        close = lab.page.get_by_role("button", name="Close properties")
        if close.count():
            close.first.click()
        lab.page.wait_for_function("() => document.querySelectorAll('.react-flow').length === 1")
        _move(lab.page, into)
        box = lab.page.locator(".react-flow").bounding_box()
        assert box
        return round(box["width"]), round(box["height"])


def _plain(browser: Browser, count: int, size: tuple[int, int], into: Measured) -> None:
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce")
    page = context.new_page()
    width, height = size
    page.set_content(f'<body style="margin:0"><div id="root" style="width:{width}px;height:{height}px">')
    page.add_style_tag(path=MODULES / "@xyflow/react/dist/style.css")
    page.add_script_tag(path=MODULES / "react/umd/react.production.min.js")
    page.add_script_tag(path=MODULES / "react-dom/umd/react-dom.production.min.js")
    page.evaluate(
        """() => {
             const jsx = (type, props, key) =>
               React.createElement(type, key === undefined ? props : { ...props, key });
             window.jsxRuntime = { jsx, jsxs: jsx, Fragment: React.Fragment };
           }"""
    )
    page.add_script_tag(path=MODULES / "@xyflow/react/dist/umd/index.js")
    into.first_ms.append(page.evaluate(_PLAIN, [count, ACROSS, STEP_X, STEP_Y]))
    _move(page, into)
    context.close()


def _rows(count: int, ours: Measured, plain: Measured) -> list[Row]:
    least = 0.9 if count <= 200 else 0.7
    rows = []
    for what in ("pan", "drag"):
        mine, theirs = median(getattr(ours, what)), median(getattr(plain, what))
        name = {"pan": "panning", "drag": "dragging a card"}[what]
        ratio = mine / theirs
        value = f"{mine:.0f} frames/s (plain {theirs:.0f})"
        rows.append(Row(name, value, f"{ratio:.2f} × plain", f"≥ {least} ×", ratio >= least))
    script = median(ours.script_ms)
    first = median(ours.first_ms)
    target = count <= 200
    rows.append(
        Row(
            "script per frame",
            f"{script:.1f} ms (plain {median(plain.script_ms):.1f} ms)",
            "",
            "≤ 8 ms" if target else "",
            script <= 8 if target else None,
        )
    )
    rows.append(
        Row(
            "first card, code there",
            f"{first:.0f} ms (plain {median(plain.first_ms):.0f} ms, no server)",
            "",
            "≤ 1000 ms" if target else "",
            first <= 1000 if target else None,
        )
    )
    return rows


def _canvas(browser: Browser, server: LiveServer) -> None:
    warm = server.create_project("Warm", "empty")["id"]
    for count in SIZES:
        ours, plain = Measured(), Measured()
        for _ in range(ROUNDS):
            # A new one each time: where the last round had left view and cards is remembered.
            project = _project(server, count)
            size = _ours(browser, server, project, warm, ours)
            _plain(browser, count, size, plain)
        show(f"Canvas of {count} cards in Chromium, median of {ROUNDS}", _rows(count, ours, plain))


MEASURES: dict[str, Callable[[Browser, LiveServer], None]] = {
    "opening": panel.loaded,
    "canvas": _canvas,
    "scroll": monitor.scrolled,
    "live": flood.arriving,
    "painted": monitor.painted,
}
PARTS = tuple(MEASURES)


def main(*parts: str) -> None:
    path = os.environ.get("CLOUTAGENT_CHROMIUM") or shutil.which("chromium")
    assert path, "no Chromium: `apt-get install chromium`, or name one in CLOUTAGENT_CHROMIUM"
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "panel" / "labextensions").mkdir(parents=True)
        (folder / "panel" / "labextensions" / "cloutagent").symlink_to(PANEL)
        environment = {"JUPYTER_PATH": str(folder / "panel")}
        options = ("--LabApp.expose_app_in_browser=True",)
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
        with live_server(folder, *options, app="lab", env=environment) as server:
            for part in parts or PARTS:
                MEASURES[part](browser, server)
        browser.close()
