"""Precision of the joins on randomly drawn pairs that were each read and judged by hand.

The verdicts stand in ``data/``; these tests run the rules again on the same texts, so a rule that
drifts away from what was judged shows up as a pair without a verdict.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from shortcast.features.identity.drugs import (
    Drug,
    from_canada,
    from_generic_name,
    from_product,
    from_recall_text,
    from_uk_product,
)
from shortcast.features.identity.firms import FUZZY_THRESHOLD, FirmMatcher
from shortcast.features.identity.products import find_ndcs

DATA = Path(__file__).parent / "data"
LEAST_PRECISION = 0.97
FEWEST_PAIRS = 150


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _link_drug(row: dict[str, str]) -> Drug | None:
    fields = row["text"].split(" | ")
    match row["source"]:
        case "fda_shortages":
            return from_generic_name(*fields)
        case "ndc_directory":
            return from_product(*fields)
        case "drugsatfda" | "orange_book":
            return from_product(fields[0], "", fields[1], "")
        case "canada_shortages":
            return from_canada(*fields)
        case "uk_price_concessions":
            return from_uk_product(*fields)
    raise AssertionError(f"unknown source {row['source']}")


def _link_recall(row: dict[str, str]) -> Drug | None:
    if row["method"] == "text":
        return from_recall_text(row["text"])
    assert row["product_key"] in {ndc.product_key for ndc in find_ndcs(row["text"])}
    return from_product(*row["listing"].split(" | "))


def _check(links: list[tuple[str | None, dict[str, str]]], key: str) -> None:
    assert len(links) >= FEWEST_PAIRS
    right = sum(row["verdict"] == "right" for _, row in links)
    unjudged = [(found, row[key]) for found, row in links if found != row[key]]
    assert unjudged == []
    assert right / len(links) >= LEAST_PRECISION


def test_drug_links_are_right_in_97_of_100_cases() -> None:
    links = [(_link_drug(row), row) for row in _rows("drug_links")]
    _check([(drug and drug.drug_id, row) for drug, row in links], "drug_id")


def test_recall_links_are_right_in_97_of_100_cases() -> None:
    links = [(_link_recall(row), row) for row in _rows("recall_links")]
    _check([(drug and drug.drug_id, row) for drug, row in links], "drug_id")


def test_firm_links_are_right_in_97_of_100_cases() -> None:
    rows = _rows("firm_links")
    matcher = FirmMatcher(row["known_name"] for row in rows)
    _check([(matcher.match(row["name"]).firm_id, row) for row in rows], "firm_id")


def test_every_wrong_verdict_says_why() -> None:
    for name in ("drug_links", "recall_links", "firm_links"):
        for row in _rows(name):
            assert row["verdict"] in {"right", "wrong"}
            assert row["verdict"] == "right" or row["note"], row


@pytest.mark.parametrize(
    ("low", "high", "least", "most"),
    [(FUZZY_THRESHOLD, 101, 0.97, 1.0), (92, FUZZY_THRESHOLD, 0.0, 0.5), (0, 92, 0.0, 0.1)],
)
def test_the_fuzzy_threshold_parts_same_from_other_firms(
    low: float, high: float, least: float, most: float
) -> None:
    verdicts = [
        row["same_firm"] == "yes"
        for row in _rows("firm_fuzzy")
        if low <= float(row["score"]) < high
    ]
    assert len(verdicts) >= 10
    assert least <= sum(verdicts) / len(verdicts) <= most
