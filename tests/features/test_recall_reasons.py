"""Categories of recall reasons, on the many ways in which firms and the FDA put them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from shortcast.features.recall_reasons import CATEGORIES, PATTERNS, reason_categories

PHRASES = [
    ("Lack of Assurance of Sterility", {"sterility"}),
    ("Lack of sterility assurance.", {"sterility"}),
    ("LACK OF ASSURANCE STERILITY: loose crimp", {"sterility"}),
    ("Lack of assurance of sterilty", {"sterility"}),
    ("Non-Sterility; mold found in one vial", {"sterility", "microbial"}),
    ("Solutions intended to be sterile were filled on an open bench", {"sterility"}),
    ("Failed media fill on the filling line", {"sterility"}),
    ("High endotoxin result", {"sterility", "microbial"}),
    ("Microbial contamination of sterile products", {"sterility", "microbial"}),
    ("Microbial Contamination of Non-Sterile Products", {"microbial"}),
    ("Product contaminated with Burkholderia cepacia", {"microbial"}),
    ("Reconstituted with Bacteriostatic water by mistake", {"other"}),
    ("Presence of Particulate Matter: glass delamination", {"particulates"}),
    ("Presence of particular matter", {"particulates"}),
    ("presence of paticulate matter", {"particulates"}),
    ("Presence of Foreign Substance(s): blue plastic", {"particulates"}),
    ("Presence of Foriegn Substance", {"particulates"}),
    ("Small metal shavings seen in the suspension", {"particulates"}),
    ("Crystallization", {"particulates"}),
    ("Presence of Precipitate", {"particulates"}),
    ("CGMP Deviations", {"cgmp"}),
    ("cGMPs deviations: no records", {"cgmp"}),
    ("GCMP Deviations", {"cgmp"}),
    ("GMP Deviations and Lack of Assurance of Sterility", {"cgmp", "sterility"}),
    ("Good Manufacturing Practices Deviations", {"cgmp"}),
    ("Lack of Processing Controls", {"cgmp"}),
    ("Subpotent Drug", {"subpotent"}),
    ("Sub-Potent (Single Ingredient) Drug", {"subpotent"}),
    ("sub potent", {"subpotent"}),
    ("Product had low potency", {"subpotent"}),
    ("Superpotent Drug", {"superpotent"}),
    ("Super-Potent Drug: high assay", {"superpotent"}),
    ("Superpotent and Subpotent Drugs", {"superpotent", "subpotent"}),
    ("Failed Impurities/Degradation Specifications", {"impurities", "specifications"}),
    ("Impurties/ Degredation Products", {"impurities"}),
    ("Chemical Contamination: benzene in the propellant", {"impurities"}),
    ("N-Nitrosodimethylamine (NDMA) above the limit", {"impurities", "nitrosamine"}),
    ("CGMP Deviations: NDEA found in the API", {"cgmp", "impurities", "nitrosamine"}),
    ("A nitrosamine was detected", {"impurities", "nitrosamine"}),
    ("Penicillin Cross Contamination", {"cross_contamination"}),
    ("Cross-contamination with other products", {"cross_contamination"}),
    ("cross- contamination with other products", {"cross_contamination"}),
    ("Labeling: Not Elsewhere Classified", {"labeling"}),
    ("Labelling: wrong strength", {"labeling"}),
    ("Mislabeling", {"labeling"}),
    ("Labeling: Label Mix-Up", {"labeling", "mix_up"}),
    ("Incorrect expiration date", {"labeling"}),
    ("Incorrect/Undeclared Excipient", {"labeling"}),
    ("Presence of Foreign Tablets/Capsules", {"mix_up"}),
    ("Correct Labeled Product Mispack", {"mix_up"}),
    ("Contraceptive Tablets Out of Sequence", {"mix_up"}),
    ("Failed Dissolution Specifications", {"specifications"}),
    ("Stability Data Does Not Support Expiry", {"specifications"}),
    ("Discoloration", {"specifications"}),
    ("OOS result for pH", {"specifications"}),
    ("Defective Container: leaking bags", {"container"}),
    ("Short Fill", {"container"}),
    ("Temperature Abuse", {"temperature"}),
    ("Marketed Without An Approved NDA/ANDA", {"unapproved"}),
    ("Marked without an Approved ANDA/NDA: tainted", {"unapproved"}),
    ("Incorrect Product Formulation", {"other"}),
]


@pytest.mark.parametrize(("text", "expected"), PHRASES, ids=[text for text, _ in PHRASES])
def test_a_reason_falls_in_its_categories(text: str, expected: set[str]) -> None:
    assert reason_categories(text) == expected


@pytest.mark.parametrize("text", [None, "", "  "])
def test_no_reason_given_is_no_category(text: str | None) -> None:
    assert reason_categories(text) == frozenset()


def test_every_category_is_reached_by_a_phrase() -> None:
    assert set().union(*(expected for _, expected in PHRASES)) == set(CATEGORIES)


def _categories_in_sql(texts: list[str]) -> list[set[str]]:
    """Match the patterns in DuckDB, as a query of a feature group would."""
    with duckdb.connect() as connection:
        connection.register("reasons", pd.DataFrame({"n": range(len(texts)), "text": texts}))
        flags = ", ".join(
            f"regexp_matches(text, '{pattern}', 'i') AS {name}"
            for name, pattern in PATTERNS.items()
        )
        rows = connection.execute(f"SELECT {flags} FROM reasons ORDER BY n").fetchall()
    return [
        {name for name, hit in zip(PATTERNS, row, strict=True) if hit} or {"other"} for row in rows
    ]


def test_sql_and_python_agree() -> None:
    assert _categories_in_sql([text for text, _ in PHRASES]) == [
        expected for _, expected in PHRASES
    ]


@pytest.mark.records
def test_few_real_reasons_are_unknown(records_dir: Path) -> None:
    path = records_dir / "openfda_enforcement/2023-08-05/drug-enforcement-0001-of-0001.json.zip"
    with zipfile.ZipFile(path) as bundle:
        results = json.loads(bundle.read(bundle.namelist()[0]))["results"]
    texts = [record["reason_for_recall"] for record in results]
    distinct = sorted(set(texts))
    found = {text: reason_categories(text) for text in distinct}
    share_other = sum(found[text] == {"other"} for text in texts) / len(texts)
    share_sterility = sum("sterility" in found[text] for text in texts) / len(texts)
    assert share_other < 0.03
    # "Lack of assurance of sterility" alone heads more than a third of all reports.
    assert 0.33 < share_sterility < 0.40
    assert _categories_in_sql(distinct) == [found[text] for text in distinct]
