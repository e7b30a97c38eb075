"""However an execution ended: its log has one result for each of its tool calls. Looked at in all of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from cloutagent_ext.schema.events import ENDINGS


def unanswered(data_dir: Path) -> list[str]:
    """What is wrong with the executions on a data folder, so far as their logs can be read."""
    wrong = []
    for path in data_dir.glob("projects/*/executions/*/events.jsonl"):
        try:
            events = [json.loads(line) for line in path.read_bytes().splitlines()]
        except (OSError, ValueError):
            continue  # deleted meanwhile, or damaged on purpose
        if not events or events[-1]["type"] not in ENDINGS:
            continue
        calls, results = (
            Counter(event["span"] for event in events if event["type"] == kind)
            for kind in ("tool_call", "tool_result")
        )
        if calls != results:
            wrong.append(f"{path.parent.name}: calls {calls}, results {results}, at the end {events[-1]}")
    return wrong
