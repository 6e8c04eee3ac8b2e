"""Prices and spending, against a plain reading of the same rows."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

Row = dict[str, Any]

#: Before the survey, in it, and after it fell silent.
DATES = [date(2019, 3, 1), date(2020, 9, 1), date(2021, 3, 1), date(2022, 6, 1)]
CLASSES = ("Moonlight Agonist [EPC]", "Tidal Blocker, Second Kind [EPC]", "Moons [MoA]")

#: Nine invented ingredients as injection and as tablet: enough drugs for ranks.
DRUGS: list[Row] = [
    {
        "drug_id": f"{name}--{form}",
        "name": name,
        "ingredients": [name],
        "ingredient_key": name,
        "form_group": form,
    }
    for name in ("abel", "born", "corv", "dast", "effe", "gorr", "hull", "irim", "jass")
    for form in ("injection", "oral-solid")
]


def _before(t: date, months: int) -> date:
    number = t.year * 12 + t.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def _source(number: int) -> Row:
    return {"source": "made-up", "source_file": "prices.csv", "source_row": number}


def _facts(chance: random.Random) -> dict[str, list[Row]]:
    """A survey from 2019-12 to 2021-03, two parts of Medicare from 2013, and the directory."""

    def some(*values: float) -> float | None:
        return chance.choice((*values, None))

    survey = [
        {
            **_source(n),
            "drug_id": drug["drug_id"],
            "month": month,
            "event_date": month + timedelta(days=4),
            "products": 3,
            # few different prices, so that many are equal; one that no survey could hold
            "price_median_usd": chance.choice((0.1, 0.2, 0.2, 1.0, 5.0, 12.5, 0.0)),
            "price_min_usd": chance.choice((0.05, 0.1)),
            "log_change_6m": some(-0.1, 0.25),
            "log_change_12m": some(0.0, 0.6),
            "known_from": month + timedelta(days=chance.choice((0, 4, 40))),
        }
        for n, drug in enumerate(DRUGS)
        for month in (_before(date(2021, 3, 1), k) for k in range(16))
        if chance.random() < (0.6 if n > 2 else 0.05)
    ]

    def medicare(**more: Any) -> list[Row]:
        return [
            {
                **_source(year),
                "ingredient_key": drug["ingredient_key"],
                "year": year,
                "price_usd_per_unit": some(0.5, 2.0, 5.0, 40.0),
                "spending_usd": some(0.0, 1e5, 3.3e7),
                "event_date": date(year, 12, 31),
                "known_from": date(year + release, 6, 1),
                **{name: chance.choice(values) for name, values in more.items()},
            }
            for drug in DRUGS[::2]
            for year in range(2013, 2019)
            for release in chance.choice(((2,), (2, 3), (3,), ()))
        ]

    listings = [
        {
            "drug_id": drug["drug_id"],
            "firm_id": "arden",
            "product_ndc": str(n),
            "pharm_classes": ",".join(chance.sample(CLASSES, chance.randrange(4))) or None,
            "withdrawn": chance.random() < 0.1,
            "known_from": date(2010, 1, 1),
        }
        for n, drug in enumerate(DRUGS * 2)
    ]
    return {
        "drugs": DRUGS,
        "drug_ndcs": listings,
        "drug_prices": survey,
        "ingredient_partb_prices": medicare(),
        "ingredient_partd_prices": medicare(makers=(1, 2, 9)),
    }


def _newest_price(world: Any, t: date, drug: str) -> Row | None:
    """The newest row of the survey that is fit to use."""
    rows = [
        r
        for r in world.known("drug_prices", t)
        if r["drug_id"] == drug
        and r["month"] >= _before(t, 3)
        and (r["price_median_usd"] or 0) > 0
        and (r["price_min_usd"] or 0) > 0
    ]
    return max(rows, key=lambda r: r["month"], default=None)


def _rank(price: float, prices: Sequence[float]) -> float | None:
    if len(prices) < 5:
        return None
    return sum(p < price for p in prices) / (len(prices) - 1)


def _medicare(world: Any, table: str, t: date, drug: Row) -> tuple[Row, float | None] | None:
    """The newest year with a price, as first told, and the price of the year before."""
    by_year: dict[int, Row] = {}
    for r in sorted(world.known(table, t), key=lambda r: r["known_from"]):
        if r["ingredient_key"] == drug["ingredient_key"] and (r["price_usd_per_unit"] or 0) > 0:
            by_year.setdefault(r["year"], r)
    if not by_year:
        return None
    newest = max(by_year)
    earlier = by_year.get(newest - 1)
    return by_year[newest], earlier["price_usd_per_unit"] if earlier else None


def _log(value: Any) -> float | None:
    return round(math.log(value), 6) if value else None


def _reference(world: Any, t: date, drug: Row, others: Sequence[Row]) -> Row:
    known = world.known("drug_prices", t)
    newest = {d["drug_id"]: _newest_price(world, t, d["drug_id"]) for d in others}
    mine = newest[drug["drug_id"]]
    if mine:
        reason = "known"
    elif not known:
        reason = "source not yet available"
    elif max(r["known_from"] for r in known) < _before(t, 6):
        reason = "source silent"
    else:
        reason = "not covered by the survey"

    classes: dict[str, set[str]] = {}
    for r in world.known("drug_ndcs", t):
        if not r["withdrawn"]:
            told = re.findall(r"(\w[^\]]*?) \[EPC\]", r["pharm_classes"] or "")
            classes.setdefault(r["drug_id"], set()).update(told)

    def prices(peers: Sequence[Row]) -> list[float]:
        return [p["price_median_usd"] for d in peers if (p := newest[d["drug_id"]])]

    in_form = in_class = None
    if mine:
        same_form = [d for d in others if d["form_group"] == drug["form_group"]]
        in_form = _rank(mine["price_median_usd"], prices(same_form))
        ranks = [
            rank
            for c in classes.get(drug["drug_id"], ())
            if (
                rank := _rank(
                    mine["price_median_usd"],
                    prices([d for d in same_form if c in classes.get(d["drug_id"], ())]),
                )
            )
            is not None
        ]
        in_class = sum(ranks) / len(ranks) if ranks else None
    part_b = (
        _medicare(world, "ingredient_partb_prices", t, drug)
        if drug["form_group"] == "injection"
        else None
    )
    part_d = _medicare(world, "ingredient_partd_prices", t, drug)
    expected: Row = {
        "price_missing_reason": reason,
        "log_price_median_usd": _log(mine and mine["price_median_usd"]),
        "log_price_min_usd": _log(mine and mine["price_min_usd"]),
        "log_price_change_6m": mine and mine["log_change_6m"],
        "log_price_change_12m": mine and mine["log_change_12m"],
        "price_rank_form_group_share": in_form,
        "price_rank_class_share": in_class,
        "partb_log_price_usd": _log(part_b and part_b[0]["price_usd_per_unit"]),
        "partb_below_5_usd": part_b and part_b[0]["price_usd_per_unit"] < 5,
        "partb_log_spending_usd": _log(part_b and part_b[0]["spending_usd"]),
        "partd_log_price_usd": _log(part_d and part_d[0]["price_usd_per_unit"]),
        "partd_log_price_change_1y": _log(
            part_d and part_d[1] and part_d[0]["price_usd_per_unit"] / part_d[1]
        )
        if not part_d or part_d[1] != part_d[0]["price_usd_per_unit"]
        else 0.0,
        "partd_log_spending_usd": _log(part_d and part_d[0]["spending_usd"]),
        "partd_makers": part_d and part_d[0]["makers"],
    }
    return expected


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_a_plain_reading(seed: int, make_world: Callable[..., Any]) -> None:
    world = make_world(_facts(random.Random(seed)))
    rows = world.panel("prices", DATES)
    by_id = {d["drug_id"]: d for d in DRUGS}
    seen: set[str] = set()
    names: set[str] = set()
    for (t, drug), row in rows.items():
        expected = _reference(world, t, by_id[drug], DRUGS)
        assert {name: row[name] for name in expected} == pytest.approx(
            expected, abs=1.1e-6, nan_ok=False
        ), (t, drug)
        assert row.keys() - {"drug_id", "as_of", "at_risk"} == expected.keys()
        names |= expected.keys()
        seen |= {name for name, value in expected.items() if value is not None}
        seen.add(expected["price_missing_reason"])
    assert names
    assert seen >= names, "every feature has a value somewhere"
    assert seen >= {
        "known",
        "source not yet available",
        "source silent",
        "not covered by the survey",
    }


def _world(make_world: Callable[..., Any], **facts: list[Row]) -> Any:
    listings = [
        {
            "drug_id": d["drug_id"],
            "firm_id": "arden",
            "product_ndc": d["drug_id"],
            "withdrawn": False,
            "known_from": date(2010, 1, 1),
        }
        for d in DRUGS
    ]
    return make_world({"drugs": DRUGS, "drug_ndcs": listings, **facts})


def test_a_cheap_drug_ranks_below_its_peers(make_world: Callable[..., Any]) -> None:
    tablets = [d["drug_id"] for d in DRUGS if d["form_group"] == "oral-solid"][:5]
    survey = [
        {
            **_source(n),
            "drug_id": drug,
            "month": date(2021, 1, 1),
            "event_date": date(2021, 1, 6),
            "products": 1,
            "price_median_usd": price,
            "price_min_usd": price,
            "known_from": date(2021, 1, 6),
        }
        for n, (drug, price) in enumerate(zip(tablets, (0.02, 0.5, 0.5, 1, 300), strict=True))
    ]
    t = date(2021, 2, 1)
    rows = _world(make_world, drug_prices=survey).panel("prices", [t])
    ranks = [rows[t, drug]["price_rank_form_group_share"] for drug in tablets]
    assert ranks == [0.0, 0.25, 0.25, 0.75, 1.0]
    assert rows[t, "abel--injection"]["price_missing_reason"] == "not covered by the survey"


def test_part_b_prices_are_of_injections(make_world: Callable[..., Any]) -> None:
    paid = {
        **_source(1),
        "ingredient_key": "abel",
        "year": 2015,
        "price_usd_per_unit": 2.5,
        "spending_usd": 1e6,
        "event_date": date(2015, 12, 31),
        "known_from": date(2017, 1, 31),
    }
    early, t = date(2017, 1, 1), date(2017, 2, 1)
    world = _world(make_world, ingredient_partb_prices=[paid])
    rows = world.panel("prices", [early, t])
    assert rows[t, "abel--injection"]["partb_below_5_usd"] is True
    assert rows[t, "abel--oral-solid"]["partb_below_5_usd"] is None
    assert rows[early, "abel--injection"]["partb_below_5_usd"] is None
    said = {(r["drug_id"], r["summary"]) for r in world.evidence("prices", t)}
    assert said == {
        ("abel--injection", "Medicare Part B paid $2.5 per billing unit of abel in 2015")
    }


def test_evidence_shows_the_newest_price_and_its_change(make_world: Callable[..., Any]) -> None:
    def surveyed(day: date, change: float | None) -> Row:
        return {
            **_source(1),
            "drug_id": "abel--oral-solid",
            "month": day.replace(day=1),
            "event_date": day,
            "products": 4,
            "price_median_usd": 0.25,
            "price_min_usd": 0.2,
            "log_change_12m": change,
            "known_from": day,
        }

    survey = [surveyed(date(2021, 1, 6), math.log(2)), surveyed(date(2021, 2, 3), math.log(0.5))]
    survey.append(surveyed(date(2021, 4, 7), None))
    world = _world(make_world, drug_prices=survey)
    march, may = date(2021, 3, 1), date(2021, 5, 1)
    (newest,) = world.evidence("prices", march)
    assert newest["summary"] == (
        "Retail survey of 2021-02-03: median price $0.25 per unit (4 products), "
        "against 12 months before: -50 %"
    )
    assert [r["summary"] for r in world.evidence("prices", may)] == [
        "Retail survey of 2021-04-07: median price $0.25 per unit (4 products)"
    ]
