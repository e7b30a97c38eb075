"""Keys open their own project and nothing else. Those that were revoked: `test_revoked_keys`."""

from __future__ import annotations

import asyncio
import errno
import json
import re
import threading
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import bcrypt
import pytest

from cloutagent_ext import durable
from cloutagent_ext.auth import keys as keys_module
from cloutagent_ext.auth.keys import BCRYPT_COST, REMEMBER_S, TRUST_S, USED_EVERY_S, Keys
from cloutagent_ext.auth.principal import Principal
from cloutagent_ext.errors import NewerFormat, NotFound, TooLarge, Unavailable, UnreadableFile

from .conftest import Clock, refused

NOBODY = "6e5da204-95b1-4852-ae4b-d386311e9c5b"
"""A project that there is not."""


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The thread of each bcrypt check, as it happens."""
    seen: list[str] = []

    def checkpw(secret: bytes, hashed: bytes) -> bool:
        seen.append(threading.current_thread().name)
        return bcrypt.checkpw(secret, hashed)

    monkeypatch.setattr(
        keys_module, "bcrypt", SimpleNamespace(checkpw=checkpw, hashpw=bcrypt.hashpw, gensalt=bcrypt.gensalt)
    )
    return seen


async def test_a_new_key_opens_its_project_and_its_text_is_nowhere_on_the_disk(
    keys: Keys, pid: str, projects: Path
) -> None:
    created = await keys.create(pid, "CI")
    match = re.fullmatch(r"ca_([0-9a-f]{32}-[0-9a-f]{8})_([A-Za-z0-9_-]{43})", created.api_key)
    assert match is not None
    assert match[1] == created.id
    assert await keys.verify(created.api_key) == Principal(
        "key", "CI", pid, created.id, frozenset({"read", "execute"})
    )
    file = projects / pid / "keys.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert match[2] not in file.read_text()
    stored = json.loads(file.read_text())["keys"][0]["hash"]
    assert stored.startswith(f"$2b${BCRYPT_COST}$")
    assert bcrypt.checkpw(match[2].encode(), stored.encode())


async def test_one_key_more_than_can_be_read_again_is_refused_and_the_others_go_on_working(
    keys: Keys, pid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file beyond the largest that is read would open nothing for anybody."""
    monkeypatch.setattr("cloutagent_ext.auth.key_file.MAX_BYTES", 900)
    made = [await keys.create(pid, "CI"), await keys.create(pid, "CI")]
    with pytest.raises(TooLarge):
        await keys.create(pid, "CI" * 50)
    assert (await keys.verify(made[1].api_key)).key_id == made[1].id
    await keys.revoke(pid, made[0].id)
    await keys.create(pid, "CI")


async def test_rows_never_hold_a_secret_or_a_hash(keys: Keys, pid: str) -> None:
    await keys.create(pid, "One", ["read"])
    await keys.create(pid, "Two", ("read", "execute", "approve"))
    rows = await keys.list(pid)
    assert [(row.name, row.scopes, row.last_used_at) for row in rows] == [
        ("One", ["read"], None),
        ("Two", ["read", "execute", "approve"], None),
    ]
    assert "hash" not in rows[0].model_dump()


ODD = [
    None, "", " ", "\0", "ca_", "ca__", "ca_x", "nothing", "a" * 72, "a" * 73, "a" * 4096, "é" * 40, "\ud800",
    0, [], {}, b"ca_x_y", "ca_" + "0" * 32 + "-00000000", "Bearer ca_x_y", "ca_" + "../" * 10 + "_x",
]  # fmt: skip


@pytest.mark.parametrize("text", ODD, ids=lambda text: repr(text)[:20])
async def test_odd_texts_are_refused_and_never_an_error_of_ours(keys: Keys, pid: str, text: object) -> None:
    await keys.create(pid, "CI")
    assert keys.remembered(text) is None  # type: ignore[arg-type]
    await refused(keys, text)


