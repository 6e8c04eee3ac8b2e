"""Form groups, in the words of each source."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcast.features.identity.forms import FORM_GROUPS, form_group


@pytest.mark.parametrize(
    ("form", "route", "expected"),
    [
        # Orange Book and Drugs@FDA: form and route in one
        ("TABLET;ORAL", "", "oral-solid"),
        ("TABLET; ORAL", "", "oral-solid"),
        ("TABLET;ORAL-28", "", "oral-solid"),
        ("CAPSULE, DELAYED REL PELLETS;ORAL", "", "oral-solid"),
        ("FOR SUSPENSION;ORAL", "", "oral-liquid"),
        ("SYRUP;ORAL", "", "oral-liquid"),
        ("POWDER;ORAL", "", "oral-liquid"),
        ("INJECTABLE;INJECTION", "", "injection"),
        ("INJECTABLE, LIPOSOMAL;INJECTION", "", "injection"),
        ("SOLUTION;INTRAVENOUS", "", "injection"),
        ("SOLUTION/DROPS;OPHTHALMIC", "", "ophthalmic"),
        ("OINTMENT;OPHTHALMIC", "", "ophthalmic"),
        ("SUSPENSION/DROPS;OTIC", "", "other"),
        ("CREAM;TOPICAL", "", "topical"),
        ("FILM, EXTENDED RELEASE;TRANSDERMAL", "", "topical"),
        ("AEROSOL, METERED;INHALATION", "", "inhalation"),
        ("SPRAY, METERED;NASAL", "", "other"),
        ("SUPPOSITORY;RECTAL", "", "other"),
        ("TABLET;VAGINAL", "", "other"),
        ("SOLUTION;IRRIGATION", "", "other"),
        ("IMPLANT;SUBCUTANEOUS", "", "other"),
        ("SOLUTION;INTRAVITREAL", "", "injection"),
        ("AEROSOL;INTRAPLEURAL", "", "other"),
        # NDC directory: form and route apart
        ("INJECTION, SOLUTION", "INTRAMUSCULAR; INTRAVENOUS", "injection"),
        ("INJECTION, POWDER, LYOPHILIZED, FOR SOLUTION", "SUBCUTANEOUS", "injection"),
        ("SOLUTION", "INTRAVENOUS; SUBCUTANEOUS", "injection"),
        ("TABLET, FOR SUSPENSION", "ORAL", "oral-solid"),
        ("POWDER, FOR SUSPENSION", "ORAL", "oral-liquid"),
        ("CAPSULE", "RESPIRATORY (INHALATION)", "inhalation"),
        ("AEROSOL, METERED", "ORAL; RESPIRATORY (INHALATION)", "inhalation"),
        ("SOLUTION", "INTRABRONCHIAL", "inhalation"),
        ("SOLUTION", "ORAL; TOPICAL", "oral-liquid"),
        ("LOZENGE", "ORAL; TOPICAL", "oral-solid"),
        ("RINSE", "ORAL", "other"),
        ("PATCH", "TRANSDERMAL", "topical"),
        ("PELLET", "SUBCUTANEOUS", "other"),
        ("TABLET", "SUBLINGUAL", "oral-solid"),
        # running text
        ("Cisatracurium Besylate Injection", "", "injection"),
        ("Vancomycin Hydrochloride for Injection", "", "injection"),
        ("Erythromycin Ophthalmic Ointment", "", "ophthalmic"),
        ("Megestrol Acetate Oral Suspension", "", "oral-liquid"),
        ("Montelukast Sodium Oral Granules", "", "oral-liquid"),
        ("Clonidine Hydrochloride Extended Release Tablets", "", "oral-solid"),
        ("Olopatadine Hydrochloride Nasal Spray", "", "other"),
        ("Ipratropium Bromide Inhalation Solution", "", "inhalation"),
        ("Aciclovir 5% cream", "", "topical"),
        ("Latanoprost 50micrograms/ml eye drops", "", "ophthalmic"),
        ("Tazarotene Gel, not for ophthalmic use", "", "topical"),
        ("Cetrorelix, for subcutaneous use", "", "injection"),
        ("", "", None),
        ("UNKNOWN", "", None),
    ],
)
def test_forms_in_the_words_of_the_sources(form: str, route: str, expected: str | None) -> None:
    assert form_group(form, route) == expected


@given(st.text(), st.text())
def test_any_text_gives_a_known_group_or_none(form: str, route: str) -> None:
    assert form_group(form, route) in {*FORM_GROUPS, None}
