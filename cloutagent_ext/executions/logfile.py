"""`events.jsonl` as a file: what a line is, find an id, read on from there, mend a torn end.

All functions that take a path block and are called in threads. Line N of the file is
event N, and each line begins with its id, so the file is its own index: a binary search
over byte offsets finds event 900,000 of a million in a dozen small reads, in a log that
this process wrote or another one, without anything that could disagree with it.

Behind the id a line has a checksum of the rest, which readers check and leave out: what
clients see are events. Lines of before there were checksums have their type there.

Not here: appending and waiting (`log`).
"""

from __future__ import annotations

import json
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UnreadableFile
from .appendfile import cut_off

NAME = "events.jsonl"
_CHUNK = 64 * 1024
"""Bytes read at once; a longer line is read whole."""
_NEAR = 16 * 1024
"""Bytes at which the search stops halving and the reader skips forward."""
_LONGEST_TAIL = 64 * 1024 * 1024
"""Most bytes at the end that a repair may set aside; more is damage for a person to look at."""
_ID = re.compile(rb'\{"id": ?(\d{1,18}),')
_CHECKSUM = re.compile(rb'"crc":(\d{1,10}),')
_UNCHECKED = re.compile(rb' ?"type"')
"""How a line goes on that has no checksum."""


class LogDamaged(UnreadableFile):
    """A line in the middle of a log cannot be read. It stays as it is; nothing is guessed."""


def damaged(path: Path, line: int, reason: str) -> LogDamaged:
    return LogDamaged(
        f"The event log {path.parent.name}/{path.name} is damaged at line {line}: {reason}. "
        "It was left as it is; restore the file from a copy, or delete the execution.",
        file=path.name,
        line=line,
        reason=reason,
    )


def sealed(event: bytes) -> bytes:
    """The line of `event`, which is JSON that begins with its id, without a newline: with a checksum."""
    head = event.index(b",") + 1
    return b'%b"crc":%d,%b\n' % (event[:head], zlib.crc32(event[head:]), event[head:])


def _opened(line: bytes) -> bytes | None:
    """The event in `line`, or None where they do not fit together."""
    head = _ID.match(line)
    if head is None:
        return None
    checksum = _CHECKSUM.match(line, head.end())
    if checksum is None:
        return line if _UNCHECKED.match(line, head.end()) else None
    rest = line[checksum.end() :]
    return head[0] + rest if zlib.crc32(rest) == int(checksum[1]) else None


@dataclass(frozen=True)
class Read:
    """Events `first`, `first + 1`, … as JSON, and where the next one begins."""

    lines: list[bytes]
    offset: int | None
    """None where the event before the wanted one is not there yet, so that nobody knows."""
    last_type: str | None
    """Type of the last of them."""


def read(path: Path, next_id: int, offset: int | None = None, *, limit: int | None = None) -> Read:
    """Whole lines from event `next_id` on, up to about 64 KiB; none when there is nothing more (yet).

    `offset`: where that event begins, if known from the last call. Raises `LogDamaged`
    for a line that is no event or not the next one, once all before it have been given;
    FileNotFoundError without a log.
    """
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        searching = offset is None
        if offset is None:
            offset = _find(fd, os.fstat(fd).st_size, next_id)
        before = 0
        lines: list[bytes] = []
        last_type = None
        while not lines:
            data = _whole_lines(fd, offset)
            if not data:
                break
            for line in data[:-1].split(b"\n"):
                if limit is not None and len(lines) >= limit:
                    break
                if searching and (passed := id_of(line) or 0) < next_id:  # damage there is not ours to judge
                    offset, before = offset + len(line) + 1, passed
                    continue
                searching = False
                try:
                    event, found = _event(path, line, next_id + len(lines))
                except LogDamaged:
                    if lines:
                        break
                    raise
                lines.append(event)
                last_type = found.get("type")
                offset += len(line) + 1
        # Who waits for an event further on searches again: others will come before it.
        return Read(lines, None if searching and before != next_id - 1 else offset, last_type)
    finally:
        os.close(fd)


