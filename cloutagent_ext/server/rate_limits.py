"""How often an address may call with a key, and how often it may be wrong about one.

Calls proved by Jupyter are not counted. In memory, per server: a limit against abuse
and run-away loops, not an account. Not here: who a caller is (`server.gate`).
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import RateLimited

if TYPE_CHECKING:
    from pyrate_limiter import InMemoryBucket

MAX_ADDRESSES = 10_000
"""Addresses remembered at once; the ones seen longest ago are forgotten first."""

RECONNECT_S = 60.0
"""Opening the same stream again within this time does not count."""


def client(remote_ip: str) -> str:
    """What stands for one client: an IPv4 address, or an IPv6 /64 (one customer's network)."""
    try:
        address = ipaddress.ip_address(remote_ip.partition("%")[0])
    except ValueError:
        return remote_ip
    if address.version == 4:
        return str(address)
    if (mapped := getattr(address, "ipv4_mapped", None)) is not None:
        return str(mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


class Window:
    """At most `per_minute` hits in any 60 seconds, counted per address."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, InMemoryBucket] = OrderedDict()

    def hit(self, address: str) -> bool:
        """Count one; False when there is no room for it."""
        from pyrate_limiter import RateItem

        return bool(self._bucket(address).put(RateItem(address, self._now())))

    def used(self, address: str) -> int:
        """Hits of the last minute."""
        if address not in self._buckets:
            return 0
        bucket = self._buckets[address]
        bucket.leak(self._now())
        return bucket.count()

    def retry_after_s(self, address: str) -> int:
        """Whole seconds until the oldest hit of a full window has left it."""
        oldest = self._buckets[address].items[:1] if address in self._buckets else []
        return max(1, -(-(oldest[0].timestamp + 60_000 - self._now()) // 1000)) if oldest else 1

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _bucket(self, address: str) -> InMemoryBucket:
        from pyrate_limiter import Duration, InMemoryBucket, Rate

        bucket = self._buckets.get(address)
        if bucket is None:
            bucket = self._buckets[address] = InMemoryBucket([Rate(self.per_minute, Duration.MINUTE)])
            while len(self._buckets) > MAX_ADDRESSES:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(address)
        bucket.leak(self._now())
        return bucket


class RateLimits:
    """Both windows, and which streams were open a moment ago."""

    def __init__(
        self, requests_per_minute: int, failures_per_minute: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.requests = Window(requests_per_minute, clock)
        self.failures = Window(failures_per_minute, clock)
        self._clock = clock
        self._streams: OrderedDict[tuple[str, str], float] = OrderedDict()

    def count(self, address: str) -> None:
        """Count one proved call; raises `RateLimited`."""
        if not self.requests.hit(address):
            raise _limited(
                f"More than {self.requests.per_minute} calls a minute from this address; wait a little.",
                self.requests.retry_after_s(address),
            )

    def check_failures(self, address: str, pending: int) -> None:
        """Refuse one more guess while `pending` others of this address are still being judged."""
        if self.failures.used(address) + pending >= self.failures.per_minute:
            raise _limited(
                "Too many wrong keys from this address; wait a minute and check the key.",
                self.failures.retry_after_s(address),
            )

    def stream_seen(self, address: str, stream: str) -> None:
        """`stream` is open now, or was until now."""
        self._streams[address, stream] = self._clock()
        self._streams.move_to_end((address, stream))
        while len(self._streams) > MAX_ADDRESSES:
            self._streams.popitem(last=False)

    def is_reconnect(self, address: str, stream: str) -> bool:
        """Whether `stream` was open within the last minute."""
        seen = self._streams.get((address, stream))
        return seen is not None and self._clock() - seen < RECONNECT_S


def _limited(message: str, retry_after_s: int) -> RateLimited:
    error = RateLimited(message)
    error.retry_after_s = retry_after_s
    return error
