"""Invented names: distinct, repeatable, and never those of a real drug or firm."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from shortcast.features.identity.drugs import from_generic_name
from shortcast.features.identity.firms import firm_id
from shortcast.features.identity.substances import KNOWN
from shortcast.features.simulated.names import (
    FIRM_WORDS,
    INGREDIENT_ENDINGS,
    MOST_DRUGS,
    brand_names,
    firm_names,
    ingredient_names,
)

WELL_KNOWN = {"aspirin", "warfarin", "cisplatin", "metformin", "heparin", "pfizer", "lipitor"}


def test_names_are_distinct_and_do_not_depend_on_how_many() -> None:
    names = ingredient_names(7, MOST_DRUGS)
    assert len(set(names)) == MOST_DRUGS
    assert ingredient_names(7, 40) == names[:40]
    assert ingredient_names(8, 40) != names[:40]


def test_no_name_is_that_of_a_known_drug() -> None:
    names = set(ingredient_names(1, MOST_DRUGS))
    assert not names & (KNOWN | WELL_KNOWN)
    assert not any(name.endswith(INGREDIENT_ENDINGS) for name in KNOWN | WELL_KNOWN)


def test_the_identity_rules_read_an_invented_name_as_one_ingredient() -> None:
    for name in ingredient_names(1, 500):
        drug = from_generic_name(f"{name.title()} Hydrochloride Injection")
        assert drug is not None
        assert drug.drug_id == f"{name}--injection"


def test_firms_say_that_they_are_made_up_and_stay_apart_when_normalised() -> None:
    names = firm_names(1, 2000)
    assert all(name.split()[-1] in FIRM_WORDS for name in names)
    assert len({firm_id(f"{name}, Inc.") for name in names}) == 2000


@pytest.mark.slow
@pytest.mark.records
def test_no_name_occurs_in_the_real_records(real_home: Path) -> None:
    with duckdb.connect(str(real_home / "warehouse.duckdb"), read_only=True) as connection:
        drugs = connection.execute("SELECT DISTINCT ingredient_key FROM drugs").fetchall()
        firms = connection.execute(
            "SELECT DISTINCT legal_name FROM inspections UNION "
            "SELECT DISTINCT company_name FROM shortage_postings UNION "
            "SELECT DISTINCT recalling_firm FROM recalls"
        ).fetchall()
        brands = connection.execute(
            "SELECT DISTINCT trade_name FROM orange_book_products"
        ).fetchall()
    real = {part for (key,) in drugs for part in key.split("+")}
    assert len(real) > 1000
    assert not any(name.endswith(INGREDIENT_ENDINGS) for name in real)
    real_firms = {firm_id(name) for (name,) in firms if name}
    assert not real_firms & {firm_id(name) for name in firm_names(1, 20_000)}
    real_brands = {name.lower() for (name,) in brands if name}
    assert not real_brands & {name.lower() for name in brand_names(1, 20_000)}