def id_of(line: bytes) -> int | None:
    """The id that `line` begins with, or None when it does not begin as an event does."""
    found = _ID.match(line)
    return int(found[1]) if found else None


def _event(path: Path, line: bytes, expected: int) -> tuple[bytes, dict[str, Any]]:
    """The event in `line`, as JSON and parsed."""
    text = _opened(line)
    if text is None:
        reason = "it is not an event" if id_of(line) is None else "its checksum does not fit"
        raise damaged(path, expected, reason)
    try:
        event = json.loads(text)
    except ValueError:
        raise damaged(path, expected, "it is not JSON") from None
    if not isinstance(event, dict) or "type" not in event:
        raise damaged(path, expected, "it is not an event")
    if event.get("id") != expected:
        raise damaged(path, expected, f"event {expected} is missing, {event.get('id')!r} stands in its place")
    return text, event


def _whole_lines(fd: int, offset: int) -> bytes:
    """Bytes from `offset` to the last newline of the next chunk; a line longer than it is read whole."""
    size = _CHUNK
    while True:
        data = os.pread(fd, size, offset)
        end = data.rfind(b"\n") + 1
        if end or len(data) < size:
            return data[:end]
        size *= 4


def _find(fd: int, size: int, target: int) -> int:
    """Offset of a line at or shortly before event `target`."""
    low, high = 0, size
    while high - low > _NEAR and target > 1:
        middle = (low + high) // 2
        start, number = _line_after(fd, middle, high)
        if number is None:
            high = middle  # no line begins between the middle and the end of the range
        elif number <= target:
            low = start
        else:
            high = middle
    return low


def _line_after(fd: int, offset: int, end: int) -> tuple[int, int | None]:
    """The first readable line that begins after `offset` and before `end`, and its id."""
    position, size = offset, 4096
    while position < end:
        data = os.pread(fd, size, position)
        newline = data.find(b"\n")
        if newline < 0:
            if len(data) < size:
                return end, None
            position += len(data)
            size = min(size * 2, _CHUNK)
            continue
        start = position + newline + 1
        if start >= end:
            return end, None
        number = id_of(os.pread(fd, 32, start))
        if number is not None:
            return start, number
        position = start
    return end, None


@dataclass(frozen=True)
class End:
    """The last good event of a log, and what was set aside behind it."""

    last_id: int
    last_type: str | None
    torn_offset: int | None = None
    torn_bytes: int = 0
    saved_as: str | None = None


def last_event(path: Path) -> End:
    """The last whole, readable event; changes nothing. id 0: there is none."""
    _, end = _last_good(path)
    return end


def repair(path: Path) -> End:
    """`last_event`, and whatever stands behind it cut off and saved beside the log as `….torn-<time>`.

    Only for the owner of the execution. Raises `LogDamaged` when more than a tail is unreadable.
    """
    good, end = _last_good(path)
    size = path.stat().st_size
    if good == size:
        return end
    return End(end.last_id, end.last_type, good, size - good, cut_off(path, good).name)


def _last_good(path: Path) -> tuple[int, End]:
    """Offset behind the last readable event, and that event."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        window = _NEAR
        while True:
            start = max(0, size - window)
            data = os.pread(file.fileno(), size - start, start)
            if start:  # begin at a line
                cut = data.find(b"\n") + 1
                data, start = (data[cut:], start + cut) if cut else (b"", size)
            stop = data.rfind(b"\n") + 1
            while stop > 0:
                begin = data.rfind(b"\n", 0, stop - 1) + 1
                event = _readable(data[begin : stop - 1])
                if event is not None:
                    return start + stop, End(event["id"], event["type"])
                stop = begin
            if window >= size:
                return 0, End(0, None)
            if window >= _LONGEST_TAIL:
                raise damaged(path, 0, f"its last {window} bytes hold no readable event")
            window *= 8


def _readable(line: bytes) -> dict[str, Any] | None:
    text = _opened(line)
    if text is None:
        return None
    try:
        event = json.loads(text)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("type"), str) else None
