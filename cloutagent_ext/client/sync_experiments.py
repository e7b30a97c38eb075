"""An experiment's plain face: the same as `experiments`, without `await`, with a progress bar and tables.

Not here: making one (`sync_projects`), how trials are made (`experiments`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from .display import AS_IT_IS
from .experiments import AsyncExperiment, Progress
from .loop import LoopThread
from .outcomes import Score, Trial
from .progress import ProgressLine

if TYPE_CHECKING:
    import pandas as pd

    from .sync import Client


_TELLING = ("value", "low", "high", "trials", "failed", "mean_cost_usd", "median_s")
"""Columns of the summary that a notebook shows by itself."""


class Experiment:
    """See `Project.experiment`, which makes one."""

    def __init__(self, loop: LoopThread, experiment: AsyncExperiment, client: Client) -> None:
        self._loop = loop
        self._experiment = experiment
        self._client = client  # keeps the connection open as long as this handle lives

    @property
    def id(self) -> str:
        """Its name: building it again with this `id` goes on with it."""
        return self._experiment.id

    @property
    def trials(self) -> list[Trial]:
        """All trials, those not yet made included."""
        return self._experiment.trials

    @property
    def scores(self) -> dict[str, Score]:
        """Functions by name; change them at any time: scoring costs nothing."""
        return self._experiment.outcomes.scores

    def run(self, *, retry: bool = False, progress: bool = True) -> Experiment:
        """Make the missing trials and stay until they are done, or the budget is; shows how far it is.

        Interrupting it (or the kernel's death) leaves the trials on their way to the server: `run` again,
        or build it again with its `id`, and it goes on. `retry`: those that failed are made again.
        """
        line = ProgressLine(f"Experiment {self.id}") if progress else None
        last: Progress | None = None
        try:
            for last in self.advance(retry=retry):
                if line is not None:
                    line.show(last)
        finally:
            if line is not None and last is not None:
                line.show(last, last=True)
        return self

    def advance(self, *, retry: bool = False, every_s: float = 0.25) -> Iterator[Progress]:
        """The same step by step: how far it is, each `every_s` seconds."""
        return self._loop.iterate(self._experiment.advance(retry=retry, every_s=every_s))

    def find(self) -> int:
        """Take up the trials that were made before under this id; how many."""
        return self._loop.call(self._experiment.find())

    def cancel(self) -> int:
        """Stop the trials that are on their way; how many. Those that are done stay."""
        return self._loop.call(self._experiment.cancel())

    def table(self) -> pd.DataFrame:
        """A row per trial: its row's columns, what it answered, what it cost, its scores."""
        return self._experiment.outcomes.table()

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """A row per variant and score: rate (Wilson's interval) or mean, cost, time, cost per success."""
        return self._experiment.outcomes.summary(level)

    def compare(
        self, score: str | None = None, *, baseline: str | None = None, level: float = 0.95
    ) -> pd.DataFrame:
        """Each other variant against `baseline` (the first), row by row: difference, interval, p."""
        return self._experiment.outcomes.compare(score, baseline=baseline, level=level)

    def plot(self, score: str | None = None, *, ax: Any = None, level: float = 0.95) -> Any:
        """Rate or mean of each variant with its interval; the axes."""
        return self._experiment.outcomes.plot(score, ax=ax, level=level)

    def __repr__(self) -> str:
        return f"<{self._told()}>"

    def _repr_html_(self) -> str:
        shown = f"<p>{escape(self._told())}</p>"
        with contextlib.suppress(ImportError):  # without pandas only its line is shown
            summary = self.summary()
            columns = [name for name in _TELLING if name in summary]
            shown += str(summary[columns].to_html(float_format="{:.3g}".format, na_rep=""))
        return f'<div class="{AS_IT_IS}">{shown}</div>'

    def _told(self) -> str:
        done = sum(1 for trial in self.trials if trial.ended)
        return f"Experiment {self.id!r}, {done} of {len(self.trials)} trials done"
