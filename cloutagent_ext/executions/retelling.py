"""The journal that a new execution begins with, made from another one's.

Pure. What an assistant said goes over byte for byte, so that its thinking stays valid and
its prefix is read from the cache; where what it was bound to has changed (another system
prompt), thinking is left out, as the service demands. Not here: which execution may begin
from which, and its workspace (`branches`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.assembly import Reply
from ..engine.past import Past
from ..engine.ports import Wire
from ..engine.remembered import PastConversation
from ..engine.unfinished import ENDED_WHILE, NOT_RUN
from ..errors import Conflict, InvalidRequest
from ..schema.base import JsonObject, timestamp

_MAIN = "main"
_THINKING = ("thinking", "redacted_thinking")
_ANSWERED = ("tool_use", "pause_turn", "compaction", "end_turn", "stop_sequence")
"""Stop reasons that a conversation can go on from; a reply with another one is asked for again."""


@dataclass(frozen=True)
class Change:
    """What is different in a conversation that is gone on with."""

    prompt: str | None = None
    """The person's next words, or at the beginning the first ones instead of the old."""
    results: Mapping[str, str] | None = None
    """Texts that stand for recorded results, by call id."""
    files: Sequence[str] = ()
    """Those that the first message shows: shown again where that is made anew."""
    request: Wire | None = None
    """Its frozen parts; None has them made anew, and thinking left out."""


def resumed(records: Sequence[JsonObject], past: Past, *, ran_s: float, kept: JsonObject) -> list[JsonObject]:
    """Everything, for one that goes on where the other ended; a reply that ended it is asked for again."""
    drop = {talk.last_span for talk in past.conversations.values() if talk.last and _is_dead_end(talk.last)}
    copied = [each for each in records if not (each["kind"] == "assistant" and each["span"] in drop)]
    return _without_kept([*copied, _origin("resumed", past, ran_s=ran_s, kept=kept)], past)


def _is_dead_end(reply: Reply) -> bool:
    """Whether nothing can come of this reply: asking again may bring another one."""
    if reply.stop_reason not in _ANSWERED or not reply.content:
        return True
    return reply.stop_reason == "tool_use" and not reply.tool_uses


def before_turn(records: Iterable[JsonObject], turn: int) -> Past:
    """The past up to the turn of the main agent with that number."""
    kept = []
    for record in records:
        if turn_of(record.get("span", _MAIN)) >= turn:
            break
        kept.append(record)
    return Past.of(kept)


def _calls(content: list[Wire]) -> set[str]:
    return {block["id"] for block in content if block.get("type") == "tool_use"}


def turn_of(span: str) -> int:
    """Number of the main agent's turn that `span` belongs to; 0 for none."""
    parts = span.split("/")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else 0


def with_turn(records: Iterable[JsonObject], call_id: str) -> Past:
    """The past up to the main agent's turn that made this call, its calls and their results included.

    Raises InvalidRequest where there is no such call.
    """
    records = list(records)
    for record in records:
        if (
            record["kind"] == "assistant"
            and record["agent"] == _MAIN
            and call_id in _calls(record["content"])
        ):
            break
    else:
        raise InvalidRequest(
            f"The main agent has made no call {call_id!r} in this execution; only results of its own calls "
            "can be changed, not those of subagents.",
            fields=[{"path": "tool_result.call_id", "message": "no call of the main agent"}],
        )
    turn = turn_of(record["span"])
    past = before_turn(records, turn)
    past.record(record)
    for each in records:
        if each["span"] == record["span"] and each["kind"] in ("tool_started", "tool_done"):
            past.record(each)
    return past


def retold(past: Past, how: str, change: Change, *, kept: JsonObject) -> list[JsonObject]:
    """The main conversation alone, as it stands, with `change`. None of it at all where it had not begun."""
    talk = past.conversations.get(_MAIN)
    unanswered = talk is None or (len(talk.messages) == 1 and talk.turns == 0)
    anew = unanswered and (talk is None or change.prompt is not None)
    past.first_files = list(change.files)
    origin = _origin(how, past, ran_s=0.0, kept=kept, again=change.files if anew else ())
    if talk is None:
        return [origin]
    if anew:
        assert change.prompt is not None
        talk.messages = [_said(change.prompt)]  # nothing was answered yet: it was asked this instead
        messages, open_calls = talk.messages, list[JsonObject]()
    else:
        messages, open_calls = _going_on(talk, past, change)
    if change.request is None:
        messages = [_without_thinking(message) for message in messages]
    span = f"{_MAIN}/{talk.turns}"
    place = {"agent": _MAIN, "ts": timestamp()}
    records: list[JsonObject] = [
        {"kind": "conversation", **place, "span": _MAIN, "request": change.request, "message": messages[0]},
        {"kind": "segment", **place, "span": span, "messages": messages, "by": "retelling"},
        *open_calls,
        origin,
    ]
    return _without_kept(records, past)


def _going_on(talk: PastConversation, past: Past, change: Change) -> tuple[list[Wire], list[JsonObject]]:
    """All messages so far and the new words; and records of calls that are still open."""
    messages = list(talk.messages)
    last = talk.last
    if last is not None and (not last.content or _is_cut(last.stop_reason, last.tool_uses)):
        messages.pop()  # nothing in it can be gone on from
        last = None
    if last is not None and last.tool_uses:
        done = _answers(talk.last_span, last.tool_uses, past, change.results or {})
        if done is None and change.prompt is None:
            return messages, _open_calls(talk.last_span, last.tool_uses, past, change.results or {})
        messages.append({"role": "user", "content": done or _as_far(talk.last_span, last.tool_uses, past)})
    if change.prompt is not None:
        if messages and messages[-1]["role"] == "user":
            messages[-1] = {
                **messages[-1],
                "content": [*messages[-1]["content"], *_said(change.prompt)["content"]],
            }
        else:
            messages.append(_said(change.prompt))
    elif messages[-1]["role"] == "assistant" and last is not None and last.stop_reason != "pause_turn":
        raise InvalidRequest(
            "There is nothing to do: the conversation has come to its answer by then. Give a `prompt`, or "
            "fork from an earlier event.",
            fields=[{"path": "prompt", "message": "needed after the last turn"}],
        )
    return messages, []


