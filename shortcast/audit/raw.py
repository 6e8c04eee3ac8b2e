"""Raw files as tables of cells, read and written back without a word about what they mean.

The readers in `shortcast.features.sources` are what the audit is to judge, so it shares no code
with them: bytes are taken as Latin-1, which gives every byte back as it was, and a cell is what
stands between two separators. What does not fit its table (titles, preambles, records that are
too short or run on) travels with the record before it, untouched.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from python_calamine import CalamineWorkbook

#: Column of every frame: the records that travel with a row, or None.
TAIL = "_tail"
#: Stands in a frame where a JSON record lacks the field.
ABSENT = object()
#: A header has at least so many cells that are not blank; a title or a note has one.
_HEADER_CELLS = 3
_NOT_LETTER_OR_DIGIT = re.compile(r"[^a-z0-9]")


class RawFile:
    """One file with its tables of cells.

    Attributes
    ----------
    tables : dict of str to DataFrame
        By the name of the member (of the file itself, where it has no members; with ``#2``
        and so on for further tables in one text). Columns bear the letters and digits of
        their header in lower case; the cells are what the file holds.
    """

    def __init__(
        self, tables: dict[str, pd.DataFrame], dump: Callable[[dict[str, pd.DataFrame]], bytes]
    ) -> None:
        self.tables = tables
        self._dump = dump

    def write(self, path: Path) -> None:
        """Write the tables as they are now, in the form in which they were read.

        Parameters
        ----------
        path : Path
            Where; a file that is there is replaced.
        """
        path.write_bytes(self._dump(self.tables))


def read_raw(path: Path, members: Iterable[str] | None = None) -> RawFile:
    """Read a file into its tables.

    Parameters
    ----------
    path : Path
        CSV (also gzipped), JSON (also zipped or gzipped), xlsx, Parquet, or a zip of texts
        separated by tabs or tildes.
    members : iterable of str, optional
        Of a zip of texts, the members to lay out as tables (any case); others are kept as
        they are. All, if not given.

    Returns
    -------
    RawFile
        The tables, and how to write them back.
    """
    name = path.name.lower()
    if name.endswith(".parquet"):
        return _read_parquet(path)
    if name.endswith(".xlsx"):
        return _read_xlsx(path)
    raw = path.read_bytes()
    if name.endswith((".json", ".json.gz", ".json.zip")):
        return _read_json(path.name, raw)
    if name.endswith(".zip"):
        return _read_zip(raw, members)
    packed = name.endswith(".gz")
    tables, dump = _read_text(path.name, gzip.decompress(raw) if packed else raw, ",", quoted=True)
    if packed:
        return RawFile(tables, lambda now: gzip.compress(dump(now), compresslevel=1, mtime=0))
    return RawFile(tables, dump)


def plain_name(header: object) -> str:
    """Return the letters and digits of a header cell in lower case.

    Parameters
    ----------
    header : object
        A cell of a header.

    Returns
    -------
    str
    """
    return _NOT_LETTER_OR_DIGIT.sub("", str(header).lower())


def column_names(headers: Sequence[object]) -> list[str]:
    """Return names for all cells of a header, each of them once.

    Parameters
    ----------
    headers : sequence of object
        The cells, in order.

    Returns
    -------
    list of str
        As `plain_name` gives them; a number is added to a blank or repeated one.
    """
    names: list[str] = []
    for place, header in enumerate(headers):
        name = plain_name(header) or f"blank{place}"
        names.append(name if name not in names else f"{name}{place}")
    return names


def _frame(records: Sequence[Sequence[Any]], names: Sequence[str]) -> pd.DataFrame:
    """Lay records out as columns of objects."""
    columns = zip(*records, strict=True) if records else ([] for _ in names)
    frame = pd.DataFrame(
        {
            name: pd.Series(cells, dtype=object)
            for name, cells in zip(names, map(list, columns), strict=True)
        }
    )
    frame[TAIL] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    return frame


def _records(frame: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    """Return the rows of a frame, without what travels with them."""
    return zip(*(frame[name].tolist() for name in frame.columns if name != TAIL), strict=True)


def _read_text(
    name: str, raw: bytes, delimiter: str, *, quoted: bool
) -> tuple[dict[str, pd.DataFrame], Callable[[dict[str, pd.DataFrame]], bytes]]:
    """Read separated text, with one table or several below headers of their own."""
    text = raw.decode("latin-1")
    end = "\r\n" if "\r\n" in text else "\n" if "\n" in text else "\r"
    if quoted:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    else:
        records = [line.split(delimiter) for line in text.removesuffix(end).split(end)]
    start = next(
        (
            place
            for place, record in enumerate(records)
            if sum(bool(plain_name(cell)) for cell in record) >= _HEADER_CELLS
        ),
        len(records),
    )
    first = plain_name(records[start][0]) if start < len(records) else ""
    heads = [
        place
        for place in range(start, len(records))
        if records[place] and plain_name(records[place][0]) == first
    ]
    above = records[:start]
    tables: dict[str, pd.DataFrame] = {}
    headers: dict[str, list[list[str]]] = {}
    for number, head in enumerate(heads):
        stop = heads[number + 1] if number + 1 < len(heads) else len(records)
        label = name if number == 0 else f"{name}#{number + 1}"
        width = len(records[head])
        rows: list[list[str]] = []
        tails: dict[int, list[list[str]]] = {}
        headers[label] = [records[head]]
        for record in records[head + 1 : stop]:
            if len(record) == width:
                rows.append(record)
            elif rows:
                tails.setdefault(len(rows) - 1, []).append(record)
            else:
                headers[label].append(record)
        frame = _frame(rows, column_names(records[head]))
        whole = [tails.get(row, old) for row, old in enumerate(frame[TAIL].to_list())]
        frame[TAIL] = pd.Series(whole, index=frame.index, dtype=object)
        tables[label] = frame

    def dump(now: dict[str, pd.DataFrame]) -> bytes:
        out: list[Sequence[str]] = [*above]
        for label in headers:
            out += headers[label]
            frame = now[label]
            for record, tail in zip(_records(frame), frame[TAIL].tolist(), strict=True):
                out.append(record)
                if tail:
                    out += tail
        if not quoted:
            return (end.join(delimiter.join(record) for record in out) + end).encode("latin-1")
        stream = io.StringIO(newline="")
        csv.writer(stream, delimiter=delimiter, lineterminator=end).writerows(out)
        return stream.getvalue().encode("latin-1")

    return tables, dump


def _read_zip(raw: bytes, members: Iterable[str] | None) -> RawFile:
    """Read a zip of texts separated by tabs or tildes."""
    wanted = None if members is None else {member.lower() for member in members}
    tables: dict[str, pd.DataFrame] = {}
    dumps: dict[str, Callable[[dict[str, pd.DataFrame]], bytes] | bytes] = {}
    with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
        for name in bundle.namelist():
            content = bundle.read(name)
            if wanted is not None and Path(name).name.lower() not in wanted:
                dumps[name] = content
                continue
            delimiter = "~" if content.split(b"\n", 1)[0].count(b"~") > 1 else "\t"
            parts, dump = _read_text(name, content, delimiter, quoted=False)
            tables |= parts
            dumps[name] = dump

    def write(now: dict[str, pd.DataFrame]) -> bytes:
        return _zip({name: d if isinstance(d, bytes) else d(now) for name, d in dumps.items()})

    return RawFile(tables, write)


def _zip(members: dict[str, bytes]) -> bytes:
    """Return a zip whose bytes depend on its content alone."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        for name, content in members.items():
            bundle.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _read_json(name: str, raw: bytes) -> RawFile:
    """Read an answer or a release of openFDA: records below ``results``."""
    member = ""
    if name.lower().endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
            member = next(n for n in bundle.namelist() if n.lower().endswith(".json"))
            content = json.loads(bundle.read(member))
    else:
        content = json.loads(gzip.decompress(raw) if name.lower().endswith(".gz") else raw)
    records: list[dict[str, Any]] = content["results"] if isinstance(content, dict) else content
    fields = list(dict.fromkeys(key for record in records for key in record))
    frame = _frame(
        [[record.get(field, ABSENT) for field in fields] for record in records],
        column_names(fields),
    )

    def dump(now: dict[str, pd.DataFrame]) -> bytes:
        results = [
            {f: cell for f, cell in zip(fields, row, strict=True) if cell is not ABSENT}
            for row in _records(now[name])
        ]
        out: object = results
        if isinstance(content, dict):
            meta = dict(content.get("meta") or {})
            page = dict(meta.get("results") or {})
            if page:
                # A page that promises more records than it holds would be refused as cut short.
                delta = len(results) - len(records)
                meta["results"] = page | {"total": int(page.get("total") or 0) + delta}
            out = content | {"meta": meta, "results": results}
        text = json.dumps(out).encode()
        if member:
            return _zip({member: text})
        return gzip.compress(text, mtime=0) if name.lower().endswith(".gz") else text

    return RawFile({name: frame}, dump)


