"""Ceilings on money and tokens: reserve before each model call, settle after it.

A reservation is the worst that the call can cost: its whole prompt at the dearer of
input and cache-write price, and `max_tokens` of output. So money spent plus money
reserved never exceeds the limit, however many subagents call at once; everything here
between looking and booking runs without an `await`. Tokens differ in one point: a
prefix that the previous call of the same conversation had in the cache, less than four
minutes ago, is taken as cached, since cache reads do not count towards `max_tokens`.

A subagent's own limits are a budget inside its caller's. A batch's ceiling, which other
executions share, is held last, when all else has said yes (`ports.Ceiling`). Not here:
time and turns.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..schema.events import WarningCode
from ..schema.execution import Usage
from .models.prices import iterations_of
from .past import Past
from .ports import Ceiling, EndExecution, Price, Prices, Wire

MIN_OUTPUT_TOKENS = 256
"""A reply that may be shorter than this is not worth asking for."""
WARN_AT = 0.8
"""Part of a limit at which one warning is given."""
_EPSILON = 1e-9
"""Dollars below which a difference is the rounding of floats."""

_FREE = Price(input=0.0, output=0.0, cache_read=0.0, cache_write_5m=0.0)


class OwnLimit(EndExecution):
    """A subagent reached a limit of its own; its caller may go on. `owner` is that subagent's budget."""

    def __init__(self, owner: Budget, end: EndExecution) -> None:
        super().__init__(end.code, end.message, **end.details)
        self.owner = owner


@dataclass
class Reservation:
    """Money and tokens held for one model call."""

    model: str
    max_tokens: int
    """Output that was granted: what was asked for, or what still fits."""
    cost: float
    tokens: int


@dataclass(frozen=True)
class Settled:
    """What one call came to."""

    usage: Usage
    cost: float | None
    over: float = 0.0
    """Dollars that the service charged beyond the worst that was foreseen."""
    warnings: list[tuple[WarningCode, str]] = field(default_factory=list)


