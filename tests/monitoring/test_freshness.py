"""Freshness: what is late, stale, refused or never came."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from shortcast.features.fetch_log import Outcome, Standing
from shortcast.features.sources import Source
from shortcast.monitoring.freshness import Freshness, Refusal, findings, freshness

TODAY = date(2022, 9, 30)


def snapshot(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    as_of: str,
    rows: int = 100,
    rejected: int = 0,
    reason: str = "",
) -> None:
    connection.execute(
        "INSERT INTO snapshots VALUES (?, ?, 1, 1, 'x', ?, ?, ?, ?)",
        [source, as_of, rows, rejected, "refused" if reason else "accepted", reason],
    )


@pytest.mark.parametrize(
    ("last", "age", "state"),
    [
        ("2022-09-30", 0, "fresh"),
        ("2022-09-20", 10, "fresh"),
        ("2022-09-19", 11, "late"),
        ("2022-09-09", 21, "late"),
        ("2022-09-08", 22, "stale"),
    ],
)
def test_a_weekly_source_is_judged_by_its_cadence(
    warehouse: duckdb.DuckDBPyConnection,
    sources: dict[str, Source],
    last: str,
    age: int,
    state: str,
) -> None:
    snapshot(warehouse, "listings", "2022-01-01")
    snapshot(warehouse, "listings", last)
    found = freshness(warehouse, TODAY, sources)[0]
    assert (found.source, found.last_as_of) == ("listings", date.fromisoformat(last))
    assert (found.age_days, found.state) == (age, state)


def test_a_stale_source_is_reported_and_a_fresh_one_is_not(
    warehouse: duckdb.DuckDBPyConnection, sources: dict[str, Source]
) -> None:
    snapshot(warehouse, "listings", "2022-06-01")
    snapshot(warehouse, "prices", "2022-09-14")
    (finding,) = findings(freshness(warehouse, TODAY, sources))
    assert (finding.kind, finding.subject, finding.severity) == ("source", "listings", "alarm")
    assert finding.message == (
        "Shortage list: the last snapshot is of 2022-06-01, 121 days old; it is published "
        "every 7 days."
    )
    assert (finding.value, finding.threshold) == (121, 21)


def test_a_source_that_never_came_is_reported(
    warehouse: duckdb.DuckDBPyConnection, sources: dict[str, Source]
) -> None:
    snapshot(warehouse, "listings", "2022-09-29")
    states = freshness(warehouse, TODAY, sources)
    assert states[1] == Freshness("prices", "Drug prices", 30, "never")
    (finding,) = findings(states)
    assert (finding.subject, finding.severity) == ("prices", "warning")


def test_snapshots_after_the_day_do_not_count(
    warehouse: duckdb.DuckDBPyConnection, sources: dict[str, Source]
) -> None:
    snapshot(warehouse, "listings", "2022-09-01")
    snapshot(warehouse, "listings", "2022-10-01")
    found = freshness(warehouse, TODAY, sources)[0]
    assert (found.last_as_of, found.state) == (date(2022, 9, 1), "stale")


def test_a_refused_snapshot_does_not_freshen_and_its_reason_is_told(
    warehouse: duckdb.DuckDBPyConnection, sources: dict[str, Source]
) -> None:
    snapshot(warehouse, "prices", "2022-09-01")
    snapshot(warehouse, "listings", "2022-09-01")
    snapshot(warehouse, "listings", "2022-09-29", reason="listings.csv is an HTML page.")
    state = freshness(warehouse, TODAY, sources)[0]
    assert (state.last_as_of, state.state) == (date(2022, 9, 1), "stale")
    assert state.refused == (Refusal(date(2022, 9, 29), "listings.csv is an HTML page."),)
    (finding,) = findings([state])
    assert finding.severity == "alarm"
    assert "2022-09-29 was refused: listings.csv is an HTML page." in finding.message


def test_a_refusal_that_was_made_good_is_kept_but_no_longer_reported(
    warehouse: duckdb.DuckDBPyConnection, sources: dict[str, Source]
) -> None:
    snapshot(warehouse, "listings", "2022-09-22", reason="listings.csv is empty.")
    snapshot(warehouse, "listings", "2022-09-29")
    state = freshness(warehouse, TODAY, sources)[0]
    assert len(state.refused) == 1
    assert findings([state]) == []


def test_a_snapshot_with_many_bad_rows_is_reported_with_the_commonest_reason(
    warehouse: duckdb.DuckDBPyConnection, sources: dict[str, Source]
) -> None:
    snapshot(warehouse, "listings", "2022-09-22", rows=100, rejected=100)
    snapshot(warehouse, "listings", "2022-09-29", rows=90, rejected=10)
    for reason, count in (("no drug name", 3), ("date in the year 2108", 7)):
        warehouse.execute(
            "INSERT INTO quarantine SELECT 'listings', '2022-09-29', 'f', i, 'c', '', ? "
            "FROM range(?) AS r(i)",
            [reason, count],
        )
    state = freshness(warehouse, TODAY, sources)[0]
    assert (state.rows, state.rejected, state.rejected_share) == (90, 10, 0.1)
    assert state.reject_reasons == (("date in the year 2108", 7), ("no drug name", 3))
    (finding,) = findings([state])
    assert (finding.severity, finding.value) == ("warning", 0.1)
    assert finding.message.endswith(
        "10 of 100 rows of 2022-09-29 went to quarantine, most often: date in the year 2108."
    )


def standing(state: str, day: str, seen: str | None, message: str = "New.") -> Standing:
    outcome = Outcome("listings", day, day, state, message)  # type: ignore[arg-type]
    return Standing(outcome, date.fromisoformat(seen) if seen else None)


@pytest.mark.parametrize(
    ("last", "seen", "state"),
    [
        ("2022-09-16", "2022-09-30", "fresh"),  # 14 days old, and looked at today
        ("2022-09-16", "2022-09-19", "late"),
        ("2022-09-08", "2022-09-30", "fresh"),  # 22 days old, and what it shows today
        ("2022-06-01", "2022-09-30", "late"),  # asked every day, and silent for months
        ("2022-06-01", "2022-09-01", "stale"),  # neither asked nor new
    ],
)
def test_a_source_that_was_found_unchanged_may_rest_for_a_while(
    warehouse: duckdb.DuckDBPyConnection,
    sources: dict[str, Source],
    last: str,
    seen: str,
    state: str,
) -> None:
    snapshot(warehouse, "listings", last)
    fetched = {"listings": standing("unchanged", seen, seen)}
    found = freshness(warehouse, TODAY, sources, fetched)[0]
    assert found.state == state
    assert found.age_days == (TODAY - date.fromisoformat(last)).days
    for finding in findings([found]):
        assert f"it was last found unchanged on {seen}" in finding.message


def test_a_fetch_that_was_set_apart_is_a_finding_though_the_source_is_fresh(
    warehouse: duckdb.DuckDBPyConnection, sources: dict[str, Source]
) -> None:
    snapshot(warehouse, "listings", "2022-09-29")
    snapshot(warehouse, "prices", "2022-09-29")
    fetched = {
        "listings": standing("quarantined", "2022-09-30", "2022-09-29", "Half of it is missing."),
        "prices": standing("accepted", "2022-09-29", "2022-09-29"),
    }
    (finding,) = findings(freshness(warehouse, TODAY, sources, fetched))
    assert (finding.subject, finding.severity) == ("listings", "warning")
    assert "The fetch of 2022-09-30 brought no new snapshot (quarantined)" in finding.message
    assert "Half of it is missing." in finding.message


def test_a_stale_source_says_why_its_fetch_fails(
    warehouse: duckdb.DuckDBPyConnection, sources: dict[str, Source]
) -> None:
    snapshot(warehouse, "listings", "2022-06-01")
    snapshot(warehouse, "prices", "2022-09-29")
    fetched = {"listings": standing("failed", "2022-09-30", None, "It refuses us (403).")}
    (finding,) = findings(freshness(warehouse, TODAY, sources, fetched))
    assert finding.severity == "alarm"
    assert finding.message.endswith("(failed): It refuses us (403).")


def test_a_source_that_never_came_says_why(
    warehouse: duckdb.DuckDBPyConnection, sources: dict[str, Source]
) -> None:
    snapshot(warehouse, "prices", "2022-09-29")
    fetched = {"listings": standing("failed", "2022-09-30", None, "It refuses us (403).")}
    (finding,) = findings(freshness(warehouse, TODAY, sources, fetched))
    assert finding.message.endswith(
        "The fetch of 2022-09-30 brought no new snapshot (failed): It refuses us (403)."
    )
