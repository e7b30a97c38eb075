"""What came out of an experiment: its trials as a table, rates and means per variant, comparisons, a plot.

Scores are functions of yours, called here, again and again if you like: scoring costs nothing
and needs no server. Not here: making trials (`experiments`), the statistics (`measures`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest
from ..schema.execution import ENDED, ExecutionState
from . import measures
from .optional import need
from .values import Values

if TYPE_CHECKING:
    import pandas as pd

Score = Callable[..., Any]
"""`score(output, row)`, or any of `output`, `data`, `row`, `state` by name: a truth value, or a number."""
_GIVEN = ("output", "row", "data", "state")
Cell = tuple[str, str, int]
"""Row, variant, repeat."""


@dataclass
class Trial:
    """One row under one variant, for the n-th time."""

    row: str
    variant: str
    repeat: int
    state: ExecutionState | None = None
    """Its execution as last seen; None before it was made."""
    attempts: int = 0
    values: Values = field(default_factory=Values, repr=False)
    """What was shared for it, and what functions of this notebook have made in it, by handle."""

    @property
    def ended(self) -> bool:
        return self.state is not None and self.state.status in ENDED


class Outcomes:
    """The trials of one experiment."""

    def __init__(
        self,
        rows: Mapping[str, Mapping[str, Any]],
        variants: Sequence[str],
        repeats: int,
        scores: dict[str, Score],
    ) -> None:
        self._rows = rows
        self._variants = list(variants)
        self.scores = scores
        """Functions by name; add some at any time."""
        # All variants of a row before the next row: what was seen half-way can be compared.
        self.trials = [
            Trial(row, variant, repeat)
            for repeat, row, variant in product(range(1, repeats + 1), rows, self._variants)
        ]

    # ------------------------------------------------------------ scoring

    def scored(self) -> tuple[dict[str, dict[Cell, float | None]], dict[str, bool]]:
        """Each score's value for each trial that has ended; and whether the score says yes or no.

        A trial that failed has not passed: 0 for a score of yes or no, nothing for a number. An
        exception of a score is raised, with the trial in its notes.
        """
        values: dict[str, dict[Cell, float | None]] = {name: {} for name in self.scores}
        passes: dict[str, bool] = {}
        for name, score in self.scores.items():
            found: dict[Cell, Any] = {}
            for trial in self.trials:
                if trial.state is not None and trial.state.status == "completed":
                    found[_cell(trial)] = self._score(name, score, trial, trial.state)
            kinds = {_is_truth(value) for value in found.values() if value is not None}
            if len(kinds) > 1:
                raise InvalidRequest(
                    f"The score {name!r} gives truth values for some trials, numbers for others."
                )
            passes[name] = kinds == {True}
            for trial in self.trials:
                if trial.ended:
                    value = found.get(_cell(trial))
                    nothing = 0.0 if passes[name] and trial.state.status != "completed" else None  # type: ignore[union-attr]
                    values[name][_cell(trial)] = nothing if value is None else float(value)
        return values, passes

    def _score(self, name: str, score: Score, trial: Trial, state: ExecutionState) -> Any:
        result = state.result
        given = {
            "output": result.text if result else "",
            "row": dict(self._rows[trial.row]),
            "data": result.data if result else None,
            "state": state,
        }
        try:
            return score(**_wanted(score, given))
        except Exception as error:
            error.add_note(f"score {name!r} of row {trial.row!r}, variant {trial.variant!r}")
            raise

    # ------------------------------------------------------------ tables

    def table(self) -> pd.DataFrame:
        """A row per trial: its row's columns, what it answered, what it cost, its scores. Needs pandas."""
        pandas = need("pandas", "A table of an experiment")
        values, passes = self.scored()
        columns: dict[str, Any] = {
            "row": pandas.Series([each.row for each in self.trials], dtype="string"),
            "variant": pandas.Categorical([each.variant for each in self.trials], self._variants),
            "repeat": pandas.Series([each.repeat for each in self.trials], dtype="int64"),
        }
        for name in dict.fromkeys(name for row in self._rows.values() for name in row):
            column = f"row.{name}" if name in columns or name in _OWN else name
            cells = [self._rows[each.row].get(name) for each in self.trials]
            columns[column] = pandas.Series(cells).infer_objects()
        states = [each.state for each in self.trials]
        for name, (kind, take) in _OWN.items():
            columns[name] = pandas.Series(
                [None if each is None else take(each) for each in states], dtype=kind
            )
        for name in self.scores:
            cells = [values[name].get(_cell(each)) for each in self.trials]
            if passes[name]:
                truths = [None if each is None else bool(each) for each in cells]
                columns[name] = pandas.Series(truths, dtype="boolean")
            else:
                columns[name] = pandas.Series(cells, dtype="float64")
        return pandas.DataFrame(columns)

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """A row per variant and score: rate or mean with its interval, what a trial and a success cost.

        Rates have Wilson's interval; several tries of a row count as what they are worth.
        """
        pandas = need("pandas", "A summary of an experiment")
        values, passes = self.scored()
        found = []
        for variant in self._variants:
            states = [each.state for each in self.trials if each.variant == variant and each.state]
            ended = [state for state in states if state.status in ENDED]
            common = {
                "trials": len(ended),
                "failed": sum(1 for state in ended if state.status != "completed"),
                "mean_cost_usd": fmean(_costs(ended)) if _costs(ended) else None,
                "median_s": median(_seconds(ended)) if _seconds(ended) else None,
            }
            for name in self.scores or [""]:
                row: dict[str, Any] = {"variant": variant, "score": name}
                if name:
                    tries = self._tries(values[name], variant)
                    estimate = (measures.rate if passes[name] else measures.mean)(tries, level)
                    row |= {k: v for k, v in asdict(estimate).items() if k != "trials"}
                    won = sum(value for each in tries.values() for value in each)
                    row["cost_per_pass_usd"] = sum(_costs(ended)) / won if passes[name] and won else None
                    if passes[name]:
                        row["rows_always_passed"] = sum(1 for each in tries.values() if each and all(each))
                found.append(row | common)
        return pandas.DataFrame(found).set_index(["variant", "score"] if self.scores else ["variant"])

    def compare(
        self, score: str | None = None, *, baseline: str | None = None, level: float = 0.95
    ) -> pd.DataFrame:
        """Each other variant against `baseline` (the first one), row by row: difference, interval, p.

        `p_holm` counts in that several were compared.
        """
        pandas = need("pandas", "A comparison of variants")
        name, values, passes = self._one(score)
        base = baseline or self._variants[0]
        if base not in self._variants:
            raise InvalidRequest(f"There is no variant {base!r}; there are: {', '.join(self._variants)}.")
        against = self._tries(values, base)
        found: list[dict[str, Any]] = []
        for variant in self._variants:
            if variant == base:
                continue
            made = measures.paired(self._tries(values, variant), against, passes=passes, level=level)
            if made is not None:
                found.append({"variant": variant, "baseline": base, "rows": made.rows, **asdict(made)})
        for row, p in zip(found, measures.holm([row["p"] for row in found]), strict=True):
            row["p_holm"] = p
        names = {"first": name, "second": f"{name} of baseline"}
        return pandas.DataFrame(found).rename(columns=names)

    def plot(self, score: str | None = None, *, ax: Any = None, level: float = 0.95) -> Any:
        """Rate or mean of each variant with its interval; the axes. Needs matplotlib."""
        plt = need("matplotlib.pyplot", "A plot of an experiment")
        name, values, passes = self._one(score)
        measure = measures.rate if passes else measures.mean
        found = [measure(self._tries(values, variant), level) for variant in self._variants]
        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 0.9 + 0.55 * len(found)), layout="constrained")
        places = range(len(found))
        for place, each in zip(places, found, strict=True):
            ax.plot([each.low, each.high], [place, place], color="#5b6b7b", linewidth=2, zorder=1)
            ax.plot(each.value, place, "o", color="#1976d2", markersize=8, zorder=2)
            shown = f"{each.value:.0%}" if passes else f"{each.value:.3g}"
            ax.annotate(shown, (each.value, place), (0, 8), textcoords="offset points", ha="center")
        ax.set_yticks(list(places), self._variants)
        ax.set_ylim(len(found) - 0.5, -0.6)
        if passes:
            ax.set_xlim(-0.02, 1.02)
        ax.set_xlabel(f"{name}, with {level:.0%} interval")
        ax.grid(axis="x", alpha=0.3)
        ax.spines[["top", "right", "left"]].set_visible(False)
        return ax

    def _one(self, score: str | None) -> tuple[str, dict[Cell, float | None], bool]:
        if not self.scores:
            raise InvalidRequest("The experiment has no score: add one, `scores={'right': function}`.")
        name = score or next(iter(self.scores))
        if name not in self.scores:
            raise InvalidRequest(f"There is no score {name!r}; there are: {', '.join(self.scores)}.")
        values, passes = self.scored()
        return name, values[name], passes[name]

    def _tries(self, values: Mapping[Cell, float | None], variant: str) -> dict[str, list[float]]:
        tries: dict[str, list[float]] = {row: [] for row in self._rows}
        for (row, of, _), value in values.items():
            if of == variant and value is not None:
                tries[row].append(value)
        return tries


