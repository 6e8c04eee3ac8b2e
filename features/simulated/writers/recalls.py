"""Recalls: openFDA's enforcement reports and the spreadsheet of the FDA's Data Dashboard."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shortcast.features.simulated.world import World
from shortcast.features.simulated.writers._dirt import (
    MISSPELT,
    TWICE,
    dice,
    how_many,
    misspelt,
    some,
    with_broken,
)
from shortcast.features.simulated.writers._files import (
    as_days,
    day_number,
    place,
    write_sheet,
    write_zip,
    written,
)
from shortcast.features.simulated.writers._words import Words, last_day, year_ends
from shortcast.features.simulated.writers.shortages import meta

#: Descriptions with an NDC in them, and recalls with it among the lots only.
_NDC_TOLD, _NDC_IN_LOTS = 0.82, 0.06
_BLOCK = 0.45
_SHEET_HEADER = (
    "FEI Number", "Recalling Firm Name", "Product Type", "Product Classification", "Status",
    "Distribution Pattern", "Recalling Firm City", "Recalling Firm State",
    "Recalling Firm Country", "Center Classification Date", "Reason for Recall",
    "Product Description", "Event ID", "Event Classification", "Product ID", "Center",
    "Recall Details",
)  # fmt: skip
_SHEET_EVERY_YEARS = 5


def _told(world: World, words: Words) -> pd.DataFrame:
    """Recalled products with what is said of them."""
    catalogue = world.catalogue
    rows = world.reports.recalls.sort_values(
        ["published_at", "recall_number"], kind="stable", ignore_index=True
    )
    rng = dice(world, "recalls")
    size = len(rows)
    drug, firm = rows["drug"].to_numpy(), rows["firm"].to_numpy()
    plant = rows["plant"].to_numpy()
    products = catalogue.products.iloc[rows["product"]].reset_index(drop=True)
    company = catalogue.firms["full_name"].iloc[firm].reset_index(drop=True)
    city = catalogue.plants["city"].iloc[plant].reset_index(drop=True)
    ndc = products["package_ndc"]
    chance = rng.random(size)
    in_text, in_lots = chance < _NDC_TOLD, chance > 1 - _NDC_IN_LOTS
    lot = pd.Series(rng.integers(10_000, 99_999, size), dtype="str")
    expiry = pd.Series(rng.integers(1, 13, size)).astype("str") + "/"
    expiry += (rows["event_date"].dt.year + 1).astype("str")
    return rows.assign(
        company=misspelt(company, some(rng, size, MISSPELT), rng),
        city=city,
        state=words.plants["state"].iloc[plant].to_numpy(),
        state_name=words.plants["state_name"].iloc[plant].to_numpy(),
        country=words.plants["country_name"].iloc[plant].to_numpy(),
        description=words.name_and_form.iloc[drug].reset_index(drop=True)
        + ", " + products["strength"] + ", " + products["package"]
        + ", Rx only, Manufactured by: " + company + ", " + city
        + (". NDC " + ndc).where(in_text, ""),
        lots="Lot: X" + lot + ", Exp. " + expiry + ("; NDC " + ndc).where(in_lots, ""),
        quantity=pd.Series(rng.integers(100, 90_000, size), dtype="str") + " units",
        ndc=ndc,
        product_ndc=products["product_ndc"],
        substance=words.substance.iloc[drug].to_numpy(),
        has_block=some(rng, size, _BLOCK),
    )  # fmt: skip


def write_enforcement(world: World, root: Path, words: Words) -> None:
    """Write openFDA's bulk file of enforcement reports, once a year.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    rows = _told(world, words)
    texts = {ended: _records(rows, ended=ended) for ended in (False, True)}
    published, ended = as_days(rows["published_at"]), as_days(rows["terminated_on"])
    name = "drug-enforcement-0001-of-0001.json"
    for day in year_ends(world):
        today = day_number(day)
        rng = dice(world, "openfda_enforcement", day)
        shown = np.flatnonzero(published <= today)
        if not len(shown):
            continue
        over = ended[shown] <= today
        records = [texts[bool(done)][at] for at, done in zip(shown, over, strict=True)]
        broken = _broken(records, rng)
        twice = [records[at] for at in np.flatnonzero(some(rng, len(records), TWICE))]
        records = with_broken(records, [*broken, *twice], rng)
        head = json.dumps({"meta": meta(day, len(records))})[:-1]
        text = f'{head}, "results": [\n' + ",\n".join(records) + "\n]}"
        path = place(root, "openfda_enforcement", day, f"{name}.zip")
        write_zip(path, {name: text.encode()})


