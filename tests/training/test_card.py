"""The figures of the model card: each with its interval, where there is one."""

from __future__ import annotations

from dataclasses import replace

from shortcast.training.bundle import Bundle
from shortcast.training.card import model_card


def test_a_figure_stands_with_its_interval(bundle: Bundle) -> None:
    figures = {
        "roc_auc": 0.81,
        "roc_auc_interval": [0.76, 0.86],
        "ap_over_prevalence": 5.1,
        "ap_over_prevalence_interval": [None, None],
        "precision_at_50": None,
        "events_at_50": {"recall": 0.15, "recall_interval": [0.08, 0.24]},
        "calibration_slope": 1.0,
        "observed_over_expected": 0.8,
        "observed_over_expected_interval": [0.68, 0.93],
        "brier_skill": 0.016,
    }
    found = {"rows": 10, "positives": 1, "prevalence": 0.1, "events_at_risk": 1}
    metrics = {
        "from": "2020-08-01",
        "to": "2022-04-01",
        "horizons": {"6": {**found, "models": {"blend": figures}}},
    }
    card = model_card(replace(bundle, metrics=metrics))
    row = "0.810 (0.760 to 0.860) | 5.100 | - | 0.150 (0.080 to 0.240) | 1.000"
    assert f"| blend | {row} | 0.800 (0.680 to 0.930) | 0.016 |" in card
    assert "2020-08-01 to 2022-04-01" in card
    assert "bootstrap by drug" in card


def test_the_card_of_a_model_of_simulated_records_says_so(bundle: Bundle) -> None:
    assert "SIMULATED" not in model_card(replace(bundle, data="real"))
    card = model_card(replace(bundle, data="simulated"))
    assert card.index("**SIMULATED: ") < card.index("For each drug")
    assert "SIMULATED shortage list in the format of the FDA's" in card
    assert "public records" not in card.lower()
    assert "public records" in model_card(replace(bundle, data="real"))
