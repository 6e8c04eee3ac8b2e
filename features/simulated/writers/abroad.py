"""Shortages abroad: reports in Canada and price concessions in England."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from shortcast.features.simulated.world import World
from shortcast.features.simulated.writers._dirt import TWICE, dice, how_many, some, with_broken
from shortcast.features.simulated.writers._files import (
    as_days,
    csv_lines,
    day_number,
    delimited,
    place,
    write_gzip,
    written,
)
from shortcast.features.simulated.writers._words import Words, year_ends

#: The voluntary Canadian list ended here; the first portal's export was used up to this year.
_VOLUNTARY_UNTIL, _FIRST_PORTAL_UNTIL = date(2017, 2, 28), 2022
#: England: years up to which there is the table of prescribing with flags.
_FLAGGED_UNTIL = 2019
#: How far back a yearly export reaches.
_EXPORT_DAYS = 730
_CANADA_FORMS = {
    "injection": ("SOLUTION", "INTRAVENOUS"),
    "oral-solid": ("TABLET", "ORAL"),
    "oral-liquid": ("SOLUTION", "ORAL"),
    "ophthalmic": ("SOLUTION", "OPHTHALMIC"),
    "topical": ("CREAM", "TOPICAL"),
    "inhalation": ("SOLUTION", "INHALATION"),
    "other": ("SUPPOSITORY", "RECTAL"),
}
#: Words of British product names, and the forms of the prescribing table.
_BRITISH = {
    "injection": ("solution for injection vials", "Injection"),
    "oral-solid": ("tablets", "Tablet"),
    "oral-liquid": ("oral solution", "Oral Liquid"),
    "ophthalmic": ("eye drops", "Eye Drops"),
    "topical": ("cream", "Cream"),
    "inhalation": ("nebuliser liquid", "Inhalation"),
    "other": ("suppositories", "Suppository"),
}
_REASONS = (
    "Disruption of the manufacture of the drug.",
    "Demand increase for the drug.",
    "Shortage of an active ingredient.",
    "Delay in shipping of the drug.",
)
_POUNDS_PER_DOLLAR, _PACK = 0.8, 28


def write_canada(world: World, root: Path, words: Words) -> None:
    """Write the Canadian lists once a year, in the layout of the time.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    rows = world.reports.canada.sort_values(["published_at", "report"], ignore_index=True)
    drug = rows["drug"].to_numpy()
    drugs, firms = world.catalogue.drugs, world.catalogue.firms
    forms = drugs["form_group"].iloc[drug].map(_CANADA_FORMS).reset_index(drop=True)
    rng = dice(world, "canada")
    company = firms["full_name"].iloc[rows["firm"]].reset_index(drop=True)
    rows = rows.assign(
        name=words.name.iloc[drug].reset_index(drop=True),
        substance=words.substance.iloc[drug].reset_index(drop=True),
        company=company.str.upper(),
        company_as_written=company,
        form=forms.str[0],
        route=forms.str[1],
        din="9" + pd.Series(drug).astype("str").str.zfill(5)
        + (rows["firm"] % 100).astype("str").str.zfill(2),
        reason=pd.Series(np.array(_REASONS, dtype=object)[rng.integers(4, size=len(rows))]),
        other_makers=pd.Series(rng.integers(0, 4, len(rows)), dtype="str"),
        created=written(rows["published_at"], "iso"),
        start=written(rows["event_date"], "iso"),
        end=written(rows["ended_on"], "iso"),
    )  # fmt: skip
    published, ended = as_days(rows["published_at"]), as_days(rows["ended_on"])
    border = day_number(_VOLUNTARY_UNTIL)
    days = set(year_ends(world))
    if min(days) <= _VOLUNTARY_UNTIL <= max(days):
        days.add(_VOLUNTARY_UNTIL)
    for day in sorted(days):
        today = day_number(day)
        voluntary = day <= _VOLUNTARY_UNTIL
        since = today - _EXPORT_DAYS if day != min(days) else -today
        shown = (published <= today) & (published > (since if voluntary else max(since, border)))
        of = rows[shown].assign(over=ended[shown] <= today)
        if voluntary:
            of = of[of["report_type"] == "Shortage"]
        if of.empty:
            continue
        own = dice(world, "canada_shortages", day)
        if voluntary:
            name, text = "drugshortages_ca.csv", _voluntary(of, own)
        elif day.year <= _FIRST_PORTAL_UNTIL:
            name, text = "export.csv", _first_portal(of, own)
        else:
            name, text = "shortage_report.csv", "\ufeff" + _later_portal(of, own)
        place(root, "canada_shortages", day, name).write_bytes(text.encode())


