"""What is left out of the universe, and the reasons given."""

from __future__ import annotations

import pytest

from shortcast.features.identity.universe import excluded_product, excluded_recall


@pytest.mark.parametrize(
    ("listing", "reason"),
    [
        (("HUMAN OTC DRUG", "OTC MONOGRAPH FINAL"), "sold over the counter only"),
        (("NON-STANDARDIZED ALLERGENIC", "BLA"), "allergen extract"),
        (("HUMAN PRESCRIPTION DRUG", "UNAPPROVED HOMEOPATHIC"), "homeopathic"),
        (("HUMAN PRESCRIPTION DRUG", "UNAPPROVED MEDICAL GAS"), "medical gas"),
        (("HUMAN PRESCRIPTION DRUG", "BLA", "Ragweed Pollen"), "allergen extract"),
        (
            ("HUMAN PRESCRIPTION DRUG", "BLA", "Apple", "INJECTION, SOLUTION", "INTRADERMAL"),
            "allergen extract",
        ),
        (("HUMAN PRESCRIPTION DRUG", "NDA", "Oxygen", "GAS", "RESPIRATORY"), "medical gas"),
        (
            ("HUMAN PRESCRIPTION DRUG", "ANDA", "lidocaine, povidone-iodine", "KIT", ""),
            "convenience kit",
        ),
        (("VACCINE", "BLA"), "vaccine"),
        (("PLASMA DERIVATIVE", "BLA"), "blood product"),
        (("HUMAN COMPOUNDED DRUG LABEL", "OUTSOURCING FACILITY"), "compounder's product"),
        (("HUMAN PRESCRIPTION DRUG", "ANDA", "cisplatin", "INJECTION", "INTRAVENOUS"), None),
        (("HUMAN PRESCRIPTION DRUG", "UNAPPROVED DRUG OTHER", "hyoscyamine", "TABLET"), None),
        (("HUMAN PRESCRIPTION DRUG", "BLA", "adalimumab", "KIT", "SUBCUTANEOUS"), None),
        (("HUMAN PRESCRIPTION DRUG", "NDA", "nitric oxide", "GAS", "RESPIRATORY"), None),
        (("HUMAN PRESCRIPTION DRUG", "ANDA", "ethinyl estradiol", "KIT", ""), None),
    ],
)
def test_products(listing: tuple[str, ...], reason: str | None) -> None:
    assert excluded_product(*listing) == reason


@pytest.mark.parametrize(
    ("recall", "reason"),
    [
        (("Trimix 30/1/10, compounded by Example Pharmacy",), "compounder's product"),
        (("Morphine PCA, 30 mL syringe", "QuVa Pharma, Inc."), "compounder's product"),
        (
            ("Testosterone 200 mg/mL", "Anytown Drugs", "Lot 5; BUD: 10/11/2018"),
            "compounder's product",
        ),
        (("Cold Relief pellets, Potency: 9C, 12C, 30C, OTC",), "homeopathic"),
        (("Stress drops, Rx", "King Bio Inc."), "homeopathic"),
        (("Hand Sanitizer Gel 70%",), "cosmetic or hygiene product"),
        (("Sunrise Sunscreen SPF 30",), "cosmetic or hygiene product"),
        (("Red Bull Power, dietary supplement",), "food supplement"),
        (("Irbesartan active pharmaceutical ingredient in drums",), "bulk ingredient"),
        (("Oxygen, compressed USP, size E cylinder",), "medical gas"),
        (("Aspirin 81 mg, OTC",), "sold over the counter only"),
        (("Ivermectin paste for horses",), "for animals"),
    ],
)
def test_recalls_out_of_the_universe(recall: tuple[str, ...], reason: str) -> None:
    assert excluded_recall(*recall) == reason


@pytest.mark.parametrize(
    "recall",
    [
        ("Cisplatin Injection, 10 x 10 mL vials, Rx only", "Teva Pharmaceuticals USA"),
        ("Losartan Tablets USP 50 mg, 90 tablets, Rx only", "PD-Rx Pharmaceuticals, Inc."),
        ("Amlodipine 5 mg, 100 (10 x 10) unit dose, 300 (10 x 30)", "Mylan Institutional, Inc."),
        ("Tecfidera 240 mg capsule NDC 64406-0006-02", "Kroger Specialty Pharmacy, Inc."),
        ("Hydromorphone Injection, 25 x 1 mL, 50 x 1 mL", "Hospira Inc."),
    ],
)
def test_makers_and_repackagers_stay_in(recall: tuple[str, ...]) -> None:
    assert excluded_recall(*recall) is None
