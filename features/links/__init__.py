"""From facts as the sources write them to facts about drugs and firms.

Every link is a function of a row's own text, of the reviewed tables in
`shortcast.features.identity`, or of an NDC looked up among the listings known by then. A
linked row is visible only from the day on which both sides were known, so no link depends on
what became known later.
"""

from __future__ import annotations

from collections.abc import Callable

import duckdb

from shortcast.features.links import abroad, conduct, coverage, listings, prices, products, recalls

__all__ = ["make_links"]


def make_links(
    connection: duckdb.DuckDBPyConnection, *, progress: Callable[[str], None] = lambda _: None
) -> None:
    """Create all link tables, the table of drugs, and the coverage of every join.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built, with all fact tables.
    progress : callable
        Told each step.
    """
    for name, step in (
        ("products", products.link_products),
        ("shortage listings", listings.link_listings),
        ("recalls", recalls.link_recalls),
        ("inspections and letters", conduct.link_conduct),
        ("prices", prices.link_prices),
        ("shortages abroad", abroad.link_abroad),
        ("the universe of drugs", products.make_drugs),
        ("coverage", coverage.measure),
    ):
        progress(f"links: {name}")
        before = _tables(connection)
        step(connection)
        # Joins and groups give their rows in any order, but the same records make the same
        # warehouse, down to the order of its rows.
        for table in sorted(_tables(connection) - before):
            connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM {table} ORDER BY ALL")


def _tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the names of the lasting tables."""
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT temporary"
    ).fetchall()
    return {name for (name,) in rows}
