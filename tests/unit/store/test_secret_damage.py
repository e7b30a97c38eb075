"""Damaged, moved, older and foreign secrets: refused with the right kind of error, and no byte changes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cloutagent_ext.errors import (
    CloutError,
    NewerFormat,
    UnreadableFile,
)
from cloutagent_ext.store import secret_file
from cloutagent_ext.store.keyring import Key
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.secrets import Secrets

from .safe import KEY, VALUE, Safe


async def refused(safe: Safe, secrets: Secrets, project: str) -> set[type[CloutError]]:
    """How reading, listing and writing are refused. Whatever is asked, no byte may change."""
    before = safe.bytes()
    kinds: set[type[CloutError]] = set()
    for ask in (
        lambda: secrets.get(project, "TOKEN"),
        lambda: secrets.set(project, "NEW", "a new one"),
        lambda: secrets.delete(project, "TOKEN"),
    ):
        try:
            await ask()
        except CloutError as error:
            kinds.add(type(error))
        else:
            kinds.add(CloutError)
    assert safe.bytes() == before
    return kinds


def test_every_changed_byte_is_refused_with_the_right_kind_of_error() -> None:
    """Each byte by eight others: all single-bit flips. Only another key's id may look like a missing key."""
    key = Key.of(KEY)
    project = "6f1e4a4e-8d1c-4a52-9d0e-0a9a2f4f6c11"
    now = "2026-11-22T08:00:00.000Z"
    content = secret_file.SecretFile(project, key.id, 7).put(key, "TOKEN", VALUE, now).put(key, "B", "b", now)
    data = content.encode(key)
    keys = {key.id: key}
    assert secret_file.parse(project, data, keys)[1] is key
    key_id = range(data.index(key.id.encode()), data.index(key.id.encode()) + len(key.id))
    schema = data.index(b'"schema": 1') + len(b'"schema": ')
    seen = {"damaged": 0, "locked": 0, "newer": 0}
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            try:
                _, found = secret_file.parse(project, bytes(changed), keys)
            except UnreadableFile:
                seen["damaged"] += 1
            except NewerFormat:
                assert at == schema
                seen["newer"] += 1
            else:
                assert found is None, (at, bit)
                assert at in key_id
                seen["locked"] += 1
    assert seen["newer"] > 0
    assert seen["locked"] > 0
    assert seen["damaged"] > 100 * seen["locked"] / 20


def test_every_truncation_and_every_appended_byte_is_refused() -> None:
    key, project = Key.of(KEY), "6f1e4a4e-8d1c-4a52-9d0e-0a9a2f4f6c11"
    content = secret_file.SecretFile(project, key.id, 1).put(key, "TOKEN", VALUE, "2026-11-22T08:00:00.000Z")
    data = content.encode(key)
    vectors = [data[:length] for length in range(len(data))]
    vectors += [data + more for more in (b"\n", b" ", b"\0", b"}", data)] + [b"\xef\xbb\xbf" + data]
    for vector in vectors:
        with pytest.raises(UnreadableFile):
            secret_file.parse(project, vector, {key.id: key})


Entries = dict[str, dict[str, str]]


def swapped(entries: Entries) -> Entries:
    return {"TOKEN": entries["OTHER"], "OTHER": entries["TOKEN"]}


def renamed(entries: Entries) -> Entries:
    return {"NEW": entries["TOKEN"], "OTHER": entries["OTHER"]}


def removed(entries: Entries) -> Entries:
    return {"TOKEN": entries["TOKEN"]}


def added(entries: Entries) -> Entries:
    return {**entries, "MORE": entries["TOKEN"]}


def other_date(entries: Entries) -> Entries:
    return {**entries, "TOKEN": {**entries["TOKEN"], "updated_at": "2020-01-01T00:00:00.000Z"}}


@pytest.mark.parametrize("how", [swapped, renamed, removed, added, other_date])
async def test_entries_are_the_set_that_was_written(
    safe: Safe, kept: Secrets, how: Callable[[Entries], Entries]
) -> None:
    content = json.loads(safe.file(safe.one).read_bytes())
    content["entries"] = how(content["entries"])
    safe.file(safe.one).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    assert await refused(safe, kept, safe.one) == {UnreadableFile}


@pytest.mark.parametrize("to", ["project", "name"])
def test_a_value_moved_to_another_project_or_name_does_not_open_even_under_a_right_mac(to: str) -> None:
    key, now = Key.of(KEY), "2026-11-22T08:00:00.000Z"
    written = secret_file.SecretFile("project one", key.id, 1).put(key, "TOKEN", VALUE, now)
    moved = secret_file.SecretFile("project two" if to == "project" else "project one", key.id, 1)
    name = "TOKEN" if to == "project" else "OTHER"
    moved = secret_file.SecretFile(moved.project_id, key.id, 1, {name: written.entries["TOKEN"]})
    found, _ = secret_file.parse(moved.project_id, moved.encode(key), {key.id: key})
    with pytest.raises(UnreadableFile):
        found.value(key, name)