_OWN: dict[str, tuple[str, Callable[[ExecutionState], Any]]] = {
    "execution_id": ("string", lambda s: s.execution_id),
    "status": ("string", lambda s: s.status),
    "output": ("string", lambda s: s.result.text if s.result else None),
    "data": ("object", lambda s: s.result.data if s.result else None),
    "cost_usd": ("float64", lambda s: s.total_cost_usd),
    "duration_s": ("float64", lambda s: None if s.duration_ms is None else s.duration_ms / 1000),
    "turns": ("Int64", lambda s: s.turns),
    "tokens": ("Int64", lambda s: s.usage.counted + s.usage.cache_read_input_tokens),
    "model": ("string", lambda s: s.model),
    "version": ("Int64", lambda s: s.version),
    "error_code": ("string", lambda s: s.error.code if s.error else None),
}


def _cell(trial: Trial) -> Cell:
    return trial.row, trial.variant, trial.repeat


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")


def _wanted(score: Score, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `score`: by name, or the output and the row in this order."""
    parameters = list(inspect.signature(score).parameters.values())
    named = {each.name: given[each.name] for each in parameters if each.name in given}
    others = [each for each in parameters if each.name not in given and each.default is each.empty]
    free = [each for each in _GIVEN if each not in named]
    if len(others) > len(free):
        raise TypeError(f"a score takes at most {', '.join(_GIVEN)}")
    return named | {each.name: given[name] for each, name in zip(others, free, strict=False)}


def _costs(states: Sequence[ExecutionState]) -> list[float]:
    return [state.total_cost_usd for state in states if state.total_cost_usd is not None]


def _seconds(states: Sequence[ExecutionState]) -> list[float]:
    return [state.duration_ms / 1000 for state in states if state.duration_ms is not None]
