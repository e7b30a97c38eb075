"""Two hundred events a second in the execution monitor: how many frames our page drops beyond those that a
plain list drops in the same JupyterLab. Called by `browser`.

All are handed the same events by the page itself. What the machine drops, and what it costs to collect
Lab's own heap, meets the control as it meets us; the rest is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

from tests.browser.lab import Lab
from tests.browser.test_monitor import tab
from tests.support.live_server import LiveServer

from .monitor import VIEWS, fed, ran
from .table import Row, median, show

A_SECOND = 200
SECONDS = 6
ROUNDS = 5

_ARRIVE = """
async ([events, execution, rate, seconds]) => {
  const gaps = [];
  const begun = performance.now();
  let sent = 0;
  const send = all => {
    const now = Math.floor((performance.now() - begun) / 1000 * rate);
    const due = all === true ? events.length : Math.min(events.length, now);
    for (; sent < due; sent++) {
      const event = { ...events[sent], ts: new Date().toISOString() };
      window.caFeed(`data: ${JSON.stringify({ execution_id: execution, event })}\\n\\n`);
    }
  };
  const timer = rate ? setInterval(send, 5) : 0;
  let last = begun;
  while (last - begun < seconds * 1000) {
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    gaps.push(now - last);
    last = now;
  }
  clearInterval(timer);
  // The last few, due a moment later: whoever waits for the newest then sees it.
  send(true);
  return gaps;
}
"""
"""Hands `rate` events a second to the page; the time of each frame meanwhile."""

_PLAIN_LOG = """
(() => {
  const list = document.createElement('div');
  list.append(document.createElement('div'));
  list.style = 'position: fixed; z-index: 9; left: 0; right: 0; bottom: 0; height: 320px; overflow: auto;'
    + ' background: white; font: 12px/24px monospace';
  document.body.append(list);
  const waiting = [];
  const log = [];
  const told = ['id', 'ts', 'type', 'span'];
  window.caFeed = text => {
    waiting.push(text);
    if (waiting.length > 1) return;
    requestAnimationFrame(() => {
      for (const each of waiting.splice(0)) {
        const row = document.createElement('div');
        row.style = 'display: grid; grid-template-columns: 40px 200px 106px 1fr';
        const { event } = JSON.parse(each.slice(6));
        log.push(event);
        for (const name of told) {
          row.append(Object.assign(document.createElement('span'), { textContent: event[name] }));
        }
        list.firstChild.append(row);
        if (list.firstChild.childNodes.length > 30) list.firstChild.firstChild.remove();
      }
      list.scrollTop = list.scrollHeight;
    });
  };
})();
"""
"""The least that a page can do with what arrives: keep it, and show the newest, as many rows and columns as
ours, with each frame."""


def _talk(count: int) -> list[dict[str, Any]]:
    """A run that speaks in pieces, works and pays: eleven events a turn."""
    usage = dict.fromkeys(
        ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"), 9
    )
    events: list[dict[str, Any]] = []

    def add(type: str, span: str, **fields: Any) -> None:
        events.append({"id": len(events) + 1, "type": type, "agent": "main", "span": span} | fields)

    limits = {"max_cost_usd": 1.0, "max_tokens": 100_000, "timeout_s": 3600, "max_turns": 50}
    add("queued", "main", execution_id="", position=0)
    add("start", "main", execution_id="", project_id="p", version=1, model="claude-opus-5-5", limits=limits,
        simulated=True, origin="panel")  # fmt: skip
    add("agent_start", "main", name="main", model="claude-opus-5-5", prompt="Go.")
    turn = 0
    while len(events) < count:
        turn += 1
        span, call = f"main/{turn}", {"call_id": "c", "tool": "bash"}
        for piece in range(8):
            add("text", span, content=f"Piece {piece} of what it *says*, ", final=piece == 7)
        cost = {"total_cost_usd": 0.001 * turn, "turn_cost_usd": 0.001, "turn_usage": usage, "usage": usage}
        add("cost_update", span, percent_of_limit={"cost": 1, "tokens": 1, "time": 1}, **cost)
        add("tool_call", f"{span}/c", source="builtin", input={"command": f"cat {turn}"}, **call)
        add("tool_result", f"{span}/c", is_error=False, duration_ms=40,
            output=[{"type": "text", "text": "a,b\n1,2\n", "path": None}], **call)  # fmt: skip
    return events[:count]


def _dropped(gaps: list[float]) -> int:
    return sum(max(0, round(gap / (1000 / 60)) - 1) for gap in gaps)


def _working_s(session: CDPSession) -> float:
    """Seconds that the page's main thread has worked so far: script, styles, layout and paint."""
    found = {each["name"]: float(each["value"]) for each in session.send("Performance.getMetrics")["metrics"]}
    return found["TaskDuration"]


