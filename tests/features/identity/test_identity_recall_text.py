"""Recalled products, read from free text: rather nothing than the wrong drug."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcast.features.identity.drugs import from_recall_text
from shortcast.features.identity.recall_text import ingredients_from_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Metformin Hydrochloride Extended-Release Tablets, USP, 500 mg, 100 Tablets, Rx only",
            "metformin--oral-solid",
        ),
        ("VENLAFAXINE HCL, Tablet, 75 mg, Rx only, Distributed by: X", "venlafaxine--oral-solid"),
        ("Bactroban Cream (mupirocin calcium), 2%, a) 15g tube", "mupirocin--topical"),
        ("Levoxyl (levothyroxine sodium) tablets, USP 137 mcg", "levothyroxine--oral-solid"),
        (
            "Levetiracetam in 0.54% Sodium Chloride Injection, 1,500 mg per 100 mL",
            "levetiracetam--injection",
        ),
        (
            "Potassium Chloride in 5% Dextrose and 0.45% Sodium Chloride Injection, USP, 1000 mL",
            "dextrose+potassium-chloride+sodium-chloride--injection",
        ),
        (
            "Lactated Ringer's and 5% Dextrose Injection, USP, 1000 mL flexible container",
            (
                "calcium-chloride+dextrose+potassium-chloride+sodium-chloride+sodium-lactate"
                "--injection"
            ),
        ),
        (
            "Derma-Smoothe/FS fluocinolone acetonide 0.01% Topical Oil (Scalp Oil), 4 fl. oz.",
            "fluocinolone-acetonide--topical",
        ),
        (
            "Aspirin and Extended-release Dipyridamole Capsules, 25 mg/200 mg",
            "aspirin+dipyridamole--oral-solid",
        ),
        ("Alprazolam C-IV, 1 mg, packaged in a) 30 Tabs per bottle", "alprazolam--oral-solid"),
        (
            "Amlodipine/Valsartan HCTZ 10 mg/320 mg/25 mg tablets, HDPE 90 cc bottles",
            "amlodipine+hydrochlorothiazide+valsartan--oral-solid",
        ),
        ("Tacrolimus Ointment, 0.1%, Not for Ophthalmic Use, 30 g tube", "tacrolimus--topical"),
        ("Leucovorin Calcium Injection USP, single use vials, 10mg/mL", "leucovorin--injection"),
        ("Azelastine HCl Nasal Solution, 0.1 %, 30 mL bottle", "azelastine--other"),
        ("Chlorhexidine Gluconate 0.12% Oral Rinse, USP, 1 Pint", "chlorhexidine--other"),
    ],
)
def test_texts_of_many_styles(text: str, expected: str) -> None:
    drug = from_recall_text(text)
    assert drug is not None
    assert drug.drug_id == expected


@pytest.mark.parametrize(
    "text",
    [
        "Quuxidine Hydrochloride Tablets, 5 mg",
        "Atorvstatyn Calcium Tablets, USP 80 mg",
        "Sterile Diluent for Epoprostenol Sodium for Injection, 50 mL vial",
        "First aid kit with ibuprofen tablets, aspirin tablets and bandages",
        "All sterile products",
        "",
    ],
)
def test_what_is_not_understood_stays_open(text: str) -> None:
    assert from_recall_text(text) is None


def test_a_second_ingredient_in_the_text_leaves_the_drug_open() -> None:
    assert from_recall_text("Lidocaine Ointment 5%, co-packed with prilocaine cream") is None


def test_ingredients_count_even_where_the_form_is_not_told() -> None:
    text = "Ondansetron HCl all strengths, all dosage forms and all packaging, Rx Only"
    assert ingredients_from_text(text) == ("ondansetron",)
    assert from_recall_text(text) is None


@given(st.text())
def test_any_text_is_read_without_error(text: str) -> None:
    drug = from_recall_text(text)
    assert drug is None or ingredients_from_text(text)
