"""Coverage of joins: what is below its floor is reported."""

from __future__ import annotations

import duckdb

from shortcast.monitoring.coverage import coverage, findings


def test_a_join_below_its_floor_is_reported_and_one_at_its_floor_is_not(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    warehouse.execute(
        """
        INSERT INTO coverage VALUES
            ('listings_to_drugs', 'shortage rows to drugs', 1000, 980, 0.98, 0.98),
            ('recalls_to_drugs', 'recalls to drugs', 2000, 1190, 0.595, 0.60),
            ('letters_to_firms', 'letters to firms', 10, 1, 0.1, NULL)
        """
    )
    joins = coverage(warehouse)
    assert [(join.join, join.share) for join in joins] == [
        ("letters_to_firms", 0.1),
        ("listings_to_drugs", 0.98),
        ("recalls_to_drugs", 0.595),
    ]
    (finding,) = findings(joins)
    assert (finding.kind, finding.subject, finding.severity) == (
        "join",
        "recalls_to_drugs",
        "alarm",
    )
    assert "59.5% of 2,000 rows; its floor is 60.0%" in finding.message


def test_a_join_with_nothing_to_match_is_reported(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    warehouse.execute("INSERT INTO coverage VALUES ('a_to_b', 'a to b', 0, 0, NULL, 0.9)")
    (join,) = coverage(warehouse)
    assert join.share is None
    (finding,) = findings([join])
    assert (finding.severity, finding.value) == ("warning", None)
    assert "had no row to match" in finding.message