def _voluntary(of: pd.DataFrame, rng: np.random.Generator) -> str:
    """Write the companies' own list, by drug name; days with a time of day."""
    midnight = "T00:00:00Z"
    updated = of["created"].where(~of["over"], of["end"])
    frame = pd.DataFrame(
        {
            "product_name": of["name"].str.upper(),
            "drug_name": of["name"],
            "company_name": of["company_as_written"],
            "company_type": "Generic",
            "outcome": np.where(of["over"], "Resolved", "Current"),
            "start_date": of["start"] + midnight,
            "last_updated": updated + midnight,
            "din": of["din"],
            "dose": "",
            "pharmaceutical_form": of["form"].str.title(),
            "route_of_administration": of["route"].str.title(),
            "medical_necessity": "",
            "marketed_by_other_manufacturers": of["other_makers"] + ".0",
            "est_resupply_date": (of["end"] + midnight).where(of["over"], ""),
            "discontinued": "No",
            "discontinuation_date": "",
        }
    ).astype("str")
    lines = _dirty(frame, frame.assign(start_date=""), rng)
    return delimited(",".join(frame.columns), lines, "\n")


def _portal(of: pd.DataFrame, separator: str) -> dict[str, pd.Series | str]:
    """Columns that both kinds of export begin with."""
    return {
        "Report ID": of["report"].astype("str"),
        "Drug Identification Number": of["din"],
        "Report Type": of["report_type"],
        "Brand name": of["name"].str.upper(),
        "Company Name": of["company"],
        "Common or Proper name": of["name"].str.upper(),
        "Ingredients": of["substance"].str.replace("; ", separator),
        "Strength(s)": "10MG",
        "Packaging size": "100",
        "Route of administration": of["route"],
    }


def _shortage_states(of: pd.DataFrame) -> pd.Series:
    state = np.where(of["over"], "Resolved", "Actual shortage")
    return pd.Series(state, index=of.index, dtype="str")


def _first_portal(of: pd.DataFrame, rng: np.random.Generator) -> str:
    """Write two tables in one file, indented, each below a title and a header of its own."""
    indent = "      "
    parts = []
    for title in ("Shortage", "Discontinuation"):
        rows = of[of["report_type"] == title]
        if rows.empty:
            continue
        head = _portal(rows, " ")
        if title == "Shortage":
            tail = {
                "Shortage status": _shortage_states(rows),
                "Dosage form(s)": rows["form"],
                "ATC Code": "X99XX99",
                "ATC description": "INVENTED GROUP",
                "Anticipated start date": rows["start"],
                "Actual start date": rows["start"],
                "Estimated end date": rows["end"].where(rows["over"], ""),
                "Actual end date": rows["end"].where(rows["over"], ""),
            }
        else:
            tail = {
                "Discontinuation status": "Discontinued",
                "Dosage form(s)": rows["form"],
                "ATC Code": "X99XX99",
                "ATC description": "INVENTED GROUP",
                "Discontinuation date": rows["start"],
                "Discontinuation decision reversal": "No",
            }
        last = {"Reason": rows["reason"], "Date Created": rows["created"], "": ""}
        frame = pd.DataFrame({**head, **tail, **last}, index=rows.index).astype("str")
        lines = _dirty(frame, frame.assign(**{"Date Created": ""}), rng)
        parts += [f"{title} reports,", ",".join(frame.columns), *lines]
    return "".join(f"{indent}{line}\r\n" for line in parts)


def _later_portal(of: pd.DataFrame, rng: np.random.Generator) -> str:
    """Write reports with the day of their last update."""
    frame = pd.DataFrame(
        {
            **_portal(of, "; "),
            "Shortage status": _shortage_states(of).where(
                of["report_type"] == "Shortage", "Discontinued"
            ),
            "Dosage form(s)": of["form"],
            "Anticipated start date": of["start"],
            "Actual start date": of["start"],
            "Estimated end date": of["end"].where(of["over"], ""),
            "Actual end date": of["end"].where(of["over"], ""),
            "Reason": of["reason"],
            "Date Created": of["created"],
            "Date Updated": of["created"].where(~of["over"], of["end"]),
            "Tier 3": "No",
        },
        index=of.index,
    ).astype("str")
    lines = _dirty(frame, frame.assign(**{"Date Created": ""}), rng)
    return delimited(",".join(frame.columns), lines)


