"""A small warehouse and a small forecast log for the tests of the watch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from shortcast.database import migrate
from shortcast.features.sources import Reading, Source
from shortcast.monitoring.forecast_log import NewRun
from shortcast.settings import Settings


@pytest.fixture
def config(shortcast_home: Path) -> Settings:
    """Settings of a home whose database has its tables."""
    settings = Settings(home=shortcast_home)
    migrate(settings)
    return settings


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with the tables that the watch reads, all but ``build`` empty."""
    with duckdb.connect() as connection:
        connection.execute(
            """
            CREATE TABLE snapshots (source VARCHAR, as_of DATE, files INT, bytes BIGINT,
                checksum VARCHAR, rows BIGINT, rejected BIGINT, state VARCHAR, reason VARCHAR);
            CREATE TABLE quarantine (source VARCHAR, as_of DATE, file VARCHAR, row BIGINT,
                "column" VARCHAR, value VARCHAR, reason VARCHAR);
            CREATE TABLE coverage (join_name VARCHAR, description VARCHAR, rows BIGINT,
                matched BIGINT, share DOUBLE, floor DOUBLE);
            CREATE TABLE shortage_spells (drug_id VARCHAR, onset_date DATE);
            CREATE TABLE records_reach (records_end DATE);
            CREATE TABLE build (data VARCHAR, records_checksum VARCHAR);
            INSERT INTO build VALUES ('real', 'abc');
            INSERT INTO records_reach VALUES (DATE '2022-10-03');
            """
        )
        yield connection


def _read(_files: Sequence[Path], _as_of: date) -> Reading:
    return Reading({})


@pytest.fixture
def sources() -> dict[str, Source]:
    """A weekly and a monthly source."""
    return {
        name: Source(name, title, "FDA", "", "", "", cadence, ("*.csv",), (), _read)
        for name, title, cadence in (
            ("listings", "Shortage list", 7),
            ("prices", "Drug prices", 30),
        )
    }


@pytest.fixture
def new_run() -> NewRun:
    """What names a run of 2022-03-01, by a model that had learnt until the end of 2021."""
    learnt_until = date(2021, 12, 31)
    return NewRun(date(2022, 3, 1), "blend", "3", "real", "abc", "0.1.0", learnt_until)


@pytest.fixture
def forecasts() -> pd.DataFrame:
    """Four drugs at two horizons, a to d by falling score."""
    drugs = [f"{name}--injection" for name in "abcd"]
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "drug_id": drugs,
                    "as_of": pd.Timestamp("2022-03-01"),
                    "horizon_months": horizon,
                    "score": [score * (horizon / 6) for score in (0.4, 0.3, 0.2, 0.1)],
                    "rank": [1, 2, 3, 4],
                }
            )
            for horizon in (3, 6)
        ],
        ignore_index=True,
    )


@pytest.fixture
def details() -> pd.DataFrame:
    """Details of the four drugs and of a fifth, e, that is in shortage."""
    return pd.DataFrame(
        {
            "drug_id": [f"{name}--injection" for name in "abcde"],
            "name": [f"{name.upper()} injection" for name in "abcde"],
            "form_group": "injection",
            "in_shortage": [False] * 4 + [True],
            "reasons": [[{"group": "history", "contribution": 0.5, "phrases": ["x: 1"]}]] * 5,
            "completeness": [{"share": 0.75, "groups": []}] * 5,
        }
    )
