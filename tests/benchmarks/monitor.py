"""The execution monitor in a real browser: ten thousand events scrolled, two hundred a second arriving, and
how long after an event its row is painted. Called by `browser`.

The first two hand the panel's own stream reader events that no run would have to make; the third is a run
on the server, its events' times and the page's by the same clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

from tests.browser.lab import Lab
from tests.browser.test_connection import long_log
from tests.browser.test_monitor import bash, ended, project, tab
from tests.support.live_server import LiveServer

from .table import Row, median, quantile, show

EVENTS = 10_000
A_SECOND = 200
SECONDS = 6
ROUNDS = 5
TURNS = 40
VIEWS = {
    "Steps": (".ca-Tree-scroll", ".ca-Row"),
    "Timeline": (".ca-Timeline-scroll", ".ca-Bar"),
    "Events": (".ca-Events-scroll", ".ca-Event"),
}

_FEED = """
(() => {
  const real = window.fetch.bind(window);
  let feed = null;
  const waiting = [];
  window.caFeed = text => (feed ? feed(text) : waiting.push(text));
  window.fetch = async (input, init) => {
    const url = typeof input === 'string' ? input : input.url;
    if (!/\\/cloutagent\\/api\\/v1\\/stream\\?watch=/.test(url)) return real(input, init);
    const body = new ReadableStream({ start(controller) {
      const encoder = new TextEncoder();
      feed = text => controller.enqueue(encoder.encode(text));
      waiting.splice(0).forEach(feed);
    } });
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
  };
})();
"""
"""Puts this in the place of the server's event stream; `caFeed` is what arrives."""

_SCROLL = """
async ([selector, row, how]) => {
  const list = document.querySelector(selector);
  const { left, top, width, height } = list.getBoundingClientRect();
  const there = () => document.elementsFromPoint(left + width / 2, top + height / 2);
  const drawn = () => there().some(each => each.closest(row));
  let [blank, moved] = [0, 0];
  let seed = 7;
  const chance = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const gaps = [];
  // The wheel goes up from the end, where not every view is when it is opened.
  list.scrollTop = list.scrollHeight;
  for (let wait = 0; wait < 12; wait++) await new Promise(requestAnimationFrame);
  let last = performance.now();
  for (let step = 0; step < 120; step++) {
    const before = list.scrollTop;
    if (how === 'wheel') list.scrollTop -= 90;
    else if (step % 12 === 0) list.scrollTop = chance() * list.scrollHeight;
    moved += Math.abs(list.scrollTop - before);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    gaps.push(now - last);
    last = now;
    // A jump has one frame to be drawn in.
    if (how === 'wheel' || step % 12 > 0) blank += drawn() ? 0 : 1;
  }
  return { gaps, blank, moved };
}
"""
"""A brisk wheel, or a jump to somewhere else every twelve frames: the time of each frame, in how many there
was no row in the middle, and how far it came."""

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
document.body.innerHTML = '<div><div></div></div>';
const list = document.body.firstChild;
list.style = 'height: 320px; overflow: auto; font: 12px/24px monospace';
const waiting = [];
const told = ['id', 'ts', 'type', 'span'];
window.caFeed = text => {
  waiting.push(text);
  if (waiting.length > 1) return;
  requestAnimationFrame(() => {
    for (const each of waiting.splice(0)) {
      const row = document.createElement('div');
      row.style = 'display: grid; grid-template-columns: 40px 200px 106px 1fr';
      const { event } = JSON.parse(each.slice(6));
      for (const name of told) {
        row.append(Object.assign(document.createElement('span'), { textContent: event[name] }));
      }
      list.firstChild.append(row);
      if (list.firstChild.childNodes.length > 30) list.firstChild.firstChild.remove();
    }
    list.scrollTop = list.scrollHeight;
  });
};
"""
"""The least that a page can do with what arrives: as many rows and columns as ours, with each frame."""

_LOOK = """
() => {
  const seen = (window.caSeen = {});
  const look = () => {
    for (const row of document.querySelectorAll('.ca-Event')) {
      seen[row.dataset.event] ??= performance.timeOrigin + performance.now();
    }
    requestAnimationFrame(look);
  };
  look();
}
"""
"""Notes the first frame that begins with an event's row in the page: it was painted one before."""


def _frames(events: list[dict[str, Any]], execution: str) -> str:
    return "".join(f"data: {json.dumps({'execution_id': execution, 'event': each})}\n\n" for each in events)


def _ran(server: LiveServer, name: str) -> tuple[str, str]:
    """(project, execution) of a short run whose log something else is shown for."""
    made = project(server, name, {"text": "Short."})
    execution = server.request("POST", f"projects/{made}/execute", {"wait": True})[1]["execution_id"]
    return made, execution


def _fed(browser: Browser, server: LiveServer, made: str) -> Any:
    context = Lab.opened(browser, server)
    lab = context.__enter__()
    lab.page.add_init_script(_FEED)
    lab.open_project(made)
    lab.hide_sidebars()
    return context, lab


