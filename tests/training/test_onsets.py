"""The onsets by name, counted by hand, and what moved their scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from shortcast.training.baselines import Logistic
from shortcast.training.bundle import Bundle
from shortcast.training.fitting import Fitted
from shortcast.training.matrix import encode
from shortcast.training.models import Blend, BoostedTrees
from shortcast.training.onsets import explained, onset_list


def test_an_onset_is_caught_or_named_with_its_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortcast.training.onsets.LIST_SIZE", 1)
    months = pd.to_datetime(["2020-01-01", "2020-02-01"])
    scores = {
        "blend": {"a": (0.9, 0.2), "b": (0.5, 0.4), "c": (0.1, 0.5)},
        "points": {"a": (0.1, 0.1), "b": (0.9, 0.1), "c": (0.5, 0.5)},
        "prevalence": dict.fromkeys("abc", (0.3, 0.3)),
    }
    onset = {"a": pd.Timestamp("2020-03-05"), "b": pd.Timestamp("2020-02-07")}
    table = pd.DataFrame(
        [
            (drug, month, 6, model, score[i], drug in onset, onset.get(drug, pd.NaT))
            for model, by_drug in scores.items()
            for i, month in enumerate(months)
            for drug, score in by_drug.items()
        ],
        columns=["drug_id", "as_of", "horizon_months", "model", "score", "label", "onset_date"],
    ).assign(previously_listed=False, form_group="injection")
    table["rank"] = (
        table.groupby(["model", "as_of"])["score"].rank(method="first", ascending=False).astype(int)
    )
    moved = {("b", months[1]): {"raised": ["what raised it"], "lowered": []}}
    first, second = onset_list(table, "blend", moved)
    assert (first["drug_id"], first["onset_date"], first["caught"]) == ("b", "2020-02-07", False)
    assert (first["best_rank"], first["last_rank"], first["last_score"]) == (2, 2, 0.4)
    assert first["best_rank_of"] == {"points": 1}
    assert first["raised"] == ["what raised it"]
    assert (second["drug_id"], second["caught"], second["best_rank"]) == ("a", True, 1)
    assert (second["best_as_of"], second["last_as_of"]) == ("2020-01-01", "2020-02-01")


def test_what_moved_a_score_is_what_the_service_says(bundle: Bundle, market: Any) -> None:
    features = [f for group in market.groups.values() for f in group.features]
    trees = BoostedTrees(features)
    trees.boosters_ = bundle.boosters(6)
    regression = Logistic([f.name for f in features], bundle.categories)
    regression.linear_ = bundle.linear[6]
    model = Blend.of({"lightgbm": trees, "logistic": regression})
    fitted = Fitted(model, bundle.platt[6], np.empty((2, 0)))
    month = market.panel[market.panel["as_of"] == pd.Timestamp("2020-12-01")]
    rows = month[month["at_risk"]].head(20)
    said = explained(fitted, encode(rows, bundle.features, bundle.categories), rows, features)
    reasons = bundle.reasons(rows)
    for (drug, _), named in said.items():
        groups = reasons.loc[reasons["drug_id"] == drug, "features"]
        served = {f["name"]: f["contribution"] for group in groups for f in group}
        mine = named["raised"] + named["lowered"]
        strongest = max(served, key=lambda name: abs(served[name]))
        assert strongest in {f["name"] for f in mine}
        for feature in mine:
            assert feature["contribution"] == pytest.approx(served[feature["name"]], abs=1e-3)
        assert all(f["contribution"] > 0 for f in named["raised"])
    assert (
        explained(fitted, encode(rows.head(0), bundle.features, bundle.categories), rows, []) == {}
    )
