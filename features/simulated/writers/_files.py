"""Files whose bytes depend on their content alone: no clock, no machine."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as compute
from numpy.typing import NDArray

from shortcast.features.kind import PREFIX

#: The earliest day that a zip file can hold; it stands for all.
_ZIP_DAY = (1980, 1, 1, 0, 0, 0)
#: A day that never comes, in days since 1970.
NEVER_DAY = np.int64(1 << 40)

Lines = list[str]
_NEEDS_QUOTES = compute.MatchSubstringOptions('[",\r\n]')


def place(root: Path, source: str, day: date, name: str) -> Path:
    """Return where a file of a snapshot goes, and make its folder.

    Parameters
    ----------
    root : Path
        The tree ``SOURCE/AS_OF/FILE``.
    source : str
        Source.
    day : date
        Day of the snapshot.
    name : str
        Official file name.

    Returns
    -------
    Path
        With `PREFIX` before the name.
    """
    folder = root / source / day.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / (PREFIX + name)


def write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    """Write a zip file in which every member has the same day.

    Parameters
    ----------
    path : Path
        The file.
    members : mapping of str to bytes
        Contents by name.
    """
    with zipfile.ZipFile(path, "w") as bundle:
        for name, raw in members.items():
            entry = zipfile.ZipInfo(name, _ZIP_DAY)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # As if made on a system without permissions, wherever it is made.
            entry.create_system = 0
            bundle.writestr(entry, raw, compresslevel=4)


def write_gzip(path: Path, raw: bytes) -> None:
    """Write a gzipped file without name and time in its header.

    Parameters
    ----------
    path : Path
        The file.
    raw : bytes
        What it holds.
    """
    with path.open("wb") as stream, gzip.GzipFile("", "wb", 4, stream, mtime=0) as packed:
        packed.write(raw)


_SHEET_PARTS = {
    "[Content_Types].xml": (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType="application/'
        'vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/'
        'vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        '<Override PartName="/xl/styles.xml" ContentType="application/'
        'vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>'
    ),
    "_rels/.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Target="xl/workbook.xml" Type="http://schemas.openxmlformats.org'
        '/officeDocument/2006/relationships/officeDocument"/></Relationships>'
    ),
    "xl/workbook.xml": (
        '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r='
        '"http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Target="worksheets/sheet1.xml" Type="http://schemas.'
        'openxmlformats.org/officeDocument/2006/relationships/worksheet"/>'
        '<Relationship Id="rId2" Target="styles.xml" Type="http://schemas.'
        'openxmlformats.org/officeDocument/2006/relationships/styles"/></Relationships>'
    ),
    # Style 1 shows a number as a day.
    "xl/styles.xml": (
        '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        '<fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
        '<cellXfs count="2"><xf/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs></styleSheet>'
    ),
}
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
#: Days from the first day of spreadsheets (30 December 1899) to 1970.
_SHEET_EPOCH = 25_569


def write_sheet(path: Path, header: Sequence[str], columns: Sequence[Any]) -> None:
    """Write a spreadsheet with one sheet, the least that the format asks for.

    Parameters
    ----------
    path : Path
        An ``.xlsx`` file.
    header : sequence of str
        Names of the columns.
    columns : sequence
        Texts by row; days since 1970 as an array of int; or one text for all rows.
    """
    size = max(len(column) for column in columns if not isinstance(column, str))
    cells = [_sheet_cells(column, size) for column in columns]
    rows = joined(cells, "")
    first = "".join(_sheet_cells(name, 1).to_pylist()[0] for name in header)
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        f"<row>{first}</row><row>" + "</row><row>".join(rows) + "</row></sheetData></worksheet>"
    )
    parts = {**_SHEET_PARTS, "xl/worksheets/sheet1.xml": sheet}
    write_zip(path, {name: (_XML + text).encode() for name, text in parts.items()})


def _sheet_cells(column: Any, size: int) -> pa.Array:
    """Cells of one column as XML."""
    if isinstance(column, np.ndarray) and column.dtype.kind == "i":
        numbers = _text(pa.array(column + _SHEET_EPOCH))
        return _join('<c s="1"><v>', numbers, "</v></c>", "")
    text = _text(pa.array([column] * size) if isinstance(column, str) else column)
    for sign, written_as in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = _replace(text, sign, written_as)
    return _join('<c t="inlineStr"><is><t>', text, "</t></is></c>", "")


def joined(columns: Iterable[Any], separator: str) -> Lines:
    """Join columns of text into lines.

    Parameters
    ----------
    columns : iterable of array or Series
        Text of one length each.
    separator : str
        What stands between them.

    Returns
    -------
    list of str
        One a row.
    """
    arrays = [_text(column) for column in columns]
    return _join(*arrays, separator).to_pylist()


def csv_lines(frame: pd.DataFrame, *, blank: str = "") -> Lines:
    """Write rows as comma-separated text, quoted where needed.

    Parameters
    ----------
    frame : DataFrame
        Columns of text.
    blank : str
        How an empty cell is written.

    Returns
    -------
    list of str
        One record a row, without line ends.
    """
    columns = []
    for name in frame.columns:
        text = _text(frame[name])
        quoted = _join("", _replace(text, '"', '""'), "", '"')
        needs = compute.call_function("match_substring_regex", [text], _NEEDS_QUOTES)
        text = _choose(needs, quoted, text)
        if blank:
            text = _choose(compute.call_function("equal", [text, ""]), blank, text)
        columns.append(text)
    return _join(*columns, ",").to_pylist()


def bare_csv(frame: pd.DataFrame) -> bytes:
    """Write a table of which no cell needs quotes, fast.

    Parameters
    ----------
    frame : DataFrame
        Columns of text without commas, quotes and line breaks.

    Returns
    -------
    bytes
        UTF-8, lines ended by a line feed.
    """
    out = io.BytesIO()
    out.write((",".join(frame.columns) + "\n").encode())
    step = 1 << 17
    for first in range(0, len(frame), step):
        part = frame.iloc[first : first + step]
        out.write(("\n".join(joined((part[c] for c in part.columns), ",")) + "\n").encode())
    return out.getvalue()


def delimited(header: str, rows: Sequence[str], end: str = "\r\n") -> str:
    """Return a header and lines as one text, each ended by ``end``."""
    return end.join([header, *rows, ""])


def as_days(values: pd.Series) -> NDArray[np.int64]:
    """Return dates as days since 1970, `NEVER_DAY` where there is none."""
    days = values.to_numpy(dtype="datetime64[D]").astype(np.int64)
    return np.where(values.isna().to_numpy(), NEVER_DAY, days)


def day_number(day: date) -> int:
    """Return a date in days since 1970."""
    return day.toordinal() - date(1970, 1, 1).toordinal()


def written(values: pd.Series, form: str) -> pd.Series:
    """Return dates as text, '' where there is none.

    Parameters
    ----------
    values : Series of datetime64
        Dates.
    form : str
        ``iso`` (2024-03-09), ``us`` (3/9/2024), ``padded`` (03/09/2024), ``compact`` (20240309).

    Returns
    -------
    Series of str
    """
    # Large tables repeat few days: each distinct day is written once.
    codes, days = pd.factorize(values)
    days = pd.DatetimeIndex(days)
    if form == "us":
        text = [f"{d.month}/{d.day}/{d.year}" for d in days]
    else:
        text = list(days.strftime({"iso": "%Y-%m-%d", "padded": "%m/%d/%Y"}.get(form, "%Y%m%d")))
    words = np.array([*text, ""], dtype=object)  # the last stands for -1, no day
    return pd.Series(words[codes], index=values.index, dtype="str")


def _join(*parts: Any) -> Any:
    """Join texts by row, the last part between them."""
    return compute.call_function("binary_join_element_wise", list(parts))


def _replace(text: Any, old: str, new: str) -> Any:
    options = compute.ReplaceSubstringOptions(old, new)
    return compute.call_function("replace_substring", [text], options)


def _choose(condition: Any, yes: Any, no: Any) -> Any:
    return compute.call_function("if_else", [condition, yes, no])


def _text(column: Any) -> pa.Array:
    array = pa.Array.from_pandas(pd.Series(column)) if not isinstance(column, pa.Array) else column
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return compute.fill_null(array.cast(pa.string()), "")
