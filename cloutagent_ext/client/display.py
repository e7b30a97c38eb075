"""How handles look when a notebook or a console shows them. Pure: text in, text out, everything escaped.

Colours and fonts are the notebook's own; a live monitor is not here.
"""

from __future__ import annotations

import re
from html import escape

from ..schema.execution import ENDED, ExecutionState
from ..schema.project import ProjectRow

_MARKS = {
    "queued": "◌",
    "running": "●",
    "waiting": "◍",
    "interrupted": "◌",
    "completed": "✓",
    "failed": "✕",
    "cancelled": "■",
}
AS_IT_IS = "mathjax_ignore"
"""Class of what a notebook shows of ours: two sums of dollars are no formula between dollar signs."""
_STYLED = re.compile(r"`(?P<code>[^`\n]+)`|\*\*(?P<bold>[^*\n]+)\*\*|^#{1,4} (?P<head>.+)$", re.MULTILINE)
_LONGEST_TEXT = 4000
"""Characters of a result that a card shows."""


def money(amount: float | None) -> str:
    """US dollars; small sums with the digits that matter."""
    if amount is None:
        return "unknown cost"
    if 0 < amount < 0.0001:
        return "< $0.0001"
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def seconds(duration_ms: int | None) -> str:
    """`4.2 s`, `2 min 05 s`, or nothing when unknown."""
    if duration_ms is None:
        return ""
    total = duration_ms / 1000
    if total < 60:
        return f"{total:.1f} s"
    minutes, rest = divmod(int(total), 60)
    return f"{minutes} min {rest:02d} s"


def facts(state: ExecutionState) -> list[str]:
    """Status and figures of an execution, in the order people ask for them."""
    usage = state.usage
    tokens = usage.counted + usage.cache_read_input_tokens
    told = [state.status if state.current_step is None else f"{state.status}: {state.current_step}"]
    if state.position:
        told.append(f"place {state.position} in the queue")
    told += [seconds(state.duration_ms), f"{tokens:,} tokens", money(state.total_cost_usd)]
    if state.simulated:
        told.append("simulated model")
    if state.replay:
        told.append("replay of a recording")
    return [fact for fact in told if fact]


def prose(text: str) -> str:
    """What a model wrote, escaped, with its code, its bold words and its headings shown as such."""

    def styled(found: re.Match[str]) -> str:
        if found["code"] is not None:
            return f"<code>{found['code']}</code>"
        return f"<b>{_STYLED.sub(styled, found['bold'] or found['head'])}</b>"

    return _STYLED.sub(styled, escape(text))


def run_text(
    kind: str, execution_id: str, project: str | None, state: ExecutionState | None, seen_at: str = ""
) -> str:
    """One line for consoles. `seen_at`: when it stood so, which matters until it has ended."""
    about = f"{project!r}, " if project else ""
    known = f" · {' · '.join([*facts(state), *_as_of(state, seen_at)])}" if state else ""
    return f"<{kind} {about}{execution_id}{known}>"


def _as_of(state: ExecutionState, seen_at: str) -> list[str]:
    return [f"as of {seen_at}"] if seen_at and state.status not in ENDED else []


def run_html(
    execution_id: str,
    project: str | None,
    state: ExecutionState | None,
    seen_at: str = "",
    live: str = "",
) -> str:
    """A card: name, figures, and the result or the error once there is one.

    `seen_at`: as in `run_text`; `live`: the call that shows it as it goes on.
    """
    title = f"<b>{escape(project or 'Execution')}</b>"
    if state is None:
        return f'<div class="{AS_IT_IS}">{title} <code>{escape(execution_id)}</code></div>'
    as_of = _as_of(state, seen_at)
    line = f"{_MARKS.get(state.status, '●')} {escape(' · '.join([*facts(state), *as_of]))}"
    if as_of and live:
        line += f"; <code>{escape(live)}</code> follows it"
    body = ""
    if state.error is not None:
        body = f"<p><b>{escape(state.error.code)}</b> {escape(state.error.message)}</p>"
    elif state.result is not None and state.result.text:
        text = state.result.text
        shown = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
        body = f'<div style="white-space: pre-wrap; margin-top: 4px">{prose(shown)}</div>'
    return (
        f'<div class="{AS_IT_IS}" style="border: 1px solid var(--jp-border-color2, #ccc); '
        "border-radius: 8px; padding: 8px 12px; "
        f'max-width: 44em">{title}<br><span style="opacity: .75">{line}</span>{body}</div>'
    )


def project_html(row: ProjectRow) -> str:
    """Name, description and version of a project."""
    return (
        f'<div class="{AS_IT_IS}"><b>{escape(row.name)}</b> '
        f"<span style='opacity: .75'>version {row.version}</span>"
        f"<br>{escape(row.description)}</div>"
    )
