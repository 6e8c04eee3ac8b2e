"""Traits against plain loops, and examples."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

Row = dict[str, Any]
SCHEDULES = {"CI": 1, "CII": 2, "CIII": 3, "CIV": 4, "CV": 5}


@pytest.mark.parametrize("seed", range(3))
def test_every_feature_agrees_with_plain_loops(
    seed: int, random_world: Callable[[int], Any], assert_agrees: Callable[..., None]
) -> None:
    assert_agrees(random_world(seed), "traits", _reference)


def _reference(world: Any, t: date) -> dict[str, Row]:
    drugs = {r["drug_id"]: r for r in world.shared("drugs")}
    panel = [r["drug_id"] for r in world.shared("panel_drugs") if r["as_of"] == t]
    listings = [r for r in world.known("drug_ndcs", t) if not r["withdrawn"]]
    classes: dict[str, set[str]] = {}
    for row in listings:
        found = re.findall(r"(.+?) \[(\w+)\](?:,|$)", row["pharm_classes"] or "")
        for name, kind in found:
            if kind == "EPC":
                classes.setdefault(name, set()).add(row["drug_id"])
    result = {}
    for drug in panel:
        mine = [r for r in listings if r["drug_id"] == drug]
        categories = [r["marketing_category"] for r in mine]
        routes = {p.strip() for r in mine if r["route"] for p in r["route"].split(";")}
        approved = []
        for row in world.known("drug_approvals", t):
            if row["drug_id"] == drug and not row["withdrawn"]:
                if row["approval_date"] is not None:
                    approved.append(row["approval_date"])
                elif row["approved_before_1982"]:
                    approved.append(date(1981, 12, 31))
        types = {
            r["application_type"]
            for r in world.shared("market_products")
            if r["as_of"] == t and r["drug_id"] == drug and r["is_marketed"]
        } - {None}
        schedules = [SCHEDULES[r["dea_schedule"]] for r in mine if r["dea_schedule"]]
        form = drugs[drug]["form_group"]
        result[drug] = {
            "form_group": form,
            "is_injection": form == "injection",
            "is_sterile_form": form in ("injection", "ophthalmic", "inhalation"),
            "ingredients_count": len(drugs[drug]["ingredients"]),
            "controlled_schedule": min(schedules, default=0) if mine else None,
            "is_unapproved": "UNAPPROVED DRUG OTHER" in categories if mine else None,
            "is_biologic": "BLA" in categories if mine else None,
            "is_brand_only": "ANDA" not in types if types else None,
            "routes_count": len(routes) or None,
            "class_drugs_count": max(
                (len(members) for members in classes.values() if drug in members), default=None
            ),
            "oldest_approval_years": (t - min(approved)).days / 365.25 if approved else None,
            "newest_approval_years": (t - max(approved)).days / 365.25 if approved else None,
        }
    return result


def _listing(drug: str, **columns: Any) -> Row:
    return {
        "drug_id": drug,
        "known_from": date(2015, 1, 1),
        "withdrawn": False,
        "marketing_category": "ANDA",
    } | columns


def test_the_strictest_schedule_counts(make_world: Callable[..., Any]) -> None:
    drug, t = "gorrane--oral-solid", date(2018, 1, 1)
    world = make_world(
        {
            "drug_ndcs": [
                _listing(drug, dea_schedule="CIV"),
                _listing(drug, dea_schedule="CII"),
                _listing(drug, dea_schedule="CI", known_from=t),
                _listing("effenil--topical"),
            ]
        }
    )
    rows = world.panel("traits", [t])
    assert rows[t, drug]["controlled_schedule"] == 2
    assert rows[t, "effenil--topical"]["controlled_schedule"] == 0


def test_an_import_during_a_shortage_is_not_an_unapproved_drug(
    make_world: Callable[..., Any],
) -> None:
    drug, t = "dastol--injection", date(2018, 1, 1)
    imported = _listing(drug, marketing_category="UNAPPROVED DRUG FOR USE IN DRUG SHORTAGE")
    old = _listing("effenil--topical", marketing_category="UNAPPROVED DRUG OTHER")
    rows = make_world({"drug_ndcs": [imported, old]}).panel("traits", [t])
    assert rows[t, drug]["is_unapproved"] is False
    assert rows[t, "effenil--topical"]["is_unapproved"] is True


def test_a_class_name_may_hold_a_comma(make_world: Callable[..., Any]) -> None:
    t = date(2018, 1, 1)
    both = "Tidal Blocker, Second Kind [EPC],Moons [MoA]"
    world = make_world(
        {
            "drug_ndcs": [
                _listing("dastol--injection", pharm_classes=both),
                _listing("effenil--topical", pharm_classes="Tidal Blocker, Second Kind [EPC]"),
                _listing("gorrane--oral-solid", pharm_classes="Second Kind [EPC]"),
            ]
        }
    )
    rows = world.panel("traits", [t])
    assert rows[t, "dastol--injection"]["class_drugs_count"] == 2
    assert rows[t, "gorrane--oral-solid"]["class_drugs_count"] == 1


def test_an_approval_before_1982_has_an_age(make_world: Callable[..., Any]) -> None:
    drug, t = "dastol--injection", date(2018, 1, 1)
    old = {
        "drug_id": drug,
        "application_no": "000001",
        "product_no": "001",
        "approved_before_1982": True,
        "known_from": date(2010, 1, 1),
        "withdrawn": False,
    }
    row = make_world({"drug_approvals": [old], "drug_ndcs": [_listing(drug)]}).panel("traits", [t])
    assert row[t, drug]["oldest_approval_years"] == pytest.approx(36, abs=0.02)
