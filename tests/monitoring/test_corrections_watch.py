"""A correction says so once the source has mended its error, and if the error comes back."""

from __future__ import annotations

from datetime import date
from typing import Literal

import duckdb
import pytest

from shortcast.features.sources.corrections import Correction
from shortcast.monitoring.corrections import findings

TODAY = date(2026, 11, 23)


def correction(status: Literal["open", "mended"]) -> Correction:
    return Correction(
        "a-name", "a_source", "t", "c", "wrong", "replace", "right", "misspelt", status
    )


def warehouse(*, needed_for: str, data: str = "real") -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE build AS SELECT ? AS data", [data])
    connection.execute(
        """
        CREATE TABLE snapshots AS
        SELECT 'a_source' AS source, unnest([DATE '2026-01-01', DATE '2026-02-01']) AS as_of,
               'accepted' AS state
        UNION ALL SELECT 'a_source', DATE '2026-03-01', 'refused'
        UNION ALL SELECT 'a_source', DATE '2027-01-01', 'accepted'
        """
    )
    connection.execute(
        "CREATE TABLE quarantine AS SELECT 'a_source' AS source, CAST(? AS DATE) AS as_of, "
        "'corrected (a-name): misspelt; it reads so now' AS reason",
        [needed_for],
    )
    return connection


@pytest.mark.parametrize(
    ("status", "needed_for", "said"),
    [
        ("open", "2026-02-01", ""),
        ("open", "2026-01-01", "of 2026-01-01, and not for 2026-02-01"),
        ("mended", "2026-01-01", ""),
        ("mended", "2026-02-01", "is needed again for a_source of 2026-02-01"),
    ],
)
def test_what_is_expected_of_the_newest_snapshot_is_held_against_it(
    status: Literal["open", "mended"], needed_for: str, said: str
) -> None:
    with warehouse(needed_for=needed_for) as connection:
        found = findings(connection, TODAY, [correction(status)])
    if not said:
        assert found == []
        return
    (finding,) = found
    assert said in finding.message
    assert (finding.kind, finding.subject, finding.severity) == (
        "source",
        "a_source/a-name",
        "warning",
    )


def test_an_error_that_no_snapshot_has_is_not_spoken_of() -> None:
    with warehouse(needed_for="2026-01-01") as connection:
        connection.execute("DELETE FROM quarantine")
        assert findings(connection, TODAY, [correction("open")]) == []


def test_simulated_records_say_nothing_of_the_sources() -> None:
    with warehouse(needed_for="2026-01-01", data="simulated") as connection:
        assert findings(connection, TODAY, [correction("open")]) == []