async def test_every_change_of_a_key_is_refused(keys: Keys, pid: str, projects: Path) -> None:
    key = (await keys.create(pid, "CI")).api_key
    other = str(uuid4())
    (projects / other).mkdir()
    theirs = (await keys.create(other, "Theirs")).api_key
    head, secret = key[: key.index("_", 3) + 1], key[key.index("_", 3) + 1 :]
    wrong = [
        head + theirs[theirs.index("_", 3) + 1 :],
        theirs[: theirs.index("_", 3) + 1] + secret,
        key.replace("-", "-1", 1)[:-1],
        key[:-1], key + "A", key + "\0", " " + key, key + " ", key.upper(), key.replace("ca_", "CA_", 1),
        head, head + "\0" * 43, head + "é" * 43, head + "a" * 72, head + "a" * 73, head + "a" * 4096,
        head.replace("_", "", 1) + secret, key.replace("_", ""), key + "," + key,
    ]  # fmt: skip
    for text in wrong:
        await refused(keys, text)
    assert (await keys.verify(key)).project_id == pid
    assert (await keys.verify(theirs)).project_id == other


async def test_all_refusals_look_the_same_and_cost_one_check(keys: Keys, pid: str, checks: list[str]) -> None:
    key = (await keys.create(pid, "CI")).api_key
    unknown_key = key.replace(key[36:44], "0" * 8)
    unknown_project = key.replace(key[3:35], uuid4().hex)
    revoked = await keys.create(pid, "Old")
    await keys.revoke(pid, revoked.id)
    seen = set()
    for text in (key[:-4] + "AAAA", unknown_key, unknown_project, revoked.api_key, "garbage", ""):
        checks.clear()
        error = await refused(keys, text)
        seen.add((error.message, str(error.details), len(checks)))
    assert len(seen) == 1
    assert seen.pop()[2] == 1


async def test_steady_traffic_pays_bcrypt_once(keys: Keys, pid: str, clock: Clock, checks: list[str]) -> None:
    key = (await keys.create(pid, "CI")).api_key
    assert keys.remembered(key) is None
    for _ in range(20):
        await keys.verify(key)
        assert keys.remembered(key) is not None
        clock.now += 1
    assert len(checks) == 1
    clock.now += TRUST_S + 1
    assert keys.remembered(key) is None  # must look at the disk again, but needs no bcrypt
    await keys.verify(key)
    assert len(checks) == 1
    clock.now += REMEMBER_S
    await keys.verify(key)
    assert len(checks) == 2


async def test_bcrypt_runs_in_two_threads_of_its_own(keys: Keys, pid: str, checks: list[str]) -> None:
    key = (await keys.create(pid, "CI")).api_key
    await asyncio.gather(*(refused(keys, f"{key[:-3]}{n:03}") for n in range(8)))
    assert len(set(checks)) <= 2
    assert all(name.startswith("cloutagent-bcrypt") for name in checks)


async def test_many_requests_with_one_new_key_cost_one_check(keys: Keys, pid: str, checks: list[str]) -> None:
    key = (await keys.create(pid, "CI")).api_key
    assert len({(await p) for p in [keys.verify(key)]}) == 1
    checks.clear()
    fresh = Keys(keys._root)
    await asyncio.gather(*(fresh.verify(key) for _ in range(30)))
    await fresh.close()
    assert len(checks) == 1


async def test_a_key_dies_with_its_project(keys: Keys, pid: str, projects: Path) -> None:
    created = await keys.create(pid, "CI")
    await keys.verify(created.api_key)
    (projects / pid).rename(projects / ".deleted")
    await refused(keys, created.api_key)
    for attempt in (keys.create(pid, "x"), keys.list(pid), keys.revoke(pid, created.id)):
        with pytest.raises(NotFound):
            await attempt
    assert not (projects / pid).exists()


async def test_no_key_means_nobody(keys: Keys, pid: str) -> None:
    assert await keys.list(pid) == []
    await refused(keys, f"ca_{pid.replace('-', '')}-00000000_{'A' * 43}")


@pytest.mark.parametrize("bad", ["../x", "", "x", f"{{{NOBODY}}}", NOBODY.upper(), NOBODY])
async def test_a_project_that_is_none_is_not_found(keys: Keys, projects: Path, bad: str) -> None:
    for attempt in (keys.create(bad, "x"), keys.list(bad), keys.revoke(bad, "x")):
        with pytest.raises(NotFound):
            await attempt


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"keys": [{"id": "x"}]}', b"\xff", b"[" * 100_000])
async def test_a_damaged_key_file_opens_nothing_and_is_kept(
    keys: Keys, pid: str, projects: Path, data: bytes
) -> None:
    created = await keys.create(pid, "CI")
    file = projects / pid / "keys.json"
    file.write_bytes(data)
    await refused(keys, created.api_key)
    for attempt in (keys.create(pid, "x"), keys.list(pid), keys.revoke(pid, created.id)):
        with pytest.raises(UnreadableFile, match=r"keys\.json"):
            await attempt
    assert file.read_bytes() == data


