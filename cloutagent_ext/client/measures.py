"""How sure one can be of what an experiment showed: intervals of rates and means, paired comparison.

A row that is tried several times says less than as many rows: its tries agree more with each
other than with those of other rows. Every interval here counts that in. Pure numbers in, pure
numbers out; scipy is imported where it is needed. Not here: which trials there were
(`experiments`), tables (`outcomes`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import Literal

from .optional import need

Tries = Mapping[str, Sequence[float]]
"""What was measured, by row: a number for each of its tries."""


@dataclass(frozen=True)
class Estimate:
    """A rate or a mean, and between which values the true one lies."""

    value: float
    low: float
    high: float
    trials: int
    rows: int
    kind: Literal["rate", "mean"]


@dataclass(frozen=True)
class Comparison:
    """Two variants on the same rows: `difference` is the first one's value less the second one's."""

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    """How often chance alone would show so large a difference, were there none."""
    test: str
    better: int
    """Rows in which the first one does better, as well, worse."""
    equal: int
    worse: int

    @property
    def rows(self) -> int:
        return self.better + self.equal + self.worse


def wilson(rate: float, trials: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a rate that was seen in `trials` independent trials."""
    if trials <= 0:
        return math.nan, math.nan
    z = NormalDist().inv_cdf(0.5 + level / 2)
    middle = (rate + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    return (0.0 if rate == 0 else max(0.0, middle - half)), (1.0 if rate == 1 else min(1.0, middle + half))


def worth(tries: Tries) -> float:
    """How many independent trials `tries` are worth: between the number of rows and that of tries.

    By the design effect, with the correlation inside rows that an analysis of variance shows.
    """
    groups = [list(each) for each in tries.values() if each]
    rows, total = len(groups), sum(len(each) for each in groups)
    if rows == total or rows < 2:
        return float(rows)
    grand = fmean(value for each in groups for value in each)
    between = sum(len(each) * (fmean(each) - grand) ** 2 for each in groups) / (rows - 1)
    within = sum((value - fmean(each)) ** 2 for each in groups for value in each) / (total - rows)
    size = (total - sum(len(each) ** 2 for each in groups) / total) / (rows - 1)
    spread = between + (size - 1) * within
    if spread <= 0:  # all tries of all rows agree: nothing says that they would not always
        return float(rows)
    correlation = min(1.0, max(0.0, (between - within) / spread))
    return total / (1 + (total / rows - 1) * correlation)


def rate(tries: Tries, level: float = 0.95) -> Estimate:
    """How often it is 1, with Wilson's interval."""
    values = [value for each in tries.values() for value in each]
    rows = sum(1 for each in tries.values() if each)
    if not values:
        return Estimate(math.nan, math.nan, math.nan, 0, 0, "rate")
    value = fmean(values)
    return Estimate(value, *wilson(value, worth(tries), level), len(values), rows, "rate")


def mean(tries: Tries, level: float = 0.95) -> Estimate:
    """The mean over rows (each counts once, however often it was tried), with Student's interval."""
    means = [fmean(each) for each in tries.values() if each]
    trials = sum(len(each) for each in tries.values())
    if not means:
        return Estimate(math.nan, math.nan, math.nan, 0, 0, "mean")
    value = fmean(means)
    half = _student_half(means, level)
    return Estimate(value, value - half, value + half, trials, len(means), "mean")


def paired(first: Tries, second: Tries, *, passes: bool, level: float = 0.95) -> Comparison | None:
    """Compare on the rows that both have; None without any.

    `passes`: values are 0 or 1. With one try a row McNemar's exact test is made of them; everything
    else is a permutation test of the rows' differences, exact where there are few.
    """
    common = [row for row in first if first[row] and second.get(row)]
    if not common:
        return None
    a, b = [fmean(first[row]) for row in common], [fmean(second[row]) for row in common]
    differences = [x - y for x, y in zip(a, b, strict=True)]
    better, worse = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    difference, half = fmean(differences), _student_half(differences, level)
    once = all(len(first[row]) == len(second[row]) == 1 for row in common)
    if passes and once:
        test, p = "McNemar, exact", _mcnemar(better, worse)
    else:
        test, p = "permutation of rows", _permutation(differences)
    low, high = difference - half, difference + half
    if passes:
        low, high = max(-1.0, low), min(1.0, high)
    equal = len(common) - better - worse
    return Comparison(fmean(a), fmean(b), difference, low, high, p, test, better, equal, worse)


def holm(values: Sequence[float]) -> list[float]:
    """`values` as p values of several comparisons made together, by Holm."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    adjusted, so_far = [0.0] * len(values), 0.0
    for place, index in enumerate(order):
        so_far = max(so_far, min(1.0, (len(values) - place) * values[index]))
        adjusted[index] = so_far
    return adjusted


def _student_half(values: Sequence[float], level: float) -> float:
    """Half the width of the mean's interval; unknown (infinite) from one value."""
    count = len(values)
    if count < 2:
        return math.inf
    middle = fmean(values)
    deviation = math.sqrt(sum((value - middle) ** 2 for value in values) / (count - 1))
    if deviation == 0:
        return 0.0
    t = need("scipy.stats", "An interval of a mean").t
    return float(t.ppf(0.5 + level / 2, count - 1)) * deviation / math.sqrt(count)


def _mcnemar(better: int, worse: int) -> float:
    if better + worse == 0:
        return 1.0
    stats = need("scipy.stats", "A comparison")
    return float(stats.binomtest(better, better + worse, 0.5).pvalue)


def _permutation(differences: Sequence[float]) -> float:
    if not any(differences):
        return 1.0
    stats = need("scipy.stats", "A comparison")
    zeros = [0.0] * len(differences)

    def statistic(x: list[float], y: list[float], axis: int) -> float:
        return (x - y).mean(axis=axis)  # type: ignore[operator, no-any-return]

    found = stats.permutation_test(
        (differences, zeros), statistic, permutation_type="samples", vectorized=True, n_resamples=9999, rng=0
    )
    return float(found.pvalue)
