"""Reading text tables without losing a row: shared by the source files.

Everything is read as text first; values are typed column by column, and what does not
parse goes to quarantine with its file, row, column and value.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from shortcast.features.sources.contract import REJECT_COLUMNS, SourceError

#: Blanks that have no width, and that Python does not count as white space.
_WIDTHLESS = str.maketrans({"\u200b": " ", "\ufeff": " "})
#: Most bytes that a packed file may unpack to, and how many times its size where that is not
#: little: tables pack to a tenth, those that repeat themselves most to a fiftieth, and a file made
#: to fill the memory to a thousandth.
_MOST_UNPACKED, _MOST_TIMES, _SMALL = 1 << 30, 200, 32 << 20
#: No public record of US drugs is older; a date before it is a typing error.
EARLIEST = date(1900, 1, 1)
#: What reading a zip that is damaged ends with, besides errors of the disk.
DAMAGED_ZIP = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    # An encrypted member, one packed in a way that is not known here, a damaged name.
    *(RuntimeError, NotImplementedError, UnicodeDecodeError),
)


def _bad_utf8_as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Read only the bytes that are no UTF-8 as cp1252, and go on after them."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    # cp1252 leaves five byte values undefined; they become the replacement mark so that
    # one bad byte costs one character and not the file.
    bad = error.object[error.start : error.end]
    return bad.decode("cp1252", errors="replace"), error.end


codecs.register_error("shortcast-cp1252", _bad_utf8_as_cp1252)


def decode(raw: bytes, file: str) -> str:
    """Decode bytes as UTF-8 (with or without a mark), bad bytes among them as cp1252.

    Some public files hold both encodings, row by row; each byte that is no UTF-8 is read as
    cp1252 and the rest stays what it is.

    Parameters
    ----------
    raw : bytes
        The file's content.
    file : str
        Its name, for the error.

    Returns
    -------
    str
        The text.

    Raises
    ------
    SourceError
        If the file is empty or holds an HTML page instead of data.
    """
    if not raw or raw.isspace():
        raise SourceError(f"{file} is empty; fetch it again or remove it from the folder.")
    head = raw[:2048].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if head.startswith((b"<!doctype html", b"<html")):
        raise SourceError(
            f"{file} is an HTML page, not data (often an error page saved under the data's "
            "name); fetch it again."
        )
    return raw.removeprefix(codecs.BOM_UTF8).decode("utf-8", errors="shortcast-cp1252")


def tidy(value: str) -> str:
    """Fold every run of white space, non-breaking spaces included, into one space.

    Parameters
    ----------
    value : str
        Any text.

    Returns
    -------
    str
        Without white space around it.
    """
    if not value.isascii():
        value = value.translate(_WIDTHLESS)
    return " ".join(value.split())


class _Tidied(dict[str, str]):
    """Texts and how they read when tidied: most cells of a table have been seen before."""

    def __missing__(self, value: str) -> str:
        self[value] = text = tidy(value)
        return text


def join_texts(frame: pd.DataFrame, by: Sequence[str], column: str, between: str) -> pd.DataFrame:
    """Join the texts of each group into one, in the order of the rows.

    Parameters
    ----------
    frame : DataFrame
        With the columns ``by`` and ``column``.
    by : sequence of str
        What makes a group.
    column : str
        Texts.
    between : str
        What stands between two of them.

    Returns
    -------
    DataFrame
        ``by`` and ``column``, one row a group.
    """
    keys = list(by)
    # pandas joins one group at a time, and most groups are of one row.
    several = frame.duplicated(keys, keep=False)
    lone = frame.loc[~several, [*keys, column]]
    if not several.any():
        return lone
    joined = frame[several].groupby(keys)[column].agg(between.join).reset_index()
    return pd.concat([lone, joined], ignore_index=True)


def tidy_columns(names: Iterable[str]) -> list[str]:
    """Return header names with white space folded.

    Parameters
    ----------
    names : iterable of str
        A header.

    Returns
    -------
    list of str
    """
    return [tidy(str(name)) for name in names]


def require(columns: Iterable[str], needed: Sequence[str], file: str) -> None:
    """Refuse a file whose header lacks a needed column, or names one twice.

    Parameters
    ----------
    columns : iterable of str
        The header of the file.
    needed : sequence of str
        Columns that the reader cannot do without.
    file : str
        Name of the file, for the message.

    Raises
    ------
    SourceError
        Naming the missing columns and those that are there, or the one that is there twice.
    """
    have = list(columns)
    if twice := [name for name in needed if have.count(name) > 1]:
        raise SourceError(
            f"{file} names the column {twice[0]!r} twice in its header; fetch it again, or mend "
            "the reader if the source has changed its format."
        )
    missing = [name for name in needed if name not in have]
    if missing:
        raise SourceError(
            f"{file} lacks the column(s) {', '.join(missing)}; its header is "
            f"{', '.join(have[:12])}{' ...' if len(have) > 12 else ''}; fetch it again, or "
            "mend the reader if the source has changed its format."
        )


def read_csv(
    raw: bytes, file: str, *, delimiter: str = ",", skip_blank: bool = True
) -> pd.DataFrame:
    """Read delimited text as a frame of tidy strings, numbered by record.

    Parameters
    ----------
    raw : bytes
        The file's content.
    file : str
        Its name, for errors.
    delimiter : str
        Field separator.
    skip_blank : bool
        Leave out records in which every field is blank.

    Returns
    -------
    DataFrame
        Strings with folded white space ('' where empty) and the column ``source_row``, the
        1-based number of the record below the header. A record with more fields than the
        header keeps the first ones; one with fewer is filled with ''. The column
        ``field_count`` tells how many it had.

    Raises
    ------
    SourceError
        If the file is empty, an HTML page, or holds no record at all.
    """
    text = decode(raw, file).lstrip("\r\n \t")
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise SourceError(
            f"{file} is not readable as delimited text ({error}); fetch it again."
        ) from error
    if len(records) < 2:
        raise SourceError(f"{file} has a header and no rows; fetch it again.")
    header = tidy_columns(records[0])
    width = len(header)
    tidied = _Tidied()
    rows = [
        [
            *map(tidied.__getitem__, record[:width]),
            *[""] * (width - len(record)),
            number,
            len(record),
        ]
        for number, record in enumerate(records[1:], start=1)
        if not skip_blank or any(map(str.strip, record))
    ]
    return pd.DataFrame(rows, columns=[*header, "source_row", "field_count"])


def refuse_cut_short(field_counts: pd.Series, width: int, file: str) -> None:
    """Refuse a table whose last record lacks fields: it lost its tail.

    Parameters
    ----------
    field_counts : Series of int
        Fields of each record, in the file's order (``field_count`` of `read_csv`).
    width : int
        Fields of the header.
    file : str
        Its name, for the error.

    Raises
    ------
    SourceError
        If the last record is short. Read as it is, rows that are merely missing would pass
        for rows that the source took back.
    """
    if len(field_counts) and field_counts.iloc[-1] < width:
        raise SourceError(
            f"{file} ends in a record of {field_counts.iloc[-1]} field(s) where the header has "
            f"{width}: it was cut short; fetch it again."
        )


def rejects(
    file: str, rows: pd.Series, column: str, values: pd.Series | str, reason: str
) -> pd.DataFrame:
    """Return quarantine rows for the records numbered ``rows``.

    Parameters
    ----------
    file : str
        Name of the file.
    rows : Series
        Numbers of the records in the file, from 1.
    column : str
        Column at fault, as the file writes it; '' for the whole record.
    values : Series or str
        What stood there, for each record or for all.
    reason : str
        Why it is rejected.

    Returns
    -------
    DataFrame
        The columns `REJECT_COLUMNS`, one row for each record.
    """
    texts = values if isinstance(values, str) else values.astype(str).to_numpy()
    # At once and not column by column: a reader asks this of every column, mostly for no record.
    return pd.DataFrame(
        {"file": file, "row": rows.to_numpy(), "column": column, "value": texts, "reason": reason},
        columns=list(REJECT_COLUMNS),
    )


def parse_dates(
    values: pd.Series, formats: Sequence[str], *, latest: date | None = None
) -> tuple[pd.Series, pd.Series]:
    """Parse text dates by the given formats, in order.

    Parameters
    ----------
    values : Series of str
        Text; '' is null, not an error.
    formats : sequence of str
        ``strptime`` formats, tried in this order.
    latest : date, optional
        Dates after it are errors (a snapshot cannot know the future).

    Returns
    -------
    parsed : Series of datetime64
        NaT where blank or bad.
    bad : Series of bool
        True where there was text that is no date in the accepted range.
    """
    # Large tables repeat few days: each distinct text is parsed once.
    codes, words = pd.factorize(values.fillna("").astype(str))
    text = pd.Series(words).str.strip()
    parsed = pd.Series(pd.NaT, index=text.index, dtype="datetime64[s]")
    for form in formats:
        todo = parsed.isna() & (text != "")
        if not todo.any():
            break
        parsed[todo] = pd.to_datetime(text[todo], format=form, errors="coerce").astype(
            "datetime64[s]"
        )
    out_of_range = parsed < pd.Timestamp(EARLIEST)
    if latest is not None:
        out_of_range |= parsed > pd.Timestamp(latest)
    parsed = parsed.mask(out_of_range)
    bad = parsed.isna() & (text != "")
    return (
        parsed.take(codes).set_axis(values.index),
        bad.take(codes).set_axis(values.index),
    )


def parse_numbers(values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Parse text numbers, with or without a dollar sign and thousands separators.

    Parameters
    ----------
    values : Series of str
        Text; '', ``NA`` and ``N/A`` are null, not errors.

    Returns
    -------
    parsed : Series of float
        NaN where blank or bad.
    bad : Series of bool
        True where there was text that is no number.
    """
    text = values.fillna("").astype(str)
    parsed = pd.to_numeric(text, errors="coerce").astype("float64")
    # Only what is no number as it stands is looked at closely.
    rest = parsed.isna() & (text != "")
    cleaned = text[rest].str.replace(r"[$,\s]", "", regex=True)
    cleaned = cleaned.where(~cleaned.isin(["NA", "N/A"]), "")
    parsed[rest] = pd.to_numeric(cleaned, errors="coerce").astype("float64")
    parsed = parsed.mask(parsed.abs() == float("inf"))
    is_blank = (text == "") | (cleaned == "").reindex(text.index, fill_value=False)
    return parsed, parsed.isna() & ~is_blank


