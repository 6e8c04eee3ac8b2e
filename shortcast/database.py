"""The application database: what this installation has said and done.

Forecasts, alerts and job runs live here; public records never do (they live in the
warehouse, which can be rebuilt). SQLite in write-ahead mode by default, PostgreSQL by
``SHORTCAST_DATABASE_URL``. Tables are declared where they are used, on `Base`; their
making and changing is written once, in ``shortcast/migrations``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from shortcast.errors import ShortcastError
from shortcast.settings import Settings
from shortcast.settings import settings as current_settings

#: Folder of the migration scripts; they travel with the package.
MIGRATIONS = Path(__file__).with_name("migrations")

#: How long a writer waits for another before it gives up, in seconds.
BUSY_SECONDS = 30

# A number of our own under which PostgreSQL serialises two migrations that start together.
_MIGRATION_LOCK = 7_467_822_783


class DatabaseError(ShortcastError):
    """The application database cannot be reached or is not what this version expects."""


class UTCDateTime(sa.types.TypeDecorator[datetime]):
    """A moment in UTC; aware in Python on every database.

    SQLite has no time zones: it stores the UTC wall time, and the zone is put back on
    reading. A naive moment is refused, since nobody could tell which zone it meant.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: sa.engine.Dialect
    ) -> datetime | None:
        """Turn an aware moment into UTC.

        Raises
        ------
        ValueError
            If the moment has no time zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"The moment {value} has no time zone; give it in UTC.")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(
        self, value: datetime | None, dialect: sa.engine.Dialect
    ) -> datetime | None:
        """Give a stored moment its zone back."""
        if value is None:
            return None
        if value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value.astimezone(UTC)


class Base(DeclarativeBase):
    """Parent of every table of the application database."""

    # The same names on every database, so that a migration can refer to a constraint.
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def _plain(value: object) -> object:
    """Turn a numpy number into Python's own for JSON."""
    if hasattr(value, "item"):
        return value.item()  # pyright: ignore[reportAttributeAccessIssue]
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON.")


def _to_json(value: object) -> str:
    # NaN is not JSON: SQLite would keep it and PostgreSQL refuse it, so it is refused here.
    return json.dumps(value, allow_nan=False, ensure_ascii=False, default=_plain)


@lru_cache(maxsize=8)
def _engine(url: str) -> sa.Engine:
    try:
        address = sa.make_url(url)
        is_sqlite = address.get_backend_name() == "sqlite"
        if is_sqlite and address.database and address.database != ":memory:":
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        arguments: dict[str, Any] = {"timeout": BUSY_SECONDS} if is_sqlite else {}
        made = sa.create_engine(
            address,
            connect_args=arguments,
            json_serializer=_to_json,
            pool_pre_ping=not is_sqlite,
        )
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"The database driver {error.name!r} that SHORTCAST_DATABASE_URL asks for is not "
            "installed; for PostgreSQL run: pip install 'shortcast[postgresql]'."
        ) from error
    except ArgumentError as error:
        raise DatabaseError(
            "SHORTCAST_DATABASE_URL is not a database address; write it as "
            "postgresql+psycopg://USER@HOST/NAME or leave it empty for SQLite."
        ) from error
    if is_sqlite:
        event.listen(made, "connect", _set_up_sqlite)
        event.listen(made, "begin", _begin_sqlite)
    return made


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # Transactions are begun by us (below); the driver's own rule would leave DDL outside.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later fails at once, without waiting, if
    # another process wrote in between. Writers therefore take their turn at the start.
    writes = connection.get_execution_options().get("writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def engine(settings: Settings | None = None) -> sa.Engine:
    """Return the engine of the application database, one for each address and process.

    Parameters
    ----------
    settings : Settings, optional
        Settings that name the database; those in force when left out.

    Returns
    -------
    Engine
        For SQLite with write-ahead log, busy timeout and foreign keys.

    Raises
    ------
    DatabaseError
        If the address cannot be read or its driver is not installed.
    """
    return _engine((settings or current_settings()).database)


@contextmanager
def session(settings: Settings | None = None, *, write: bool = True) -> Iterator[Session]:
    """Open a session; commit when the block ends, roll back when it raises.

    Parameters
    ----------
    settings : Settings, optional
        Settings that name the database; those in force when left out.
    write : bool
        False for blocks that only read: on SQLite they then neither wait for a writer
        nor hold one up.

    Yields
    ------
    Session
        Its objects stay readable after the block.

    Raises
    ------
    DatabaseError
        If the database cannot be opened.
    """
    made = engine(settings)
    if made.dialect.name == "sqlite":
        made = made.execution_options(writes=write)
    with Session(made, expire_on_commit=False) as opened:
        try:
            opened.connection()
        except DBAPIError as error:
            where = made.url.render_as_string(hide_password=True)
            raise DatabaseError(
                f"The application database {where} cannot be opened ({error.orig}); check that "
                "it is there, that it may be written and that no other process holds it."
            ) from error
        # Leaving the block by an exception closes the session, which rolls back.
        yield opened
        opened.commit()


def revisions(settings: Settings | None = None) -> tuple[str | None, str | None]:
    """Return which tables the application database has, and which this version wants.

    Parameters
    ----------
    settings : Settings, optional
        Settings that name the database; those in force when left out.

    Returns
    -------
    held, head : str or None
        Revision of the database, None before the first migration; and that of this version.

    Raises
    ------
    DatabaseError
        If the database cannot be opened.
    """
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with session(settings, write=False) as opened:
        held = MigrationContext.configure(opened.connection()).get_current_revision()
    return held, ScriptDirectory(str(MIGRATIONS)).get_current_head()


def migrate(settings: Settings | None = None) -> str:
    """Bring the application database to the tables of this version.

    Safe to call at every start and from several processes at once: the first one
    changes the tables in one transaction, the others find nothing left to do.

    Parameters
    ----------
    settings : Settings, optional
        Settings that name the database; those in force when left out.

    Returns
    -------
    str
        The revision that the database now has.

    Raises
    ------
    DatabaseError
        If the database was made by a later version of shortcast.
    """
    # Imported here: alembic is slow to import, and most commands only read.
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    # A percent sign in the path would be read as a placeholder.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    with session(settings) as opened:
        connection = opened.connection()
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        held = MigrationContext.configure(connection).get_current_revision()
        head = scripts.get_current_head()
        if head is None:
            raise DatabaseError(f"No migration was found in {MIGRATIONS}; install shortcast anew.")
        if held == head:
            return head
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise DatabaseError(
                f"The application database has revision {held}, which this version of shortcast "
                "does not know; use the version that made it, or a later one."
            ) from error
    return head