def scrolled(browser: Browser, server: LiveServer) -> None:
    made, execution = _ran(server, "Ten thousand")
    log = long_log(execution, EVENTS)
    rows = []
    context, lab = _fed(browser, server, made)
    try:
        lab.page.evaluate("text => window.caFeed(text)", _frames(log, execution))
        for view, (scroller, row) in VIEWS.items():
            tab(lab, view)
            lab.page.wait_for_function(
                "([list, row]) => document.querySelector(list)?.scrollHeight > 50000"
                " && document.querySelector(row)",
                arg=[scroller, row],
            )
            for how, words in (("wheel", "wheel"), ("jump", "jumps")):
                lab.page.wait_for_timeout(500)
                found: dict[str, Any] = lab.page.evaluate(_SCROLL, [scroller, row, how])
                assert found["moved"] > 5_000, f"{view}: it did not scroll"
                gaps: list[float] = found["gaps"]
                usual = f"median {median(gaps):.0f}, p95 {quantile(gaps, 0.95):.0f}"
                empty = f"empty in {found['blank']} of {len(gaps)}"
                worst = max(gaps)
                smooth = worst <= 50 and not found["blank"]
                value = f"worst {worst:.0f} ms ({usual}; {empty})"
                rows.append(Row(f"{view}, {words}", value, "", "≤ 50 ms, none empty", smooth))
    finally:
        context.__exit__(None, None, None)
    show(f"Monitor, {EVENTS:,} events scrolled", rows)


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
def _plain_log(browser: Browser) -> Iterator[_Fed]:
    """A page that does the least with the same events: the newest of them as lines of text."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    page.set_content("<body></body>")
    page.add_script_tag(content=_PLAIN_LOG)
    yield _Fed(page, "plain")
    context.close()


def _rounds(fed: _Fed, plain: _Fed, count: int) -> Iterator[tuple[int, int, int, float, float, float]]:
    """Of each round: frames dropped by the quiet page, the plain one and ours; our worst frame; the work of
    ours and the plain one, a frame. In ms."""
    events = _talk(A_SECOND * SECONDS * ROUNDS + 2 * A_SECOND)
    begin, rest = events[: 2 * A_SECOND], events[2 * A_SECOND :]
    fed.bear(begin, 400, 2)
    plain.bear(begin, 400, 2)
    for number in range(count):
        quiet = fed.bear([], 0, SECONDS)
        some = rest[number * A_SECOND * SECONDS :][: A_SECOND * SECONDS]
        works = []
        frames = []
        # What the machine does meanwhile meets neither of them always.
        turns = (plain, fed) if number % 2 else (fed, plain)
        for each in turns:
            before = each.working_ms()
            frames.append(each.bear(some, A_SECOND, SECONDS))
            works.append((each.working_ms() - before) / len(frames[-1]))
        if turns[0] is fed:
            frames.reverse()
            works.reverse()
        theirs, ours = frames
        yield _dropped(quiet), _dropped(theirs), _dropped(ours), max(ours), works[1], works[0]


def arriving(browser: Browser, server: LiveServer) -> None:
    """Frames that the machine drops are told from ours by the same page without events, by a plain page with
    the same events, and by repeating."""
    rows = []
    for view in ("Steps", "Events"):
        made, execution = _ran(server, f"Two hundred a second {view}")
        context, lab = _fed(browser, server, made)
        try:
            tab(lab, view)
            lab.page.wait_for_timeout(1_500)
            with _plain_log(browser) as plain:
                rounds = list(_rounds(_Fed(lab.page, execution), plain, ROUNDS))
            # All of them have arrived: the newest is in the page.
            turns = sum(each["type"] == "tool_call" for each in _talk(A_SECOND * (SECONDS * ROUNDS + 2)))
            lab.page.locator(VIEWS[view][1], has_text=f"cat {turns}").first.wait_for()
        finally:
            context.__exit__(None, None, None)
        quiet, theirs, ours, worst, work, least = (median(each) for each in zip(*rounds, strict=True))
        each_round = ", ".join(f"{mine} ({idle}, {plain})" for idle, plain, mine, *_ in rounds)
        rows.append(
            Row(
                f"{A_SECOND} events a second, {view}",
                f"{ours:.0f} of {SECONDS * 60} frames dropped (page without events {quiet:.0f}, plain page "
                f"with them {theirs:.0f}; rounds: {each_round}), worst {worst:.0f} ms, "
                f"work {work:.1f} ms a frame (plain {least:.1f})",
                f"{(ours + 1) / (max(quiet, theirs) + 1):.2f} × control",
                "none from us",
                ours <= max(quiet, theirs),
            )
        )
    show(f"Monitor, live, median of {ROUNDS}", rows)


def painted(browser: Browser, server: LiveServer) -> None:
    turns = [bash(f"echo step {number}") for number in range(TURNS)]
    made = project(server, "Painted", *turns, {"text": "All."})
    with Lab.opened(browser, server) as lab:
        lab.open_project(made)
        lab.hide_sidebars()
        lab.run()
        tab(lab, "Events")
        lab.page.evaluate(_LOOK)
        ended(lab)
        lab.page.wait_for_timeout(500)
        seen: dict[str, float] = lab.page.evaluate("() => window.caSeen")
        execution = server.request("GET", f"executions?project={made}")[1]["items"][0]["execution_id"]
        log = server.request("GET", f"executions/{execution}/events?limit=1000")[1]["items"]
    first = min(int(each) for each in seen)
    # Rows that were there when looking began say nothing; nor does one that scrolled by within a frame.
    late = [
        seen[str(event["id"])] - 1000 * datetime.fromisoformat(event["ts"]).timestamp()
        for event in log
        if event["id"] > first + 20 and str(event["id"]) in seen
    ]
    assert len(late) > TURNS, late
    p95 = quantile(late, 0.95)
    row = Row(
        "event on the server → painted",
        f"p50 {median(late):.0f} ms, p95 {p95:.0f} ms ({len(late)} events)",
        "",
        "p95 ≤ 200 ms",
        p95 <= 200,
    )
    show("Monitor, a real run", [row])
