"""Recalls of the Data Dashboard: a spreadsheet with the recalling firm's FEI number."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

import pandas as pd
import pytest

from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.fda_dashboard_recalls import SOURCE

AS_OF = date(2022, 3, 31)
HEADER = (
    "FEI Number",
    "Recalling Firm Name",
    "Product Type",
    "Product Classification",
    "Status",
    "Distribution Pattern",
    "Recalling Firm City",
    "Recalling Firm State",
    "Recalling Firm Country",
    "Center Classification Date",
    "Reason for Recall",
    "Product Description",
    "Event ID",
    "Event Classification",
    "Product ID",
    "Center",
    "Recall Details",
)
ROW: dict[str, str | int | date] = {
    "FEI Number": "3000000001",
    "Recalling Firm Name": "Velmora Labs, Inc.",
    "Product Type": "Drugs",
    "Product Classification": "Class II",
    "Status": "Ongoing",
    "Recalling Firm State": "-",
    "Center Classification Date": date(2021, 3, 1),
    "Reason for Recall": "\nLack of Assurance  of Sterility",
    "Product Description": "\tOstrumab\nInjection",
    "Event ID": "80001",
    "Event Classification": "Class I",
    "Product ID": "90001",
}
PARTS = {
    "[Content_Types].xml": (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/></Types>'
    ),
    "_rels/.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Target="xl/workbook.xml" Type="http://schemas.openxmlformats.org/'
        'officeDocument/2006/relationships/officeDocument"/></Relationships>'
    ),
    "xl/workbook.xml": (
        '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
        '<sheets><sheet name="Sheet1" sheetId="1" r:id="r1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Target="worksheets/sheet1.xml" Type="http://schemas.openxmlformats'
        '.org/officeDocument/2006/relationships/worksheet"/>'
        '<Relationship Id="r2" Target="styles.xml" Type="http://schemas.openxmlformats.org/'
        'officeDocument/2006/relationships/styles"/></Relationships>'
    ),
    # Cell style 1 is the built-in date format 14.
    "xl/styles.xml": (
        '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs>'
        "</styleSheet>"
    ),
}


def spreadsheet(rows: Sequence[Sequence[str | int | date]]) -> bytes:
    """Write the smallest xlsx file that holds these cells."""
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = []
        for column, value in enumerate(row):
            place = f'r="{chr(ord("A") + column)}{number}"'
            if isinstance(value, date):
                days = (value - date(1899, 12, 30)).days
                cells.append(f'<c {place} s="1"><v>{days}</v></c>')
            elif isinstance(value, int):
                cells.append(f"<c {place}><v>{value}</v></c>")
            elif value:
                text = f'<t xml:space="preserve">{escape(value)}</t>'
                cells.append(f'<c {place} t="inlineStr"><is>{text}</is></c>')
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f"<sheetData>{''.join(lines)}</sheetData></worksheet>"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in {**PARTS, "xl/worksheets/sheet1.xml": sheet}.items():
            bundle.writestr(name, text)
    return buffer.getvalue()


def read(tmp_path: Path, *rows: dict[str, str | int | date]) -> Reading:
    path = tmp_path / "drug_recall.xlsx"
    cells = [[{**ROW, **row}.get(name, "") if row else "" for name in HEADER] for row in rows]
    path.write_bytes(spreadsheet([HEADER, *cells]))
    return SOURCE.read([path], AS_OF)


def test_a_recall_counts_as_public_from_its_classification(tmp_path: Path) -> None:
    table = read(tmp_path, {"Product ID": "90001"}).tables["dashboard_recalls"]
    assert table["published_at"].tolist() == [pd.Timestamp(2021, 3, 1)]
    assert table["event_date"].tolist() == [pd.Timestamp(2021, 3, 1)]
    assert table["fei_number"].tolist() == ["3000000001"]
    assert table["product_description"].tolist() == ["Ostrumab Injection"]
    assert table["reason_for_recall"].tolist() == ["Lack of Assurance of Sterility"]
    assert table["state"].isna().all()


def test_status_and_class_of_the_event_are_known_only_when_seen(tmp_path: Path) -> None:
    reading = read(tmp_path, {"Status": "Terminated"})
    states = reading.tables["dashboard_recall_states"]
    assert states[["status", "event_classification"]].to_numpy().tolist() == [
        ["Terminated", "Class I"]
    ]
    assert not {"event_date", "published_at"} & set(states.columns)
    recalls = reading.tables["dashboard_recalls"]
    assert not {"status", "event_classification"} & set(recalls.columns)
    assert recalls["classification"].tolist() == ["Class II"]


@pytest.mark.parametrize("day", [date(2021, 3, 1), "2021-03-01", "03/01/2021"])
def test_dates_may_be_cells_or_text(tmp_path: Path, day: str | date) -> None:
    table = read(tmp_path, {"Center Classification Date": day}).tables["dashboard_recalls"]
    assert table["center_classification_date"].tolist() == [pd.Timestamp(2021, 3, 1)]


def test_numbers_in_number_cells_stay_whole(tmp_path: Path) -> None:
    row: dict[str, str | int | date] = {"FEI Number": 3000000001, "Product ID": 90007}
    table = read(tmp_path, row).tables["dashboard_recalls"]
    assert table[["fei_number", "product_id"]].to_numpy().tolist() == [["3000000001", "90007"]]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ({"Product Type": "Devices"}, "Product Type"),
        ({"Product ID": ""}, "Product ID"),
        ({"Center Classification Date": "-"}, "Center Classification Date"),
        ({"Center Classification Date": date(2108, 3, 1)}, "Center Classification Date"),
    ],
)
def test_an_unusable_row_goes_to_quarantine(
    tmp_path: Path, row: dict[str, str | int | date], column: str
) -> None:
    reading = read(tmp_path, {"Product ID": "90009"}, row)
    assert reading.tables["dashboard_recalls"]["product_id"].tolist() == ["90009"]
    assert reading.rejects[["row", "column"]].to_numpy().tolist() == [[2, column]]


def test_blank_rows_are_no_rows(tmp_path: Path) -> None:
    reading = read(tmp_path, {"Product ID": "90001"}, {}, {"Product ID": "90002"})
    assert reading.tables["dashboard_recalls"]["source_row"].tolist() == [1, 3]
    assert reading.rejects.empty


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "empty"),
        (b"<html><body>Sign in</body></html>", "HTML"),
        (b"FEI Number,Recalling Firm Name\n1,Velmora\n", "not an xlsx"),
        (spreadsheet([HEADER, ["1"]])[:-40], "not a whole spreadsheet"),
        (spreadsheet([HEADER]), "no rows"),
        (spreadsheet([["Colour", "Shape"], ["red", "round"]]), "lacks the column"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "drug_recall.xlsx"
    path.write_bytes(raw)
    with pytest.raises(SourceError, match=message):
        SOURCE.read([path], AS_OF)


@pytest.mark.records
def test_the_real_export_is_read_whole(records_dir: Path) -> None:
    path = records_dir / "fda_dashboard_recalls/2025-05-29/drug_recall.xlsx"
    reading = SOURCE.read([path], date(2025, 5, 29))
    recalls = reading.tables["dashboard_recalls"]
    assert len(recalls) == 16_908  # MANIFEST.csv
    assert len(reading.tables["dashboard_recall_states"]) == 16_908
    assert reading.rejects.empty
    assert recalls["product_id"].is_unique
    assert recalls["fei_number"].isna().sum() == 1
    assert recalls["published_at"].between("2012-06-11", "2025-05-29").all()
