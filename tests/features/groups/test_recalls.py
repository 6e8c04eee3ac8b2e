"""Recalls of drugs, ingredients and makers, against a plain reading of the same rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any

import pytest

Row = dict[str, Any]

#: Before 36 months are reached, twice within the records, and after they fell silent.
DATES = [date(2014, 3, 1), date(2017, 6, 1), date(2019, 1, 1), date(2023, 1, 1)]
REASONS = ("sterility", "particulates", "cgmp", "impurities")


def _before(t: date, months: int) -> date:
    number = t.year * 12 + t.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def _facts(chance: random.Random, drugs: dict[str, str], firms: Iterable[str]) -> dict[str, Any]:
    """Recalls of 40 events, each with one to four products, and their links."""
    found: dict[str, list[Row]] = {"drug_recalls": [], "firm_recalls": [], "ingredient_recalls": []}
    for event in range(40):
        begun = date(2013, 1, 1) + timedelta(days=chance.randrange(8 * 365))
        if chance.random() < 0.3:
            begun = begun.replace(day=1)
        firm = chance.choice([*firms, None])
        for number in range(chance.randrange(1, 5)):
            row: Row = {
                "event_id": None if event == 0 else f"event {event}",
                "recall_number": f"recall {event}-{number}",
                "classification": chance.choice(("Class I", "Class II", "Class III")),
                "reasons": chance.choice(
                    (None, [], ["other"], *([r] for r in REASONS), ["cgmp", "sterility"])
                ),
                "event_date": begun,
                "known_from": begun + timedelta(days=chance.choice((10, 55, 55, 300))),
                "source": "made-up",
                "source_file": "recalls.json",
                "source_row": event * 10 + number,
            }
            if chance.random() < 0.1:
                row["known_until"] = row["known_from"] + timedelta(days=chance.randrange(1, 500))
            drug = chance.choice(list(drugs))
            if chance.random() < 0.7:
                found["drug_recalls"].append({**row, "drug_id": drug, "firm_id": firm})
            if firm is not None:
                found["firm_recalls"].append({**row, "firm_id": firm})
            if chance.random() < 0.7:
                found["ingredient_recalls"].append({**row, "ingredient_key": drugs[drug]})
    return found


def _events(rows: Iterable[Row], since: date) -> set[str]:
    return {r["event_id"] or r["recall_number"] for r in rows if r["event_date"] >= since}


def _reference(world: Any, t: date, drug: str, drugs: dict[str, str], makers: Row) -> Row:
    year, long = _before(t, 12), _before(t, 36)
    by_firm = world.known("firm_recalls", t)
    first = min((r["known_from"] for r in by_firm), default=date.max)
    last = max((r["known_from"] for r in by_firm), default=date.min)
    alive = last >= _before(t, 6)
    reach_12, reach_36 = alive and first <= year, alive and first <= long

    recalls = world.known("drug_recalls", t)
    own = [r for r in recalls if r["drug_id"] == drug]
    about = [
        *own,
        *(r for r in recalls if drugs[r["drug_id"]] == drugs[drug]),
        *(r for r in world.known("ingredient_recalls", t) if r["ingredient_key"] == drugs[drug]),
    ]
    labelers = {
        r["firm_id"]
        for r in world.known("drug_ndcs", t)
        if r["drug_id"] == drug and r["firm_id"] and not r["withdrawn"]
    } - makers.keys()

    def others(firms: Iterable[str], rows_since: date, keep: Callable[[Row], bool]) -> int:
        mine = _events(own, long)
        return sum(
            len(_events([r for r in by_firm if r["firm_id"] == f and keep(r)], rows_since) - mine)
            for f in firms
        )

    expected: Row = {
        "recalls_12m": len(_events(own, year)),
        "ingredient_recalls_12m": len(_events(about, year) - _events(own, year)),
        "months_since_recall": round((t - max(r["event_date"] for r in own)).days / 30.4375, 2)
        if own
        else None,
        "firm_recalls_12m": others(makers, year, lambda r: True) if makers else None,
        "firm_labeler_recalls_12m": others(labelers, year, lambda r: True) if labelers else None,
        "firm_recall_share_12m": round(
            sum(
                products
                for firm, products in makers.items()
                if _events([r for r in by_firm if r["firm_id"] == firm], year)
            )
            / sum(makers.values()),
            6,
        )
        if makers
        else None,
    }
    if not reach_12:
        expected = dict.fromkeys(expected)
    kinds: dict[str, Callable[[Row], bool]] = {
        "recalls_36m": lambda r: True,
        "recalls_class1_36m": lambda r: r["classification"] == "Class I",
        "recalls_class2_36m": lambda r: r["classification"] == "Class II",
        "recalls_sterility_36m": lambda r: "sterility" in (r["reasons"] or []),
        "recalls_particulates_36m": lambda r: "particulates" in (r["reasons"] or []),
        "recalls_cgmp_36m": lambda r: "cgmp" in (r["reasons"] or []),
        "recalls_impurities_36m": lambda r: "impurities" in (r["reasons"] or []),
    }
    for name, keep in kinds.items():
        expected[name] = len(_events([r for r in own if keep(r)], long)) if reach_36 else None
        expected[f"firm_{name}"] = others(makers, long, keep) if reach_36 and makers else None
    expected["ingredient_recalls_36m"] = (
        len(_events(about, long) - _events(own, long)) if reach_36 else None
    )
    return expected


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_a_plain_reading(
    seed: int, random_world: Callable[[int], Any], make_world: Callable[..., Any]
) -> None:
    market = random_world(seed)
    drugs = {
        r["drug_id"]: r["ingredient_key"]
        for r in market.connection.sql("FROM drugs").to_arrow_table().to_pylist()
    }
    firms = ("arden", "brook", "cedar", "dune")
    world = make_world({**market.facts, **_facts(random.Random(seed), drugs, firms)})
    rows = world.panel("recalls", DATES)
    makers: dict[Any, Row] = {}
    for row in world.shared("market_makers"):
        makers.setdefault((row["as_of"], row["drug_id"]), {})[row["firm_id"]] = row["products"]
    assert rows
    for (t, drug), row in rows.items():
        expected = _reference(world, t, drug, drugs, makers.get((t, drug), {}))
        assert {name: row[name] for name in expected} == expected, (t, drug)
        assert row.keys() - {"drug_id", "as_of", "at_risk"} == expected.keys()


#: Two injections; arden makes both, brook labels the first.
MARKET: dict[str, list[Row]] = {
    "drug_products": [
        {
            "drug_id": drug,
            "application_no": number,
            "product_no": "001",
            "firm_id": "arden",
            "status": "prescription",
            "withdrawn": False,
            "observed_at": date(2016, 1, 1),
            "known_from": date(2016, 1, 1),
        }
        for drug, number in (("abelum--injection", "1"), ("dastol--injection", "2"))
    ],
    "drug_ndcs": [
        {
            "drug_id": "abelum--injection",
            "firm_id": "brook",
            "product_ndc": "1-1",
            "withdrawn": False,
            "known_from": date(2016, 1, 1),
        }
    ],
}


def _recall(number: str, begun: date, known: date, **more: Any) -> Row:
    return {
        "event_id": "7",
        "recall_number": number,
        "classification": "Class II",
        "reasons": ["sterility"],
        "reason_for_recall": "Lack of Assurance of Sterility",
        "event_date": begun,
        "known_from": known,
        "source": "made-up",
        "source_file": "recalls.json",
        "source_row": 1,
        **more,
    }


OLD = _recall("R-0", date(2013, 2, 1), date(2013, 3, 1), event_id="1", firm_id="cedar")
BEGUN, REPORTED = date(2018, 1, 10), date(2018, 3, 20)


def _market_with_a_recall(make_world: Callable[..., Any]) -> Any:
    """One event of arden with two presentations of abelum injections."""
    rows = [_recall(n, BEGUN, REPORTED, firm_id="arden") for n in ("R-1", "R-2")]
    return make_world(
        {
            **MARKET,
            "firm_recalls": [OLD, *rows],
            "drug_recalls": [{**row, "drug_id": "abelum--injection"} for row in rows],
        }
    )


def test_a_recall_counts_once_and_only_after_its_report(make_world: Callable[..., Any]) -> None:
    world = _market_with_a_recall(make_world)
    before, after = date(2018, 3, 1), date(2018, 4, 1)
    # something must have been reported lately, or zeros would mean nothing
    assert world.panel("recalls", [before])[before, "abelum--injection"]["recalls_12m"] is None
    row = world.panel("recalls", [after])[after, "abelum--injection"]
    assert row["recalls_12m"] == row["recalls_36m"] == row["recalls_sterility_36m"] == 1
    assert row["recalls_class1_36m"] == 0
    assert row["months_since_recall"] == 2.66


def test_a_maker_carries_its_recall_to_its_other_drugs(make_world: Callable[..., Any]) -> None:
    t = date(2018, 4, 1)
    rows = _market_with_a_recall(make_world).panel("recalls", [t])
    own, other = rows[t, "abelum--injection"], rows[t, "dastol--injection"]
    assert (own["firm_recalls_12m"], other["firm_recalls_12m"]) == (0, 1)
    assert own["firm_recall_share_12m"] == other["firm_recall_share_12m"] == 1
    assert (own["firm_labeler_recalls_12m"], other["firm_labeler_recalls_12m"]) == (0, None)
    assert (other["recalls_36m"], other["months_since_recall"]) == (0, None)


def test_evidence_names_each_event_of_a_maker_once(make_world: Callable[..., Any]) -> None:
    rows = _market_with_a_recall(make_world).evidence("recalls", date(2018, 4, 1))
    said = "Class II, begun 2018-01-10, Lack of Assurance of Sterility"
    assert {(r["drug_id"], r["summary"]) for r in rows} == {
        ("abelum--injection", f"Recall R-1, {said}"),
        ("abelum--injection", f"Recall R-2, {said}"),
        ("dastol--injection", f"Recall of another product by a maker: R-1, {said}"),
    }
