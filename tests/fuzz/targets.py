"""What reads bytes of strangers, each as a function of bytes that fails where a promise is broken.

`TARGETS` has them with the seeds that a search begins from. Not here: who makes the bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from cloutagent_ext.engine import previews
from cloutagent_ext.engine.arguments import ArgumentChecks
from cloutagent_ext.engine.assembly import Assembly, Reply
from cloutagent_ext.engine.hooks import answers
from cloutagent_ext.engine.masking import NOTHING
from cloutagent_ext.engine.models.sse import BadStream, EventDecoder
from cloutagent_ext.engine.permissions import Rules
from cloutagent_ext.engine.ports import HookReply, ModelFailure, Tool
from cloutagent_ext.engine.text import clean_json
from cloutagent_ext.schema.project import CommandAction, Hook, HookEvent
from tests.support.messages_api import Call, Say
from tests.support.messages_events import stream_of

EVENTS: tuple[HookEvent, ...] = ("PreToolUse", "PostToolUse", "UserPromptSubmit", "Stop", "SessionEnd")
RULES = Rules({"bash": "ask", "bash(git *)": "allow", "bash(git push *)": "deny", "mcp__a__*": "deny"})
TOOL = cast(
    Tool,
    SimpleNamespace(
        name="bash",
        input_schema={
            "type": "object",
            "properties": {"command": {"type": "string", "minLength": 1}, "n": {"type": "integer"}},
            "required": ["command"],
            "additionalProperties": False,
        },
    ),
)


@dataclass(frozen=True)
class Target:
    run: Callable[[bytes], None]
    seeds: list[bytes]


def _events(data: bytes, size: int) -> tuple[list[dict[str, Any]], bool]:
    """The events of `data`, fed in pieces of `size` bytes, and whether it broke off."""
    decoder, found = EventDecoder(), []
    try:
        for at in range(0, len(data), size):
            for event in decoder.feed(data[at : at + size]):
                found.append(event)
    except BadStream:
        return found, True
    return found, False


def stream(data: bytes) -> None:
    """The model service's events: any chunking gives the same ones, each an object with a type."""
    if len(data) < 2:
        return
    size, data = data[0] % 37 + 4, data[1:]  # 4: a byte-order mark comes in one piece
    whole, pieces = _events(data, len(data)), _events(data, size)
    assert whole == pieces, (whole, pieces)
    for event in whole[0]:
        assert isinstance(event["type"], str)
        json.dumps(event)


def reply(data: bytes) -> None:
    """The same put together: a reply that can go back and be judged, or a failure with a name."""
    assembly = Assembly()
    try:
        for event in _decoded(data):
            if event["type"] == "content_block_delta":
                assembly.delta(event)
            else:
                assembly.event(event)
        made = assembly.reply()
    except (BadStream, ModelFailure):
        return
    _judged(made, assembly)


def _decoded(data: bytes) -> Iterator[dict[str, Any]]:
    yield from EventDecoder().feed(data)


def _judged(made: Reply, assembly: Assembly) -> None:
    json.dumps(made.content)
    assert isinstance(made.text, str)
    assert assembly.stop_reason is None or len(assembly.stop_reason) <= 64
    for use in made.tool_uses:
        assert isinstance(use["id"], str)
        assert isinstance(use["name"], str)


def hook(data: bytes) -> None:
    """What a hook says: always an answer; a guard that cannot be understood blocks."""
    if not data:
        return
    event = EVENTS[data[0] % len(EVENTS)]
    text = data[1:].decode("utf-8", "surrogateescape")
    made = Hook(id="h", name="H", event=event, action=CommandAction(type="command", command=["true"]))
    for said in (HookReply(text=text), HookReply(text=text, errors=text, blocks=True)):
        answer = answers.read(made, said, NOTHING)
        assert answer.permission in (None, "allow", "ask", "deny")
        assert answer.outcome in ("allow", "deny", "changed", "failed")
        for word in (answer.told(), answer.reason, answer.context, answer.note, answer.failed):
            word.encode()
        assert len(answer.context.encode()) <= 16 * 1024
        if answer.failed and event == "PreToolUse":
            assert answer.permission == "deny", "a guard that failed has let something pass"
        if said.blocks and event in answers.BLOCKABLE:
            assert answer.permission == "deny", "exit code 2 blocks, whatever was said"
        if answer.arguments is not None:
            assert isinstance(answer.arguments, dict)


def arguments(data: bytes) -> None:
    """A tool call's arguments: cleaned, checked, judged and shown without an accident."""
    try:
        given = json.loads(data)
    except (ValueError, RecursionError):
        return
    given = clean_json(given)
    json.dumps(given, ensure_ascii=False, allow_nan=False).encode()
    problem = ArgumentChecks().problem(TOOL, given)
    assert problem is None or len(problem) < 5000
    if not isinstance(given, dict):
        assert problem is not None
        return
    verdict = RULES.decide("bash", given, "ask").permission
    command = given.get("command")
    if verdict == "allow":  # what is allowed by a pattern is one command that begins with it
        assert isinstance(command, str)
        assert re.findall(r"[^\s|&;]+", command)[:1] == ["git"], command
        assert not set(command) & set("`<>")
    shown = previews.call(given, where="a")
    assert len(shown.content.encode()) <= 32 * 1024
    assert not previews._UNSEEN.search(shown.content)


def _wire(*replies: Any) -> list[bytes]:
    usage = {"input_tokens": 10}
    return [b"".join(stream_of({"model": "m"}, each, usage)) for each in replies]


def _odd(*blocks: Any) -> list[bytes]:
    """Replies with one block each that begins as no block may, and goes on."""
    piece = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}
    ends: list[Any] = [
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"},
    ]  # fmt: skip
    found = []
    for block in blocks:
        start = {"type": "content_block_start", "index": 0, "content_block": block}
        for middle in ([start], [start, piece], [start, piece, {"type": "content_block_stop", "index": 0}]):
            told = [{"type": "message_start", "message": {}}, *middle, *ends]
            found.append(b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in told))
    return found


_STREAMS = _wire(Say("Hello, wörld."), Call("bash", {"command": "ls"}, id="c", text="so"))
_SPECIFIC = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": "no",
             "updatedInput": {"a": 1}, "additionalContext": "x"}  # fmt: skip
_HOOKS: list[Any] = [
    {"decision": "block", "reason": "no"}, {"continue": False, "stopReason": "enough"}, {"async": True},
    {"hookSpecificOutput": _SPECIFIC, "systemMessage": "s"}, {"decision": ["block"]},
    {"hookSpecificOutput": {"hookEventName": "PostToolUse", "updatedToolOutput": [1]}},
]  # fmt: skip
_ARGUMENTS: list[Any] = [
    {"command": "git status && git log"}, {"command": "git push; rm -rf /", "n": 1},
    {"command": "\ud800\u202e"},
    [1, 2.5, None], {"n": 1e400, "command": ["git"]},
]  # fmt: skip

TARGETS: dict[str, Target] = {
    "stream": Target(stream, [b"\x05" + each for each in _STREAMS] + [b"\x01data: [DONE]\r\n\r\n"]),
    "reply": Target(
        reply, _STREAMS + _odd("ab", 5, None, [["a", 1]], {"type": "text", "text": 5}, {"type": ["text"]})
    ),
    "hook": Target(
        hook, [bytes([n]) + json.dumps(each).encode() for each in _HOOKS for n in range(len(EVENTS))]
    ),
    "arguments": Target(arguments, [json.dumps(each).encode() for each in _ARGUMENTS]),
}
