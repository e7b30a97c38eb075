"""Intervals and comparisons: held to scipy and statsmodels, and to what repeats of a row are worth."""

from __future__ import annotations

import math
import random

import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from cloutagent_ext.client import measures


@pytest.mark.parametrize(("passed", "trials"), [(0, 5), (5, 5), (1, 7), (30, 40), (450, 500)])
def test_the_interval_of_a_rate_is_wilsons(passed: int, trials: int) -> None:
    tries = {str(n): [float(n < passed)] for n in range(trials)}
    estimate = measures.rate(tries)
    low, high = proportion_confint(passed, trials, method="wilson")
    assert (estimate.value, estimate.trials, estimate.rows) == (passed / trials, trials, trials)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-12)


def test_tries_that_agree_are_worth_no_more_than_their_row() -> None:
    rows = {str(n): [float(n % 3 == 0)] * 10 for n in range(30)}
    assert measures.worth(rows) == pytest.approx(30)
    once = measures.rate({row: values[:1] for row, values in rows.items()})
    often = measures.rate(rows)
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_tries_that_all_agree_in_all_rows_prove_no_more_than_their_rows() -> None:
    assert measures.worth({"a": [1.0] * 9, "b": [1.0] * 9, "c": [1.0] * 9}) == 3
    assert measures.rate({"a": [1.0] * 9, "b": [1.0] * 9}).low == pytest.approx(measures.wilson(1.0, 2)[0])


def test_tries_that_know_nothing_of_each_other_are_worth_as_many_trials() -> None:
    chance = random.Random(7)
    rows = {str(n): [float(chance.random() < 0.5) for _ in range(10)] for n in range(200)}
    assert measures.worth(rows) == pytest.approx(2000, rel=0.1)


def test_wilsons_interval_holds_the_true_rate_as_often_as_it_says_also_with_repeats() -> None:
    chance = random.Random(11)
    held = 0
    for _ in range(400):
        rows = {}
        for n in range(40):
            easy = chance.random() < 0.5  # a row is easy or hard; its five tries are alike
            rows[str(n)] = [float(chance.random() < (0.9 if easy else 0.3)) for _ in range(5)]
        estimate = measures.rate(rows)
        held += estimate.low <= 0.6 <= estimate.high
    assert 0.92 <= held / 400 <= 0.985


def test_the_interval_of_a_mean_is_students_over_rows() -> None:
    values = [1.0, 4.0, 2.5, 8.0, 3.0]
    estimate = measures.mean({str(n): [value, value] for n, value in enumerate(values)})
    low, high = stats.t.interval(0.95, 4, loc=sum(values) / 5, scale=stats.sem(values))
    assert (estimate.low, estimate.high) == pytest.approx((low, high))
    assert measures.mean({"a": [1.0]}).high == math.inf


def test_two_variants_are_compared_on_the_rows_that_both_have() -> None:
    first = {str(n): [1.0] for n in range(20)} | {"only": [1.0]}
    second = {str(n): [float(n % 2)] for n in range(20)}
    made = measures.paired(first, second, passes=True)
    assert made is not None
    assert (made.better, made.equal, made.worse, made.rows) == (10, 10, 0, 20)
    assert made.test == "McNemar, exact"
    assert made.p == pytest.approx(stats.binomtest(10, 10).pvalue)
    assert (made.first, made.second, made.difference) == (1.0, 0.5, 0.5)
    assert made.low < 0.5 < made.high <= 1
    assert measures.paired(first, {"else": [1.0]}, passes=True) is None


def test_numbers_and_repeats_are_compared_by_permutation_exactly_where_rows_are_few() -> None:
    first = {"a": [2.0, 4.0], "b": [5.0], "c": [7.0]}
    second = {"a": [1.0], "b": [2.0], "c": [3.0]}
    made = measures.paired(first, second, passes=False)
    assert made is not None
    assert made.p == pytest.approx(2 / 8)  # of the 8 ways to swap, two are as far from nothing
    assert made.difference == pytest.approx((2 + 3 + 4) / 3)
    same = measures.paired(first, first, passes=False)
    assert same is not None
    assert (same.p, same.low, same.high) == (1.0, 0.0, 0.0)


def test_several_comparisons_are_corrected_as_statsmodels_does() -> None:
    values = [0.01, 0.04, 0.03, 0.2]
    assert measures.holm(values) == pytest.approx(list(multipletests(values, method="holm")[1]))
