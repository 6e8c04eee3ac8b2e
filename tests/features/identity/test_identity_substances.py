"""Ingredients of a list or a name, without salts and in one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcast.features.identity.substances import ingredients, known_ingredients


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LOSARTAN POTASSIUM", ("losartan",)),
        ("METOPROLOL SUCCINATE", ("metoprolol",)),
        ("AMLODIPINE BESYLATE; BENAZEPRIL HYDROCHLORIDE", ("amlodipine", "benazepril")),
        ("Levocetirizine Dihydrochloride Tablets", ("levocetirizine",)),
        ("CEFUROXIME AXETIL", ("cefuroxime",)),
        ("Olmesartan Medoxomil and Hydrochlorothiazide", ("hydrochlorothiazide", "olmesartan")),
        ("ATORVASTATIN CALCIUM TRIHYDRATE", ("atorvastatin",)),
        ("Erythromycin Ethylsuccinate Powder for Suspension", ("erythromycin",)),
        ("lisdexamfetamine dimesylate", ("lisdexamfetamine",)),
    ],
)
def test_salts_go(text: str, expected: tuple[str, ...]) -> None:
    assert ingredients(text) == expected


@pytest.mark.parametrize(
    "name",
    [
        "sodium chloride",
        "potassium chloride",
        "calcium gluconate",
        "sodium bicarbonate",
        "magnesium sulfate",
        "lithium carbonate",
        "zinc sulfate",
        "ammonium chloride",
        "silver nitrate",
        "barium sulfate",
        "ferrous fumarate",
        "sodium fluoride",
        "calcium acetate",
        "zinc oxide",
        "benzoyl peroxide",
        "methyl salicylate",
        "dimethyl fumarate",
        "nitrous oxide",
        "penicillin g benzathine",
        "tenofovir alafenamide",
        "edetate calcium disodium",
        "vitamin a",
        "polyethylene glycol 3350",
        "sodium iodide i-131",
    ],
)
def test_a_salt_that_is_the_drug_stays(name: str) -> None:
    assert ingredients(name.upper()) == (name,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aciclovir", "acyclovir"),
        ("Paracetamol", "acetaminophen"),
        ("SALBUTAMOL SULPHATE", "albuterol"),
        ("cefalexin", "cephalexin"),
        ("ciclosporin", "cyclosporine"),
        ("adrenaline", "epinephrine"),
        ("Noradrenaline", "norepinephrine"),
        ("furosemide", "furosemide"),
        ("frusemide", "furosemide"),
        ("glibenclamide", "glyburide"),
        ("rifampicin", "rifampin"),
        ("suxamethonium chloride", "succinylcholine"),
        ("isoprenaline", "isoproterenol"),
        ("amoxicilline", "amoxicillin"),
        ("Acide acétylsalicylique", "aspirin"),
        ("sodium valproate", "valproic acid"),
        ("alendronic acid", "alendronate"),
        ("Oxalaplatin", "oxaliplatin"),
    ],
)
def test_international_names_become_us_names(text: str, expected: str) -> None:
    assert ingredients(text) == (expected,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Risankizumab-rzaa Injection", ("risankizumab",)),
        ("insulin glargine-yfgn", ("insulin glargine",)),
        ("pegfilgrastim-jmdb", ("pegfilgrastim",)),
        ("interferon beta-1a", ("interferon beta-1a",)),
        ("Omega-3-Acid Ethyl Esters", ("omega-3-acid ethyl esters",)),
    ],
)
def test_biosimilar_suffixes_go_and_other_hyphens_stay(
    text: str, expected: tuple[str, ...]
) -> None:
    assert ingredients(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Technetium Tc99m Succimer Injection (DMSA)", ("succimer",)),
        ("technetium tc-99m sestamibi kit", ("sestamibi",)),
        ("Fludeoxyglucose F-18", ("fludeoxyglucose",)),
        ("LUTETIUM DOTATATE LU-177", ("lutetium lu-177 dotatate",)),
        ("Lutetium Lu 177 Dotatate (LUTATHERA) Injection", ("lutetium lu-177 dotatate",)),
        ("PANCRELIPASE (AMYLASE;LIPASE;PROTEASE)", ("pancrelipase",)),
        ("Ampicillin for Injection, USP (Preservative-Free)", ("ampicillin",)),
        ("INSULIN RECOMBINANT HUMAN", ("insulin human",)),
        (
            "ZINC SULFATE; CUPRIC SULFATE; SELENIOUS ACID; MANGANESE SULFATE",
            ("trace elements",),
        ),
        (
            "ASCORBIC ACID; FOLIC ACID; NIACINAMIDE; RIBOFLAVIN; SODIUM FLUORIDE",
            ("multivitamin", "sodium fluoride"),
        ),
        ("", ()),
        ("Injection, USP 5%", ()),
    ],
)
def test_lists_and_names_of_many_styles(text: str, expected: tuple[str, ...]) -> None:
    assert ingredients(text) == expected


def test_names_side_by_side_are_parted_only_where_every_word_is_known() -> None:
    assert known_ingredients("ARTICAINE HYDROCHLORIDE EPINEPHRINE") == ("articaine", "epinephrine")
    assert known_ingredients("ARTICAINE HYDROCHLORIDE QUUXIDINE") == ()


def test_a_salt_alone_names_no_drug() -> None:
    assert known_ingredients("calcium") == ()


@given(st.text())
def test_reading_the_result_again_gives_the_result(text: str) -> None:
    found = ingredients(text)
    assert ingredients(" and ".join(found)) == found


NAMES = st.sampled_from(
    [
        "losartan",
        "potassium",
        "chloride",
        "sodium phosphate",
        "dibasic",
        "anhydrous",
        "vitamin",
        "a",
        "b12",
        "technetium",
        "tc-99m",
        "kit",
        "estrogens",
        "conjugated",
        "synthetic",
        "human",
        "insulin",
        "alanine",
        "glycine",
        "leucine",
        "valine",
        "lysine acetate",
        "zinc sulfate",
        "cupric sulfate",
        "selenious acid",
        "ethinyl estradiol",
        "ferrous fumarate",
        "f-18",
        "l-",
        "dl-alpha",
        "polyethylene glycol",
        "3350",
        "adalimumab-abcd",
        "5%",
        "10 mg",
        "(x)",
        "usp",
    ]
)
JOINTS = st.sampled_from([" ", "; ", ", ", " and ", "/", " with ", ", and ", " + "])


@given(st.lists(st.tuples(NAMES, JOINTS), max_size=9))
def test_reading_names_of_the_trade_again_gives_the_same(pieces: list[tuple[str, str]]) -> None:
    found = ingredients("".join(name + joint for name, joint in pieces))
    assert found == tuple(sorted(set(found)))
    assert ingredients(" and ".join(found)) == found