class Budget:
    """What may be spent, is spent and is reserved: one for an execution, one for each limited subagent."""

    def __init__(
        self,
        prices: Prices,
        *,
        max_cost_usd: float | None,
        max_tokens: int | None,
        local_prices: bool = False,
        parent: Budget | None = None,
        owner: str = "the execution",
        ceiling: Ceiling | None = None,
    ) -> None:
        self.max_cost_usd = max_cost_usd
        self.max_tokens = max_tokens
        self.parent = parent
        self.usage = Usage()
        self.cost: float | None = 0.0
        self.reserved_cost = 0.0
        self.reserved_tokens = 0
        self.carried_cost = 0.0
        self.carried_tokens = 0
        """Taken for good, though not spent here: by an execution that this one resumes, and by calls whose
        end nobody saw."""
        self._prices = prices
        self._local = local_prices
        self._owner = owner
        self._ceiling = ceiling
        self._open = 0
        self._settled = asyncio.Event()
        self._warned: set[str] = set()

    def within(self, *, max_cost_usd: float | None, max_tokens: int | None, owner: str) -> Budget:
        """A budget inside this one: what it spends counts here too."""
        return Budget(
            self._prices,
            max_cost_usd=max_cost_usd,
            max_tokens=max_tokens,
            local_prices=self._local,
            parent=self,
            owner=owner,
        )

    def go_on(self, past: Past, span: str) -> None:
        """Take over what was spent below `span` in earlier sittings. Its callers' budgets have it already."""
        for spent in past.spent_below(span):
            self.usage = self.usage + spent.usage
            self.cost = None if self.cost is None or spent.cost is None else self.cost + spent.cost
        for each in past.carried_below(span):
            self.carried_cost += each.cost or 0.0
            self.carried_tokens += each.usage.counted
        for held in past.held(span):
            self.carried_cost += held.cost
            self.carried_tokens += held.tokens
        self._warned |= past.told.warned & {"COST_80", "TOKENS_80"}

    # ------------------------------------------------------------ before a call

    def fits(self, model: str, *, prompt_tokens: int, cached_tokens: int, max_tokens: int) -> bool:
        """Whether a call would get all the output it asks for, as things stand."""
        price = self._price(model)
        return all(
            level._room(price, prompt_tokens, cached_tokens)[0] >= max_tokens for level in self._levels()
        )

    async def reserve(
        self, model: str, *, prompt_tokens: int, cached_tokens: int = 0, max_tokens: int
    ) -> Reservation:
        """Hold the worst case of a call; waits while other calls hold what it needs.

        Grants less output where less fits, and raises `EndExecution` (`OwnLimit` for a
        subagent's own ceiling) where fewer than 256 tokens of output would fit.
        """
        price = self._price(model)
        while True:
            tightest, granted, code = self, max_tokens, ""
            for level in self._levels():
                room, why = level._room(price, prompt_tokens, cached_tokens)
                if room < granted:
                    tightest, granted, code = level, room, why
            if granted >= max_tokens or not tightest._open:
                break
            # Calls on their way usually cost far less than they hold: wait for one of them.
            await tightest._settled.wait()
        if granted < min(MIN_OUTPUT_TOKENS, max_tokens):
            raise tightest._exhausted(code, model, price, prompt_tokens)
        held = Reservation(
            model,
            granted,
            cost=0.0 if price is None else _worst(price, prompt_tokens, granted),
            tokens=max(0, prompt_tokens - cached_tokens) + granted,
        )
        self._book(held, +1)
        try:
            await self._hold_of_the_ceiling(held, price, prompt_tokens)
        except BaseException:
            self._book(held, -1)
            self._announce()
            raise
        return held

    async def _hold_of_the_ceiling(self, held: Reservation, price: Price | None, prompt_tokens: int) -> None:
        """Hold the same of what other executions share; grants less output where less is left there."""
        *_, root = self._levels()
        if root._ceiling is None:
            return
        if price is None:
            raise root._exhausted("PRICE_UNKNOWN", held.model, price, prompt_tokens)
        shortest = min(MIN_OUTPUT_TOKENS, held.max_tokens)
        got = await root._ceiling.hold(held.cost, least=_worst(price, prompt_tokens, shortest))
        if got < held.cost and price.output:
            fewer = held.max_tokens - math.ceil((held.cost - got) * 1_000_000 / price.output - _EPSILON)
            lowered = max(shortest, fewer)
            self._book(held, -1)
            held.tokens -= held.max_tokens - lowered
            held.max_tokens, held.cost = lowered, got
            self._book(held, +1)
            self._announce()

    def _book(self, held: Reservation, sign: int) -> None:
        for level in self._levels():
            level.reserved_cost = max(0.0, level.reserved_cost + sign * held.cost)
            level.reserved_tokens += sign * held.tokens
            level._open += sign

    def _announce(self) -> None:
        """Let those look again who wait for what is held."""
        for level in self._levels():
            settled, level._settled = level._settled, asyncio.Event()
            settled.set()

    # ------------------------------------------------------------ after a call

    def settle(self, held: Reservation, wire: Wire | None) -> Settled:
        """Release `held` and book the call's wire usage (None: it cost nothing)."""
        usage, cost = Usage(), 0.0 if self._price(held.model) is not None else None
        if wire is not None:
            usage = usage_of(wire)
            cost = self._prices.cost(held.model, wire)
            if cost is None and self._local:
                cost = 0.0
        self._book(held, -1)
        *_, root = self._levels()
        if wire is not None:
            for level in self._levels():
                level.usage = level.usage + usage
                level.cost = None if level.cost is None or cost is None else level.cost + cost
        if root._ceiling is not None:
            root._ceiling.settle(held.cost, cost or 0.0)
        self._announce()
        over = (cost or 0.0) - held.cost
        return Settled(usage, cost, over if over > _EPSILON else 0.0, list(root._new_warnings()))

    def percent_of_cost(self) -> float | None:
        """0 to 100, None without a limit or a known price."""
        if self.max_cost_usd is None or self.cost is None:
            return None
        return min(100.0, round(100 * (self.cost + self.carried_cost) / self.max_cost_usd, 2))

    def percent_of_tokens(self) -> float | None:
        """0 to 100, None without a limit."""
        if self.max_tokens is None:
            return None
        return min(100.0, round(100 * (self.usage.counted + self.carried_tokens) / self.max_tokens, 2))

    # ------------------------------------------------------------ inside

    def _levels(self) -> Iterator[Budget]:
        level: Budget | None = self
        while level is not None:
            yield level
            level = level.parent

    def _price(self, model: str) -> Price | None:
        return self._prices.of(model) or (_FREE if self._local else None)

    def _room(self, price: Price | None, prompt_tokens: int, cached_tokens: int) -> tuple[int, str]:
        """Output tokens that fit here, and the limit that says so."""
        room, code = 2**31, ""
        if self.max_tokens is not None:
            fresh = max(0, prompt_tokens - cached_tokens)
            taken = self.usage.counted + self.carried_tokens + self.reserved_tokens
            room = self.max_tokens - taken - fresh
            code = "TOKEN_LIMIT_EXCEEDED"
        if self.max_cost_usd is not None:
            if price is None or self.cost is None:
                return -1, "PRICE_UNKNOWN"
            taken_usd = self.cost + self.carried_cost + self.reserved_cost
            left = self.max_cost_usd - taken_usd - _worst(price, prompt_tokens, 0)
            affordable = math.floor((left + _EPSILON) * 1_000_000 / price.output) if price.output else 2**31
            if left < -_EPSILON:
                affordable = -1
            if affordable < room:
                room, code = affordable, "COST_LIMIT_EXCEEDED"
        return room, code

    def _exhausted(self, code: str, model: str, price: Price | None, prompt_tokens: int) -> EndExecution:
        if code == "PRICE_UNKNOWN":
            end = EndExecution(
                "COST_LIMIT_EXCEEDED",
                f"No price is known for the model {model}, so no limit on money can be kept. Give it a price "
                "in the settings (`price_overrides`), or remove the limit.",
                model=model,
            )
        elif code == "COST_LIMIT_EXCEEDED":
            left = max(0.0, (self.max_cost_usd or 0) - (self.cost or 0) - self.carried_cost)
            needed = _worst(price or _FREE, prompt_tokens, MIN_OUTPUT_TOKENS)
            end = EndExecution(
                "COST_LIMIT_EXCEEDED",
                f"The next model call could cost {_dollars(needed)}, but of the "
                f"{_dollars(self.max_cost_usd or 0)} of {self._owner} only {_dollars(left)} are left. "
                "Raise `max_cost_usd`.",
                max_cost_usd=self.max_cost_usd,
                spent_usd=self.cost,
            )
        else:
            end = EndExecution(
                "TOKEN_LIMIT_EXCEEDED",
                f"The next model call needs more tokens than are left of the {self.max_tokens} of "
                f"{self._owner} ({self.usage.counted + self.carried_tokens} are used). Raise `max_tokens` of "
                "the limits.",
                max_tokens=self.max_tokens,
                used_tokens=self.usage.counted,
            )
        return end if self.parent is None else OwnLimit(self, end)

    def _new_warnings(self) -> Iterator[tuple[WarningCode, str]]:
        cost, tokens = self.percent_of_cost(), self.percent_of_tokens()
        if cost is not None and cost >= WARN_AT * 100 and "COST_80" not in self._warned:
            self._warned.add("COST_80")
            yield "COST_80", f"{cost:.0f} % of the money limit of ${self.max_cost_usd:g} is spent."
        if tokens is not None and tokens >= WARN_AT * 100 and "TOKENS_80" not in self._warned:
            self._warned.add("TOKENS_80")
            yield "TOKENS_80", f"{tokens:.0f} % of the limit of {self.max_tokens} tokens is used."


