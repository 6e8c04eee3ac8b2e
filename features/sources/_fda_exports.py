"""What the FDA's inspection, compliance, registration and letter exports share.

The same column is ``FEI Number`` in a spreadsheet of the Data Dashboard, ``FEI_NUMBER`` in a
registration file and ``FEINumber`` in the Dashboard's API, so headers are matched by their
letters and digits alone. A hyphen stands for "nothing" in Dashboard exports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from shortcast.features.sources.contract import REJECT_COLUMNS, SourceError
from shortcast.features.sources.tables import parse_dates, read_bytes, read_csv, rejects

#: Our name of a column, and the header names under which it occurs.
Fields = Mapping[str, Sequence[str]]

#: The order of day, month and year is never in doubt: exports are ISO or American.
DATE_FORMATS = ("%Y-%m-%d", "%m/%d/%Y")

#: The Data Dashboard hands out at most this many rows at once and says nothing about the rest.
PAGE_ROWS = 5000

FEI_REASON = "no FEI number of at most 10 digits; the value is left empty"
DUNS_REASON = "no DUNS number of at most 9 digits; the value is left empty"
_NOT_LETTER_OR_DIGIT = re.compile(r"[^a-z0-9]")


def only_file(files: Sequence[Path], source: str) -> Path:
    """Return the one file of a snapshot.

    Raises
    ------
    SourceError
        If there is none or more than one: two exports of one day cannot both be the list.
    """
    if len(files) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise SourceError(
            f"A snapshot of {source} is one file, but there are {len(files)} ({names}); "
            "keep one for each day."
        )
    return files[0]


def spelled(fields: Fields) -> tuple[str, ...]:
    """Return how a source spells its columns: of each the first of its header names."""
    return tuple(headers[0] for headers in fields.values())


def pick_columns(
    frame: pd.DataFrame, file: str, required: Fields, optional: Fields | None = None
) -> pd.DataFrame:
    """Return the named columns of an export, whatever style its header has.

    Parameters
    ----------
    frame : DataFrame
        Text columns under the export's own header names.
    file : str
        The file's name, for the error.
    required, optional : mapping of str to sequence of str
        Our column names with the header names they occur under. An optional column that
        is not there is filled with ''.

    Returns
    -------
    DataFrame
        The columns of ``required`` and ``optional``, in that order, with ``frame``'s index.

    Raises
    ------
    SourceError
        If a required column is missing, naming it and those that are there, or is there twice.
    """
    names = [str(name) for name in frame.columns if name not in ("source_row", "field_count")]
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(_letters(name), []).append(place)
    found: dict[str, pd.Series] = {}
    missing = []
    for name, headers in {**required, **(optional or {})}.items():
        at = next((places[_letters(h)] for h in headers if _letters(h) in places), [])
        if len(at) > 1:
            raise SourceError(
                f"{file} has the column {names[at[0]]} {len(at)} times; remove the wrong one."
            )
        if at:
            found[name] = frame.iloc[:, at[0]]
        elif name in required:
            missing.append(headers[0])
        else:
            found[name] = pd.Series("", index=frame.index, dtype=str)
    if missing:
        raise SourceError(
            f"{file} lacks the column(s) {', '.join(missing)}; its header is "
            f"{', '.join(names[:12])}{' ...' if len(names) > 12 else ''}; fetch it again, or "
            "mend the reader if the source has changed its format."
        )
    return pd.DataFrame(found)


def read_csv_export(
    path: Path, required: Fields, optional: Fields | None = None
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Read one CSV export, plain or gzipped, into columns of tidy text.

    Parameters
    ----------
    path : Path
        The file.
    required, optional : mapping of str to sequence of str
        See `pick_columns`.

    Returns
    -------
    frame : DataFrame
        Text columns ('' where blank), ``source_file`` and ``source_row``.
    quarantine : list of DataFrame
        Records whose number of fields differs from the header's: a cell that lost its quotes
        or a cut-off last line shifts values into the wrong columns.

    Raises
    ------
    SourceError
        If the file is damaged, empty, an HTML page, or lacks a required column.
    """
    raw = read_csv(read_bytes(path), path.name)
    width = raw.shape[1] - 2  # source_row and field_count stand beside the file's own
    frame = pick_columns(raw, path.name, required, optional)
    frame["source_file"], frame["source_row"] = path.name, raw["source_row"]
    broken = raw["field_count"] != width
    quarantine = [
        rejects(
            path.name,
            raw.loc[broken, "source_row"],
            "",
            raw.loc[broken, "field_count"],
            f"the record does not have the header's {width} fields",
        )
    ]
    return frame[~broken].reset_index(drop=True), quarantine