class _Fed:
    """A page that is handed events: how it bears what comes."""

    def __init__(self, page: Page, execution: str) -> None:
        self._page = page
        self._execution = execution
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")

    def bear(self, events: list[dict[str, Any]], rate: int, seconds: int) -> list[float]:
        """The time of each frame while `rate` events a second come."""
        gaps: list[float] = self._page.evaluate(_ARRIVE, [events, self._execution, rate, seconds])
        return gaps

    def working_ms(self) -> float:
        return 1000 * _working_s(self._session)


@contextmanager
def _plain_page(browser: Browser) -> Iterator[_Fed]:
    """A page of its own that does the least with the same events."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    page.set_content("<body></body>")
    page.add_script_tag(content=_PLAIN_LOG)
    yield _Fed(page, "plain")
    context.close()


@contextmanager
def _plain_in_lab(browser: Browser, server: LiveServer) -> Iterator[_Fed]:
    """The same list in a JupyterLab in which nothing of ours is open: the heap is Lab's in both."""
    with Lab.opened(browser, server) as lab:
        lab.go()
        lab.hide_sidebars()
        assert not lab.page.locator(".jp-CloutAgent-Project").count(), "a project is open"
        lab.page.evaluate(_PLAIN_LOG)
        yield _Fed(lab.page, "plain")


@dataclass
class _Round:
    """Of each page: frames dropped, the worst frame, and the work of a frame; in ms."""

    dropped: dict[str, int] = field(default_factory=dict)
    worst: dict[str, float] = field(default_factory=dict)
    work: dict[str, float] = field(default_factory=dict)

    def bear(self, name: str, page: _Fed, events: list[dict[str, Any]], rate: int) -> None:
        before = page.working_ms()
        gaps = page.bear(events, rate, SECONDS)
        self.dropped[name] = _dropped(gaps)
        self.worst[name] = max(gaps)
        self.work[name] = (page.working_ms() - before) / len(gaps)

    @property
    def ours(self) -> int:
        """Frames that our page has dropped beyond those that Lab with a plain list has dropped."""
        return self.dropped["ours"] - self.dropped["in Lab"]


def _rounds(pages: dict[str, _Fed]) -> Iterator[_Round]:
    """All of them in turns, each time another one first: what the machine does meets none always."""
    events = _talk(A_SECOND * SECONDS * ROUNDS + 2 * A_SECOND)
    begin, rest = events[: 2 * A_SECOND], events[2 * A_SECOND :]
    for page in pages.values():
        page.bear(begin, 400, 2)
    names = list(pages)
    for number in range(ROUNDS):
        some = rest[number * A_SECOND * SECONDS :][: A_SECOND * SECONDS]
        one = _Round()
        one.bear("quiet", pages["ours"], [], 0)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            one.bear(name, pages[name], some, A_SECOND)
        yield one


def arriving(browser: Browser, server: LiveServer) -> None:
    """Frames that the machine and Lab drop are told from ours by a plain list in the same Lab with the same
    events, which alone judges; by the same page without events, by a plain page, and by repeating."""
    rows = []
    for view in ("Steps", "Events"):
        made, execution = ran(server, f"Two hundred a second {view}")
        context, lab = fed(browser, server, made)
        try:
            tab(lab, view)
            lab.page.wait_for_timeout(1_500)
            with _plain_page(browser) as plain, _plain_in_lab(browser, server) as control:
                pages = {"ours": _Fed(lab.page, execution), "in Lab": control, "plain": plain}
                rounds = list(_rounds(pages))
            # All of them have arrived: the newest is in the page.
            turns = sum(each["type"] == "tool_call" for each in _talk(A_SECOND * (SECONDS * ROUNDS + 2)))
            lab.page.locator(VIEWS[view][1], has_text=f"cat {turns}").first.wait_for()
        finally:
            context.__exit__(None, None, None)
        order = ("ours", "in Lab", "quiet", "plain")
        drops = {name: median([each.dropped[name] for each in rounds]) for name in order}
        work = {name: median([each.work[name] for each in rounds]) for name in order}
        each_round = ", ".join("/".join(str(each.dropped[name]) for name in order) for each in rounds)
        from_us = median([each.ours for each in rounds])
        rows.append(
            Row(
                f"{A_SECOND} events a second, {view}",
                f"of {SECONDS * 60} frames dropped: ours {drops['ours']:.0f}, a plain list in Lab "
                f"{drops['in Lab']:.0f}, ours without events {drops['quiet']:.0f}, a plain page "
                f"{drops['plain']:.0f} (rounds: {each_round}); "
                f"worst {median([each.worst['ours'] for each in rounds]):.0f} ms "
                f"(in Lab {median([each.worst['in Lab'] for each in rounds]):.0f}), work a frame "
                f"{work['ours']:.1f} ms (in Lab {work['in Lab']:.1f}, plain {work['plain']:.1f})",
                f"{from_us:+.0f} beyond Lab's",
                "none from us",
                from_us <= 0,
            )
        )
    show(f"Monitor, live, median of {ROUNDS}", rows)
