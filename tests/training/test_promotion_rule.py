"""The promotion rule on made-up forecasts: what it lets pass, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from shortcast.training import promotion_rule
from shortcast.training.calibration import sigmoid
from shortcast.training.promotion_rule import Verdict, judge

DRUGS, MONTHS = 150, 4
METRICS: dict[str, Any] = {
    "horizons": {
        "6": {"models": {"blend": {"ap": 0.3}, "points": {"ap": 0.2}, "past_listings": {"ap": 0.1}}}
    }
}


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion_rule, "RESAMPLES", 100)


def forecasts(log_odds: np.ndarray, model: str = "blend") -> pd.DataFrame:
    """Forecasts of drugs with these log-odds of an onset; the outcome is always the same."""
    generator = np.random.default_rng(3)
    truth = sigmoid(true_log_odds())
    label = generator.random(DRUGS) < truth
    day = pd.Timestamp("2021-06-11")
    parts = []
    for name, score in ((model, sigmoid(log_odds)), ("prevalence", np.full(DRUGS, label.mean()))):
        for i in range(MONTHS):
            parts.append(
                pd.DataFrame(
                    {
                        "drug_id": [f"d{j:03d}--x" for j in range(DRUGS)],
                        "as_of": pd.Timestamp("2021-01-01") + pd.DateOffset(months=i),
                        "horizon_months": 6,
                        "model": name,
                        "score": score,
                        "label": pd.array(label, dtype="boolean"),
                        "onset_date": pd.Series(day, index=range(DRUGS)).where(label),
                        "previously_listed": np.arange(DRUGS) % 2 == 0,
                        "form_group": np.where(np.arange(DRUGS) % 3 == 0, "injection", "topical"),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def true_log_odds() -> np.ndarray:
    return np.random.default_rng(1).normal(-1.5, 2.0, DRUGS)


def failed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if not check.passed}


def test_the_same_forecasts_pass() -> None:
    own = forecasts(true_log_odds())
    verdict = judge("blend", METRICS, own, forecasts(true_log_odds(), "lightgbm"))
    assert verdict.compared
    assert verdict.passed
    names = [check.name for check in verdict.checks]
    assert names == ["baselines", "champion", "calibration", "ranks", "strata"]
    assert verdict.to_dict()["checks"][1]["figures"]["ap"] == {
        "difference": 0.0,
        "interval": [0.0, 0.0],
    }
    assert "4 as-of dates from 2021-01 to 2021-04: 600 drug-months" in verdict.note


def test_a_challenger_that_knows_less_is_refused_and_told_why() -> None:
    noise = np.random.default_rng(2).normal(-1.5, 2.0, DRUGS)
    verdict = judge("blend", METRICS, forecasts(noise), forecasts(true_log_odds()))
    assert {"champion", "ranks", "strata"} <= failed(verdict)
    assert "against the champion's" in verdict.refusal
    assert "shown to be worse among" in verdict.refusal
    assert judge("blend", METRICS, forecasts(true_log_odds()), forecasts(noise)).checks[1].passed


def test_scores_far_too_high_are_refused_though_they_rank_as_well() -> None:
    high = forecasts(true_log_odds() + 3.0)
    assert failed(judge("blend", METRICS, high, forecasts(true_log_odds()))) == {"calibration"}


def test_a_loss_in_one_kind_of_drug_is_refused() -> None:
    worse = true_log_odds()
    never = np.arange(DRUGS) % 2 == 1
    worse[never] = np.random.default_rng(5).permutation(worse[never])
    verdict = judge("blend", METRICS, forecasts(worse), forecasts(true_log_odds()))
    strata = next(check for check in verdict.checks if check.name == "strata")
    assert not strata.passed
    assert strata.figures["never listed"]["difference"] < 0
    assert strata.figures["listed before"]["difference"] == 0


def test_what_cannot_be_compared_is_judged_against_the_baselines_and_says_so() -> None:
    own = forecasts(true_log_odds())
    earlier = own.assign(as_of=own["as_of"] - pd.DateOffset(years=3))
    verdict = judge("blend", METRICS, own, earlier)
    assert verdict.passed
    assert not verdict.compared
    assert "0 onsets in common" in verdict.note
    assert judge("blend", METRICS, why_not="There is no champion yet.").note.startswith("There is")


def test_outcomes_of_the_challengers_records_count_for_both() -> None:
    own = forecasts(true_log_odds())
    # The champion's backtest knew of no onset yet.
    blind = forecasts(true_log_odds())
    blind["label"] = pd.array([None] * len(blind), dtype="boolean")
    assert judge("blend", METRICS, own, blind).compared
