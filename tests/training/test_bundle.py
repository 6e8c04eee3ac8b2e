"""The exported model answers alone, whole, and as it was trained."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shortcast.errors import ShortcastError
from shortcast.training.bundle import Bundle, rank_scores
from shortcast.training.calibration import logit
from shortcast.training.card import model_card
from shortcast.training.fitting import Fitted, TrainingRows, fit
from shortcast.training.matrix import encode
from shortcast.training.models import Blend, Factory
from shortcast.training.train import fit_bundle


@pytest.fixture
def month(market: Any) -> pd.DataFrame:
    panel = market.panel
    return panel[panel["as_of"] == pd.Timestamp("2020-12-01")]


def test_scores_are_ranked_coherent_and_only_for_drugs_at_risk(
    bundle: Bundle, month: pd.DataFrame
) -> None:
    scores = bundle.score(month)
    assert set(scores["drug_id"]) == set(month.loc[month["at_risk"], "drug_id"])
    wide = scores.pivot(index="drug_id", columns="horizon_months", values="score")
    assert ((wide > 0) & (wide < 1)).all(axis=None)
    assert (wide[6] >= wide[3]).all()
    for _, part in scores.groupby("horizon_months"):
        assert part["rank"].tolist() == list(range(1, len(part) + 1))
        assert part["score"].is_monotonic_decreasing


def test_the_score_follows_the_true_risk(bundle: Bundle, month: pd.DataFrame, market: Any) -> None:
    scores = bundle.score(month)
    six = scores[scores["horizon_months"] == 6].set_index("drug_id")["score"]
    truth = pd.Series(market.true_risk[month.index].to_numpy(), month["drug_id"].to_numpy())
    assert six.corr(truth[six.index], method="spearman") > 0.75


def test_a_drug_scores_alone_as_it_does_among_others(bundle: Bundle, month: pd.DataFrame) -> None:
    keys = ["drug_id", "horizon_months", "score"]
    everyone = bundle.score(month)[keys]
    alone = bundle.score(month[month["at_risk"]].iloc[[7]])[keys]
    assert len(alone) == len(alone.merge(everyone, on=keys)) == 2


def test_ties_are_ranked_by_drug() -> None:
    table = pd.DataFrame(
        {
            "drug_id": ["c", "a", "b"],
            "as_of": [pd.Timestamp("2020-01-01")] * 3,
            "horizon_months": [6] * 3,
            "score": [0.1, 0.1, 0.2],
        }
    )
    ranked = rank_scores(table)
    assert ranked["drug_id"].tolist() == ["b", "a", "c"]
    assert ranked["rank"].tolist() == [1, 2, 3]


def test_reasons_add_up_to_the_score(bundle: Bundle, month: pd.DataFrame) -> None:
    reasons = bundle.reasons(month, 3)
    sums = reasons.groupby("drug_id")["contribution"].sum()
    scores = bundle.score(month)
    three = scores[scores["horizon_months"] == 3].set_index("drug_id")["score"]
    base = logit(three.to_numpy()) - sums[three.index].to_numpy()
    # What is left is the model's base value, the same for every drug.
    assert np.ptp(base) < 1e-6
    inside = [sum(f["contribution"] for f in features) for features in reasons["features"]]
    np.testing.assert_allclose(inside, reasons["contribution"], atol=1e-9)


def test_reasons_name_every_group_strongest_first_with_values(
    bundle: Bundle, month: pd.DataFrame
) -> None:
    reasons = bundle.reasons(month)
    drug = reasons[reasons["drug_id"] == reasons["drug_id"].iloc[0]]
    assert set(drug["group"]) == {"history", "prices", "traits"}
    assert drug["contribution"].abs().is_monotonic_decreasing
    (traits,) = drug.loc[drug["group"] == "traits", "features"].tolist()
    (form,) = month.loc[month["drug_id"] == drug["drug_id"].iloc[0], "form_group"]
    assert {f["name"]: f["value"] for f in traits}["form_group"] == form
    assert {f["label"] for f in traits} <= {"form", "one maker only"}


def test_a_missing_value_is_told_as_none(bundle: Bundle, month: pd.DataFrame) -> None:
    unpriced = month[month["price_usd"].isna() & month["at_risk"]].head(1)
    reasons = bundle.reasons(unpriced)
    (prices,) = reasons.loc[reasons["group"] == "prices", "features"].tolist()
    assert {f["name"]: f["value"] for f in prices}["price_usd"] is None


def test_saved_and_loaded_it_is_the_same(
    bundle: Bundle, champion_folder: Path, month: pd.DataFrame
) -> None:
    again = Bundle.load(champion_folder)
    assert again == bundle
    pd.testing.assert_frame_equal(again.score(month), bundle.score(month))


def test_it_scores_as_the_model_that_was_trained(
    market: Any, month: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: dict[int, Fitted] = {}

    def keep(factory: Factory, rows: TrainingRows, horizon_months: int) -> Fitted:
        trained[horizon_months] = fit(factory, rows, horizon_months)
        return trained[horizon_months]

    monkeypatch.setattr("shortcast.training.train.fit", keep)
    fit_bundle(
        market.panel, market.spells, market.records_end, horizons=(6,), calibration_months=12,
        seed=1, groups=market.groups, records_checksum="", data="simulated", code_version="0",
        metrics={},
    ).save(tmp_path)  # fmt: skip
    bundle = Bundle.load(tmp_path)
    rows = month[month["at_risk"]]
    X = encode(rows, bundle.features, bundle.categories)
    served = bundle.score(month).set_index("drug_id")["score"][rows["drug_id"]]
    assert isinstance(trained[6].model, Blend)
    np.testing.assert_allclose(served.to_numpy(), trained[6].risk(X), rtol=0, atol=1e-9)


def test_reasons_are_half_the_trees_and_half_the_regression(
    bundle: Bundle, month: pd.DataFrame
) -> None:
    rows = month[month["at_risk"]]
    values = encode(rows, bundle.features, bundle.categories).to_numpy()
    onset, prone = (
        np.asarray(bundle.boosters(6)[name].predict(values, pred_contrib=True), dtype=np.float64)
        for name in ("onset", "prone")
    )
    trees = 0.75 * onset + 0.25 * prone
    linear = bundle.linear[6].contributions(values, bundle.features)
    price = bundle.features.index("price_usd")
    expected = bundle.platt[6].slope * (trees[:, price] + linear[:, price]) / 2
    assert np.abs(linear[:, price]).min() > 0
    told = {
        drug: {f["name"]: f["contribution"] for f in features}["price_usd"]
        for drug, group, features in bundle.reasons(month)[
            ["drug_id", "group", "features"]
        ].itertuples(index=False)
        if group == "prices"
    }
    np.testing.assert_allclose([told[d] for d in rows["drug_id"]], expected, atol=1e-12)


def test_serving_it_needs_no_training_library(champion_folder: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('mlflow', 'sklearn', 'matplotlib'):\n"
        "    sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from shortcast.training.bundle import Bundle\n"
        f"print(Bundle.load(Path({str(champion_folder)!r})).horizons)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(3, 6)"


@pytest.fixture
def damaged(champion_folder: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "damaged"
    folder.mkdir()
    for file in champion_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.mark.parametrize("name", ["onset_6_months.txt", "linear_6_months.json"])
def test_a_damaged_model_file_is_refused(damaged: Path, name: str) -> None:
    file = damaged / name
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ShortcastError, match=f"{name} is missing or damaged"):
        Bundle.load(damaged)
    file.unlink()
    with pytest.raises(ShortcastError, match=f"{name} is missing or damaged"):
        Bundle.load(damaged)


def test_another_format_is_refused(damaged: Path) -> None:
    content = json.loads((damaged / "bundle.json").read_text())
    (damaged / "bundle.json").write_text(json.dumps({**content, "format": 99}))
    with pytest.raises(ShortcastError, match="format 99"):
        Bundle.load(damaged)


def test_a_torn_description_is_refused(damaged: Path) -> None:
    (damaged / "bundle.json").write_text('{"format"')
    with pytest.raises(ShortcastError, match="not readable as JSON"):
        Bundle.load(damaged)


def test_no_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ShortcastError, match="shortcast promote"):
        Bundle.load(tmp_path / "nothing")


def test_an_unknown_horizon_names_those_there_are(bundle: Bundle, month: pd.DataFrame) -> None:
    with pytest.raises(ShortcastError, match="ask for one of 3, 6"):
        bundle.reasons(month, 24)


@pytest.mark.parametrize(
    "sentence",
    [
        "It is not a cause",
        "not medical advice",
        "never a reason to stockpile",
        "should not be used to issue alerts to the public or to track the life cycle of a recall",
        "status is not updated after publication",
        "SIMULATED: these drugs, makers and figures are made up.",
    ],
)
def test_the_card_says_what_must_be_said(bundle: Bundle, sentence: str) -> None:
    assert sentence in " ".join(model_card(bundle).split())


def test_the_card_shows_the_yardsticks_beside_the_model(bundle: Bundle) -> None:
    lines = model_card(bundle).splitlines()
    for model in ("past_listings", "points", "logistic", "lightgbm", "blend"):
        assert sum(line.startswith(f"| {model} |") for line in lines) == 2
    assert "No backtest of these records" in model_card(replace(bundle, metrics={}))
