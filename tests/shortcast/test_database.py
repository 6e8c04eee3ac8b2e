"""The application database: migrations, transactions, and several processes at once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, StatementError

# Imported so that their tables stand on Base.
import shortcast.monitoring.findings
import shortcast.monitoring.forecast_log
import shortcast.monitoring.job_runs
import shortcast.monitoring.scoreboard
import shortcast.serving.alerts  # noqa: F401
from shortcast.database import (
    MIGRATIONS,
    Base,
    DatabaseError,
    UTCDateTime,
    engine,
    migrate,
    session,
)
from shortcast.monitoring.forecast_log import list_runs
from shortcast.settings import Settings


@pytest.fixture
def config(shortcast_home: Path) -> Settings:
    return Settings(home=shortcast_home)


def test_migrations_make_exactly_the_tables_that_the_models_declare(config: Settings) -> None:
    migrate(config)
    with engine(config).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_comparison_of_tables_sees_a_missing_column(config: Settings) -> None:
    migrate(config)
    with session(config) as opened:
        opened.execute(sa.text("ALTER TABLE findings DROP COLUMN message"))
    with engine(config).connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert [change[0] for change in found] == ["add_column"]


def test_constraint_names_in_the_database_are_those_of_the_models(config: Settings) -> None:
    migrate(config)
    inspector = sa.inspect(engine(config))
    for table in Base.metadata.sorted_tables:
        declared = {
            str(constraint.name)
            for constraint in table.constraints
            if isinstance(constraint, (sa.CheckConstraint, sa.UniqueConstraint))
        }
        made = {c["name"] for c in inspector.get_check_constraints(table.name)}
        made |= {c["name"] for c in inspector.get_unique_constraints(table.name)}
        assert made == declared, table.name


def test_runs_of_an_earlier_version_are_kept_and_pass_for_no_forecasts(config: Settings) -> None:
    from alembic import command
    from alembic.config import Config

    with session(config) as opened:
        alembic = Config()
        alembic.set_main_option("script_location", str(MIGRATIONS))
        alembic.attributes["connection"] = opened.connection()
        command.upgrade(alembic, "0001")
        opened.execute(
            sa.text(
                "INSERT INTO forecast_runs VALUES (1, '2022-09-01', '2022-09-01 05:00:00', "
                "'lightgbm', '1', 'real', 'abc', '0.1', 1)"
            )
        )
    migrate(config)
    (run,) = list_runs(config)
    assert (run.as_of, run.model_records_end, run.is_forecast) == (date(2022, 9, 1), None, False)
    with pytest.raises(DBAPIError, match="append-only"), session(config) as opened:
        opened.execute(sa.text("UPDATE forecast_runs SET model_records_end = '2021-01-01'"))


def test_migrating_again_changes_nothing(config: Settings) -> None:
    assert migrate(config) == migrate(config)


def test_a_database_of_a_later_version_is_refused_in_one_sentence(config: Settings) -> None:
    migrate(config)
    with session(config) as opened:
        opened.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="revision 9999, which this version"):
        migrate(config)


def test_a_migration_that_fails_halfway_leaves_no_table_behind(config: Settings) -> None:
    with session(config) as opened:
        # The last table of the first migration is in the way.
        opened.execute(sa.text("CREATE TABLE findings (id INTEGER)"))
    with pytest.raises(OperationalError, match="already exists"):
        migrate(config)
    assert sa.inspect(engine(config)).get_table_names() == ["findings"]


@pytest.mark.slow
def test_several_processes_may_migrate_at_once(shortcast_home: Path) -> None:
    code = "from shortcast.database import migrate; migrate()"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    with session(Settings(home=shortcast_home), write=False) as opened:
        assert opened.scalar(sa.text("SELECT count(*) FROM alembic_version")) == 1


def test_sqlite_keeps_foreign_keys_and_a_write_ahead_log(config: Settings) -> None:
    migrate(config)
    with session(config, write=False) as opened:
        assert opened.scalar(sa.text("PRAGMA journal_mode")) == "wal"
        assert opened.scalar(sa.text("PRAGMA foreign_keys")) == 1
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), session(config) as opened:
        opened.execute(sa.text("INSERT INTO forecasts VALUES (99, 'x--injection', 3, 0.5, 1)"))


def test_a_session_that_raises_leaves_nothing(config: Settings) -> None:
    def halfway() -> None:
        with session(config) as opened:
            opened.execute(sa.text("CREATE TABLE half (id INTEGER)"))
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        halfway()
    assert "half" not in sa.inspect(engine(config)).get_table_names()


def test_a_reader_sees_the_last_state_while_another_writes(config: Settings) -> None:
    with session(config) as opened:
        opened.execute(sa.text("CREATE TABLE counts (n INTEGER)"))
    with session(config) as writing:
        writing.execute(sa.text("INSERT INTO counts VALUES (1)"))
        with session(config, write=False) as reading:
            assert reading.scalar(sa.text("SELECT count(*) FROM counts")) == 0
    with session(config, write=False) as reading:
        assert reading.scalar(sa.text("SELECT count(*) FROM counts")) == 1


def test_writers_that_read_first_take_turns_and_lose_nothing(config: Settings) -> None:
    with session(config) as opened:
        opened.execute(sa.text("CREATE TABLE counts (n INTEGER)"))
        opened.execute(sa.text("INSERT INTO counts VALUES (0)"))

    def count_up(_: int) -> None:
        with session(config) as opened:
            held = opened.scalar(sa.text("SELECT n FROM counts"))
            opened.execute(sa.text("UPDATE counts SET n = :n"), {"n": held + 1})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(40)))
    with session(config, write=False) as opened:
        assert opened.scalar(sa.text("SELECT n FROM counts")) == 40


def test_moments_come_back_in_utc_and_naive_ones_are_refused(config: Settings) -> None:
    table = sa.Table("moments", sa.MetaData(), sa.Column("at", UTCDateTime))
    with session(config) as opened:
        table.create(opened.connection())
        eastern = datetime(2022, 9, 1, 20, 0, tzinfo=timezone(timedelta(hours=-4)))
        opened.execute(table.insert().values(at=eastern))
    with session(config, write=False) as opened:
        assert opened.scalar(sa.select(table.c.at)) == datetime(2022, 9, 2, tzinfo=UTC)
    naive = table.insert().values(at=datetime(2022, 9, 1))
    with pytest.raises(StatementError, match="no time zone"), session(config) as opened:
        opened.execute(naive)


def test_a_missing_driver_is_named_with_what_to_install(config: Settings) -> None:
    config = Settings(home=config.home, database_url="postgresql+pg8000://nobody@localhost/none")
    with pytest.raises(DatabaseError, match=r"pg8000.*pip install 'shortcast\[postgresql\]'"):
        engine(config)


def test_an_address_that_is_none_is_refused(config: Settings) -> None:
    with pytest.raises(DatabaseError, match="SHORTCAST_DATABASE_URL is not a database address"):
        engine(Settings(home=config.home, database_url="my database"))


def test_a_file_that_is_no_database_is_refused_in_one_sentence(config: Settings) -> None:
    config.home.mkdir()
    (config.home / "shortcast.db").write_text("not a database at all, but longer than a header" * 9)
    with pytest.raises(DatabaseError, match=r"shortcast\.db cannot be opened"):
        migrate(config)


@pytest.fixture
def postgresql() -> Iterator[str]:
    """An empty schema of a PostgreSQL database that TEST_POSTGRESQL_URL names."""
    url = os.environ.get("TEST_POSTGRESQL_URL")
    if not url:
        pytest.skip(
            "no PostgreSQL: TEST_POSTGRESQL_URL names none; for one: sudo apt-get install -y "
            "postgresql, sudo -u postgres createuser --superuser $USER, createdb test, "
            "TEST_POSTGRESQL_URL=postgresql+psycopg:///test make test"
        )
    schema = f"shortcast_test_{os.getpid()}"
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    made = sa.make_url(url).update_query_dict({"options": f"-csearch_path={schema}"})
    yield made.render_as_string(hide_password=False)
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))


def test_postgresql_gets_the_same_tables_and_the_same_guard(
    postgresql: str, shortcast_home: Path
) -> None:
    config = Settings(home=shortcast_home, database_url=postgresql)
    migrate(config)
    with engine(config).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    statement = sa.text(
        "INSERT INTO forecast_runs (as_of, made_at, model_name, model_version, data, "
        "records_checksum, code_version, drugs) "
        "VALUES ('2022-09-01', now(), 'lightgbm', '1', 'real', 'abc', '0.1', 1)"
    )
    with session(config) as opened:
        opened.execute(statement)
    for change in ("UPDATE forecast_runs SET drugs = 2", "TRUNCATE forecast_runs CASCADE"):
        with pytest.raises(DBAPIError, match="append-only"), session(config) as opened:
            opened.execute(sa.text(change))
    engine(config).dispose()


def test_a_slip_in_plain_sql_cannot_change_the_forecast_log(config: Settings) -> None:
    migrate(config)
    with sqlite3.connect(config.home / "shortcast.db") as plain:
        plain.execute(
            "INSERT INTO forecast_runs VALUES (1, '2022-09-01', '2022-09-01 05:00:00', "
            "'lightgbm', '1', 'real', 'abc', '0.1', 1, '2022-08-31')"
        )
        plain.commit()
        for statement in ("UPDATE forecast_runs SET drugs = 2", "DELETE FROM forecast_runs"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                plain.execute(statement)
    plain.close()
