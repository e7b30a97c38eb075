"""Ids sort by time, so that the newest executions are found by name."""

from __future__ import annotations

import time
from uuid import UUID

import pytest

from cloutagent_ext.executions.ids import Ids, is_id, made_at


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
