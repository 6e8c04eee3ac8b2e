"""Makers against plain loops, and examples."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from statistics import median
from typing import Any

import pytest

Row = dict[str, Any]


@pytest.mark.parametrize("seed", range(3))
def test_every_feature_agrees_with_plain_loops(
    seed: int,
    random_world: Callable[[int], Any],
    assert_agrees: Callable[..., None],
    months_before: Callable[[date, int], date],
) -> None:
    def reference(world: Any, t: date) -> dict[str, Row]:
        return _reference(world, t, months_before(t, 24))

    assert_agrees(random_world(seed), "makers", reference)


def _reference(world: Any, t: date, since: date) -> dict[str, Row]:
    drugs = {r["drug_id"]: r for r in world.shared("drugs")}
    panel = [r["drug_id"] for r in world.shared("panel_drugs") if r["as_of"] == t]
    products = [r for r in world.shared("market_products") if r["as_of"] == t]
    listings = [r for r in world.known("drug_ndcs", t) if not r["withdrawn"]]
    lists = [r["observed_at"] for r in world.known("drug_products", t)]
    exits_show = bool(lists) and max(lists) >= since and any(r["has_left"] for r in products)
    made: dict[str, set[str]] = {}
    for row in products:
        if row["is_marketed"] and row["firm_id"]:
            made.setdefault(row["firm_id"], set()).add(row["drug_id"])
    result = {}
    for drug in panel:
        mine = [r for r in products if r["drug_id"] == drug]
        marketed = [r for r in mine if r["is_marketed"]]
        by_holder: dict[str, int] = {}
        for row in marketed:
            by_holder[row["holder"]] = by_holder.get(row["holder"], 0) + 1
        first: dict[str, date] = {}
        for row in mine:
            if row["approval_date"]:
                number = row["application_no"]
                first[number] = min(first.get(number, row["approval_date"]), row["approval_date"])
        applications = {r["application_no"] for r in mine}
        on_market = {r["application_no"] for r in marketed}
        labelers = {r["firm_id"] for r in listings if r["drug_id"] == drug}
        firms = {r["firm_id"] for r in marketed} - {None}
        injections = [
            sum(drugs[d]["form_group"] == "injection" for d in made[firm]) for firm in firms
        ]
        total = len(marketed)
        result[drug] = {
            "applications_marketed": len(on_market),
            "holders": len(by_holder),
            "generics_marketed": len(
                {r["application_no"] for r in marketed if r["application_type"] == "ANDA"}
            ),
            "products_marketed": total,
            "single_source": len(by_holder) == 1 if total else None,
            "holders_concentration": (
                sum((n / total) ** 2 for n in by_holder.values()) if total else None
            ),
            "labelers": len(labelers - {None}),
            "is_repackager_only": not labelers & made.keys() if labelers and made else None,
            "entries_24m": sum(day >= since for day in first.values()),
            "exits_24m": (
                sum(r["left_on"] is not None and r["left_on"] >= since for r in mine)
                if exits_show
                else None
            ),
            "discontinued_share": (
                1 - len(on_market) / len(applications) if applications else None
            ),
            "months_since_last_entry": (
                (t - max(first.values())).days / 30.4375 if first else None
            ),
            "firm_drugs_max": max((len(made[firm]) for firm in firms), default=None),
            "firm_drugs_median": float(median(len(made[f]) for f in firms)) if firms else None,
            "firm_injections_max": max(injections, default=None),
        }
    return result


def _product(drug: str, number: str, firm: str | None, day: date, **columns: Any) -> Row:
    return {
        "drug_id": drug,
        "application_type": "ANDA",
        "application_no": number,
        "product_no": "001",
        "firm_id": firm,
        "holder": firm,
        "status": "prescription",
        "observed_at": day,
        "known_from": day,
        "withdrawn": False,
        "source": "made-up",
        "source_file": "list.txt",
        "source_row": 1,
        "occurrence": 1,
    } | columns


FIRST, SECOND = date(2016, 1, 1), date(2018, 1, 1)
DRUG = "dastol--injection"


def test_single_source_and_an_exit_show_with_the_list_that_tells(
    make_world: Callable[..., Any],
) -> None:
    gone = {"status": "discontinued", "left_on": SECOND}
    world = make_world(
        {
            "drug_products": [
                _product(DRUG, "1", "arden", FIRST),
                _product(DRUG, "2", "brook", FIRST, known_until=SECOND),
                _product(DRUG, "2", "brook", SECOND, **gone),
            ]
        }
    )
    dates = [date(2017, 12, 1), date(2018, 1, 1), date(2018, 2, 1), date(2020, 2, 1)]
    rows = world.panel("makers", dates)
    assert [rows[t, DRUG]["single_source"] for t in dates] == [False, False, True, True]
    # before the second list no exit can show; two years after it, none has lately
    assert [rows[t, DRUG]["exits_24m"] for t in dates] == [None, None, 1, None]
    assert rows[dates[2], DRUG]["discontinued_share"] == 0.5
    told = {r["summary"] for r in world.evidence("makers", dates[2])}
    assert "ANDA 2, brook, discontinued" in told


def test_concentration_goes_by_products(make_world: Callable[..., Any]) -> None:
    t = date(2017, 1, 1)
    world = make_world(
        {
            "drug_products": [
                *(_product(DRUG, "1", "arden", FIRST, product_no=n) for n in ("001", "002", "003")),
                _product(DRUG, "2", "brook", FIRST),
            ]
        }
    )
    row = world.panel("makers", [t])[t, DRUG]
    assert row["holders"] == 2
    assert row["holders_concentration"] == pytest.approx(0.75**2 + 0.25**2)


def test_a_holder_not_yet_named_counts_by_its_application(make_world: Callable[..., Any]) -> None:
    t = date(2017, 1, 1)
    world = make_world({"drug_products": [_product(DRUG, n, None, FIRST) for n in ("1", "2")]})
    row = world.panel("makers", [t])[t, DRUG]
    assert row["holders"] == 2
    assert row["firm_drugs_max"] is None
    assert row["is_repackager_only"] is None


def test_labelers_without_an_application_are_repackagers(make_world: Callable[..., Any]) -> None:
    t = date(2017, 1, 1)
    listing = {"known_from": FIRST, "withdrawn": False}
    world = make_world(
        {
            "drug_products": [_product(DRUG, "1", "arden", FIRST)],
            "drug_ndcs": [
                {"drug_id": "effenil--topical", "firm_id": "cedar", **listing},
                {"drug_id": "gorrane--oral-solid", "firm_id": "arden", **listing},
                {"drug_id": "gorrane--oral-solid", "firm_id": "cedar", **listing},
            ],
        }
    )
    rows = world.panel("makers", [t])
    assert rows[t, "effenil--topical"]["is_repackager_only"] is True
    assert rows[t, "gorrane--oral-solid"]["is_repackager_only"] is False
    assert rows[t, DRUG]["is_repackager_only"] is None
    assert rows[t, "gorrane--oral-solid"]["labelers"] == 2
    assert rows[t, "effenil--topical"]["single_source"] is None
