"""Ids sort by time, so that the newest executions are found by name."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from cloutagent_ext.executions.ids import Ids, first_of, is_id, made_at


def test_ids_grow_within_a_millisecond_too() -> None:
    ids = Ids()
    made = [ids.new() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert all(is_id(each) and UUID(each).version == 7 for each in made)
    assert abs(made_at(made[-1]).timestamp() - time.time()) < 5


def test_ids_grow_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = Ids()
    first = ids.new()
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    assert ids.new() > first


@pytest.mark.parametrize("text", ["", "..", "../../etc", "x" * 36, "019AB000-0000-7000-8000-000000000001"])
def test_what_is_no_id_never_becomes_a_folder_name(text: str) -> None:
    assert not is_id(text)


def test_a_moment_parts_the_ids_made_before_it_from_those_made_then_or_later() -> None:
    made = Ids().new()
    moment, tick = made_at(made), timedelta(milliseconds=1)
    assert first_of(moment) < made < first_of(moment + tick)
    assert first_of(moment - tick / 2) < made < first_of(moment + tick / 2), "rounded up, never down"
    assert first_of(datetime(1, 1, 2, tzinfo=UTC)) < made < first_of(datetime(9999, 12, 31, tzinfo=UTC))
