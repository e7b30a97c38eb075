"""A server with days behind it: executions as they lie on disk, so that the dashboard has something to draw.

One real execution, played by a model that charges, is copied with other times, costs and ends.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloutagent_ext.executions.ids import Ids
from cloutagent_ext.schema.base import timestamp
from tests.support.live_server import LiveServer, live_server
from tests.support.messages_api import Call, Calls, Reply, Say
from tests.support.messages_thread import messages_api

DAYS = 9
"""How far back it goes."""
PROJECTS = ("Sales analyst", "Code reviewer", "Literature scout")


def answers(body: dict[str, Any], number: int) -> Reply:
    """A model that lists, asks its clerk, and answers."""
    if len(body["messages"]) > 5 or "clerk" not in json.dumps(body.get("tools")):
        return Say("Done: the south leads.")
    return (
        Calls([("bash", {"command": "ls"}), ("bash", {"command": "wc -l *"}), ("view", {"path": "a.csv"})]),
        Call("agent__clerk", {"prompt": "How sure is that?"}),
        Call("bash", {"command": "test -f report.md"}),
    )[len(body["messages"]) // 2]


@contextmanager
def server_with_a_past(folder: Path, *options: str, env: dict[str, str]) -> Iterator[LiveServer]:
    """JupyterLab on a data folder in which something has happened; nothing of it runs any more."""
    with messages_api(answers) as api:
        charged = (f"--CloutAgent.base_url={api.url}", "--CloutAgent.api_key=test-key")
        with live_server(folder, *charged, env=env) as running:
            seeds = [_run(running, name) for name in PROJECTS]
            data = running.data_dir
    chance = random.Random(7)
    ids = Ids()
    now = time.time()
    for day in range(DAYS, -1, -1):
        for place, seed in enumerate(seeds):
            for _ in range(
                chance.randint(1, 7 - 2 * place) if day % 7 not in (4, 5) else chance.randint(0, 1)
            ):
                moment = now - day * 86_400 - chance.random() * min(6 * 3600, now % 86_400)
                _copy(data, seed, ids, moment, chance)
    with live_server(folder, *options, app="lab", env=env) as running:
        yield running


def _run(server: LiveServer, name: str) -> tuple[str, str]:
    """(project, execution) of a run that has ended."""
    made = server.create_project(name, "empty")
    definition = made | {
        "agent": made["agent"]
        | {"task": "Who leads?", "tools": ["bash", "view"], "permissions": {"bash": "allow"}},
        "subagents": [
            {
                "id": "clerk", "name": "Clerk", "description": "counts", "prompt": "Count.",
                "model": "claude-haiku-5-5" if name == PROJECTS[0] else None,
            }
        ],
    }  # fmt: skip
    definition.pop("api_key")
    status, said = server.request("PUT", f"projects/{made['id']}", definition)
    assert status == 200, said
    server.put_file(made["id"], "a.csv", "region,revenue\nsouth,3\n")
    status, state = server.request("POST", f"projects/{made['id']}/execute", {"wait": True})
    assert (status, state["status"]) == (200, "completed"), state
    return made["id"], state["execution_id"]


def _copy(data: Path, seed: tuple[str, str], ids: Ids, moment: float, chance: random.Random) -> None:
    """The execution once more, at another time, for another price, now and then with another end."""
    project, execution = seed
    folder = data / "projects" / project / "executions"
    spec = json.loads((folder / execution / "spec.json").read_text())
    lines = (folder / execution / "events.jsonl").read_text().splitlines()
    events = [{k: v for k, v in json.loads(line).items() if k != "crc"} for line in lines]
    name = _id_at(ids, moment)
    factor, lasts_s = chance.uniform(2, 60), chance.uniform(6, 240)
    first, last = (datetime.fromisoformat(event["ts"]).timestamp() for event in (events[0], events[-1]))
    # However long it took on a busy machine: its copies take as long as any others.
    slower = lasts_s / max(last - first, 0.001)
    for event in events:
        after = (datetime.fromisoformat(event["ts"]).timestamp() - first) * slower
        event["ts"] = timestamp(datetime.fromtimestamp(moment + after, UTC))
        if "execution_id" in event:
            event["execution_id"] = name
        for field in ("usage", "turn_usage"):
            if event.get(field):
                event[field] = {each: round(count * factor) for each, count in event[field].items()}
        for field in ("total_cost_usd", "turn_cost_usd"):
            if event.get(field):
                event[field] *= factor
        if "duration_ms" in event:
            event["duration_ms"] = round(event["duration_ms"] * slower)
    end = events[-1]
    if (luck := chance.random()) < 0.08:
        end |= {
            "type": "error",
            "code": chance.choice(["COST_LIMIT_EXCEEDED", "TIMEOUT"]),
            "message": "Enough.",
        }
    elif luck < 0.12:
        end |= {"type": "cancelled", "by": "ada"}
    spec |= {"execution_id": name, "created_at": events[0]["ts"]}
    (folder / name).mkdir()
    (folder / name / "spec.json").write_text(json.dumps(spec))
    (folder / name / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))


def _id_at(ids: Ids, moment: float) -> str:
    """An id as one would have been made at `moment`."""
    made = ids.new()
    stamp = f"{int(moment * 1000):012x}"
    return f"{stamp[:8]}-{stamp[8:]}-{made[14:]}"