async def test_a_key_file_of_a_newer_version_is_kept(keys: Keys, pid: str, projects: Path) -> None:
    file = projects / pid / "keys.json"
    file.write_text('{"schema_version": 2, "anything": 1}')
    with pytest.raises(NewerFormat):
        await keys.create(pid, "x")
    assert "anything" in file.read_text()


async def test_a_key_file_that_is_a_link_is_not_followed(keys: Keys, pid: str, projects: Path) -> None:
    created = await keys.create(pid, "CI")
    file = projects / pid / "keys.json"
    file.rename(projects / "elsewhere.json")
    file.symlink_to(projects / "elsewhere.json")
    await refused(keys, created.api_key)


async def test_the_last_use_is_shown_at_once_and_written_once_a_minute(
    keys: Keys, pid: str, projects: Path, clock: Clock
) -> None:
    created = await keys.create(pid, "CI")
    file = projects / pid / "keys.json"
    await keys.verify(created.api_key)
    assert (await keys.list(pid))[0].last_used_at is not None
    await asyncio.gather(*keys._tasks)
    written = file.read_bytes()
    assert json.loads(written)["keys"][0]["last_used_at"] is not None
    for _ in range(10):
        await keys.verify(created.api_key)
    assert not keys._tasks
    clock.now += USED_EVERY_S
    await keys.verify(created.api_key)
    assert keys._tasks
    await asyncio.gather(*keys._tasks)
    await keys.verify(created.api_key)


@pytest.mark.parametrize("failure", [errno.ENOSPC, errno.EIO, errno.EROFS])
async def test_a_last_use_that_cannot_be_written_fails_nobody(
    keys: Keys, pid: str, monkeypatch: pytest.MonkeyPatch, failure: int
) -> None:
    created = await keys.create(pid, "CI")

    def fails(*args: object) -> int:
        raise OSError(failure, "broken")

    monkeypatch.setattr(durable.os, "fsync", fails)
    assert (await keys.verify(created.api_key)).name == "CI"
    await asyncio.gather(*keys._tasks)
    assert (await keys.verify(created.api_key)).name == "CI"
    assert keys.remembered(created.api_key) is not None


async def test_a_failed_fsync_makes_keys_read_only_but_not_unusable(
    keys: Keys, pid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = await keys.create(pid, "CI")
    with monkeypatch.context() as patch:
        patch.setattr(durable.os, "fsync", _raise(errno.EIO))
        with pytest.raises(Unavailable) as caught:
            await keys.create(pid, "Lost")
        assert caught.value.error_code == "READ_ONLY"
    with pytest.raises(Unavailable):
        await keys.create(pid, "Still lost")
    await keys.verify(created.api_key)
    assert [row.name for row in await keys.list(pid)] == ["CI"]


async def test_a_key_can_be_revoked_on_a_full_disk(
    keys: Keys, pid: str, projects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    created, other = await keys.create(pid, "CI"), await keys.create(pid, "Other")
    await keys.verify(created.api_key)
    await asyncio.gather(*keys._tasks)
    real = durable.os.open

    def full(path: Path, flags: int, *rest: object, **more: object) -> int:
        if flags & durable.os.O_CREAT:
            raise OSError(errno.ENOSPC, "full")
        return real(path, flags, *rest, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(durable, "os", SimpleNamespace(**{**vars(durable.os), "open": full}))
        await keys.revoke(pid, created.id)
    await refused(keys, created.api_key)
    assert [row.name for row in await keys.list(pid)] == ["Other"]
    await keys.verify(other.api_key)
    await keys.create(pid, "Third")
    assert created.id not in (projects / pid / "keys.json").read_text()
    assert created.id in (projects.parent / "revoked-keys.txt").read_text(), "as soon as there is room"


def _raise(number: int):  # type: ignore[no-untyped-def]
    def fails(*args: object) -> int:
        raise OSError(number, "broken")

    return fails
