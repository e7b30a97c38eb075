"""A thousand servers on one data folder, one after another, each killed at a random moment.

Each takes over what the one before was at, gets some work of its own, and dies: before it listens, while
it recovers, in the middle of an answer, of a tool, of an end. What must hold of each execution that has
ended is looked at behind every death, what must hold of all of them behind the last.

In `make test` a short chain; in `make nightly` a thousand deaths (CLOUTAGENT_DEATHS), at moments that
CLOUTAGENT_SEED says.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.executions import records
from tests.crash.delivery import Delivery
from tests.crash.oracles import events_of, folders_of, ledger_of, left_of, wrong_with
from tests.crash.test_failpoints import Script
from tests.support.live_server import LiveServer
from tests.support.messages_api import Failure, Reply, Say
from tests.support.messages_thread import messages_api

from .test_deaths import create, until_all_ended

FEW = 4
DEATHS = int(os.environ.get("CLOUTAGENT_DEATHS", 1000))
UNHEARD = 0.15
"""Part of the servers that die before they listen."""
LIVES = 3.5
"""The longest life of the others, in the time that a start takes here and now: a busy machine does less in
a second."""
MOST_OPEN = 4
"""Executions that have not ended; with so many, nothing new is asked for."""
MADE_WITHIN_S = 120
"""Longest that the empty folder of one that was never accepted may lie there while servers come and go."""
_NAME = re.compile(r"work-\d+")
_DEAD = (OSError, ValueError, http.client.HTTPException)
"""What a caller meets whose server dies."""


class Accounts(Script):
    """The same agent for every execution; knows by its prompt's name which of them pays."""

    def __init__(self) -> None:
        super().__init__()
        self.paid: Counter[str] = Counter()

    def __call__(self, body: dict[str, Any], number: int) -> Reply | Failure:
        found = _NAME.search(json.dumps(body["messages"]))
        assert found, "every conversation carries its name"
        name, before = found[0], self.charged
        reply = super().__call__(body, number)
        assert isinstance(reply, Reply)
        self.paid[name] += self.charged - before
        for block in reply.blocks:  # what begins a conversation anew has to name it, too
            if block["type"] == "text":
                block["text"] += f" ({name})"
            elif block["name"] == "agent__helper":
                block["input"] = {"prompt": f"help-me ({name})"}
        return reply

    def _reply(self, body: dict[str, Any]) -> Reply:
        try:
            return super()._reply(body)
        except IndexError:  # the last command's output was lost with its server: too little to be summarised
            return Say("All done.")


