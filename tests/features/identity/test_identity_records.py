"""Coverage of the joins on the real public records."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.identity.drugs import (
    Drug,
    from_generic_name,
    from_product,
    from_recall_text,
)
from shortcast.features.identity.firms import firm_id
from shortcast.features.identity.products import find_ndcs, parse_ndc
from shortcast.features.identity.recall_text import ingredients_from_text
from shortcast.features.identity.universe import excluded_product, excluded_recall

pytestmark = [pytest.mark.records, pytest.mark.slow]


def _read(records_dir: Path, source: str) -> dict[str, pd.DataFrame]:
    """All snapshots of a source, their rows one below the other, by table."""
    module = import_module(f"shortcast.features.sources.{source}")
    frames: dict[str, list[pd.DataFrame]] = defaultdict(list)
    for folder in sorted((records_dir / source).iterdir()):
        reading = module.SOURCE.read(sorted(folder.iterdir()), date.fromisoformat(folder.name))
        for name, frame in reading.tables.items():
            frames[name].append(frame)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}


def _text(frame: pd.DataFrame, *columns: str) -> list[tuple[str, ...]]:
    return list(frame[list(columns)].fillna("").astype(str).itertuples(index=False, name=None))


def _ids(drugs: list[Drug | None]) -> list[str]:
    return [drug.drug_id if drug else "" for drug in drugs]


@pytest.fixture(scope="module")
def directory(records_dir: Path) -> pd.DataFrame:
    """Human prescription drugs of the NDC directory that are in the universe, with drug_id."""
    products = _read(records_dir, "ndc_directory")["ndc_products"]
    scope = _text(
        products,
        "product_type",
        "marketing_category",
        "nonproprietary_name",
        "dosage_form",
        "route",
    )
    products = products[[excluded_product(*row) is None for row in scope]]
    listings = _text(products, "substance_name", "nonproprietary_name", "dosage_form", "route")
    return products.assign(drug_id=_ids([from_product(*row) for row in listings]))


@pytest.fixture(scope="module")
def approved(records_dir: Path) -> pd.DataFrame:
    """Products of the Orange Book and of Drugs@FDA: application number, holder and drug_id."""
    book = _read(records_dir, "orange_book")["orange_book_products"]
    site = _read(records_dir, "drugsatfda")["drugsatfda_products"]
    drugs = [
        *(
            from_product(a, "", b, c)
            for a, b, c in _text(book, "ingredient", "dosage_form", "route")
        ),
        *(from_product(a, "", b, "") for a, b in _text(site, "active_ingredient", "form")),
    ]
    return pd.DataFrame(
        {
            "application_no": [*book["application_no"], *site["application_no"]],
            "holder": [
                *book["applicant_full_name"].fillna(book["applicant"]),
                *site["sponsor"].fillna(""),
            ],
            "drug_id": _ids(drugs),
        }
    )


@pytest.fixture(scope="module")
def shortages(records_dir: Path) -> pd.DataFrame:
    listings = _read(records_dir, "fda_shortages")["shortage_listings"]
    return listings[listings["status"].isin(["Current", "Resolved"])]


def test_the_universe_has_about_three_thousand_drugs(
    directory: pd.DataFrame, approved: pd.DataFrame
) -> None:
    assert 2_300 <= directory["drug_id"].nunique() <= 2_800
    assert (directory["drug_id"] == "").mean() < 0.001
    assert (approved["drug_id"] == "").mean() < 0.001


def test_one_application_gives_one_drug_in_both_lists(
    directory: pd.DataFrame, approved: pd.DataFrame
) -> None:
    by_application = approved.groupby("application_no")["drug_id"].agg(set).to_dict()
    numbers = directory["application_number"].str.extract(r"^(?:NDA|ANDA|BLA|BN)(\d+)$")[0]
    known = [
        drug in by_application[number]
        for number, drug in zip(numbers.str.zfill(6), directory["drug_id"], strict=True)
        if number in by_application
    ]
    assert len(known) > 40_000
    assert sum(known) / len(known) > 0.99


def test_shortage_rows_reach_a_drug_of_the_catalogue(
    shortages: pd.DataFrame, directory: pd.DataFrame, approved: pd.DataFrame
) -> None:
    catalogue = {*directory["drug_id"], *approved["drug_id"]} - {""}
    rows = _text(shortages, "generic_name", "presentation")
    reached = [drug in catalogue for drug in _ids([from_generic_name(*row) for row in rows])]
    assert len(reached) > 2_000
    assert sum(reached) / len(reached) >= 0.98


def test_shortage_companies_reach_a_firm(
    shortages: pd.DataFrame, directory: pd.DataFrame, approved: pd.DataFrame
) -> None:
    known = {firm_id(name) for name in {*directory["labeler_name"], *approved["holder"]}}
    companies = shortages["company_name"].fillna("")
    assert companies.map(lambda name: firm_id(name) in known).mean() >= 0.95


def test_recalls_reach_a_drug_or_an_ingredient(records_dir: Path, directory: pd.DataFrame) -> None:
    recalls = _read(records_dir, "openfda_enforcement")["recalls"].drop_duplicates("recall_number")
    scope = _text(recalls, "product_description", "recalling_firm", "code_info")
    recalls = recalls[[excluded_recall(*row) is None for row in scope]]
    by_key = dict(
        zip(
            [parse_ndc(text).product_key for text in directory["product_ndc"].astype(str)],
            directory["drug_id"],
            strict=True,
        )
    )
    prescription = drug = ingredient = agreeing = both = 0
    for text, lots in _text(recalls, "product_description", "code_info"):
        listed = {
            by_key[ndc.product_key]
            for ndc in find_ndcs(f"{text} | {lots}")
            if ndc.product_key in by_key
        }
        if not listed and "rx" not in text.lower():
            continue
        read = from_recall_text(text)
        prescription += 1
        drug += bool(listed or read)
        ingredient += bool(listed or ingredients_from_text(text))
        if len(listed) == 1 and read:
            both += 1
            agreeing += read.drug_id in listed
    assert prescription > 4_000
    assert drug / prescription >= 0.60
    assert ingredient / prescription >= 0.75
    # The text and the code in it are two ways to the same drug.
    assert agreeing / both >= 0.97
