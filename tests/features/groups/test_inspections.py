"""OAI inspections, letters and court actions, against a plain reading of the same rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

Row = dict[str, Any]

#: 24 months reached, then 60, then all silent.
DATES = [date(2016, 1, 1), date(2018, 7, 1), date(2019, 3, 1), date(2023, 1, 1)]
FIRMS = ("arden", "brook", "cedar", "dune")

#: Office, subject, and whether the letter is about drugs.
LETTERS = (
    ("Center for Drug Evaluation and Research (CDER)", "Misbranded", True),
    ("Center for Drug Evaluation and Research | CDER", None, True),
    ("Division of Pharmaceutical Quality Operations II", "Adulterated", True),
    ("Division of Southwest Imports", "CGMP/Finished Pharmaceuticals/Adulterated", True),
    (None, "CGMP/Active Pharmaceutical Ingredient (API)/Adulterated", True),
    ("Center for Tobacco Products", "Misbranded", False),
    ("Center for Devices and Radiological Health", None, False),
    (None, None, False),
)


def _before(t: date, months: int) -> date:
    number = t.year * 12 + t.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def _facts(chance: random.Random) -> dict[str, Any]:
    """Inspections, actions and letters of four firms from 2013 to 2021."""

    def told(number: int, lag: int) -> Row:
        day = date(2013, 1, 1) + timedelta(days=chance.randrange(9 * 365))
        if chance.random() < 0.3:
            day = day.replace(day=1)
        return {
            "firm_id": chance.choice((*FIRMS, "elsewhere")),
            "event_date": day,
            "known_from": day + timedelta(days=lag),
            "withdrawn": chance.random() < 0.1,
            "source": "made-up",
            "source_file": "made-up.csv",
            "source_row": number,
        }

    inspections = [
        {
            **told(i, 90),
            "inspection_id": str(chance.randrange(60)),
            "classification": chance.choice(("OAI", "OAI", "VAI", "NAI")),
        }
        for i in range(80)
    ]
    actions = [
        {
            **told(i, 30),
            "case_id": str(chance.randrange(50)),
            "is_drug": chance.choice((True, True, True, False, None)),
            "action_type": chance.choice(
                ("Warning Letter", "Warning Letter", "Injunction", "Seizure")
            ),
        }
        for i in range(60)
    ]
    letters = []
    for i in range(60):
        office, subject, _ = chance.choice(LETTERS)
        letters.append(
            {
                **told(i, 8),
                "case_id": chance.choice((None, str(chance.randrange(50)))),
                "url": f"letter {i}",
                "issuing_office": office,
                "subject": subject,
            }
        )
    return {"firm_inspections": inspections, "firm_actions": actions, "firm_letters": letters}


def _reaches(rows: Sequence[Row], t: date, months: int) -> bool:
    known = [r["known_from"] for r in rows]
    return bool(known) and min(known) <= _before(t, months) and max(known) >= _before(t, 6)


def _reference(world: Any, t: date, drug: str, makers: Row) -> Row:
    inspections = world.known("firm_inspections", t)
    actions, letters = world.known("firm_actions", t), world.known("firm_letters", t)
    listings: dict[str, set[str]] = {}
    for r in world.known("drug_ndcs", t):
        if r["drug_id"] == drug and r["firm_id"] and not r["withdrawn"]:
            listings.setdefault(r["firm_id"], set()).add(r["product_ndc"])
    firms = makers.keys() | listings.keys()

    oai = [r for r in inspections if r["classification"] == "OAI" and not r["withdrawn"]]
    long, short = _before(t, 60), _before(t, 24)

    def inspected(firm: str, since: date) -> set[str]:
        return {
            r["inspection_id"] for r in oai if r["firm_id"] == firm and r["event_date"] >= since
        }

    about_drugs = {(office, subject) for office, subject, about in LETTERS if about}

    def warned(firm: str) -> set[str]:
        cases = {
            r["case_id"]
            for r in actions
            if r["firm_id"] == firm
            and r["is_drug"]
            and not r["withdrawn"]
            and r["action_type"] == "Warning Letter"
            and r["event_date"] >= short
        }
        return cases | {
            r["case_id"] or r["url"]
            for r in letters
            if r["firm_id"] == firm
            and (r["issuing_office"], r["subject"]) in about_drugs
            and not r["withdrawn"]
            and r["event_date"] >= short
        }

    def in_court(firm: str) -> set[str]:
        return {
            r["case_id"]
            for r in actions
            if r["firm_id"] == firm
            and r["is_drug"]
            and not r["withdrawn"]
            and r["action_type"] != "Warning Letter"
            and r["event_date"] >= long
        }

    def share(weights: dict[str, int], counts: Callable[[str], set[str]]) -> float | None:
        total = sum(weights.values())
        return round(sum(w for f, w in weights.items() if counts(f)) / total, 6) if total else None

    last = max((r["event_date"] for r in oai if r["firm_id"] in firms), default=None)
    expected: Row = dict.fromkeys(
        (
            "firm_oai_24m",
            "firm_oai_60m",
            "firm_oai_share_24m",
            "firm_labeler_oai_share_24m",
            "firm_months_since_oai",
            "firm_letters_24m",
            "firm_letter_share_24m",
            "firm_court_actions_60m",
        )
    )
    if not firms:
        return expected
    if _reaches(inspections, t, 24):
        expected["firm_oai_24m"] = sum(len(inspected(f, short)) for f in firms)
        expected["firm_oai_share_24m"] = share(makers, lambda f: inspected(f, short))
        expected["firm_labeler_oai_share_24m"] = share(
            {f: len(ndcs) for f, ndcs in listings.items()}, lambda f: inspected(f, short)
        )
        if last is not None:
            expected["firm_months_since_oai"] = round((t - last).days / 30.4375, 2)
    if _reaches(inspections, t, 60):
        expected["firm_oai_60m"] = sum(len(inspected(f, long)) for f in firms)
    if _reaches([*actions, *letters], t, 24):
        expected["firm_letters_24m"] = sum(len(warned(f)) for f in firms)
        expected["firm_letter_share_24m"] = share(makers, warned)
    if _reaches(actions, t, 60):
        expected["firm_court_actions_60m"] = sum(len(in_court(f)) for f in firms)
    return expected


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_a_plain_reading(
    seed: int, random_world: Callable[[int], Any], make_world: Callable[..., Any]
) -> None:
    world = make_world({**random_world(seed).facts, **_facts(random.Random(seed))})
    rows = world.panel("inspections", DATES)
    makers: dict[Any, Row] = {}
    for row in world.shared("market_makers"):
        makers.setdefault((row["as_of"], row["drug_id"]), {})[row["firm_id"]] = row["products"]
    assert rows
    for (t, drug), row in rows.items():
        expected = _reference(world, t, drug, makers.get((t, drug), {}))
        assert {name: row[name] for name in expected} == expected, (t, drug)
        assert row.keys() - {"drug_id", "as_of", "at_risk"} == expected.keys()


def _one_maker(make_world: Callable[..., Any], **facts: list[Row]) -> Any:
    return make_world(
        {
            "drug_products": [
                {
                    "drug_id": "abelum--injection",
                    "application_no": "1",
                    "product_no": "001",
                    "firm_id": "arden",
                    "status": "prescription",
                    "withdrawn": False,
                    "observed_at": date(2016, 1, 1),
                    "known_from": date(2016, 1, 1),
                }
            ],
            **facts,
        }
    )


def _told(firm: str, day: date, known: date, **more: Any) -> Row:
    row = {"firm_id": firm, "event_date": day, "known_from": known, "withdrawn": False}
    return {**row, "source": "made-up", "source_file": "a.csv", "source_row": 1, **more}


T = date(2021, 6, 1)


def test_milder_outcomes_do_not_count(make_world: Callable[..., Any]) -> None:
    inspections = [
        _told("dune", date(2012, 1, 1), date(2012, 4, 1), inspection_id="1", classification="OAI"),
        _told("arden", date(2020, 1, 9), date(2020, 4, 8), inspection_id="2", classification="OAI"),
        _told("arden", date(2021, 1, 9), date(2021, 4, 9), inspection_id="3", classification="VAI"),
        _told("arden", date(2021, 4, 9), date(2021, 7, 8), inspection_id="4", classification="OAI"),
    ]
    world = _one_maker(make_world, firm_inspections=inspections)
    row = world.panel("inspections", [T])[T, "abelum--injection"]
    assert (row["firm_oai_24m"], row["firm_oai_60m"], row["firm_oai_share_24m"]) == (1, 1, 1.0)
    assert row["firm_months_since_oai"] == 16.72
    assert row["firm_labeler_oai_share_24m"] is None, "no labeler is known"
    assert row["firm_letters_24m"] is None, "no letter was ever known"


def test_a_letter_in_both_lists_counts_once(make_world: Callable[..., Any]) -> None:
    day = date(2021, 2, 1)
    action = _told(
        "arden",
        day,
        date(2021, 3, 3),
        case_id="600",
        is_drug=True,
        action_type="Warning Letter",
        legal_name="Arden Works",
    )
    old = {**action, "case_id": "1", "event_date": date(2015, 1, 1)}
    letter = _told(
        "arden",
        day,
        date(2021, 2, 9),
        case_id="600",
        url="letter-600",
        company="Arden",
        issuing_office="Center for Drug Evaluation and Research | CDER",
        subject="CGMP/Finished Pharmaceuticals",
    )
    world = _one_maker(
        make_world,
        firm_actions=[{**old, "known_from": date(2015, 2, 1)}, action],
        firm_letters=[letter],
    )
    row = world.panel("inspections", [T])[T, "abelum--injection"]
    assert (row["firm_letters_24m"], row["firm_letter_share_24m"]) == (1, 1.0)
    assert row["firm_court_actions_60m"] == 0
    said = {r["summary"] for r in world.evidence("inspections", T)}
    assert said == {
        "Warning Letter against the company Arden Works, of 2021-02-01, case 600",
        "Warning Letter to the company Arden, of 2021-02-01, CGMP/Finished Pharmaceuticals",
    }


def test_either_list_of_letters_will_do(make_world: Callable[..., Any]) -> None:
    def letter(day: date, url: str) -> Row:
        subject = "CGMP/Finished Pharmaceuticals"
        return _told("arden", day, day, case_id=None, url=url, company="Arden", subject=subject)

    letters = [letter(date(2019, 1, 5), "one"), letter(date(2021, 3, 5), "two")]
    row = _one_maker(make_world, firm_letters=letters).panel("inspections", [T])[
        T, "abelum--injection"
    ]
    assert row["firm_letters_24m"] == 1
    assert row["firm_court_actions_60m"] is None, "the list of letters tells no court actions"
