"""The forecast log: written once, whole or not at all, and never changed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, StatementError

from shortcast.database import session
from shortcast.monitoring.forecast_log import (
    ForecastLogError,
    NewRun,
    append,
    latest_run,
    list_runs,
    read_drug,
    read_rankings,
    read_scores,
)
from shortcast.settings import Settings


def test_a_run_comes_back_as_it_was_given(
    config: Settings, new_run: NewRun, forecasts: pd.DataFrame, details: pd.DataFrame
) -> None:
    made_at = datetime(2022, 3, 1, 5, 30, tzinfo=UTC)
    run_id = append(replace(new_run, made_at=made_at), forecasts, details, config)

    run = latest_run(settings=config)
    assert run is not None
    assert (run.id, run.as_of, run.made_at) == (run_id, date(2022, 3, 1), made_at)
    assert (run.model_name, run.model_version, run.data) == ("blend", "3", "real")
    assert run.drugs == 4

    ranking = read_rankings(run_id, 6, settings=config)
    assert list(ranking["drug_id"]) == [f"{name}--injection" for name in "abcd"]
    assert list(ranking["score"]) == [0.4, 0.3, 0.2, 0.1]
    assert ranking.loc[0, "name"] == "A injection"
    assert ranking["reasons"][0] == [{"group": "history", "contribution": 0.5, "phrases": ["x: 1"]}]
    assert len(read_rankings(run_id, 6, limit=2, settings=config)) == 2
    assert read_rankings(run_id, 12, settings=config).empty

    drug = read_drug(run_id, "b--injection", config)
    assert drug is not None
    assert drug["forecasts"] == [
        {"horizon_months": 3, "score": 0.15, "rank": 2},
        {"horizon_months": 6, "score": 0.3, "rank": 2},
    ]
    assert drug["completeness"] == {"share": 0.75, "groups": []}
    assert len(read_scores(run_id, config)) == 8


def test_a_drug_in_shortage_is_told_of_without_a_score(
    config: Settings, new_run: NewRun, forecasts: pd.DataFrame, details: pd.DataFrame
) -> None:
    run_id = append(new_run, forecasts, details, config)
    drug = read_drug(run_id, "e--injection", config)
    assert drug is not None
    assert drug["in_shortage"] is True
    assert drug["forecasts"] == []
    assert read_drug(run_id, "unheard-of--injection", config) is None


def test_the_same_run_again_adds_nothing_and_the_first_word_stands(
    config: Settings, new_run: NewRun, forecasts: pd.DataFrame, details: pd.DataFrame
) -> None:
    first = append(new_run, forecasts, details, config)
    second = append(new_run, forecasts.assign(score=0.5), details, config)
    assert second == first
    assert list(read_rankings(first, 6, settings=config)["score"]) == [0.4, 0.3, 0.2, 0.1]
    assert len(list_runs(config)) == 1


def test_runs_written_at_the_same_time_end_as_one(
    config: Settings, new_run: NewRun, forecasts: pd.DataFrame, details: pd.DataFrame
) -> None:
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda _: append(new_run, forecasts, details, config), range(4)))
    assert len(set(ids)) == 1
    assert len(read_scores(ids[0], config)) == 8


def test_other_records_or_another_model_make_another_run(
    config: Settings, new_run: NewRun, forecasts: pd.DataFrame, details: pd.DataFrame
) -> None:
    runs = [
        new_run,
        replace(new_run, records_checksum="def"),
        replace(new_run, model_version="4"),
    ]
    ids = [append(run, forecasts, details, config) for run in runs]
    assert len(set(ids)) == 3
    newest = latest_run(version="3", settings=config)
    assert newest is not None
    assert newest.records_checksum == "def"


def test_the_run_in_force_on_a_day_is_the_last_one_not_after_it(
    config: Settings, new_run: NewRun, forecasts: pd.DataFrame, details: pd.DataFrame
) -> None:
    append(new_run, forecasts, details, config)
    april = replace(new_run, as_of=date(2022, 4, 1))
    append(april, forecasts.assign(as_of=pd.Timestamp("2022-04-01")), details, config)

    def as_of(day: date) -> date | None:
        run = latest_run(day, settings=config)
        return run.as_of if run else None

    assert as_of(date(2022, 2, 28)) is None
    assert as_of(date(2022, 3, 1)) == as_of(date(2022, 3, 31)) == date(2022, 3, 1)
    assert as_of(date(2022, 4, 1)) == date(2022, 4, 1)
    assert [run.as_of.month for run in list_runs(config)] == [4, 3]


@pytest.mark.parametrize("table", ["forecast_runs", "forecasts", "forecast_details"])
@pytest.mark.parametrize("change", ["UPDATE {} SET drug_id = 'x'", "DELETE FROM {}"])
def test_the_database_refuses_to_change_or_delete(
    config: Settings,
    new_run: NewRun,
    forecasts: pd.DataFrame,
    details: pd.DataFrame,
    table: str,
    change: str,
) -> None:
    append(new_run, forecasts, details, config)
    statement = change.format(table)
    if table == "forecast_runs":
        statement = statement.replace("drug_id = 'x'", "model_name = 'x'")
    with pytest.raises(DBAPIError, match="append-only"), session(config) as opened:
        opened.execute(sa.text(statement))


Frames = tuple[pd.DataFrame, pd.DataFrame]


def _without_detail(forecasts: pd.DataFrame, details: pd.DataFrame) -> Frames:
    return forecasts, details.iloc[1:]


def _gap_in_ranks(forecasts: pd.DataFrame, details: pd.DataFrame) -> Frames:
    return forecasts.replace({"rank": {4: 5}}), details


def _score_above_one(forecasts: pd.DataFrame, details: pd.DataFrame) -> Frames:
    return forecasts.replace({"score": {0.4: 1.2}}), details


def _no_score(forecasts: pd.DataFrame, details: pd.DataFrame) -> Frames:
    return forecasts.replace({"score": {0.4: np.nan}}), details


def _twice(forecasts: pd.DataFrame, details: pd.DataFrame) -> Frames:
    return pd.concat([forecasts, forecasts.iloc[:1]]), details


def _other_day(forecasts: pd.DataFrame, details: pd.DataFrame) -> Frames:
    return forecasts.assign(as_of=pd.Timestamp("2022-04-01")), details


def _in_shortage(forecasts: pd.DataFrame, details: pd.DataFrame) -> Frames:
    return forecasts, details.assign(in_shortage=True)


def _detail_twice(forecasts: pd.DataFrame, details: pd.DataFrame) -> Frames:
    return forecasts, pd.concat([details, details.iloc[:1]])


def _no_name(forecasts: pd.DataFrame, details: pd.DataFrame) -> Frames:
    return forecasts, details.assign(
        name=details["name"].where(details["drug_id"] != "b--injection")
    )


def _no_column(forecasts: pd.DataFrame, details: pd.DataFrame) -> Frames:
    return forecasts, details.drop(columns="reasons")


def _empty(forecasts: pd.DataFrame, details: pd.DataFrame) -> Frames:
    return forecasts.iloc[:0], details


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_without_detail, "Drug a--injection .* has a score but no detail row"),
        (_gap_in_ranks, "Drug d--injection .* a rank that does not run from 1"),
        (_score_above_one, "Drug a--injection .* not between 0 and 1"),
        (_no_score, "Drug a--injection .* not between 0 and 1"),
        (_twice, "Drug a--injection .* two scores for one horizon"),
        (_other_day, "dated another day"),
        (_in_shortage, "Drug a--injection .* not at risk, and yet has a score"),
        (_detail_twice, "two detail rows"),
        (_no_name, "Drug b--injection .* has no name"),
        (_no_column, "details lack the column 'reasons'"),
        (_empty, "no forecast in the run of 2022-03-01"),
    ],
)
def test_a_run_that_contradicts_itself_is_refused_whole(
    config: Settings,
    new_run: NewRun,
    forecasts: pd.DataFrame,
    details: pd.DataFrame,
    spoil: Callable[[pd.DataFrame, pd.DataFrame], Frames],
    sentence: str,
) -> None:
    with pytest.raises(ForecastLogError, match=sentence):
        append(new_run, *spoil(forecasts, details), config)
    assert list_runs(config) == []


def test_a_reason_that_is_no_number_leaves_no_half_run_behind(
    config: Settings, new_run: NewRun, forecasts: pd.DataFrame, details: pd.DataFrame
) -> None:
    broken = details.assign(reasons=pd.Series([[{"contribution": float("nan")}]] * 5))
    with pytest.raises(StatementError, match="not JSON compliant"):
        append(new_run, forecasts, broken, config)
    assert list_runs(config) == []
