"""Firms: one name for a company, and matching that knows nothing but what it is given."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcast.features.identity.firms import FirmMatcher, firm_id, normalise_firm


@pytest.mark.parametrize(
    "names",
    [
        [
            "Hospira, Inc.",
            "HOSPIRA INC",
            "Hospira Worldwide, Inc.",
            "Hospira, Inc., a Pfizer Company",
        ],
        ["Fresenius Kabi USA, LLC", "FRESENIUS KABI USA LLC", "APP Pharmaceuticals, LLC"],
        [
            "Teva Pharmaceuticals USA",
            "TEVA PHARMS USA INC",
            "Teva Pharmaceutical Industries Ltd.",
            "Teva Parenteral Medicines, Inc.",
            "Teva North America",
        ],
        [
            "Hikma Pharmaceuticals USA, Inc. (formerly West-Ward)",
            "West-Ward Pharmaceuticals Corp.",
            "HIKMA FARMACEUTICA SA",
        ],
        ["Dr. Reddy's Laboratories, Inc.", "DR REDDYS LABORATORIES LTD", "Dr.Reddy's Labs Limited"],
        ["Amphastar Pharmaceuticals, Inc./IMS", "International Medication Systems, Limited"],
        ["American Regent/Luitpold", "Luitpold Pharmaceuticals, Inc.", "American Regent, Inc."],
        ["B. Braun Medical Inc.", "B BRAUN MEDICAL INC"],
        ["Merck Sharp & Dohme Corp.", "MERCK SHARP AND DOHME CORP A SUB OF MERCK AND CO INC"],
        ["Novo Nordisk A/S", "NOVO NORDISK INC"],
        ["The Harvard Drug Group LLC dba Major Pharmaceuticals", "Harvard Drug Group, LLC"],
        ["Baxter Healthcare Corporation", "Baxter Healthcare"],
    ],
)
def test_names_of_one_company_have_one_id(names: list[str]) -> None:
    assert len({firm_id(name) for name in names}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Eagle Pharmaceuticals, Inc.", "Eagle Laboratories"),
        ("American Regent", "American Health Packaging"),
        ("Cadila Healthcare Limited", "Cadila Pharmaceuticals Ltd"),
        ("Merck & Co., Inc.", "Merck KGaA"),
        ("Spectrum Pharmaceuticals", "Spectrum Laboratory Products"),
        ("United Therapeutics", "United Laboratories"),
        ("Sun Pharmaceutical Industries", "Sunovion Pharmaceuticals"),
        ("International Laboratories, LLC", "National Laboratories, LLC"),
    ],
)
def test_different_companies_stay_apart(one: str, other: str) -> None:
    assert firm_id(one)
    assert firm_id(one) != firm_id(other)


def test_an_acquisition_holds_from_its_day_on() -> None:
    assert firm_id("Hospira, Inc.", date(2015, 9, 2)) == "hospira"
    assert firm_id("Hospira, Inc.", date(2015, 9, 3)) == "pfizer"
    assert firm_id("Hospira, Inc.") == "hospira"


def test_acquisitions_follow_one_another() -> None:
    assert firm_id("Watson Laboratories Inc", date(2012, 1, 1)) == "actavis"
    assert firm_id("Watson Laboratories Inc", date(2017, 1, 1)) == "teva"
    assert firm_id("Forest Laboratories", date(2014, 7, 1)) == "actavis"
    assert firm_id("Forest Laboratories", date(2017, 1, 1)) == "allergan"


def test_what_was_bought_within_the_records_is_no_other_name_of_the_buyer() -> None:
    # Else the makers of 2015 would be counted as only those of 2016 could be.
    assert firm_id("Qualitest") == firm_id("Vintage Pharmaceuticals") != firm_id("Par")
    assert firm_id("Qualitest", date(2015, 9, 24)) == "qualitest"
    assert firm_id("Qualitest", date(2015, 9, 25)) == "endo"
    assert firm_id("CorePharma") != firm_id("Impax Laboratories")


@pytest.mark.parametrize("name", ["", "   ", "...", "(formerly)"])
def test_a_name_without_letters_is_no_firm(name: str) -> None:
    assert firm_id(name) == ""


@given(st.text())
def test_normalising_again_changes_nothing(name: str) -> None:
    once = normalise_firm(name)
    assert normalise_firm(once) == once


@given(
    st.lists(
        st.sampled_from(
            [
                "Alpha",
                "Quux",
                "Pharmaceuticals",
                "Labs",
                "USA",
                "Inc.",
                "LLC",
                "dba",
                "a division of",
                "&",
                "Co",
                "(formerly Zed)",
                "/",
                "International",
                "the",
                "unit 2",
                ";",
                "Health",
            ]
        ),
        max_size=7,
    ).map(" ".join)
)
def test_normalising_names_of_the_trade_again_changes_nothing(name: str) -> None:
    once = normalise_firm(name)
    assert normalise_firm(once) == once


MADE_UP = [
    "Quuxby Pharmaceuticals, Inc.",
    "Zandrell Laboratories LLC",
    "Orbivanta Biosciences Corp",
]


@pytest.mark.parametrize(
    ("name", "how", "found"),
    [
        ("Quuxby Pharmaceuticals, Inc.", "exact", "quuxby"),
        ("quuxby pharmaceuticals, inc. ", "exact", "quuxby"),
        ("QUUXBY PHARMS USA", "rule", "quuxby"),
        ("Zand Rell Labs", "rule", "zandrell"),
        ("Orbivanta Bioscience", "rule", "orbivanta-bioscience"),
        ("Orbivamta Biosciences", "none", None),
        ("Somebody Else Ltd", "none", None),
        ("", "none", None),
    ],
)
def test_matching_is_exact_then_by_rule(name: str, how: str, found: str | None) -> None:
    match = FirmMatcher(MADE_UP).match(name)
    assert (match.how, match.firm_id) == (how, found)


def test_a_misspelt_long_name_is_matched_by_likeness() -> None:
    matcher = FirmMatcher(["Grandmontane Consumer Remedies Holdings", "Zandrell Laboratories"])
    match = matcher.match("Grandmontane Consmer Remedies")
    assert (match.how, match.firm_id) == ("fuzzy", "grandmontane-consumer-remedies")
    assert match.name == "Grandmontane Consumer Remedies Holdings"
    assert match.score >= 96


def test_a_name_as_near_to_two_firms_is_left_open() -> None:
    matcher = FirmMatcher(
        ["Grandmontane Consumer Remedies North", "Grandmontane Consumer Remedies Morth"]
    )
    match = matcher.match("Grandmontane Consumer Remedies Xorth")
    assert (match.how, match.firm_id) == ("ambiguous", None)


def test_a_match_depends_only_on_the_names_passed_in() -> None:
    name = "Grandmontane Consmer Remedies"
    assert FirmMatcher(["Zandrell Laboratories"]).match(name).firm_id is None
    known = ["Grandmontane Consumer Remedies", *MADE_UP]
    assert FirmMatcher(known).match(name) == FirmMatcher(reversed(known)).match(name)
