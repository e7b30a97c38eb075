"""A project's secrets: what is kept, what is refused, and that nothing is ever lost to a missing key."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cloutagent_ext.errors import (
    CloutError,
    Conflict,
    InvalidRequest,
    NotFound,
    SecretsLocked,
    TooLarge,
)
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.secrets import MAX_SECRETS, MAX_VALUE_BYTES, Secrets

from .safe import KEY, OTHER, VALUE, Safe


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


async def test_more_than_can_be_read_back_is_refused_and_the_rest_stays_open(
    safe: Safe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file beyond the largest that is read would lock all secrets of the project for good."""
    monkeypatch.setattr("cloutagent_ext.store.secrets.MAX_BYTES", 300_000)
    secrets = safe.secrets()
    await secrets.set(safe.one, "A", "x" * 60_000)
    await secrets.set(safe.one, "B", "y" * 60_000)
    with pytest.raises(TooLarge):
        await secrets.set(safe.one, "C", "z" * 60_000)
    assert [row.name for row in await secrets.list(safe.one)] == ["A", "B"]
    assert await secrets.get(safe.one, "B") == "y" * 60_000
    await secrets.delete(safe.one, "A")
    await secrets.set(safe.one, "C", "z" * 60_000)


async def test_a_key_file_that_is_a_link_stays_one_and_is_never_filled_beyond_reading(
    safe: Safe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other servers may read the same file through links of their own."""
    shared = tmp_path / "shared.keys"
    shared.write_text("c3" * 32 + "\n")
    safe.key_file.symlink_to(shared)
    secrets = safe.secrets()
    await secrets.set(safe.one, "TOKEN", VALUE)
    await secrets.rotate(new_key=True)
    assert safe.key_file.is_symlink()
    assert len(shared.read_text().split()) == 2
    monkeypatch.setattr("cloutagent_ext.store.keyring._MAX_BYTES", 140)
    with pytest.raises(Conflict):
        await secrets.rotate(new_key=True)
    assert await secrets.get(safe.one, "TOKEN") == VALUE


async def test_nothing_is_made_where_the_data_folder_has_gone(safe: Safe, kept: Secrets) -> None:
    """A mount that went: folders made in its place would be written into, and hidden when it is back."""
    projects = safe.data_dir / "projects"
    projects.rename(projects.with_name("away"))
    for attempt in (kept.set(safe.one, "TOKEN", VALUE), kept.delete(safe.one, "TOKEN"), kept.rotate()):
        with pytest.raises(CloutError):
            await attempt
    assert not projects.exists()


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
