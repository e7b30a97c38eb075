"""A cassette: what a model replied in one execution, and on wish what tools gave back, as data.

Written from the execution's journal, whose records hold each reply as the wire had it, and each
message that went out. A gzip file of JSON lines: a header, then conversations, messages, replies
and tool results in the order in which they were journalled; requests are not repeated, a reply's
request is the conversation up to it. Everything is in canonical form (`canonical`): without
secrets, with marks for what was that run's own.

Not here: playing it (`recorded`), where it lies (`store.cassettes`).
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...schema.base import JsonObject
from ..ports import Wire
from ..wiring import PREFIX
from .canonical import Canon, Difference, difference, digest_of, extended, names_a_file, shown

FORMAT, VERSION = "cloutagent-cassette", 1
MAX_BYTES = 128 * 1024 * 1024
"""Longest cassette, unpacked."""


class BadCassette(ValueError):
    """The bytes are no cassette that this version can play; the message says why."""


@dataclass
class Reply:
    """One recorded reply and the request it answered."""

    agent: str
    """`main`, or a subagent's id."""
    frozen: Wire
    """The request without its messages, canonical."""
    messages: list[Any]
    """The request's messages: the first `at` of its conversation's."""
    at: int
    wire: Wire
    """`content`, `stop_reason`, `usage` and what else the wire had."""
    used: bool = False

    def differs(self, frozen: Wire, messages: list[Any]) -> Difference | None:
        """Where the request it answered and another differ first."""
        own = {**self.frozen, "messages": self.messages[: self.at]}
        return difference(own, {**frozen, "messages": messages})

    def likeness(self, agent: str, frozen: Wire, messages: list[Any]) -> tuple[int, ...]:
        """How much its request is like another one: greater is nearer."""
        same = 0
        for mine, theirs in zip(self.messages[: self.at], messages, strict=False):
            if mine != theirs:
                break
            same += 1
        return (
            not self.used,
            self.agent == agent,
            self.frozen == frozen,
            same,
            -abs(self.at - len(messages)),
        )


@dataclass
class ToolResult:
    """What one tool call gave back."""

    call_id: str
    is_error: bool
    output: list[JsonObject]
    """Parts, as the event had them (`schema.events`)."""
    images: dict[str, str] = field(default_factory=dict)
    """Bytes of its pictures by path, base64."""


_INPUTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


@dataclass
class Cassette:
    """One recording, read."""

    header: JsonObject
    replies: list[Reply] = field(default_factory=list)
    results: dict[str, list[ToolResult]] = field(default_factory=dict)
    """Tool results by call id; several where the ids of a model repeat."""
    counts: dict[bytes, int] = field(default_factory=dict)
    """Tokens of requests that the service had counted, by digest."""
    _found: dict[bytes, list[Reply]] = field(default_factory=dict)

    @property
    def own_service(self) -> bool:
        """Whether the service had summarised a conversation on demand."""
        return any("compaction" in reply.frozen for reply in self.replies)

    @property
    def keeps_files(self) -> bool:
        """Whether the service had kept files for it."""
        return any(names_a_file(message) for reply in self.replies for message in reply.messages)

    @property
    def plays_tools(self) -> bool:
        return self.header.get("tool_results") is not None

    def find(self, frozen: Wire, messages: list[Any]) -> list[Reply]:
        """The replies to exactly this request, in the order they were recorded."""
        return self._found.get(digest_of(frozen, messages), [])

    def count(self, frozen: Wire, messages: list[Any]) -> int | None:
        """Tokens of this request as they were counted, or as its reply was charged."""
        digest = digest_of(frozen, messages)
        if digest in self.counts:
            return self.counts[digest]
        found = self._found.get(digest)
        usage = (found[0].wire.get("usage") or {}) if found else None
        return None if usage is None else sum(int(usage.get(name) or 0) for name in _INPUTS)

    def add(self, reply: Reply, digest: bytes) -> None:
        """One more; `digest` is that of its request."""
        self.replies.append(reply)
        self._found.setdefault(digest, []).append(reply)

    def nearest(self, agent: str, frozen: Wire, messages: list[Any]) -> Reply | None:
        """The reply whose request is most like this one."""
        return max(self.replies, key=lambda each: each.likeness(agent, frozen, messages), default=None)


