"""Revoked keys stop at once, at every server, and stay revoked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cloutagent_ext.auth.keys import TRUST_S, Keys
from cloutagent_ext.errors import NotFound, Unauthorized, UnreadableFile
from cloutagent_ext.schema.base import timestamp
from tests.support.held_threads import HeldThreads

from .conftest import Clock, refused


async def test_a_revoked_key_opens_nothing_from_then_on(keys: Keys, pid: str) -> None:
    created, other = await keys.create(pid, "CI"), await keys.create(pid, "Other")
    await keys.verify(created.api_key)
    await keys.revoke(pid, created.id)
    assert keys.remembered(created.api_key) is None
    await refused(keys, created.api_key)
    await keys.verify(other.api_key)
    for missing in (created.id, "nope", ""):
        with pytest.raises(NotFound):
            await keys.revoke(pid, missing)


async def test_who_looked_at_a_key_just_before_it_was_revoked_does_not_let_it_in(
    keys: Keys, pid: str
) -> None:
    created = await keys.create(pid, "CI")
    threads = HeldThreads()
    first, again = threads.after("_find"), threads.after("_find")
    looking = asyncio.ensure_future(keys.verify(created.api_key))
    await first.reached()
    first.go()
    await again.reached()  # behind bcrypt it is looked at once more
    await keys.revoke(pid, created.id)
    again.go()
    with pytest.raises(Unauthorized):
        await looking
    assert keys.remembered(created.api_key) is None


async def test_a_key_revoked_by_another_server_stops_within_two_seconds(
    keys: Keys, pid: str, projects: Path, clock: Clock
) -> None:
    created = await keys.create(pid, "CI")
    await keys.verify(created.api_key)
    other_server = Keys(projects)
    await other_server.revoke(pid, created.id)
    await other_server.close()
    clock.now += TRUST_S + 0.1
    assert keys.remembered(created.api_key) is None
    await refused(keys, created.api_key)


async def test_a_revoked_key_stays_revoked_when_its_row_comes_back(
    keys: Keys, pid: str, projects: Path
) -> None:
    """As it does with a backup, or a copy put back by hand; also for a server that starts afterwards."""
    created, other = await keys.create(pid, "CI"), await keys.create(pid, "Other")
    before = (projects / pid / "keys.json").read_bytes()
    await keys.revoke(pid, created.id)
    (projects / pid / "keys.json").write_bytes(before)
    for each in (keys, Keys(projects)):
        await refused(each, created.api_key)
        assert [row.id for row in await each.list(pid)] == [other.id]
        assert (await each.verify(other.api_key)).key_id == other.id
        with pytest.raises(NotFound):
            await each.revoke(pid, created.id)
        await each.close()


@pytest.mark.parametrize("junk", [b"\0" * 60, b"0123\n", b"x" * 100 + b"\n", "\u2028".encode()])
async def test_a_damaged_list_of_revoked_keys_opens_nothing_and_is_kept(
    keys: Keys, pid: str, projects: Path, caplog: pytest.LogCaptureFixture, junk: bytes
) -> None:
    created, other = await keys.create(pid, "CI"), await keys.create(pid, "Other")
    await keys.revoke(pid, other.id)
    path = projects.parent / "revoked-keys.txt"
    whole = path.read_bytes()
    path.write_bytes(whole + junk)
    await refused(keys, created.api_key)
    with pytest.raises(UnreadableFile):
        await keys.revoke(pid, created.id)
    assert path.read_bytes() == whole + junk
    assert "revoked-keys.txt, line 3" in caplog.text
    path.write_bytes(whole)
    assert (await keys.verify(created.api_key)).key_id == created.id


async def test_the_list_of_revoked_keys_lets_go_of_what_no_backup_can_hold(
    keys: Keys, pid: str, projects: Path
) -> None:
    path = projects.parent / "revoked-keys.txt"
    old, young = f"{'0' * 32}-00000001", f"{'0' * 32}-00000002"
    recent = timestamp()
    path.write_text(f"# by hand\n\n{old} 2020-01-01T00:00:00.000Z\n{young} {recent}\n")
    created = await keys.create(pid, "CI")
    assert path.read_text().count(old) == 1, "making a key touches no list"
    await keys.revoke(pid, created.id)
    assert [line.split()[0] for line in path.read_text().splitlines() if not line.startswith("#")] == [
        young,
        created.id,
    ]
    assert path.stat().st_mode & 0o777 == 0o600
