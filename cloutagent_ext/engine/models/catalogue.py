"""The models we know: sizes and what each lets one choose about thinking.

A static table, because the list must be there without a key and without a network.
A model that is not in it works too; nothing is assumed about it. Prices: `prices`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ...schema.admin import ModelPrice, ModelRow
from ...schema.project import Effort
from ..ports import Prices

_ADAPTIVE = {"type": "adaptive", "display": "summarized"}
"""The default display is "omitted", and people want to see the thinking."""
_ALL: tuple[Effort, ...] = ("low", "medium", "high", "xhigh", "max")
_WITHOUT_XHIGH: tuple[Effort, ...] = ("low", "medium", "high", "max")
ABOVE_HIGH: frozenset[str | None] = frozenset({"xhigh", "max"})
MILLION = 1_000_000


@dataclass(frozen=True)
class ModelFacts:
    """What a request to one model may say."""

    id: str
    name: str
    context_window: int
    """Tokens."""
    max_output_tokens: int
    auto: dict[str, Any] | None
    """`thinking` of a request when the model may think; None: leave the field out."""
    off: dict[str, Any] | None
    """`thinking` of a request when it shall not; equal to `auto` where it cannot be switched off."""
    efforts: tuple[Effort, ...] = _ALL
    off_up_to_high: bool = False
    """Thinking can be off only at effort `high` or less."""
    summarises: bool = True
    """The service summarises a conversation with it on demand (beta compact-2026-09-04)."""
    cache_minimum: int = 512
    """Shortest prefix that is cached, in tokens."""
    sees: bool = True
    """It takes pictures and PDFs."""

    @property
    def always_thinks(self) -> bool:
        return self.auto is not None and self.auto == self.off


def _always(id: str, name: str) -> ModelFacts:
    return ModelFacts(id, name, MILLION, 128_000, _ADAPTIVE, _ADAPTIVE)


def _optional(id: str, name: str, minimum: int, off: dict[str, Any] | None = None, **more: Any) -> ModelFacts:
    return ModelFacts(id, name, MILLION, 128_000, _ADAPTIVE, off, cache_minimum=minimum, **more)


_DISABLED = {"type": "disabled"}

MODELS: tuple[ModelFacts, ...] = (
    _always("claude-opus-5-5", "Claude Opus 5.5"),
    _optional("claude-sonnet-5-5", "Claude Sonnet 5.5", 512, {"type": "between_tools"}, off_up_to_high=True),
    _optional("claude-haiku-5-5", "Claude Haiku 5.5", 512, _DISABLED),
    _always("claude-fable-5-2", "Claude Fable 5.2"),
    _always("claude-mythos-5-2", "Claude Mythos 5.2"),
    _always("claude-fable-5-1", "Claude Fable 5.1"),
    _always("claude-mythos-5-1", "Claude Mythos 5.1"),
    _always("claude-fable-5", "Claude Fable 5"),
    _always("claude-mythos-5", "Claude Mythos 5"),
    _optional("claude-opus-5", "Claude Opus 5", 512, _DISABLED, off_up_to_high=True),
    _optional("claude-sonnet-5", "Claude Sonnet 5", 1024, _DISABLED),
    _optional("claude-opus-4-8", "Claude Opus 4.8", 1024),
    _optional("claude-opus-4-7", "Claude Opus 4.7", 2048),
    _optional("claude-opus-4-6", "Claude Opus 4.6", 4096, efforts=_WITHOUT_XHIGH),
    _optional("claude-sonnet-4-6", "Claude Sonnet 4.6", 1024, efforts=_WITHOUT_XHIGH),
    ModelFacts(
        "claude-haiku-4-5",
        "Claude Haiku 4.5",
        200_000,
        64_000,
        None,
        None,
        efforts=(),
        summarises=False,
        cache_minimum=4096,
    ),
)

_BY_ID = {facts.id: facts for facts in MODELS}


def facts_of(model: str) -> ModelFacts | None:
    """What is known about `model`, or None; a dated id (`claude-haiku-4-5-20251001`) counts as its line."""
    if (found := _BY_ID.get(model)) is not None:
        return found
    line, _, date = model.rpartition("-")
    return _BY_ID.get(line) if date.isdecimal() and len(date) == 8 else None


def rows(prices: Prices) -> list[ModelRow]:
    """The table as GET models shows it, our default choice first."""
    found = []
    for facts in MODELS:
        price = prices.of(facts.id)
        shown = price and ModelPrice(
            input=price.input,
            output=price.output,
            cache_read=price.cache_read,
            cache_write_5m=price.cache_write_5m,
        )
        found.append(
            ModelRow(
                id=facts.id,
                name=facts.name,
                context_window=facts.context_window,
                max_output_tokens=facts.max_output_tokens,
                price=shown,
                thinking=thinking_of(facts.auto, facts.off),
                efforts=list(facts.efforts),
                sees=facts.sees,
            )
        )
    return found


def thinking_of(
    auto: dict[str, Any] | None, off: dict[str, Any] | None
) -> Literal["always", "optional", "never"]:
    """What a person can choose about the thinking of a model whose requests say so."""
    return "never" if auto is None else "always" if auto == off else "optional"
