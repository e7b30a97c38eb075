"""What a model's tokens cost, in US dollars: the `genai-prices` tables (offline), overrides first.

"Unknown" is a real answer, not zero. Not here: what an execution has spent (`engine.budget`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import ModuleType

from ..ports import Price, Wire

_PROVIDER = "anthropic"
_MILLION = 1_000_000

_MISSING_UPSTREAM: dict[str, Price] = {
    # Listed by the service, not yet in the tables of genai-prices 0.2.3.
    "claude-mythos-5-1": Price(input=10.0, output=50.0, cache_read=0.25, cache_write_5m=12.5),
}


class ListPrices:
    """`ports.Prices` over the offline tables; an entry of `overrides` replaces a model's whole price."""

    def __init__(
        self,
        overrides: Mapping[str, Price] | None = None,
        supplied: Callable[[str], Price | None] = lambda _: None,
    ) -> None:
        self._overrides = {**_MISSING_UPSTREAM, **(overrides or {})}
        self._supplied = supplied
        self._found: dict[str, Price | None] = {}
        self._flats: dict[str, Price | None] = {}
        self._tables: ModuleType | None = None

    async def load(self) -> None:
        """Import the tables (a third of a second, in a thread). Without it the first question pays for it."""
        if self._tables is None:
            await asyncio.to_thread(self._load)

    def _load(self) -> ModuleType:
        if self._tables is None:
            import genai_prices

            genai_prices.calc_price(
                genai_prices.Usage(input_tokens=1), "claude-opus-5-5", provider_id=_PROVIDER
            )
            self._tables = genai_prices
        return self._tables

    def of(self, model: str) -> Price | None:
        """Highest list price of `model`: where a price grows with the prompt, that of the longest prompt."""
        if (given := self._given(model)) is not None:
            return given
        if model not in self._found:
            self._found[model] = self._highest(model)
        return self._found[model]

    def cost(self, model: str, usage: Wire) -> float | None:
        """Exact price of one response's wire `usage` in US dollars, or None when the price is unknown.

        Steps that the service took on the way (`iterations`) each cost what their own model costs.
        """
        parts = iterations_of(usage)
        if parts[0] is usage:
            return self._cost(model, usage)
        costs = [self._cost(str(part.get("model") or model), part) for part in parts]
        if "server_tool_use" in usage:
            costs.append(self._cost(model, {"server_tool_use": usage["server_tool_use"]}))
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    def _cost(self, model: str, usage: Wire) -> float | None:
        if (given := self._given(model)) is not None:
            return linear_cost(given, usage)
        flat = self._flat(model)
        if flat is not None and "server_tool_use" not in usage:
            return linear_cost(flat, usage)
        fresh, written, read = (_count(usage, name) for name in _INPUTS)
        tools = usage.get("server_tool_use") or {}
        return self._calculate(
            model,
            input_tokens=fresh + written + read,
            cache_write_tokens=written,
            cache_write_1h_tokens=_written_for_1h(usage),
            cache_read_tokens=read,
            output_tokens=_count(usage, "output_tokens"),
            web_searches=_count(tools, "web_search_requests"),
        )

    def _given(self, model: str) -> Price | None:
        """What the settings say, else who brings the model."""
        return self._overrides.get(model) or self._supplied(model)

    def _flat(self, model: str) -> Price | None:
        """The price of `model` where it is the same for every length of prompt: simple to calculate with."""
        if model not in self._flats:
            highest = self.of(model)
            flat = highest is not None and self._at(model, 1000) == highest
            self._flats[model] = highest if flat else None
        return self._flats[model]

    def _highest(self, model: str) -> Price | None:
        return self._at(model, _MILLION)  # a whole million reaches the highest tier of every model

    def _at(self, model: str, prompt_tokens: int) -> Price | None:
        """Price of `model` for prompts of that length."""

        def per_million(**tokens: int) -> float | None:
            dollars = self._calculate(model, input_tokens=prompt_tokens, **tokens)
            return None if dollars is None else round(dollars / prompt_tokens * _MILLION, 9)

        fresh = per_million()
        both = per_million(output_tokens=prompt_tokens)
        read = per_million(cache_read_tokens=prompt_tokens)
        write = per_million(cache_write_tokens=prompt_tokens)
        if fresh is None or both is None or read is None or write is None:
            return None
        return Price(
            input=fresh, output=round(both - fresh, 9), cache_read=read, cache_write_5m=max(write, fresh)
        )

    def _calculate(self, model: str, **tokens: int) -> float | None:
        tables = self._load()
        try:
            result = tables.calc_price(tables.Usage(**tokens), model, provider_id=_PROVIDER)
        except LookupError:
            return None
        return float(result.total_price)


class NoPrices:
    """`ports.Prices` of a replay, which nobody is charged for."""

    def of(self, model: str) -> Price | None:
        return Price(input=0.0, output=0.0, cache_read=0.0, cache_write_5m=0.0)

    def cost(self, model: str, usage: Wire) -> float | None:
        return 0.0


_INPUTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def _count(usage: Wire, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def _written_for_1h(usage: Wire) -> int:
    split = usage.get("cache_creation")
    return _count(split, "ephemeral_1h_input_tokens") if isinstance(split, dict) else 0


def iterations_of(usage: Wire) -> list[Wire]:
    """The steps that wire `usage` is the sum of; itself where it names none.

    What the service summarised or asked another model for is in none of the top-level numbers.
    """
    parts = usage.get("iterations")
    if not isinstance(parts, list):
        return [usage]
    return [part for part in parts if isinstance(part, dict)] or [usage]


def linear_cost(price: Price, usage: Wire) -> float:
    """`usage` at `price`, in US dollars; cache entries kept for an hour cost twice the input to write."""
    fresh, written, read = (_count(usage, name) for name in _INPUTS)
    for_1h = min(_written_for_1h(usage), written)
    dollars = (
        fresh * price.input
        + (written - for_1h) * price.cache_write_5m
        + for_1h * (price.input * 2 if price.cache_write_1h is None else price.cache_write_1h)
        + read * price.cache_read
        + _count(usage, "output_tokens") * price.output
    )
    return dollars / _MILLION
