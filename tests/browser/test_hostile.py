"""Hostile text in every renderer of the panel, in a real browser: no script, no request elsewhere, nothing
laid over the page. And a page of another origin cannot put Lab into a frame."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.lab import SLOW_MS, Lab
from tests.browser.payloads import payloads
from tests.browser.test_monitor import project, settled, tab
from tests.browser.waiting import at_rest, box
from tests.support.live_server import LiveServer


@dataclass
class Attacker:
    """A server of another origin that notes who asks for what."""

    url: str
    asked: list[str] = field(default_factory=list)
    page: str = ""


@pytest.fixture(scope="module")
def attacker() -> Iterator[Attacker]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/frame.html":
                content = found.page.encode()
            else:
                found.asked.append(self.path)
                content = b""
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # Another host name than Lab's: another origin whatever the port.
    found = Attacker(f"http://localhost:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


SHOW = """
import json, pathlib, sys
from IPython.display import display, HTML, Markdown, SVG, Javascript, Latex
texts = json.loads(pathlib.Path("payloads.json").read_text())
for text in texts:
    display({"text/html": text, "text/plain": text}, raw=True)
    display({"text/markdown": text, "text/plain": text}, raw=True)
    display({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'>" + text + "</svg>"}, raw=True)
    display({"text/latex": "$" + text + "$", "text/plain": text}, raw=True)
display({"application/javascript": "window.attacked=1"}, raw=True)
print("\\n".join(texts))
print("\\n".join(texts), file=sys.stderr)
for kind in ("html", "md", "svg", "txt"):
    pathlib.Path("evil." + kind).write_text("\\n\\n".join(texts))
pathlib.Path("<img src=x onerror=window.attacked=1>.txt").write_text("name")
raise RuntimeError("<img src=x onerror=window.attacked=1>" + texts[0])
"""


@pytest.mark.parametrize("short", [True, pytest.param(False, marks=pytest.mark.nightly)], ids=["some", "all"])
def test_hostile_text_runs_no_script_and_asks_for_nothing_elsewhere(
    chromium: Browser, server: LiveServer, attacker: Attacker, short: bool
) -> None:
    attacker.asked.clear()
    texts = payloads(attacker.url, short=short)
    assert short or len(texts) >= 100
    name = texts[0][:180]
    everything = "\n\n".join(texts)
    subagent = {
        "id": "helper", "name": texts[1][:180], "description": name, "prompt": everything[:5_000], "tools": []
    }  # fmt: skip
    hook = {
        "id": "watch", "name": texts[2][:180], "event": "PreToolUse", "matcher": "*",
        "action": {"type": "command", "command": ["cat", "said.json"]},
    }  # fmt: skip
    made = project(
        server,
        name,
        {
            "thinking": everything,
            "text": everything,
            "tools": [{"name": "python", "as": "p", "input": {"code": SHOW}}],
        },
        {"text": everything},
        subagents=[subagent],
        hooks=[hook],
        agent={"tools": ["python"], "permissions": {"python": "allow"}, "task": everything[:5_000]},
        description=name,
    )
    server.put_file(made, "payloads.json", texts)
    server.put_file(made, "said.json", {"systemMessage": name})
    _, agreed = server.request("POST", f"projects/{made}/trust", {"hash": "0" * 64})
    if "error" in agreed and agreed["error"]["code"] == "NOT_TRUSTED":
        server.request("POST", f"projects/{made}/trust", {"hash": agreed["error"]["details"]["hash"]})
    elsewhere: list[str] = []
    dialogs: list[str] = []
    with Lab.opened(chromium, server) as lab:
        lab.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        lab.page.on(
            "request",
            lambda request: (
                elsewhere.append(request.url)
                if not request.url.startswith((server.url, "data:", "blob:"))
                else None
            ),
        )
        lab.go(cloutagent=made)
        lab.card("agent").wait_for()
        lab.page.get_by_role("tab", name="Agents").click()
        lab.run()
        settled(lab, server, made, 1)
        monitor = lab.monitor()
        expect(monitor.get_by_role("status").first).to_contain_text("completed", timeout=SLOW_MS)
        # Every row open, then every view and every file.
        closed = monitor.locator(".ca-Row[aria-expanded=false] > .ca-Row-line")
        folded = monitor.get_by_role("button", name=re.compile("^Show (all|[0-9])"))
        for what in (closed, folded):
            for _ in range(40):
                if not at_rest(lab.page, what.count):
                    break
                what.first.click()
        # Where a link leads elsewhere, going there is the reader's own doing; the others may do nothing.
        monitor.locator("a:not([href^='http']):not([href^='//'])").evaluate_all(
            """links => links.slice(0, 80).forEach(link => link.dispatchEvent(
                 new MouseEvent('click', { bubbles: true, cancelable: true, composed: true })))"""
        )
        drawn = {"Timeline": ".ca-Bar", "Events": ".ca-Event", "Cost": ".recharts-line"}
        for view, part in drawn.items():
            tab(lab, view)
            monitor.locator(part).first.wait_for()
        tab(lab, "Events")
        for _ in range(12):
            monitor.get_by_role("listbox", name="Events of the execution").press("ArrowUp")
            monitor.locator(".ca-Events-detail").wait_for()
        tab(lab, "Files")
        files = monitor.locator(".ca-Files-name")
        expect(files.filter(has_text="evil.html")).to_be_visible()
        for file in files.all():
            file.click()
            expect(file).to_have_attribute("aria-pressed", "true")
            expect(monitor.locator(".ca-Files-view")).not_to_contain_text("Loading")
        lab.page.wait_for_timeout(500)  # what would be asked for, is asked for by now
        assert lab.page.evaluate("() => window.attacked") is None
        assert not dialogs
        assert not attacker.asked
        assert not elsewhere
        # Whatever lies over the page would take the click.
        bar = box(lab.page.locator(".ca-Toolbar"))
        top = lab.page.evaluate(
            "([x, y]) => document.elementFromPoint(x, y).closest('.ca-Toolbar') !== null",
            [bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2],
        )
        assert top, "something lies over the toolbar"
        assert lab.page.url.startswith(server.url)


def test_a_page_of_another_origin_cannot_frame_lab(
    chromium: Browser, server: LiveServer, attacker: Attacker
) -> None:
    address = f"{server.url}lab?token={server.token}"
    attacker.page = f"<iframe id=lab src={json.dumps(address)} width=900 height=700></iframe>"
    context = chromium.new_context()
    page = context.new_page()
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text, timeout=SLOW_MS):
        page.goto(f"{attacker.url}/frame.html")
    assert "JupyterLab" not in (page.frames[-1].title() or "")
    context.close()
