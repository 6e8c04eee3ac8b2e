"""The steps of a build: what has not changed is taken over from the warehouse in force.

A step makes tables from other tables. Its stamp is a checksum over its code, over what it is
given from outside, and over the stamps of the tables that it needs: where the warehouse in force
made the same step with the same stamp, its tables are copied, row by row as they stand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

#: Table of a warehouse in which its steps are noted.
NOTES = "build_steps"


class Steps:
    """Makes the tables of a warehouse that is being built.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse being built.
    code : str
        Checksum over the code of all steps.
    former : Path or None
        The warehouse in force, if there is one to take over from.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, *, code: str = "", former: Path | None = None
    ) -> None:
        self._connection, self._code = connection, code
        self._stamps: dict[str, str] = {}
        self._done: list[tuple[str, str, list[str]]] = []
        self._former: dict[str, tuple[str, list[str]]] = {}
        self._attached = False
        if former is not None and former.exists():
            quoted = str(former).replace("'", "''")
            try:
                connection.execute(f"ATTACH '{quoted}' AS former (READ_ONLY)")
                self._attached = True
                notes = connection.execute(f"SELECT * FROM former.{NOTES}").fetchall()
                self._former = {step: (stamp, tables) for step, stamp, tables in notes}
            except duckdb.Error:
                pass  # damaged, or of an older version: everything is made anew

    def make(
        self, name: str, run: Callable[[], None], *, needs: Sequence[str] = (), given: str = ""
    ) -> bool:
        """Make the tables of a step, or take them over.

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
        known = self._former.get(name)
        before = self._tables()
        is_run = known is None or known[0] != stamp or not self._take_over(known[1])
        if is_run:
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
        """Note the steps in the warehouse, and let go of the one in force."""
        self._connection.execute(
            f"CREATE TABLE {NOTES} (step VARCHAR, stamp VARCHAR, tables VARCHAR[])"
        )
        self._connection.executemany(f"INSERT INTO {NOTES} VALUES (?, ?, ?)", self._done)
        if self._attached:
            self._connection.execute("DETACH former")

    def _take_over(self, tables: Sequence[str]) -> bool:
        """Copy tables from the warehouse in force; False, and nothing copied, if one is damaged."""
        try:
            for table in tables:
                self._connection.execute(f'CREATE TABLE "{table}" AS FROM former."{table}"')
        except duckdb.Error:
            for table in tables:
                self._connection.execute(f'DROP TABLE IF EXISTS "{table}"')
            return False
        return True

    def _tables(self) -> set[str]:
        """Return the names of the lasting tables of the warehouse being built."""
        rows = self._connection.execute(
            "SELECT table_name FROM duckdb_tables() "
            "WHERE NOT temporary AND database_name = current_database()"
        ).fetchall()
        return {name for (name,) in rows}
