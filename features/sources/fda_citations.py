"""Citations of the FDA Data Dashboard: what an inspection found, by the regulation it breaks."""

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
    refuse_one_page,
    spelled,
)
from shortcast.features.sources.contract import Column, Reading, Source, Table
from shortcast.features.sources.fetching import Dashboard, Fetching, Newest

REQUIRED = {
    "inspection_id": ("Inspection ID",),
    "fei_number": ("FEI Number",),
    "legal_name": ("Legal Name",),
    "inspection_end_date": ("Inspection End Date",),
    "program_area": ("Program Area",),
    "cfr_number": ("Act/CFR Number",),
    "short_description": ("Short Description",),
    "long_description": ("Long Description",),
}
#: The spreadsheet of the website has neither; the interface has both.
OPTIONAL = {
    "citation_id": ("Citation ID",),
    "country": ("Country/Area", "Country", "Country Name"),
}

TABLE = Table(
    name="inspection_citations",
    description="One citation of a finished FDA inspection of a drug site.",
    columns=(
        Column("inspection_id", "VARCHAR", "the FDA's number of the inspection"),
        # One layout of the export has it and the other does not.
        Column("citation_id", "VARCHAR", "the FDA's number of the citation", volatile=True),
        Column("fei_number", "VARCHAR", "FDA Establishment Identifier, no leading zeros"),
        Column("legal_name", "VARCHAR", "firm as the FDA names it today"),
        Column("country", "VARCHAR", "country of the site, where told", volatile=True),
        Column("inspection_end_date", "DATE", "last day of the inspection"),
        Column("program_area", "VARCHAR", "Drugs"),
        Column("cfr_number", "VARCHAR", "section of the regulations or the act that is cited"),
        Column("short_description", "VARCHAR", "what the section is about"),
        Column("long_description", "VARCHAR", "the finding, in the standard words of the FDA"),
    ),
    key=("inspection_id", "cfr_number", "short_description"),
    assumed_lag_days=90,
    lag_note=(
        "The export has no date of publication. Citations are posted once every class of their "
        "inspection is final, so the working assumption for classes, 90 days after the "
        "inspection's end, is taken for them too."
    ),
)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one export of citations.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's one CSV file, plain or gzipped.
    as_of : date
        Day of the snapshot.

    Returns
    -------
    Reading
        Table ``inspection_citations``. Rows of other program areas than drugs (devices, foods,
        clinical sites) go to quarantine as out of scope.

    Raises
    ------
    SourceError
        If the file is not such an export, or is exactly one page of the Dashboard long.
    """
    path = only_file(files, SOURCE.name)
    frame, quarantine = read_csv_export(path, REQUIRED, OPTIONAL)
    refuse_one_page(frame, path)
    other = ~frame["program_area"].str.casefold().isin(["drugs", "human drugs"])
    frame, entries = drop_rows(
        frame, other, "Program Area", frame["program_area"], "not a citation about drugs"
    )
    quarantine.append(entries)
    unnamed = frame["inspection_id"] == ""
    frame, entries = drop_rows(frame, unnamed, "Inspection ID", "", "no inspection number")
    quarantine.append(entries)
    uncited = blank_to_null(frame["cfr_number"]).isna()
    frame, entries = drop_rows(
        frame, uncited, "Act/CFR Number", frame["cfr_number"], "no section is cited"
    )
    quarantine.append(entries)
    ended, bad = dates(frame["inspection_end_date"], as_of)
    frame, entries = drop_rows(
        frame.assign(inspection_end_date=ended),
        bad | ended.isna(),
        "Inspection End Date",
        frame["inspection_end_date"],
        date_reason(as_of),
    )
    quarantine.append(entries)
    fei, bad = fei_numbers(frame["fei_number"])
    quarantine.append(note_values(frame, bad, "FEI Number", frame["fei_number"], FEI_REASON))
    frame["fei_number"] = fei
    for name in ("citation_id", "legal_name", "country", "short_description", "long_description"):
        frame[name] = blank_to_null(frame[name])
    frame["event_date"] = frame["inspection_end_date"]
    return Reading({TABLE.name: frame}, gather(quarantine))


SOURCE = Source(
    name="fda_citations",
    title="FDA Data Dashboard: inspection citations",
    publisher="US Food and Drug Administration, Office of Inspections and Investigations",
    address="https://datadashboard.fda.gov/oii/cd/inspections.htm",
    licence="Public domain (work of the United States government)",
    citation="US Food and Drug Administration. FDA Data Dashboard: Inspections Citations.",
    cadence_days=7,
    files=("*.csv", "*.csv.gz"),
    tables=(TABLE,),
    read=read,
    required={"": spelled(REQUIRED)},
    caveats=(
        "No feature and no link rests on it yet: it is kept for whoever wants to try.",
        "Citations are shown only of inspections all of whose classes are final.",
        "Forms 483 that were written by hand are not among them, nor are inspections by states.",
        "A citation says which rule was broken, not how gravely.",
        "The firm's name is today's, also on rows of long ago.",
        (
            "Fields are those of the interface's published description; that the filter on the "
            "program area brings drugs alone, how many rows there are, and whether a citation "
            "number names a row or a standard text could not be confirmed."
        ),
    ),
    fetching=Fetching(
        way=Dashboard(
            "https://api-datadashboard.fda.gov/v1/inspections_citations",
            file="citations.csv.gz",
            dated_by="InspectionEndDate",
            since=2008,
            sort="InspectionID",
            filters={"ProgramArea": ("Drugs",)},
        ),
        size=(200_000, 100_000_000),
        rows=15_000,
        fall=0.02,
        newest=Newest("inspection_citations", "inspection_end_date", within_days=180),
        every_days=7,
        keys=("dashboard_user", "dashboard_key"),
    ),
)
