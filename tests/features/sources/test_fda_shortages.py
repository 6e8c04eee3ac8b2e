"""The CSV export of the shortage list: every header style, both encodings, no lost row."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from shortcast.features.sources._shortage_tables import REASONS, categorise_reasons
from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.fda_shortages import SOURCE

AS_OF = date(2021, 6, 30)
NOTICE = "To Be Discontinued"

# The three header styles that occur, as they are written: padded with non-breaking spaces and
# links behind; lower case, with a spelling mistake; and with blank columns at the end.
SPACED = [
    "Generic Name",
    "Company Name",
    "\u00a0Contact Info",
    "\u00a0Presentation",
    "\u00a0Type of Update",
    "Date of Update",
    "\u00a0Availability Information",
    "\u00a0Related Information",
    "\u00a0Resolved Note",
    "\u00a0Reason for Shortage",
    "\u00a0Therapeutic Category",
    "\u00a0Status",
    "\u00a0Change Date",
    "\u00a0Date Discontinued",
    "\u00a0Initial Posting Date",
    "\u00a0Generic Name Note",
    "\u00a0Generic Name Link\u00a0",
    "\u00a0Related Info Link",
]
SNAKE = [
    "generic_name",
    "company_name",
    "contact_info",
    "presentation",
    "update_type",
    "update_date",
    "availability",
    "related_info",
    "resolved_note",
    "reason_for_shortage",
    "therapeutic_category",
    "status",
    "change_date",
    "date_discontinued",
    "initia_posting_date",
]
OPEN_ENDED = [*SPACED, "\n", "\n"]

FIELDS = [*SNAKE[:14], "initial_posting_date"]
USUAL = {
    "generic_name": "Velmorine Injection",
    "company_name": "Ostrava Labs",
    "presentation": "10 mg/mL vial (NDC 99901-001-01)",
    "update_type": "Reverified",
    "update_date": "6/1/2021",
    "status": "Current",
    "initial_posting_date": "3/2/2020",
}


def row(**values: str) -> dict[str, str]:
    return {**USUAL, **values}


def text(rows: list[dict[str, str]], header: list[str] = SPACED) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for values in rows:
        # Blank cells hold a line break in the real exports.
        cells = [values.get(name, "") or "\n" for name in FIELDS]
        writer.writerow(cells + ["\n"] * (len(header) - len(cells)))
    return out.getvalue()


def read_bytes(tmp_path: Path, content: bytes, as_of: date = AS_OF) -> Reading:
    path = tmp_path / "Drugshortages.csv"
    path.write_bytes(content)
    return SOURCE.read([path], as_of)


def read(tmp_path: Path, *rows: dict[str, str]) -> Reading:
    return read_bytes(tmp_path, text(list(rows)).encode())


def posting(tmp_path: Path, **values: str) -> dict[str, Any]:
    table = read(tmp_path, row(**values)).tables["shortage_postings"]
    assert len(table) == 1
    return {str(name): value for name, value in table.iloc[0].items()}


def listing(tmp_path: Path, **values: str) -> dict[str, Any]:
    table = read(tmp_path, row(**values)).tables["shortage_listings"]
    assert len(table) == 1
    return {str(name): value for name, value in table.iloc[0].items()}


@pytest.mark.parametrize("header", [SPACED, SNAKE, OPEN_ENDED], ids=["spaced", "snake", "open"])
@pytest.mark.parametrize("before", ["", "\n\n\r\n"], ids=["at once", "after blank lines"])
def test_every_header_style_gives_the_same_rows(
    tmp_path: Path, header: list[str], before: str
) -> None:
    rows = [
        row(
            reason_for_shortage="Demand increase", related_info="Two\nlines", change_date="5/1/2021"
        ),
        row(presentation="20 mg/mL vial (NDC 99901-002-01)", status="To be Discontinued"),
    ]
    reading = read_bytes(tmp_path, (before + text(rows, header)).encode())
    table = reading.tables["shortage_listings"]
    assert table["generic_name"].tolist() == ["Velmorine Injection"] * 2
    assert table["status"].tolist() == ["Current", "To Be Discontinued"]
    assert table["reason"].tolist()[0] == "Demand increase"
    assert table["related_info"].tolist()[0] == "Two lines"
    assert table["initial_posting_date"].tolist() == [pd.Timestamp("2020-03-02")] * 2
    assert table["change_date"].tolist()[0] == pd.Timestamp("2021-05-01")
    assert table["source_row"].tolist() == [1, 2]
    assert len(reading.tables["shortage_postings"]) == 2
    assert reading.rejects.empty


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig"])
def test_both_encodings_give_the_same_text(tmp_path: Path, encoding: str) -> None:
    rows = [row(generic_name="Velmorine (Ostravan®) – Injection")]
    table = read_bytes(tmp_path, text(rows).encode(encoding)).tables["shortage_listings"]
    assert table["generic_name"].tolist() == ["Velmorine (Ostravan®) – Injection"]


def test_one_line_in_another_encoding_does_not_spoil_the_rest(tmp_path: Path) -> None:
    good = text([row(company_name="Østrava Labs"), row(company_name="Café Labs")]).encode()
    mixed = good.replace("Café".encode(), "Café".encode("cp1252"))
    assert mixed != good
    table = read_bytes(tmp_path, mixed).tables["shortage_listings"]
    assert table["company_name"].tolist() == ["Østrava Labs", "Café Labs"]


def test_text_that_ran_over_goes_back_to_its_cell_and_is_accounted_for(tmp_path: Path) -> None:
    blank = dict.fromkeys(FIELDS, "")
    reading = read(
        tmp_path,
        row(presentation="10 mg/mL vial"),
        {**blank, "presentation": "(NDC 99901-001-01)"},
        {**blank, "presentation": "(old NDC 99902-001-01)"},
        row(presentation="20 mg/mL vial", related_info="For more:"),
        {**blank, "related_info": "call us"},
    )
    table = reading.tables["shortage_listings"]
    assert table["presentation"].tolist() == [
        "10 mg/mL vial (NDC 99901-001-01) (old NDC 99902-001-01)",
        "20 mg/mL vial",
    ]
    assert table["related_info"].tolist()[1] == "For more: call us"
    assert table["source_row"].tolist() == [1, 4]
    assert reading.tables["shortage_postings"]["presentation"].tolist() == (
        table["presentation"].tolist()
    )
    assert reading.rejects["row"].tolist() == [2, 3, 5]
    assert reading.rejects["value"].tolist() == [
        "(NDC 99901-001-01)",
        "(old NDC 99902-001-01)",
        "call us",
    ]
    assert reading.rejects["reason"].str.contains("runs on from the record before").all()


def test_rows_that_cannot_be_used_stand_in_quarantine(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        row(),
        row(status="Sulfite-Free", presentation="shifted"),
        row(generic_name=""),
    )
    assert reading.tables["shortage_listings"]["source_row"].tolist() == [1]
    assert reading.tables["shortage_postings"]["source_row"].tolist() == [1]
    rejects = reading.rejects.set_index("row")
    assert rejects.loc[2, "column"] == "status"
    assert rejects.loc[2, "value"] == "Sulfite-Free"
    assert rejects.loc[3, "reason"] == "no generic name"


def test_a_record_with_a_field_too_many_is_quarantined(tmp_path: Path) -> None:
    lines = text([row(), row(), row()], SNAKE).replace('"\n"', "").splitlines()
    lines[2] += ",surplus"
    reading = read_bytes(tmp_path, "\n".join(lines).encode())
    assert reading.tables["shortage_listings"]["source_row"].tolist() == [1, 3]
    assert reading.rejects[["row", "value"]].to_numpy().tolist() == [[2, "16"]]


def test_a_posting_date_in_2108_costs_the_date_and_not_the_row(tmp_path: Path) -> None:
    reading = read(tmp_path, row(initial_posting_date="12/3/2108"))
    posted = reading.tables["shortage_postings"].iloc[0]
    assert pd.isna(posted["initial_posting_date"])
    assert pd.isna(posted["event_date"])
    assert posted["published_at"] == pd.Timestamp("2021-06-01")
    assert not posted["posting_dated"]
    assert pd.isna(reading.tables["shortage_listings"]["initial_posting_date"].iloc[0])
    assert reading.rejects[["row", "column", "value"]].to_numpy().tolist() == [
        [1, "initial_posting_date", "12/3/2108"]
    ]


def test_a_row_without_any_date_is_kept_and_claims_no_publication(tmp_path: Path) -> None:
    posted = posting(tmp_path, initial_posting_date="", update_date="")
    assert posted["posted_as"] == "Current"
    assert pd.isna(posted["published_at"])
    assert pd.isna(posted["event_date"])


@pytest.mark.parametrize("status", ["Current", "Resolved"])
def test_what_is_current_or_resolved_was_posted_as_current(tmp_path: Path, status: str) -> None:
    posted = posting(tmp_path, status=status, change_date="5/1/2021")
    assert posted["posted_as"] == "Current"
    assert posted["event_date"] == posted["published_at"] == pd.Timestamp("2020-03-02")
    assert posted["posting_dated"]


@pytest.mark.parametrize(
    ("values", "posted_as", "posted_on"),
    [
        # Discontinued on the day it was posted: never a shortage.
        (
            {"update_type": "Revised", "discontinued_on": "3/2/2020"},
            "To Be Discontinued",
            "3/2/2020",
        ),
        # A new notice in an older group: posted on its own day, not on the group's.
        ({"update_type": "New", "discontinued_on": "5/4/2021"}, NOTICE, "5/4/2021"),
        # A revised row that became a notice: it was current before.
        ({"update_type": "Revised", "discontinued_on": "5/4/2021"}, "Current", "3/2/2020"),
        # Without a date of its own the update tells.
        ({"update_type": "New", "update_date": "5/4/2021"}, NOTICE, "5/4/2021"),
        ({"update_type": "Revised", "update_date": "5/4/2021"}, "Current", "3/2/2020"),
        ({"update_type": "Revised", "update_date": "3/2/2020"}, NOTICE, "3/2/2020"),
        # A planned end tells nothing of the day of the notice.
        (
            {"update_type": "New", "discontinued_on": "1/1/2022", "update_date": "5/4/2021"},
            NOTICE,
            "5/4/2021",
        ),
        # A notice dated before its posting was public from the posting on.
        ({"update_type": "New", "discontinued_on": "2/1/2020"}, NOTICE, "3/2/2020"),
    ],
)
def test_a_notice_of_discontinuation_is_told_from_a_shortage(
    tmp_path: Path, values: dict[str, str], posted_as: str, posted_on: str
) -> None:
    values = dict(values)
    values["date_discontinued"] = values.pop("discontinued_on", "")
    posted = posting(tmp_path, status="To be Discontinued", **values)
    assert posted["posted_as"] == posted_as
    day = pd.to_datetime(posted_on, format="%m/%d/%Y")
    assert posted["event_date"] == posted["published_at"] == day
    assert posted["initial_posting_date"] == pd.Timestamp("2020-03-02")


def test_an_undated_notice_does_not_pass_for_a_shortage(tmp_path: Path) -> None:
    posted = posting(tmp_path, status="To Be Discontinued", initial_posting_date="")
    assert posted["posted_as"] == "To Be Discontinued"


def test_a_listing_is_public_since_its_last_update_or_change(tmp_path: Path) -> None:
    plain = listing(tmp_path)
    assert plain["published_at"] == plain["event_date"] == pd.Timestamp("2021-06-01")
    changed = listing(tmp_path, status="Resolved", change_date="5/1/2021")
    assert changed["published_at"] == pd.Timestamp("2021-06-01")
    assert changed["event_date"] == pd.Timestamp("2021-05-01")
    later = listing(tmp_path, status="Resolved", change_date="6/20/2021")
    assert later["published_at"] == pd.Timestamp("2021-06-20")


def test_a_date_after_the_capture_is_no_publication(tmp_path: Path) -> None:
    reading = read(tmp_path, row(update_date="7/15/2021"))
    assert pd.isna(reading.tables["shortage_listings"]["published_at"].iloc[0])
    assert reading.rejects["column"].tolist() == ["update_date"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Reveriifed", "Reverified"),
        ("Reverfied", "Reverified"),
        ("Revisee", "Revised"),
        ("NEW", "New"),
        ("Merged", "Merged"),
    ],
)
def test_misspelt_update_types_are_mended(tmp_path: Path, written: str, meant: str) -> None:
    assert listing(tmp_path, update_type=written)["update_type"] == meant


@pytest.mark.parametrize(
    ("written", "category"),
    [
        ("Demand increase for the drug", "Demand increase for the drug"),
        ("Increase in Demand", "Demand increase for the drug"),
        ("API shortage", "Shortage of an active ingredient"),
        ("Shortage of Active Ingredient", "Shortage of an active ingredient"),
        (
            "Demand increase for the drug and shortage of an active ingredient",
            "Shortage of an active ingredient",
        ),
        (
            "Shortage of an inactive ingredient component",
            "Shortage of an inactive ingredient component",
        ),
        (
            "Requirements related to complying with good manufacturing processes",
            "Requirements related to complying with good manufacturing practices",
        ),
        ("Discontinuance of Manufacturing", "Discontinuation of the manufacture of the drug"),
        ("Delay in shipping of the drug", "Delay in shipping of the drug"),
        ("Regulatory Delay", "Regulatory delay"),
        ("Manufacturing delays", "Other"),
        ("OIther", "Other"),
    ],
)
def test_variants_of_a_reason_fall_into_the_categories_of_the_law(
    written: str, category: str
) -> None:
    assert category in REASONS
    assert categorise_reasons(pd.Series([written])).tolist() == [category]


@pytest.mark.parametrize("written", ["", "Available", "TBD", "Information pending"])
def test_what_is_no_reason_gets_no_category(written: str) -> None:
    assert categorise_reasons(pd.Series([written, "Other"])).isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"<!DOCTYPE html><html><body>Error</body></html>", "HTML page"),
        (text([row()]).split("\nVel")[0].encode(), "no rows"),
        (b"Generic Name,Status\nVelmorine,Current\n", "lacks the column"),
        (text([row(), row()], SNAKE)[:-40].encode(), "cut short"),
    ],
    ids=["empty", "blank", "html", "header only", "columns", "truncated"],
)
def test_a_file_that_is_not_the_list_is_refused_whole(
    tmp_path: Path, content: bytes, told: str
) -> None:
    with pytest.raises(SourceError, match=told) as refusal:
        read_bytes(tmp_path, content)
    assert "Drugshortages.csv" in str(refusal.value)


def test_two_exports_of_one_day_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="one file"):
        SOURCE.read([tmp_path / "a.csv", tmp_path / "b.csv"], AS_OF)


@pytest.fixture(scope="module")
def captures(records_dir: Path) -> dict[str, Reading]:
    folder = records_dir / "fda_shortages"
    return {
        day.name: SOURCE.read(sorted(day.iterdir()), date.fromisoformat(day.name))
        for day in sorted(folder.iterdir())
    }


@pytest.mark.records
def test_no_row_of_the_real_captures_is_lost(
    captures: dict[str, Reading], records_dir: Path
) -> None:
    manifest = pd.read_csv(records_dir / "MANIFEST.csv")
    rows = manifest[manifest["source"] == "fda_shortages"].set_index("as_of")["rows"]
    assert sorted(captures) == sorted(rows.index)
    for day, reading in captures.items():
        # A value left empty keeps its row; the other entries are rows.
        kept_rows = reading.rejects["reason"].str.contains("the row is kept")
        listings = reading.tables["shortage_listings"]
        assert len(listings) + (~kept_rows).sum() == rows[day]
        assert len(reading.tables["shortage_postings"]) == len(listings)
        assert len(reading.rejects) < 0.03 * rows[day]
        assert listings["published_at"].notna().all()
        assert (listings["published_at"] <= pd.Timestamp(day)).all()


@pytest.mark.records
def test_the_real_captures_hold_what_was_counted_in_them(captures: dict[str, Reading]) -> None:
    listings = pd.concat(r.tables["shortage_listings"] for r in captures.values())
    rejects = pd.concat(r.rejects for r in captures.values())
    assert listings["status"].value_counts().to_dict() == {
        "Current": 8413,
        "To Be Discontinued": 4651,
        "Resolved": 3131,
    }
    assert set(listings["update_type"]) == {"New", "Revised", "Reverified"}
    assert set(listings["reason_category"].dropna()) == set(REASONS)
    assert rejects["reason"].str.startswith("runs on").sum() == 205
    assert (rejects["value"] == "12/3/2108").sum() == len(captures)
    undated = listings["initial_posting_date"].isna()
    assert (listings.loc[undated, "status"] == "Current").all()
    assert 0.04 < undated[listings["status"] == "Current"].mean() < 0.06


@pytest.mark.records
def test_no_real_presentation_changes_what_it_was_posted_as(captures: dict[str, Reading]) -> None:
    postings = pd.concat(
        r.tables["shortage_postings"].assign(capture=day) for day, r in captures.items()
    )
    key = ["generic_name", "company_name", "presentation", "initial_posting_date"]
    alone = postings[~postings.duplicated(["capture", *key], keep=False)]
    groups = alone.groupby(key, dropna=False)
    assert (groups["posted_as"].nunique() == 1).all()
    assert (groups["event_date"].nunique() <= 1).all()
    assert groups.ngroups > 4000
