"""Inspections, compliance actions, letters and registered sites to firms.

There is no public map from a drug to the plant that makes it. The link is by the firm's name,
so every one of these tables speaks of companies, not of plants.
"""

from __future__ import annotations

import duckdb

from shortcast.features.links.mapping import map_firms

#: Link table, fact table, column with the firm's name.
_TABLES = (
    ("firm_inspections", "inspections", "legal_name"),
    ("firm_actions", "compliance_actions", "legal_name"),
    ("firm_letters", "warning_letters", "company"),
    ("firm_sites", "establishments", "firm_name"),
)


def link_conduct(connection: duckdb.DuckDBPyConnection) -> None:
    """Link what the FDA found at companies to firms.

    Creates ``firm_inspections``, ``firm_actions``, ``firm_letters`` and ``firm_sites``. Each
    has the columns of its fact table and ``firm_id``; rows whose firm has no name are left out.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built.
    """
    names = " UNION ".join(f"SELECT {column} AS name FROM {fact}" for _, fact, column in _TABLES)
    map_firms(connection, "conduct_firm", names)
    for target, fact, column in _TABLES:
        connection.execute(
            f"CREATE TABLE {target} AS SELECT c.firm_id, f.* FROM {fact} AS f "
            f"JOIN conduct_firm AS c ON c.name = f.{column}"
        )
