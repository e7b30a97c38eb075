"""Room that is kept back for the last words of executions: spent on a full disk, on nothing else."""

from __future__ import annotations

import asyncio
import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloutagent_ext.executions.reserve import BYTES, NAME, Reserve


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    (tmp_path / "projects").mkdir()
    return tmp_path / "projects" / NAME


class Ending:
    """Fails with each of `numbers` in turn, then succeeds."""

    def __init__(self, *numbers: int) -> None:
        self.failures = [OSError(number, os.strerror(number)) for number in numbers]
        self.tried = 0

    async def __call__(self) -> None:
        self.tried += 1
        if self.failures:
            raise self.failures.pop(0)


def test_it_takes_its_room_on_the_disk_and_a_damaged_one_is_made_again(tmp_path: Path, kept: Path) -> None:
    for damage in (b"", b"short"):
        Reserve(tmp_path).hold()
        found = kept.stat()
        assert found.st_size == BYTES
        assert found.st_blocks * 512 >= BYTES, "a hole in a file keeps nothing back"
        kept.write_bytes(damage)
    Reserve(tmp_path).hold()
    assert [path.name for path in kept.parent.iterdir()] == [NAME]


def test_many_may_ask_for_it_at_once(tmp_path: Path, kept: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        for _ in range(50):
            asked = [threads.submit(Reserve(tmp_path).hold) for _ in range(8)]
            for each in asked:
                each.result()
            assert kept.stat().st_size == BYTES
            kept.unlink()
    assert list(kept.parent.iterdir()) == []


def test_on_a_full_disk_it_goes_and_the_last_word_is_said_again(tmp_path: Path, kept: Path) -> None:
    reserve, ending = Reserve(tmp_path), Ending(errno.ENOSPC)
    reserve.hold()
    asyncio.run(reserve.spend(ending))
    assert (ending.tried, kept.exists()) == (2, False)


def test_it_stays_where_all_is_well_and_where_another_thing_is_wrong(tmp_path: Path, kept: Path) -> None:
    reserve, broken = Reserve(tmp_path), Ending(errno.EIO)
    reserve.hold()
    asyncio.run(reserve.spend(Ending()))
    with pytest.raises(OSError, match="Input/output"):
        asyncio.run(reserve.spend(broken))
    assert (broken.tried, kept.exists()) == (1, True)


def test_a_disk_that_stays_full_is_not_tried_for_ever(tmp_path: Path, kept: Path) -> None:
    ending = Ending(errno.ENOSPC, errno.EDQUOT)
    with pytest.raises(OSError, match="quota"):
        asyncio.run(Reserve(tmp_path).spend(ending))
    assert ending.tried == 2
