"""Events, lead times and comparisons, counted by hand on a few rows."""

from __future__ import annotations

import pandas as pd
import pytest

from shortcast.training import evaluation
from shortcast.training.evaluation import evaluate

MONTHS = pd.to_datetime(["2020-01-01", "2020-02-01", "2020-03-01"])
ONSET = pd.Timestamp("2020-03-11")


@pytest.fixture
def forecasts() -> pd.DataFrame:
    """Four drugs, three months: only drug b has an onset, on 2020-03-11."""
    scores = {
        "lightgbm": {"a": 0.5, "b": 0.4, "c": 0.3, "d": 0.1},
        "points": {"a": 0.2, "b": 0.2, "c": 0.2, "d": 0.1},
        "prevalence": dict.fromkeys("abcd", 0.25),
    }
    rows = [
        (drug, month, 6, model, score, drug == "b", ONSET if drug == "b" else pd.NaT)
        for model, by_drug in scores.items()
        for month in MONTHS
        for drug, score in by_drug.items()
    ]
    names = ["drug_id", "as_of", "horizon_months", "model", "score", "label", "onset_date"]
    return pd.DataFrame(rows, columns=names)


EVENTS = pd.DataFrame(
    {
        "drug_id": ["b", "x", "y"],  # x is no drug of the panel, y comes too late
        "onset_date": pd.to_datetime(["2020-03-11", "2020-05-01", "2020-09-01"]),
    }
)


def test_events_are_caught_if_listed_in_any_month_before(
    forecasts: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "EVENT_SIZES", (1, 2))
    first = (forecasts["as_of"] == MONTHS[1]) & (forecasts["model"] == "lightgbm")
    forecasts.loc[first & (forecasts["drug_id"] == "b"), "score"] = 0.9
    found = evaluate(forecasts, EVENTS, {}, resamples=3)
    assert (found["events"], found["events_at_risk"]) == (2, 1)
    at_one = found["models"]["lightgbm"]["events_at_1"]
    assert (at_one["caught"], at_one["recall"]) == (1, 1.0)
    assert at_one["lead_days_median"] == (ONSET - MONTHS[1]).days
    at_two = found["models"]["lightgbm"]["events_at_2"]
    assert at_two["lead_days_median"] == (ONSET - MONTHS[0]).days


def test_an_event_that_is_only_tied_for_the_list_is_not_caught(
    forecasts: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "EVENT_SIZES", (2, 3))
    points = evaluate(forecasts, EVENTS, {}, resamples=3)["models"]["points"]
    assert points["events_at_2"]["caught"] == 0
    assert points["events_at_2"]["lead_days_median"] is None
    assert points["events_at_3"]["caught"] == 1


def test_one_score_for_all_has_no_slope(forecasts: pd.DataFrame) -> None:
    forecasts.loc[
        (forecasts["model"] == "prevalence") & (forecasts["as_of"] == MONTHS[2]), "score"
    ] = 0.3
    models = evaluate(forecasts, EVENTS, {}, resamples=3)["models"]
    assert models["prevalence"]["calibration_slope"] is None
    assert models["lightgbm"]["calibration_slope"] is not None


def test_models_are_compared_on_the_same_resamples(forecasts: pd.DataFrame) -> None:
    copy = forecasts[forecasts["model"] == "points"].assign(model="copy")
    models = evaluate(pd.concat([forecasts, copy]), EVENTS, {}, resamples=20)["models"]
    versus = models["copy"]["versus"]["points"]
    assert versus["ap"] == {"difference": 0.0, "interval": [0.0, 0.0]}
    better = models["lightgbm"]["versus"]["points"]["ap"]
    assert better["difference"] == pytest.approx(
        models["lightgbm"]["ap"] - models["points"]["ap"], abs=1e-6
    )


def test_a_model_that_left_rows_out_is_found(forecasts: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="points scores 11 rows"):
        evaluate(forecasts.drop(index=forecasts.query("model == 'points'").index[0]), EVENTS, {})
