"""A long run in the monitor: it follows the newest step until somebody scrolls up, and again when told to."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.lab import SLOW_MS, Lab
from tests.browser.test_monitor import bash, ended, project
from tests.browser.waiting import at_rest, until
from tests.support.live_server import LiveServer

TREE = ".ca-Tree-scroll"
FROM_END = f"""() => {{
  const tree = document.querySelector('{TREE}');
  return tree.scrollHeight - tree.clientHeight - tree.scrollTop;
}}"""
"""CSS pixels below what is seen."""


def test_scrolling_up_stops_following_and_its_button_takes_it_up_again(lab: Lab, server: LiveServer) -> None:
    steps = [bash(f"echo step {number}") for number in range(1, 9)]
    gate = bash("touch gate")
    asks = {"permissions": {"bash": "allow", "bash(touch *)": "ask"}}
    made = project(server, "Followed", *steps, gate, *steps, gate, *steps, {"text": "All of it."}, agent=asks)
    lab.open_project(made)
    lab.hide_sidebars()
    page = lab.page
    monitor = lab.monitor()
    question = monitor.get_by_role("region", name="bash waits for you")
    follow = monitor.get_by_role("button", name="Follow")

    def allow() -> None:
        """As another window would: nothing is clicked in this one."""
        state = until(
            page,
            lambda: server.request("GET", f"executions?project={made}")[1]["items"],
            lambda items: items and items[0]["approvals"],
        )[0]
        path = f"executions/{state['execution_id']}/approvals/{state['approvals'][0]['call_id']}"
        assert server.request("POST", path, {"decision": "allow"})[0] == 200

    lab.run()
    expect(question).to_be_in_viewport(ratio=0.5, timeout=SLOW_MS)
    page.wait_for_function(f"() => ({FROM_END})() < 2")
    expect(follow).to_have_count(0)

    monitor.locator(TREE).hover()
    page.mouse.wheel(0, -500)
    expect(follow).to_be_visible()
    tree = monitor.locator(TREE)
    at, high = at_rest(page, lambda: tree.evaluate("node => [node.scrollTop, node.scrollHeight]"))
    allow()
    page.wait_for_function(
        "([selector, high]) => document.querySelector(selector).scrollHeight > high + 300", arg=[TREE, high]
    )
    there = at_rest(page, lambda: tree.evaluate("node => node.scrollTop"))
    assert there == at, "it moved under the reader's eyes"
    expect(follow).to_be_visible()

    follow.click()
    expect(question).to_be_in_viewport(ratio=0.5, timeout=SLOW_MS)
    expect(follow).to_have_count(0)
    allow()
    ended(lab)
    expect(monitor.get_by_role("region", name=re.compile("^Result"))).to_be_in_viewport()
    page.wait_for_function(f"() => ({FROM_END})() < 2")