def usage_of(wire: Wire) -> Usage:
    """Wire usage as the contract's four numbers: all its iterations together."""
    whole = Usage()
    for part in iterations_of(wire):
        whole = whole + _counts(part)
    return whole


def context_tokens(wire: Wire) -> int:
    """Tokens of the conversation that a reply with this wire usage leaves: its whole prompt and itself.

    Where the service worked in several steps, those of its last message: what it summarised
    on the way is no longer there.
    """
    parts = [part for part in iterations_of(wire) if part.get("type", "message") in _OF_THE_CONVERSATION]
    counts = _counts(parts[-1] if parts else wire)
    return sum(getattr(counts, name) for name in _FIELDS)


def _counts(wire: Wire) -> Usage:
    counts = {
        name: min(value, _MOST_TOKENS) if isinstance(value := wire.get(name), int) and value > 0 else 0
        for name in _FIELDS
    }
    return Usage(**counts)


_MOST_TOKENS = 2**53
"""What one number of a service may be: beyond it prices overflow, and the log could not be read again."""


_OF_THE_CONVERSATION = frozenset({"message", "fallback_message"})


_FIELDS = tuple(Usage.model_fields)


def _dollars(amount: float) -> str:
    """Also of a sum far below a cent, as somebody may set for a limit."""
    return f"${amount:.4f}" if amount >= 0.001 or amount == 0 else f"${amount:.8f}".rstrip("0")


def _worst(price: Price, prompt_tokens: int, output_tokens: int) -> float:
    dearest = max(price.input, price.cache_write_5m)
    return (prompt_tokens * dearest + output_tokens * price.output) / 1_000_000