def _broken(records: list[str], rng: np.random.Generator) -> list[str]:
    """Return records that cannot be used: without a report's day, or not of drugs."""
    found = []
    for at in rng.integers(len(records), size=how_many(rng, len(records))):
        record = json.loads(records[at])
        record["recall_number"] += "X"
        if rng.random() < 0.5:
            record["report_date"] = ""
        else:
            record["product_type"] = "Devices"
        found.append(json.dumps(record))
    return found


def _records(rows: pd.DataFrame, *, ended: bool) -> list[str]:
    days = {
        name: written(rows[column], "compact")
        for name, column in (
            ("recall_initiation_date", "event_date"),
            ("center_classification_date", "classified_on"),
            ("report_date", "published_at"),
            ("termination_date", "terminated_on"),
        )
    }
    fixed = {
        "event_id": rows["event"].astype("str"),
        "recall_number": rows["recall_number"],
        "recalling_firm": rows["company"],
        "city": rows["city"],
        "state": rows["state"],
        "country": rows["country"],
        "classification": rows["classification"],
        "product_description": rows["description"],
        "code_info": rows["lots"],
        "product_quantity": rows["quantity"],
        "reason_for_recall": rows["reason"],
    }
    if not ended:
        del days["termination_date"]
    status = "Terminated" if ended else "Ongoing"
    found = []
    for record, block, substance, ndc, package in zip(
        pd.DataFrame({**fixed, **days}).to_dict("records"),
        rows["has_block"],
        rows["substance"],
        rows["product_ndc"],
        rows["ndc"],
        strict=True,
    ):
        record |= {
            "status": status,
            "product_type": "Drugs",
            "address_1": "1 Invented Road",
            "postal_code": "00000",
            "distribution_pattern": "Nationwide in the USA",
            "voluntary_mandated": "Voluntary: Firm initiated",
            "initial_firm_notification": "Letter",
            "openfda": {
                "substance_name": substance.split("; "),
                "product_ndc": [ndc],
                "package_ndc": [package],
                "product_type": ["HUMAN PRESCRIPTION DRUG"],
            }
            if block
            else {},
        }
        found.append(json.dumps(record, ensure_ascii=False))
    return found


def write_dashboard(world: World, root: Path, words: Words) -> None:
    """Write the Data Dashboard's spreadsheet of recalls, every five years and at the end.

    Parameters
    ----------
    world : World
        The market.
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    words : Words
        Texts of the market.
    """
    rows = _told(world, words)
    # The worst class of an event's products counts for the event.
    event_class = rows.groupby("event")["classification"].transform("min")
    identity = 200_001 + np.arange(len(rows))
    classified, ended = as_days(rows["classified_on"]), as_days(rows["terminated_on"])
    for day in _sheet_days(world):
        today = day_number(day)
        shown = np.flatnonzero(classified <= today)[::-1]
        if not len(shown):
            continue
        of = rows.iloc[shown]
        status = np.where(ended[shown] <= today, "Terminated", "Ongoing")
        columns: list[NDArray[np.object_] | NDArray[np.int64] | pd.Series | str] = [
            of["fei"], of["company"], "Drugs", of["classification"],
            status.astype(object), "Nationwide in the USA", of["city"], of["state_name"],
            of["country"], classified[shown], of["reason"], of["description"],
            of["event"].astype("str"), event_class.iloc[shown],
            identity[shown].astype(str).astype(object), "CDER",
            "https://example.invalid/ires/?Product="
            + pd.Series(identity[shown], index=of.index).astype("str"),
        ]  # fmt: skip
        write_sheet(
            place(root, "fda_dashboard_recalls", day, "drug_recall.xlsx"), _SHEET_HEADER, columns
        )


def _sheet_days(world: World) -> list[date]:
    last = last_day(world)
    years = range(last.year, world.starts_on.year - 1, -_SHEET_EVERY_YEARS)
    return sorted(date(year, 12, 31) for year in years)
