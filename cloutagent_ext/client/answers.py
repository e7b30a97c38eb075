"""What a server answered, as models; lists page by page. Not here: sending (`transport`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeVar

from pydantic import BaseModel

from .transport import Transport

M = TypeVar("M", bound=BaseModel)


def parse(model: type[M], data: Any) -> M:
    """`data` as `model`; fields of a newer server are let through unread."""
    return model.model_validate(data, extra="ignore")


async def pages(transport: Transport, model: type[M], path: str, **params: Any) -> AsyncIterator[M]:
    """All items of the list at `path`, asked for page by page as they are wanted."""
    cursor: str | None = None
    while True:
        page = await transport.json("GET", path, params={**params, "cursor": cursor})
        for item in page["items"]:
            yield parse(model, item)
        cursor = page.get("next_cursor")
        if cursor is None:
            return