def _dirty(frame: pd.DataFrame, broken: pd.DataFrame, rng: np.random.Generator) -> list[str]:
    lines = csv_lines(frame)
    bad = csv_lines(broken.iloc[rng.integers(len(frame), size=how_many(rng, len(frame), 0.003))])
    return with_broken(lines, bad, rng)


def write_england(world: World, root: Path, words: Words) -> None:
    """Write the English price concessions once a year, in the layout of the time.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    rows = world.reports.england
    products = world.catalogue.products.drop_duplicates("drug").set_index("drug")["strength"]
    drugs = world.catalogue.drugs
    strength = products.reindex(range(len(drugs))).fillna("10 mg").str.replace(" ", "")
    british = drugs["form_group"].map(_BRITISH)
    product = words.bare_name.str.replace(" and ", " / ", regex=False).str.capitalize()
    product = product + " " + strength.str.lower().to_numpy() + " " + british.str[0]
    published = as_days(rows["published_at"])
    year = rows["event_date"].dt.year
    first = {month: at for at, month in enumerate(world.price_months)}
    for day in year_ends(world):
        of = rows[(published <= day_number(day)) & (year == day.year)]
        if of.empty:
            continue
        own = dice(world, "uk_price_concessions", day)
        drug = of["drug"].to_numpy()
        month = np.array([first[m] for m in of["event_date"].to_numpy("datetime64[D]")])
        price = np.exp(world.log_price[month, drug]) * _PACK * _POUNDS_PER_DOLLAR
        if day.year > _FLAGGED_UNTIL:
            price = price * of["price_factor"].to_numpy()
            frame = pd.DataFrame(
                {
                    "month": of["event_date"].dt.strftime("%Y-%m"),
                    "drug": product.iloc[drug].to_numpy(),
                    "concession_price": np.maximum(price, 0.01).round(2).astype(str),
                }
            ).astype("str")
            twice = csv_lines(frame[some(own, len(frame), TWICE)])
            lines = with_broken(_dirty(frame, frame.assign(drug=""), own), twice, own)
            text = delimited(",".join(frame.columns), lines, "\n")
            place(root, "uk_price_concessions", day, "drug_concessions.csv").write_bytes(
                text.encode()
            )
            continue
        text = _flagged(world, of, product, words.bare_name, british.str[1], own)
        path = place(root, "uk_price_concessions", day, "prescribing_and_concessions.csv.gz")
        write_gzip(path, text.encode())


def _flagged(
    world: World,
    of: pd.DataFrame,
    product: pd.Series,
    ingredients: pd.Series,
    form: pd.Series,
    rng: np.random.Generator,
) -> str:
    """Monthly prescribing of the medicines that had a concession in the year."""
    who = np.unique(of["drug"])
    months = np.flatnonzero(
        world.price_months.astype("datetime64[Y]").astype(int) + 1970
        == of["event_date"].dt.year.iloc[0]
    )
    drug, month = np.repeat(who, len(months)), np.tile(months, len(who))
    conceded = pd.MultiIndex.from_arrays([of["drug"], of["event_date"].to_numpy("datetime64[D]")])
    flagged = pd.MultiIndex.from_arrays([drug, world.price_months[month]]).isin(conceded)
    unit = np.exp(world.log_price[month, drug]) * _POUNDS_PER_DOLLAR
    quantity = np.maximum((world.volume[drug] / 60).round(), 1)
    day = world.price_months[month].astype("datetime64[s]")
    frame = pd.DataFrame(
        {
            "month_full": written(pd.Series(day), "iso"),
            "product_pack": product.iloc[drug].to_numpy(),
            "active_ingredients": ingredients.iloc[drug].to_numpy(),
            "dosage": form.iloc[drug].to_numpy(),
            "value": (unit * quantity).round(2).astype(str),
            "quantity": quantity.astype(np.int64).astype(str),
            "shortage": np.where(flagged, "TRUE", ""),
            "base_no_shortage_estimate": "",
            "price_per_piece": unit.round(6).astype(str),
            "xaxis_months": pd.DatetimeIndex(day).strftime("%b %y"),
        }
    ).astype("str")
    return delimited(",".join(frame.columns), _dirty(frame, frame.assign(shortage="?"), rng), "\n")
