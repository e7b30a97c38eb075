"""Export, import, duplicate: the same project comes back, and what must stay stays."""

from __future__ import annotations

import asyncio
import io
import json
import os
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from cloutagent_ext.errors import BadArchive, NewerFormat, NotFound
from cloutagent_ext.store import unpack
from cloutagent_ext.store.archive import Format
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.stored import Stored
from tests.support.archives import zipped


async def exported(store: ProjectStore, pid: str, form: Format = "zip", **options: bool) -> bytes:
    sink = io.BytesIO()
    await store.archives.export(pid, sink, form, **options)
    return sink.getvalue()


async def imported(store: ProjectStore, data: bytes) -> tuple[str, list[str]]:
    return await store.archives.load(io.BytesIO(data), len(data))


@pytest.mark.parametrize("form", ["zip", "tar.gz"])
async def test_an_export_comes_back_whole_under_a_new_id_and_a_free_name(
    store: ProjectStore, stored: Stored, pid: str, form: Format
) -> None:
    again, warnings = await imported(store, await exported(store, pid, form))
    assert (again != pid, warnings) == (True, [])
    copy = (await store.read(again)).project
    assert copy.name == f"{stored.project.name} (2)"
    left_out = {"id", "name", "updated_at", "trusted"}
    assert copy.model_dump(exclude=left_out) == stored.project.model_dump(exclude=left_out)
    assert not copy.trusted
    for row in await store.list_files(pid):
        assert await store.read_file(again, row.path) == await store.read_file(pid, row.path) or (
            (await store.read_file(again, row.path))[0] == (await store.read_file(pid, row.path))[0]
        )


@pytest.mark.parametrize("form", ["zip", "tar.gz", "claude"])
async def test_the_same_project_gives_the_same_bytes(store: ProjectStore, pid: str, form: Format) -> None:
    assert await exported(store, pid, form) == await exported(store, pid, form)


