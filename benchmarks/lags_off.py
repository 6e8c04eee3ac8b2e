"""The project's commands with a deliberate leak: every row is known from the day it is about.

What a reader would do that took the day of a recall, an inspection or a letter for the day on
which it became public. It is there to see the leak raise the score, and the audit catch it::

    .venv/bin/python -m benchmarks.lags_off build
    .venv/bin/python -m benchmarks.lags_off audit --records DIR --at 2022-05

Never use it for anything else: a warehouse that it built knows the future.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from shortcast import cli
from shortcast.features import facts, warehouse
from shortcast.features.facts import TableFile
from shortcast.features.sources.contract import Table


def make_facts_without_lags(
    connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[TableFile]
) -> None:
    """Create a fact table as `~shortcast.features.facts.make_facts` does, and date it too early.

    Parameters
    ----------
    connection, table, files
        See there.
    """
    facts.make_facts(connection, table, files)
    connection.execute(
        f"UPDATE {table.name} SET known_from = event_date "
        "WHERE NOT withdrawn AND event_date < known_from"
    )


def main() -> None:
    """Run a command of ``shortcast`` on facts without lags."""
    warehouse.make_facts = make_facts_without_lags
    cli.main()


if __name__ == "__main__":
    main()
