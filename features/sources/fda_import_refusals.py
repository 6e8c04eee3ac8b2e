"""Import refusals of the FDA Data Dashboard: shipments of drugs turned away at the border."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from shortcast.features.sources._fda_exports import (
    FEI_REASON,
    blank_to_null,
    date_reason,
    dates,
    drop_rows,
    fei_numbers,
    gather,
    note_values,
    only_file,
    read_csv_export,
    refuse_one_page,
    spelled,
)
from shortcast.features.sources.contract import Column, Reading, Source, Table
from shortcast.features.sources.fetching import Dashboard, Fetching, Newest

#: How the coarse and the fine word for what is in a shipment name drugs.
CATEGORIES = ("drugs and biologics", "drugs", "human drugs")
INDUSTRY = "human drugs"

REQUIRED = {
    "fei_number": ("FEI Number",),
    "firm_name": ("Firm Name", "Firm Legal Name"),
    "product_category": ("Product Category",),
    "product_code": ("Product Code",),
    "product_description": ("Product Code Description",),
    "refusal_date": ("Refusal Date",),
    "shipment_id": ("Shipment ID",),
    "charges": ("Refusal Charges",),
}
OPTIONAL = {
    "city": ("City",),
    "country": ("Country Name", "Country/Area", "Country"),
    "industry": ("Industry Code Description",),
    "district": ("District Description",),
    "fda_sampled": ("FDA Sample Analysis",),
    "private_lab_sampled": ("Private Lab Analysis",),
}
_YES_OR_NO = {"yes": True, "y": True, "no": False, "n": False}

TABLE = Table(
    name="import_refusals",
    description="One line of a shipment of drugs that was refused entry to the United States.",
    columns=(
        Column("shipment_id", "VARCHAR", "number of the shipment, or of a line of it"),
        Column("fei_number", "VARCHAR", "FDA Establishment Identifier, no leading zeros"),
        Column("firm_name", "VARCHAR", "declared manufacturer"),
        Column("city", "VARCHAR", "city of the manufacturer"),
        Column("country", "VARCHAR", "country of the manufacturer"),
        Column("product_category", "VARCHAR", "Drugs and Biologics"),
        Column("industry", "VARCHAR", "finer than the category: Human Drugs, Biologics ..."),
        Column("is_human_drug", "BOOLEAN", "whether the industry is Human Drugs; null: not told"),
        Column("product_code", "VARCHAR", "the FDA's product code, five to seven characters"),
        Column("product_description", "VARCHAR", "what the product code says"),
        Column("refusal_date", "DATE", "day of the refusal"),
        Column("charges", "VARCHAR", "charges as listed, joined by commas"),
        Column("district", "VARCHAR", "import division of the FDA"),
        Column("fda_sampled", "BOOLEAN", "the FDA analysed a sample"),
        Column("private_lab_sampled", "BOOLEAN", "a private laboratory analysed a sample"),
    ),
    # Several lines of a shipment may share its number.
    key=("shipment_id", "fei_number", "product_code", "refusal_date"),
    assumed_lag_days=60,
    lag_note=(
        "The export has no date of publication. The list is renewed about once a month, so a "
        "refusal is shown with the month after it; 60 days are a working assumption."
    ),
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one export of import refusals.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's one CSV file, plain or gzipped.
    as_of : date
        Day of the snapshot.

    Returns
    -------
    Reading
        Table ``import_refusals``: lines whose category or industry is that of drugs. Others
        (foods, tobacco, devices) go to quarantine as out of scope.

    Raises
    ------
    SourceError
        If the file is not such an export, or is exactly one page of the Dashboard long.
    """
    path = only_file(files, SOURCE.name)
    frame, quarantine = read_csv_export(path, REQUIRED, OPTIONAL)
    refuse_one_page(frame, path)
    industry = frame["industry"].str.casefold()
    other = ~frame["product_category"].str.casefold().isin(CATEGORIES) & (industry != INDUSTRY)
    frame, entries = drop_rows(
        frame, other, "Product Category", frame["product_category"], "not a refusal of drugs"
    )
    quarantine.append(entries)
    refused, bad = dates(frame["refusal_date"], as_of)
    frame, entries = drop_rows(
        frame.assign(refusal_date=refused),
        bad | refused.isna(),
        "Refusal Date",
        frame["refusal_date"],
        date_reason(as_of),
    )
    quarantine.append(entries)
    fei, bad = fei_numbers(frame["fei_number"])
    quarantine.append(note_values(frame, bad, "FEI Number", frame["fei_number"], FEI_REASON))
    frame["fei_number"] = fei
    for name in ("fda_sampled", "private_lab_sampled"):
        frame[name] = frame[name].str.casefold().map(_YES_OR_NO).astype("boolean")
    texts = [c.name for c in TABLE.columns if c.type == "VARCHAR" and c.name != "fei_number"]
    for name in texts:
        frame[name] = blank_to_null(frame[name])
    told = frame["industry"]
    is_human = pd.Series(told.str.casefold() == INDUSTRY, dtype="boolean")
    frame["is_human_drug"] = is_human.mask(told.isna())
    frame["event_date"] = frame["refusal_date"]
    return Reading({TABLE.name: frame}, gather(quarantine))


SOURCE = Source(
    name="fda_import_refusals",
    title="FDA Data Dashboard: import refusals of drugs",
    publisher="US Food and Drug Administration, Office of Inspections and Investigations",
    address="https://datadashboard.fda.gov/oii/cd/imprefusals.htm",
    licence="Public domain (work of the United States government)",
    citation="US Food and Drug Administration. FDA Data Dashboard: Import Refusals.",
    cadence_days=30,
    files=("*.csv", "*.csv.gz"),
    tables=(TABLE,),
    read=read,
    required={"": spelled(REQUIRED)},
    caveats=(
        "No feature and no link rests on it yet: it is kept for whoever wants to try.",
        "A refused shipment may be a parcel: it need not say anything about a maker's supply.",
        "The category is wider than drugs for humans: filter on is_human_drug.",
        "Product codes name kinds of products, not the NDC or the application.",
        ("Charges may come as numbers, whose words are in a file of the FDA that is not fetched."),
        (
            "Fields are those of the interface's published description; the value by which drugs "
            "are asked for, Drugs and Biologics, and the monthly rhythm are known from others. "
            "That they are right, how many rows there are, and whether a shipment's number is "
            "one line's could not be confirmed."
        ),
    ),
    fetching=Fetching(
        way=Dashboard(
            "https://api-datadashboard.fda.gov/v1/import_refusals",
            file="import_refusals.csv.gz",
            dated_by="RefusalDate",
            # It begins in October 2001; a year without rows would break the fetch off.
            since=2002,
            sort="ShipmentID",
            filters={"ProductCategory": ("Drugs and Biologics",)},
        ),
        size=(300_000, 200_000_000),
        rows=20_000,
        fall=0.02,
        newest=Newest("import_refusals", "refusal_date", within_days=120),
        every_days=7,
        keys=("dashboard_user", "dashboard_key"),
    ),
)
