"""What a call would do, shown before anybody is asked to allow it: forms of `schema.approvals.Preview`.

Nothing here has an effect, and nothing is long: contents are cut at 32 KiB, comparisons at
what a few milliseconds allow. Not here: what a tool knows about itself (its own `preview`).
"""

from __future__ import annotations

import difflib
import json
import logging
import re
from typing import cast

from ..schema.approvals import Preview
from ..schema.base import JsonObject
from .ports import Previewing, Tool, ToolContext, ToolError
from .text import clean, clip

log = logging.getLogger(__name__)

MAX_COMPARED_LINES = 2000
"""Lines on each side, common beginning and end apart, up to which a difference is worked out line by line."""
CONTEXT_LINES = 3
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
"""What does not show, or turns the text around it: a person must see what they allow."""
_LIKE_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
"""What looks like a space and is none, to a shell for instance; ordinary in prose."""


async def of(tool: Tool, arguments: JsonObject, context: ToolContext) -> Preview | None:
    """The preview of one call; None where nobody can tell what it would do."""
    if isinstance(tool, Previewing):
        try:
            return await tool.preview(arguments, context)
        except ToolError as error:  # it will fail in just this way when it runs
            return call(arguments, where=tool.name, note=f"It would fail: {error}")
        except Exception:
            log.exception("The preview of %s failed in execution %s", tool.name, context.execution_id)
            return None
    if tool.source.startswith("mcp:"):
        server = tool.source.removeprefix("mcp:")
        return call(arguments, where=f"{server} / {tool.name.removeprefix(f'mcp__{server}__')}")
    return None


async def hold(tool: Previewing, context: ToolContext) -> None:
    """Raises `ToolError` where the call would no longer do what was shown to the person who allowed it."""
    if context.shown is None:
        return
    now, was = await of(cast(Tool, tool), context.shown.arguments, context), context.shown.preview
    if now is None or (now.kind, now.where, now.content) != (was.kind, was.where, was.content):
        raise ToolError(
            "What this call would do has changed since a person was shown it and allowed it, so nothing was "
            "done. Look at how things stand now, and call again: it is shown again then."
        )


def command(text: str, *, directory: str) -> Preview:
    """A shell command and where it runs."""
    return _preview("command", text, where=directory)


def code(text: str, *, where: str = "", note: str = "") -> Preview:
    """A cell for a kernel."""
    return _preview("code", text, where=where, note=note)


def url(address: str) -> Preview:
    """An address that is fetched."""
    return _preview("url", address)


def call(arguments: JsonObject, *, where: str, note: str = "") -> Preview:
    """A call of which only the arguments are known."""
    text = json.dumps(arguments, indent=2, ensure_ascii=False, default=str)
    return _preview("call", text, where=where, note=note)


def diff(before: str | None, after: str, *, path: str, note: str = "") -> Preview:
    """How the file `path` changes; `before` None: there is no such file. Blocks: call it in a thread."""
    old = [] if before is None else before.splitlines(keepends=True)
    new = after.splitlines(keepends=True)
    if before == after:
        return _preview("diff", "", where=path, note=note or "The file stays as it is.")
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    if max(len(old), len(new)) - head - tail > MAX_COMPARED_LINES:
        rows = _replaced(old, new, head, tail)
    else:
        # Only what differs is compared, with a little of what does not around it.
        first = max(0, head - CONTEXT_LINES)
        last = max(0, tail - CONTEXT_LINES)
        part = (old[first : len(old) - last], new[first : len(new) - last])
        rows = _moved(list(difflib.unified_diff(*part, n=CONTEXT_LINES))[2:], first)
    names = ["--- /dev/null\n" if before is None else f"--- {path}\n", f"+++ {path}\n"]
    text = "".join(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows)
    return _preview("diff", "".join(names) + text, where=path, note=note or _new(before))


def visible(text: str, *, prose: bool = True) -> str:
    """`text` with what would not be seen spelled out (`\\x1b`); not `prose`: odd spaces, too."""
    text = _UNSEEN.sub(_spelled, clean(text))
    return text if prose else _LIKE_SPACES.sub(_spelled, text)


def _spelled(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _new(before: str | None) -> str:
    return "A new file." if before is None else ""


def _common(one: list[str], other: list[str]) -> int:
    """How many lines at the beginning are the same."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _replaced(old: list[str], new: list[str], head: int, tail: int) -> list[str]:
    """One block instead of another: for files too different to be compared line by line."""
    gone, come = old[head : len(old) - tail], new[head : len(new) - tail]
    header = f"@@ -{head + 1},{len(gone)} +{head + 1},{len(come)} @@\n"
    return [header, *(f"-{row}" for row in gone), *(f"+{row}" for row in come)]


def _moved(rows: list[str], by: int) -> list[str]:
    """Hunks of a part of a file, with the line numbers they have in the whole."""
    return [_header(row, by) if by and row.startswith("@@ ") else row for row in rows]


def _header(row: str, by: int) -> str:
    _, old, new, _ = row.split(" ", 3)
    return f"@@ -{_shifted(old[1:], by)} +{_shifted(new[1:], by)} @@\n"


def _shifted(place: str, by: int) -> str:
    first, comma, count = place.partition(",")
    return f"{int(first) + by}{comma}{count}"


def _preview(kind: str, text: str, *, where: str = "", note: str = "") -> Preview:
    text = visible(text, prose=kind in ("diff", "call"))
    content = clip(text)
    return Preview.model_validate(
        {
            "kind": kind,
            "content": content,
            "where": visible(where)[:1000],
            "note": visible(note)[:1000],
            "truncated": len(content) < len(text),
        }
    )
