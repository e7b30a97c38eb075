"""A line that tells how far something is: one output that changes in a notebook, one line in a terminal.

Elsewhere (a log, a pipe) only its last state is written. Not here: what is measured
(`experiments`), the live view of one execution (`monitor`).
"""

from __future__ import annotations

import sys
from html import escape
from typing import TYPE_CHECKING, Any

from . import display
from .optional import need

if TYPE_CHECKING:
    from .experiments import Progress


def in_kernel() -> bool:
    """Whether this runs in a Jupyter kernel, whose outputs can change after they were shown."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


class ProgressLine:
    """Shows each state that it is handed."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._handle: Any = None
        self._kernel = in_kernel()
        self._width = 0

    def show(self, progress: Progress, *, last: bool = False) -> None:
        """`progress`, in place of what was shown before."""
        words = facts(progress)
        if self._kernel:
            show: Any = need("IPython.display", "A progress bar in a notebook").display
            bundle = {"text/plain": f"{self._what}: {words}", "text/html": html(self._what, progress, words)}
            if self._handle is None:
                self._handle = show(bundle, raw=True, display_id=True)
            else:
                self._handle.update(bundle, raw=True)
            return
        if sys.stderr.isatty():
            line = f"{self._what}: {bar(progress)} {words}"
            sys.stderr.write("\r" + line.ljust(self._width) + ("\n" if last else ""))
            self._width = len(line)
            sys.stderr.flush()
        elif last:
            sys.stderr.write(f"{self._what}: {words}\n")


def facts(progress: Progress) -> str:
    """`120 of 500 · 13 on their way · 2 failed · $0.42 of $2.00 · 35 s left`."""
    told = [f"{progress.done} of {progress.total}"]
    if progress.running:
        told.append(f"{progress.running} on their way")
    if progress.failed:
        told.append(f"{progress.failed} failed")
    spent = display.money(progress.cost_usd)
    told.append(spent if progress.budget_usd is None else f"{spent} of {display.money(progress.budget_usd)}")
    if progress.stopped:
        told.append(f"stopped: {progress.stopped}")
    elif progress.left_s and progress.done < progress.total:
        told.append(f"{display.seconds(round(progress.left_s * 1000))} left")
    return " · ".join(told)


def bar(progress: Progress, width: int = 24) -> str:
    """The same as a bar of characters."""
    full = round(width * progress.done / max(1, progress.total))
    return "█" * full + "░" * (width - full)


def html(what: str, progress: Progress, words: str) -> str:
    """The same as HTML in the notebook's own colours."""
    return (
        f'<div class="{display.AS_IT_IS}" style="max-width: 44em"><b>{escape(what)}</b> '
        f'<span style="opacity: .75">{escape(words)}</span><br>'
        f'<progress max="{progress.total}" value="{progress.done}" '
        'style="width: 100%; accent-color: var(--jp-brand-color1, #1976d2)"></progress></div>'
    )
