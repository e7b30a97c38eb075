"""A project's secrets: what is kept, what is refused, and that nothing is ever lost to a missing key."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloutagent_ext.errors import (
    CloutError,
    Conflict,
    InvalidRequest,
    NewerFormat,
    NotFound,
    SecretsLocked,
    UnreadableFile,
)
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store import secret_file
from cloutagent_ext.store.keyring import Key, KeyRing
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.secrets import MAX_SECRETS, MAX_VALUE_BYTES, Secrets

KEY, OTHER = "a1" * 32, "b2" * 32
VALUE = "the value, with ünicode\nand a line"


@dataclass
class Safe:
    """Secrets of a data folder with two projects."""

    data_dir: Path
    one: str
    two: str

    @property
    def key_file(self) -> Path:
        return self.data_dir.with_name("data.keys")

    def secrets(self, given: str | None = None) -> Secrets:
        return Secrets(self.data_dir / "projects", KeyRing(given, self.key_file))

    def file(self, project: str) -> Path:
        return self.data_dir / "projects" / project / ".secrets" / "secrets.enc"

    def bytes(self) -> dict[Path, bytes]:
        """Everything that belongs to secrets, as it lies on the disk."""
        found = [self.key_file, *self.data_dir.glob("projects/*/.secrets/*")]
        return {path: path.read_bytes() for path in found if path.exists()}


@pytest.fixture
async def safe(store: ProjectStore, data_dir: Path) -> Safe:
    one, two = [str((await store.create(Definition(name=name))).project.id) for name in ("One", "Two")]
    return Safe(data_dir, one, two)


@pytest.fixture
async def kept(safe: Safe) -> Secrets:
    """Two secrets in project one, under the key file's key."""
    secrets = safe.secrets()
    await secrets.set(safe.one, "TOKEN", VALUE)
    await secrets.set(safe.one, "OTHER", "another value")
    return secrets


async def test_a_value_comes_back_for_its_child_and_nothing_in_the_clear_lies_on_the_disk(
    safe: Safe, kept: Secrets
) -> None:
    assert await kept.get(safe.one, "TOKEN") == VALUE
    assert await kept.get(safe.one, "NONE") is None
    assert await kept.get(safe.two, "TOKEN") is None
    assert [row.name for row in await kept.list(safe.one)] == ["OTHER", "TOKEN"]
    assert not any(VALUE.encode() in data or b"another" in data for data in safe.bytes().values())
    assert (safe.file(safe.one).stat().st_mode & 0o777, safe.key_file.stat().st_mode & 0o777) == (
        0o600,
        0o600,
    )


async def test_every_write_encrypts_with_a_new_iv_and_keeps_the_date_of_the_first(
    safe: Safe, kept: Secrets
) -> None:
    before = json.loads(safe.file(safe.one).read_bytes())
    _, is_new = await kept.set(safe.one, "TOKEN", VALUE)
    after = json.loads(safe.file(safe.one).read_bytes())
    assert not is_new
    assert before["entries"]["TOKEN"]["iv"] != after["entries"]["TOKEN"]["iv"]
    assert before["entries"]["TOKEN"]["encrypted"] != after["entries"]["TOKEN"]["encrypted"]
    assert before["entries"]["TOKEN"]["created_at"] == after["entries"]["TOKEN"]["created_at"]
    assert after["counter"] == before["counter"] + 1


async def test_a_deleted_secret_is_gone_and_the_others_stay(safe: Safe, kept: Secrets) -> None:
    await kept.delete(safe.one, "TOKEN")
    assert await kept.get(safe.one, "TOKEN") is None
    assert await kept.get(safe.one, "OTHER") == "another value"
    for missing in ("TOKEN", "NEVER"):
        with pytest.raises(NotFound):
            await kept.delete(safe.one, missing)


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "../A", "A\n", "Ä", "A" * 129])
async def test_a_name_that_no_variable_can_have_is_refused(safe: Safe, name: str) -> None:
    with pytest.raises(InvalidRequest):
        await safe.secrets().set(safe.one, name, "a value")
    assert safe.bytes() == {}


