"""Notices and ends of shortages: labelled, foreseen by baselines, and never by the future."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shortcast.training.matrix import categories_of, encode
from shortcast.training.other_outcomes import other_outcomes
from shortcast.training.outcomes import as_days
from shortcast.training.splits import walk_forward


@pytest.fixture(scope="module")
def notices(market: Any) -> pd.DataFrame:
    """Notices that mostly concern injections; each is known a month after its day."""
    generator = np.random.default_rng(5)
    rows = market.panel[["drug_id", "as_of", "form_group"]]
    chance = np.where(rows["form_group"] == "injection", 0.02, 0.001)
    told = rows[generator.random(len(rows)) < chance]
    day = as_days(told["as_of"]) + pd.Timedelta(days=3)
    return pd.DataFrame(
        {
            "drug_id": told["drug_id"],
            "event_date": day,
            "known_from": day + pd.Timedelta(days=30),
        }
    )


def run(
    market: Any,
    notices: pd.DataFrame,
    start: date = date(2019, 10, 1),
    end: date = date(2020, 3, 1),
    every: int = 6,
) -> dict[str, Any]:
    catalogue = [f for group in market.groups.values() for f in group.features]
    categories = categories_of(market.panel, catalogue)
    months = [day.date() for day in as_days(market.panel["as_of"]).drop_duplicates()]
    folds = {6: walk_forward(months, start, end, 6, retrain_every=every)}
    return other_outcomes(
        encode(market.panel, [f.name for f in catalogue], categories),
        market.panel,
        {"discontinuation": notices, "resolution": market.spells},
        folds,
        market.records_end,
        categories,
    )


def test_what_the_features_tell_is_found(market: Any, notices: pd.DataFrame) -> None:
    figures = run(market, notices)["discontinuation"]["horizons"]["6"]
    assert figures["models"]["logistic"]["roc_auc"] > 0.7
    assert figures["models"]["logistic"]["brier_skill"] > 0.0
    assert figures["models"]["prevalence"]["brier_skill"] == 0.0


def test_ends_are_asked_of_drugs_in_shortage_alone(market: Any, notices: pd.DataFrame) -> None:
    found = run(market, notices)["resolution"]
    tested = market.panel[
        as_days(market.panel["as_of"]).between(
            pd.Timestamp("2019-10-01"), pd.Timestamp("2020-03-01")
        )
    ]
    short = int((~tested["at_risk"]).sum())
    assert 0 < found["horizons"]["6"]["rows"] <= short < len(tested)


def test_notices_known_later_do_not_reach_the_forecasts(market: Any, notices: pd.DataFrame) -> None:
    """Only the outcomes change when what was known later is left out, not the scores."""
    past = (as_days(notices["known_from"]) < pd.Timestamp("2019-10-01")).to_numpy()
    honest = run(market, notices)["discontinuation"]["horizons"]["6"]
    blind = run(
        market,
        notices.assign(known_from=notices["known_from"].where(past, pd.Timestamp("2021-06-01"))),
    )["discontinuation"]["horizons"]["6"]
    assert blind == honest


def test_without_any_event_there_are_counts_and_no_figures(market: Any) -> None:
    none = pd.DataFrame({"drug_id": [], "event_date": pd.to_datetime([]), "known_from": []})
    found = run(market, none)["discontinuation"]["horizons"]["6"]
    assert found["positives"] == 0
    assert "models" not in found


def test_months_that_have_not_matured_are_left_out(market: Any, notices: pd.DataFrame) -> None:
    """The records end with 2020: of the months from 2020-05 on, those after 2020-07 wait."""
    found = run(market, notices, date(2020, 5, 1), date(2020, 12, 1), every=3)
    figures = found["discontinuation"]["horizons"]["6"]
    assert figures["rows"] == 3 * market.panel["drug_id"].nunique()
    waiting = run(market, notices, date(2020, 10, 1), date(2020, 12, 1))
    assert waiting["discontinuation"]["horizons"]["6"] == {"rows": 0, "positives": 0}
