"""Drug shortages in Canada: reports of companies to the national lists.

Three layouts occur: the voluntary list that ended in March 2016; the export of the mandatory
list that succeeded it in March 2017, with two tables in one file below titles of their own; and
a later export of reports alone, with the day of the last update.

A report is public from the day it was created; what became of it is known later. The two stand
in tables of their own.
"""

from __future__ import annotations

import csv
import html
import io
import itertools
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from shortcast.features.sources._fda_exports import (
    blank_to_null,
    drop_rows,
    gather,
    note_values,
    only_file,
    pick_columns,
    spelled,
)
from shortcast.features.sources.contract import Column, Reading, Source, SourceError, Table
from shortcast.features.sources.fetching import Fetching, Newest, Reports
from shortcast.features.sources.tables import (
    decode,
    parse_dates,
    read_bytes,
    refuse_cut_short,
    tidy,
)

#: Days from a shortage's start to its report on the voluntary list, which does not tell.
VOLUNTARY_LAG_DAYS = 14

REPORTS = Table(
    name="canada_reports",
    description="A company reported a shortage or a discontinuation in Canada.",
    columns=(
        Column("report_id", "VARCHAR", "number of the report; made up for the voluntary list"),
        Column("mandatory", "BOOLEAN", "false for the voluntary list (until March 2016)"),
        Column("report_type", "VARCHAR", "Shortage or Discontinuation"),
        Column("din", "VARCHAR", "Drug Identification Number, 8 digits"),
        Column("brand_name", "VARCHAR", "brand name"),
        Column("company_name", "VARCHAR", "company"),
        Column("company_type", "VARCHAR", "Generic or Innovator (voluntary list only)"),
        Column("common_name", "VARCHAR", "common or proper name"),
        Column(
            "ingredients",
            "VARCHAR",
            "ingredients, separated by '; ' in the later export and by a space in that of 2018; "
            "on the voluntary list its drug name, at times a brand",
        ),
        Column("strengths", "VARCHAR", "strengths, in the order of the ingredients"),
        Column("packaging_size", "VARCHAR", "packages concerned"),
        Column("route", "VARCHAR", "routes of administration"),
        Column("dosage_form", "VARCHAR", "dosage forms"),
        Column("atc_code", "VARCHAR", "ATC code (export of 2018 only)"),
        Column("atc_description", "VARCHAR", "name of the ATC group (export of 2018 only)"),
        Column("reason", "VARCHAR", "reason as reported"),
        Column("anticipated_start_date", "DATE", "the shortage was expected to start"),
        Column("date_created", "DATE", "the report was created (mandatory list only)"),
    ),
    key=("report_id",),
    assumed_lag_days=VOLUNTARY_LAG_DAYS,
    lag_note=(
        "The voluntary list tells no day of creation. Of the reports of its mandatory successor, "
        "three in four (2018) and more than nine in ten (2023) were created within 14 days of the "
        "actual start."
    ),
)

STATES = Table(
    name="canada_report_states",
    description="What became of a Canadian report.",
    columns=(
        Column("report_id", "VARCHAR", "number of the report, as in canada_reports"),
        Column(
            "status",
            "VARCHAR",
            "Anticipated, Actual or Avoided shortage, Resolved, To be discontinued, Discontinued; "
            "on the voluntary list Current or Resolved",
        ),
        Column("actual_start_date", "DATE", "the shortage started"),
        Column("estimated_end_date", "DATE", "supply is expected again"),
        Column("actual_end_date", "DATE", "the shortage ended"),
        Column("discontinued", "BOOLEAN", "the product is discontinued (voluntary list only)"),
        Column("discontinuation_date", "DATE", "the product is discontinued from this day on"),
        Column("discontinuation_reversed", "BOOLEAN", "the decision was taken back"),
        Column("tier_3", "BOOLEAN", "the shortage was rated of greatest impact (later export)"),
        Column("medically_necessary", "BOOLEAN", "rated so (voluntary list only)"),
        Column("other_makers", "DOUBLE", "other manufacturers on the market (voluntary list only)"),
        Column("date_updated", "DATE", "the report was last updated"),
    ),
    key=("report_id",),
)

