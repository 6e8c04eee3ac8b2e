"""The public rows behind a drug's reasons, read from the warehouse and kept for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date
from typing import Annotated

import pandas as pd
from pydantic import BaseModel, Field

from shortcast.features import panel
from shortcast.features.sources import registry
from shortcast.serving.warehouse import Warehouse, WarehouseError

#: Drugs whose rows are kept; one drug's take some kilobytes.
_KEPT = 512


class SourceRow(BaseModel):
    """One row of a public record."""

    event_date: Annotated[date | None, Field(description="When it happened")]
    known_from: Annotated[date | None, Field(description="From when it was publicly known")]
    summary: str
    source: str
    source_title: str
    publisher: str
    source_file: str
    source_row: Annotated[int | None, Field(description="Record number in that file, from 1")]


@dataclass(frozen=True)
class Evidence:
    """The rows behind a drug, by feature group, or why there are none.

    Attributes
    ----------
    rows : dict of str to list of SourceRow
        By group, newest first.
    trouble : str
        '' if the warehouse could be read.
    """

    rows: dict[str, list[SourceRow]]
    trouble: str = ""


class EvidenceReader:
    """Reads evidence, and remembers what it read until the warehouse changes.

    Parameters
    ----------
    warehouse : Warehouse
        Where the rows are.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, date], tuple[str, Evidence]] = OrderedDict()

    def of(self, drug_id: str, as_of: date) -> Evidence:
        """Return the public rows behind a drug at an as-of date.

        Parameters
        ----------
        drug_id : str
            The drug.
        as_of : date
            Only rows known before this day.

        Returns
        -------
        Evidence
            Read before if the warehouse cannot be read now, or else empty with the reason.
        """
        key = (drug_id, as_of)
        try:
            with self._warehouse.cursor() as cursor:
                stamp = self._warehouse.stamp
                with self._lock:
                    held = self._kept.get(key)
                if held is not None and held[0] == stamp:
                    return held[1]
                found = Evidence(_by_group(panel.evidence(cursor, drug_id, as_of)))
        except WarehouseError as error:
            with self._lock:
                held = self._kept.get(key)
            return held[1] if held is not None else Evidence({}, str(error))
        with self._lock:
            self._kept[key] = (stamp, found)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found


def _by_group(rows: list[dict[str, object]]) -> dict[str, list[SourceRow]]:
    sources = registry()
    found: dict[str, list[SourceRow]] = {}
    for row in rows:
        source = sources.get(str(row["source"]))
        number = row["source_row"]
        found.setdefault(str(row["group"]), []).append(
            SourceRow(
                event_date=_day(row["event_date"]),
                known_from=_day(row["known_from"]),
                summary=str(row["summary"]),
                source=str(row["source"]),
                source_title=source.title if source else str(row["source"]),
                publisher=source.publisher if source else "",
                source_file=str(row["source_file"]),
                source_row=None if number is None or pd.isna(number) else int(str(number)),  # type: ignore[call-overload]
            )
        )
    return found


def _day(value: object) -> date | None:
    """Return a date of pandas or of DuckDB as Python's own."""
    stamp = pd.to_datetime(value, errors="coerce")  # type: ignore[call-overload]
    return None if pd.isna(stamp) else stamp.date()
