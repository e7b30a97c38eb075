"""Models that other packages bring: entry points of the group `cloutagent.models`.

An entry point named `acme` supplies every model whose id begins with `acme/`. Its value is a
function without arguments that gives a `Supplier`; it is imported when a project names such a
model (or somebody asks for the list), in a thread, never at the server's start. One that cannot
be loaded is a finding of the project that wants it, not a failure of the server.

A supplier is installed by whoever runs the server and runs inside it. Not here: which models there
are without one (`catalogue`), and the choice between live and simulated (`ModelProvider`).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from ...schema.admin import ModelPrice, ModelRow
from ...schema.project import Effort
from ..masking import Mask
from ..ports import EndExecution, Model, ModelFailure, Price, Wire
from .catalogue import ModelFacts, thinking_of

GROUP = "cloutagent.models"
_NEVER = 2**31
"""Tokens of a prefix that is never reached: what nobody said is cached is not waited for."""

Secret = Callable[[str], Awaitable[str]]
"""The project's secret of this name; ends the execution where there is none."""

_log = logging.getLogger("cloutagent.models")


@dataclass(frozen=True)
class KnownModel:
    """One model of a supplier."""

    id: str
    """Without the supplier's name before it."""
    name: str
    context_window: int
    """Tokens."""
    max_output_tokens: int
    price: Price | None = None
    """None: unknown; a project with a money limit then refuses to run it."""
    thinking: dict[str, Any] | None = None
    """`thinking` of a request when the model may think; None: the field is left out."""
    efforts: tuple[Effort, ...] = ()
    sees: bool = False
    """Its endpoint takes `image` and `document` blocks: files of a task are shown to it."""


class Supplier(Protocol):
    """What an entry point's function gives."""

    def models(self) -> Sequence[KnownModel]:
        """The models it knows; others of its ids work too, without price and sizes. Quick, no network."""
        ...

    def model(self, name: str, secret: Secret) -> Model:
        """The endpoint for the model `name` (its id without the supplier's name), for one execution."""
        ...

    async def close(self) -> None:
        """Let go of connections; the server stops."""
        ...


@dataclass
class _Loaded:
    supplier: Supplier
    known: dict[str, KnownModel] = field(default_factory=dict)


