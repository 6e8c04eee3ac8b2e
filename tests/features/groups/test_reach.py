"""When a count of zero means something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from shortcast.features.asof import AsOf
from shortcast.features.groups.reach import reached

DATES = [date(2018, 1, 1), date(2018, 2, 1), date(2018, 8, 1), date(2018, 9, 1)]


def _reached(world: Any, *tables: str, **window: Any) -> Sequence[date]:
    sql = reached(AsOf(world.connection, DATES), *tables, **window)
    return [d for (d,) in world.connection.sql(f"FROM {sql} ORDER BY as_of").fetchall()]


def _row(known: date, **more: Any) -> dict[str, Any]:
    return {"firm_id": "arden", "known_from": known, "event_date": known, **more}


def test_the_window_lies_within_what_was_shown(make_world: Callable[..., Any]) -> None:
    world = make_world(
        {"firm_recalls": [_row(date(2016, 2, 1)), _row(date(2018, 1, 31)), _row(date(2019, 1, 1))]}
    )
    # from when the oldest row is two years old to when the newest visible one is half a year old
    assert _reached(world, "firm_recalls", back_months=24) == [date(2018, 2, 1)]


def test_nothing_shown_reaches_nowhere(make_world: Callable[..., Any]) -> None:
    assert _reached(make_world({}), "firm_recalls") == []


def test_tables_reach_together_and_conditions_hold(make_world: Callable[..., Any]) -> None:
    facts = {
        "firm_actions": [_row(date(2015, 1, 1), is_drug=True)],
        "firm_letters": [_row(date(2018, 3, 2))],
    }
    world = make_world(facts)
    assert _reached(world, "firm_actions", back_months=36) == []
    assert _reached(world, "firm_letters", back_months=36) == []
    both = _reached(world, "firm_actions", "firm_letters", back_months=36)
    assert both == [date(2018, 8, 1), date(2018, 9, 1)]
    assert _reached(world, "firm_letters", where="f.firm_id = 'brook'") == []
