"""Shortages abroad, against a plain reading of the same rows."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

Row = dict[str, Any]

#: In the Canadian gap of `_facts`, after it, and when both are silent.
DATES = [date(2015, 2, 1), date(2017, 2, 1), date(2018, 7, 1), date(2023, 1, 1)]
DRUG = "abelum--injection"


def _before(t: date, months: int) -> date:
    number = t.year * 12 + t.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def _facts(chance: random.Random, drugs: list[Row]) -> list[Row]:
    """Canadian reports but for 2016 and English concessions, from 2014 to 2020."""
    rows = []
    for number in range(240):
        drug = chance.choice(drugs)
        day = date(2014, 1, 1) + timedelta(days=chance.randrange(7 * 365))
        if chance.random() < 0.3:
            day = day.replace(day=1)
        canadian = chance.random() < 0.5
        if canadian and day.year == 2016:
            continue
        row: Row = {
            "country": "CA" if canadian else "UK",
            "kind": chance.choice(("shortage", "shortage", "discontinuation"))
            if canadian
            else "concession",
            "report_id": chance.choice((f"report {number % 40}", None)) if canadian else None,
            "product": "X",
            "ingredient_key": drug["ingredient_key"],
            "form_group": chance.choice((drug["form_group"], "other")),
            "event_date": day + timedelta(days=chance.choice((-40, 0, 40)))
            if canadian
            else day.replace(day=1),
            "known_from": day if canadian else day.replace(day=28),
            "source": "made-up",
            "source_file": "abroad.csv",
            "source_row": number,
        }
        if chance.random() < 0.1:
            row["known_until"] = row["known_from"] + timedelta(days=chance.randrange(1, 300))
        rows.append(row)
    return rows


def _reference(world: Any, t: date, drug: Row) -> Row:
    known = world.known("abroad_reports", t)
    canada = [r for r in known if r["country"] == "CA"]
    uk = [r for r in known if r["country"] == "UK"]
    half, long = _before(t, 6), _before(t, 24)
    expected: Row = dict.fromkeys(
        (
            "canada_reports_6m",
            "canada_reports_24m",
            "canada_ingredient_reports_6m",
            "canada_months_since_report",
            "canada_discontinuations_24m",
            "uk_concession_months_6m",
            "uk_concession_months_24m",
            "uk_concession_now",
            "uk_ingredient_concession_months_6m",
        )
    )
    same = [r for r in known if r["ingredient_key"] == drug["ingredient_key"]]

    def reports(kind: str, since: date, *, own: bool) -> set[tuple[str, str]]:
        return {
            # another form of the same report is another report
            (r["form_group"], r["report_id"] or f"abroad.csv{r['source_row']}")
            for r in same
            if r["country"] == "CA"
            and r["kind"] == kind
            and r["known_from"] >= since
            and (r["form_group"] == drug["form_group"]) is own
        }

    def months(since: date, *, own: bool) -> set[date]:
        return {
            r["event_date"]
            for r in same
            if r["country"] == "UK"
            and r["event_date"] >= since
            and (r["form_group"] == drug["form_group"]) is own
        }

    if canada and max(r["known_from"] for r in canada) >= half:
        expected["canada_reports_6m"] = len(reports("shortage", half, own=True))
        expected["canada_reports_24m"] = len(reports("shortage", long, own=True))
        expected["canada_ingredient_reports_6m"] = len(reports("shortage", half, own=False))
        expected["canada_discontinuations_24m"] = len(reports("discontinuation", long, own=True))
        days = [
            r["known_from"]
            for r in same
            if r["country"] == "CA"
            and r["kind"] == "shortage"
            and r["form_group"] == drug["form_group"]
        ]
        if days:
            expected["canada_months_since_report"] = round((t - max(days)).days / 30.4375, 2)
    if uk and max(r["known_from"] for r in uk) >= half:
        newest = max(r["event_date"] for r in uk)
        expected["uk_concession_months_6m"] = len(months(half, own=True))
        expected["uk_concession_now"] = newest in months(newest, own=True)
        expected["uk_ingredient_concession_months_6m"] = len(months(half, own=False))
        if min(r["known_from"] for r in uk) <= long:
            expected["uk_concession_months_24m"] = len(months(long, own=True))
    return expected


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_a_plain_reading(
    seed: int, random_world: Callable[[int], Any], make_world: Callable[..., Any]
) -> None:
    market = random_world(seed)
    drugs = market.connection.sql("FROM drugs").to_arrow_table().to_pylist()
    world = make_world({**market.facts, "abroad_reports": _facts(random.Random(seed), drugs)})
    rows = world.panel("abroad", DATES)
    assert rows
    by_id = {d["drug_id"]: d for d in drugs}
    for (t, drug), row in rows.items():
        expected = _reference(world, t, by_id[drug])
        assert {name: row[name] for name in expected} == expected, (t, drug)
        assert row.keys() - {"drug_id", "as_of", "at_risk"} == expected.keys()


def _report(day: date, **more: Any) -> Row:
    return {
        "country": "CA",
        "kind": "shortage",
        "report_id": "9",
        "product": "ABELO 5 MG",
        "ingredient_key": "abelum",
        "form_group": "injection",
        "event_date": day,
        "known_from": day,
        "source": "made-up",
        "source_file": "abroad.csv",
        "source_row": 1,
        **more,
    }


def _world(make_world: Callable[..., Any], *reports: Row) -> Any:
    listings = [
        {
            "drug_id": drug,
            "firm_id": "arden",
            "product_ndc": drug,
            "withdrawn": False,
            "known_from": date(2010, 1, 1),
        }
        for drug in (DRUG, "abelum--oral-solid", "gorrane--oral-solid")
    ]
    return make_world({"drug_ndcs": listings, "abroad_reports": list(reports)})


def test_a_shortage_to_come_counts_from_its_report(make_world: Callable[..., Any]) -> None:
    t = date(2018, 3, 1)
    world = _world(make_world, _report(date(2018, 2, 1), event_date=date(2018, 9, 1)))
    rows = world.panel("abroad", [t])
    assert rows[t, DRUG]["canada_reports_6m"] == 1
    assert rows[t, DRUG]["canada_months_since_report"] == 0.92
    tablets = rows[t, "abelum--oral-solid"]
    assert (tablets["canada_reports_6m"], tablets["canada_ingredient_reports_6m"]) == (0, 1)
    unconcerned = rows[t, "gorrane--oral-solid"]
    assert unconcerned["canada_ingredient_reports_6m"] == 0
    assert unconcerned["canada_months_since_report"] is None


def test_a_silent_source_tells_nothing(make_world: Callable[..., Any]) -> None:
    world = _world(make_world, _report(date(2018, 2, 1)))
    soon, late = date(2018, 8, 1), date(2018, 9, 1)
    rows = world.panel("abroad", [soon, late])
    assert rows[soon, DRUG]["canada_reports_6m"] == 1
    assert rows[late, DRUG]["canada_reports_6m"] is None
    assert rows[late, DRUG]["canada_reports_24m"] is None
    assert rows[soon, DRUG]["uk_concession_months_6m"] is None, "no concession was ever known"


def test_a_concession_counts_by_its_month(make_world: Callable[..., Any]) -> None:
    agreed = [
        _report(
            date(2019, month, 1),
            known_from=date(2019, month, 28),
            country="UK",
            kind="concession",
            report_id=None,
            product=f"Abelum {strength}mg/ml vials",
            source_row=month,
        )
        for month in (1, 2)
        for strength in (5, 10)
    ]
    world = _world(make_world, *agreed)
    march, april = date(2019, 3, 1), date(2019, 4, 1)
    rows = world.panel("abroad", [march, april])
    assert rows[march, DRUG]["uk_concession_months_6m"] == 2
    assert rows[march, DRUG]["uk_concession_now"] is True
    assert rows[march, DRUG]["uk_concession_months_24m"] is None, "the records are too young"
    said = {r["summary"] for r in world.evidence("abroad", march) if r["drug_id"] == DRUG}
    assert "England: concession price for Abelum 5mg/ml vials in 2019-02" in said