async def test_secrets_keys_versions_and_executions_never_travel(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    for path in (
        ".secrets/secrets.enc",
        "keys.json",
        "executions/one/events.jsonl",
        "executions/one/error.json",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("canary")
    os.symlink("/etc/passwd", folder / "files/link")
    data = await exported(store, pid)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        assert not [name for name in names if b"canary" in archive.read(name)]
    assert not [name for name in names if name.startswith((".secrets", "keys", "versions", "executions"))]
    assert "files/link" not in names
    with_logs = await exported(store, pid, executions=True)
    with zipfile.ZipFile(io.BytesIO(with_logs)) as archive:
        assert "executions/one/events.jsonl" in archive.namelist()
        assert "executions/one/error.json" not in archive.namelist()
    again, warnings = await imported(store, with_logs)
    assert [text for text in warnings if text.startswith("executions")]
    assert not store.executions_dir(again).exists()


@pytest.mark.parametrize("form", ["zip", "tar.gz"])
async def test_logs_of_any_size_travel_and_the_project_comes_back_without_them(
    store: ProjectStore, pid: str, folder: Path, form: Format
) -> None:
    """Their export had been refused beyond 200 MB in all, since no import would have taken the archive."""
    log = folder / "executions/one/events.jsonl"
    log.parent.mkdir(parents=True)
    with log.open("wb") as file:
        for _ in range(13):
            file.write(os.urandom(1024) * (16 * 1024))  # 16 MB each, which is squeezed to little
    tracemalloc.start()
    data = await exported(store, pid, form, executions=True)
    again, warnings = await imported(store, data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 32 * 1024 * 1024, "the log was in memory"
    assert warnings == ["executions was left out: it belongs to the project it came from."]
    assert not store.executions_dir(again).exists()
    assert [row.path for row in await store.list_files(again)] == ["data/sales.csv", "scenario.json"]
    if form == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.getinfo("executions/one/events.jsonl").file_size == log.stat().st_size
    else:
        with tarfile.open(fileobj=io.BytesIO(data)) as packed:
            assert packed.getmember("executions/one/events.jsonl").size == log.stat().st_size


@pytest.mark.parametrize(("limit", "most"), [("MAX_PASSED_ENTRIES", 2), ("MAX_PASSED_BYTES", 1024)])
async def test_what_passing_over_logs_may_cost_has_an_end_and_the_error_says_what_helps(
    store: ProjectStore, pid: str, folder: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    for name in ("one", "two", "three"):
        (folder / "executions" / name).mkdir(parents=True)
        (folder / "executions" / name / "events.jsonl").write_bytes(b"x" * 1000)
    data = await exported(store, pid, "tar.gz", executions=True)
    monkeypatch.setattr(unpack, limit, most)
    with pytest.raises(BadArchive, match="export it without them"):
        await imported(store, data)
    await imported(store, await exported(store, pid, "tar.gz"))


UNWELCOME = {
    "case": (["data/Sales.csv", "data/sales.csv"], "differ only in case"),
    "folders": (["Plans/a.csv", "plans/b.csv"], "differ only in case"),
    "letters": (["cafe\N{COMBINING ACUTE ACCENT}", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"], "encoded"),
    "levels": (["/".join(["d"] * 20) + "/a.csv"], "more than 20 levels"),
}


@pytest.mark.parametrize("form", ["zip", "tar.gz", "claude"])
@pytest.mark.parametrize("kind", UNWELCOME)
async def test_what_no_import_would_take_is_said_when_it_is_exported(
    store: ProjectStore, pid: str, folder: Path, kind: str, form: Format
) -> None:
    paths, reason = UNWELCOME[kind]
    for path in paths:
        (folder / "files" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "files" / path).write_text("1")
    with pytest.raises(BadArchive, match=reason) as refused:
        await exported(store, pid, form)
    assert refused.value.details["file"].endswith(paths[-1])
    (folder / "files" / paths[-1]).unlink()
    if kind == "folders":
        (folder / "files/plans").rmdir()
    _, warnings = await imported(store, await exported(store, pid, form))
    assert form == "claude" or warnings == []


@pytest.mark.parametrize("form", ["zip", "tar.gz", "claude"])
async def test_files_of_blanks_come_back_too(store: ProjectStore, pid: str, form: Format) -> None:
    """Squeezed a thousand times they had looked like a bomb to our own import."""
    blanks = b" " * 3_000_000
    await store.write_file(pid, "blanks.txt", blanks)
    again, _ = await imported(store, await exported(store, pid, form))
    assert (await store.read_file(again, "blanks.txt"))[0] == blanks


async def test_without_the_canvas_there_is_no_ui_folder(store: ProjectStore, pid: str) -> None:
    with zipfile.ZipFile(io.BytesIO(await exported(store, pid, ui=False))) as archive:
        assert not [name for name in archive.namelist() if name.startswith(".ui/")]


async def test_unknown_fields_survive_export_and_import(store: ProjectStore, pid: str, folder: Path) -> None:
    path = folder / "agent.config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"x_mine": [1, 2], "temperature": 0.2}))
    again, warnings = await imported(store, await exported(store, pid))
    told = "; ".join(warnings)
    assert "`x_mine` does nothing: unknown field." in told
    assert "`temperature` does nothing: unknown field: the model service refuses `temperature`; set" in told
    assert json.loads((folder.parent / again / "agent.config.json").read_text())["x_mine"] == [1, 2]


async def test_one_folder_around_everything_is_looked_into(store: ProjectStore) -> None:
    data = zipped(
        [("top/metadata.json", b'{"name": "Inside"}'), ("top/agent.config.json", b"{}")], honest=False
    )
    pid, _ = await imported(store, data)
    assert (await store.read(pid)).project.name == "Inside"


async def test_what_does_not_belong_is_named_and_left_out(store: ProjectStore, data_dir: Path) -> None:
    pid, warnings = await imported(store, zipped([("keys.json", b"{}"), ("README.md", b"hello")]))
    assert len(warnings) == 2
    assert not (data_dir / "projects" / pid / "keys.json").exists()
    assert not (data_dir / "projects" / pid / "README.md").exists()


async def test_a_newer_format_is_refused_by_its_name(store: ProjectStore) -> None:
    data = zipped(
        [("metadata.json", b'{"name": "x", "schema_version": 99}'), ("agent.config.json", b"{}")],
        honest=False,
    )
    with pytest.raises(NewerFormat):
        await imported(store, data)
    assert await store.ids() == []


async def test_a_duplicate_has_its_own_name_and_the_same_content(
    store: ProjectStore, stored: Stored, pid: str
) -> None:
    copies = [await store.archives.duplicate(pid) for _ in range(2)]
    names = [(await store.read(each)).project.name for each in copies]
    assert names == [f"{stored.project.name} (copy)", f"{stored.project.name} (copy) (2)"]
    assert (await store.read(copies[0])).project.agent == stored.project.agent
    with pytest.raises(NotFound):
        await store.archives.duplicate("00000000-0000-0000-0000-000000000000")


async def test_ten_megabytes_go_out_and_in_while_the_loop_stays_free(store: ProjectStore, pid: str) -> None:
    await store.write_file(pid, "large.bin", os.urandom(10 * 1024 * 1024))
    longest, last = 0.0, asyncio.get_running_loop().time()

    async def watch() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0.005)
            now = asyncio.get_running_loop().time()
            longest, last = max(longest, now - last), now

    watching = asyncio.create_task(watch())
    again, _ = await imported(store, await exported(store, pid))
    watching.cancel()
    assert (await store.read_file(again, "large.bin"))[1].size == 10 * 1024 * 1024
    assert longest < 1.0, f"the loop stood still for {longest:.2f} s"