_PORTAL = {
    "report_id": ("Report ID",),
    "din": ("Drug Identification Number",),
    "report_type": ("Report Type",),
    "brand_name": ("Brand name",),
    "company_name": ("Company Name",),
    "common_name": ("Common or Proper name",),
    "ingredients": ("Ingredients",),
    "strengths": ("Strength(s)",),
    "packaging_size": ("Packaging size",),
    "route": ("Route of administration",),
    "status": ("Shortage status", "Discontinuation status"),
    "dosage_form": ("Dosage form(s)",),
    "reason": ("Reason",),
    "date_created": ("Date Created",),
}
_OPTIONAL = {
    "atc_code": ("ATC Code",),
    "atc_description": ("ATC description",),
    "anticipated_start_date": ("Anticipated start date",),
    "actual_start_date": ("Actual start date",),
    "estimated_end_date": ("Estimated end date",),
    "actual_end_date": ("Actual end date",),
    "discontinuation_date": ("Discontinuation date",),
    "discontinuation_reversed": ("Discontinuation decision reversal",),
    "date_updated": ("Date Updated",),
    "tier_3": ("Tier 3",),
}
_VOLUNTARY = {
    "din": ("din",),
    "brand_name": ("product_name",),
    "common_name": ("drug_name",),
    "company_name": ("company_name",),
    "company_type": ("company_type",),
    "status": ("outcome",),
    "start_date": ("start_date",),
    "date_updated": ("last_updated",),
    "strengths": ("dose",),
    "dosage_form": ("pharmaceutical_form",),
    "route": ("route_of_administration",),
    "medically_necessary": ("medical_necessity",),
    "other_makers": ("marketed_by_other_manufacturers",),
    "estimated_end_date": ("est_resupply_date",),
    "discontinued": ("discontinued",),
    "discontinuation_date": ("discontinuation_date",),
}
#: Where the values of the export's columns stand in a report of the list's interface.
_INTERFACE = {
    "Report ID": ("id",),
    "Drug Identification Number": ("din", "drug.din"),
    "Report Type": ("type.label",),
    "Brand name": ("en_drug_brand_name", "drug.brand_name"),
    "Company Name": ("company_name", "drug.company.name"),
    "Common or Proper name": ("en_drug_common_name",),
    "Ingredients": ("en_ingredients",),
    "Strength(s)": ("drug_strength",),
    "Packaging size": ("drug_package_quantity",),
    "Route of administration": ("drug_route",),
    "Shortage status": ("status",),
    "Dosage form(s)": ("drug_dosage_form",),
    "ATC Code": ("atc_number",),
    "ATC description": ("atc_description",),
    "Anticipated start date": ("anticipated_start_date",),
    "Actual start date": ("actual_start_date",),
    "Estimated end date": ("estimated_end_date",),
    "Actual end date": ("actual_end_date",),
    "Discontinuation date": ("discontinuation_date", "anticipated_discontinuation_date"),
    "Discontinuation decision reversal": ("decision_reversal",),
    "Reason": ("shortage_reason.en_reason", "discontinuance_reason.en_reason"),
    "Date Created": ("created_date",),
    "Date Updated": ("updated_date",),
    "Tier 3": ("tier_3",),
}
#: The interface's words, as the exports write them.
_INTERFACE_WORDS = {
    "shortage": "Shortage",
    "discontinuance": "Discontinuation",
    "active_confirmed": "Actual shortage",
    "anticipated_shortage": "Anticipated shortage",
    "avoided_shortage": "Avoided shortage",
    "resolved": "Resolved",
    "to_be_discontinued": "To be discontinued",
    "discontinued": "Discontinued",
    "reversed": "Reversed",
}
_DATE_FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ")
_PLANNED_DATES = ("anticipated_start_date", "estimated_end_date", "discontinuation_date")
# A planned end ten years ahead is long; one in 2108 is a typing error.
_PLANNED = timedelta(days=10 * 366)
_YES_NO = {"yes": True, "no": False}


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one export, in any of the three layouts.

    Parameters
    ----------
    files : sequence of Path
        The one CSV file of the snapshot.
    as_of : date
        Its day.

    Returns
    -------
    Reading
        ``canada_reports`` and ``canada_report_states``. A state last updated after the
        snapshot's day was not known on that day; it is quarantined, and the report kept.

    Raises
    ------
    SourceError
        If the file has none of the layouts, or is cut short.
    """
    path = only_file(files, SOURCE.name)
    sections = _sections(path)
    voluntary = "product_name" in sections[0].columns
    required = _VOLUNTARY if voluntary else _PORTAL
    optional = {name: headers for name, headers in _OPTIONAL.items() if name not in required}
    frame = pd.concat(
        [
            pick_columns(section, path.name, required, optional).join(
                section[["source_row", "odd_fields"]]
            )
            for section in sections
        ],
        ignore_index=True,
    )
    frame["source_file"] = path.name
    entries = []
    frame, entry = drop_rows(
        frame,
        frame["odd_fields"] > 0,
        "",
        frame["odd_fields"].astype("str"),
        "the record does not have as many fields as its header",
    )
    entries.append(entry)
    # What dates a report: its creation, or on the voluntary list the start.
    dated_by = "start_date" if voluntary else "date_created"
    frame["dated"], _ = parse_dates(frame[dated_by], _DATE_FORMATS, latest=as_of)
    frame, entry = drop_rows(
        frame,
        frame["dated"].isna(),
        dated_by,
        frame[dated_by],
        f"no date between 1900 and the snapshot's day, {as_of}",
    )
    entries.append(entry)
    if voluntary:
        frame = frame.assign(
            report_id=_report_ids(frame), report_type="Shortage", ingredients=frame["common_name"]
        )
    frame, entry = drop_rows(frame, frame["report_id"] == "", "report_id", "", "no report number")
    entries.append(entry)

    frame["updated"], bad = parse_dates(frame["date_updated"], _DATE_FORMATS)
    entries.append(_note(frame, bad, "date_updated", "no date"))
    known = frame["updated"].isna() | (frame["updated"] <= pd.Timestamp(as_of))
    entries.append(
        note_values(
            frame,
            ~known,
            "date_updated",
            frame["date_updated"],
            f"updated after the snapshot's day, {as_of}, so this state was not known on it; the "
            "report is kept, its state is not",
        )
    )
    reports, report_notes = _reports(frame, as_of, voluntary=voluntary)
    states, state_notes = _states(frame[known].reset_index(drop=True), as_of)
    return Reading(
        {REPORTS.name: reports, STATES.name: states},
        gather([*entries, *report_notes, *state_notes]),
    )


def _sections(path: Path) -> list[pd.DataFrame]:
    """Return the tables of a file, each below a header of its own, as tidy text.

    Returns
    -------
    list of DataFrame
        Text columns, ``source_row`` (1-based below the file's first header) and
        ``odd_fields``: how many fields the record has if not as many as the header, else 0.

    Raises
    ------
    SourceError
        If there is no table with a row, or the last record is cut short.
    """
    text = decode(read_bytes(path), path.name)
    try:
        reader = csv.reader(io.StringIO(text, newline=""))
        records = [[_cell(value) for value in row] for row in reader]
    except csv.Error as error:
        raise SourceError(
            f"{path.name} is not readable as delimited text ({error}); fetch it again."
        ) from error
    rows = [
        (number, cells)
        for number, cells in enumerate(records)
        if any(cells) and not _is_title(cells)
    ]
    starts = [at for at, (_, cells) in enumerate(rows) if cells[0] == rows[0][1][0]]
    sections = []
    for begin, end in itertools.pairwise([*starts, len(rows)]):
        header, body = rows[begin][1], rows[begin + 1 : end]
        width = len(header)
        counts = pd.Series([len(cells) for _, cells in body], dtype="int64")
        refuse_cut_short(counts, width, path.name)
        section = pd.DataFrame(
            [[*cells[:width], *[""] * (width - len(cells))] for _, cells in body],
            columns=header,
            dtype="str",
        )
        section["source_row"] = [number - rows[0][0] for number, _ in body]
        section["odd_fields"] = counts.mask(counts == width, 0)
        sections.append(section)
    if not any(len(section) for section in sections):
        raise SourceError(f"{path.name} has a header and no rows; fetch it again.")
    return sections


def _cell(value: str) -> str:
    """Return a cell as tidy text; the export of 2018 escapes '&' as HTML, twice."""
    return tidy(html.unescape(html.unescape(value)))


def _is_title(cells: Sequence[str]) -> bool:
    """Tell whether a record is the title of a table ('Shortage reports')."""
    return cells[0].lower().endswith(" reports") and not any(cells[1:])


def _report_ids(frame: pd.DataFrame) -> pd.Series:
    """Make numbers for the reports of the voluntary list, which has none."""
    base = "voluntary-" + frame["din"].where(frame["din"] != "", "none")
    base = base + "-" + frame["dated"].dt.strftime("%Y%m%d")
    again = frame.groupby(base).cumcount()
    return base.where(again == 0, base + "-" + (again + 1).astype("str"))


def _reports(
    frame: pd.DataFrame, as_of: date, *, voluntary: bool
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Return what was fixed when a report was created, and the notes on bad values."""
    notes = []
    names = [c.name for c in REPORTS.columns if c.type == "VARCHAR"]
    reports = pd.DataFrame(
        {name: blank_to_null(frame[name]) if name in frame else None for name in names}
    )
    reports["mandatory"] = not voluntary
    reports["anticipated_start_date"] = _dates(frame, "anticipated_start_date", as_of, notes)
    if voluntary:
        # Public by its last update for certain; before that, by the assumed lag.
        soon = frame["dated"] + pd.Timedelta(days=VOLUNTARY_LAG_DAYS)
        early = (frame["updated"] <= soon) & (frame["updated"] <= pd.Timestamp(as_of))
        return reports.assign(
            date_created=pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]"),
            event_date=frame["dated"],
            published_at=frame["updated"].where(early),
            source_file=frame["source_file"],
            source_row=frame["source_row"],
        ), notes
    # An actual start after the creation was not known at the creation.
    actual = parse_dates(frame["actual_start_date"], _DATE_FORMATS, latest=as_of)[0]
    start = actual.where(actual <= frame["dated"]).fillna(reports["anticipated_start_date"])
    return reports.assign(
        date_created=frame["dated"],
        event_date=start.fillna(frame["dated"]),
        published_at=frame["dated"],
        source_file=frame["source_file"],
        source_row=frame["source_row"],
    ), notes


