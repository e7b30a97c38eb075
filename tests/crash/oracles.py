"""What must hold of executions after deaths, whoever died and how often: the oracles of all crash tests.

One log without gaps and with one end, no tool with an effect started twice, a ledger that never says
less than was charged, the workspace kept, no process and no lock left.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Protocol

import psutil

from cloutagent_ext.engine.tools.environment import MARKER
from cloutagent_ext.executions import journal


class Charges(Protocol):
    """The model's side of the account."""

    charged: float


def oracles(folder: Path, project: str, script: Charges, label: str) -> list[str]:
    """What is wrong in `folder` after the last life; empty where nothing is."""
    wrong = []
    data = folder / "data"
    folders = folders_of(data, project)
    accepted = list(folder.glob("*.accepted"))
    ids = {json.loads(path.read_text())["id"] for path in accepted}
    if missing := ids - {path.name for path in folders}:
        wrong.append(f"accepted and gone: {missing}")
    for each in folders:
        wrong += wrong_with(each, data)
        if (spent := ledger_of(events_of(each))) < script.charged - 1e-9:
            wrong.append(f"the ledger says {spent}, charged were {script.charged}")
    wrong += left_of({each.name for each in folders})
    return [f"{label}: {what}" for what in wrong]


def folders_of(data: Path, project: str) -> list[Path]:
    """Folders of the project's executions."""
    executions = data / "projects" / project / "executions"
    return [path for path in executions.iterdir() if len(path.name) == 36] if executions.exists() else []


def events_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_bytes().splitlines()]


def ledger_of(events: list[dict[str, Any]]) -> float:
    """What it says it has cost, with what may have been charged and is not known."""
    return float(
        events[-1]["total_cost_usd"]
        + sum(event.get("unsettled_cost_usd", 0.0) for event in events if event["type"] == "interrupted")
    )


def wrong_with(folder: Path, data: Path, *, given_up: bool = False) -> list[str]:
    """What is wrong with one that has ended. `given_up`: it may have been, after three deaths."""
    wrong = []
    events = events_of(folder)
    if [event["id"] for event in events] != list(range(1, len(events) + 1)):
        wrong.append("a gap in the log")
    kinds = Counter(event["type"] for event in events)
    if kinds["complete"] + kinds["error"] + kinds["cancelled"] != 1:
        wrong.append(f"not one end: {kinds}")
    last = events[-1]
    gave_up = given_up and last.get("code") == "INTERRUPTED"
    if gave_up and sum(event.get("died", False) for event in events) < 3:
        wrong.append("it was given up before three servers had died with it")
    if last["type"] not in ("complete", "cancelled") and not gave_up:
        wrong.append(f"it ended with {last}")
    if kinds["start"] != 1:
        wrong.append(f"{kinds['start']} starts")
    for kind in ("tool_call", "tool_result", "agent_start", "agent_complete"):
        spans = Counter(event["span"] for event in events if event["type"] == kind)
        if spans and max(spans.values()) > 1:
            wrong.append(f"{kind} told twice: {spans}")
    calls = {event["span"] for event in events if event["type"] == "tool_call"}
    results = {event["span"] for event in events if event["type"] == "tool_result"}
    if calls != results:
        wrong.append(f"calls without results: {calls - results}")
    if (folder / "owner").exists():
        wrong.append("somebody owns it still")
    state = json.loads((folder / "state.json").read_text())
    status = {"complete": "completed", "error": "failed", "cancelled": "cancelled"}.get(last["type"])
    if state["status"] != status or state["last_event_id"] != last["id"]:
        wrong.append(f"state.json says {state['status']} at {state['last_event_id']}")
    wrong += _wrong_with_tools(folder, data, events)
    return [f"{folder.name}: {what}" for what in wrong]


def _wrong_with_tools(folder: Path, data: Path, events: list[dict[str, Any]]) -> list[str]:
    """Of commands that each add one word to the file `made`."""
    wrong = []
    made = data / "temp" / folder.name / "workspace" / "made"
    done = Counter(made.read_text().split() if made.exists() else [])
    if doubled := {name for name, count in done.items() if count > 1}:
        wrong.append(f"done twice: {doubled}")
    recorded = {
        record["call_id"].removeprefix("call-")
        for record in journal.read(folder)
        if record["kind"] == "tool_done" and record["tool"] == "bash" and not record["result"].get("is_error")
    }
    if lost := recorded - set(done):
        wrong.append(f"the workspace has lost what was done: {lost}")
    unknown = sum(
        "outcome unknown" in json.dumps(event["output"]) for event in events if event["type"] == "tool_result"
    )
    if events[-1]["type"] == "complete" and len(done) + unknown < 4:
        wrong.append(f"something was neither done nor said to be unknown: {done}")
    return wrong


def left_of(executions: set[str]) -> list[str]:
    """Processes that any of these, which have ended, has left behind."""
    wrong = []
    for process in psutil.process_iter(["pid"]):
        try:
            if process.environ().get(MARKER) in executions:
                wrong.append(f"a process is left: {process.cmdline()}")
        except psutil.Error:
            continue
    return wrong
