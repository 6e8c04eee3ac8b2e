"""Drugs: one slug for one set of ingredients and one form group, whoever names them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcast.errors import ShortcastError
from shortcast.features.identity.drugs import (
    drug_id,
    from_canada,
    from_generic_name,
    from_product,
    from_uk_product,
)
from shortcast.features.identity.forms import FORM_GROUPS

SLUG = re.compile(r"[a-z0-9]+(?:[-+][a-z0-9]+)*--(?:" + "|".join(FORM_GROUPS) + ")")


def _generic(name: str, presentation: str = "") -> str | None:
    drug = from_generic_name(name, presentation)
    return drug.drug_id if drug else None


def _product(substance: str, form: str, route: str = "", name: str = "") -> str | None:
    drug = from_product(substance, name, form, route)
    return drug.drug_id if drug else None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Cisplatin Injection", "Cisplatin Injection, USP", "Cisplatin"], "cisplatin--injection"),
        (
            ["Atropine Sulfate Injection", "Atropine Injection", "ATROPINE SULFATE (new style)"],
            "atropine--injection",
        ),
        (
            ["Dextrose 5% Injection Bags", "Dextrose 5per Injection Bags", "Dextrose Injection"],
            "dextrose--injection",
        ),
        (
            [
                "Sodium Chloride 0.9% Injection Bags",
                "Sodium Chloride 0.9chr(37) Injection Bags",
                "Sodium Chloride Injection USP, 0.9% Vials and Syringes",
                "Sodium Chloride 23.4% Injection",
                "Bacteriostatic 0.9% Sodium Chloride Injection",
            ],
            "sodium-chloride--injection",
        ),
        (
            [
                "Lidocaine Hydrochloride (Xylocaine) Injection",
                "Lidocaine HCl Injection",
                "Lidocaine Hydrochloride (Xylocaine) and Dextrose Injection Solution-Premix Bags",
            ],
            "lidocaine--injection",
        ),
        (
            [
                "Lidocaine Hydrochloride (Xylocaine) Injection with Epinephrine",
                "Epinephrine Bitartrate, Lidocaine Hydrochloride Injection",
            ],
            "epinephrine+lidocaine--injection",
        ),
        (
            ["Amino Acids", "Amino Acid Injection", "Amino Acids Injection"],
            "amino-acids--injection",
        ),
        (
            ["IV Fat Emulsion", "Lipid Injection", "Intravenous Fat Emulsion Injection"],
            "lipid-emulsion--injection",
        ),
        (
            ["Multi-Vitamin Infusion (Adult and Pediatric)", "Multi-Vitamin Infusion"],
            "multivitamin--injection",
        ),
        (
            ["Sterile Water", "Sterile Water for Injection", "Sterile Water Injection"],
            "water--injection",
        ),
        (
            ["Potassium Phosphate Injection", "Potassium Phosphates Injection"],
            "potassium-phosphate--injection",
        ),
        (
            [
                "Ceftazidime and Avibactam (AVYCAZ®) for Injection, 2 grams/0.5 grams",
                "AVYCAZ® (ceftazidime and avibactam) for Injection, 2 grams/0.5 grams",
            ],
            "avibactam+ceftazidime--injection",
        ),
        (
            [
                (
                    "Amphetamine Aspartate; Amphetamine Sulfate; Dextroamphetamine Saccharate; "
                    "Dextroamphetamine Sulfate Tablets"
                ),
                (
                    "Dextroamphetamine Saccharate, Amphetamine Aspartate Monohydrate, "
                    "Dextroamphetamine Sulfate and Amphetamine Sulfate Tablets"
                ),
            ],
            "amphetamine+dextroamphetamine--oral-solid",
        ),
        (["Lanoxin (digoxin) Tablets", "Digoxin Tablets"], "digoxin--oral-solid"),
        (["Coumadin Tablets", "Warfarin Sodium Tablets"], "warfarin--oral-solid"),
        (
            ["Rifampin/Isoniazid (Rifamate) Capsules", "Isoniazid; Rifampin Capsules"],
            "isoniazid+rifampin--oral-solid",
        ),
        (
            ["Carisoprodol, Aspirin, and Codeine Phosphate Tablets USP"],
            "aspirin+carisoprodol+codeine--oral-solid",
        ),
        (
            [
                "Norethindrone and Ethinyl Estradiol and Ferrous Fumarate Tablets",
                "Norethindrone Acetate/Ethinyl Estradiol/Ferrous Fumarate Kit",
                "Norethindrone and Ethinyl Estradiol Tablets",
            ],
            "ethinyl-estradiol+norethindrone--oral-solid",
        ),
    ],
)
def test_renamed_generics_are_the_same_drug(names: list[str], expected: str) -> None:
    presentation = "10 mL vial"
    assert {_generic(name, presentation) for name in names} == {expected}


@pytest.mark.parametrize(
    ("name", "presentation", "expected"),
    [
        ("Carbinoxamine Maleate", "4 mg tablets (NDC 12345-605-01)", "carbinoxamine--oral-solid"),
        ("Carbinoxamine Maleate", "4 mg/5 mL oral solution", "carbinoxamine--oral-liquid"),
        ("Diltiazem Hydrochloride", "5 mg/mL, 5 mL vial", "diltiazem--injection"),
        ("Sildenafil Citrate (REVATIO)", "20 mg; tablets", "sildenafil--oral-solid"),
        ("Sildenafil Citrate (REVATIO)", "10 mg/12.5 mL; vial", "sildenafil--injection"),
        ("Gentamicin Sulfate Solution", "Ophthalmic solution/drops", "gentamicin--ophthalmic"),
        ("Ribavirin Capsules and Tablets", "200 mg", "ribavirin--oral-solid"),
    ],
)
def test_the_presentation_tells_the_form_where_the_name_does_not(
    name: str, presentation: str, expected: str
) -> None:
    assert _generic(name, presentation) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Tenofovir Alafenamide Tablets", "Tenofovir Disoproxil Fumarate Tablets"),
        ("Haloperidol Decanoate Injection", "Haloperidol Lactate Injection"),
        ("Penicillin G Benzathine Injection", "Penicillin G Potassium Injection"),
        ("Triamcinolone Acetonide Injection", "Triamcinolone Hexacetonide Injection"),
        ("Edetate Calcium Disodium Injection", "Edetate Disodium Injection"),
        ("Sodium Iodide I 131 Capsules", "Sodium Iodide I 123 Capsules"),
        ("Testosterone Cypionate Injection", "Testosterone Enanthate Injection"),
        ("Potassium Chloride Injection", "Potassium Acetate Injection"),
        ("Lidocaine Hydrochloride Injection", "Lidocaine Topical Jelly"),
        ("Fluticasone Furoate Inhalation Powder", "Fluticasone Propionate Inhalation Powder"),
        ("Norethindrone Tablets", "Norethindrone and Ethinyl Estradiol Tablets"),
    ],
)
def test_different_drugs_stay_apart(one: str, other: str) -> None:
    assert _generic(one) is not None
    assert _generic(one) != _generic(other)


def test_a_device_is_no_drug() -> None:
    assert from_generic_name("LifeCare PCA™ Sterile Empty Vial and Injector") is None


@pytest.mark.parametrize(
    ("listings", "expected"),
    [
        (
            [
                ("AMOXICILLIN; CLAVULANATE POTASSIUM", "TABLET, FILM COATED", "ORAL"),
                ("AMOXICILLIN; CLAVULANATE POTASSIUM", "TABLET;ORAL", ""),
                ("CLAVULANIC ACID; AMOXICILLIN TRIHYDRATE", "TABLET", "ORAL"),
            ],
            "amoxicillin+clavulanate--oral-solid",
        ),
        (
            [
                ("HEPARIN SODIUM", "INJECTABLE;INJECTION", ""),
                ("HEPARIN SODIUM; DEXTROSE MONOHYDRATE", "INJECTION, SOLUTION", "INTRAVENOUS"),
            ],
            "heparin--injection",
        ),
        (
            [
                ("ESTROGENS, CONJUGATED", "TABLET;ORAL", ""),
                ("CONJUGATED ESTROGENS", "TABLET, FILM COATED", "ORAL"),
            ],
            "conjugated-estrogens--oral-solid",
        ),
        (
            [
                (
                    "SODIUM PHOSPHATE, MONOBASIC, MONOHYDRATE; SODIUM PHOSPHATE, DIBASIC",
                    "INJECTION, SOLUTION",
                    "INTRAVENOUS",
                ),
            ],
            "sodium-phosphate--injection",
        ),
        (
            [
                (
                    "LEUCINE; LYSINE ACETATE; VALINE; TRYPTOPHAN; DEXTROSE; CALCIUM CHLORIDE",
                    "INJECTION",
                    "INTRAVENOUS",
                ),
            ],
            "amino-acids--injection",
        ),
        (
            [
                ("SOYBEAN OIL", "INJECTION, EMULSION", "INTRAVENOUS"),
                (
                    "FISH OIL; MEDIUM-CHAIN TRIGLYCERIDES; OLIVE OIL; SOYBEAN OIL",
                    "INJECTION, EMULSION",
                    "INTRAVENOUS",
                ),
            ],
            "lipid-emulsion--injection",
        ),
        (
            [
                (
                    "LACTIC ACID; MAGNESIUM CHLORIDE; SODIUM BICARBONATE; SODIUM CHLORIDE",
                    "INJECTION",
                    "INTRAVENOUS",
                )
            ],
            "crrt-solution--injection",
        ),
        (
            [
                (
                    "CALCIUM CHLORIDE; DEXTROSE; SODIUM CHLORIDE; SODIUM LACTATE",
                    "INJECTABLE;INTRAPERITONEAL",
                    "",
                )
            ],
            "peritoneal-dialysis-solution--other",
        ),
        ([("", "KIT", "")], None),
    ],
)
def test_sources_of_products_agree(
    listings: list[tuple[str, str, str]], expected: str | None
) -> None:
    assert {_product(*listing) for listing in listings} == {expected}


def test_a_kit_without_route_takes_the_form_of_what_it_holds() -> None:
    assert _product("", "KIT", "", "leuprolide acetate") == "leuprolide--injection"
    pill = _product("", "KIT", "", "Norgestimate and Ethinyl Estradiol")
    assert pill == _product("ETHINYL ESTRADIOL; NORGESTIMATE", "TABLET;ORAL-28")


def test_the_proper_name_tells_licensed_drugs_of_one_substance_apart() -> None:
    listing = ("BOTULINUM TOXIN TYPE A", "INJECTION, POWDER, FOR SOLUTION", "INTRAMUSCULAR")
    assert _product(*listing, "onabotulinumtoxinA") == "onabotulinumtoxina--injection"
    assert _product(*listing, "incobotulinumtoxinA") == "incobotulinumtoxina--injection"


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (("AMOXICILLIN (AMOXICILLIN TRIHYDRATE)", "Capsule", "Oral"), "amoxicillin--oral-solid"),
        (
            ("HYDROCHLOROTHIAZIDE LOSARTAN POTASSIUM", "TABLET", "ORAL"),
            "hydrochlorothiazide+losartan--oral-solid",
        ),
        (
            ("SALBUTAMOL; IPRATROPIUM BROMIDE", "SOLUTION", "INHALATION; INHALATION"),
            "albuterol+ipratropium--inhalation",
        ),
        (
            ("CEFTRIAXONE (CEFTRIAXONE SODIUM)", "Powder for Solution", "Injectable"),
            "ceftriaxone--injection",
        ),
        (("TEVA-PRAZOSIN 2MG", "Tablet", "Oral"), "prazosin--oral-solid"),
        (("ACIDE VALPROIQUE", "Capsule", "Oral"), "valproic-acid--oral-solid"),
    ],
)
def test_canadian_reports(report: tuple[str, str, str], expected: str) -> None:
    drug = from_canada(*report)
    assert drug is not None
    assert drug.drug_id == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Aciclovir 400mg tablets", "acyclovir--oral-solid"),
        (
            "Co-amoxiclav 250mg/62mg/5ml oral suspension sugar free",
            "amoxicillin+clavulanate--oral-liquid",
        ),
        (
            "Latanoprost 50micrograms/ml / Timolol 5mg/ml eye drops",
            "latanoprost+timolol--ophthalmic",
        ),
        ("Salbutamol 100micrograms/dose inhaler CFC free", "albuterol--inhalation"),
        ("Conjugated oestrogens 625microgram tablets", "conjugated-estrogens--oral-solid"),
        (
            "Hyoscine hydrobromide 400micrograms/1ml solution for injection ampoules",
            "scopolamine--injection",
        ),
        ("Clotrimazole 500mg pessaries", "clotrimazole--other"),
        ("Levetiracetam 100mg/ml oral solution sugar free", "levetiracetam--oral-liquid"),
    ],
)
def test_british_products(name: str, expected: str) -> None:
    drug = from_uk_product(name)
    assert drug is not None
    assert drug.drug_id == expected


def test_the_slug_names_the_ingredients_in_order_and_once() -> None:
    assert drug_id(["clavulanate", "amoxicillin", "clavulanate"], "oral-solid") == (
        "amoxicillin+clavulanate--oral-solid"
    )


def test_a_long_list_stays_readable_and_depends_on_every_name() -> None:
    names = [f"vitamin-like {letter}" for letter in "abcdefghijkl"]
    slug = drug_id(names, "oral-solid")
    assert len(slug) < 90
    assert slug.startswith("vitamin-like-a+vitamin-like-b+vitamin-like-c+9-more-")
    assert slug == drug_id(reversed(names), "oral-solid")
    assert slug != drug_id([*names[:-1], "vitamin-like m"], "oral-solid")


def test_an_unknown_form_group_is_refused() -> None:
    with pytest.raises(ShortcastError, match="unknown form group 'pill'"):
        drug_id(["aspirin"], "pill")


def test_a_drug_without_a_name_is_refused() -> None:
    with pytest.raises(ShortcastError, match="at least one ingredient"):
        drug_id(["---"], "topical")


@given(st.text(), st.text(), st.text(), st.text())
def test_any_text_gives_a_slug_or_nothing(a: str, b: str, c: str, d: str) -> None:
    for drug in (from_product(a, b, c, d), from_generic_name(a, b), from_canada(a, b, c)):
        assert drug is None or SLUG.fullmatch(drug.drug_id)


WORDS = st.sampled_from(
    [
        *("cisplatin", "hydrochloride", "sodium", "chloride", "vitamin", "a", "b12", "zinc"),
        *("injection", "tablet", "kit", "oral", "solution", "extended-release", "usp", "-abcd"),
        *("and", "with", "in", ";", ",", "/", "(", ")", "5%", "10", "mg/mL", "i", "131"),
    ]
)


@given(st.lists(WORDS, max_size=12).map(" ".join))
def test_any_words_of_the_trade_give_a_slug_or_nothing(text: str) -> None:
    drug = from_generic_name(text)
    assert drug is None or SLUG.fullmatch(drug.drug_id)
