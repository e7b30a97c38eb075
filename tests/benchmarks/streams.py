"""A hundred readers of one execution, some stalled or slow; many executions at once; the event loop.

Times are from an event's own time stamp to its arrival, on one machine's clock. Seconds of the herd:
the environment variable CLOUTAGENT_BENCH_S (60).
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import psutil

from tests.support.live_server import LiveServer, live_server

from .store import lag
from .table import Row, median, quantile, show

SECONDS = float(os.environ.get("CLOUTAGENT_BENCH_S", 60))
READERS, STALLED, SLOW = 100, 10, 10
PACE = 40
"""Words a second, in 20 events a second."""
AT_ONCE = 200
RUNNING = 50


@dataclass
class Reader:
    """One connection; what it has seen."""

    ids: list[int] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    ended: bool = False


async def connect(server: LiveServer, path: str, buffer: int | None = None) -> Any:
    """A stream's connection behind its headers. `buffer`: a small one, so that a pause is felt."""
    port = int(server.url.rsplit(":", 1)[1].strip("/"))
    sock = socket.socket()
    if buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock)
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: token {server.token}\r\n\r\n"
    writer.write(head.encode())
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def read(server: LiveServer, path: str, into: Reader, *, pause_s: float = 0.0) -> None:
    reader, writer = await connect(server, path, 4096 if pause_s else None)
    while line := await reader.readline():
        if not line.startswith(b"data:"):
            continue
        now = time.time()
        event = json.loads(line[5:])
        into.ids.append(event["id"])
        into.late.append(now - datetime.fromisoformat(event["ts"]).timestamp())
        if event["type"] in ("complete", "error", "cancelled"):
            into.ended = True
            break
        if pause_s:
            await asyncio.sleep(pause_s)
    writer.close()


async def herd(server: LiveServer) -> list[Row]:
    project = prepared(server, "Talks", "abcdefghijklmnopqrstuvwxyz " * int(SECONDS * PACE))
    _, accepted = server.request("POST", f"projects/{project}/execute", {"prompt": "Go."})
    path = f"/cloutagent/api/v1/executions/{accepted['execution_id']}/stream"
    process = psutil.Process(server.process.pid)
    healthy = [Reader() for _ in range(READERS - STALLED - SLOW)]
    slow = [Reader() for _ in range(SLOW)]
    stalled = [await connect(server, path, 4096) for _ in range(STALLED)]
    for reader, _ in stalled:
        reader._transport.pause_reading()
    tasks = [asyncio.create_task(read(server, path, each)) for each in healthy]
    tasks += [asyncio.create_task(read(server, path, each, pause_s=0.04)) for each in slow]
    await asyncio.sleep(2)
    before = process.memory_info().rss
    most = before
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0.5)
        most = max(most, process.memory_info().rss)
    for task in tasks:
        task.result()
    for _, writer in stalled:
        writer.close()
    late = [each for reader in healthy for each in reader.late[5:]]
    readers = healthy + slow
    gaps = sum(max(reader.ids) - len(set(reader.ids)) for reader in readers)
    doubled = sum(len(reader.ids) - len(set(reader.ids)) for reader in readers)
    unended = sum(not reader.ended for reader in readers)
    p50, p99, worst = median(late) * 1000, quantile(late, 0.99) * 1000, max(late) * 1000
    rate = len(healthy[0].ids) / SECONDS
    grown = (most - before) / 2**20
    what = f"{READERS} streams, {STALLED} stalled, {SLOW} slow, {SECONDS:.0f} s, {rate:.0f} events a second"
    return [
        Row(f"{what}: event to reader", f"p50 {p50:.0f} ms", "", "p50 ≤ 50 ms", p50 <= 50),
        Row("", f"p99 {p99:.0f} ms, worst {worst:.0f}", "", "≤ 250 ms, ≤ 1 s", p99 <= 250 and worst <= 1000),
        Row(
            "gaps, duplicates, streams without an end",
            f"{gaps}, {doubled}, {unended}", "", "0, 0, 0", gaps == doubled == unended == 0,
        ),
        Row("memory of the server meanwhile", f"+{grown:.1f} MB", "", "≤ 64 MB", grown <= 64),
    ]  # fmt: skip


