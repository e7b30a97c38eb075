"""Pages of executions, newest first: filters, limit, cursor. Not here: where the states come from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from ..errors import CloutError, InvalidRequest
from ..schema.base import Page
from ..schema.execution import ExecutionState
from .ids import is_id, made_at


async def page(
    ids: list[str],
    state: Callable[[str], Awaitable[ExecutionState]],
    *,
    status: str | None,
    since: str | None,
    limit: int,
    cursor: str | None,
) -> Page[ExecutionState]:
    """One page of `ids` (newest first). The cursor is the id that the last page ended with."""
    if cursor is not None and not is_id(cursor):
        raise InvalidRequest("`cursor` is not one that this list gave; begin again without it.")
    oldest = _moment(since)
    items: list[ExecutionState] = []
    for execution_id in ids:
        if cursor is not None and execution_id >= cursor:
            continue
        if oldest is not None and made_at(execution_id) < oldest:
            break
        if len(items) >= limit:
            return Page(items=items, next_cursor=items[-1].execution_id)
        try:
            found = await state(execution_id)
        except CloutError:
            continue  # deleted since, not accepted yet, or unreadable: asking for it by id says why
        if status is None or found.status == status:
            items.append(found)
    return Page(items=items)


def _moment(since: str | None) -> datetime | None:
    if since is None:
        return None
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise InvalidRequest("`since` is a time such as 2026-11-22T08:00:00.000Z.") from None
    if moment.tzinfo is None:
        raise InvalidRequest("`since` needs a time zone, for example a Z at its end.")
    return moment