class Suppliers:
    """The installed suppliers, each loaded when it is wanted first."""

    def __init__(self) -> None:
        self._entries: dict[str, EntryPoint] | None = None
        self._loaded: dict[str, _Loaded] = {}
        self._broken: dict[str, str] = {}
        self._loading = threading.Lock()

    async def load(self, models: Iterable[str] | None) -> None:
        """Load what these model ids name; None: all there are. Never raises for a broken one."""
        wanted = None if models is None else {prefix_of(model) for model in models} - {None}
        if wanted is not None and (not wanted or self._has(wanted)):
            return
        await asyncio.to_thread(self._load, wanted)

    def _has(self, wanted: set[str | None]) -> bool:
        known = self._entries
        return known is not None and all(
            name not in known or name in self._loaded or name in self._broken for name in wanted
        )

    def _load(self, wanted: set[str | None] | None) -> None:
        with self._loading:
            if self._entries is None:
                self._entries = {entry.name: entry for entry in entry_points(group=GROUP)}
            for name, entry in self._entries.items():
                if (wanted is None or name in wanted) and name not in self._loaded | self._broken:
                    self._load_one(name, entry)

    def _load_one(self, name: str, entry: EntryPoint) -> None:
        try:
            supplier: Supplier = entry.load()()
            known = {model.id: model for model in supplier.models()}
            if not (callable(supplier.model) and callable(supplier.close)):
                raise TypeError("it gives no supplier")
        except Exception as error:
            self._broken[name] = f"{type(error).__name__}: {error}"
            _log.warning("The model provider %s (%s) cannot be loaded", name, entry.value, exc_info=True)
            return
        self._loaded[name] = _Loaded(supplier, known)

    def supplies(self, model: str) -> bool:
        """Whether an installed package stands for this id, even a broken one."""
        name = prefix_of(model)
        return name is not None and name in (self._entries or {})

    def broken(self, model: str) -> str | None:
        """Why the package that stands for this id cannot be used; None where it can, or there is none."""
        name = prefix_of(model)
        why = None if name is None else self._broken.get(name)
        return None if why is None else f"the model provider `{name}` cannot be loaded: {why}"

    def known(self, model: str) -> KnownModel | None:
        name = prefix_of(model)
        loaded = None if name is None else self._loaded.get(name)
        return None if loaded is None else loaded.known.get(model.partition("/")[2])

    def facts(self, model: str) -> ModelFacts | None:
        """What a request to it may say."""
        known = self.known(model)
        if known is None:
            return None
        return ModelFacts(
            model,
            known.name,
            known.context_window,
            known.max_output_tokens,
            known.thinking,
            None,
            efforts=known.efforts,
            summarises=False,
            cache_minimum=_NEVER,
            sees=known.sees,
        )

    def price(self, model: str) -> Price | None:
        known = self.known(model)
        return None if known is None else known.price

    def rows(self) -> list[ModelRow]:
        """The models of all loaded suppliers, by id."""
        found = []
        for name, loaded in sorted(self._loaded.items()):
            for known in loaded.known.values():
                price = known.price and ModelPrice(
                    input=known.price.input,
                    output=known.price.output,
                    cache_read=known.price.cache_read,
                    cache_write_5m=known.price.cache_write_5m,
                )
                found.append(
                    ModelRow(
                        id=f"{name}/{known.id}",
                        name=known.name,
                        context_window=known.context_window,
                        max_output_tokens=known.max_output_tokens,
                        price=price,
                        thinking=thinking_of(known.thinking, None),
                        efforts=list(known.efforts),
                        sees=known.sees,
                    )
                )
        return found

    def open(self, model: str, secret: Secret, mask: Callable[[], Mask]) -> Model:
        """The endpoint for a supplied id, for one execution. Raises `ModelFailure`."""
        name, _, rest = model.partition("/")
        loaded = self._loaded.get(name)
        if loaded is None:
            raise ModelFailure(
                f"The model {model} cannot be used: {self.broken(model) or 'its provider is gone'}.",
                retryable=False,
                kind="provider",
            )
        return _Guarded(name, rest, loaded.supplier, secret, mask)

    async def close(self) -> None:
        """Close every loaded supplier; a failure is the log's."""
        loaded, self._loaded = self._loaded, {}
        for name, each in loaded.items():
            try:
                await each.supplier.close()
            except Exception:
                _log.warning("The model provider %s could not be closed", name, exc_info=True)


def prefix_of(model: str) -> str | None:
    """The supplier's name in a model id, where it could be one."""
    name, slash, rest = model.partition("/")
    return name if slash and name and rest else None


class _Guarded:
    """A supplier's model, held to the port: what goes wrong in it is a `ModelFailure` without secrets."""

    def __init__(
        self, supplier_name: str, name: str, supplier: Supplier, secret: Secret, mask: Callable[[], Mask]
    ) -> None:
        self._who = supplier_name
        self._name = name
        self._supplier = supplier
        self._secret = secret
        self._mask = mask
        self._model: Model | None = None

    def _opened(self) -> Model:
        if self._model is None:
            self._model = self._supplier.model(self._name, self._secret)
        return self._model

    async def stream(self, request: Wire) -> AsyncIterator[Wire]:
        """See `ports.Model.stream`."""
        whole = False
        try:
            async with aclosing(self._opened().stream({**request, "model": self._name})) as events:  # type: ignore[type-var]
                async for event in events:
                    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
                        raise ModelFailure(
                            f"The model provider {self._who} sent something that is no event.",
                            retryable=False,
                            kind="malformed",
                        )
                    yield event
                    whole = whole or event["type"] == "message_stop"
        except ModelFailure as failure:
            failure.message = self._mask()(failure.message)
            failure.args = (failure.message,)
            raise
        except EndExecution as end:  # a secret that it asked for is not there
            raise ModelFailure(end.message, retryable=False, kind="secret") from None
        except Exception as error:
            said = self._mask()(f"{type(error).__name__}: {error}")
            raise ModelFailure(
                f"The model provider {self._who} failed: {said}", retryable=False, kind="provider"
            ) from None
        if not whole:
            raise ModelFailure(
                f"The model provider {self._who} ended its reply before it was complete.",
                retryable=True,
                kind="incomplete",
            )

    async def count_tokens(self, request: Wire) -> int | None:
        """See `ports.Model.count_tokens`."""
        try:
            return await self._opened().count_tokens({**request, "model": self._name})
        except Exception:
            return None
