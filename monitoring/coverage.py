"""How much of each join found its counterpart, against the floor that the build declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from shortcast.monitoring.findings import Finding


@dataclass(frozen=True)
class JoinCoverage:
    """Coverage of one join.

    Attributes
    ----------
    join : str
        Its name.
    description : str
        What is joined to what.
    rows, matched : int
        Rows that should find a counterpart, and that did.
    share : float or None
        ``matched / rows``; None if there was nothing to join.
    floor : float or None
        Share below which the join is not to be relied on; None where none is declared.
    """

    join: str
    description: str
    rows: int
    matched: int
    share: float | None
    floor: float | None


def coverage(connection: duckdb.DuckDBPyConnection) -> list[JoinCoverage]:
    """Read the coverage of every join from the warehouse, by name.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse.

    Returns
    -------
    list of JoinCoverage
    """
    rows = connection.execute(
        "SELECT join_name, description, rows, matched, floor FROM coverage ORDER BY join_name"
    ).fetchall()
    return [
        JoinCoverage(
            join=join,
            description=description,
            rows=int(count),
            matched=int(matched),
            share=matched / count if count else None,
            floor=None if floor is None else float(floor),
        )
        for join, description, count, matched, floor in rows
    ]


def findings(joins: Sequence[JoinCoverage]) -> list[Finding]:
    """Return a finding of kind ``join`` for each join below its floor or without rows.

    Parameters
    ----------
    joins : sequence of JoinCoverage
        From `coverage`.

    Returns
    -------
    list of Finding
    """
    found = []
    for join in joins:
        if join.share is None:
            message = f"Join {join.join} ({join.description}) had no row to match."
            found.append(Finding("join", join.join, "warning", message, threshold=join.floor))
        elif join.floor is not None and join.share < join.floor:
            message = (
                f"Join {join.join} ({join.description}) matched {join.share:.1%} of "
                f"{join.rows:,} rows; its floor is {join.floor:.1%}."
            )
            found.append(
                Finding("join", join.join, "alarm", message, value=join.share, threshold=join.floor)
            )
    return found
