"""An execution as an executed notebook: the reasoning as Markdown, each tool call a cell with its output.

Subagents are sections inside the call that started them, whatever ran side by side. Run again in a
folder that holds the project's files, the cells do what the agent did, without any model. Pure: from
the events to nbformat 4.5. Not here: single calls (`cells`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..schema.base import JsonObject
from ..schema.execution import ExecutionState
from . import cells
from .cells import FILE_TOOLS, ReadFile, markdown
from .source import functions

Event = Mapping[str, Any]

_LANGUAGE = {"name": "python", "mimetype": "text/x-python", "file_extension": ".py"}
_KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}


def notebook(state: ExecutionState, events: Iterable[Event], read: ReadFile, *, version: str) -> JsonObject:
    """The notebook, as JSON of nbformat 4.5. `version`: of the product."""
    run = _Run(list(events), read)
    found = [markdown(_head(state)), *run.helpers(), *run.agent("main", 2), *_end(state)]
    for number, cell in enumerate(found):
        digest = hashlib.sha256(f"{state.execution_id}/{number}".encode()).hexdigest()
        cell["id"] = digest[:16]
    about = {
        "execution_id": state.execution_id,
        "project_id": state.project_id,
        "project_name": state.project_name,
        "version": state.version,
        "model": state.model,
        "status": state.status,
        "simulated": state.simulated,
        "replay": state.replay,
        "total_cost_usd": state.total_cost_usd,
        "usage": state.usage.model_dump(),
        "created_at": state.created_at,
        "ended_at": state.ended_at,
        "written_by": f"CloutAgent {version}",
    }
    return {
        "cells": found,
        "metadata": {"kernelspec": _KERNEL, "language_info": _LANGUAGE, "cloutagent": about},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


class _Run:
    """The events of one execution, by agent and call."""

    def __init__(self, events: list[Event], read: ReadFile) -> None:
        self._read = read
        self._of: dict[str, list[Event]] = {}
        self._results: dict[str, Event] = {}
        self._inside: dict[str, list[str]] = {}
        """Span of a call → agents that it started."""
        self._tools: set[str] = set()
        for event in events:
            agent, kind = event.get("agent", "main"), event["type"]
            self._of.setdefault(agent, []).append(event)
            if kind == "tool_result":
                self._results[event["span"]] = event
            elif kind == "tool_call":
                self._tools.add(event["tool"])
            elif kind == "agent_start" and agent != "main":
                self._inside.setdefault(event["span"].rpartition("/")[0], []).append(agent)

    def helpers(self) -> list[JsonObject]:
        """The functions that cells of file tools call, where there are any."""
        used = [name for name in FILE_TOOLS if name in self._tools]
        if not used:
            return []
        needed = ["inside", *used]
        imports = ("import re\n" if "grep" in used else "") + "from pathlib import Path\n\n\n"
        names = "\n".join(f"_{name} = {name}" for name in used)
        said = "# What the file tools of this run do, for the cells below.\n"
        source = f"{said}{imports}{functions('file_tools', needed)}\n\n{names}"
        return [cells.code(source, [], tags=["cloutagent-helpers"])]

    def agent(self, name: str, level: int) -> list[JsonObject]:
        """Everything one agent said and did, its subagents inside."""
        found: list[JsonObject] = []
        pieces: list[str] = []
        for event, void in _without_void(self._of.get(name, [])):
            kind = event["type"]
            if kind == "agent_start":
                title = "Task" if name == "main" else f"{event['name']} ({name})"
                found.append(markdown(f"{'#' * level} {title}\n\n{_quoted(event['prompt'])}"))
            elif kind in ("text", "thinking"):
                if void:
                    continue
                pieces.append(event["content"])
                if event["final"]:
                    said, pieces = "".join(pieces).strip(), []
                    if said:
                        found.append(markdown(said if kind == "text" else f"**Thinking**\n\n{_quoted(said)}"))
            elif kind == "tool_call":
                found += self._call(event, level)
            elif (note := _note(event)) is not None:
                found.append(markdown(note))
        return found

    def _call(self, event: Event, level: int) -> list[JsonObject]:
        result = self._results.get(event["span"])
        if event["source"] != "subagent":
            return [cells.of_call(event, result, self._read)]
        found: list[JsonObject] = []
        for agent in self._inside.get(event["span"], []):
            found += self.agent(agent, min(level + 1, 6))
        if not found:  # it never began: what was said instead
            text = "" if result is None else " ".join(p.get("text", "") for p in result["output"])
            return [markdown(f"**{event['tool']}** was called, and did not begin.\n\n{_quoted(text)}")]
        return found


def _without_void(events: list[Event]) -> list[tuple[Event, bool]]:
    """Each event, and whether it is a piece of a try that failed: RETRYING makes its turn's pieces void."""
    void: set[int] = set()
    for index, event in enumerate(events):
        if event["type"] == "warning" and event["code"] == "RETRYING":
            for before in range(index - 1, -1, -1):
                if events[before].get("span") != event["span"]:
                    break
                if events[before]["type"] in ("text", "thinking"):
                    void.add(before)
    return [(event, index in void) for index, event in enumerate(events)]


def _note(event: Event) -> str | None:
    """What else a reader should know of a run."""
    match event["type"]:
        case "warning":
            return f"> ⚠ **{event['code']}** {_one_line(event['message'])}"
        case "approval":
            return (
                f"> A call was {'allowed' if event['decision'] == 'allow' else 'refused'} by {event['by']}."
            )
        case "hook" if event["outcome"] != "allow":
            said = _one_line(event["message"])
            return f"> Hook **{event['hook']}** on {event['on']}: {event['outcome']}. {said}"
        case "interrupted":
            return f"> Interrupted: {_one_line(event['why'])}"
        case "resumed":
            return f"> Resumed by {event['by']} (attempt {event['attempt']})."
    return None


def _head(state: ExecutionState) -> str:
    usage = state.usage
    tokens = usage.counted + usage.cache_read_input_tokens
    cost = "unknown" if state.total_cost_usd is None else f"{state.total_cost_usd:.4f} US dollars"
    played = "simulated, no model was asked" if state.simulated else ""
    played = f"replay of the cassette {state.replay}" if state.replay else played
    rows = [
        ("execution", f"`{state.execution_id}`"),
        ("started", state.started_at or state.created_at),
        ("version", str(state.version)),
        ("model", f"`{state.model}`{f' ({played})' if played else ''}"),
        ("tokens", f"{tokens:,}"),
        ("cost", cost),
        ("status", state.status),
    ]
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
    return (
        f"# {_one_line(state.project_name)}\n\n{table}\n\n"
        "This notebook tells what the agent did, with the outputs of that run. To run its cells again, put "
        "it into a folder with the project's files. No model is asked then: the cells are the tool calls. "
        "Each shell cell begins in this folder."
    )


def _end(state: ExecutionState) -> list[JsonObject]:
    found = []
    if state.error is not None:
        found.append(markdown(f"## It failed: {state.error.code}\n\n{_quoted(state.error.message)}"))
    elif state.status != "completed":
        found.append(markdown(f"## It was {state.status}"))
    if state.result is not None and (state.result.text or state.result.data is not None):
        title = "## Answer" if state.status == "completed" else "## What there was by then"
        if state.result.data is not None:
            body = f"```json\n{json.dumps(state.result.data, indent=1, ensure_ascii=False)}\n```"
        else:
            body = state.result.text
        found.append(markdown(f"{title}\n\n{body}"))
    return found


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines()) or "> "


def _one_line(text: str) -> str:
    return " ".join(text.split())
