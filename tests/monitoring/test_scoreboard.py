"""The scoreboard: forecasts are scored once they have matured, and only then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import duckdb
import pandas as pd
import pytest

from shortcast.database import session
from shortcast.monitoring.forecast_log import NewRun, append
from shortcast.monitoring.scoreboard import Score, read_scoreboard, score_forecasts, update
from shortcast.settings import Settings


@pytest.fixture
def run_id(
    config: Settings, new_run: NewRun, forecasts: pd.DataFrame, details: pd.DataFrame
) -> int:
    return append(new_run, forecasts, details, config)


def spells(connection: duckdb.DuckDBPyConnection, *onsets: tuple[str, str]) -> None:
    connection.execute("DELETE FROM shortage_spells")
    for name, onset in onsets:
        connection.execute(
            "INSERT INTO shortage_spells VALUES (?, ?)", [f"{name}--injection", onset]
        )


def reach(connection: duckdb.DuckDBPyConnection, day: str) -> None:
    connection.execute("UPDATE records_reach SET records_end = ?", [day])


def test_a_forecast_is_scored_when_the_records_reach_past_its_horizon(
    config: Settings, warehouse: duckdb.DuckDBPyConnection, run_id: int
) -> None:
    spells(warehouse, ("b", "2022-04-15"))
    reach(warehouse, "2022-05-31")
    assert update(warehouse, config) == []
    reach(warehouse, "2022-06-01")
    assert [(line.run.id, line.horizon_months) for line in update(warehouse, config)] == [
        (run_id, 3)
    ]
    reach(warehouse, "2022-09-01")
    assert [line.horizon_months for line in update(warehouse, config)] == [6]
    assert update(warehouse, config) == []


def test_measures_and_names_are_those_worked_out_by_hand(
    config: Settings, warehouse: duckdb.DuckDBPyConnection, run_id: int
) -> None:
    # At 6 months: b (rank 2) and d (rank 4) came true; a's onset on the last day is outside.
    spells(warehouse, ("b", "2022-03-01"), ("d", "2022-08-31"), ("a", "2022-09-01"))
    reach(warehouse, "2022-09-01")
    lines = {line.horizon_months: line.metrics for line in update(warehouse, config)}
    at_six = lines[6]
    assert (at_six["drugs"], at_six["onsets"], at_six["prevalence"]) == (4, 2, 0.5)
    assert at_six["ap"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert at_six["ap_over_prevalence"] == pytest.approx(1.0)
    assert at_six["brier"] == pytest.approx((0.4**2 + 0.7**2 + 0.2**2 + 0.9**2) / 4)
    assert at_six["expected"] == pytest.approx(1.0)
    assert at_six["observed_over_expected"] == pytest.approx(2.0)
    assert at_six["precision_at"] == {"25": 0.5, "50": 0.5, "100": 0.5}
    assert [(hit["name"], hit["rank"], hit["onset_date"]) for hit in at_six["hits"]] == [
        ("B injection", 2, "2022-03-01"),
        ("D injection", 4, "2022-08-31"),
    ]
    assert (lines[3]["onsets"], lines[3]["misses"]) == (1, [])


def test_an_onset_below_the_list_is_a_miss_and_one_without_a_forecast_is_told_apart() -> None:
    drugs = [f"drug-{i:02}" for i in range(60)]
    forecasts = pd.DataFrame(
        {"drug_id": drugs, "score": [0.5 - i / 200 for i in range(60)], "rank": range(1, 61)}
    )
    names = pd.DataFrame({"drug_id": [*drugs, "in-shortage"], "name": [*drugs, "In shortage"]})
    onsets = pd.DataFrame(
        {
            "drug_id": ["drug-49", "drug-50", "in-shortage", "newcomer", "later"],
            "onset_date": pd.to_datetime(
                ["2022-03-02", "2022-03-03", "2022-05-01", "2022-04-01", "2023-01-01"]
            ),
        }
    )
    found = score_forecasts(forecasts, names, onsets, date(2022, 3, 1), 3, date(2022, 10, 1))
    assert found is not None
    assert [hit["drug_id"] for hit in found["hits"]] == ["drug-49"]
    assert [(miss["drug_id"], miss["rank"]) for miss in found["misses"]] == [("drug-50", 51)]
    assert found["precision_at"]["50"] == pytest.approx(1 / 50)
    assert [(out["name"], out["rank"]) for out in found["without_forecast"]] == [
        ("newcomer", None),
        ("In shortage", None),
    ]


def test_ties_are_taken_in_the_worst_order() -> None:
    drugs = [f"drug-{i:02}" for i in range(30)]
    forecasts = pd.DataFrame({"drug_id": drugs, "score": 0.1, "rank": range(1, 31)})
    names = pd.DataFrame({"drug_id": drugs, "name": drugs})
    onsets = pd.DataFrame({"drug_id": drugs[:5], "onset_date": [pd.Timestamp("2022-03-05")] * 5})
    found = score_forecasts(forecasts, names, onsets, date(2022, 3, 1), 3, date(2022, 10, 1))
    assert found is not None
    assert found["precision_at"]["25"] == 0.0


def test_without_any_onset_there_is_no_average_precision(
    config: Settings, warehouse: duckdb.DuckDBPyConnection, run_id: int
) -> None:
    reach(warehouse, "2022-06-01")
    (line,) = update(warehouse, config)
    assert (line.metrics["ap"], line.metrics["ap_over_prevalence"]) == (None, None)
    assert line.metrics["observed_over_expected"] == 0.0


def test_corrected_records_score_again_and_the_last_word_is_read(
    config: Settings, warehouse: duckdb.DuckDBPyConnection, run_id: int
) -> None:
    reach(warehouse, "2022-06-01")
    update(warehouse, config)
    warehouse.execute("UPDATE build SET records_checksum = 'def'")
    spells(warehouse, ("a", "2022-03-20"))
    update(warehouse, config)
    (line,) = read_scoreboard(config)
    assert (line.records_checksum, line.metrics["onsets"]) == ("def", 1)


@pytest.mark.parametrize("learnt_until", [date(2022, 3, 1), date(2022, 10, 3), None])
def test_what_the_model_had_learnt_already_is_not_scored(
    config: Settings,
    warehouse: duckdb.DuckDBPyConnection,
    new_run: NewRun,
    forecasts: pd.DataFrame,
    details: pd.DataFrame,
    learnt_until: date | None,
) -> None:
    """Nor where the log does not say what it had learnt, as with runs of earlier versions."""
    spells(warehouse, ("b", "2022-04-15"))
    made = replace(new_run, model_records_end=learnt_until)  # type: ignore[arg-type]
    run_id = append(made, forecasts, details, config)
    assert update(warehouse, config) == []
    # An earlier version scored it all the same; nobody is told so any more.
    with session(config) as writing:
        writing.add(
            Score(
                run_id=run_id,
                horizon_months=6,
                records_checksum="abc",
                scored_at=datetime(2022, 11, 1, tzinfo=UTC),
                metrics={},
            )
        )
    assert read_scoreboard(config) == []


def test_a_forecast_of_the_day_after_the_model_had_learnt_all_is_scored(
    config: Settings,
    warehouse: duckdb.DuckDBPyConnection,
    new_run: NewRun,
    forecasts: pd.DataFrame,
    details: pd.DataFrame,
) -> None:
    day_before = replace(new_run, model_records_end=date(2022, 2, 28))
    append(day_before, forecasts, details, config)
    assert [line.horizon_months for line in update(warehouse, config)] == [3, 6]


def test_real_forecasts_are_not_scored_against_simulated_records(
    config: Settings,
    warehouse: duckdb.DuckDBPyConnection,
    new_run: NewRun,
    forecasts: pd.DataFrame,
    details: pd.DataFrame,
) -> None:
    append(new_run, forecasts, details, config)
    simulated = replace(new_run, data="simulated")
    append(replace(simulated, records_checksum="sim"), forecasts, details, config)
    warehouse.execute("UPDATE build SET data = 'simulated'")
    assert {line.run.data for line in update(warehouse, config)} == {"simulated"}


def test_the_newest_forecast_stands_first(
    config: Settings,
    warehouse: duckdb.DuckDBPyConnection,
    run_id: int,
    new_run: NewRun,
    forecasts: pd.DataFrame,
    details: pd.DataFrame,
) -> None:
    earlier = forecasts.assign(as_of=pd.Timestamp("2022-01-01"))
    append(replace(new_run, as_of=date(2022, 1, 1)), earlier, details, config)
    update(warehouse, config)
    assert [(line.run.as_of.month, line.horizon_months) for line in read_scoreboard(config)] == [
        (3, 3),
        (3, 6),
        (1, 3),
        (1, 6),
    ]
