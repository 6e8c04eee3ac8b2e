"""The steps of a build: what has not changed is taken over from the warehouse in force.

A build works on a copy of the warehouse in force. A step makes tables from other tables; its
stamp is a checksum over its code, over what it is given from outside, and over the stamps of the
tables that it needs. Where the copy holds the same step with the same stamp, its tables stay as
they are; else they are dropped and made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

import duckdb

#: Table of a warehouse in which its steps are noted.
NOTES = "build_steps"


class Steps:
    """Makes the tables of a warehouse that is being built.

    What no step has made is dropped from the copy first.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built: an empty one, or a copy of that in force.
    code : str
        Checksum over the code of all steps.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, code: str = "") -> None:
        self._connection, self._code = connection, code
        self._stamps: dict[str, str] = {}
        self._done: list[tuple[str, str, list[str]]] = []
        self._former: dict[str, tuple[str, list[str]]] = {}
        tables = self._tables()
        if NOTES in tables:
            for step, stamp, made in connection.execute(f"FROM {NOTES}").fetchall():
                if tables.issuperset(made):
                    self._former[step] = (stamp, made)
        self._drop(tables - {name for _, made in self._former.values() for name in made})

    def make(
        self, name: str, run: Callable[[], None], *, needs: Sequence[str] = (), given: str = ""
    ) -> bool:
        """Make the tables of a step, or leave them as they are.

        Parameters
        ----------
        name : str
            The step; no other has its name.
        run : callable
            Creates its tables.
        needs : sequence of str
            Tables that it reads, all made by earlier steps.
        given : str
            What it works from beside them.

        Returns
        -------
        bool
            Whether it was run.
        """
        parts = [self._code, name, given, *(f"{table} {self._stamps[table]}" for table in needs)]
        stamp = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        known, made = self._former.pop(name, ("", []))
        if is_run := known != stamp:
            self._drop(made)
            before = self._tables()
            run()
            made = sorted(self._tables() - before)
        self._stamps |= dict.fromkeys(made, stamp)
        self._done.append((name, stamp, made))
        return is_run

    def stamp(self, table: str, given: str) -> None:
        """Note what a table holds that no step makes.

        Parameters
        ----------
        table : str
            The table.
        given : str
            Text that changes when its content may have changed.
        """
        self._stamps[table] = hashlib.sha256(given.encode()).hexdigest()

    def finish(self) -> None:
        """Note the steps in the warehouse, and drop what belongs to steps that are no more."""
        for _, made in self._former.values():
            self._drop(made)
        self._connection.execute(
            f"CREATE TABLE {NOTES} (step VARCHAR, stamp VARCHAR, tables VARCHAR[])"
        )
        self._connection.executemany(f"INSERT INTO {NOTES} VALUES (?, ?, ?)", self._done)

    def _drop(self, tables: Iterable[str]) -> None:
        for table in sorted(tables):
            self._connection.execute(f'DROP TABLE "{table}"')

    def _tables(self) -> set[str]:
        """Return the names of the lasting tables of the warehouse being built."""
        rows = self._connection.execute(
            "SELECT table_name FROM duckdb_tables() "
            "WHERE NOT temporary AND database_name = current_database()"
        ).fetchall()
        return {name for (name,) in rows}
