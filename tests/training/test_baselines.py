"""The yardsticks do what anyone would count by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from shortcast.features.groups import features, registry
from shortcast.training.baselines import (
    RULES,
    Logistic,
    PastListings,
    Points,
    Prevalence,
    Rule,
)
from shortcast.training.calibration import sigmoid

FORMS = {"form_group": ("injection", "oral-solid")}


def encoded(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype=np.float32)


def test_prevalence_says_the_rate_of_training_for_every_drug() -> None:
    X = encoded(listings_before=[0, 1, 2, 3])
    risk = Prevalence().fit(X, np.array([0.0, 0.0, 0.0, 1.0])).predict_proba(X)
    assert risk[:, 1] == pytest.approx(np.full(4, 1.5 / 5))
    assert risk.sum(axis=1) == pytest.approx(np.ones(4))


def test_past_listings_ranks_by_the_count_and_is_calibrated() -> None:
    generator = np.random.default_rng(0)
    count = generator.poisson(0.5, 20_000).astype(np.float64)
    y = (generator.random(20_000) < sigmoid(-4 + 0.9 * count)).astype(float)
    X = encoded(listings_before=count.tolist())
    risk = PastListings().fit(X, y).predict_proba(X)[:, 1]
    assert np.array_equal(np.argsort(risk, kind="stable"), np.argsort(count, kind="stable"))
    assert risk.sum() == pytest.approx(y.sum(), rel=1e-4)
    assert PastListings().number(encoded(listings_before=[np.nan])) == [0.0]


@pytest.mark.parametrize("y", [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
def test_more_past_listings_never_mean_less_risk(y: list[float]) -> None:
    X = encoded(listings_before=[0, 0, 3, 4])
    risk = PastListings().fit(X, np.array(y)).decision_function(X)
    assert (np.diff(risk) >= 0).all()


def test_points_add_up() -> None:
    rules = (
        Rule("listings_before", "at least", 1, 2, "listed before"),
        Rule("form_group", "is", "injection", 2, "injection"),
        Rule("price_usd", "at most", 1.0, 1, "cheap"),
        Rule("not_in_this_panel", "at least", 1, 9, "skipped"),
    )
    X = encoded(
        listings_before=[0, 1, 5, np.nan],
        form_group=[1, 0, 0, np.nan],
        price_usd=[0.5, 2.0, 1.0, np.nan],
    )
    assert Points(FORMS, rules).number(X).tolist() == [1, 4, 5, 0]


def test_an_unknown_category_earns_no_points_even_where_the_form_is_missing() -> None:
    rules = (Rule("form_group", "is", "gas", 2, "none such"),)
    assert Points(FORMS, rules).number(encoded(form_group=[0, 1, np.nan])).tolist() == [0, 0, 0]


def test_every_rule_looks_at_a_feature_that_exists() -> None:
    if len(registry()) < 8:
        pytest.skip("not all feature groups are there yet")
    assert {rule.feature for rule in RULES} <= set(features())


def test_logistic_regression_learns_from_numbers_categories_and_gaps() -> None:
    generator = np.random.default_rng(1)
    rows = 20_000
    price = np.exp(generator.normal(0, 1, rows))
    form = generator.integers(0, 2, rows)
    gap = generator.random(rows) < 0.3
    log_odds = -3 - 1.0 * np.log1p(price) + 1.5 * (form == 0) + 1.0 * gap
    y = (generator.random(rows) < sigmoid(log_odds)).astype(float)
    X = encoded(
        price_usd=np.where(gap, np.nan, price).tolist(),
        form_group=form.tolist(),
        constant=[1.0] * rows,
    )
    model = Logistic(list(X.columns), FORMS, strength=100.0).fit(X, y)
    fitted = model.decision_function(X)
    # Where the price is known the true line is in the model's reach; it is found.
    assert np.corrcoef(fitted[~gap], log_odds[~gap])[0, 1] > 0.995
    assert fitted[gap].mean() > fitted[~gap].mean() + 1.0


def test_logistic_regression_is_not_carried_away_by_values_beyond_training() -> None:
    X = encoded(price_usd=[1.0, 2.0, 3.0, 4.0] * 50)
    y = np.array([0.0, 0.0, 1.0, 1.0] * 50)
    model = Logistic(["price_usd"], {}).fit(X, y)
    extreme = model.decision_function(encoded(price_usd=[1e3, 1e9]))
    assert np.isfinite(extreme).all()
    assert extreme[0] == pytest.approx(extreme[1])
