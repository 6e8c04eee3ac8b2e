"""Inspection observations (Form FDA 483) that the FDA has put in its reading room."""

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

REQUIRED = {
    "record_date": ("Record Date",),
    "fei_number": ("FEI Number",),
    "legal_name": ("Legal Name",),
    "record_type": ("Record Type",),
    "posted_date": ("Date Posted", "Publish Date"),
    "url": ("Download",),
    "record_id": ("Record ID",),
}

TABLE = Table(
    name="published_483s",
    description="One inspection record that the FDA has published.",
    columns=(
        Column("record_id", "VARCHAR", "the FDA's number of the record"),
        Column("fei_number", "VARCHAR", "FDA Establishment Identifier, no leading zeros"),
        Column("legal_name", "VARCHAR", "firm as the FDA names it"),
        Column("record_type", "VARCHAR", "kind of record, 483"),
        Column("record_date", "DATE", "date of the record, where it is given"),
        Column("posted_date", "DATE", "day the FDA says it posted the record"),
        Column("url", "VARCHAR", "address of the document"),
    ),
    key=("record_id",),
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one copy of the list of published Form 483s.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's one CSV file.
    as_of : date
        Day of the snapshot.

    Returns
    -------
    Reading
        Table ``published_483s``, public from the day of posting.

    Raises
    ------
    SourceError
        If the file is not such a list.
    """
    path = only_file(files, SOURCE.name)
    frame, quarantine = read_csv_export(path, REQUIRED)
    posted, bad = dates(frame["posted_date"], as_of)
    frame, entries = drop_rows(
        frame.assign(posted_date=posted),
        bad | posted.isna(),
        "Date Posted",
        frame["posted_date"],
        date_reason(as_of),
    )
    quarantine.append(entries)
    recorded, bad = dates(frame["record_date"], as_of)
    reason = f"{date_reason(as_of)}; the value is left empty"
    quarantine.append(note_values(frame, bad, "Record Date", frame["record_date"], reason))
    frame["record_date"] = recorded
    fei, bad = fei_numbers(frame["fei_number"])
    quarantine.append(note_values(frame, bad, "FEI Number", frame["fei_number"], FEI_REASON))
    frame["fei_number"] = fei
    for name in ("record_id", "legal_name", "record_type", "url"):
        frame[name] = blank_to_null(frame[name])
    frame["event_date"] = frame["record_date"]
    frame["published_at"] = frame["posted_date"]
    return Reading({TABLE.name: frame}, gather(quarantine))


SOURCE = Source(
    name="fda_published_483s",
    title="FDA published inspection records (Form FDA 483)",
    publisher="US Food and Drug Administration, Office of Inspections and Investigations",
    address="https://www.fda.gov/about-fda/oii-foia-electronic-reading-room",
    licence="Public domain (work of the United States government)",
    citation="US Food and Drug Administration. OII FOIA Electronic Reading Room.",
    cadence_days=30,
    files=("*.csv", "*.csv.gz"),
    tables=(TABLE,),
    read=read,
    required={"": spelled(REQUIRED)},
    caveats=(
        "Posted a median of 2,459 days after the record's date, so of little use for warning.",
        (
            "1,092 of the 1,723 records of May 2024 say that they were posted on one day, "
            "2024-01-17: a move of the site, not the day they first appeared."
        ),
        "Many record dates cannot be right: 195 records bear 2015-07-10 and 191 the day after.",
        "A small, chosen part of all Form 483s: a firm that is not in it may have had many.",
        (
            "It cannot be fetched: no address is known under which the reading room hands out its "
            "table to programs, so it is exported by hand and imported."
        ),
    ),
)
