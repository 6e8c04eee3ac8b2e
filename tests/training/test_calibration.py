"""Recalibration finds the true line when there is enough to learn from, and is shy when not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression

from shortcast.errors import ShortcastError
from shortcast.training.calibration import Platt, coherent, logistic_line, logit, sigmoid


def test_maximum_likelihood_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    x = generator.normal(-4, 2, 5000)
    y = (generator.random(5000) < sigmoid(0.6 * x + 0.5)).astype(float)
    slope, intercept = logistic_line(x, y)
    reference = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(x[:, None], y)
    assert slope == pytest.approx(reference.coef_[0, 0], abs=1e-4)
    assert intercept == pytest.approx(reference.intercept_[0], abs=1e-4)


def test_recalibration_recovers_the_truth_from_many_events() -> None:
    generator = np.random.default_rng(2)
    truth = generator.normal(-3, 1, 200_000)
    y = (generator.random(len(truth)) < sigmoid(truth)).astype(float)
    platt = Platt.fit((truth - 0.7) / 0.5, y)  # scores twice too extreme and shifted
    assert platt.slope == pytest.approx(0.5, abs=0.02)
    assert platt.apply((truth - 0.7) / 0.5).mean() == pytest.approx(y.mean(), rel=0.01)


def test_with_few_events_only_the_level_moves() -> None:
    generator = np.random.default_rng(3)
    score = generator.normal(-4, 1, 500)
    y = np.zeros(500)
    y[np.argsort(score)[:4]] = 1.0  # by bad luck the lowest scores had the events
    platt = Platt.fit(score, y, horizon_months=12)
    assert 0.7 < platt.slope < 1.0
    assert platt.apply(score).sum() == pytest.approx(4.0, rel=0.05)


def test_a_slice_that_contradicts_the_model_never_turns_the_order() -> None:
    score = np.linspace(-6, -2, 4000)
    y = (score < -5.5).astype(float)
    platt = Platt.fit(score, y)
    assert platt.slope > 0
    assert platt.apply(score).sum() == pytest.approx(y.sum(), rel=0.01)


@given(
    arrays(np.float64, 30, elements=st.floats(-30, 30)),
    st.integers(0, 29),
    st.floats(0.05, 3.0),
)
def test_levelled_scores_expect_what_was_observed(
    score: np.ndarray, onsets: int, slope: float
) -> None:
    y = np.zeros(30)
    y[:onsets] = 1.0
    platt = Platt(slope).levelled(score, y)
    assert platt.slope == slope
    assert platt.apply(score).mean() == pytest.approx((onsets + 0.5) / 31, abs=1e-6)


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_a_slice_with_one_outcome_changes_nothing(outcome: float) -> None:
    assert Platt.fit(np.array([-1.0, -2.0]), np.full(2, outcome)) == Platt(1.0, 0.0)


def test_a_line_through_one_outcome_is_refused() -> None:
    with pytest.raises(ShortcastError, match="both outcomes"):
        logistic_line(np.array([1.0, 2.0]), np.zeros(2))


@given(arrays(np.float64, st.integers(1, 20), elements=st.floats(-700, 700)))
def test_sigmoid_is_a_probability_and_logit_undoes_it(values: np.ndarray) -> None:
    p = sigmoid(values)
    assert ((p >= 0) & (p <= 1)).all()
    inside = np.abs(values) < 15
    np.testing.assert_allclose(logit(p[inside]), values[inside], atol=1e-6)


@settings(max_examples=50)
@given(
    arrays(np.float64, st.tuples(st.integers(1, 9), st.just(3)), elements=st.floats(0, 1)),
)
def test_longer_horizons_never_carry_less_risk(risk: np.ndarray) -> None:
    made = coherent(risk)
    assert (np.diff(made, axis=1) >= 0).all()
    np.testing.assert_array_equal(made[:, 0], risk[:, 0])
    kept = (np.diff(risk, axis=1) >= 0).all(axis=1)
    np.testing.assert_array_equal(made[kept], risk[kept])