def prepared(server: LiveServer, name: str, text: str, **more: Any) -> str:
    """A project whose agent says `text`."""
    made = server.create_project(name, None)
    definition = (
        made
        | more
        | {
            "agent": made["agent"] | {"max_tokens": 60_000, "tools": []},
            "limits": made["limits"] | {"max_tokens": 10_000_000, "max_cost_usd": None},
        }
    )
    del definition["api_key"]
    status, answer = server.request("PUT", f"projects/{made['id']}", definition)
    assert status == 200, answer
    turns = {"schema_version": 1, "agents": {"main": [{"text": text}]}}
    server.put_file(made["id"], "scenario.json", turns)
    return str(made["id"])


async def together(server: LiveServer) -> Row:
    """Short executions, all asked for at once by callers that wait."""
    queue = {"max_concurrent": 100, "max_queue": 100}
    projects = [prepared(server, name, "Hello.", queue=queue) for name in ("Short", "Also short")]
    urls = [f"{server.api}/projects/{project}/execute" for project in projects]
    limits = httpx2.Limits(max_connections=None)
    headers = {"Authorization": f"token {server.token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=300, limits=limits, trust_env=False) as http:
        (await http.post(urls[0], json={"prompt": "Hello", "wait": True})).raise_for_status()
        began = time.perf_counter()
        answers = await asyncio.gather(
            *(http.post(urls[n % 2], json={"prompt": "Hello", "wait": True}) for n in range(AT_ONCE))
        )
        took = time.perf_counter() - began
    done = sum(answer.status_code == 200 and answer.json()["status"] == "completed" for answer in answers)
    return Row(
        f"{AT_ONCE} short executions at once",
        f"{took:.1f} s, {done} completed, {AT_ONCE / took:.0f} a second", "", f"all {AT_ONCE}",
        done == AT_ONCE,
    )  # fmt: skip


async def loop_lag(folder: Path, seconds: float = 10.0) -> Row:
    """How late a server's event loop is while `RUNNING` executions speak, in this process."""
    from cloutagent_ext.auth.principal import Principal
    from cloutagent_ext.garbage import Settled
    from cloutagent_ext.jupyter.kernels import LocalKernels
    from cloutagent_ext.schema.execution import ExecuteRequest
    from cloutagent_ext.schema.project import Definition
    from cloutagent_ext.services import build
    from cloutagent_ext.settings import Settings

    settings = Settings.from_environment(
        {}, data_dir=folder / "data", max_concurrent=RUNNING, max_running=RUNNING, simulated_pace=float(PACE)
    )
    services = build(settings, kernels=LocalKernels())
    await services.start()
    turns = {"schema_version": 1, "agents": {"main": [{"text": "word " * int(seconds * PACE * 1.5)}]}}
    definition = Definition.model_validate(
        {"name": "Talks", "agent": {"task": "Go."}, "queue": {"max_concurrent": RUNNING}}
    )
    files = {"scenario.json": json.dumps(turns).encode()}
    who = Principal(kind="user", name="b")
    services.observers.add(Settled())  # as the server does
    short = await services.store.create(Definition.model_validate({"name": "S", "agent": {"task": "Go."}}))
    first = await services.executions.accept(
        str(short.project.id), ExecuteRequest(), principal=who, origin="api"
    )
    await services.executions.wait(first.execution_id)
    stored = await services.store.create(definition, files=files)
    for _ in range(RUNNING):
        await services.executions.accept(
            str(stored.project.id), ExecuteRequest(), principal=who, origin="api"
        )
    await asyncio.sleep(2)
    assert services.executions.running == RUNNING
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    late = await lag(over)
    await services.executions.stop(0)
    await services.stop()
    p99 = quantile(late, 0.99) * 1000
    return Row(
        f"event loop behind time, {RUNNING} executions running",
        f"p50 {median(late) * 1000:.1f} ms, p99 {p99:.1f} ms", "", "p99 ≤ 20 ms", p99 <= 20,
    )  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = (
            f"--CloutAgent.simulated_pace={PACE}", f"--CloutAgent.max_concurrent={AT_ONCE}",
            f"--CloutAgent.max_running={AT_ONCE}", "--ServerApp.log_level=WARN",
        )  # fmt: skip
        with live_server(folder / "server", *options) as server:
            rows = [*asyncio.run(herd(server)), asyncio.run(together(server))]
        rows.append(asyncio.run(loop_lag(folder)))
    show("Streams and many executions, simulated model", rows)
