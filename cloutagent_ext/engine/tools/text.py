"""Text from programs, made fit for a model, a log line and a page.

Terminal control sequences, other control characters and the invisible marks that
reorder text are removed at the source, so that nobody downstream has to. Not here:
what the text means.
"""

from __future__ import annotations

import re

INLINE_BYTES = 32 * 1024
"""Longest text that a tool gives back inline, in bytes of UTF-8."""
_HEAD_SHARE = 0.6
_PIECE = 256 * 1024
"""Characters cleaned in one go: a regular expression holds the lock that the event loop waits for."""

_SEQUENCES = re.compile(
    r"\x1b\][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC: titles, links, the clipboard
    r"|\x1b[PX^_][^\x1b\x9c]{0,4096}?(?:\x1b\\|\x9c)"  # DCS, SOS, PM, APC
    r"|[\x1b]\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[ -/]*[0-~]"  # two-character escapes
)
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # all but tab and line feed
    r"\u200b\u2060\ufeff\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]"  # invisible, turning text around
)
_SURROGATES = re.compile("[\ud800-\udfff]")


def clean(text: str | bytes) -> str:
    """`text` as plain printable text; invalid UTF-8 and lone surrogates become U+FFFD."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return "".join(_clean(piece) for piece in _pieces(text))


def _clean(text: str) -> str:
    text = text.replace("\r\n", "\n")
    if "\x1b" in text or "\x9b" in text:
        text = _SEQUENCES.sub("", text)
    if "\r" in text:
        text = "\n".join(map(_last_painted, text.split("\n")))
    text = _CONTROLS.sub("", text)
    return _SURROGATES.sub("\ufffd", text)


def _last_painted(line: str) -> str:
    """What a progress bar leaves on the screen: the text behind its last return."""
    return line.rstrip("\r").rpartition("\r")[2]


def _pieces(text: str) -> list[str]:
    """`text` cut behind line feeds, where no sequence goes on; a longer line stays whole up to a bound."""
    pieces, start = [], 0
    while len(text) - start > _PIECE:
        cut = text.rfind("\n", start, start + _PIECE) + 1
        end = cut if cut > start else start + _PIECE
        pieces.append(text[start:end])
        start = end
    pieces.append(text[start:])
    return pieces


def size_of(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def head_and_tail(text: str, *, whole: str, limit: int = INLINE_BYTES, missing: int = 0) -> str:
    """`text` where it fits `limit` bytes, else its beginning and end, cut at line ends where possible.

    `whole` says where all of it is; `missing` counts bytes that `text` itself lacks before its end.
    """
    size = size_of(text)
    if size <= limit and not missing:
        return text
    head = _cut(text[: int(limit * _HEAD_SHARE)], int(limit * _HEAD_SHARE), keep_start=True)
    room = limit - size_of(head) - 200
    tail = _cut(text[-room:], room, keep_start=False)
    left_out = size + missing - size_of(head) - size_of(tail)
    return f"{head}\n[… {left_out:,} bytes left out here; {whole}]\n{tail}"


def _cut(text: str, limit: int, *, keep_start: bool) -> str:
    data = text.encode("utf-8", "replace")
    data = data[:limit] if keep_start else data[-limit:]
    text = data.decode("utf-8", "ignore")
    at = text.rfind("\n", len(text) // 2) if keep_start else text.find("\n", 0, len(text) // 2)
    if at < 0:
        return text
    return text[:at] if keep_start else text[at + 1 :]