@pytest.mark.parametrize("value", ["", "12345", "with\0nul", "x" * (MAX_VALUE_BYTES + 1), "lone \ud800"])
async def test_a_value_that_no_variable_can_have_is_refused_without_being_shown(
    safe: Safe, value: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await safe.secrets().set(safe.one, "A", value)
    assert not value or value not in str(refused.value.envelope())
    assert safe.bytes() == {}


async def test_there_is_room_for_so_many_secrets_and_no_more(
    safe: Safe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloutagent_ext.store.secrets.MAX_SECRETS", 2)
    assert MAX_SECRETS > 2
    secrets = safe.secrets()
    for name in ("A", "B", "A"):
        await secrets.set(safe.one, name, "a value")
    with pytest.raises(InvalidRequest):
        await secrets.set(safe.one, "C", "a value")


@pytest.mark.parametrize(
    "project", ["", "..", "no-uuid", "00000000-0000-4000-8000-000000000000", "../projects"]
)
async def test_a_project_that_is_none_has_no_secrets(safe: Safe, project: str) -> None:
    for asked in (
        safe.secrets(KEY).list(project),
        safe.secrets(KEY).set(project, "A", "a value"),
        safe.secrets(KEY).delete(project, "A"),
        safe.secrets(KEY).get(project, "A"),
    ):
        with pytest.raises(NotFound):
            await asked
    assert safe.bytes() == {}


async def test_several_writers_at_once_lose_nothing(safe: Safe) -> None:
    names = [f"S{number}" for number in range(12)]
    await asyncio.gather(*(safe.secrets().set(safe.one, name, f"value {name}") for name in names))
    secrets = safe.secrets()
    assert {row.name for row in await secrets.list(safe.one)} == set(names)
    assert [await secrets.get(safe.one, name) for name in names] == [f"value {name}" for name in names]


# ---------------------------------------------------------------- keys


async def test_the_first_key_is_made_once_beside_the_data_folder_and_said(
    safe: Safe, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await safe.secrets().set(safe.one, "A", "a value")
        await safe.secrets().set(safe.two, "A", "a value")
    said = [record for record in caplog.records if str(safe.key_file) in record.getMessage()]
    assert len(said) == 1
    assert "copy" in said[0].getMessage()
    keys = re.findall(r"^[0-9a-f]{64}$", safe.key_file.read_text(), re.MULTILINE)
    assert len(keys) == 1
    assert keys[0] not in caplog.text


async def test_a_key_that_is_given_needs_no_key_file(safe: Safe) -> None:
    await safe.secrets(KEY).set(safe.one, "A", "a value")
    assert not safe.key_file.exists()
    assert await safe.secrets(KEY.upper()).get(safe.one, "A") == "a value"


async def wrong(safe: Safe) -> str | None:
    return OTHER


async def short(safe: Safe) -> str | None:
    return KEY[:-1]


async def not_hex(safe: Safe) -> str | None:
    return "z" * 64


async def none(safe: Safe) -> str | None:
    return None


async def broken_file(safe: Safe) -> str | None:
    safe.key_file.write_text("# keys\nnot a key\n")
    return None


async def folder_in_place(safe: Safe) -> str | None:
    safe.key_file.mkdir()
    return None


@pytest.mark.parametrize("how", [wrong, short, not_hex, none, broken_file, folder_in_place])
async def test_without_its_key_a_project_opens_and_nothing_of_its_secrets_is_touched(
    safe: Safe, store: ProjectStore, how: Callable[[Safe], Awaitable[str | None]]
) -> None:
    await safe.secrets(KEY).set(safe.one, "TOKEN", VALUE)
    given = await how(safe)
    before = safe.file(safe.one).read_bytes()
    secrets = safe.secrets(given)
    assert [(row.name, row.locked) for row in await secrets.list(safe.one)] == [("TOKEN", True)]
    for refused in (
        secrets.set(safe.one, "TOKEN", "a new one"),
        secrets.set(safe.one, "NEW", "a new one"),
        secrets.delete(safe.one, "TOKEN"),
        secrets.get(safe.one, "TOKEN"),
    ):
        with pytest.raises(SecretsLocked):
            await refused
    assert await secrets.get(safe.one, "NEVER") is None
    assert (await store.read(safe.one)).project.name == "One"
    assert safe.file(safe.one).read_bytes() == before
    assert await safe.secrets(KEY).get(safe.one, "TOKEN") == VALUE if how is wrong else True


async def test_no_new_key_is_made_while_secrets_wait_for_a_lost_one(safe: Safe, kept: Secrets) -> None:
    away = safe.key_file.rename(safe.key_file.with_suffix(".away"))
    with pytest.raises(SecretsLocked):
        await kept.set(safe.two, "A", "a value")
    assert not safe.key_file.exists()
    away.rename(safe.key_file)
    assert await kept.get(safe.one, "TOKEN") == VALUE
    await kept.set(safe.two, "A", "a value")


# ---------------------------------------------------------------- damage


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

    async def idle(_: str) -> bool:
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


# ---------------------------------------------------------------- rotation


async def test_a_rotation_moves_all_projects_to_the_new_key_and_again_changes_nothing(
    safe: Safe, kept: Secrets
) -> None:
    await kept.set(safe.two, "TOKEN", "of two")
    rows = list(await kept.list(safe.one))
    done = await kept.rotate(new_key=True)
    assert sorted(done.rewrapped) == sorted([safe.one, safe.two])
    assert [key.uses for key in done.keys] == [2, 0]
    before = safe.bytes()
    again = await kept.rotate()
    assert (again.rewrapped, again.failed, again.key_id) == ([], [], done.key_id)
    assert safe.bytes() == before
    assert list(await kept.list(safe.one)) == rows
    # The old key is of no use any more: without it everything opens.
    lines = safe.key_file.read_text().splitlines()
    safe.key_file.write_text("\n".join(lines[:-1]) + "\n")
    assert await kept.get(safe.one, "TOKEN") == VALUE
    assert await kept.get(safe.two, "TOKEN") == "of two"


async def test_from_one_given_key_to_the_next_with_the_old_one_in_the_key_file(safe: Safe) -> None:
    await safe.secrets(KEY).set(safe.one, "TOKEN", VALUE)
    safe.key_file.write_text(f"# old\n{KEY}\n")
    secrets = safe.secrets(OTHER)
    assert await secrets.get(safe.one, "TOKEN") == VALUE
    await secrets.set(safe.one, "MORE", "under the old key still")
    assert (await secrets.rotate()).rewrapped == [safe.one]
    safe.key_file.unlink()
    assert await secrets.get(safe.one, "MORE") == "under the old key still"
    with pytest.raises(Conflict):
        await secrets.rotate(new_key=True)


async def test_a_rotation_reports_what_it_cannot_open_and_leaves_it(safe: Safe, kept: Secrets) -> None:
    await safe.secrets(OTHER).set(safe.two, "TOKEN", "of two")
    before = safe.file(safe.two).read_bytes()
    done = await kept.rotate(new_key=True)
    assert done.rewrapped == [safe.one]
    assert [(failure.project_id, failure.code) for failure in done.failed] == [(safe.two, "SECRETS_LOCKED")]
    assert safe.file(safe.two).read_bytes() == before


async def test_there_is_nothing_to_rotate_to_without_any_key(safe: Safe) -> None:
    with pytest.raises(SecretsLocked):
        await safe.secrets().rotate()
