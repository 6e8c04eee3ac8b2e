"""Drugs, firms, plants, applications and products by name: what the market's numbers stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shortcast.features.identity.drugs import drug_id
from shortcast.features.identity.forms import FORM_GROUPS
from shortcast.features.simulated.calendar import Calendar
from shortcast.features.simulated.design import Design
from shortcast.features.simulated.names import (
    MOST_NAMES,
    brand_names,
    firm_names,
    ingredient_names,
)
from shortcast.features.simulated.parameters import Parameters
from shortcast.features.simulated.state import NEVER

#: Form and route of each form group as the NDC directory writes them, the words of the shortage
#: list, the unit that prices are for, and strengths.
FORMS: dict[str, tuple[str, str, str, str, tuple[str, ...]]] = {
    "injection": ("INJECTION, SOLUTION", "INTRAVENOUS", "Injection", "ML", ("1 mg/mL", "5 mg/mL")),
    "oral-solid": ("TABLET", "ORAL", "Tablet", "EA", ("10 mg", "25 mg")),
    "oral-liquid": ("SOLUTION", "ORAL", "Oral Solution", "ML", ("2 mg/mL", "10 mg/mL")),
    "ophthalmic": ("SOLUTION/ DROPS", "OPHTHALMIC", "Ophthalmic Solution", "ML", ("0.5%", "1%")),
    "topical": ("CREAM", "TOPICAL", "Cream", "GM", ("1%", "2%")),
    "inhalation": (
        "SOLUTION",
        "RESPIRATORY (INHALATION)",
        "Inhalation Solution",
        "ML",
        ("0.5 mg/mL", "2 mg/mL"),
    ),
    "other": ("SUPPOSITORY", "RECTAL", "Suppository", "EA", ("50 mg", "100 mg")),
}
_SALTS = ("", "", "hydrochloride", "sodium", "sulfate", "acetate")
_COMBINED_SHARE = 0.06
_SCHEDULES = ("", "CII", "CIII", "CIV", "CV")
_SCHEDULE_SHARES = (0.93, 0.03, 0.01, 0.025, 0.005)
_UNAPPROVED_SHARE = 0.03
_STATES = ("CA", "IL", "NC", "NJ", "NY", "OH", "PA", "TX", "FL", "IN")
_COUNTRIES = ("IND", "CHN", "DEU", "ITA", "IRL", "CHE", "ESP", "JPN")
_COUNTRY_SHARES = (0.4, 0.15, 0.1, 0.09, 0.08, 0.06, 0.06, 0.06)
_LEGAL_FORMS = ("Inc.", "LLC", "Corp.", "Ltd.", "")
_SUBSIDIARY_SHARE = 0.12
_REPACKAGERS_PER_FIRM = 0.08


@dataclass(frozen=True)
class Catalogue:
    """Tables that give the simulation's numbers names; see `World` for their columns."""

    ingredients: pd.DataFrame
    drugs: pd.DataFrame
    firms: pd.DataFrame
    plants: pd.DataFrame
    applications: pd.DataFrame
    products: pd.DataFrame
    marketing: pd.DataFrame


def days_to_dates(values: NDArray[np.integer], known: NDArray[np.bool_] | None = None) -> pd.Series:
    """Days since 1970 as dates; missing where ``known`` is false."""
    dates = pd.Series(np.asarray(values, dtype="datetime64[D]").astype("datetime64[s]"))
    return dates if known is None else dates.where(known)


