"""The public rows behind a drug's reasons, read from the warehouse and kept for a while."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date
from typing import Annotated

import duckdb
import pandas as pd
from pydantic import BaseModel, Field

from shortcast.features import panel
from shortcast.features.asof import AsOf
from shortcast.features.kind import named, of_real_source
from shortcast.features.sources import registry
from shortcast.serving.warehouse import Warehouse, WarehouseError

log = logging.getLogger(__name__)

#: Drugs whose rows are kept; one drug's take some kilobytes.
_KEPT = 512


class SourceRow(BaseModel):
    """One row of a public record."""

    event_date: Annotated[date | None, Field(description="When it happened")]
    known_from: Annotated[date | None, Field(description="From when it was publicly known")]
    summary: Annotated[
        str,
        Field(
            description="What the row says",
            examples=["ANDA 074656, Pharmachemie BV, cisplatin 1 mg/mL: prescription"],
        ),
    ]
    source: Annotated[
        str, Field(description="Name of the source, as in /v1/sources", examples=["orange_book"])
    ]
    source_title: Annotated[str, Field(description="What the source is called")]
    publisher: Annotated[str, Field(description="Who publishes it")]
    source_file: Annotated[
        str, Field(description="File that the row stands in", examples=["EOBZIP.zip"])
    ]
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
        # Preparing a view takes most of the time, so one is kept; its connection serves one
        # thread at a time.
        self._view_lock = threading.Lock()
        self._view: AsOf | None = None
        self._view_stamp = ""

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
        with self._lock:
            held = self._kept.get(key)
        try:
            connection, stamp = self._warehouse.connect()
            if held is not None and held[0] == stamp:
                connection.close()
                return held[1]
            ((data,),) = connection.execute("SELECT data FROM build").fetchall()
            found = Evidence(_by_group(self._read(connection, stamp, drug_id, as_of), data))
        except (WarehouseError, duckdb.Error) as error:
            log.warning("No evidence for %s at %s: %s", drug_id, as_of, error)
            return held[1] if held is not None else Evidence({}, str(error))
        with self._lock:
            self._kept[key] = (stamp, found)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found

    def _read(
        self, connection: duckdb.DuckDBPyConnection, stamp: str, drug_id: str, as_of: date
    ) -> list[dict[str, object]]:
        """Read the rows through the view that is kept, or through a new one."""
        with self._view_lock:
            view = self._view
            if view is not None and self._view_stamp == stamp and view.dates == (as_of,):
                connection.close()
            else:
                view = AsOf(connection, [as_of])
                panel.prepare(view)
                if self._view is not None:
                    self._view.connection.close()
                self._view, self._view_stamp = view, stamp
            return panel.evidence(view.connection, drug_id, as_of, view=view)


def _by_group(rows: list[dict[str, object]], data: str) -> dict[str, list[SourceRow]]:
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
                source_title=named(source.title if source else str(row["source"]), data),
                publisher=of_real_source(source.publisher, data) if source else "",
                source_file=str(row["source_file"]),
                source_row=None if number is None or pd.isna(number) else int(str(number)),  # type: ignore[call-overload]
            )
        )
    return found


def _day(value: object) -> date | None:
    """Return a date of pandas or of DuckDB as Python's own."""
    stamp = pd.to_datetime(value, errors="coerce")  # type: ignore[call-overload]
    return None if pd.isna(stamp) else stamp.date()
