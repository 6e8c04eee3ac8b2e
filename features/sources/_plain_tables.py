"""Reading large delimited tables fast: 100,000 rows and more in about a second.

`shortcast.features.sources.tables.read_csv` walks through every cell in Python, which is right
for files of some thousand rows. The tables of products and of prices are a hundred times
larger, so they go through Arrow; what comes out is the same.
"""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.csv as arrow_csv

from shortcast.features.sources.contract import REJECT_COLUMNS, SourceError
from shortcast.features.sources.tables import decode, rejects, tidy_columns

# RE2's \s knows ASCII only, so the other blanks that occur are named.
_FOLD = compute.ReplaceSubstringOptions("[\\s\u00a0\u200b\ufeff]+", " ")
#: Cells that may need it: a blank at an end, two in a row, or a character that is not plain.
_MAY_FOLD = compute.MatchSubstringOptions("^ |  | $|[^ -~]")


def read_plain(
    raw: bytes, file: str, *, delimiter: str, quoted: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read delimited text as tidy strings, numbered by record.

    Parameters
    ----------
    raw : bytes
        The file's content: UTF-8, cp1252 or both; lines may end in a line feed, a carriage
        return or both.
    file : str
        Its name, for errors and quarantine.
    delimiter : str
        Field separator.
    quoted : bool
        Whether fields may stand in double quotes (and then hold separators and line breaks).

    Returns
    -------
    frame : DataFrame
        Strings with folded white space ('' where empty) and ``source_row``, the 1-based number
        of the record below the header; records that are blank throughout are left out. A
        record that is short is filled with ''; blank fields beyond the header are dropped.
    bad : DataFrame
        Quarantine rows: records with text beyond the header's last column.

    Raises
    ------
    SourceError
        If the file is empty, an HTML page, or holds no record at all, or if its header names a
        column twice.
    """
    text = decode(raw, file).lstrip("\r\n \t")
    if "\r" in text and not quoted:
        text = text.replace("\r\n", "\n")
        # Files of the old Drugs@FDA end their lines in a bare carriage return; in any other
        # file a stray one stands inside a field.
        text = text.replace("\r", " ") if "\n" in text else text.replace("\r", "\n")
    head = io.StringIO(text, newline="")
    header = _fields(head, delimiter, quoted)
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise SourceError(
            f"{file} names the column {twice[0]!r} twice in its header; fetch it again, or mend "
            "the reader if the source has changed its format."
        )
    names = [str(position) for position in range(len(header))]
    odd: list[arrow_csv.InvalidRow] = []

    def keep(row: arrow_csv.InvalidRow) -> str:
        odd.append(row)
        return "skip"

    try:
        table = arrow_csv.read_csv(
            io.BytesIO(text.encode()),
            # One thread: Arrow numbers the odd rows only then.
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter,
                quote_char='"' if quoted else False,
                newlines_in_values=quoted,
                ignore_empty_lines=False,
                invalid_row_handler=keep,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names}
            ),
        )
    except pa.ArrowInvalid as error:
        raise SourceError(
            f"{file} is not readable as delimited text ({error}); fetch it again."
        ) from error

    numbers = np.arange(1, table.num_rows + len(odd) + 1)
    numbers = np.delete(numbers, [row.number - 1 for row in odd])
    frame = _tidy(table.slice(1)).to_pandas()
    frame.columns = header
    frame["source_row"] = numbers[1:] - 1
    mended, bad = _mend(odd, header, file, delimiter, quoted)
    if len(mended):
        frame = pd.concat([frame, mended]).sort_values("source_row")
    blank = (frame[header] == "").all(axis=1)
    frame = (frame[~blank] if blank.any() else frame).reset_index(drop=True)
    if frame.empty and bad.empty:
        raise SourceError(f"{file} has a header and no rows; fetch it again.")
    return frame, bad


def _fields(lines: io.StringIO, delimiter: str, quoted: bool) -> list[str]:
    """Return the tidy fields of the first record."""
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    return tidy_columns(next(csv.reader(lines, delimiter=delimiter, quoting=quoting), []))


def _tidy(table: pa.Table) -> pa.Table:
    """Fold white space in every cell, as `tables.tidy` does."""
    columns = []
    for column in table.columns:
        untidy = compute.call_function("match_substring_regex", [column], _MAY_FOLD)
        if not compute.call_function("any", [untidy]).as_py():
            columns.append(column)
            continue
        # Few distinct values in most columns: tidy each of them once.
        encoded = column.combine_chunks().dictionary_encode()
        words = encoded.dictionary
        folded = compute.call_function("replace_substring_regex", [words], _FOLD)
        trimmed = compute.call_function("utf8_trim_whitespace", [folded])
        columns.append(trimmed.take(encoded.indices))
    return pa.table(columns, names=table.column_names)


def _mend(
    odd: list[arrow_csv.InvalidRow], header: list[str], file: str, delimiter: str, quoted: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fill short records and drop blank fields beyond the header; reject the others."""
    width = len(header)
    mended, rows, values = [], [], []
    for row in odd:
        fields = _fields(io.StringIO(row.text, newline=""), delimiter, quoted)
        if any(fields[width:]):
            rows.append(row.number - 1)
            values.append(row.text[:500])
        else:
            fields = fields[:width] + [""] * (width - len(fields))
            mended.append([*fields, row.number - 1])
    bad = pd.DataFrame(columns=list(REJECT_COLUMNS))
    if rows:
        reason = f"holds more fields than the {width} columns of the header"
        bad = rejects(file, pd.Series(rows), "", pd.Series(values), reason)
    return pd.DataFrame(mended, columns=[*header, "source_row"]), bad


def nullable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with '' replaced by null in its text columns."""
    text = frame.select_dtypes(include=["str", "object"]).columns
    return frame.assign(**{name: frame[name].where(frame[name] != "") for name in text})
