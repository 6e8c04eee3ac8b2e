"""Shortage history against plain loops, and examples a pharmacist would check."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

Row = dict[str, Any]
LONG_AGO = date(1900, 1, 1)


@pytest.mark.parametrize("seed", range(3))
def test_every_feature_agrees_with_plain_loops(
    seed: int,
    random_world: Callable[[int], Any],
    assert_agrees: Callable[..., None],
    months_before: Callable[[date, int], date],
) -> None:
    def reference(world: Any, t: date) -> dict[str, Row]:
        return _reference(world, t, months_before)

    assert_agrees(random_world(seed), "history", reference)


def _reference(world: Any, t: date, months_before: Callable[[date, int], date]) -> dict[str, Row]:
    short = {r["drug_id"]: r["is_current"] for r in world.shared("panel_drugs") if r["as_of"] == t}
    drugs = {r["drug_id"]: r for r in world.shared("drugs")}
    own: dict[str, Row] = {}
    for drug in short:
        spans = sorted(
            (
                r["posted_on"] or LONG_AGO,
                t if r["is_current"] else max(r["ended_on"], r["posted_on"] or LONG_AGO),
            )
            for r in world.shared("known_listings")
            if r["as_of"] == t and r["drug_id"] == drug
        )
        onsets, reach, days = [], None, set()
        for start, end in spans:
            if reach is None or start >= months_before(reach, -6):
                onsets.append(start)
            reach = end if reach is None else max(reach, end)
            day = max(start, months_before(t, 60))
            while day < end:
                days.add(day)
                day += timedelta(days=1)
        last = onsets[-1] if onsets and onsets[-1] > LONG_AGO else None
        own[drug] = {
            "spells": len(onsets),
            "onset": last,
            "end": reach,
            "days": len(days),
            "recent": last is not None and last >= months_before(t, 12),
        }
    classes: dict[str, set[str]] = {drug: set() for drug in short}
    for row in world.known("drug_ndcs", t):
        if not row["withdrawn"] and row["drug_id"] in classes:
            # each entry ends with its kind in brackets
            found = re.findall(r"(.+?) \[(\w+)\](?:,|$)", row["pharm_classes"] or "")
            classes[row["drug_id"]] |= {name for name, kind in found if kind == "EPC"}
    makers: dict[str, set[str]] = {drug: set() for drug in short}
    for row in world.shared("market_makers"):
        if row["as_of"] == t:
            makers[row["drug_id"]].add(row["firm_id"])

    def neighbours(groups: dict[str, set[str]], drug: str) -> tuple[list[str], bool]:
        """Other drugs, once for each group in common, and whether the drug is in any group."""
        others = [o for g in groups[drug] for o in short if o != drug and g in groups[o]]
        return others, bool(groups[drug])

    def share(others: list[str]) -> float | None:
        return sum(short[o] for o in others) / len(others) if others else None

    result = {}
    for drug in short:
        mine = drugs[drug]
        forms = [
            o for o in short if o != drug and drugs[o]["ingredient_key"] == mine["ingredient_key"]
        ]
        related = [
            o
            for o in short
            if drugs[o]["ingredient_key"] != mine["ingredient_key"]
            and set(drugs[o]["ingredients"]) & set(mine["ingredients"])
        ]
        alike = [o for o in short if o != drug and drugs[o]["form_group"] == mine["form_group"]]
        in_class, has_class = neighbours(classes, drug)
        by_maker, has_maker = neighbours(makers, drug)
        end, onset = own[drug]["end"], own[drug]["onset"]
        result[drug] = {
            "listings_before": own[drug]["spells"],
            "ever_listed": own[drug]["spells"] > 0,
            "months_since_shortage_end": (t - end).days / 30.4375 if end else None,
            "months_since_shortage_onset": (t - onset).days / 30.4375 if onset else None,
            "months_listed_5y": own[drug]["days"] / 30.4375,
            "ingredient_forms_short": sum(short[o] for o in forms),
            "ingredient_listings_before": sum(own[o]["spells"] for o in forms),
            "shared_ingredient_drugs_short": sum(short[o] for o in related),
            "class_short_share": share(in_class),
            "class_onsets_12m": (sum(own[o]["recent"] for o in in_class) if has_class else None),
            "form_group_short_share": share(alike),
            "makers_other_drugs_short_share": share(by_maker),
            "makers_other_drugs_onsets_12m": (
                sum(own[o]["recent"] for o in by_maker) if has_maker else None
            ),
        }
    return result


def _posting(drug: str, posted: date, company: str = "Arden Inc.") -> Row:
    return {
        "drug_id": drug,
        "firm_id": "arden",
        "generic_name": drug,
        "company_name": company,
        "presentation": "vial",
        "posted_as": "Current",
        "event_date": posted,
        "known_from": posted,
        "withdrawn": False,
        "source": "made-up",
        "source_file": "list.csv",
        "source_row": 1,
        "occurrence": 1,
    }


def _resolved(drug: str, posted: date, on: date, company: str = "Arden Inc.") -> Row:
    state = _posting(drug, posted, company) | {
        "status": "Resolved",
        "initial_posting_date": posted,
        "change_date": on,
        "event_date": on,
        "known_from": on,
    }
    del state["posted_as"]
    return state


def test_a_new_spell_needs_six_quiet_months(make_world: Callable[..., Any]) -> None:
    drug = "dastol--injection"
    world = make_world(
        {
            "drug_postings": [
                _posting(drug, date(2016, 1, 10)),
                _posting(drug, date(2016, 10, 1), "Brook Inc."),  # 5 months later
                _posting(drug, date(2018, 1, 1), "Cedar Inc."),  # 13 months later
            ],
            "drug_listing_states": [
                _resolved(drug, date(2016, 1, 10), date(2016, 5, 1)),
                _resolved(drug, date(2016, 10, 1), date(2016, 12, 1), "Brook Inc."),
            ],
        }
    )
    dates = [date(2016, 11, 1), date(2018, 1, 1), date(2018, 2, 1)]
    rows = world.panel("history", dates)
    assert [rows[t, drug]["listings_before"] for t in dates] == [1, 1, 2]
    assert [rows[t, drug]["at_risk"] for t in dates] == [False, True, False]
    # 112 days to May and 61 from October
    after = rows[date(2018, 1, 1), drug]
    assert after["months_listed_5y"] == pytest.approx(173 / 30.4375, abs=0.01)
    assert after["months_since_shortage_end"] == pytest.approx(396 / 30.4375, abs=0.01)


def test_days_on_the_list_count_once_for_all_presentations(
    make_world: Callable[..., Any],
) -> None:
    drug, t = "dastol--injection", date(2018, 1, 1)
    world = make_world(
        {
            "drug_postings": [
                _posting(drug, date(2017, 1, 1)),
                _posting(drug, date(2017, 6, 1), "Brook Inc."),
            ]
        }
    )
    row = world.panel("history", [t])[t, drug]
    assert row["months_listed_5y"] == pytest.approx(12, abs=0.02)
    assert row["listings_before"] == 1


def test_a_resolution_counts_from_the_day_the_list_gives(make_world: Callable[..., Any]) -> None:
    drug = "dastol--injection"
    posted, over, gone = date(2017, 1, 1), date(2018, 1, 1), date(2018, 12, 1)
    resolved = _resolved(drug, posted, over) | {"known_until": gone}
    left = resolved | {"known_from": gone, "known_until": None, "withdrawn": True}
    world = make_world(
        {"drug_postings": [_posting(drug, posted)], "drug_listing_states": [resolved, left]}
    )
    row = world.panel("history", [date(2019, 1, 1)])[date(2019, 1, 1), drug]
    assert row["months_since_shortage_end"] == pytest.approx(12, abs=0.02)


def test_a_drug_never_listed_has_no_months_since(make_world: Callable[..., Any]) -> None:
    world = make_world(
        {
            "drug_postings": [_posting("abelum--injection", date(2018, 1, 1))],
            "drug_ndcs": [
                {
                    "drug_id": "abelum--oral-solid",
                    "known_from": date(2010, 1, 1),
                    "withdrawn": False,
                }
            ],
        }
    )
    t = date(2018, 6, 1)
    row = world.panel("history", [t])[t, "abelum--oral-solid"]
    assert row["listings_before"] == 0
    assert row["months_since_shortage_end"] is None
    assert row["makers_other_drugs_short_share"] is None
    # its injection is short
    assert row["ingredient_forms_short"] == 1
    assert row["at_risk"]


def test_evidence_names_the_listing_of_each_form(make_world: Callable[..., Any]) -> None:
    drug = "abelum--injection"
    posted, over = date(2018, 1, 1), date(2018, 9, 1)
    world = make_world(
        {
            "drug_postings": [_posting(drug, posted)],
            "drug_listing_states": [_resolved(drug, posted, over)],
        }
    )
    told = {(r["drug_id"], r["summary"]) for r in world.evidence("history", date(2018, 6, 1))}
    listed = f"{drug} (Arden Inc.) put on the shortage list: vial"
    assert told == {(drug, listed), ("abelum--oral-solid", listed)}
    later = {r["summary"] for r in world.evidence("history", date(2019, 1, 1))}
    assert later == {listed, f"{drug} (Arden Inc.) shortage resolved: vial"}