def most_unpacked(packed: int) -> int:
    """Return how many bytes a packed file may unpack to before it is taken for a trap.

    Parameters
    ----------
    packed : int
        Its own size in bytes.

    Returns
    -------
    int
    """
    return min(_MOST_UNPACKED, max(_SMALL, _MOST_TIMES * packed))


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes, gunzipped where its name ends in ``.gz``.

    Parameters
    ----------
    path : Path
        A file of a snapshot.

    Returns
    -------
    bytes

    Raises
    ------
    SourceError
        If the compressed file is damaged or cut short, or unpacks to more than it may.
    """
    if path.suffix != ".gz":
        return path.read_bytes()
    most = most_unpacked(path.stat().st_size)
    try:
        with gzip.open(path) as stream:
            raw = stream.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(
            f"{path.name} is damaged or cut short ({error}); fetch it again."
        ) from error
    if len(raw) > most:
        raise _too_much(path, most)
    return raw


def _too_much(path: Path, most: int) -> SourceError:
    """Return the refusal of a file that unpacks to more than any table of its size does."""
    return SourceError(
        f"{path.name} has {path.stat().st_size:,} bytes and unpacks to more than {most:,}, which "
        "no table does; look at the source, and fetch it again."
    )


def read_zip(path: Path, *, only: str | None = None) -> dict[str, bytes]:
    """Return the members of a zip file by their base name.

    Parameters
    ----------
    path : Path
        A zip file of a snapshot.
    only : str, optional
        The one member to read, by its full name; all by default.

    Returns
    -------
    dict of str to bytes
        Contents by name without folders.

    Raises
    ------
    SourceError
        If the file is no zip, is cut short, is encrypted, a member fails its checksum, or all that
        is read unpacks to more than it may.
    """
    found: dict[str, bytes] = {}
    try:
        left = most = most_unpacked(path.stat().st_size)
        with zipfile.ZipFile(path) as bundle:
            for name in bundle.namelist():
                if name.endswith("/") or only not in (None, name):
                    continue
                # What the zip says of a member's size need not be so.
                with bundle.open(name) as stream:
                    raw = stream.read(left + 1)
                left -= len(raw)
                if left < 0:
                    raise _too_much(path, most)
                found[Path(name).name] = raw
        return found
    except (*DAMAGED_ZIP, OSError) as error:
        raise SourceError(
            f"{path.name} is not a whole zip file ({error}); fetch it again."
        ) from error


def single_file(files: Sequence[Path], suffix: str, what: str) -> Path:
    """Return the one file of a snapshot whose name ends in ``suffix``.

    Parameters
    ----------
    files : sequence of Path
        The snapshot's files.
    suffix : str
        How the name ends, in any case (``.zip``).
    what : str
        What the file should be, for the error.

    Raises
    ------
    SourceError
        If there is none, or more than one.
    """
    found = [path for path in files if path.name.lower().endswith(suffix)]
    if len(found) != 1:
        names = ", ".join(sorted(path.name for path in files)) or "nothing"
        raise SourceError(
            f"A snapshot of {what} holds one file that ends in {suffix}, but {len(found)} were "
            f"found among: {names}; leave only the right one in the folder."
        )
    return found[0]
