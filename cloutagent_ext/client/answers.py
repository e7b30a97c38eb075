"""What a server answered, as models; lists page by page. Not here: sending (`transport`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from ..schema.query import MAX_ROWS
from .transport import Transport

M = TypeVar("M", bound=BaseModel)


def parse(model: type[M], data: Any) -> M:
    """`data` as `model`; fields of a newer server are let through unread."""
    return model.model_validate(data, extra="ignore")


async def raw_pages(transport: Transport, path: str, **params: Any) -> AsyncIterator[list[dict[str, Any]]]:
    """The list at `path`, page by page as they are wanted, each as the server's JSON."""
    cursor: str | None = None
    while True:
        page = await transport.json("GET", path, params={**params, "cursor": cursor})
        yield page["items"]
        cursor = page.get("next_cursor")
        if cursor is None:
            return


async def pages(transport: Transport, model: type[M], path: str, **params: Any) -> AsyncIterator[M]:
    """All items of the list at `path`, asked for page by page as they are wanted."""
    async for page in raw_pages(transport, path, **params):
        for item in page:
            yield parse(model, item)


async def rows(transport: Transport, path: str, limit: int, **params: Any) -> list[dict[str, Any]]:
    """The first `limit` items of the list at `path`, as the server's JSON."""
    found: list[dict[str, Any]] = []
    async for page in raw_pages(transport, path, limit=min(limit, MAX_ROWS), **params):
        found += page
        if len(found) >= limit:
            break
    return found[:limit]


def moment(when: datetime | str | None) -> str | None:
    """A time as the contract writes it; one without a zone is of this machine's.

    Text may be any ISO 8601 date or time (`2026-11-01`, `2026-11-01T08:00Z`). What is none goes on as it
    is: the server says what it takes.
    """
    if isinstance(when, str):
        try:
            return moment(datetime.fromisoformat(when))
        except ValueError:
            return when
    if when is None:
        return None
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
