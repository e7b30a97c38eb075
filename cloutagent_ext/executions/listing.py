"""Pages of executions, newest first: filters, limit, cursor. Not here: where the states come from.

Which executions there are is read from the disk, so that none is missed. That most of them
are not the ones that were asked for is known from the ledger, so that their files stay
shut: what has ended never changes its status.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from ..errors import CloutError, InvalidRequest
from ..schema.base import Page
from ..schema.execution import ExecutionState
from .ids import first_of, is_id, made_at
from .ledger import Ledger

_log = logging.getLogger(__name__)

_LAST = "g"
"""Greater than every id."""


@dataclass(frozen=True)
class Wish:
    """What was asked for; the cursor is the id that the last page ended with."""

    project: str | None
    status: str | None
    since: str | None
    until: str | None
    limit: int
    cursor: str | None
    expired: bool
    """Also those that the ledger alone knows."""


async def page(
    ids: list[str],
    state: Callable[[str], Awaitable[ExecutionState]],
    ledger: Ledger,
    wish: Wish,
) -> Page[ExecutionState]:
    """One page of `ids` (newest first), and of what the ledger has besides."""
    if wish.cursor is not None and not is_id(wish.cursor):
        raise InvalidRequest("`cursor` is not one that this list gave; begin again without it.")
    oldest = _moment("since", wish.since)
    first = wish.cursor or _LAST
    if (newest := _moment("until", wish.until)) is not None:
        first = min(first, first_of(newest))
    known = await _statuses(ledger, wish) if wish.status is not None else {}
    items: list[ExecutionState] = []
    for execution_id in ids:
        if execution_id >= first or known.get(execution_id, wish.status) != wish.status:
            continue
        if oldest is not None and made_at(execution_id) < oldest:
            break
        if len(items) > wish.limit:
            break
        try:
            found = await state(execution_id)
        except CloutError:
            continue  # deleted since, not accepted yet, or unreadable: asking for it by id says why
        if not found.expired and wish.status in (None, found.status):
            items.append(found)
    if wish.expired:
        since = None if oldest is None else oldest.timestamp()
        items += await ledger.expired_before(
            first, project=wish.project, status=wish.status, since=since, limit=wish.limit + 1
        )
        items.sort(key=lambda each: each.execution_id, reverse=True)
    if len(items) <= wish.limit:
        return Page(items=items)
    return Page(items=items[: wish.limit], next_cursor=items[wish.limit - 1].execution_id)


async def _statuses(ledger: Ledger, wish: Wish) -> dict[str, str]:
    """Status of each that is known to have ended; without a ledger none is, and all are looked at."""
    try:
        return await ledger.ended(wish.project)
    except CloutError as error:
        _log.warning("A list of executions reads all their files: %s", error)
        return {}


def _moment(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"`{name}` is a time such as 2026-11-22T08:00:00Z.") from None
    if moment.tzinfo is None:
        raise InvalidRequest(f"`{name}` needs a time zone, for example a Z at its end.")
    return moment
