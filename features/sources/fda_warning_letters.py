"""The FDA's list of warning letters, with the day each was posted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from shortcast.features.sources._fda_exports import (
    blank_to_null,
    date_reason,
    dates,
    drop_rows,
    gather,
    note_values,
    only_file,
    read_csv_export,
    spelled,
)
from shortcast.features.sources.contract import Column, Reading, Source, Table
from shortcast.features.sources.fetching import Fetching, Newest, WebTable

SITE = "https://www.fda.gov"

REQUIRED = {
    "url": ("url", "Letter URL", "Link"),
    "posted_date": ("posted_date", "Posted Date"),
    "letter_date": ("letter_date", "Letter Issue Date"),
    "company": ("company", "Company Name"),
    "issuing_office": ("issuing_office", "Issuing Office"),
    "subject": ("subject", "Subject"),
}

TABLE = Table(
    name="warning_letters",
    description="One warning letter as posted on the FDA's site.",
    columns=(
        Column("url", "VARCHAR", "address of the letter"),
        Column("case_id", "VARCHAR", "case number in the address, as in compliance_actions"),
        Column("company", "VARCHAR", "firm the letter is addressed to"),
        Column("issuing_office", "VARCHAR", "office that wrote it"),
        Column("subject", "VARCHAR", "what it is about, in the FDA's words"),
        Column("letter_date", "DATE", "date on the letter"),
        Column("posted_date", "DATE", "day the FDA says it posted the letter"),
    ),
    key=("url",),
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one copy of the list of warning letters.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's one CSV file.
    as_of : date
        Day of the snapshot.

    Returns
    -------
    Reading
        Table ``warning_letters``. A letter counts as public from the day it was posted, or
        from its own date where the list says it was posted before it was written.

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
        "posted_date",
        frame["posted_date"],
        date_reason(as_of),
    )
    quarantine.append(entries)
    unnamed = frame["url"] == ""
    frame, entries = drop_rows(frame, unnamed, "url", "", "no address, so no letter to name")
    quarantine.append(entries)
    written, bad = dates(frame["letter_date"], as_of)
    reason = f"{date_reason(as_of)}; the value is left empty"
    quarantine.append(note_values(frame, bad, "letter_date", frame["letter_date"], reason))
    frame["letter_date"] = written

    # The address ends in the case number and the letter's date: .../firm-name-654321-03122026
    frame["case_id"] = frame["url"].str.extract(r"-(\d{5,7})-\d{8}(?:-\d+)?/?$", expand=False)
    frame["url"] = frame["url"].where(~frame["url"].str.startswith("/"), SITE + frame["url"])
    for name in ("company", "issuing_office", "subject"):
        frame[name] = blank_to_null(frame[name])
    frame["event_date"] = frame["letter_date"]
    frame["published_at"] = frame[["posted_date", "letter_date"]].max(axis="columns")
    return Reading({TABLE.name: frame}, gather(quarantine))


SOURCE = Source(
    name="fda_warning_letters",
    title="FDA warning letters",
    publisher="US Food and Drug Administration",
    address=(
        "https://www.fda.gov/inspections-compliance-enforcement-and-criminal-investigations/"
        "compliance-actions-and-activities/warning-letters"
    ),
    licence="Public domain (work of the United States government)",
    citation="US Food and Drug Administration. Warning Letters.",
    cadence_days=7,
    files=("*.csv", "*.csv.gz"),
    tables=(TABLE,),
    read=read,
    required={"": spelled(REQUIRED)},
    caveats=(
        (
            "The list of March 2026 begins in January 2021: no letter before then does not mean "
            "that a firm had none."
        ),
        "All centres stand in one list; more than a third of it is about tobacco.",
        (
            "Two letters are listed as posted before they were written; they count as public from "
            "the letter's date."
        ),
    ),
    fetching=Fetching(
        way=WebTable(
            "https://www.fda.gov/datatables/views/ajax",
            file="warning_letters.csv",
            query={
                "view_name": "warning_letter_solr_index",
                "view_display_id": "warning_letter_solr_block",
            },
            columns=("posted_date", "letter_date", "company", "issuing_office", "subject"),
            link_column="url",
            link_in="company",
        ),
        size=(400_000, 30_000_000),
        rows=2_500,
        fall=0.1,
        newest=Newest("warning_letters", "posted_date", within_days=45),
        every_days=7,
        per_minute=20,
    ),
)
