"""The results of tool calls that an execution leaves open when it ends for good, whatever ends it.

A call may be cut off by a cancel, a limit or the failure of another one; or it was open when a server
died, and the execution ends before anybody has gone on with it. The journal knows how far it came, and
the log says so before its last event: each `tool_call` has its `tool_result`. Not here: the same of an
execution that goes on (`engine.dispatch`), and of one that another begins from (`retelling`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ..engine.remembered import PastCall
from ..engine.unfinished import ENDED_WHILE, NOT_RUN
from ..errors import UnreadableFile
from ..schema.base import JsonObject
from . import history
from .fold import OpenCall
from .live import Live

_log = logging.getLogger(__name__)

CUT_OFF = f"{ENDED_WHILE} while this call ran: it may have done all of its work, a part of it or nothing."
ONLY_READS = f"{ENDED_WHILE} while this call ran, which only reads."
UNHEARD = (
    f"{ENDED_WHILE} when this call was over and hooks had not answered yet, so what "
    "it gave back was not taken up."
)
UNREADABLE = f"{ENDED_WHILE}, and its journal, which knew how far this call came, cannot be read."


async def results(live: Live) -> list[JsonObject]:
    """Fields of a `tool_result` event for each of them: those of the inner agents first."""
    calls = list(live.state.unanswered.values())
    if not calls:
        return []
    known: Mapping[str, PastCall] | None = None
    try:
        known = await history.calls(live.folder)
    except (UnreadableFile, OSError) as error:  # it must end all the same
        _log.warning("How far the last calls of execution %s came is not known: %s", live.id, error)
    now = live.log.now().timestamp()
    return [_result(call, _took_ms(live, call, now), known) for call in reversed(calls)]


def _took_ms(live: Live, call: OpenCall, now: float) -> int:
    """How long it ran, where that is this sitting's to tell."""
    here = call.sitting == live.state.sittings and not live.state.left
    return max(0, round((now - call.since) * 1000)) if here else 0


def _result(call: OpenCall, took_ms: int, known: Mapping[str, PastCall] | None) -> JsonObject:
    place = {"agent": call.agent, "span": call.span, "call_id": call.call_id, "tool": call.tool}
    past = known.get(call.span) if known is not None else None
    if past is not None and past.result is not None:  # done, and nobody was told
        failed = bool(past.result.get("is_error"))
        return {**place, "is_error": failed, "output": past.output, "duration_ms": past.duration_ms}
    if known is None:
        text = UNREADABLE
    elif past is None or not past.started:
        text = NOT_RUN
    elif past.ended is not None:
        text = UNHEARD
    else:
        text = ONLY_READS if past.read_only else CUT_OFF
    output = [{"type": "text", "text": text, "path": None}]
    return {**place, "is_error": True, "output": output, "duration_ms": took_ms}
