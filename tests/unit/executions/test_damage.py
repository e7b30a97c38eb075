"""Files beside a log that somebody broke: the derived ones are set aside and made again, from the log."""

# ruff: noqa: E501  (the table reads best in few lines)

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cloutagent_ext.errors import CloutError, NotFound, UnreadableFile
from cloutagent_ext.executions.records import SPEC, STATE, Records, write_derived

from .conftest import Opens, bash

NO_FILE = re.compile("folder|dangling link|pipe")
Damage = Callable[[Path], object]


def _instead(make: Callable[[Path], object]) -> Damage:
    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


def _field(name: str, value: object) -> Damage:
    return lambda path: path.write_text(json.dumps(json.loads(path.read_bytes()) | {name: value}))


def _cut(at: float) -> Damage:
    return lambda path: os.truncate(path, int(path.stat().st_size * at))


DAMAGE: dict[str, Damage] = {
    **{f"cut at {part / 10}": _cut(part / 10) for part in range(10)},
    **{
        f"holds {text[:12]!r}": lambda path, text=text: path.write_bytes(text)  # type: ignore[misc]
        for text in (
            b"null", b"[]", b"{}", b"0", b'"x"', b"true", b"NaN", b"{", b"}", b"\xff\xfe", b"\0" * 500, b" ", b"\n",
            b"\xef\xbb\xbf{}", b"<<<<<<< HEAD\n{}", b"[" * 5000, b'{"a":' * 5000, b"9" * 5000, b"// {}", b"{'a': 1}",
            b"\x1f\x8b\x08\x00", b"%PDF-1.7", b"PK\x03\x04", b"\xed\xa0\x80", b"a: 1\n", b"{}{}", b"Infinity",
        )
    },
    **{
        f"{name} is {value!r}": _field(name, value)
        for name, value in (
            ("status", "done"), ("status", None), ("status", 1), ("usage", None), ("usage", []), ("usage", {"x": 1}),
            ("turns", "many"), ("turns", None), ("total_cost_usd", "free"), ("limits", None), ("created_at", "today"),
            ("execution_id", "x"), ("execution_id", None), ("project_id", "x"), ("version", "new"), ("surprise", 1),
            ("percent_of_limit", 3), ("metadata", []), ("error", "bad"), ("files", "no"), ("origin", "moon"),
        )
    },
    "sparse terabyte": lambda path: os.truncate(path, 1 << 40),
    "folder": _instead(Path.mkdir),
    "link": _instead(lambda path: path.symlink_to("/etc/hostname")),
    "dangling link": _instead(lambda path: path.symlink_to("nowhere")),
    "pipe": _instead(os.mkfifo),
}  # fmt: skip


async def test_sixty_kinds_of_broken_state_are_set_aside_and_rebuilt(open_office: Opens) -> None:
    assert len(DAMAGE) >= 60
    office = await open_office()
    accepted = await office.accept(await office.project(bash("true")))
    good = await office.executions.wait(accepted.execution_id)
    store = office.services.store
    folder = store.executions_dir(good.project_id) / accepted.execution_id
    text = (folder / STATE).read_bytes()
    for what, damage in DAMAGE.items():
        damage(folder / STATE)
        found = await Records(store).state(accepted.execution_id)
        assert found.model_dump(exclude={"files"}) == good.model_dump(exclude={"files"}), what
        [aside] = folder.glob(f"{STATE}.corrupt-*")
        assert (folder / STATE).is_file(), what
        again = json.loads((folder / STATE).read_bytes())
        assert again | {"files": good.files} == json.loads(text), what
        aside.rmdir() if aside.is_dir() and not aside.is_symlink() else aside.unlink()
        (folder / STATE).write_bytes(text)


async def test_a_state_of_another_execution_is_not_believed(open_office: Opens) -> None:
    office = await open_office()
    project = await office.project(bash("true"))
    first, second = [await office.accept(project, metadata={"n": str(n)}) for n in range(2)]
    for each in (first, second):
        await office.executions.wait(each.execution_id)
    root = office.services.store.executions_dir(project)
    (root / first.execution_id / STATE).write_bytes((root / second.execution_id / STATE).read_bytes())
    found = await Records(office.services.store).state(first.execution_id)
    assert found.execution_id == first.execution_id


async def test_a_broken_spec_is_told_and_kept_and_hides_no_other_execution(open_office: Opens) -> None:
    office = await open_office()
    project = await office.project(bash("true"))
    broken, sound = [await office.accept(project) for _ in range(2)]
    for each in (broken, sound):
        await office.executions.wait(each.execution_id)
    store = office.services.store
    folder = store.executions_dir(project) / broken.execution_id
    text = (folder / SPEC).read_bytes()
    (folder / STATE).unlink()
    for what, damage in DAMAGE.items():
        if " is " in what:
            continue  # fields of a state
        damage(folder / SPEC)
        before = os.lstat(folder / SPEC)
        records = Records(store)
        with pytest.raises(CloutError) as caught:
            await records.state(broken.execution_id)
        # Where there is no file at all any more, there is no such execution.
        assert isinstance(caught.value, NotFound if NO_FILE.fullmatch(what) else UnreadableFile), what
        after = os.lstat(folder / SPEC)
        assert (after.st_ino, after.st_size, after.st_mtime_ns) == (
            before.st_ino,
            before.st_size,
            before.st_mtime_ns,
        )
        assert (await records.state(sound.execution_id)).status == "completed", what
        (folder / SPEC).rmdir() if what == "folder" else (folder / SPEC).unlink()
        (folder / SPEC).write_bytes(text)
    assert (await Records(store).state(broken.execution_id)).status == "completed"


async def test_several_who_write_down_one_state_at_once_are_not_in_each_others_way(tmp_path: Path) -> None:
    """Two requests that read an execution whose `state.json` is lost both restore it."""
    file = tmp_path / STATE

    def restore() -> None:
        for _ in range(200):
            write_derived(file, b"{}" * 2000)

    await asyncio.gather(*(asyncio.to_thread(restore) for _ in range(6)))
    assert [each.name for each in tmp_path.iterdir()] == [STATE]
    assert file.read_bytes() == b"{}" * 2000
