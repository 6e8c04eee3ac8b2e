"""The record of job runs: what a run leaves behind, however it ends."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from shortcast.database import session
from shortcast.errors import ShortcastError
from shortcast.monitoring.job_runs import (
    JobRun,
    last_ended,
    list_job_runs,
    mark_killed,
    process_identity,
    record,
    runs_of_day,
)
from shortcast.settings import Settings

DAY = date(2022, 9, 1)
NOON = datetime(2022, 9, 1, 12, tzinfo=UTC)


def only_run(config: Settings) -> JobRun:
    (run,) = list_job_runs(settings=config)
    return run


def test_while_it_runs_it_says_so_and_afterwards_what_it_did(config: Settings) -> None:
    with record("build", DAY, NOON, settings=config) as recorder:
        during = only_run(config)
        assert (during.outcome, during.ended_at, during.pid) == ("running", None, os.getpid())
        recorder.rows = 5
        recorder.inputs = {"records": "abc"}
        recorder.message = "Built."
    run = only_run(config)
    assert (run.job, run.day, run.due_at, run.outcome) == ("build", DAY, NOON, "ok")
    assert (run.rows, run.inputs, run.message) == (5, {"records": "abc"}, "Built.")
    assert run.ended_at is not None
    assert run.ended_at >= run.started_at


@pytest.mark.parametrize(
    ("error", "outcome", "message"),
    [
        (ShortcastError("No champion.\nMore."), "failed", "No champion."),
        (KeyError("price"), "failed", "KeyError: 'price'"),
        (KeyboardInterrupt(), "killed", "Interrupted before it was done."),
    ],
)
def test_a_run_that_raises_is_recorded_and_the_error_goes_on(
    config: Settings, error: BaseException, outcome: str, message: str
) -> None:
    with pytest.raises(type(error)), record("score", DAY, settings=config):
        raise error
    run = only_run(config)
    assert (run.outcome, run.message) == (outcome, message)


def left_behind(config: Settings, **changes: object) -> None:
    """Leave a run behind as a process that died, or lives elsewhere, would."""
    with record("build", DAY, NOON, lambda: NOON, config), session(config) as writing:
        kept = writing.scalars(sa.select(JobRun)).one()
        values = {column.key: getattr(kept, column.key) for column in sa.inspect(JobRun).columns}
    with session(config) as writing:
        writing.execute(sa.delete(JobRun))
        writing.execute(sa.insert(JobRun), [{**values, **changes}])


def test_a_live_run_is_left_alone(config: Settings) -> None:
    left_behind(config)
    assert mark_killed(NOON, settings=config) == []


def test_a_run_is_dead_when_its_process_is(config: Settings) -> None:
    process = subprocess.Popen(["sleep", "60"])
    try:
        left_behind(config, pid=process.pid, process=process_identity(process.pid))
        assert mark_killed(NOON, settings=config) == []
    finally:
        process.kill()
    # Dead, though not yet waited for by its parent.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert len(mark_killed(NOON, settings=config)) == 1
    process.wait()


def test_a_later_process_with_the_same_number_does_not_pass_for_the_dead_one(
    config: Settings,
) -> None:
    left_behind(config, process="another-boot:1:1")
    (run,) = mark_killed(NOON + timedelta(minutes=5), settings=config)
    assert run.outcome == "killed"
    assert only_run(config).ended_at == NOON + timedelta(minutes=5)


def test_on_another_machine_a_run_is_given_a_day(config: Settings) -> None:
    left_behind(config, host="elsewhere", process="x")
    assert mark_killed(NOON + timedelta(hours=23), settings=config) == []
    assert len(mark_killed(NOON + timedelta(hours=25), settings=config)) == 1


def test_whoever_is_alone_on_a_database_knows_that_scheduled_runs_are_dead(
    config: Settings,
) -> None:
    left_behind(config, host="elsewhere", process="x")
    assert len(mark_killed(NOON, alone=True, settings=config)) == 1


def test_the_lock_says_nothing_of_a_run_by_hand(config: Settings) -> None:
    left_behind(config, due_at=None)
    assert mark_killed(NOON, alone=True, settings=config) == []


def test_processes_are_told_apart() -> None:
    assert process_identity(os.getpid()) == process_identity(os.getpid()) is not None
    assert process_identity(os.getppid()) != process_identity(os.getpid())
    assert process_identity(2**22 + 1) is None


def test_runs_are_found_by_day_and_by_their_end(config: Settings) -> None:
    for job, due in (("import", NOON), ("build", NOON), ("build", None)):
        with record(job, DAY, due, settings=config):
            pass
    with pytest.raises(ValueError, match="x"), record("build", DAY, settings=config):
        raise ValueError("x")
    assert [run.job for run in runs_of_day(DAY, config)] == ["import", "build"]
    assert runs_of_day(DAY + timedelta(days=1), config) == []
    assert [(run.job, run.outcome, run.id) for run in last_ended(config)] == [
        ("build", "failed", 4),
        ("build", "ok", 3),
        ("import", "ok", 1),
    ]
