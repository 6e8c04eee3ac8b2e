"""Mapping the distinct texts of a table through identity rules, once each."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pandas as pd

from shortcast.features.identity.drugs import Drug
from shortcast.features.identity.firms import firm_id


def map_drugs(
    connection: duckdb.DuckDBPyConnection,
    target: str,
    query: str,
    rule: Callable[..., Drug | None],
    *,
    lasting: bool = False,
) -> None:
    """Create a table that maps distinct texts to drugs.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built.
    target : str
        Table to create: the columns of ``query``, ``drug_id``, ``ingredients`` (list),
        ``ingredient_key`` (joined by '+') and ``form_group``; texts without a drug are
        left out.
    query : str
        SELECT of the text columns, in the order of the rule's parameters.
    rule : callable
        Identity rule; it gets '' for null.
    lasting : bool
        Keep it in the warehouse, for the steps to come; else it is temporary.
    """
    texts = connection.sql(f"SELECT DISTINCT * FROM ({query})").df()
    drugs = [rule(*row) for row in texts.fillna("").astype(str).itertuples(index=False, name=None)]
    frame = texts.assign(
        drug_id=[d.drug_id if d else None for d in drugs],
        ingredients=[list(d.ingredients) if d else None for d in drugs],
        ingredient_key=["+".join(d.ingredients) if d else None for d in drugs],
        form_group=[d.form_group if d else None for d in drugs],
    )
    _store(connection, target, frame[frame["drug_id"].notna()], lasting=lasting)


def map_texts(
    connection: duckdb.DuckDBPyConnection,
    target: str,
    query: str,
    column: str,
    rule: Callable[..., str | None],
    *,
    lasting: bool = False,
) -> None:
    """Create a table that maps distinct texts to one text ``column``.

    Parameters
    ----------
    connection, target, query, lasting
        As in `map_drugs`.
    column : str
        Name of the new column.
    rule : callable
        Returns the text, or None to leave it out.
    """
    texts = connection.sql(f"SELECT DISTINCT * FROM ({query})").df()
    values = [rule(*row) for row in texts.fillna("").astype(str).itertuples(index=False, name=None)]
    frame = texts.assign(**{column: pd.Series(values, index=texts.index, dtype=object)})
    _store(connection, target, frame[frame[column].notna()], lasting=lasting)


def map_firms(connection: duckdb.DuckDBPyConnection, target: str, query: str) -> None:
    """Create a temporary table that maps distinct firm names to ``firm_id``.

    Parameters
    ----------
    connection, target
        As in `map_drugs`.
    query : str
        SELECT of one column of names.
    """
    map_texts(connection, target, query, "firm_id", lambda name: firm_id(name) or None)


def _store(
    connection: duckdb.DuckDBPyConnection, target: str, frame: pd.DataFrame, *, lasting: bool
) -> None:
    """Store a mapping frame as a table, texts as VARCHAR."""
    columns = ", ".join(
        f'CAST("{c}" AS VARCHAR[]) AS "{c}"'
        if c == "ingredients"
        else f'CAST("{c}" AS VARCHAR) AS "{c}"'
        for c in frame.columns
    )
    connection.register("mapping_frame", frame)
    connection.execute(
        f"CREATE OR REPLACE {'' if lasting else 'TEMP '}TABLE {target} AS "
        f"SELECT {columns} FROM mapping_frame"
    )
    connection.unregister("mapping_frame")
