"""What of an execution can go on, counted: a miscount would stop its clock or give its slot away too soon."""

from __future__ import annotations

import asyncio

import pytest

from cloutagent_ext.engine.pace import Pace, Places


class Heard:
    def __init__(self):
        self.words: list[str] = []
        self.pace = Pace(rests=lambda: self.words.append("rests"), wakes=lambda: self.words.append("wakes"))


def test_the_only_conversation_rests_and_wakes():
    heard = Heard()
    with heard.pace.resting():
        assert heard.words == ["rests"]
    assert heard.words == ["rests", "wakes"]


def test_a_turn_whose_calls_end_one_after_the_other_never_rests():
    heard = Heard()
    with heard.pace.spread(3) as done:
        for _ in range(3):
            done()
    with heard.pace.resting():
        pass
    assert heard.words == ["rests", "wakes"]


def test_it_rests_once_the_last_other_call_has_ended():
    heard = Heard()
    with heard.pace.spread(2) as done:
        with heard.pace.resting():
            assert heard.words == []
            done()
            assert heard.words == ["rests"]
        assert heard.words == ["rests", "wakes"]
        done()


def test_calls_that_were_broken_off_leave_one_unit():
    heard = Heard()

    def turn() -> None:
        with heard.pace.spread(3) as done:
            done()
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        turn()
    with heard.pace.resting():
        assert heard.words == ["rests"]


async def test_a_place_that_is_handed_on_leaves_no_moment_of_rest():
    heard = Heard()
    places = Places(heard.pace, 1)
    order: list[str] = []

    async def visit(name: str, done) -> None:
        async with places:
            order.append(name)
            await asyncio.sleep(0)
        done()

    with heard.pace.spread(3) as done:
        await asyncio.gather(*[visit(name, done) for name in "abc"])
    assert (order, heard.words) == (["a", "b", "c"], [])


async def test_who_is_cancelled_in_the_line_or_at_its_turn_loses_no_place():
    heard = Heard()
    places = Places(heard.pace, 1)

    async def visit() -> None:
        async with places:
            pass

    with heard.pace.spread(3) as done:
        async with places:
            waiting = [asyncio.create_task(visit()) for _ in range(2)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.gather(waiting[0], return_exceptions=True)
        waiting[1].cancel()  # in the moment in which it was given the place
        await asyncio.gather(waiting[1], return_exceptions=True)
        for _ in range(3):
            done()
    async with asyncio.timeout(60), places:
        pass
    with heard.pace.resting():
        assert heard.words == ["rests"]
