"""Drift: a shifted column is found, an unchanged one is not, whatever its type."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from shortcast.errors import ShortcastError
from shortcast.monitoring.drift import Drift, compare, findings, reference

DRUGS = 400


def panel(seed: int, months: int, drugs: int = DRUGS) -> pd.DataFrame:
    """A panel of independent draws with a column of each type."""
    draw = np.random.default_rng(seed)
    rows = drugs * months
    price = draw.lognormal(size=rows)
    price[draw.random(rows) < 0.3] = np.nan
    return pd.DataFrame(
        {
            "drug_id": np.tile([f"drug-{i}--injection" for i in range(drugs)], months),
            "as_of": np.repeat(pd.date_range("2018-01-01", periods=months, freq="MS"), drugs),
            "at_risk": True,
            "price_usd": price,
            "makers": pd.array(draw.poisson(3, rows), dtype="Int64"),
            "recalls": draw.poisson(0.1, rows).astype(float),
            "single_source": pd.array(draw.random(rows) < 0.2, dtype="boolean"),
            "form_group": pd.Categorical(draw.choice(["injection", "oral-solid"], rows)),
            "schedule": pd.Series(np.array(["CII", "CIV", None])[draw.integers(0, 3, rows)]),
            "not_yet_published": np.nan,
        }
    )


@pytest.fixture(scope="module")
def training() -> dict[str, object]:
    """The training window, as it comes back from a file."""
    return json.loads(json.dumps(reference(panel(0, 24)), allow_nan=False))


def subjects(drifts: list[Drift]) -> list[str]:
    return [finding.subject for finding in findings(drifts)]


def test_unchanged_columns_are_not_reported(training: dict[str, object]) -> None:
    for seed in range(1, 6):
        drifts = compare(training, panel(seed, 1))
        assert len(drifts) == 7
        assert subjects(drifts) == []


def test_in_a_tiny_market_chance_alone_is_not_reported() -> None:
    small = reference(panel(0, 24, drugs=60))
    for seed in range(1, 6):
        drifts = compare(small, panel(seed, 1, drugs=60))
        # The rule of thumb alone would have reported some of these.
        assert max(d.psi or 0 for d in drifts) > 0.1
        assert subjects(drifts) == []


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("price_usd", lambda now: now["price_usd"] * 3),
        ("makers", lambda now: now["makers"] + 2),
        ("recalls", lambda now: now["recalls"] + (np.arange(len(now)) % 3 == 0)),
        ("single_source", lambda now: ~now["single_source"]),
        ("form_group", lambda now: now["form_group"].where(now.index > 300, "injection")),
        ("schedule", lambda now: now["schedule"].replace("CII", "CIII")),
        ("not_yet_published", 1.0),
    ],
)
def test_the_one_shifted_feature_is_reported(
    training: dict[str, object],
    column: str,
    change: float | Callable[[pd.DataFrame], pd.Series],
) -> None:
    now = panel(1, 1)
    shifted = now.assign(**{column: change})
    (finding,) = findings(compare(training, shifted))
    assert (finding.kind, finding.subject) == ("feature", column)
    assert column in finding.message


def test_the_report_says_what_moved(training: dict[str, object]) -> None:
    now = panel(1, 1).assign(form_group="topical")
    drift = compare(training, now)[0]
    assert (drift.column, drift.moved) == ("form_group", "(other): 0% then, 100% now")
    (finding,) = findings([drift])
    assert finding.severity == "alarm"


def test_a_feature_that_lost_its_values_is_reported_as_missing(
    training: dict[str, object],
) -> None:
    now = panel(1, 1)
    half = now.assign(makers=now["makers"].mask(now.index % 2 == 0))
    (finding,) = findings(compare(training, half))
    assert finding.severity == "alarm"
    assert finding.value == pytest.approx(0.5)
    assert "missing for 50% of drugs; in the last year" in finding.message


def test_a_feature_that_is_absent_comes_first(training: dict[str, object]) -> None:
    now = panel(1, 1).drop(columns="recalls").assign(makers=9)
    drifts = compare(training, now)
    assert subjects(drifts) == ["recalls", "makers"]
    assert drifts[0].psi is None


def test_text_where_numbers_were_counts_as_missing(training: dict[str, object]) -> None:
    now = panel(1, 1).assign(price_usd="n/a")
    (finding,) = findings(compare(training, now))
    assert "price_usd is missing for 100% of drugs" in finding.message


def test_a_feature_of_the_whole_market_is_held_against_what_its_months_showed() -> None:
    window = panel(0, 24)
    month = window["as_of"].dt.month
    window["short_share"] = month / 100
    then = reference(window)
    usual = panel(1, 1).assign(short_share=0.07)
    beyond = panel(1, 1).assign(short_share=0.2)
    (drift,) = [d for d in compare(then, usual) if d.column == "short_share"]
    # One month holds one value, so its index is large by nature.
    assert (drift.psi or 0) > 1
    assert subjects(compare(then, usual)) == []
    assert subjects(compare(then, beyond)) == ["short_share"]


def test_missing_values_are_held_against_the_last_year_of_the_window() -> None:
    window = panel(0, 36)
    began = window["as_of"] >= "2020-01-01"
    then = reference(window.assign(makers=window["makers"].where(began)))
    assert subjects(compare(then, panel(1, 1))) == []
    (finding,) = findings(compare(then, panel(1, 1).assign(makers=np.nan)))
    assert finding.message == (
        "Feature makers is missing for 100% of drugs; in the last year of the training window "
        "it was 0%."
    )


def test_the_index_is_that_of_the_formula() -> None:
    then = pd.DataFrame({"drug_id": range(1000), "as_of": pd.Timestamp("2020-01-01")})
    then["flag"] = [True] * 500 + [False] * 500
    now = then.assign(flag=[True] * 800 + [False] * 200)
    (drift,) = compare(reference(then), now)
    by_hand = (0.8 - 0.5) * math.log(0.8 / 0.5) + (0.2 - 0.5) * math.log(0.2 / 0.5)
    # Half a drug is added to each bin so that empty ones stay finite.
    assert drift.psi == pytest.approx(by_hand, abs=0.005)


def test_scores_that_moved_are_reported_by_horizon() -> None:
    draw = np.random.default_rng(0)
    window = panel(0, 12)

    def scores(rows: pd.DataFrame, factor: float) -> pd.DataFrame:
        keys = rows[["drug_id", "as_of"]]
        return pd.concat(
            [
                keys.assign(horizon_months=h, score=draw.beta(1, 30, len(keys)) * by)
                for h, by in ((3, 1.0), (6, factor))
            ]
        )

    then = reference(window, scores(window, 1.0))
    now = panel(1, 1)
    drifts = compare(then, now, scores(now, 3.0).drop(columns="as_of"))
    (finding,) = findings(drifts)
    assert (finding.kind, finding.subject) == ("score", "score_6")


def test_a_reference_of_another_layout_is_refused(training: dict[str, object]) -> None:
    with pytest.raises(ShortcastError, match="train and promote again"):
        compare({**training, "format": 0}, panel(1, 1))


def test_nothing_to_compare_is_refused(training: dict[str, object]) -> None:
    with pytest.raises(ShortcastError, match="no current row"):
        compare(training, panel(1, 1).iloc[:0])
    with pytest.raises(ShortcastError, match="training window has no row"):
        reference(panel(1, 1).iloc[:0])
