"""What the log keeps as the reasons of a score: which facts, and in which words."""

from __future__ import annotations

import math
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd

from shortcast import jobs
from shortcast.features import groups
from shortcast.training.bundle import Bundle


def _fact(name: str, value: object, contribution: float) -> dict[str, Any]:
    return {"name": name, "label": name, "value": value, "contribution": contribution}


def _reasons(group: str, contribution: float, facts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the reason that the log keeps for one drug, with one group."""
    found = pd.DataFrame(
        [{"drug_id": "a", "group": group, "contribution": contribution, "features": facts}]
    )
    bundle = cast("Bundle", SimpleNamespace(reasons=lambda panel, horizon: found))
    panel = pd.DataFrame(
        [{**dict.fromkeys(groups.features()), "drug_id": "a", "at_risk": True}]
    ).assign(as_of=date(2022, 5, 1))
    names = pd.DataFrame([{"drug_id": "a", "name": "a", "form_group": "injection"}])
    (reason,) = jobs._details(bundle, panel, names)["reasons"].iloc[0]
    return reason


def test_a_reason_gives_values_with_units_and_names_the_source_of_each() -> None:
    reason = _reasons(
        "prices",
        0.6,
        [
            _fact("partd_log_price_usd", math.log(0.0715), 0.4),
            _fact("log_price_change_12m", math.log(0.7), 0.2),
        ],
    )
    assert reason["direction"] == "raises"
    assert reason["title"] == "Prices and spending"
    assert reason["phrases"] == [
        (
            "what Medicare Part D paid for its ingredients, newest year known: "
            "$0.0715 per piece, mL or g"
        ),
        "change in 12 months of what pharmacies pay for it (NADAC): down 30 %",
    ]
    assert reason["sources"] == [
        "Medicare Part D spending (CMS)",
        "NADAC survey of retail pharmacies (CMS)",
    ]


def test_a_reason_names_only_facts_that_move_the_score_its_way() -> None:
    reason = _reasons(
        "history",
        -0.3,
        [
            _fact("form_group_short_share", 0.1, 0.5),
            _fact("listings_before", 0, -0.4),
            _fact("makers_other_drugs_short_share", 0.0, -0.4),
        ],
    )
    assert reason["direction"] == "lowers"
    assert reason["phrases"] == [
        "shortages of this drug so far, past and present: 0",
        "share of its makers' other drugs in shortage: 0 %",
    ]
    assert reason["sources"] == ["FDA drug shortage list"]


def test_one_fact_that_is_not_known_stands_for_the_others() -> None:
    reason = _reasons(
        "abroad",
        -0.3,
        [
            _fact("canada_reports_6m", None, -0.2),
            _fact("canada_reports_24m", None, -0.1),
            _fact("uk_concession_now", False, -0.05),
        ],
    )
    first, second = reason["phrases"]
    assert first.startswith("shortages of this drug reported in Canada in the last 6 months: not ")
    assert "no Canadian report at all became known in the last 6 months" in first
    assert second.endswith("in England in the newest month known: no")
