"""The warehouse as the service reads it: many threads, and a file that may be replaced.

DuckDB keeps one instance a path and process, and ``duckdb.connect`` hands out the *old* file
as long as any connection to it is open, even after another was renamed over it. So the file
is attached to a fresh in-memory instance each time it changes; cursors at work on the old
one finish undisturbed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from shortcast.errors import ShortcastError
from shortcast.settings import Settings

Stamp = tuple[int, int, int]


class WarehouseError(ShortcastError):
    """The warehouse is missing or cannot be read."""


class Warehouse:
    """Read-only access to the warehouse in force.

    Parameters
    ----------
    settings : Settings
        Where it is, and how much memory and how many threads it may take.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._instance: duckdb.DuckDBPyConnection | None = None
        self._stamp: Stamp | None = None
        #: Why the file in place is not the one that answers; '' when all is well.
        self.trouble = ""

    @property
    def stamp(self) -> str:
        """A text that changes whenever the warehouse that answers changes; '' for none."""
        return "-".join(f"{part:x}" for part in self._stamp) if self._stamp else ""

    def connect(self) -> tuple[duckdb.DuckDBPyConnection, str]:
        """Open a connection of one's own to the warehouse in force.

        A file that went missing or was replaced by a damaged one leaves the last good one
        answering, as long as this process holds it open; `trouble` says so.

        Returns
        -------
        connection : DuckDBPyConnection
            The caller closes it.
        stamp : str
            Of the warehouse that it reads.

        Raises
        ------
        WarehouseError
            If there is no warehouse.
        """
        try:
            with self._lock:
                connection = self._current().cursor()
                stamp = self.stamp
            connection.execute("USE warehouse")
        except duckdb.Error as error:
            raise WarehouseError(_sentence(error)) from error
        return connection, stamp

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Hand out a connection for as long as the block lasts.

        Raises
        ------
        WarehouseError
            If there is no warehouse, or it breaks while it is read.
        """
        connection, _ = self.connect()
        try:
            yield connection
        except duckdb.Error as error:
            raise WarehouseError(_sentence(error)) from error
        finally:
            connection.close()

    def _current(self) -> duckdb.DuckDBPyConnection:
        """Return the instance on the file in place, or else the last good one."""
        try:
            status = self._settings.warehouse.stat()
        except OSError:
            self.trouble = (
                "There is no warehouse; run 'shortcast import DIR' and 'shortcast build'."
            )
        else:
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                self.trouble = ""
            else:
                try:
                    # The old instance is let go, not closed: closing would break its cursors.
                    self._instance = self._attach()
                    self._stamp = stamp
                    self.trouble = ""
                except duckdb.Error as error:
                    self.trouble = _sentence(error)
        if self._instance is None:
            raise WarehouseError(self.trouble)
        return self._instance

    def _attach(self) -> duckdb.DuckDBPyConnection:
        instance = duckdb.connect(
            ":memory:",
            config={
                "threads": self._settings.threads,
                "memory_limit": self._settings.memory_limit,
                # Else what does not fit into memory is spilt into the current folder.
                "temp_directory": str(self._settings.home / "tmp"),
            },
        )
        path = str(self._settings.warehouse).replace("'", "''")
        instance.execute(f"ATTACH '{path}' AS warehouse (READ_ONLY)")
        # A file can be opened and still hold nothing of use.
        instance.execute("SELECT fingerprint FROM warehouse.build LIMIT 1")
        return instance


def _sentence(error: duckdb.Error) -> str:
    """Return the first line of DuckDB's message, with what to do."""
    first = str(error).splitlines()[0]
    return f"The warehouse cannot be read ({first}); run 'shortcast build --force'."
