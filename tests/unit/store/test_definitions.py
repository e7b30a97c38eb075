"""Definitions remembered between reads: never an old one, never too many, nobody else's to change."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloutagent_ext.store.commit import JOURNAL, STAGING
from cloutagent_ext.store.definitions import KEPT, Definitions, Stamp
from cloutagent_ext.store.project_files import TICK_NS
from cloutagent_ext.store.projects import ProjectStore
from tests.support.definitions import whole

PROMPT = "prompts/main-prompt.txt"
FINE_NS = 20_000_000
"""A tick of the file system that these tests run on, with room to spare."""


def remembered(definitions: Definitions, pid: str) -> object:
    """The project once it is believed without reading: its last change lies more than a tick back."""
    deadline = time.monotonic() + 90
    while (found := definitions.get(pid)) is not definitions.get(pid):
        assert time.monotonic() < deadline, "it is never believed"
        time.sleep(0.05)
    return found


def in_place(path: Path, text: str) -> None:
    with path.open("r+") as file:
        file.write(text)


async def test_edits_by_hand_are_seen_at_the_next_read_however_fast_they_follow(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    """Same file, same size, one after the other: most of them within one tick of the clock."""
    (folder / PROMPT).write_text("number 0000\n")
    for number in range(300):
        in_place(folder / PROMPT, f"number {number:04}")
        assert (await store.read(pid)).project.agent.system_prompt == f"number {number:04}"


@pytest.mark.parametrize(
    "edit",
    [
        lambda folder: in_place(folder / PROMPT, "X"),
        lambda folder: (folder / "hooks/added.json").write_text(
            '{"event": "Stop", "action": {"type": "command", "command": ["x"]}}'
        ),
        lambda folder: (folder / "subagents/checker.json").unlink(),
        lambda folder: (folder / "mcps/mcp-config.json").unlink(),
        lambda folder: shutil.rmtree(folder / ".ui"),
    ],
    ids=["in place", "a file more", "a file less", "a single file less", "a folder less"],
)
def test_what_is_remembered_gives_way_to_any_change_on_the_disk(
    store: ProjectStore, pid: str, folder: Path, data_dir: Path, edit: Callable[[Path], object]
) -> None:
    definitions = Definitions(data_dir / "projects", tick_ns=FINE_NS)
    before = remembered(definitions, pid)
    edit(folder)
    after = definitions.get(pid)
    assert after is not before
    assert after.definition == Definitions(data_dir / "projects", tick_ns=FINE_NS).get(pid).definition
    assert after.definition != before.definition  # type: ignore[attr-defined]


def test_a_time_that_was_set_back_hides_nothing(
    store: ProjectStore, pid: str, folder: Path, data_dir: Path
) -> None:
    definitions = Definitions(data_dir / "projects", tick_ns=FINE_NS)
    before = (folder / PROMPT).stat()
    remembered(definitions, pid)
    in_place(folder / PROMPT, "X")
    os.utime(folder / PROMPT, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert definitions.get(pid).definition.agent.system_prompt.startswith("X")


def test_nothing_is_believed_that_changed_within_a_tick_of_any_file_system(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    in_place(folder / PROMPT, "Y")
    changed = (folder / PROMPT).stat().st_ctime_ns
    stamp = Stamp.of(folder)
    assert not stamp.settled(changed + TICK_NS)
    newest = max(path.stat().st_ctime_ns for path in (folder, *folder.rglob("*")))
    assert stamp.settled(newest + TICK_NS + 1)
    assert not stamp.settled(changed - 1), "a clock that went back believes nothing"


def test_while_a_commit_waits_to_be_finished_everything_is_read_anew(
    store: ProjectStore, pid: str, folder: Path, data_dir: Path
) -> None:
    (folder / STAGING).mkdir()
    (folder / JOURNAL).write_text(
        '{"schema_version": 1, "commit": "x", "writes": {}, "removes": ["prompts/main-prompt.txt"], '
        '"places": {}}'
    )
    definitions = Definitions(data_dir / "projects", tick_ns=FINE_NS)
    newest = max(path.stat().st_ctime_ns for path in (folder, *folder.rglob("*")))
    while time.time_ns() < newest + FINE_NS:
        time.sleep(0.05)
    first = definitions.get(pid)
    assert first.definition.agent.system_prompt == ""
    assert definitions.get(pid) is not first


async def test_only_so_many_are_remembered_those_used_last(store: ProjectStore, data_dir: Path) -> None:
    assert KEPT == 100
    ids = [str((await store.create(whole(name=f"P{n}"))).project.id) for n in range(4)]
    await asyncio.to_thread(keep_three, Definitions(data_dir / "projects", kept=3, tick_ns=FINE_NS), ids)


def keep_three(definitions: Definitions, ids: list[str]) -> None:
    found = [remembered(definitions, pid) for pid in ids[:3]]
    assert definitions.get(ids[0]) is found[0]
    remembered(definitions, ids[3])
    assert len(definitions) == 3
    assert definitions.get(ids[0]) is found[0]
    assert definitions.get(ids[1]) is not found[1]


async def test_who_changes_what_was_read_changes_nothing_for_others(
    store: ProjectStore, pid: str, data_dir: Path
) -> None:
    await asyncio.to_thread(remembered, Definitions(data_dir / "projects", tick_ns=FINE_NS), pid)
    await store.read(pid)
    mine = (await store.read(pid)).project
    prompt = mine.agent.system_prompt
    mine.agent.system_prompt = "mine"
    mine.subagents.clear()
    theirs = (await store.read(pid)).project
    assert theirs.agent.system_prompt == prompt
    assert theirs.subagents
