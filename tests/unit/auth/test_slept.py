"""A machine that sleeps for eight hours with keys that it has just believed (row F12)."""

from __future__ import annotations

from pathlib import Path

from cloutagent_ext.auth.keys import Keys
from tests.support.sleeping import slept

from .conftest import refused

EIGHT_HOURS_S = 8 * 3600.0


async def test_a_key_that_was_revoked_elsewhere_meanwhile_opens_nothing_from_the_first_moment(
    pid: str, projects: Path
) -> None:
    keys, other_server = Keys(projects), Keys(projects)
    created, kept = await keys.create(pid, "CI"), await keys.create(pid, "Kept")
    await keys.verify(kept.api_key)
    await keys.verify(created.api_key)
    await other_server.revoke(pid, created.id)
    with slept(EIGHT_HOURS_S):
        assert keys.remembered(created.api_key) is None, "what was believed before is looked at anew"
        assert await keys.recall(created.api_key) is None
        await refused(keys, created.api_key)
        assert keys.remembered(kept.api_key) is None
        assert (await keys.verify(kept.api_key)).key_id == kept.id
        assert keys.remembered(kept.api_key) is not None
    await keys.close()
    await other_server.close()