# ---------------------------------------------------------------- writing


def lines_of(
    records: Sequence[Mapping[str, Any]], canon: Canon, *, tools: bool
) -> tuple[list[JsonObject], int, int]:
    """The lines below the header, how many replies and how many tool results are among them.

    `records`: of the journal. `tools`: with tool results.
    """
    found: list[JsonObject] = []
    known: set[str] = set()
    replies = 0
    for record in records:
        agent = str(record.get("agent", "main"))
        kind = record.get("kind")
        if kind == "conversation":
            known.add(agent)
            request, first = record["request"], record.get("messages") or [record["message"]]
            found.append(
                {
                    "kind": "conversation",
                    "of": agent,
                    "agent": agent.partition("#")[0],
                    "frozen": canon.frozen(request),
                    "messages": [canon.value(message) for message in first],
                }
            )
        elif kind in ("assistant", "reply_dropped") and agent in known:
            replies += 1
            dropped = kind == "reply_dropped"
            found.append({"kind": "reply", "of": agent, "dropped": dropped, **_reply(record, canon)})
        elif kind == "user" and agent in known:
            found.append({"kind": "message", "of": agent, "message": canon.value(record["message"])})
        elif kind == "attached" and agent in known:
            found.append({"kind": "attached", "of": agent, "blocks": canon.value(record["blocks"])})
        elif kind == "segment" and agent in known:
            messages = [canon.value(message) for message in record["messages"]]
            found.append({"kind": "segment", "of": agent, "messages": messages})
        elif kind == "frozen" and agent in known:
            found.append({"kind": "frozen", "of": agent, "frozen": canon.frozen(record["request"])})
        elif kind == "counted" and agent in known:
            found.append({"kind": "counted", "of": agent, "tokens": record["tokens"]})
        elif kind == "aside":
            replies += 1
            request = record["request"]
            beside = {"frozen": canon.frozen(request), "messages": canon.messages(request)}
            found.append(
                {"kind": "aside", "agent": agent.partition("#")[0], **beside, **_reply(record, canon)}
            )
    results = _tool_lines(records, canon) if tools else []
    return [*found, *results], replies, len(results)


def _reply(record: Mapping[str, Any], canon: Canon) -> Wire:
    wire: Wire = canon.value({name: record[name] for name in _WIRE if record.get(name) is not None})
    return wire


_WIRE = ("content", "stop_reason", "stop_details", "usage", "message_id", "model")


def _tool_lines(records: Iterable[Mapping[str, Any]], canon: Canon) -> list[JsonObject]:
    found = []
    names: dict[tuple[str, str], str] = {}
    for record in records:
        kind = record.get("kind")
        if kind == "tool_started":
            names[record["span"], record["call_id"]] = record["tool"]
        if kind != "tool_done" or "output" not in record:
            continue
        name = names.get((record["span"], record["call_id"]), "")
        if name.startswith(PREFIX):  # a subagent: what it said is among the replies
            continue
        found.append(
            {
                "kind": "tool",
                "call_id": record["call_id"],
                "tool": name,
                "is_error": bool(record["result"].get("is_error")),
                "output": canon.value(record["output"]),
                "images": _images(record["output"], record["result"], canon),
            }
        )
    return found


def _images(output: Iterable[Mapping[str, Any]], wire: Wire, canon: Canon) -> dict[str, str]:
    """Bytes of the pictures of a result, as the model got them; none that a secret shows through."""
    content = wire.get("content")
    blocks = [block for block in content if block.get("type") == "image"] if isinstance(content, list) else []
    paths = [part["path"] for part in output if part.get("type") == "image"]
    found = {}
    for path, block in zip(paths, blocks, strict=False):
        data = (block.get("source") or {}).get("data")
        if isinstance(data, str) and canon.mask(data) == data:
            found[canon.text(path)] = data
    return found


def dump(header: JsonObject, lines: Iterable[JsonObject]) -> bytes:
    """A cassette's file. Raises `BadCassette` where it would be too long. Slow: use a thread."""
    text = [json.dumps({"format": FORMAT, "format_version": VERSION, **header}), *map(json.dumps, lines)]
    data = "\n".join([*text, ""]).encode()
    if len(data) > MAX_BYTES:
        raise BadCassette(f"it would be longer than {MAX_BYTES // 1024 // 1024} MB")
    return gzip.compress(data, 6, mtime=0)


