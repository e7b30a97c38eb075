"""What the program of `standalone` may spend, and how it stops."""

import sys
import threading
import time
from typing import Any

# ---------------------------------------------------------------- limits


class Stop(Exception):
    """The program cannot go on; the text says why."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Budget:
    """What was spent by all agents; it is looked at after each turn, so the last one may go over."""

    def __init__(self, limits: dict[str, Any], prices: dict[str, Any]) -> None:
        self.limits, self.prices, self.started = limits, prices, time.monotonic()
        self.cost, self.tokens, self.lock = 0.0, 0, threading.Lock()

    def book(self, model: str, usage: Any) -> None:
        price = self.prices.get(model)
        written, read = usage.cache_creation_input_tokens or 0, usage.cache_read_input_tokens or 0
        with self.lock:
            self.tokens += usage.input_tokens + written + usage.output_tokens
            if price:
                self.cost += (
                    usage.input_tokens * price["input"] / 1e6 + usage.output_tokens * price["output"] / 1e6
                )
                self.cost += written * price["cache_write"] / 1e6 + read * price["cache_read"] / 1e6
            say(f"  [{self.tokens:,} tokens, ${self.cost:.4f}{'' if price else ' (price unknown)'}]")
            self.check()

    def check(self) -> None:
        if self.limits["max_cost_usd"] is not None and self.cost >= self.limits["max_cost_usd"]:
            raise Stop(
                f"COST_LIMIT_EXCEEDED: ${self.cost:.4f} of ${self.limits['max_cost_usd']:g} are spent."
            )
        if self.tokens >= self.limits["max_tokens"]:
            raise Stop(
                f"TOKEN_LIMIT_EXCEEDED: {self.tokens:,} of {self.limits['max_tokens']:,} tokens are used."
            )
        if time.monotonic() - self.started >= self.limits["timeout_s"]:
            raise Stop(f"TIMEOUT: it was not done after {self.limits['timeout_s']} s.")
