"""An empty DuckDB database of a test's own, on an instance that all tests of a process share.

To begin an instance takes longer than most of what a test does with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count

import duckdb

_numbers = count()


@cache
def _instance() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


@contextmanager
def scratch() -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to a database in memory that nothing else sees, and that is gone afterwards."""
    name = f"scratch{next(_numbers)}"
    with _instance().cursor() as connection:
        connection.execute(f"ATTACH ':memory:' AS {name}; USE {name}")
        try:
            yield connection
        finally:
            connection.execute(f"USE memory; DETACH {name}")
