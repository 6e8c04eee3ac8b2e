"""Known errors at a source, corrected by data when a snapshot is read.

``corrections.csv`` names each: which cell is wrong, what is done about it, why, and whether the
source still has it. A correction holds for every snapshot, so that one which the source has mended
since goes on mending the old ones; its status tells what to expect of the newest. Each cell that is
corrected stands in quarantine with what it held, while its row is kept.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

import pandas as pd

from shortcast.features.sources.contract import Reading, Source

Action = Literal["replace", "blank", "drop"]
Status = Literal["open", "mended"]

_FILE = Path(__file__).with_name("corrections.csv")


@dataclass(frozen=True)
class Correction:
    """A known error at a source.

    Attributes
    ----------
    name : str
        What tells it from the others.
    source, table, column : str
        Where it stands; a column of text.
    match : str
        The cell that is wrong, as the reader gives it.
    action : {'replace', 'blank', 'drop'}
        Whether the cell becomes `value` or empty, or its row is left out.
    value : str
        What is right; '' unless it is replaced.
    reason : str
        What is wrong, and where it was seen.
    status : {'open', 'mended'}
        Whether the source is expected to have it still.
    """

    name: str
    source: str
    table: str
    column: str
    match: str
    action: Action
    value: str
    reason: str
    status: Status

    @property
    def mark(self) -> str:
        """What the reason of a quarantine entry begins with."""
        return f"corrected ({self.name}): "


@lru_cache(maxsize=1)
def corrections() -> tuple[Correction, ...]:
    """Return all corrections.

    Returns
    -------
    tuple of Correction
        As in the file.

    Raises
    ------
    ValueError
        If the file names an action or a status that there is not, or a name twice.
    """
    with _FILE.open(encoding="utf-8", newline="") as stream:
        found = [Correction(**cast("dict[str, Any]", row)) for row in csv.DictReader(stream)]
    for one in found:
        if one.action not in get_args(Action) or one.status not in get_args(Status):
            raise ValueError(f"{_FILE.name}: {one.name} has no known action and status")
    if len({one.name for one in found}) < len(found):
        raise ValueError(f"{_FILE.name} has a name twice")
    return tuple(found)


def version(source: str) -> bytes:
    """Return bytes that change with the corrections of a source, and with how they are made.

    Parameters
    ----------
    source : str
        Its name.

    Returns
    -------
    bytes
    """
    own = [astuple(one) for one in corrections() if one.source == source]
    return Path(__file__).read_bytes() + repr(own).encode() if own else b""


def read(source: Source, files: Sequence[Path], as_of: date) -> Reading:
    """Read a snapshot, and correct what is known to be wrong at its source.

    Parameters
    ----------
    source : Source
        Whose snapshot it is.
    files : sequence of Path
        Its files.
    as_of : date
        Its day.

    Returns
    -------
    Reading
        As the reader gives it, corrected; with an entry in ``rejects`` for each cell.

    Raises
    ------
    SourceError
        As the source's reader.
    """
    reading = source.read(files, as_of)
    for one in corrections():
        if one.source == source.name and one.table in reading.tables:
            reading = _corrected(reading, one)
    return reading


def _corrected(reading: Reading, one: Correction) -> Reading:
    frame = reading.tables[one.table]
    wrong = (frame[one.column] == one.match).fillna(False).astype(bool)
    if not wrong.any():
        return reading
    done = {"replace": f"it reads {one.value!r} now", "blank": "it is empty now"}
    rows = frame[wrong]
    entries = pd.DataFrame(
        {
            "file": rows["source_file"],
            "row": rows["source_row"],
            "column": one.column,
            "value": one.match,
            "reason": f"{one.mark}{one.reason}; {done.get(one.action, 'the row is left out')}",
        }
    )
    if one.action == "drop":
        frame = frame[~wrong].reset_index(drop=True)
    else:
        right = one.value if one.action == "replace" else None
        frame = frame.assign(**{one.column: frame[one.column].mask(wrong, right)})
    parts = [part for part in (reading.rejects, entries) if len(part)]
    return replace(
        reading,
        tables={**reading.tables, one.table: frame},
        rejects=pd.concat(parts, ignore_index=True),
    )
