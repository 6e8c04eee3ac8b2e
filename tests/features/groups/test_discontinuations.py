"""Discontinuation notices against plain loops, and examples."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from shortcast.features.groups import discontinuations

Row = dict[str, Any]


@pytest.mark.parametrize("seed", range(3))
def test_every_feature_agrees_with_plain_loops(
    seed: int,
    random_world: Callable[[int], Any],
    assert_agrees: Callable[..., None],
    months_before: Callable[[date, int], date],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # the made-up market has eight drugs
    monkeypatch.setattr(discontinuations, "MIN_DRUGS", 5)

    def reference(world: Any, t: date) -> dict[str, Row]:
        since = months_before(t, 24)
        drugs = {r["drug_id"]: r for r in world.shared("drugs")}
        panel = [r["drug_id"] for r in world.shared("panel_drugs") if r["as_of"] == t]
        listed = [r for r in world.known("drug_discontinuations", t) if r["known_from"] >= since]
        paged = [
            r
            for r in world.known("drug_html_spells", t)
            if r["status"] == "To Be Discontinued" and r["first_seen"] >= since
        ]
        own = {}
        for drug in drugs:
            companies = {r["company_name"] for r in listed if r["drug_id"] == drug}
            names = {r["generic_name"] for r in paged if r["drug_id"] == drug}
            own[drug] = max(len(companies), len(names))
        enough = sum(n > 0 for n in own.values()) >= 5
        enough_listed = len({r["drug_id"] for r in listed}) >= 5
        makers = {
            (r["drug_id"], r["firm_id"]) for r in world.shared("market_makers") if r["as_of"] == t
        }
        result = {}
        for drug in panel:
            mine = drugs[drug]["ingredient_key"]
            forms = [o for o in drugs if o != drug and drugs[o]["ingredient_key"] == mine]
            presentations = {r["presentation"] for r in listed if r["drug_id"] == drug}
            by_makers = {
                (r["firm_id"], r["drug_id"])
                for r in listed
                if r["drug_id"] != drug and (drug, r["firm_id"]) in makers
            }
            listed_too = enough and enough_listed
            result[drug] = {
                "discontinuations_24m": own[drug] if enough else None,
                "discontinued_presentations_24m": len(presentations) if listed_too else None,
                "ingredient_discontinuations_24m": (sum(own[o] for o in forms) if enough else None),
                "makers_discontinuations_24m": len(by_makers) if listed_too else None,
            }
        return result

    assert_agrees(random_world(seed), "discontinuations", reference)


def _notice(drug: str, day: date, company: str = "Arden Inc.", presentation: str = "vial") -> Row:
    return {
        "drug_id": drug,
        "firm_id": company.split()[0].lower(),
        "generic_name": drug,
        "company_name": company,
        "presentation": presentation,
        "event_date": day,
        "known_from": day,
        "source": "made-up",
        "source_file": "list.csv",
        "source_row": 1,
    }


LISTED = {"drug_id": "dastol--injection", "known_from": date(2010, 1, 1), "withdrawn": False}


def test_notices_count_companies_for_two_years(
    make_world: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discontinuations, "MIN_DRUGS", 1)
    drug = "dastol--injection"
    world = make_world(
        {
            "drug_discontinuations": [
                _notice(drug, date(2017, 1, 15)),
                _notice(drug, date(2017, 1, 15), presentation="bag"),
                _notice(drug, date(2018, 6, 1), "Brook Inc."),
            ],
            "drug_ndcs": [LISTED],
        }
    )
    dates = [date(2017, 2, 1), date(2018, 7, 1), date(2019, 2, 1)]
    rows = world.panel("discontinuations", dates)
    assert [rows[t, drug]["discontinuations_24m"] for t in dates] == [1, 2, 1]
    assert rows[dates[0], drug]["discontinued_presentations_24m"] == 2
    told = [r["summary"] for r in world.evidence("discontinuations", dates[0])]
    assert set(told) == {
        f"dastol--injection (Arden Inc.) to be discontinued: {what}" for what in ("vial", "bag")
    }


def test_a_notice_is_missing_not_zero_before_the_records_hold_any(
    make_world: Callable[..., Any],
) -> None:
    drug, t = "dastol--injection", date(2018, 1, 1)
    world = make_world(
        {"drug_discontinuations": [_notice(drug, date(2017, 1, 15))], "drug_ndcs": [LISTED]}
    )
    row = world.panel("discontinuations", [t])[t, drug]
    assert row["discontinuations_24m"] is None


def test_a_notice_is_no_shortage(make_world: Callable[..., Any]) -> None:
    drug, t = "dastol--injection", date(2018, 1, 1)
    world = make_world(
        {"drug_discontinuations": [_notice(drug, date(2017, 12, 1))], "drug_ndcs": [LISTED]}
    )
    row = world.panel("history", [t])[t, drug]
    assert row["at_risk"]
    assert row["listings_before"] == 0