def _read_parquet(path: Path) -> RawFile:
    """Read a Parquet file; null is None."""
    table = parquet.read_table(path)
    names = column_names(table.column_names)
    columns = [column.to_pylist() for column in table.columns]
    frame = pd.DataFrame(
        {name: pd.Series(values, dtype=object) for name, values in zip(names, columns, strict=True)}
    )
    frame[TAIL] = pd.Series([None] * len(frame), index=frame.index, dtype=object)

    def dump(now: dict[str, pd.DataFrame]) -> bytes:
        arrays = [
            pa.array(now[path.name][name].tolist(), type=field.type, from_pandas=True)
            for name, field in zip(names, table.schema, strict=True)
        ]
        stream = io.BytesIO()
        parquet.write_table(pa.Table.from_arrays(arrays, schema=table.schema), stream)
        return stream.getvalue()

    return RawFile({path.name: frame}, dump)


def _read_xlsx(path: Path) -> RawFile:
    """Read the first sheet of a spreadsheet; written back, every cell is text."""
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    header, *body = [[_cell_text(cell) for cell in row] for row in rows]
    frame = _frame(body, column_names(header))

    def dump(now: dict[str, pd.DataFrame]) -> bytes:
        return _xlsx([header, *_records(now[path.name])])

    return RawFile({path.name: frame}, dump)


