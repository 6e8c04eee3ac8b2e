"""The drug-month table: one row for every drug of the universe and as-of date."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from shortcast.features import groups
from shortcast.features.asof import AsOf
from shortcast.features.groups.contract import Group
from shortcast.features.kind import metadata
from shortcast.features.market import make_market
from shortcast.features.spells import known_listings

#: Months worked out together; bounds memory, changes no value.
MONTHS_AT_ONCE = 12


def write_panel(
    connection: duckdb.DuckDBPyConnection,
    dates: Sequence[date],
    out: Path,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> int:
    """Write the panel to a Parquet file, ordered by as-of date and drug.

    A panel of simulated records says so in the file's key-value metadata.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse.
    dates : sequence of date
        As-of dates.
    out : Path
        File to write; it appears whole or not at all.
    progress : callable
        Told each stretch of months.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    ShortcastError
        If there is no date.
    ValueError
        If a group gives a drug more than one row.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    # A name of this process's own: two may be at the same panel at once.
    aside = out.with_name(f".{out.name}.{os.getpid()}.partial")
    ordered = sorted(set(dates))
    stretches = [ordered[i : i + MONTHS_AT_ONCE] for i in range(0, len(ordered), MONTHS_AT_ONCE)]
    ((data,),) = connection.execute("SELECT data FROM build").fetchall()
    rows = 0
    writer: pq.ParquetWriter | None = None
    try:
        try:
            for stretch in stretches or [ordered]:
                table = make_panel(connection, stretch)
                if writer is None:
                    writer = pq.ParquetWriter(aside, table.schema, compression="zstd")
                    writer.add_key_value_metadata(metadata(data))
                writer.write_table(table)
                rows += table.num_rows
                progress(
                    f"panel {stretch[0]:%Y-%m} to {stretch[-1]:%Y-%m}: {table.num_rows:,} rows"
                )
        finally:
            if writer is not None:
                writer.close()
        os.replace(aside, out)
    finally:
        aside.unlink(missing_ok=True)
    return rows


def make_panel(connection: duckdb.DuckDBPyConnection, dates: Sequence[date]) -> pa.Table:
    """Work out the panel at the given dates.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse; temporary tables are made in it.
    dates : sequence of date
        As-of dates.

    Returns
    -------
    pyarrow.Table
        ``drug_id``, ``as_of``, ``at_risk``, then the features of every group, ordered by
        date and drug.

    Raises
    ------
    ShortcastError
        If there is no date.
    ValueError
        If a group gives a drug more than one row.
    """
    view = AsOf(connection, dates)
    prepare(view)
    registry = groups.registry()
    select, joins = [], []
    for number, group in enumerate(registry.values()):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE group_{group.name} AS {group.query(view)}"
        )
        twice = connection.sql(
            f"SELECT drug_id, as_of FROM group_{group.name} GROUP BY ALL HAVING count(*) > 1 "
            "ORDER BY ALL LIMIT 1"
        ).fetchall()
        if twice:
            raise ValueError(
                f"the feature group {group.name} gives {twice[0][0]} more than one row as of "
                f"{twice[0][1]}; its query must give one row for each drug and date"
            )
        alias = f"g{number}"
        joins.append(f"LEFT JOIN group_{group.name} AS {alias} USING (as_of, drug_id)")
        select += [_column(group, alias, feature.name) for feature in group.features]
    columns = ",\n".join(["drug_id", "as_of", "NOT is_current AS at_risk", *select])
    result = connection.sql(
        f"""
        SELECT {columns}
        FROM panel_drugs
        {" ".join(joins)}
        ORDER BY as_of, drug_id
        """
    ).to_arrow_table()
    for group in registry.values():
        connection.execute(f"DROP TABLE group_{group.name}")
    return result


def prepare(view: AsOf) -> None:
    """Make the temporary tables that groups share, at the dates of the view.

    Parameters
    ----------
    view : AsOf
        What is known at the as-of dates.

    Tables
    ------
    known_listings
        See `shortcast.features.spells.known_listings`.
    market_products, market_makers, market_drugs
        See `shortcast.features.market.make_market`.
    panel_drugs
        ``as_of``, ``drug_id``, ``is_current``: the rows of the panel, and whether the drug
        is in shortage as known then.
    """
    make_market(view)
    view.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE known_listings AS SELECT * FROM {known_listings(view)}"
    )
    view.connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE panel_drugs AS
        SELECT as_of, drug_id, coalesce(is_current, FALSE) AS is_current
        FROM market_drugs
        LEFT JOIN (
            SELECT as_of, drug_id, bool_or(is_current) AS is_current
            FROM known_listings
            GROUP BY as_of, drug_id
        ) USING (as_of, drug_id)
        """
    )
    for group in groups.registry().values():
        if group.prepare is not None:
            group.prepare(view)


def evidence(
    connection: duckdb.DuckDBPyConnection,
    drug_id: str,
    as_of: date,
    *,
    limit: int = 10,
    view: AsOf | None = None,
) -> list[dict[str, object]]:
    """Return the public rows that a drug's features rest on, telling ones first, then newest.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse.
    drug_id : str
        The drug.
    as_of : date
        The as-of date.
    limit : int
        Rows for each group.
    view : AsOf, optional
        A view of this connection at ``as_of`` on which `prepare` was called already. Preparing
        takes most of the time, so who asks for many drugs does it once.

    Returns
    -------
    list of dict
        No two of a group with the same day and summary. With ``group``, ``event_date`` and
        ``known_from`` (dates or None), ``summary``, ``source``, ``source_file`` and
        ``source_row``.
    """
    if view is None:
        view = AsOf(connection, [as_of])
        prepare(view)
    found: list[dict[str, object]] = []
    for group in groups.registry().values():
        if group.evidence is None:
            continue
        rows = connection.execute(
            f"""
            SELECT '{group.name}' AS "group", event_date, known_from, summary,
                   source, source_file, source_row
            FROM (FROM ({group.evidence(view)})
                  UNION ALL BY NAME SELECT FALSE AS is_telling WHERE FALSE)
            WHERE drug_id = ? AND as_of = ?
            -- Two lists may tell the same of the same day: a reader needs it once.
            QUALIFY row_number() OVER (
                PARTITION BY event_date, summary
                ORDER BY known_from DESC, source, source_file, source_row) = 1
            ORDER BY coalesce(is_telling, FALSE) DESC, known_from DESC, event_date DESC, summary,
                     source, source_file, source_row
            LIMIT {limit:d}
            """,
            [drug_id, as_of],
        )
        names = [column[0] for column in rows.description]
        found += [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    return found


def _column(group: Group, alias: str, name: str) -> str:
    """Return the select expression of one feature, with its default."""
    feature = next(f for f in group.features if f.name == name)
    value = f'CAST({alias}."{name}" AS {feature.type})'
    default = group.defaults.get(name)
    if default is None:
        return f'{value} AS "{name}"'
    literal = f"'{default}'" if isinstance(default, str) else str(default).upper()
    return f'coalesce({value}, CAST({literal} AS {feature.type})) AS "{name}"'
