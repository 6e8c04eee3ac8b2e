"""Recalls of the FDA Data Dashboard, which name the recalling firm by its FEI number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import pandas as pd
from python_calamine import CalamineError, CalamineWorkbook

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
    pick_columns,
    spelled,
)
from shortcast.features.sources.contract import Column, Reading, Source, SourceError, Table
from shortcast.features.sources.tables import decode, tidy

REQUIRED = {
    "fei_number": ("FEI Number",),
    "recalling_firm": ("Recalling Firm Name",),
    "product_type": ("Product Type",),
    "classification": ("Product Classification",),
    "status": ("Status",),
    "center_classification_date": ("Center Classification Date",),
    "reason_for_recall": ("Reason for Recall",),
    "product_description": ("Product Description",),
    "event_id": ("Event ID",),
    "event_classification": ("Event Classification",),
    "product_id": ("Product ID",),
}
OPTIONAL = {
    "distribution_pattern": ("Distribution Pattern",),
    "city": ("Recalling Firm City",),
    "state": ("Recalling Firm State",),
    "country": ("Recalling Firm Country",),
    "center": ("Center",),
    "url": ("Recall Details",),
}

RECALLS = Table(
    name="dashboard_recalls",
    description="One recalled product with the FEI number of the recalling firm.",
    columns=(
        Column("product_id", "VARCHAR", "the FDA's number of the recalled product"),
        Column("event_id", "VARCHAR", "number of the recall event, as in recalls"),
        Column("fei_number", "VARCHAR", "FDA Establishment Identifier of the recalling firm"),
        Column("recalling_firm", "VARCHAR", "firm that recalls"),
        Column("city", "VARCHAR", "city of the recalling firm"),
        Column("state", "VARCHAR", "US state of the recalling firm, spelt out"),
        Column("country", "VARCHAR", "country of the recalling firm"),
        Column("product_type", "VARCHAR", "Drugs"),
        Column("classification", "VARCHAR", "class of this product: Class I (gravest), II or III"),
        Column("product_description", "VARCHAR", "product, in the firm's words; may hold NDCs"),
        Column("reason_for_recall", "VARCHAR", "reason, in the firm's words"),
        Column("distribution_pattern", "VARCHAR", "where it was sold, in words"),
        Column("center_classification_date", "DATE", "day the FDA classified the recall"),
        Column("center", "VARCHAR", "centre of the FDA in charge"),
        Column("url", "VARCHAR", "address of the details"),
    ),
    key=("product_id",),
)

STATES = Table(
    name="dashboard_recall_states",
    description="How far a recall was when a snapshot was taken.",
    columns=(
        Column("product_id", "VARCHAR", "the FDA's number of the recalled product"),
        Column("event_id", "VARCHAR", "number of the recall event"),
        Column("status", "VARCHAR", "Ongoing, Completed or Terminated"),
        Column("event_classification", "VARCHAR", "worst class of the event's products so far"),
    ),
    key=("product_id",),
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one recalls spreadsheet of the Data Dashboard.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's one xlsx file.
    as_of : date
        Day of the snapshot.

    Returns
    -------
    Reading
        ``dashboard_recalls``, public from the day of classification, and
        ``dashboard_recall_states`` with what changes afterwards, known when it is seen.

    Raises
    ------
    SourceError
        If the file is no whole spreadsheet, or not this export.
    """
    path = only_file(files, SOURCE.name)
    frame = _read_sheet(path)
    quarantine = []
    other = frame["product_type"].str.casefold() != "drugs"
    frame, entries = drop_rows(
        frame, other, "Product Type", frame["product_type"], "not a recall of drugs"
    )
    quarantine.append(entries)
    unnamed = frame["product_id"] == ""
    frame, entries = drop_rows(frame, unnamed, "Product ID", "", "no number of the product")
    quarantine.append(entries)
    classified, bad = dates(frame["center_classification_date"], as_of)
    frame, entries = drop_rows(
        frame.assign(center_classification_date=classified),
        bad | classified.isna(),
        "Center Classification Date",
        frame["center_classification_date"],
        date_reason(as_of),
    )
    quarantine.append(entries)
    fei, bad = fei_numbers(frame["fei_number"])
    quarantine.append(note_values(frame, bad, "FEI Number", frame["fei_number"], FEI_REASON))
    frame["fei_number"] = fei
    for name in {*REQUIRED, *OPTIONAL} - {"fei_number", "center_classification_date"}:
        frame[name] = blank_to_null(frame[name])
    frame["event_date"] = frame["published_at"] = frame["center_classification_date"]

    lineage = ["source_file", "source_row"]
    recalls = [column.name for column in RECALLS.columns]
    states = [column.name for column in STATES.columns]
    return Reading(
        {
            RECALLS.name: frame[[*recalls, "event_date", "published_at", *lineage]],
            STATES.name: frame[[*states, *lineage]],
        },
        gather(quarantine),
    )


def _read_sheet(path: Path) -> pd.DataFrame:
    """Return the first sheet as tidy text columns with lineage."""
    raw = path.read_bytes()
    if not raw.startswith(b"PK"):
        decode(raw, path.name)  # says so if the file is empty or a web page
        raise SourceError(f"{path.name} is not an xlsx spreadsheet; export it again.")
    try:
        rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    except CalamineError as error:
        raise SourceError(
            f"{path.name} is not a whole spreadsheet ({error}); export it again."
        ) from error
    if len(rows) < 2:
        raise SourceError(f"{path.name} has a header and no rows; export it again.")
    header = [_text(cell) for cell in rows[0]]
    cells = pd.DataFrame([[_text(cell) for cell in row] for row in rows[1:]], columns=header)
    frame = pick_columns(cells, path.name, REQUIRED, OPTIONAL)
    frame["source_file"], frame["source_row"] = path.name, range(1, len(frame) + 1)
    blank = (cells == "").all(axis="columns")
    return frame[~blank].reset_index(drop=True)


def _text(cell: object) -> str:
    """Return a cell as tidy text: a date in ISO form, a whole number without a fraction."""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return tidy(str(cell))


SOURCE = Source(
    name="fda_dashboard_recalls",
    title="FDA Data Dashboard: recalls",
    publisher="US Food and Drug Administration, Office of Inspections and Investigations",
    address="https://datadashboard.fda.gov/oii/cd/recalls.htm",
    licence="Public domain (work of the United States government)",
    citation="US Food and Drug Administration. FDA Data Dashboard: Recalls.",
    cadence_days=7,
    files=("*.xlsx",),
    tables=(RECALLS, STATES),
    read=read,
    required={"": spelled(REQUIRED)},
    caveats=(
        (
            "Only classified recalls, and no day on which they began. They count as public from "
            "the day of classification, which the export of that day shows already; the "
            "enforcement report follows a median of 8 days later."
        ),
        "The same recalls as in openfda_enforcement, with FEI numbers: join, never add up.",
        "The FEI number is that of the recalling firm, which need not be the plant.",
        (
            "It cannot be fetched: the Data Dashboard's interface for programs hands out no "
            "recalls, so the spreadsheet is exported from its page by hand and imported."
        ),
    ),
)
