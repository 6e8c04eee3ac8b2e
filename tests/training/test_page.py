"""The page of the evaluation: what it says follows from ``metrics.json``, warnings included."""

from __future__ import annotations

from typing import Any

import pytest

from shortcast.training.leaky import WARNING
from shortcast.training.page import evaluation_page

FIGURES: dict[str, Any] = {
    "roc_auc": 0.8237,
    "roc_auc_interval": [0.7914, 0.8664],
    "ap_over_prevalence": 6.66,
    "precision_at_25": 0.07,
    "precision_at_25_interval": [0.02, 0.11],
    "recall_at_25": 0.103,
    "precision_at_50": 0.0467,
    "recall_at_50": 0.137,
    "precision_at_100": 0.031,
    "recall_at_100": 0.183,
    "observed_over_expected": 0.8,
    "observed_over_expected_interval": [0.68, 0.93],
    "brier_skill": 0.016,
    "calibration_slope": 1.09,
    "events_at_50": {
        "events": 72,
        "caught": 11,
        "recall": 0.153,
        "lead_days_median": 167.0,
        "lead_days_quartiles": [118.5, 174.75],
    },
    "events_at_100": {
        "events": 72,
        "caught": 0,
        "recall": 0.0,
        "lead_days_median": None,
        "lead_days_quartiles": [None, None],
    },
}
TIMING: dict[str, Any] = {
    "frozen": {
        "live_minus_frozen": {
            "ap": {"difference": 0.0004, "interval": [-0.002, 0.003]},
            "roc_auc": {"difference": 0.012, "interval": [0.001, 0.02]},
        }
    },
    "timing": {
        "auc_of_changes_drugs": 61,
        "auc_of_changes": 0.58,
        "auc_of_changes_interval": [0.52, 0.63],
        "auc": 0.61,
    },
}
METRICS: dict[str, Any] = {
    "champion": "blend",
    "data": "real",
    "protocol": {
        "from": "2020-07-01",
        "to": "2022-03-01",
        "records_end": "2022-10-03",
        "retrain_every_months": 3,
    },
    "horizons": {
        "6": {
            "rows": 55539,
            "positives": 356,
            "prevalence": 0.00641,
            "events_at_risk": 72,
            "models": {
                "blend": {
                    **FIGURES,
                    **TIMING,
                    "versus": {
                        "traits": {
                            "ap": {"difference": -0.0024, "interval": [-0.0283, 0.0146]},
                            "roc_auc": {"difference": 0.021, "interval": [0.006, 0.04]},
                            "precision_at_50": {"difference": 0.013, "interval": [None, None]},
                        }
                    },
                    "strata": {
                        "injection": {
                            "yes": {"rows": 15984, "positives": 249, **FIGURES},
                            "no": {"rows": 39555, "positives": 107, **FIGURES},
                        },
                        "single_source": {
                            "yes": {"rows": 55539, "positives": 372, **FIGURES},
                            "no": {"rows": 0, "positives": 0},
                        },
                    },
                },
                "traits": {**FIGURES, **TIMING, "roc_auc": 0.833},
            },
        }
    },
}
LEAKY = {
    "warning": WARNING,
    "horizon_months": 6,
    "rows": 55539,
    "prevalence": 0.0064,
    "models": {
        "careless_lightgbm": {
            "roc_auc": 0.995,
            "ap_over_prevalence": 120.0,
            "precision_at_50": 0.33,
        }
    },
}


def test_every_model_stands_with_its_figures_and_the_window() -> None:
    page = evaluation_page(METRICS)
    assert "2020-07-01 to 2022-03-01" in page
    figures = (
        "0.824 (0.791 to 0.866) | 6.660 | 0.047 | 0.153 | 1.090 | 0.800 (0.680 to 0.930) | 0.016"
    )
    assert f"| blend | {figures} |" in page
    assert "| traits | 0.833 " in page


def test_every_model_stands_with_what_its_lists_held_and_how_early() -> None:
    page = evaluation_page(METRICS)
    lists = page[page.index("## What stood on the monthly lists") : page.index("## blend against")]
    for model in ("blend", "traits"):
        by_month = "0.070 (0.020 to 0.110) | 0.103 | 0.047 | 0.137 | 0.031 | 0.183"
        assert f"| {model} | {by_month} |" in lists
        by_onset = "11 of 72 | 0.153 | 167 days (118 to 175) | 0 of 72 | 0.000 | -"
        assert f"| {model} | {by_onset} |" in lists


def test_a_difference_has_its_sign_and_interval() -> None:
    row = "| 6 months | traits | -0.002 (-0.028 to 0.015) | +0.021 (0.006 to 0.040) | +0.013 |"
    assert row in evaluation_page(METRICS)


def test_the_strata_are_told_apart() -> None:
    page = evaluation_page(METRICS)
    assert "| injection: yes | 15984 | 249 |" in page
    assert "| injection: no | 39555 | 107 |" in page


def test_a_stratum_without_an_onset_has_no_figures() -> None:
    page = evaluation_page(METRICS)
    assert "| single source: yes |" in page
    assert "| single source: no |" not in page


def test_what_following_the_records_was_worth_stands_for_every_model() -> None:
    page = evaluation_page(METRICS)
    figures = (
        "+0.000 (-0.002 to 0.003) | +0.012 (0.001 to 0.020) | 61 | 0.580 (0.520 to 0.630) | 0.610"
    )
    assert f"| 6 months | blend | {figures} |" in page
    assert f"| 6 months | traits | {figures} |" in page


def test_a_leaky_figure_never_stands_without_the_warning_and_the_honest_one() -> None:
    page = evaluation_page({**METRICS, "leaky_random_split": LEAKY})
    leaky = page[page.index("## What a leaky protocol") :]
    assert WARNING in leaky
    assert "| blend, walk forward | 0.824 | 6.660 | 0.047 |" in leaky
    assert "| careless_lightgbm, random split | 0.995 | 120.000 | 0.330 |" in leaky
    assert "120.000" not in page[: page.index("## What a leaky protocol")]


def test_without_a_leaky_run_the_page_says_so() -> None:
    assert "Not worked out in this run" in evaluation_page(METRICS)


@pytest.mark.parametrize(("data", "says"), [("real", False), ("simulated", True)])
def test_simulated_data_say_so(data: str, says: bool) -> None:
    assert ("SIMULATED" in evaluation_page({**METRICS, "data": data})) is says


def test_other_outcomes_stand_apart_from_shortages() -> None:
    counts = {"rows": 100, "positives": 9}
    models = {"logistic": {"roc_auc": 0.7, "ap_over_prevalence": 2.5, "brier_skill": None}}
    others = {
        "discontinuation": {"what": "a notice", "horizons": {"6": {**counts, "models": models}}},
        "resolution": {"what": "the end", "horizons": {"6": counts}},
    }
    page = evaluation_page({**METRICS, "other_outcomes": others})
    row = "| discontinuation | 6 months | logistic | 100 | 9 | 0.700 | 2.500 | - |"
    assert row in page[page.index("## Notices and ends") :]
    assert "resolution |" not in page
    assert "Notices and ends" not in evaluation_page(METRICS)
