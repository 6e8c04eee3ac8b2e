"""Compliance actions of the FDA Data Dashboard: warning letters, injunctions, seizures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

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
    spelled,
)
from shortcast.features.sources.contract import Column, Reading, Source, Table
from shortcast.features.sources.fetching import Dashboard, Fetching, Newest

REQUIRED = {
    "fei_number": ("FEI Number",),
    "legal_name": ("Legal Name",),
    "product_type": ("Product Type",),
    "action_taken_date": ("Action Taken Date",),
    "action_type": ("Action Type",),
    "case_id": ("Case/Injunction ID",),
}
OPTIONAL = {
    "state": ("State",),
    "country": ("Country/Area", "Country", "Country Name"),
}

TABLE = Table(
    name="compliance_actions",
    description="One warning letter, injunction or seizure against one firm.",
    columns=(
        Column(
            "case_id", "VARCHAR", "number of the case or injunction; several firms may share it"
        ),
        Column("fei_number", "VARCHAR", "FDA Establishment Identifier, no leading zeros"),
        Column("legal_name", "VARCHAR", "firm as the FDA names it today"),
        Column("state", "VARCHAR", "US state or territory, spelt out"),
        Column("country", "VARCHAR", "country or area"),
        Column("product_type", "VARCHAR", "Drugs, Devices or Biologics"),
        Column("is_drug", "BOOLEAN", "whether the product type is Drugs"),
        Column("action_type", "VARCHAR", "Warning Letter, Injunction or Seizure"),
        Column("action_taken_date", "DATE", "day of the letter or of the court's action"),
    ),
    key=("case_id", "fei_number", "action_type", "product_type"),
    assumed_lag_days=30,
    lag_note=(
        "The export has no date of publication. Of the drug centre's warning letters posted since "
        "2021, half appeared within 8 days of their date and 89 % within 30 (counted in "
        "fda_warning_letters)."
    ),
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one export of compliance actions.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's one CSV file.
    as_of : date
        Day of the snapshot.

    Returns
    -------
    Reading
        Table ``compliance_actions``, all product types.

    Raises
    ------
    SourceError
        If the file is not such an export.
    """
    path = only_file(files, SOURCE.name)
    frame, quarantine = read_csv_export(path, REQUIRED, OPTIONAL)
    taken, bad = dates(frame["action_taken_date"], as_of)
    frame, entries = drop_rows(
        frame.assign(action_taken_date=taken),
        bad | taken.isna(),
        "Action Taken Date",
        frame["action_taken_date"],
        date_reason(as_of),
    )
    quarantine.append(entries)
    fei, bad = fei_numbers(frame["fei_number"])
    quarantine.append(note_values(frame, bad, "FEI Number", frame["fei_number"], FEI_REASON))
    frame["fei_number"] = fei
    frame["is_drug"] = frame["product_type"].str.casefold().isin(["drugs", "human drugs"])
    for name in ("case_id", "legal_name", "state", "country", "product_type", "action_type"):
        frame[name] = blank_to_null(frame[name])
    frame["event_date"] = frame["action_taken_date"]
    return Reading({TABLE.name: frame}, gather(quarantine))


SOURCE = Source(
    name="fda_compliance_actions",
    title="FDA Data Dashboard: compliance actions",
    publisher="US Food and Drug Administration, Office of Inspections and Investigations",
    address="https://datadashboard.fda.gov/oii/cd/complianceactions.htm",
    licence="Public domain (work of the United States government)",
    citation="US Food and Drug Administration. FDA Data Dashboard: Compliance Actions.",
    cadence_days=7,
    files=("*.csv", "*.csv.gz"),
    tables=(TABLE,),
    read=read,
    required={"": spelled(REQUIRED)},
    caveats=(
        "No date of publication: the day of the action is not the day it could be read.",
        "All product types stand in one table; filter on is_drug.",
        "The firm's name is today's, also on rows of long ago.",
    ),
    fetching=Fetching(
        way=Dashboard(
            "https://api-datadashboard.fda.gov/v1/compliance_actions",
            file="compliance_actions.csv",
            dated_by="ActionTakenDate",
            since=2008,
            sort="ActionTakenDate",
        ),
        size=(200_000, 30_000_000),
        rows=3_000,
        fall=0.02,
        newest=Newest("compliance_actions", "action_taken_date", within_days=90),
        every_days=7,
        keys=("dashboard_user", "dashboard_key"),
    ),
)
