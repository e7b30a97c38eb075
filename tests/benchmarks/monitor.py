"""The execution monitor in a real browser: ten thousand events scrolled, and how long after an event its row
is painted. Called by `browser`. Not here: two hundred events a second (`flood`).

For the first the panel's own stream reader is handed events that no run would have to make; the second is a
run on the server, its events' times and the page's by the same clock.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from playwright.sync_api import Browser

from tests.browser.lab import Lab
from tests.browser.test_connection import long_log
from tests.browser.test_monitor import bash, ended, project, tab
from tests.support.live_server import LiveServer

from .table import Row, median, quantile, show

EVENTS = 10_000
TURNS = 40
VIEWS = {
    "Steps": (".ca-Tree-scroll", ".ca-Row"),
    "Timeline": (".ca-Timeline-scroll", ".ca-Bar"),
    "Events": (".ca-Events-scroll", ".ca-Event"),
}

FEED = """
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


def ran(server: LiveServer, name: str) -> tuple[str, str]:
    """(project, execution) of a short run whose log something else is shown for."""
    made = project(server, name, {"text": "Short."})
    execution = server.request("POST", f"projects/{made}/execute", {"wait": True})[1]["execution_id"]
    return made, execution


def fed(browser: Browser, server: LiveServer, made: str) -> Any:
    context = Lab.opened(browser, server)
    lab = context.__enter__()
    lab.page.add_init_script(FEED)
    lab.open_project(made)
    lab.hide_sidebars()
    return context, lab


def scrolled(browser: Browser, server: LiveServer) -> None:
    made, execution = ran(server, "Ten thousand")
    log = long_log(execution, EVENTS)
    rows = []
    context, lab = fed(browser, server, made)
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