async def test_a_whole_file_moved_to_another_project_is_refused(safe: Safe, kept: Secrets) -> None:
    await kept.set(safe.two, "TOKEN", "of two")
    await kept.set(safe.two, "TOKEN", "of two")
    safe.file(safe.two).write_bytes(safe.file(safe.one).read_bytes())
    assert await refused(safe, kept, safe.two) == {UnreadableFile}
    assert await kept.get(safe.one, "TOKEN") == VALUE


async def test_the_whole_older_folder_is_noticed_too(safe: Safe, kept: Secrets) -> None:
    place = safe.file(safe.one).parent
    await asyncio.to_thread(shutil.copytree, place, safe.data_dir / "older")
    await kept.set(safe.one, "TOKEN", "a newer one")
    await asyncio.to_thread(shutil.rmtree, place)
    await asyncio.to_thread(shutil.copytree, safe.data_dir / "older", place)
    assert await refused(safe, kept, safe.one) == {UnreadableFile}
    with pytest.raises(UnreadableFile) as caught:
        await kept.get(safe.one, "TOKEN")
    way_out = caught.value.message.partition("removes ")[2].split()[0].rstrip(".")
    (safe.data_dir / way_out).unlink()
    assert await kept.get(safe.one, "TOKEN") == VALUE, "as the sentence says"


async def test_a_folder_that_was_removed_begins_anew_and_its_old_one_stays_old(
    safe: Safe, kept: Secrets
) -> None:
    place = safe.file(safe.one).parent
    older = safe.file(safe.one).read_bytes()
    await asyncio.to_thread(shutil.rmtree, place)
    assert await kept.list(safe.one) == []
    await kept.set(safe.one, "TOKEN", "entered again")
    assert await kept.get(safe.one, "TOKEN") == "entered again"
    safe.file(safe.one).write_bytes(older)
    (place / "counter").unlink()
    with pytest.raises(UnreadableFile):
        await kept.get(safe.one, "TOKEN")


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_restore_of_ours_is_no_rollback(safe: Safe, kept: Secrets, deleted: bool) -> None:
    store = ProjectStore(safe.data_dir)
    row = await store.backups().make()
    await kept.set(safe.one, "TOKEN", "a newer one")
    if deleted:
        await store.delete(safe.one)

    def idle(_: Path) -> bool:
        return False

    await store.backups().restore(row.name, project_id=safe.one, busy=idle)
    assert await kept.get(safe.one, "TOKEN") == VALUE
    await kept.set(safe.one, "TOKEN", "the newest one")
    assert await kept.get(safe.one, "TOKEN") == "the newest one"


@pytest.mark.parametrize("content", [b"", b"x", b"-1\n", b"9" * 40])
async def test_an_outer_counter_that_is_none_locks_nobody_out(
    safe: Safe, kept: Secrets, content: bytes
) -> None:
    (safe.data_dir / "projects/.counters" / safe.one).write_bytes(content)
    assert await kept.get(safe.one, "TOKEN") == VALUE


async def test_an_older_file_and_a_missing_one_are_refused(safe: Safe, kept: Secrets) -> None:
    older = safe.file(safe.one).read_bytes()
    await kept.set(safe.one, "TOKEN", "a newer one")
    newer = safe.file(safe.one).read_bytes()
    safe.file(safe.one).write_bytes(older)
    assert await refused(safe, kept, safe.one) == {UnreadableFile}
    safe.file(safe.one).unlink()
    assert await refused(safe, kept, safe.one) == {UnreadableFile}
    with pytest.raises(UnreadableFile):
        await kept.list(safe.one)
    safe.file(safe.one).write_bytes(newer)
    assert await kept.get(safe.one, "TOKEN") == "a newer one"


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"garbage", b"[]", b"{}", b"7\n", b'{"schema": 1}\n'])
@pytest.mark.parametrize("name", ["secrets.enc", "counter"])
async def test_garbage_is_reported_and_left_alone(
    safe: Safe, kept: Secrets, name: str, content: bytes
) -> None:
    if name == "counter" and content == b"7\n":
        content = b"-7\n"
    safe.file(safe.one).with_name(name).write_bytes(content)
    assert await refused(safe, kept, safe.one) == {UnreadableFile}


async def test_a_link_or_a_pipe_in_its_place_is_not_followed(
    safe: Safe, kept: Secrets, tmp_path: Path
) -> None:
    file = safe.file(safe.one)
    elsewhere = file.rename(tmp_path / "elsewhere")
    file.symlink_to(elsewhere)
    with pytest.raises(UnreadableFile):
        await kept.get(safe.one, "TOKEN")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(UnreadableFile):
        await kept.set(safe.one, "TOKEN", "a new one")


async def test_a_newer_format_is_named_and_left_alone(safe: Safe, kept: Secrets) -> None:
    content = json.loads(safe.file(safe.one).read_bytes()) | {"schema": 2, "more": {}}
    safe.file(safe.one).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    assert await refused(safe, kept, safe.one) == {NewerFormat}