def _is_cut(stop_reason: str | None, uses: list[Wire]) -> bool:
    return bool(uses) and stop_reason != "tool_use"


def _answers(span: str, uses: list[Wire], past: Past, changed: Mapping[str, str]) -> list[Wire] | None:
    """The results of a turn's calls, then what hooks had added; None while one of them is not known."""
    results, added = [], []
    for use in uses:
        call = past.call(f"{span}/{use['id']}")
        if use["id"] in changed:
            results.append(_result(use["id"], changed[use["id"]]))
        elif call is not None and call.result is not None:
            results.append(call.result)
            added += call.added
        else:
            return None
    return results + added


def _as_far(span: str, uses: list[Wire], past: Past) -> list[Wire]:
    """Like `_answers`, with what is known of those that have none: they ended with the execution."""
    results, added = [], []
    for use in uses:
        call = past.call(f"{span}/{use['id']}")
        if call is not None and call.result is not None:
            results.append(call.result)
            added += call.added
        elif call is not None and call.started:
            text = f"{ENDED_WHILE} while this call ran."
            results.append({**_result(use["id"], text), "is_error": True})
        else:
            results.append({**_result(use["id"], NOT_RUN), "is_error": True})
    return results + added


def _open_calls(span: str, uses: list[Wire], past: Past, changed: Mapping[str, str]) -> list[JsonObject]:
    """Records of a turn's calls as far as they came, for whoever goes on with that turn."""
    records: list[JsonObject] = []
    for use in uses:
        call = past.call(f"{span}/{use['id']}")
        place = {"ts": timestamp(), "agent": _MAIN, "span": span, "call_id": use["id"], "tool": use["name"]}
        if use["id"] in changed:
            text = changed[use["id"]]
            records.append(
                {
                    "kind": "tool_done", **place, "result": _result(use["id"], text), "duration_ms": 0,
                    "output": [{"type": "text", "text": text, "path": None}],
                }
            )  # fmt: skip
            continue
        if call is None:
            continue
        if call.started and not call.tool.startswith("agent__"):  # a delegation is begun anew
            records.append(
                {
                    "kind": "tool_started", **place, "arguments": call.arguments, "read_only": call.read_only,
                }
            )  # fmt: skip
        if call.result is not None:
            records.append(
                {
                    "kind": "tool_done", **place, "result": call.result, "added": call.added,
                    "output": call.output, "duration_ms": call.duration_ms,
                }
            )  # fmt: skip
    return records


def _origin(how: str, past: Past, *, ran_s: float, kept: JsonObject, again: Sequence[str] = ()) -> JsonObject:
    """`again`: files to show besides those that went with the other execution."""
    return {
        "kind": "origin",
        "ts": timestamp(),
        "agent": _MAIN,
        "span": _MAIN,
        "how": how,
        "ran_s": ran_s,
        "kept": kept,
        "tools_used": sorted(past.tools_used),
        "files": [*dict.fromkeys([*again, *(past.attach or ()), *past.kept_files])],
        "first_files": past.first_files,
    }


def _without_kept(records: list[JsonObject], past: Past) -> list[JsonObject]:
    """`records` without files that the service kept for the other execution, and has forgotten with it.

    They are shown again in the next message (`origin`). Thinking goes with them: it was bound to them.
    """
    if not past.kept_files:
        return records
    paths = {file_id: path for path, file_id in past.kept_files.items()}

    def left(blocks: Any) -> Any:
        if not isinstance(blocks, list):
            return blocks
        return [
            {"type": "text", "text": f"({paths[file_id]} was shown here)"}
            if isinstance(block.get("source"), dict) and (file_id := block["source"].get("file_id")) in paths
            else block
            for block in blocks
        ]

    def changed(message: Wire) -> Wire:
        return _without_thinking({**message, "content": left(message["content"])})

    made: list[JsonObject] = []
    for record in records:
        if record.get("agent") != _MAIN:
            made.append(record)
        elif record["kind"] == "assistant":
            message = _without_thinking({"role": "assistant", "content": record["content"]})
            made.append({**record, "content": message["content"]})
        elif record["kind"] in ("conversation", "user"):
            made.append({**record, "message": changed(record["message"])})
        elif record["kind"] == "segment":
            made.append({**record, "messages": [changed(message) for message in record["messages"]]})
        elif record["kind"] == "attached":
            made.append({**record, "blocks": left(record["blocks"])})
        else:
            made.append(record)
    return made


def _result(call_id: str, text: str) -> Wire:
    return {"type": "tool_result", "tool_use_id": call_id, "content": [{"type": "text", "text": text}]}


def _said(text: str) -> Wire:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def _without_thinking(message: Wire) -> Wire:
    content: Any = message["content"]
    if message["role"] != "assistant" or not isinstance(content, list):
        return message
    left = [block for block in content if block.get("type") not in _THINKING]
    return {**message, "content": left or [{"type": "text", "text": "[reasoning left out]"}]}


def refuse_open(status: str) -> Conflict:
    """Why one that has not ended cannot be begun from."""
    return Conflict(
        f"This execution has not ended ({status}); wait for it, or cancel it first.", status=status
    )
