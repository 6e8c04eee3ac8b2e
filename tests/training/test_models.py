"""The trees keep their promises: signs, seeds, categories, and risk that is not distorted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from shortcast.features.groups.contract import Feature, Group
from shortcast.training.calibration import sigmoid
from shortcast.training.models import Blend, BoostedTrees, standing_models
from shortcast.training.sets import EQUAL_WEIGHTS

FEATURES = [
    Feature("listings_before", "BIGINT", "earlier shortages", monotone=1),
    Feature("price_usd", "DOUBLE", "price"),
    Feature("form_group", "VARCHAR", "form"),
]


@pytest.fixture(scope="module")
def sample() -> tuple[pd.DataFrame, np.ndarray]:
    generator = np.random.default_rng(0)
    rows = 12_000
    count = generator.poisson(0.7, rows)
    price = generator.normal(0, 1, rows)
    form = generator.integers(0, 4, rows)
    # The count works the wrong way above 2, which the declared sign must not follow.
    log_odds = -3 + np.where(count > 2, -1.0, 0.8 * count) + 0.5 * price + (form == 2)
    y = (generator.random(rows) < sigmoid(log_odds)).astype(float)
    X = pd.DataFrame(
        {"listings_before": count, "price_usd": price, "form_group": form}, dtype=np.float32
    )
    X.loc[generator.random(rows) < 0.1, "price_usd"] = np.nan
    return X, y


def test_a_declared_sign_holds_everywhere(sample: tuple[pd.DataFrame, np.ndarray]) -> None:
    X, y = sample
    model = BoostedTrees(FEATURES, threads=1).fit(X, y)
    some = X.head(200)
    risks = [
        model.decision_function(some.assign(listings_before=np.float32(count)))
        for count in range(6)
    ]
    assert (np.diff(np.array(risks), axis=0) >= 0).all()
    assert (risks[5] > risks[0]).all()


def test_categories_are_not_taken_for_numbers(sample: tuple[pd.DataFrame, np.ndarray]) -> None:
    X, y = sample
    model = BoostedTrees(FEATURES, threads=1).fit(X, y)
    risk = [
        model.decision_function(X.head(500).assign(form_group=np.float32(form))).mean()
        for form in range(4)
    ]
    assert int(np.argmax(risk)) == 2
    assert risk[2] - max(risk[:2] + risk[3:]) > 0.5


def test_same_seed_same_trees_other_seed_other_trees(
    sample: tuple[pd.DataFrame, np.ndarray],
) -> None:
    X, y = sample
    texts = [
        BoostedTrees(FEATURES, seed=seed, threads=1, rounds=30)
        .fit(X, y)
        .boosters_["onset"]
        .model_to_string()
        for seed in (0, 0, 1)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_threads_do_not_change_the_trees(sample: tuple[pd.DataFrame, np.ndarray]) -> None:
    X, y = sample
    one, two = (
        BoostedTrees(FEATURES, threads=threads, rounds=30).fit(X, y).decision_function(X)
        for threads in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


def test_leaving_negatives_out_does_not_shift_the_risk(
    sample: tuple[pd.DataFrame, np.ndarray],
) -> None:
    X, y = sample
    thinned = BoostedTrees(FEATURES, keep_negatives=0.3, threads=1).fit(X, y)
    assert thinned.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), rel=0.05)


def test_the_standing_models_are_those_of_the_design() -> None:
    assert list(standing_models({}, {})) == [
        "prevalence",
        "past_listings",
        "points",
        "traits",
        "logistic",
        "lightgbm",
        "blend",
    ]


def test_the_blend_is_the_mean_of_the_log_odds_of_its_parts(
    sample: tuple[pd.DataFrame, np.ndarray],
) -> None:
    X, y = sample
    # Drugs in shortage: the trees learn from them, the regression must not see them.
    y = np.where(X["listings_before"] > 3, np.nan, y)
    groups = {"all": Group("all", "All", tuple(FEATURES), lambda view: "", {})}
    models = standing_models(groups, {"form_group": ("a", "b", "c", "d")})
    blend = models["blend"]().fit(X, y)
    trees = models["lightgbm"]().fit(X, y)
    regression = models["logistic"]().fit(X[~np.isnan(y)], y[~np.isnan(y)])
    assert isinstance(blend, Blend)
    assert list(blend.parts_) == ["lightgbm", "logistic"]
    mean = (trees.decision_function(X) + regression.decision_function(X)) / 2
    np.testing.assert_allclose(blend.decision_function(X), mean, atol=1e-12)
    assert blend.description()["lightgbm.rounds"] == trees.description()["rounds"]
    assert blend.description()["logistic.strength"] == regression.description()["strength"]


def test_drugs_in_shortage_teach_which_are_prone(sample: tuple[pd.DataFrame, np.ndarray]) -> None:
    X, y = sample
    # Form 1 is no likelier to come into shortage in these rows, but fills the list.
    short = ((X["form_group"] == 1) & (X["listings_before"] > 0)).to_numpy()
    without = BoostedTrees(FEATURES, hidden=["listings_before"], threads=1)
    without.fit(X[~short], y[~short])
    taught = BoostedTrees(FEATURES, hidden=["listings_before"], threads=1, weights=EQUAL_WEIGHTS)
    taught.fit(X, np.where(short, np.nan, y))
    of_form_1 = X.assign(form_group=np.float32(1))
    of_form_0 = X.assign(form_group=np.float32(0))

    def gap(model: BoostedTrees) -> float:
        difference = model.decision_function(of_form_1) - model.decision_function(of_form_0)
        return float(difference.mean())

    assert gap(without) < 0.0
    assert gap(taught) > 1.0


def test_trees_of_prone_drugs_do_not_read_what_tells_of_their_shortages(
    sample: tuple[pd.DataFrame, np.ndarray],
) -> None:
    X, y = sample
    short = (X["listings_before"] > 1).to_numpy()
    model = BoostedTrees(FEATURES, hidden=["listings_before"], threads=1)
    model.fit(X, np.where(short, np.nan, y))
    read = dict(
        zip(
            model.boosters_["prone"].feature_name(),
            model.boosters_["prone"].feature_importance(),
            strict=True,
        )
    )
    assert read["listings_before"] == 0
    assert model.boosters_["onset"].feature_importance()[0] > 0