def make_catalogue(
    parameters: Parameters,
    design: Design,
    calendar: Calendar,
    edges: dict[str, NDArray[np.int32]],
    leaves: NDArray[np.int32],
    rng: np.random.Generator,
) -> Catalogue:
    """Name everything.

    Parameters
    ----------
    parameters : Parameters
        Seed of the names.
    design : Design
        Drugs, firms and plants.
    calendar : Calendar
        Days of the months.
    edges : dict
        ``drug``, ``plant`` and ``month`` of entry of every maker of a drug.
    leaves : array of int
        Month in which each has left, `NEVER` for those still there.
    rng : Generator
        Source of chance.

    Returns
    -------
    Catalogue
    """
    ingredients, drugs = _drugs(parameters, design, rng)
    firms = _firms(parameters, design, rng)
    plants = _plants(design, firms, rng)
    applications, products, marketing = _products(
        parameters, design, calendar, edges, leaves, drugs, firms, rng
    )
    return Catalogue(ingredients, drugs, firms, plants, applications, products, marketing)


def _drugs(
    parameters: Parameters, design: Design, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ingredients, and drugs that take one or two of them into a form group."""
    count = design.drugs
    names = np.array(ingredient_names(parameters.seed, count), dtype=object)
    form = design.form
    # Drugs of one ingredient in several form groups: the ingredient of a drug is that of an
    # earlier one if its form group is still free there.
    first = np.arange(count)
    shares = rng.random(count) < 0.35
    candidate = (rng.random(count) * np.arange(count)).astype(np.int64)
    first = np.where(shares, candidate, first)
    first = first[first]
    pair = pd.DataFrame({"first": first, "form": form})
    first = np.where(pair.duplicated().to_numpy(), np.arange(count), first)
    second = np.where(
        rng.random(count) < _COMBINED_SHARE, (first + 1 + rng.integers(3, size=count)) % count, -1
    )
    groups = np.array(FORM_GROUPS, dtype=object)[form]
    one, other = names[first], np.where(second >= 0, names[second], "")
    ids = [drug_id([a, b] if b else [a], g) for a, b, g in zip(one, other, groups, strict=True)]
    words = pd.Series(groups).map(FORMS)
    drugs = pd.DataFrame(
        {
            "drug_id": pd.Series(ids, dtype="str"),
            "ingredients": pd.Series(np.where(second >= 0, one + "; " + other, one), dtype="str"),
            "form_group": pd.Series(groups, dtype="str"),
            "dosage_form": words.str[0].astype("str"),
            "route": words.str[1].astype("str"),
            "form_words": words.str[2].astype("str"),
            "unit": words.str[3].astype("str"),
            "schedule": pd.Series(
                rng.choice(_SCHEDULES, size=count, p=_SCHEDULE_SHARES), dtype="str"
            ),
            "is_unapproved": (rng.random(count) < _UNAPPROVED_SHARE) & (design.makers_target == 1),
            "drug_class": pd.Series(_class_names(design), dtype="str"),
            "sold_in_canada": design.sold_in_canada,
            "sold_in_england": design.sold_in_england,
        }
    )
    # A combination may fall on the slug of another drug; the later one gets a name of its own.
    where = np.flatnonzero(drugs["drug_id"].duplicated().to_numpy())
    if len(where):
        own = ingredient_names(parameters.seed, count + len(where))[count:]
        drugs.loc[where, "ingredients"] = own
        drugs.loc[where, "drug_id"] = [
            drug_id([name], group) for name, group in zip(own, groups[where], strict=True)
        ]
    ingredients = drugs[["ingredients", "drug_class"]].rename(
        columns={"ingredients": "ingredient", "drug_class": "ingredient_class"}
    )
    ingredients["ingredient"] = ingredients["ingredient"].str.split("; ")
    ingredients = ingredients.explode("ingredient").drop_duplicates("ingredient", ignore_index=True)
    salt = rng.integers(len(_SALTS), size=len(ingredients))
    ingredients["salt"] = pd.Series(np.array(_SALTS, dtype=object)[salt], dtype="str")
    return ingredients, drugs


def _class_names(design: Design) -> NDArray[np.object_]:
    return np.char.add("Invented Class ", (design.drug_class + 1).astype(str)).astype(object)


def _firms(parameters: Parameters, design: Design, rng: np.random.Generator) -> pd.DataFrame:
    """Makers, and after them repackagers without plants."""
    repackagers = max(1, round(design.firms * _REPACKAGERS_PER_FIRM))
    count = design.firms + repackagers
    legal = np.array(_LEGAL_FORMS, dtype=object)[rng.integers(len(_LEGAL_FORMS), size=count)]
    name = pd.Series(firm_names(parameters.seed, count), dtype="str")
    parent = np.where(
        rng.random(count) < _SUBSIDIARY_SHARE, rng.integers(design.firms, size=count), -1
    )
    parent = np.where((parent == np.arange(count)) | (parent[parent] >= 0), -1, parent)
    # From the top of the range of five digits, from which few codes have been given out.
    code = 99_999 - rng.permutation(count)
    return pd.DataFrame(
        {
            "firm": np.arange(count, dtype=np.int32),
            "name": name,
            "full_name": (name + " " + pd.Series(legal, dtype="str")).str.strip().astype("str"),
            "parent": pd.Series(np.where(parent >= 0, parent, -1)).astype("int32"),
            "labeler_code": pd.Series(code).astype("str"),
            "is_repackager": np.arange(count) >= design.firms,
            "state": pd.Series(rng.choice(_STATES, size=count), dtype="str"),
        }
    )


def _plants(design: Design, firms: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    count = design.plants
    country = np.where(
        design.plant_foreign, rng.choice(_COUNTRIES, size=count, p=_COUNTRY_SHARES), "USA"
    )
    home = firms["state"].to_numpy()[design.plant_firm]
    return pd.DataFrame(
        {
            "plant": np.arange(count, dtype=np.int32),
            "firm": design.plant_firm,
            "fei": pd.Series(3_900_000_000 + rng.permutation(count)).astype("str"),
            "duns": pd.Series(900_000_000 + rng.permutation(count)).astype("str"),
            "name": firms["full_name"].to_numpy()[design.plant_firm],
            "city": pd.Series([f"Madeupville {n + 1}" for n in range(count)], dtype="str"),
            "state": pd.Series(np.where(design.plant_foreign, "", home), dtype="str"),
            "country": pd.Series(country, dtype="str"),
            "is_sterile": design.plant_sterile,
        }
    )


def _products(
    parameters: Parameters,
    design: Design,
    calendar: Calendar,
    edges: dict[str, NDArray[np.int32]],
    leaves: NDArray[np.int32],
    drugs: pd.DataFrame,
    firms: pd.DataFrame,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """One application a maker of a drug, with one or two strengths; repackagers' codes."""
    drug, plant, month = edges["drug"], edges["plant"], edges["month"]
    count = len(drug)
    firm = design.plant_firm[plant]
    old = month == 0
    approved = np.where(
        old,
        calendar.starts[0] - rng.exponential(3600, count).astype(np.int32) - 30,
        # In the month in which it is drawn that a maker enters, from the next one on.
        calendar.starts[np.maximum(month, 1)] + rng.integers(0, 28, count),
    )
    originator = (design.makers_target[drug] == 1) | ~pd.Series(drug).duplicated().to_numpy()
    unapproved = drugs["is_unapproved"].to_numpy()[drug]
    kind = np.where(unapproved, "", np.where(originator, "NDA", "ANDA"))
    # Six digits, as the lists have them; 76xxxx are those of biologics, the others given to nobody.
    number = 300_001 + np.arange(count)
    number[number >= 760_000] += 10_000
    gone = leaves < NEVER
    left = calendar.starts[np.minimum(leaves, len(calendar.starts) - 1)]
    applications = pd.DataFrame(
        {
            "application": np.arange(count, dtype=np.int32),
            "drug": drug,
            "firm": firm,
            "plant": plant,
            "application_type": pd.Series(kind, dtype="str"),
            "application_no": pd.Series(np.where(unapproved, "", number.astype(str)), dtype="str"),
            "approval_date": days_to_dates(approved),
            "left_on": days_to_dates(left, gone),
        }
    )
    brand_of = np.cumsum(originator) - 1
    brands = min(int(originator.sum()), MOST_NAMES)
    brand = np.array(brand_names(parameters.seed, brands), dtype=object)
    strengths = rng.integers(1, 3, count)
    of = np.repeat(np.arange(count), strengths)
    which = np.concatenate([[0], np.cumsum(np.ones(len(of), np.int64))[:-1]])
    which = which - np.repeat(np.cumsum(strengths) - strengths, strengths)
    # The firm's running number is the product segment.
    by_firm = pd.Series(firm[of])
    segment = by_firm.groupby(by_firm).cumcount().to_numpy() + 100
    groups = drugs["form_group"].to_numpy()[drug[of]]
    texts = np.array([FORMS[g][4] for g in FORMS], dtype=object)
    position = pd.Series(groups).map({g: n for n, g in enumerate(FORMS)}).to_numpy()
    code = firms["labeler_code"].to_numpy()
    products = pd.DataFrame(
        {
            "application": of.astype(np.int32),
            "drug": drug[of],
            "firm": firm[of],
            "product_no": pd.Series(which + 1).astype("str").str.zfill(3),
            "strength": pd.Series(texts[position, which], dtype="str"),
            "brand": pd.Series(
                np.where(originator[of], brand[np.minimum(brand_of[of], brands - 1)], ""),
                dtype="str",
            ),
            "segment": segment,
            "price_factor": np.exp(rng.normal(0.0, 0.1, len(of)) + 0.5 * which).astype(np.float32),
            "is_repackaged": False,
            "start": approved[of] + 30,
            "end": left[of],
            "ended": gone[of],
        }
    )
    copied = np.flatnonzero(rng.random(len(of)) < 0.06)
    copies = products.iloc[copied].reset_index(drop=True)
    copies["firm"] = rng.integers(design.firms, len(firms), len(copied)).astype(np.int32)
    copies["is_repackaged"], copies["start"] = True, copies["start"] + 200
    copies["segment"] = copies.groupby("firm").cumcount() + 100
    copies = copies[~copies["ended"] | (copies["start"] < copies["end"])]
    products = pd.concat([products, copies], ignore_index=True)
    # A labeler's codes have product segments of four digits; some old ones wrap around.
    products["labeler"] = pd.Series(code[products["firm"]]).astype("str")
    products["product_ndc"] = (
        products["labeler"] + "-" + products["segment"].astype("str").str.zfill(4)
    )
    products["package_ndc"] = products["product_ndc"] + "-1"
    products["start_marketing"] = days_to_dates(products["start"].to_numpy())
    products["end_marketing"] = days_to_dates(
        products["end"].to_numpy(), products["ended"].to_numpy()
    )
    unit = drugs["unit"].to_numpy()[products["drug"]]
    pack = pd.Series(unit).map(
        {"ML": "10 mL in 1 VIAL", "EA": "100 in 1 BOTTLE", "GM": "30 g in 1 TUBE"}
    )
    products["package"] = pack.astype("str")
    products.insert(0, "product", np.arange(len(products), dtype=np.int32))
    marketing = pd.concat(
        [
            pd.DataFrame(
                {
                    "application": applications["application"],
                    "status": "prescription",
                    "event_date": applications["approval_date"],
                    "published_at": applications["approval_date"]
                    + pd.to_timedelta(rng.integers(7, 35, count), unit="D"),
                }
            ),
            pd.DataFrame(
                {
                    "application": applications["application"],
                    "status": "discontinued",
                    "event_date": applications["left_on"],
                    "published_at": applications["left_on"]
                    + pd.to_timedelta(rng.integers(20, 150, count), unit="D"),
                }
            ).dropna(),
        ],
        ignore_index=True,
    )
    return (
        applications,
        products.drop(columns=["segment", "start", "end", "ended", "labeler"]),
        marketing,
    )
