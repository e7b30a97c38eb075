"""A server whose data folder turns read-only under executions: how they end, what goes on, what is back.

`python -m tests.crash.read_only_folder <folder>`, for `test_real_disks`, in a mount namespace of its own.
Prints `done` at the end.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.live_server import LiveServer, live_server

from .full_disk import mount

SOON_S = 60


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SOON_S
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not come true in time")
        time.sleep(0.05)
    return found


def check(found: object, *wanted: object) -> None:
    if found not in wanted:
        raise AssertionError(f"{found!r}, not one of {wanted!r}")


def health(server: LiveServer) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"{server.url}cloutagent/api/health", timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.loads(refusal.read())


def scripted(server: LiveServer, name: str, *commands: str) -> str:
    made = server.create_project(name, None)
    made.pop("api_key")
    made["agent"] |= {"tools": ["bash"], "permissions": {"bash": "allow"}, "task": "Do it."}
    check(server.request("PUT", f"projects/{made['id']}", made)[0], 200)
    turns: list[dict[str, Any]] = [
        {"text": "Now.", "tools": [{"name": "bash", "as": f"a{n}", "input": {"command": each}}]}
        for n, each in enumerate(commands)
    ]
    played = {"schema_version": 1, "agents": {"main": [*turns, {"text": "Done."}]}}
    server.put_file(made["id"], "scenario.json", played)
    return str(made["id"])


def execute(server: LiveServer, project: str) -> str:
    status, accepted = server.request("POST", f"projects/{project}/execute", {"prompt": "Go."})
    check(status, 202)
    return str(accepted["execution_id"])


def state(server: LiveServer, execution: str) -> Any:
    status, found = server.request("GET", f"executions/{execution}")
    check(status, 200)
    return found


def ended(server: LiveServer, execution: str) -> Any:
    return until(lambda: (now := state(server, execution))["status"] in ("completed", "failed") and now)


def main(folder: Path) -> None:
    gate = folder / "gate"
    options = ("--CloutAgent.simulated_pace=0", "--CloutAgent.isolation=off", "--CloutAgent.max_running=2")
    with live_server(folder, *options) as server:
        waits = f"until [ -e {gate} ]; do sleep 0.05; done"
        project = scripted(server, "Runs", waits, "echo more")
        doomed = scripted(server, "Doomed", "sleep 600")
        goes_on, cancelled = execute(server, project), execute(server, doomed)
        for each in (goes_on, cancelled):
            until(lambda each=each: "bash" in (state(server, each)["current_step"] or ""))
        waiting = execute(server, project)
        check(state(server, waiting)["status"], "queued")

        data = str(server.data_dir)
        mount("--bind", data, data)
        mount("-o", "remount,bind,ro", data)

        # Said loudly, and new work refused by its name.
        status, said = health(server)
        check((status, said["status"]), (503, "unavailable"))
        if "cannot be written" not in said["reason"]:
            raise AssertionError(said)
        for method, path, body in (
            ("POST", f"projects/{project}/execute", {"prompt": "Go."}),
            ("POST", "projects", {"name": "New"}),
            ("PUT", f"projects/{project}", {"name": "Runs", "description": "new"}),
            ("POST", f"projects/{project}/secrets", {"name": "TOKEN", "value": "a value"}),
            ("POST", f"projects/{project}/keys", {"name": "k"}),
            ("POST", "backups", None),
        ):
            status, refused = server.request(method, path, body)
            check((path, status, refused["error"]["code"]), (path, 503, "READ_ONLY"))

        # Reading goes on, and so does cancelling.
        for path in ("projects", f"projects/{project}", "executions", f"executions/{goes_on}/events",
                     f"executions/{goes_on}/files", "metrics?window=1h", "backups"):  # fmt: skip
            check((path, server.request("GET", path)[0]), (path, 200))
        check(server.request("POST", f"executions/{cancelled}/cancel")[0], 200)
        until(lambda: state(server, cancelled)["status"] == "cancelled")

        # What runs goes on where it can; what cannot begin says why.
        gate.touch()
        last = ended(server, goes_on)
        check(
            (last["status"], (last["error"] or {}).get("code")), ("completed", None), ("failed", "READ_ONLY")
        )
        late = ended(server, waiting)
        check((late["status"], late["error"]["code"]), ("failed", "READ_ONLY"))

        subprocess.run(["umount", data], check=True)

        # It can be written again: no restart is needed, and nothing is lost.
        until(lambda: health(server)[0] == 200)
        gate.touch()
        check(ended(server, execute(server, project))["status"], "completed")
        status, again = server.request("POST", f"executions/{waiting}/resume", {})
        check(status, 202)
        check(ended(server, again["execution_id"])["status"], "completed")
        for each in (goes_on, cancelled, waiting):
            _, page = server.request("GET", f"executions/{each}/events")
            ids = [event["id"] for event in page["items"]]
            check(ids, list(range(1, len(ids) + 1)))
            kinds = [event["type"] for event in page["items"]]
            check(sum(kinds.count(kind) for kind in ("complete", "error", "cancelled")), 1)
        check([row["name"] for row in server.request("GET", "projects")[1]["items"]].count("New"), 0)
        made = server.request("GET", f"projects/{project}")[1]
        check(made["description"], "")
        left = [path for path in server.data_dir.rglob("*") if path.name.endswith(".tmp")]
        check(left, [])
    print("done")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