def _cell_text(cell: object) -> str:
    """Return a cell as text: a day in ISO form, a whole number without a fraction."""
    if isinstance(cell, date):
        return cell.isoformat()[:10]
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SHEET_XML = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS_XML = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE_XML = "http://schemas.openxmlformats.org/package/2006"
_MAIN = "application/vnd.openxmlformats-officedocument.spreadsheetml"
#: XML has no place for control characters; spreadsheets write them as ``_x0019_``.
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def _spelt(control: re.Match[str]) -> str:
    return f"_x{ord(control[0]):04X}_"


def _xlsx(rows: Sequence[Sequence[str]]) -> bytes:
    """Write the smallest spreadsheet that holds these texts."""
    lines = []
    for row in rows:
        cells = (
            f'<c t="inlineStr"><is><t xml:space="preserve">{escape(_NOT_IN_XML.sub(_spelt, cell))}'
            "</t></is></c>"
            for cell in row
        )
        lines.append(f"<row>{''.join(cells)}</row>")
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE_XML}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_MAIN}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_MAIN}.worksheet+xml"/>'
        "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE_XML}/relationships"><Relationship '
        f'Id="rId1" Type="{_RELATIONS_XML}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns="{_SHEET_XML}" xmlns:r="{_RELATIONS_XML}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE_XML}/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATIONS_XML}/worksheet" '
        'Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_SHEET_XML}"><sheetData>'
        f"{''.join(lines)}</sheetData></worksheet>",
    }
    return _zip({name: (_XML + text).encode() for name, text in parts.items()})
