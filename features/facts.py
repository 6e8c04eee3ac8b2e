"""From snapshots to facts: every row with the time at which it was known.

The rules, for the rows of one source that share a key (design, section 3):

* A version begins where the content differs from the previous snapshot that shows the key,
  or, in a list, where the key comes back.
* ``known_from`` is the claimed day of publication if that lies after the source's previous
  snapshot (which did not show this version) and not after the snapshot that does; else the
  day of the snapshot. The claim is ``published_at``; for the first version of a row without
  one, ``event_date`` plus the lag that the table declares.
* ``known_until`` is the ``known_from`` of the next version.
* A row that a list no longer shows gets a further version with ``withdrawn``, known from the
  snapshot that lacks it; a row that the source itself dates as withdrawn, from that day on.
  Nothing is deleted.
* A snapshot counts for a table only if it holds that table: some sources publish their
  tables apart, or in some years without one of them, and silence is no withdrawal.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb

from shortcast.features.sources.contract import Table

#: Columns that every fact table carries beside those that its source declares.
FACT_COLUMNS = (
    "event_date",
    "published_at",
    "observed_at",
    "known_from",
    "known_until",
    "withdrawn",
    "source",
    "source_file",
    "source_row",
    "occurrence",
)


class TableFile(NamedTuple):
    """The rows of one table in one snapshot."""

    source: str
    as_of: date
    path: Path


def make_facts(
    connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[TableFile]
) -> None:
    """Create the fact table of one declared table.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built.
    table : Table
        The declaration.
    files : sequence of TableFile
        The Parquet files of all accepted snapshots that hold the table; may be none.
    """
    columns = ", ".join(f'"{c.name}"' for c in table.columns)
    if not files:
        declared = ", ".join(f'"{c.name}" {c.type}' for c in table.columns)
        connection.execute(
            f"CREATE TABLE {table.name} ({declared}, event_date DATE, published_at DATE, "
            "observed_at DATE, known_from DATE, known_until DATE, withdrawn BOOLEAN, "
            "source VARCHAR, source_file VARCHAR, source_row BIGINT, occurrence BIGINT)"
        )
        return
    # One number for the key: windows over long texts would take most of the build. Two of a
    # million keys collide with a probability of about one in forty million.
    names = ", ".join(f'r."{name}"' for name in ("source", *table.key))
    steady = ", ".join(
        [f'"{c.name}"' for c in table.columns if not c.volatile] + ["event_date", "withdrawn_at"]
    )
    claim = "published_at"
    if table.assumed_lag_days is not None:
        claim = (
            "coalesce(published_at, CASE WHEN before IS NULL "
            f"THEN event_date + {table.assumed_lag_days} END)"
        )
    back_again = "number <> before_number + 1" if table.is_list else "FALSE"
    gone = "n.as_of" if table.is_list else "CAST(NULL AS DATE)"
    connection.execute(
        f"""
        CREATE TABLE {table.name} AS
        WITH numbered AS (
            SELECT source, as_of,
                   row_number() OVER (PARTITION BY source ORDER BY as_of) AS number,
                   lag(as_of) OVER (PARTITION BY source ORDER BY as_of) AS previous
            FROM (SELECT unnest($sources) AS source, CAST(unnest($days) AS DATE) AS as_of)
        ),
        rows AS (
            SELECT r.*, n.number, n.previous, hash({names}) AS row_key, hash({steady}) AS content
            FROM read_parquet($paths) AS r
            JOIN numbered AS n ON n.source = r.source AND n.as_of = r.observed_at
        ),
        -- The same row written twice in one snapshot counts once; different rows under one
        -- key are told apart by their order.
        counted AS (
            SELECT row_key, count(*) = 1 AS is_lone FROM rows GROUP BY row_key
        ),
        seen AS (
            SELECT *, row_number() OVER (
                       PARTITION BY row_key, number ORDER BY event_date, content) AS occurrence
            FROM (SELECT rows.* FROM rows JOIN counted USING (row_key) WHERE NOT is_lone
                  QUALIFY row_number() OVER (
                      PARTITION BY row_key, number, content ORDER BY source_file, source_row) = 1)
        ),
        compared AS (
            SELECT *, lag(content) OVER before AS before, lag(number) OVER before AS before_number
            FROM seen
            WINDOW before AS (PARTITION BY row_key, occurrence ORDER BY number)
        ),
        marked AS (
            SELECT *, before IS NULL OR content <> before OR {back_again} AS begins
            FROM compared
        ),
        islands AS (
            SELECT *, count_if(begins) OVER (
                       PARTITION BY row_key, occurrence ORDER BY number) AS version
            FROM marked
        ),
        spans AS (
            SELECT *, max(number) OVER (PARTITION BY row_key, occurrence, version) AS last_number
            FROM islands
            QUALIFY begins
        ),
        -- A key that was written once in all snapshots needs no comparing, and most are.
        versions AS (
            SELECT row_key, number, previous, observed_at, occurrence, version, before, last_number,
                   {columns}, event_date, published_at, withdrawn_at,
                   source, source_file, source_row
            FROM spans
            UNION ALL
            SELECT row_key, number, previous, observed_at, 1, 1, NULL, number,
                   {columns}, event_date, published_at, withdrawn_at,
                   source, source_file, source_row
            FROM rows
            JOIN counted USING (row_key)
            WHERE is_lone
        ),
        dated AS (
            SELECT s.*, {claim} AS claim, {gone} AS gone_at
            FROM versions AS s
            LEFT JOIN numbered AS n ON n.source = s.source AND n.number = s.last_number + 1
        ),
        known AS (
            SELECT *, CASE WHEN claim <= observed_at AND (previous IS NULL OR claim > previous)
                           THEN claim ELSE observed_at END AS known_from
            FROM dated
        ),
        chained AS (
            SELECT k.*, f.next_from
            FROM known AS k
            LEFT JOIN (
                SELECT row_key, occurrence, version, lead(known_from) OVER (
                           PARTITION BY row_key, occurrence ORDER BY version) AS next_from
                FROM known
                WHERE row_key IN (SELECT row_key FROM counted WHERE NOT is_lone)
            ) AS f USING (row_key, occurrence, version)
        ),
        ended AS (
            -- A withdrawal that the source dates itself, or one that we notice; a row that was
            -- withdrawn before it was known is known as withdrawn alone.
            SELECT *, least(
                       CASE WHEN withdrawn_at IS NOT NULL
                            THEN greatest(withdrawn_at, known_from) END,
                       CASE WHEN next_from IS NULL OR gone_at <= next_from THEN gone_at END
                   ) AS ended_at
            FROM chained
        )
        SELECT {columns}, event_date, published_at, observed_at, known_from,
               least(ended_at, next_from) AS known_until,
               FALSE AS withdrawn, source, source_file, source_row, occurrence
        FROM ended
        WHERE ended_at IS NULL OR ended_at > known_from
        UNION ALL
        SELECT {columns}, event_date, published_at, observed_at, ended_at AS known_from,
               next_from AS known_until,
               TRUE AS withdrawn, source, source_file, source_row, occurrence
        FROM ended
        WHERE ended_at IS NOT NULL AND (next_from IS NULL OR ended_at < next_from)
        ORDER BY source, source_file, source_row, known_from, observed_at, withdrawn, occurrence
        """,
        {
            "sources": [f.source for f in files],
            "days": [f.as_of for f in files],
            "paths": [str(f.path) for f in files],
        },
    )