def refuse_one_page(frame: pd.DataFrame, path: Path) -> None:
    """Refuse an export of the Data Dashboard that is exactly one of its pages long.

    Parameters
    ----------
    frame : DataFrame
        All rows of the export.
    path : Path
        Its file, for the error.

    Raises
    ------
    SourceError
        If it has as many rows as the Dashboard hands out at once.
    """
    if len(frame) == PAGE_ROWS:
        raise SourceError(
            f"{path.name} has exactly {PAGE_ROWS:,} rows, the most that the Data Dashboard hands "
            "out at once, so the rest is missing; fetch all pages."
        )


def gather(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the quarantine rows of all parts as one frame, by record."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=list(REJECT_COLUMNS))
    return pd.concat(filled, ignore_index=True).sort_values("row", kind="stable", ignore_index=True)


def drop_rows(
    frame: pd.DataFrame, bad: pd.Series, column: str, values: pd.Series | str, reason: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split off the rows marked ``bad``.

    Parameters
    ----------
    frame : DataFrame
        With ``source_file`` and ``source_row``.
    bad : Series of bool
        Rows to leave out.
    column : str
        The source's name of the column at fault.
    values : Series or str
        Its values, as in the file.
    reason : str
        Why the row cannot be used.

    Returns
    -------
    kept, quarantine : DataFrame
        The other rows, renumbered, and the quarantine entries of the bad ones.
    """
    entries = note_values(frame, bad, column, values, reason)
    return frame[~bad].reset_index(drop=True), entries


def note_values(
    frame: pd.DataFrame, bad: pd.Series, column: str, values: pd.Series | str, reason: str
) -> pd.DataFrame:
    """Return quarantine entries for values that are left empty while their rows are kept."""
    picked = values if isinstance(values, str) else values[bad]
    file = str(frame["source_file"].iloc[0]) if len(frame) else ""
    return rejects(file, frame.loc[bad, "source_row"], column, picked, reason)


def dates(values: pd.Series, as_of: date) -> tuple[pd.Series, pd.Series]:
    """Parse ISO or American dates no later than the snapshot; see `tables.parse_dates`."""
    return parse_dates(values, DATE_FORMATS, latest=as_of)


def date_reason(as_of: date) -> str:
    """Return the reason that a quarantined date is given."""
    return f"no date between 1900 and the snapshot's day, {as_of}"


def blank_to_null(values: pd.Series) -> pd.Series:
    """Return text with blanks, and the hyphens that stand for blanks, as null."""
    text = values.str.strip()
    return text.mask(text.isin(["", "-", "--"]))


def fei_numbers(values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Normalise FEI numbers (FDA Establishment Identifier).

    Parameters
    ----------
    values : Series of str
        As in the file; blank, a hyphen and a row of zeros mean "none".

    Returns
    -------
    numbers : Series of str
        Digits without leading zeros (files differ in padding them), null where there is none.
    bad : Series of bool
        True where there was text, but no number of at most ten digits.
    """
    return _numbers(values, 10)


def duns_numbers(values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Normalise DUNS numbers to nine digits.

    Parameters
    ----------
    values : Series of str
        As in the file; blank, a hyphen and a row of zeros mean "none".

    Returns
    -------
    numbers : Series of str
        Nine digits, leading zeros kept or put back, null where there is none.
    bad : Series of bool
        True where there was text, but no number of at most nine digits.
    """
    numbers, bad = _numbers(values, 9)
    return numbers.str.zfill(9), bad


def _numbers(values: pd.Series, most: int) -> tuple[pd.Series, pd.Series]:
    """Return digits without leading zeros, and where text held no number of that length."""
    text = blank_to_null(values)
    digits = text.str.replace(r"\D", "", regex=True).str.lstrip("0")
    lettered = text.str.contains(r"[A-Za-z]", regex=True, na=False)
    bad = lettered | (digits.str.len() > most).fillna(False).astype(bool)
    return digits.mask(bad | (digits == "")), bad


def _letters(name: str) -> str:
    """Return a header name as its lower-case letters and digits."""
    return _NOT_LETTER_OR_DIGIT.sub("", name.lower())
