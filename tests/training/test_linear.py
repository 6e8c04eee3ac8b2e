"""The exported regression says what the fitted one says, and where it comes from."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from shortcast.training.baselines import Logistic
from shortcast.training.calibration import FloatArray, sigmoid
from shortcast.training.linear import Column, LinearPart, design

NAMES = ("price_usd", "form_group", "unused")
#: A price of e - 1 is 1 on the log scale, which is the mean here.
PART = LinearPart(
    -4.0,
    (
        Column("price_usd", "value", centre=1.0, spread=0.5, mean=0.1, coefficient=-0.2),
        Column("price_usd", "missing", mean=0.25, coefficient=0.8),
        Column("form_group", "category", category=0, mean=0.5, coefficient=0.6),
        Column("form_group", "category", category=1, mean=0.5, coefficient=-0.4),
    ),
)


def rows(*values: tuple[float, float]) -> np.ndarray:
    return np.array([(price, form, 7.0) for price, form in values], dtype=np.float32)


def test_it_adds_up_values_gaps_and_categories() -> None:
    known, missing, no_form = rows((0.0, 0), (np.nan, 1), (0.0, np.nan))
    # A price of 0 is 2 standard deviations below the mean.
    assert PART.log_odds(known[None], NAMES) == pytest.approx([-4.0 + 0.4 + 0.6])
    assert PART.log_odds(missing[None], NAMES) == pytest.approx([-4.0 + 0.8 - 0.4])
    assert PART.log_odds(no_form[None], NAMES) == pytest.approx([-4.0 + 0.4])


def test_values_far_from_training_count_as_five_standard_deviations() -> None:
    far, farther = PART.log_odds(rows((1e3, 0), (1e9, 0)), NAMES)
    assert far == farther == pytest.approx(-4.0 - 0.2 * 5 + 0.6)


def test_all_columns_of_a_feature_count_to_it_against_their_means() -> None:
    parts = PART.contributions(rows((0.0, 0), (np.nan, 1)), NAMES)
    known_price = -0.2 * (-2.0 - 0.1) + 0.8 * (0.0 - 0.25)
    missing_price = -0.2 * (0.0 - 0.1) + 0.8 * (1.0 - 0.25)
    form = 0.6 * 0.5 - 0.4 * -0.5
    np.testing.assert_allclose(
        parts, [[known_price, form, 0.0], [missing_price, -form, 0.0]], atol=1e-12
    )


@pytest.fixture(scope="module")
def sample() -> tuple[pd.DataFrame, FloatArray]:
    generator = np.random.default_rng(3)
    size = 4_000
    price = np.exp(generator.normal(0, 1, size))
    form = generator.integers(0, 2, size)
    y = (generator.random(size) < sigmoid(-2.0 - np.log1p(price) + form.astype(np.float64))).astype(
        float
    )
    price[generator.random(size) < 0.2] = np.nan
    X = pd.DataFrame({"form_group": form, "price_usd": price, "constant": 1.0}, dtype=np.float32)
    return X, y


def test_it_is_the_regression_that_scikit_learn_fits(
    sample: tuple[pd.DataFrame, FloatArray],
) -> None:
    X, y = sample
    model = Logistic(list(X.columns), {"form_group": ("a", "b")}, keep_negatives=1.0).fit(X, y)
    columns = [(column.feature, column.kind) for column in model.linear_.columns]
    assert columns == [
        ("price_usd", "value"),
        ("price_usd", "missing"),
        ("form_group", "category"),
        ("form_group", "category"),
    ]
    table = design(model.linear_.columns, X.to_numpy(), list(X.columns))
    own = LogisticRegression(C=0.1 * 1000 / len(y), max_iter=500, tol=1e-6).fit(table, y)
    np.testing.assert_allclose(model.decision_function(X), own.decision_function(table), atol=1e-9)


def test_contributions_and_the_same_base_make_up_every_row(
    sample: tuple[pd.DataFrame, FloatArray],
) -> None:
    X, y = sample
    names = list(X.columns)
    model = Logistic(names, {"form_group": ("a", "b")}, keep_negatives=1.0).fit(X, y)
    parts = model.linear_.contributions(X.to_numpy(), names)
    base = model.decision_function(X) - parts.sum(axis=1)
    assert np.ptp(base) < 1e-12
    # Against the mean in training: over the training rows, nothing is left.
    np.testing.assert_allclose(parts.mean(axis=0), 0.0, atol=1e-12)


def test_written_and_read_it_is_the_same_to_the_last_digit() -> None:
    uneven = LinearPart(0.1 + 0.2, (Column("a", "value", 1 / 3, 1e-7, -1, 2 / 3, -np.pi),))
    for part in (PART, uneven, LinearPart(-1.0, ())):
        assert LinearPart.from_text(part.to_text()) == part
    assert json.loads(PART.to_text())["columns"][1]["kind"] == "missing"


def test_without_columns_every_row_has_the_intercept() -> None:
    assert LinearPart(-1.0, ()).log_odds(rows((1.0, 0), (2.0, 1)), NAMES).tolist() == [-1.0, -1.0]