# ---------------------------------------------------------------- reading


def header_of(data: bytes) -> JsonObject:
    """The first line of a cassette's file. Raises `BadCassette`."""
    return _header(_unpacked(data).partition(b"\n")[0])


def load(data: bytes) -> Cassette:
    """A cassette's file, read. Raises `BadCassette`. Slow: use a thread."""
    first, *rest = _unpacked(data).split(b"\n")
    cassette = Cassette(_header(first))
    conversations: dict[str, _Conversation] = {}
    try:
        for number, line in enumerate(rest, 2):  # noqa: B007 - told by the error below
            if line:
                _take(cassette, conversations, json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadCassette(f"its line {number} cannot be read ({error})") from error
    return cassette


def _take(cassette: Cassette, conversations: dict[str, _Conversation], line: JsonObject) -> None:
    kind = line["kind"]
    if kind == "tool":
        images = {str(path): str(data) for path, data in line["images"].items()}
        result = ToolResult(line["call_id"], bool(line["is_error"]), list(line["output"]), images)
        cassette.results.setdefault(result.call_id, []).append(result)
        return
    if kind == "aside":
        messages = list(line["messages"])
        beside = Reply(line["agent"], line["frozen"], messages, len(messages), _wire(line))
        cassette.add(beside, digest_of(beside.frozen, messages))
        return
    if kind == "conversation":
        messages = list(line["messages"])
        digest = digest_of(line["frozen"], messages)
        conversations[line["of"]] = _Conversation(line["agent"], line["frozen"], messages, digest)
        return
    this = conversations[line["of"]]
    if kind == "segment":
        this.messages = list(line["messages"])
        this.digest = digest_of(this.frozen, this.messages)
    elif kind == "attached":
        last = this.messages[-1]
        this.messages[-1] = {**last, "content": [*last["content"], *line["blocks"]]}
        this.digest = digest_of(this.frozen, this.messages)
    elif kind == "frozen":
        this.frozen = line["frozen"]
        this.digest = digest_of(this.frozen, this.messages)
    elif kind == "counted":
        cassette.counts[this.digest] = int(line["tokens"])
    elif kind == "message":
        this.append(line["message"])
    elif kind == "reply":
        wire = _wire(line)
        cassette.add(Reply(this.agent, this.frozen, this.messages, len(this.messages), wire), this.digest)
        if not line.get("dropped"):
            this.append({"role": "assistant", "content": wire["content"]})
    else:
        raise ValueError(f"nobody knows what {kind!r} is")


@dataclass
class _Conversation:
    """One as far as it was read."""

    agent: str
    frozen: Wire
    messages: list[Any]
    digest: bytes

    def append(self, message: Any) -> None:
        self.messages.append(message)
        self.digest = extended(self.digest, message)


def _wire(line: JsonObject) -> Wire:
    wire = {name: line[name] for name in _WIRE if name in line}
    if not isinstance(wire["content"], list):
        raise TypeError("a reply without content")
    return wire


def _unpacked(data: bytes) -> bytes:
    """The lines; never more than `MAX_BYTES` of memory, whatever the bytes claim."""
    unpack = zlib.decompressobj(wbits=31)
    try:
        lines = unpack.decompress(data, MAX_BYTES + 1)
    except zlib.error as error:
        raise BadCassette("it is no gzip file") from error
    if len(lines) > MAX_BYTES:
        raise BadCassette(f"it is longer than {MAX_BYTES // 1024 // 1024} MB")
    if not unpack.eof or unpack.unused_data:
        raise BadCassette("it is cut, or something follows it")
    return lines


def _header(line: bytes) -> JsonObject:
    try:
        header = json.loads(line)
        json.dumps(header, ensure_ascii=False).encode()  # half of a character could be told to nobody
    except (ValueError, RecursionError) as error:
        raise BadCassette("its first line is no JSON that can be told") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise BadCassette("it is no cassette of CloutAgent")
    if header.get("format_version") != VERSION:
        raise BadCassette(
            f"its format is {shown(header.get('format_version'))}, this version plays {VERSION}"
        )
    return header
