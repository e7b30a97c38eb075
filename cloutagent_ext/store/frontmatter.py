"""Front matter of Markdown files: the small part of YAML that agent files use, as plain data.

`key: value`, quoted strings, `[a, b]`, lists of `- item`, and `|` or `>` blocks. Anything that
YAML could make something else of (anchors, aliases, tags, merge keys, nested objects) is refused,
so nothing can expand, refer or be constructed. Not here: what the keys mean.
"""

from __future__ import annotations

import json
import re

MAX_BYTES = 64 * 1024

_KEY = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,63}):(?:[ \t]+(.*))?$")
_ACTIVE = ("&", "*", "!", "%", "@", "`", "{", "<<")


class NotPlain(ValueError):
    """The front matter is more than plain data; the message says where."""


def split(text: str) -> tuple[dict[str, str | list[str]], str]:
    """The front matter and the body of `text`; no front matter is an empty one. Raises `NotPlain`."""
    # Not `splitlines`, for which letters end a line that a prompt may well have.
    lines = re.split(r"\r?\n", text)
    if lines[0].rstrip() != "---":
        return {}, text.strip("\n")
    end = next((number for number, line in enumerate(lines) if number and line.rstrip() == "---"), None)
    if end is None:
        raise NotPlain("its front matter has no end")
    head = lines[1:end]
    if sum(map(len, head)) > MAX_BYTES:
        raise NotPlain("its front matter is too long")
    return _read(head), "\n".join(lines[end + 1 :]).strip("\n")


def join(fields: dict[str, str], body: str) -> str:
    """A file with this front matter: each value as a quoted string, which needs no rules of YAML."""
    head = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in fields.items())
    return f"---\n{head}---\n\n{body}\n"


def _read(lines: list[str]) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    index = 0
    while index < len(lines):
        line = lines[index].rstrip()
        index += 1
        if not line or line.startswith("#"):
            continue
        match = _KEY.match(line)
        if match is None or match[1] in found:
            raise NotPlain(f"line {index + 1} of its front matter is not `key: value`, or is there twice")
        below = []
        while index < len(lines) and (not lines[index].strip() or lines[index][0] in " \t-"):
            below.append(lines[index].rstrip())
            index += 1
        found[match[1]] = _value((match[2] or "").strip(), below)
    return found


def _value(text: str, below: list[str]) -> str | list[str]:
    if text and text[0] in "|>":
        pieces = [line.strip() for line in below]
        return ("\n" if text[0] == "|" else " ").join(pieces).strip()
    items = [line.strip() for line in below if line.strip()]
    if not text and items and all(item.startswith("- ") for item in items):
        return [_scalar(item[2:].strip()) for item in items]
    if text.startswith("[") and text.endswith("]") and not items:
        return [_scalar(item.strip()) for item in text[1:-1].split(",") if item.strip()]
    if any(item.startswith("- ") for item in items):
        raise NotPlain("a list in its front matter is nested")
    return _scalar(" ".join([text, *items]))


def _scalar(text: str) -> str:
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except ValueError:
            raise NotPlain("a quoted value in its front matter does not end well") from None
        if not isinstance(value, str):
            raise NotPlain("a value in its front matter is no text")
        return value
    if len(text) > 1 and text.startswith("'") and text.endswith("'"):
        return "'".join(text[1:-1].split("''"))
    if text.startswith(_ACTIVE):
        raise NotPlain("its front matter has anchors, aliases, tags or objects, which are not read")
    return text.partition(" #")[0].strip()