class Chain:
    """The data folder, what callers were told of it, and what each execution's log held last."""

    def __init__(self, folder: Path, url: str, moments: random.Random) -> None:
        self.folder, self.data, self.moments = folder, folder / "data", moments
        self.project = create(folder)
        self.delivery = Delivery()
        self.options = (
            f"--CloutAgent.base_url={url}", "--CloutAgent.api_key=test-key",
            "--ServerApp.log_level=WARN",
        )  # fmt: skip
        self.begun = 0
        self.told: dict[str, str] = {}
        """Name of a piece of work → its execution, once a server has said so."""
        self.asked: set[str] = set()
        """Names that were asked for; without an answer, they are asked for again under the same key."""
        self.seen: dict[str, dict[int, dict[str, Any]]] = {}
        """Execution → events that a stream has shown."""
        self.logs: dict[str, bytes] = {}
        self.ended: set[str] = set()
        self.unheard = 0
        """Servers that died before they listened."""
        self.start_s = 1.5
        """How long the last start took."""

    # ------------------------------------------------------------ one life

    def life(self) -> None:
        server = self.delivery.serve(self.folder / "server", *self.options, data_dir=self.data)
        early, part, began = self.moments.random() < UNHEARD, self.moments.random(), time.monotonic()
        doomed = threading.Timer(part * (1 if early else LIVES) * self.start_s, server.process.kill)
        if early:
            doomed.start()
        try:
            if self._listens(server, doomed if early else None):
                self.start_s = time.monotonic() - began
                if not early:
                    doomed.start()
                with contextlib.suppress(*_DEAD):
                    self._work(server)
            else:
                self.unheard += 1
            doomed.join()
        finally:
            server.process.kill()
            assert server.process.wait() == -9, server.log()[-3000:]

    def last(self) -> None:
        """One that may live until all is done."""
        server = self.delivery.serve(self.folder / "server", *self.options, data_dir=self.data)
        try:
            assert self._listens(server, None), server.log()[-3000:]
            for name in sorted(self.asked - set(self.told)):
                self._ask(server, name)
            until_all_ended(server, within_s=300)
            _, page = server.request("GET", "executions?limit=1000")
            _, metrics = server.request("GET", "metrics?window=24h")
            assert len(page["items"]) == min(1000, len(self.folders())), "each is listed"
            counted = Counter(each.name for each in self.folders())
            assert sum(metrics["executions"].values()) == counted.total(), "and counted once"
        finally:
            server.process.kill()
            server.process.wait()

    def _listens(self, server: LiveServer, doomed: threading.Timer | None) -> bool:
        deadline = time.monotonic() + 120
        while doomed is None or doomed.is_alive():
            try:
                with urllib.request.urlopen(f"{server.url}cloutagent/api/health", timeout=10):
                    return True
            except _DEAD:
                assert time.monotonic() < deadline, server.log()[-3000:]
                time.sleep(0.02)
        return False

    def _work(self, server: LiveServer) -> None:
        """Ask for more until it dies, and read along."""
        for name in sorted(self.asked - set(self.told)):
            self._ask(server, name)
        while True:
            opened = [each for each in self.folders() if (each / "owner").exists()]
            if len(opened) < MOST_OPEN:
                self.begun += 1
                opened.append(self._ask(server, f"work-{self.begun}"))
            self._read_along(server, self.moments.choice(opened).name)

    def _ask(self, server: LiveServer, name: str) -> Path:
        self.asked.add(name)
        body = {"prompt": f"Go, {name}.", "metadata": {"name": name}}
        path = f"projects/{self.project}/execute"
        status, accepted = server.request("POST", path, body, **{"Idempotency-Key": name})
        assert status == 202, accepted
        self.told[name] = accepted["execution_id"]
        return self.data / "projects" / self.project / "executions" / accepted["execution_id"]

    def _read_along(self, server: LiveServer, execution: str) -> None:
        """What a stream shows has happened, whoever dies next."""
        seen = self.seen.setdefault(execution, {})
        url = f"{server.api}/executions/{execution}/stream?from_event={len(seen) + 1}"
        request = urllib.request.Request(url, headers={"Authorization": f"token {server.token}"})
        with urllib.request.urlopen(request, timeout=60) as stream:
            for line in stream:
                if line.startswith(b"data:"):
                    event = json.loads(line[5:])
                    assert event["id"] == len(seen) + 1, "each once, in order"
                    seen[event["id"]] = event

    # ------------------------------------------------------------ what must hold

    def folders(self) -> list[Path]:
        """Those of executions, and what a death in the making of one has left too long."""
        folders = folders_of(self.data, self.project)
        return [each for each in folders if (each / records.SPEC).exists() or _age_s(each) > MADE_WITHIN_S]

    def wrong(self) -> list[str]:
        """Between two servers: of what has ended since, and of what was told of the others."""
        wrong, fresh = [], set()
        there = {each.name: each for each in self.folders()}
        if lost := set(self.told.values()) - set(there):
            wrong.append(f"accepted and gone: {lost}")
        for name, folder in there.items():
            if name in self.ended:
                continue
            log = (folder / "events.jsonl").read_bytes() if (folder / "events.jsonl").exists() else b""
            before, whole = self.logs.get(name, b""), log[: log.rfind(b"\n") + 1]
            if not whole.startswith(before):
                wrong.append(f"{name}: its log is not what it was")
            self.logs[name] = whole
            written = [json.loads(line) for line in whole.splitlines()]
            for number, event in self.seen.get(name, {}).items():
                if number > len(written) or {**written[number - 1], "crc": None} != {**event, "crc": None}:
                    wrong.append(f"{name}: event {number} was shown, and is gone or another")
            if whole and not (folder / "owner").exists():
                wrong += wrong_with(folder, self.data, given_up=True)
                fresh.add(name)
        self.ended |= fresh
        return wrong + (left_of(self.ended) if fresh else [])

    def wrong_at_the_end(self, script: Accounts) -> list[str]:
        wrong = self.wrong()
        names: Counter[str] = Counter()
        for each in self.folders():
            spec, events = records.read_spec(each), events_of(each)
            names[name := spec.metadata["name"]] += 1
            if each.name not in self.ended:
                wrong.append(f"{each.name} has no end")
            if (each / "events.jsonl").read_bytes() != self.logs[each.name]:
                wrong.append(f"{each.name} had ended, and goes on")
            if ledger_of(events) < script.paid[name] - 1e-9:
                wrong.append(f"{name}: the ledger says {ledger_of(events)}, paid were {script.paid[name]}")
        if twice := {name for name, count in names.items() if count > 1}:
            wrong.append(f"asked for once, begun twice: {twice}")
        if missing := self.asked - set(names):
            wrong.append(f"asked for until it was answered, and not there: {missing}")
        return wrong + left_of({each.name for each in self.folders()})


def _age_s(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def chain(folder: Path, seed: int) -> Iterator[tuple[Chain, Accounts]]:
    script = Accounts()
    with messages_api(script) as api:
        made = Chain(folder, api.url, random.Random(seed))
        try:
            yield made, script
        finally:
            made.delivery.close()


def die(folder: Path, deaths: int, seed: int) -> None:
    label = f"CLOUTAGENT_SEED={seed} CLOUTAGENT_DEATHS={deaths}"
    with chain(folder, seed) as (made, script):
        for number in range(deaths):
            made.life()
            assert (found := made.wrong()) == [], f"{label}, behind death {number + 1}: {found}"
        made.last()
        assert (found := made.wrong_at_the_end(script)) == [], f"{label}, at the end: {found}"
        ends = Counter(events_of(each)[-1]["type"] for each in made.folders())
        sittings = Counter(event["type"] for each in made.folders() for event in events_of(each))
        print(
            f"{label}: {ends.total()} executions, {dict(ends)}, {sittings['interrupted']} interruptions, "
            f"{sittings['tool_result']} tool results, {made.unheard} servers died before they listened"
        )
        if deaths > FEW:
            assert ends["complete"] >= ends.total() / 3, "many come to their end, or this shows nothing"
            assert sittings["interrupted"] >= deaths / 4, "and many deaths hit one that runs"


@pytest.mark.timeout(300)
def test_servers_that_die_one_after_another_lose_and_repeat_nothing(tmp_path: Path) -> None:
    die(tmp_path, FEW, 1)


@pytest.mark.nightly
@pytest.mark.timeout(6 * 3600)
def test_a_thousand_servers_that_die_lose_and_repeat_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("CLOUTAGENT_SEED", time.time()))
    die(tmp_path, DEATHS, seed)
