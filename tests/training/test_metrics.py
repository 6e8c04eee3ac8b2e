"""Every figure against a naive reading of its definition."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from shortcast.training import metrics
from shortcast.training.calibration import sigmoid

#: Rows (outcome, score, month, drug); coarse scores make ties likely.
ROWS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 2), st.integers(0, 5)),
    min_size=1,
    max_size=40,
)
Row = tuple[bool, int, int, int]


def columns(rows: list[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    table = np.array(rows, dtype=np.int64)
    return table[:, 0].astype(float), table[:, 1] / 5.0, table[:, 2], table[:, 3]


def naive_auc(y: np.ndarray, score: np.ndarray) -> float:
    wins = [
        1.0 if a > b else 0.5 if a == b else 0.0 for (a, b) in product(score[y == 1], score[y == 0])
    ]
    return float(np.mean(wins)) if wins else float("nan")


def naive_list(y: np.ndarray, score: np.ndarray, month: np.ndarray, size: int) -> list[int]:
    """Rows listed, each month's ties in the worst order."""
    found = []
    for this in sorted(set(month)):
        inside = [i for i in range(len(y)) if month[i] == this]
        inside.sort(key=lambda i: (-score[i], y[i], i))
        found += inside[:size]
    return found


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_ap_and_auc_agree_with_naive_counts(rows: list[Row]) -> None:
    y, score, _, _ = columns(rows)
    average, area = (float(value[0]) for value in metrics.ap_and_auc(y, score))
    np.testing.assert_allclose(area, naive_auc(y, score), atol=1e-12)
    if y.any():
        assert average == pytest.approx(average_precision_score(y, score), abs=1e-12)
    else:
        assert np.isnan(average)


