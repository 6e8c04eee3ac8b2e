"""Inspection classifications of the FDA Data Dashboard: one row an inspection."""

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
from shortcast.features.sources.tables import join_texts

#: Mildest to worst: no, voluntary and official action indicated.
CLASSES = ("NAI", "VAI", "OAI")
CLINICAL = "Bioresearch Monitoring"

REQUIRED = {
    "fei_number": ("FEI Number",),
    "legal_name": ("Legal Name",),
    "inspection_id": ("Inspection ID",),
    "inspection_end_date": ("Inspection End Date",),
    "classification": ("Classification", "Classification Code"),
    "project_area": ("Project Area",),
    "product_type": ("Product Type",),
}
OPTIONAL = {
    "city": ("City",),
    "state": ("State",),
    "country": ("Country/Area", "Country", "Country Name"),
}

TABLE = Table(
    name="inspections",
    description="One finished FDA inspection of a drug site, with its worst classification.",
    columns=(
        Column("inspection_id", "VARCHAR", "the FDA's number of the inspection"),
        Column("fei_number", "VARCHAR", "FDA Establishment Identifier, no leading zeros"),
        Column("legal_name", "VARCHAR", "firm as the FDA names it today"),
        Column("city", "VARCHAR", "city of the site"),
        Column("state", "VARCHAR", "US state or territory of the site, spelt out"),
        Column("country", "VARCHAR", "country of the site, where the export has it"),
        Column("inspection_end_date", "DATE", "last day of the inspection"),
        Column("classification", "VARCHAR", "worst over project areas: OAI, VAI or NAI"),
        Column("project_areas", "VARCHAR", "project areas that were classified, joined by |"),
        Column("project_area_count", "BIGINT", "rows of the export behind this one"),
    ),
    key=("inspection_id",),
    assumed_lag_days=90,
    lag_note=(
        "The export has no date of publication; that a final class can be read 90 days after "
        "the inspection's end is a working assumption."
    ),
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one export of inspection classifications.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's one CSV file, plain or gzipped.
    as_of : date
        Day of the snapshot.

    Returns
    -------
    Reading
        Table ``inspections``, one row an inspection: the class is the worst over the project
        areas other than clinical ones. Rows of clinical sites and of products other than
        drugs go to quarantine as out of scope.

    Raises
    ------
    SourceError
        If the file is not such an export, or is exactly one page of the Dashboard long.
    """
    path = only_file(files, SOURCE.name)
    frame, quarantine = read_csv_export(path, REQUIRED, OPTIONAL)
    refuse_one_page(frame, path)

    clinical = frame["project_area"].str.casefold() == CLINICAL.casefold()
    frame, entries = drop_rows(
        frame, clinical, "Project Area", frame["project_area"], "clinical site, not a plant"
    )
    quarantine.append(entries)
    other = ~frame["product_type"].str.casefold().isin(["drugs", "human drugs"])
    frame, entries = drop_rows(
        frame, other, "Product Type", frame["product_type"], "not an inspection of drugs"
    )
    quarantine.append(entries)
    unnamed = frame["inspection_id"] == ""
    frame, entries = drop_rows(frame, unnamed, "Inspection ID", "", "no inspection number")
    quarantine.append(entries)

    # "OAI", "Official Action Indicated (OAI)" and "Official Action Indicated" all occur.
    text = frame["classification"].str.upper()
    initials = text.str.extract(r"\b(NAI|VAI|OAI)\b", expand=False)
    initials = initials.fillna(text.str.extract(r"\b([NVO])\w* ACTION I", expand=False) + "AI")
    frame, entries = drop_rows(
        frame.assign(classification=initials),
        initials.isna(),
        "Classification",
        frame["classification"],
        "the class is none of OAI, VAI and NAI",
    )
    quarantine.append(entries)
    ended, bad = dates(frame["inspection_end_date"], as_of)
    undated = bad | ended.isna()
    frame, entries = drop_rows(
        frame.assign(inspection_end_date=ended),
        undated,
        "Inspection End Date",
        frame["inspection_end_date"],
        date_reason(as_of),
    )
    quarantine.append(entries)
    fei, bad = fei_numbers(frame["fei_number"])
    quarantine.append(note_values(frame, bad, "FEI Number", frame["fei_number"], FEI_REASON))
    frame["fei_number"] = fei

    table = _one_row_an_inspection(frame)
    for name in ("legal_name", "city", "state", "country"):
        table[name] = blank_to_null(table[name])
    table["event_date"] = table["inspection_end_date"]
    return Reading({TABLE.name: table}, gather(quarantine))


def _one_row_an_inspection(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep of each inspection the row with its worst class, and name all project areas."""
    ranked = frame.assign(severity=frame["classification"].map(CLASSES.index))
    by_id = ranked.groupby("inspection_id", sort=False)["project_area"]
    ranked["project_area_count"] = by_id.transform("size")
    worst = ranked.sort_values(["severity", "source_row"], ascending=[False, True])
    worst = worst.drop_duplicates("inspection_id").sort_values("source_row", ignore_index=True)
    distinct = frame[["inspection_id", "project_area"]].drop_duplicates()
    areas = join_texts(distinct.sort_values("project_area"), ["inspection_id"], "project_area", "|")
    worst["project_areas"] = worst["inspection_id"].map(
        areas.set_index("inspection_id")["project_area"]
    )
    names = [column.name for column in TABLE.columns]
    return worst[[*names, "source_file", "source_row"]]


SOURCE = Source(
    name="fda_inspections",
    title="FDA Data Dashboard: inspection classifications",
    publisher="US Food and Drug Administration, Office of Inspections and Investigations",
    address="https://datadashboard.fda.gov/oii/cd/inspections.htm",
    licence="Public domain (work of the United States government)",
    citation="US Food and Drug Administration. FDA Data Dashboard: Inspections.",
    cadence_days=7,
    files=("*.csv", "*.csv.gz"),
    tables=(TABLE,),
    read=read,
    required={"": spelled(REQUIRED)},
    caveats=(
        (
            "The snapshot of May 2026 has no NAI or VAI row for 2013 to 2018 and only part of 2019 "
            "(its collector hit a page cap), so nothing may be computed from the time since the "
            "last inspection or from counts of NAI and VAI; OAI looks complete."
        ),
        (
            "Only final classifications are shown, without a date of publication, and not every "
            "inspection is there."
        ),
        "The firm's name is today's, also on rows of long ago.",
        "A firm is not a plant, and no public record says which plant makes which drug.",
    ),
    fetching=Fetching(
        way=Dashboard(
            "https://api-datadashboard.fda.gov/v1/inspections_classifications",
            file="inspections.csv.gz",
            dated_by="InspectionEndDate",
            since=2008,
            sort="InspectionID",
            filters={"ProductType": ("Drugs",)},
        ),
        size=(300_000, 60_000_000),
        rows=15_000,
        fall=0.02,
        # Clinical sites are a third of the rows, and none of ours.
        unparsed=0.45,
        newest=Newest("inspections", "inspection_end_date", within_days=180),
        every_days=7,
        keys=("dashboard_user", "dashboard_key"),
    ),
)
