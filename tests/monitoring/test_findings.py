"""Findings: opened when first seen, closed when looked for and no longer there."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from shortcast.database import session
from shortcast.monitoring.findings import Finding, StoredFinding, open_findings, store
from shortcast.settings import Settings

STALE = Finding("source", "prices", "alarm", "Prices are old.", 90.0, 60.0)
SHIFTED = Finding("feature", "makers", "warning", "Makers have moved.", 0.15, 0.1)


def day(number: int) -> date:
    return date(2022, 9, number)


def test_a_finding_keeps_the_day_on_which_it_was_first_seen(config: Settings) -> None:
    store([STALE], ["source"], day(1), config)
    worse = Finding("source", "prices", "alarm", "Prices are older.", 91.0, 60.0)
    store([worse], ["source"], day(2), config)
    (found,) = open_findings(config)
    assert (found.opened_on, found.seen_on) == (day(1), day(2))
    assert (found.message, found.value) == ("Prices are older.", 91.0)


def test_what_is_no_longer_found_is_closed_and_may_open_again(config: Settings) -> None:
    store([STALE], ["source"], day(1), config)
    store([], ["source"], day(2), config)
    assert open_findings(config) == []
    store([STALE], ["source"], day(3), config)
    with session(config, write=False) as reading:
        kept = reading.scalars(sa.select(StoredFinding).order_by(StoredFinding.id)).all()
    assert [(f.opened_on, f.closed_on) for f in kept] == [(day(1), day(2)), (day(3), None)]


def test_what_was_not_looked_for_stays_open(config: Settings) -> None:
    store([STALE, SHIFTED], ["source", "feature"], day(1), config)
    store([], ["source"], day(2), config)
    assert [f.subject for f in open_findings(config)] == ["makers"]


def test_storing_twice_changes_nothing_and_alarms_come_first(config: Settings) -> None:
    for _ in range(2):
        store([SHIFTED, STALE], ["source", "feature"], day(1), config)
    assert [(f.severity, f.subject) for f in open_findings(config)] == [
        ("alarm", "prices"),
        ("warning", "makers"),
    ]