def test_ap_and_auc_agree_with_scikit_learn_on_many_rows() -> None:
    generator = np.random.default_rng(0)
    score = np.round(generator.normal(size=5000), 2)
    y = (generator.random(5000) < sigmoid(score - 3)).astype(float)
    average, area = (float(value[0]) for value in metrics.ap_and_auc(y, score))
    assert average == pytest.approx(average_precision_score(y, score), abs=1e-12)
    assert area == pytest.approx(roc_auc_score(y, score), abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(ROWS, st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_a_weight_is_as_good_as_repeated_rows(rows: list[Row], times: list[int]) -> None:
    y, score, month, drug = columns(rows)
    draws = np.array([times], dtype=float)
    repeat = np.repeat(np.arange(len(y)), np.array(times)[drug])
    weighted = metrics.ap_and_auc(y, score, draws[:, drug])
    lists = metrics.precision_recall_draws(y, score, month, (1, 3), drug, draws)
    sums = metrics.sum_draws(score, drug, draws)
    assert sums[0] == pytest.approx(score[repeat].sum())
    if not len(repeat):
        return
    plain = metrics.ap_and_auc(y[repeat], score[repeat])
    for a, b in zip(weighted, plain, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    for size in (1, 3):
        precision, recall, _ = metrics.precision_recall_at(
            y[repeat], score[repeat], month[repeat], size
        )
        np.testing.assert_allclose(lists[size][0][0], precision, atol=1e-12)
        np.testing.assert_allclose(lists[size][1][0], recall, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(1, 6))
def test_precision_and_recall_take_ties_in_the_worst_order(rows: list[Row], size: int) -> None:
    y, score, month, _ = columns(rows)
    precision, recall, hits = metrics.precision_recall_at(y, score, month, size)
    listed = naive_list(y, score, month, size)
    assert hits == y[listed].sum()
    assert precision == pytest.approx(y[listed].mean())
    if y.any():
        assert recall == pytest.approx(y[listed].sum() / y.sum())
    else:
        assert np.isnan(recall)


def test_no_order_of_the_rows_improves_a_list_full_of_ties() -> None:
    y = np.array([1.0, 1.0, 0.0, 0.0])
    score = np.zeros(4)
    month = np.zeros(4, dtype=np.int64)
    assert metrics.precision_recall_at(y, score, month, 2)[0] == 0.0
    assert metrics.precision_recall_at(y, score, month, 3)[2] == 1


def test_the_bootstrap_falls_back_when_the_head_of_a_month_is_drawn_too_seldom() -> None:
    # Of 300 drugs in a month the first 250 are never drawn: a list of 20 takes the others.
    score = np.linspace(1, 0, 300)
    y = np.zeros(300)
    y[260] = 1.0
    drug = np.arange(300)
    draws = np.where(drug < 250, 0.0, 6.0)[None, :]
    month = np.zeros(300, dtype=np.int64)
    precision, _ = metrics.precision_recall_draws(y, score, month, (20,), drug, draws)[20]
    assert precision[0] == 0.0
    precision, _ = metrics.precision_recall_draws(y, score, month, (66,), drug, draws)[66]
    assert precision[0] == pytest.approx(6 / 66)


def test_draws_have_the_size_of_the_sample_and_follow_the_seed() -> None:
    draws = metrics.drug_draws(50, 20, seed=4)
    assert draws.shape == (20, 50)
    assert (draws.sum(axis=1) == 50).all()
    np.testing.assert_array_equal(draws, metrics.drug_draws(50, 20, seed=4))
    assert (draws != metrics.drug_draws(50, 20, seed=5)).any()


def test_brier_skill_and_observed_over_expected_by_hand() -> None:
    y = np.array([1.0, 0.0, 0.0, 0.0])
    score = np.array([0.7, 0.1, 0.1, 0.1])
    reference = np.full(4, 0.25)
    assert metrics.brier(y, score) == pytest.approx((0.09 + 0.03) / 4)
    assert metrics.brier_skill(y, score, reference) == pytest.approx(1 - 0.12 / 0.75)
    assert metrics.brier_skill(y, reference, reference) == 0.0
    assert metrics.observed_expected(y, score) == pytest.approx(1.0)


def test_calibration_slope_is_that_of_a_logistic_regression() -> None:
    generator = np.random.default_rng(1)
    true = generator.normal(-3, 1, 20_000)
    y = (generator.random(len(true)) < sigmoid(true)).astype(float)
    too_extreme = sigmoid(2 * true + 3)
    slope = metrics.calibration_slope(y, too_extreme)
    x = (2 * true + 3)[:, None]
    reference = LogisticRegression(C=1e12, tol=1e-10).fit(x, y).coef_[0, 0]
    assert slope == pytest.approx(reference, abs=1e-4)
    assert slope == pytest.approx(0.5, abs=0.05)


def test_calibration_slope_of_equal_scores_is_undefined() -> None:
    y = np.array([0.0, 1.0, 0.0])
    assert np.isnan(metrics.calibration_slope(y, np.full(3, 0.2)))
    draws = np.ones((2, 3))
    drug = np.arange(3)
    assert np.isnan(metrics.calibration_slope_draws(y, np.full(3, 0.2), drug, draws)).all()


def test_one_newton_step_is_close_to_a_fit_of_each_resample() -> None:
    generator = np.random.default_rng(2)
    drug = np.repeat(np.arange(400), 10)
    x = np.repeat(generator.normal(-2.5, 1, 400), 10) + generator.normal(0, 0.3, 4000)
    y = (generator.random(4000) < sigmoid(0.8 * x)).astype(float)
    score = sigmoid(x)
    draws = metrics.drug_draws(400, 30, seed=0)
    fast = metrics.calibration_slope_draws(y, score, drug, draws)
    slow = []
    for draw in draws:
        rows = np.repeat(np.arange(4000), draw[drug].astype(int))
        slow.append(metrics.calibration_slope(y[rows], score[rows]))
    np.testing.assert_allclose(fast, slow, atol=0.04)
    same = metrics.calibration_slope_draws(y, score, drug, np.ones((1, 400)))
    assert same[0] == pytest.approx(metrics.calibration_slope(y, score), abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(ROWS, st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_a_resample_by_matrix_products_is_as_good_as_repeated_rows(
    rows: list[Row], times: list[int]
) -> None:
    y, score, _, drug = columns(rows)
    draws = np.array([times, [1] * 6], dtype=float)
    drawn = metrics.ap_and_auc_draws(y, score, drug, draws)
    repeat = np.repeat(np.arange(len(y)), np.array(times)[drug])
    for part, chosen in enumerate((repeat, np.arange(len(y)))):
        plain = metrics.ap_and_auc(y[chosen], score[chosen])
        for a, b in zip(drawn, plain, strict=True):
            np.testing.assert_allclose(a[part], b[0], atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(ROWS, st.integers(1, 6))
def test_a_ceiling_is_what_a_list_ordered_by_the_outcome_has(rows: list[Row], size: int) -> None:
    y, _, month, _ = columns(rows)
    precision, recall, _ = metrics.precision_recall_at(y, y, month, size)
    np.testing.assert_allclose(metrics.ceilings_at(y, month, size), (precision, recall))


@settings(max_examples=100, deadline=None)
@given(ROWS, st.integers(1, 6))
def test_on_the_list_are_the_rows_of_a_naive_list(rows: list[Row], size: int) -> None:
    y, score, month, _ = columns(rows)
    on = metrics.on_list(y, score, month, size)
    assert sorted(np.flatnonzero(on)) == sorted(naive_list(y, score, month, size))


def test_tenths_are_as_good_as_equal_and_in_order() -> None:
    parts = metrics.tenths(np.array([0.3, 0.1, 0.2, 0.1, 0.9]), 2)
    assert [part.tolist() for part in parts] == [[1, 3, 2], [0, 4]]
    assert len(metrics.tenths(np.array([0.5, 0.4]))) == 2