def _states(frame: pd.DataFrame, as_of: date) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Return what had become of the reports, and the notes on bad values."""
    notes = []
    states = pd.DataFrame(
        {"report_id": frame["report_id"], "status": blank_to_null(frame["status"])}
    )
    for column in STATES.columns:
        if column.name not in frame:
            states[column.name] = None
        elif column.type == "BOOLEAN":
            states[column.name] = frame[column.name].str.lower().map(_YES_NO).astype("boolean")
            bad = states[column.name].isna() & (frame[column.name] != "")
            notes.append(_note(frame, bad, column.name, "neither Yes nor No"))
        elif column.type == "DOUBLE":
            states[column.name] = pd.to_numeric(frame[column.name], errors="coerce")
            bad = states[column.name].isna() & (frame[column.name] != "")
            notes.append(_note(frame, bad, column.name, "no number"))
        elif column.type == "DATE":
            states[column.name] = _dates(frame, column.name, as_of, notes)
    states["date_updated"] = frame["updated"]
    return states.assign(
        event_date=frame["updated"],
        published_at=frame["updated"],
        source_file=frame["source_file"],
        source_row=frame["source_row"],
    ), notes


def _dates(frame: pd.DataFrame, column: str, as_of: date, notes: list[pd.DataFrame]) -> pd.Series:
    """Parse a date that may be missing; a bad one is left empty and noted in ``notes``."""
    latest = as_of + _PLANNED if column in _PLANNED_DATES else as_of
    parsed, bad = parse_dates(frame[column], _DATE_FORMATS, latest=latest)
    notes.append(_note(frame, bad, column, f"no date between 1900 and {latest}"))
    return parsed


def _note(frame: pd.DataFrame, bad: pd.Series, column: str, reason: str) -> pd.DataFrame:
    """Return quarantine entries of values that are left empty."""
    return note_values(
        frame, bad, column, frame[column], f"{reason}; the value is left empty, the row is kept"
    )


SOURCE = Source(
    name="canada_shortages",
    title="Drug Shortages Canada",
    publisher="Health Canada; Drug Shortages Canada (until 2016 the companies' voluntary list)",
    address="https://www.drugshortagescanada.ca/",
    licence="Terms of use of Drug Shortages Canada; facts reused with attribution",
    citation="Drug Shortages Canada. Shortage and discontinuation reports.",
    cadence_days=30,
    files=("*.csv", "*.csv.gz"),
    tables=(REPORTS, STATES),
    read=read,
    required={"": spelled(_PORTAL)},
    caveats=(
        "Three exports: 2013-04 to 2016-03 (voluntary), 2017-03 to 2018-05, and 2023.",
        "Nothing lies between the three exports, and no report stands in two of them.",
        "The export of 2018 does not date its states: what became of a report is known from it.",
        "The export filed under the end of 2023 was made in April 2024, the first in May 2016.",
        "States updated after the day of their snapshot are quarantined, and the reports kept.",
        "The voluntary list tells no day of creation; 14 days after the start are assumed.",
        "Reason and anticipated start may have been edited after the report was created.",
        "In the export of 2018 several ingredients, strengths and routes run together.",
        "The voluntary list names a drug, mostly by its ingredients, at times by its brand.",
        (
            "The list now stands at healthproductshortages.ca, and programs need an account: what "
            "its interface answers is known from the code of others, and not confirmed here."
        ),
    ),
    fetching=Fetching(
        way=Reports(
            "https://healthproductshortages.ca/api/v1/search",
            sign_in="https://healthproductshortages.ca/api/v1/login",
            token="auth-token",
            file="shortage_report.csv",
            columns=_INTERFACE,
            words=_INTERFACE_WORDS,
        ),
        size=(3_000_000, 200_000_000),
        rows=15_000,
        newest=Newest("canada_reports", "date_created", within_days=60),
        every_days=7,
        # It allows 1,000 requests an hour.
        per_minute=15,
        keys=("canada_user", "canada_password"),
    ),
)
