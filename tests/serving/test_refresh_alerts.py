"""Alerts in the database: what a run opens and closes is written once, however often asked."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from shortcast.database import session
from shortcast.serving.alerts import Alert, AlertError, refresh_alerts

LOW = {f"drug-{n:03}--injection": 0.001 + n / 1e6 for n in range(100)}


@pytest.fixture
def months(bare_market: Any) -> list[int]:
    """Three runs of 101 drugs: Velorane low and last, then high, then in shortage."""
    bare_market.write_warehouse()
    return [
        bare_market.add_run(date(2022, 3, 1), {**LOW, "velorane--injection": 0.0001}, ()),
        bare_market.add_run(date(2022, 4, 1), {**LOW, "velorane--injection": 0.1}, ()),
        bare_market.add_run(date(2022, 5, 1), LOW, ("velorane--injection",)),
    ]


def alerts(market: Any, drug_id: str = "velorane--injection") -> list[tuple[Any, ...]]:
    query = sa.select(Alert.kind, Alert.opened_on, Alert.closed_on, Alert.rank).where(
        Alert.drug_id == drug_id
    )
    with session(market.settings, write=False) as reading:
        return [tuple(row) for row in reading.execute(query.order_by(Alert.opened_on, Alert.kind))]


def test_alerts_follow_the_runs(bare_market: Any, months: list[int]) -> None:
    counts = [bare_market.refresh(run) for run in months]
    assert counts[0] == {"opened": 50, "closed": 0, "standing": 50}
    assert counts[1]["opened"] == 2
    assert alerts(bare_market) == [
        ("risk_rise", date(2022, 4, 1), date(2022, 5, 1), 1),
        ("top_50", date(2022, 4, 1), date(2022, 5, 1), 1),
        ("shortage", date(2022, 5, 1), None, None),
    ]


def test_refreshing_again_changes_nothing(bare_market: Any, months: list[int]) -> None:
    for run in months:
        bare_market.refresh(run)
    before = alerts(bare_market)
    for run in (*months, *reversed(months)):
        counts = bare_market.refresh(run)
        assert (counts["opened"], counts["closed"]) == (0, 0)
    assert alerts(bare_market) == before


def test_a_second_run_of_one_day_corrects_the_first(bare_market: Any, months: list[int]) -> None:
    bare_market.refresh(months[0])
    bare_market.refresh(months[1])
    corrected = bare_market.add_run(
        date(2022, 4, 1), {**LOW, "velorane--injection": 0.0001}, (), records="other"
    )
    bare_market.refresh(corrected)
    assert alerts(bare_market) == [
        ("risk_rise", date(2022, 4, 1), date(2022, 4, 1), 1),
        ("top_50", date(2022, 4, 1), date(2022, 4, 1), 1),
    ]


def test_simulated_runs_neither_open_nor_close_alerts_of_real_drugs(
    bare_market: Any, months: list[int]
) -> None:
    bare_market.refresh(months[0])
    simulated = bare_market.add_run(
        date(2022, 6, 1), {"velorane--injection": 0.3}, (), data="simulated", records="made up"
    )
    assert bare_market.refresh(simulated)["opened"] == 1
    assert bare_market.refresh(months[1]) == {"opened": 2, "closed": 0, "standing": 52}


def test_a_new_notice_opens_an_alert_that_names_the_maker(
    bare_market: Any, months: list[int]
) -> None:
    with duckdb.connect(str(bare_market.settings.warehouse)) as connection:
        connection.execute(
            """
            INSERT INTO drug_discontinuations VALUES
                ('velorane--injection', 'old-firm', 'Old Firm', '2021-01-01', '2021-01-02', NULL),
                ('velorane--injection', 'nordfell', 'Nordfell', '2022-03-05', '2022-03-09', NULL),
                ('velorane--injection', 'late-firm', 'Late Firm', '2022-03-06', '2022-04-01', NULL)
            """
        )
    for run in months[:2]:
        bare_market.refresh(run)
    with session(bare_market.settings, write=False) as reading:
        [message] = reading.scalars(sa.select(Alert.message).where(Alert.kind == "discontinuation"))
    # Known from the as-of date on is not known before it.
    assert message == "Discontinuation notice by Nordfell (last dated 2022-03-05)."


def test_without_a_warehouse_the_forecasts_alerts_are_refreshed_all_the_same(
    bare_market: Any, months: list[int]
) -> None:
    bare_market.settings.warehouse.unlink()
    with session(bare_market.settings) as writing:
        assert refresh_alerts(writing, months[0])["opened"] == 50
    with session(bare_market.settings) as writing:
        assert refresh_alerts(writing, months[1])["opened"] == 2


def test_a_run_that_is_not_in_the_log_is_refused(bare_market: Any) -> None:
    with (
        session(bare_market.settings) as writing,
        pytest.raises(AlertError, match="no run 99"),
    ):
        refresh_alerts(writing, 99)
