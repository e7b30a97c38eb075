"""The store: saving, a list of a thousand projects, a thousand versions, 10 MB out and in, and the event
loop meanwhile."""

from __future__ import annotations

import asyncio
import io
import os
import random
import shutil
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store.project_files import TICK_NS
from cloutagent_ext.store.projects import ProjectStore

from .table import Row, median, quantile, show

SAVES = 200
PROJECTS = 1000
VERSIONS = 1000
ARCHIVE_MB = 10
TICK_S = 0.005


def definition(text: str, *, subagents: int, prompt: int = 500) -> Definition:
    """Two files per subagent and six besides; `text` differs in the main prompt."""
    return Definition.model_validate(
        {
            "name": "Bench",
            "agent": {"system_prompt": text},
            "subagents": [
                {
                    "id": f"s{n}",
                    "name": f"Subagent {n}",
                    "description": "x",
                    "prompt": f"{n} " * (prompt // 2),
                }
                for n in range(subagents)
            ],
        }
    )


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def plain(folder: Path, files: list[bytes]) -> float:
    """Seconds to write and sync the same bytes as new files, with no promise beyond that."""
    began = time.perf_counter()
    for number, data in enumerate(files):
        descriptor = os.open(folder / f"{number}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(descriptor, data)
        os.fsync(descriptor)
        os.close(descriptor)
    return time.perf_counter() - began


async def lag(stop: asyncio.Event) -> list[float]:
    """How late the event loop comes back from short sleeps, in seconds."""
    late = []
    while not stop.is_set():
        began = time.perf_counter()
        await asyncio.sleep(TICK_S)
        late.append(time.perf_counter() - began - TICK_S)
    return late


async def saving(folder: Path) -> list[Row]:
    store = ProjectStore(folder / "saving")
    await store.open()
    stored = await store.create(definition("0", subagents=12))
    pid = str(stored.project.id)
    root = folder / "saving/projects" / pid
    live = [p for p in root.rglob("*") if p.is_file() and "versions" not in p.parts]
    (folder / "plain").mkdir()
    saves, drafts, plains = [], [], []
    for number in range(1, SAVES + 1):
        wanted = definition(f"{number}", subagents=12)
        drafts.append(await timed(lambda w=wanted: store.save(pid, w, draft=True)))  # type: ignore[misc]
        wanted = definition(f"{number} saved", subagents=12)
        saves.append(await timed(lambda w=wanted: store.save(pid, w)))  # type: ignore[misc]
        # What such a save changes: two definition files, in place and in the snapshot, and its record.
        changed = [(root / name).read_bytes() for name in ("metadata.json", "prompts/main-prompt.txt")]
        record = (root / f"versions/v{number + 1}/version.json").read_bytes()
        plains.append(await asyncio.to_thread(plain, folder / "plain", [*changed, *changed, record]))
    stop = asyncio.Event()
    watch = asyncio.create_task(lag(stop))
    idle_stop = asyncio.Event()
    for number in range(50):
        await store.save(pid, definition(f"watched {number}", subagents=12))
    stop.set()
    late = await watch
    idle = asyncio.create_task(lag(idle_stop))
    await asyncio.sleep(1)
    idle_stop.set()
    quiet = await idle
    p50, p99 = median(saves) * 1000, quantile(saves, 0.99) * 1000
    base = median(plains) * 1000
    return [
        Row(f"write + fsync of what a save changes (5 files of {len(live)}), p50", f"{base:.1f} ms", "1"),
        Row(
            f"save of {len(live)} files with a version, p50",
            f"{p50:.1f} ms", f"{p50 / base:.1f} ×", "≤ 20 ms", p50 <= 20,
        ),
        Row("the same, p99", f"{p99:.1f} ms", f"{p99 / base:.1f} ×", "≤ 250 ms", p99 <= 250),
        Row("draft, p50", f"{median(drafts) * 1000:.1f} ms", f"{median(drafts) * 1000 / base:.1f} ×"),
        Row(
            "event loop late while saving, worst",
            f"{max(late) * 1000:.0f} ms (idle: {max(quiet) * 1000:.0f} ms)", "", "≤ 50 ms", max(late) <= 0.05,
        ),
    ]  # fmt: skip


async def listing(folder: Path) -> list[Row]:
    store = ProjectStore(folder / "listing")
    await store.open()
    first = await store.create(definition("x", subagents=3))
    projects = folder / "listing/projects"
    for _ in range(PROJECTS - 1):
        copy = projects / str(uuid.uuid4())
        shutil.copytree(projects / str(first.project.id), copy, ignore=shutil.ignore_patterns("versions"))
    # What changed within the last tick of the coarsest file system is not believed, but read anew.
    await asyncio.sleep(TICK_NS / 1e9)
    cold_store = ProjectStore(folder / "listing")
    cold = await timed(lambda: cold_store.list(limit=PROJECTS))
    warm = median([await timed(lambda: cold_store.list(limit=PROJECTS)) for _ in range(9)]) * 1000
    page = median([await timed(lambda: cold_store.list(limit=50)) for _ in range(9)]) * 1000
    pid = str(first.project.id)
    first_read = (await timed(lambda: cold_store.read(pid))) * 1000
    again = median([await timed(lambda: cold_store.read(pid)) for _ in range(50)]) * 1000
    stop = asyncio.Event()
    watch = asyncio.create_task(lag(stop))
    await ProjectStore(folder / "listing").list(limit=PROJECTS)
    await cold_store.list(limit=PROJECTS)
    stop.set()
    late = await watch
    return [
        Row(f"list of {PROJECTS:,} projects, first time", f"{cold:.2f} s", "", "≤ 1 s", cold <= 1),
        Row("the same again", f"{warm:.0f} ms", "", "≤ 100 ms", warm <= 100),
        Row("a page of 50 of them", f"{page:.0f} ms"),
        Row("reading one project, first time / again", f"{first_read:.1f} / {again:.1f} ms"),
        Row(
            "event loop late while listing, worst", f"{max(late) * 1000:.0f} ms", "", "≤ 50 ms",
            max(late) <= 0.05,
        ),
    ]  # fmt: skip


def used(folder: Path) -> int:
    """Bytes on the disk, shared content once."""
    blocks = {}
    for path in folder.rglob("*"):
        found = path.lstat()
        blocks[found.st_ino] = found.st_blocks * 512
    return sum(blocks.values())


async def versions(folder: Path) -> list[Row]:
    store = ProjectStore(folder / "versions")
    await store.open()
    stored = await store.create(definition("0", subagents=12, prompt=4000))
    pid = str(stored.project.id)
    live = (folder / "versions/projects" / pid / "versions/v1").rglob("*")
    size = sum(path.stat().st_size for path in live if path.is_file())
    for number in range(1, VERSIONS):
        await store.save(pid, definition(f"{number}", subagents=12, prompt=4000))
    total = await asyncio.to_thread(used, folder / "versions/projects" / pid / "versions")
    kept = len(list((folder / "versions/projects" / pid / "versions").iterdir()))
    megabytes = total / 2**20
    return [
        Row(f"{VERSIONS:,} versions of a project of {size // 1024} KB ({kept:,} kept)",
            f"{megabytes:.0f} MB", "", "≤ 40 MB", megabytes <= 40)
    ]  # fmt: skip


async def archives(folder: Path) -> list[Row]:
    """Half of it text that packs well, half of it noise that does not, in 100 files."""
    store = ProjectStore(folder / "archives")
    await store.open()
    size = ARCHIVE_MB * 1024 * 1024 // 100
    noise = random.Random(1)
    files = {
        f"data/{n}.csv": noise.randbytes(size)
        if n % 2
        else (f"{n},some row of a table\n" * size).encode()[:size]
        for n in range(100)
    }
    stored = await store.create(definition("archives", subagents=12), files=files)
    pid = str(stored.project.id)
    rows = []
    stop = asyncio.Event()
    watch = asyncio.create_task(lag(stop))
    for form in ("zip", "tar.gz"):
        out, back = [], []
        for _ in range(3):
            sink = io.BytesIO()
            out.append(await timed(lambda s=sink, f=form: store.archives.export(pid, s, f)))  # type: ignore[misc]
            length = sink.tell()
            back.append(await timed(lambda s=sink, n=length: store.archives.load(s, n)))  # type: ignore[misc]
        for what, times in (("export", out), ("import", back)):
            took = median(times)
            rows.append(Row(f"{what} of {ARCHIVE_MB} MB as {form}", f"{took:.2f} s", "", "≤ 2 s", took <= 2))
    stop.set()
    late = max(await watch)
    return [
        *rows,
        Row("event loop late meanwhile, worst", f"{late * 1000:.0f} ms", "", "≤ 50 ms", late <= 0.05),
    ]


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [
            *await saving(folder),
            *await listing(folder),
            *await versions(folder),
            *await archives(folder),
        ]


def main() -> None:
    show("Store", asyncio.run(measure()))
