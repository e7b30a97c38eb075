"""How often an address may call and be wrong, whatever it says it is, and who is held up by whom."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx2
import pytest

from cloutagent_ext.errors import RateLimited
from cloutagent_ext.server.gate import Gate
from cloutagent_ext.server.rate_limits import MAX_ADDRESSES, RateLimits, Window, client
from cloutagent_ext.services import Services
from tests.server.caller import Caller, code
from tests.support.live_server import live_server

FORWARDING = (
    "X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP",
    "X-Cluster-Client-IP", "X-Originating-IP", "Client-IP", "Via",
)  # fmt: skip


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_window_takes_its_number_in_any_sixty_seconds_and_says_when_to_come_back() -> None:
    clock = Clock()
    window = Window(3, clock)
    taken = []
    for at in (0, 10, 20, 30, 59, 61, 62, 71, 72, 200):
        clock.now = 1000.0 + at
        taken.append(window.hit("a"))
        if at == 30:
            assert window.retry_after_s("a") == 30
    assert taken == [True, True, True, False, False, True, False, True, False, True]
    assert window.hit("b"), "another address has its own"


def test_addresses_are_counted_as_people_have_them() -> None:
    assert client("::ffff:203.0.113.9") == client("203.0.113.9") == "203.0.113.9"
    assert client("2001:db8:1:2::1") == client("2001:db8:1:2:ffff::9%eth0") == "2001:db8:1:2::/64"
    assert client("2001:db8:1:3::1") != client("2001:db8:1:2::1")


def test_a_flood_of_addresses_fills_no_memory() -> None:
    limits = RateLimits(100, 20, Clock())
    for number in range(MAX_ADDRESSES * 2):
        limits.requests.hit(f"address {number}")
        limits.stream_seen(f"address {number}", "a stream")
    assert len(limits.requests._buckets) == MAX_ADDRESSES
    assert len(limits._streams) == MAX_ADDRESSES


class Nobody:
    """Keys of which none was ever right."""

    def remembered(self, text: str) -> None:
        return None

    async def recall(self, text: str) -> None:
        return None


async def test_addresses_that_are_refused_before_a_check_fill_no_memory() -> None:
    gate = Gate(cast(Services, SimpleNamespace(keys=Nobody())), RateLimits(100, 0, Clock()))
    for number in range(100):
        with pytest.raises(RateLimited):
            await gate.identify(["ca_guess"], f"address {number}")
    assert not gate._pending


def test_guesses_that_are_still_being_judged_count() -> None:
    limits = RateLimits(100, 20, Clock())
    for _ in range(15):
        limits.failures.hit("a")
    limits.check_failures("a", 4)
    with pytest.raises(RateLimited) as caught:
        limits.check_failures("a", 5)
    assert caught.value.retry_after_s


async def test_a_hundred_calls_a_minute_by_default_and_twenty_wrong_keys(server: Caller) -> None:
    project = await server.create()
    statuses = Counter(
        [(await server.call("GET", "tools", key=project["api_key"])).status_code for _ in range(104)]
    )
    assert statuses == {200: 100, 429: 4}
    refused = await server.call("GET", "tools", key=project["api_key"])
    assert code(refused) == "RATE_LIMITED"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    wrong = Counter([(await server.call("GET", "tools", key=f"ca_{n}")).status_code for n in range(24)])
    assert wrong == {401: 20, 429: 4}


@pytest.mark.parametrize("settings", [{"rate_limit": 10, "failed_auth_limit": 5}])
async def test_no_header_makes_a_caller_somebody_else(server: Caller) -> None:
    project = await server.create()
    dice = random.Random(1)
    passed = 0
    for number in range(200):
        made_up = ".".join(str(dice.randrange(1, 255)) for _ in range(4))
        headers = {name: f"for={made_up}" if name == "Forwarded" else made_up for name in FORWARDING}
        key = project["api_key"] if number % 2 else f"ca_wrong_{number}"
        response = await server.call("GET", "tools", key=key, headers=headers)
        passed += response.status_code in (200, 401)
        if response.status_code == 429:
            assert int(response.headers["Retry-After"]) >= 1
    assert passed == 15


@pytest.mark.parametrize("settings", [{"rate_limit": 100_000}])
async def test_a_storm_of_wrong_keys_does_not_hold_up_a_key_that_is_known(server: Caller) -> None:
    """Twenty of them are being judged, in two threads, bcrypt each: the good one passes by."""
    project = await server.create()
    assert (await server.call("GET", "tools", key=project["api_key"])).status_code == 200
    secret = project["api_key"].rpartition("_")[0]
    wrong = [f"{secret}_{number:043d}" for number in range(400)]
    storm = [asyncio.create_task(server.call("GET", "tools", key=key)) for key in wrong]
    beside = 0
    async with asyncio.timeout(60):
        while not all(task.done() for task in storm):
            response = await server.call("GET", "tools", key=project["api_key"])
            assert response.status_code == 200
            beside += 1
        answers = Counter([(await task).status_code for task in storm])
    assert answers == {401: 20, 429: 380}
    assert beside >= 10, "good calls were answered while wrong ones were still being judged"


@pytest.mark.timeout(120)
async def test_behind_a_proxy_the_address_is_the_one_that_the_proxy_saw(tmp_path: Path) -> None:
    """`trust_xheaders`, the operator's word that there is one: what a client wrote itself counts nothing."""
    options = (
        "--ServerApp.trust_xheaders=True",
        "--CloutAgent.rate_limit=5",
        "--CloutAgent.simulated_pace=0",
    )
    with live_server(tmp_path, *options) as server:
        key = server.create_project("A", "empty")["api_key"]
        async with httpx2.AsyncClient(base_url=f"{server.api}/", trust_env=False) as http:
            numbers = itertools.count(1)

            async def call(seen: str) -> int:
                forged = f"203.0.113.{next(numbers)}, {seen}"
                headers = {"X-API-Key": key, "X-Forwarded-For": forged}
                return (await http.get("tools", headers=headers)).status_code

            assert [await call("198.51.100.7") for _ in range(8)] == [200] * 5 + [429] * 3
            assert await call("198.51.100.8") == 200
