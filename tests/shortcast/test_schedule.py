"""The schedule over simulated days: order, retries, downtime, a kill and a second start."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time as wall
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa
from filelock import FileLock

from shortcast.database import migrate, session
from shortcast.errors import ShortcastError
from shortcast.monitoring.job_runs import JobRun, JobTakenError, list_job_runs, record
from shortcast.schedule import (
    RETRY_AFTER,
    TIMETABLE,
    Entry,
    Jobs,
    ScheduleError,
    SimulatedClock,
    SystemClock,
    _Schedule,
    agenda,
    day_of,
    run_job,
    run_schedule,
    simulate_days,
)
from shortcast.settings import Settings

NAMES = ("import", "build", "score", "alerts", "monitor")
START = date(2022, 9, 1)


@dataclass(frozen=True)
class Done:
    """What the jobs of these tests return."""

    rows: int = 1
    inputs: dict[str, Any] = field(default_factory=dict)
    message: str = "done"


def do_nothing(_: date) -> Done:
    return Done()


def jobs_with(**special: Callable[[date], Done]) -> Jobs:
    """The five jobs, all of which succeed but for those named (import_ is import)."""
    named = {name.rstrip("_"): job for name, job in special.items()}
    return {name: named.get(name, do_nothing) for name in NAMES}


@pytest.fixture
def config(shortcast_home: Path) -> Settings:
    return Settings(home=shortcast_home)


def record_of(config: Settings) -> list[JobRun]:
    return list_job_runs(10_000, config)[::-1]


def moment(day: date, hour: int = 5, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), UTC)


def test_ten_days_run_each_job_once_a_day_in_order(config: Settings) -> None:
    calls: list[tuple[str, date]] = []

    def noting(name: str) -> Callable[[date], Done]:
        def job(day: date) -> Done:
            calls.append((name, day))
            return Done(rows=7, inputs={"day": str(day)}, message=f"{name} did its work")

        return job

    simulate_days({name: noting(name) for name in NAMES}, START, 10, settings=config)

    days = [START + timedelta(days=i) for i in range(10)]
    assert calls == [(name, day) for day in days for name in NAMES]
    runs = record_of(config)
    assert [(run.job, run.day, run.outcome) for run in runs] == [
        (name, day, "ok") for day in days for name in NAMES
    ]
    assert {run.due_at for run in runs} == {moment(day) for day in days}
    assert (runs[0].rows, runs[0].inputs) == (7, {"day": "2022-09-01"})
    assert runs[0].message == "Played at speed: import did its work"


def test_a_fetch_that_is_switched_on_comes_first_and_holds_nothing_up_for_good(
    config: Settings,
) -> None:
    calls: list[str] = []

    def refused(_: date) -> Done:
        calls.append("fetch")
        raise ShortcastError("no source answers")

    def noting(name: str) -> Callable[[date], Done]:
        return lambda _: calls.append(name) or Done()

    jobs = {name: noting(name) for name in NAMES} | {"fetch": refused}
    simulate_days(jobs, START, 1, settings=config.model_copy(update={"fetch_daily": True}))
    assert calls == ["fetch"] * 3 + list(NAMES)


def left_running(config: Settings, host: str) -> None:
    """Leave a scheduled import of the first day behind, as if it ran on a machine."""
    migrate(config)
    with record("import", START, moment(START), lambda: moment(START), config) as begun:
        pass
    with session(config) as writing:
        writing.execute(
            sa.update(JobRun)
            .where(JobRun.id == begun.run_id)
            .values(outcome="running", ended_at=None, host=host, process="not of this machine")
        )


def test_a_run_of_another_home_on_a_shared_database_is_left_alone(
    shortcast_home: Path, tmp_path: Path
) -> None:
    """Each home has a lock of its own, which says nothing of who else uses the database."""
    config = Settings(home=shortcast_home, database_url=f"sqlite:///{tmp_path}/shared.db")
    left_running(config, "another-machine")
    with pytest.raises(JobTakenError, match="import is already running"):
        simulate_days(jobs_with(), START, 1, settings=config)
    assert [run.outcome for run in record_of(config)] == ["running"]


def test_a_machine_that_got_a_new_name_goes_on_with_its_own_database(config: Settings) -> None:
    left_running(config, "what-it-was-called-before")
    simulate_days(jobs_with(), START, 1, settings=config)
    assert [run.outcome for run in record_of(config)] == ["killed", *["ok"] * 5]


def test_running_the_same_days_again_does_nothing(config: Settings) -> None:
    simulate_days(jobs_with(), START, 3, settings=config)
    simulate_days(jobs_with(), START, 4, settings=config)
    assert Counter((run.job, run.day) for run in record_of(config)) == {
        (name, START + timedelta(days=i)): 1 for name in NAMES for i in range(4)
    }


def test_after_a_week_of_downtime_each_job_runs_once_for_the_present_day(
    config: Settings,
) -> None:
    simulate_days(jobs_with(), START, 1, settings=config)
    back = moment(START + timedelta(days=7), 13, 20)
    run_schedule(jobs_with(), SimulatedClock(back), back + timedelta(hours=1), settings=config)
    later = [run for run in record_of(config) if run.day > START]
    assert [(run.job, run.day) for run in later] == [
        (name, START + timedelta(days=7)) for name in NAMES
    ]
    assert {run.started_at for run in later} == {back}


def test_before_the_day_begins_the_day_before_is_still_due() -> None:
    assert day_of(moment(START, 4, 59)) == START - timedelta(days=1)
    assert day_of(moment(START, 5, 0)) == START


def test_a_failed_job_is_tried_again_after_a_rest_and_the_others_wait_for_it(
    config: Settings,
) -> None:
    tries: list[date] = []

    def build(day: date) -> Done:
        tries.append(day)
        if len(tries) == 1:
            raise ShortcastError("The archive is empty; run 'shortcast import DIR' first.")
        return Done()

    simulate_days(jobs_with(build=build), START, 1, settings=config)

    runs = record_of(config)
    assert [(run.job, run.outcome) for run in runs] == [
        ("import", "ok"),
        ("build", "failed"),
        ("build", "ok"),
        ("score", "ok"),
        ("alerts", "ok"),
        ("monitor", "ok"),
    ]
    assert runs[1].message == (
        "Played at speed: The archive is empty; run 'shortcast import DIR' first."
    )
    assert runs[2].started_at == moment(START) + RETRY_AFTER


def test_a_job_that_keeps_failing_is_left_and_only_the_watch_still_runs(
    config: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    def build(_: date) -> Done:
        raise ValueError("no such column")

    with caplog.at_level(logging.WARNING, logger="shortcast"):
        simulate_days(jobs_with(build=build), START, 2, settings=config)

    first = [run for run in record_of(config) if run.day == START]
    assert [(run.job, run.outcome) for run in first] == [
        ("import", "ok"),
        ("build", "failed"),
        ("build", "failed"),
        ("build", "failed"),
        ("monitor", "ok"),
    ]
    assert first[1].message == "Played at speed: ValueError: no such column"
    # The next day begins afresh.
    second = [run.job for run in record_of(config) if run.day > START]
    assert Counter(second) == {"import": 1, "build": 3, "monitor": 1}
    told = [r.getMessage() for r in caplog.records if "does not run" in r.getMessage()]
    assert sum("score does not run for 2022-09-01" in line for line in told) == 1
    assert sum("alerts does not run for 2022-09-02" in line for line in told) == 1


def test_a_job_waits_for_its_own_time_of_the_day(config: Settings) -> None:
    timetable = (
        Entry("import", time(5, 0)),
        Entry("build", time(7, 30), needs=("import",)),
    )
    simulate_days(jobs_with(), START, 2, timetable=timetable, settings=config)
    assert [(run.job, run.started_at) for run in record_of(config)] == [
        ("import", moment(START)),
        ("build", moment(START, 7, 30)),
        ("import", moment(START + timedelta(days=1))),
        ("build", moment(START + timedelta(days=1), 7, 30)),
    ]


def test_a_job_that_runs_past_the_next_days_beginning_does_not_disturb_that_day(
    config: Settings,
) -> None:
    clock = SimulatedClock(moment(START))

    def build(day: date) -> Done:
        if day == START:
            clock.pass_until(moment(START + timedelta(days=1), 6))
        return Done()

    run_schedule(jobs_with(build=build), clock, moment(START + timedelta(days=2)), settings=config)
    assert [(run.job, run.day.day) for run in record_of(config)] == [
        ("import", 1),
        ("build", 1),
        *[(name, 2) for name in NAMES],
    ]


def test_a_run_by_hand_is_recorded_and_takes_no_turn_of_the_timetable(config: Settings) -> None:
    result = run_job("build", START, jobs_with(), settings=config)
    assert result.message == "done"
    simulate_days(jobs_with(), START, 1, settings=config)
    builds = [run for run in record_of(config) if run.job == "build"]
    assert [(run.due_at, run.outcome) for run in builds] == [(None, "ok"), (moment(START), "ok")]


def test_a_run_by_hand_that_fails_is_recorded_and_raises(config: Settings) -> None:
    def score(_: date) -> Done:
        raise ShortcastError("There is no champion; run 'shortcast promote'.")

    with pytest.raises(ShortcastError, match="no champion"):
        run_job("score", START, jobs_with(score=score), settings=config)
    (run,) = record_of(config)
    assert (run.outcome, run.message) == (
        "failed",
        "There is no champion; run 'shortcast promote'.",
    )
    assert run.ended_at is not None


def test_an_unknown_job_is_refused_with_those_there_are(config: Settings) -> None:
    with pytest.raises(ScheduleError, match="no job 'fetsch'; the jobs are import, build"):
        run_job("fetsch", START, jobs_with(), settings=config)


def test_a_timetable_with_a_job_that_is_not_there_does_not_start(config: Settings) -> None:
    jobs = {name: do_nothing for name in NAMES if name != "alerts"}
    with pytest.raises(ScheduleError, match="names the job 'alerts'"):
        simulate_days(jobs, START, 1, settings=config)


def test_no_days_at_all_are_refused(config: Settings) -> None:
    with pytest.raises(ScheduleError, match="0 days cannot be run"):
        simulate_days(jobs_with(), START, 0, settings=config)


def test_days_that_have_not_come_yet_are_not_played(config: Settings) -> None:
    today = datetime.now(UTC).date()
    with pytest.raises(ScheduleError, match="have not all come yet"):
        simulate_days(jobs_with(), today, 2, settings=config)


def test_a_second_schedule_does_not_start(config: Settings) -> None:
    config.home.mkdir()
    with (
        FileLock(config.home / "schedule.lock"),
        pytest.raises(ScheduleError, match="Another schedule is running"),
    ):
        simulate_days(jobs_with(), START, 1, settings=config)
    simulate_days(jobs_with(), START, 1, settings=config)
    assert len(record_of(config)) == len(NAMES)


def test_a_schedule_on_another_machine_with_the_same_database_is_noticed(
    config: Settings,
) -> None:
    elsewhere = ExitStack()

    def import_(day: date) -> Done:
        # Meanwhile, elsewhere, the build of the day begins.
        elsewhere.enter_context(record("build", day, moment(day), settings=config))
        return Done()

    with elsewhere, pytest.raises(JobTakenError, match="build is already running or done"):
        simulate_days(jobs_with(import_=import_), START, 1, settings=config)


def test_a_defect_of_the_schedule_itself_is_not_swallowed(config: Settings) -> None:
    class BrokenClock(SimulatedClock):
        def pass_until(self, moment: datetime) -> timedelta:
            raise RuntimeError("the clock broke")

    with pytest.raises(RuntimeError, match="the clock broke"):
        run_schedule(jobs_with(), BrokenClock(moment(START)), settings=config)


def test_the_machines_clock_waits_until_the_moment_but_never_for_long() -> None:
    clock = SystemClock()
    now = clock.now()
    assert now.tzinfo is not None
    assert clock.pass_until(now - timedelta(hours=1)) == timedelta(0)
    assert clock.pass_until(now + timedelta(days=1)) == SystemClock.LONGEST_WAIT


def test_with_the_machines_clock_the_schedule_works_off_the_day_and_stops(
    config: Settings,
) -> None:
    # Every line is due since midnight, so the present day is caught up with at once.
    timetable = tuple(Entry(entry.job, time(0), entry.needs, entry.after) for entry in TIMETABLE)
    until = datetime.now(UTC) + timedelta(hours=1)
    over = Event()

    class Clock(SystemClock):
        def now(self) -> datetime:
            return until if over.is_set() else super().now()

    def monitor(_: date) -> Done:
        over.set()
        return Done()

    run_schedule(jobs_with(monitor=monitor), Clock(), until, timetable=timetable, settings=config)
    assert [(run.job, run.outcome) for run in record_of(config)] == [(name, "ok") for name in NAMES]


def test_an_interrupt_lets_the_job_at_work_finish_and_begins_no_other(config: Settings) -> None:
    migrate(config)
    clock = SimulatedClock(moment(START))
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def build(_: date) -> Done:
        signal.pthread_kill(main_thread, signal.SIGINT)
        assert loop._stopping.wait(60)
        return Done(message="finished all the same")

    loop = _Schedule(jobs_with(build=build), clock, None, TIMETABLE, config)
    # A shell that starts the tests in its background has them ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert [(run.job, run.outcome, run.message) for run in record_of(config)] == [
        ("import", "ok", "Played at speed: done"),
        ("build", "ok", "Played at speed: finished all the same"),
    ]


def test_a_killed_job_is_due_again_at_once_but_not_without_end() -> None:
    def run(outcome: str) -> JobRun:
        return JobRun(job="import", outcome=outcome, ended_at=moment(START))

    now = moment(START, 5, 1)
    again = agenda(now, [run("killed")], TIMETABLE)
    assert again.due is not None
    assert again.due.job == "import"
    given_up = agenda(now, [run("killed")] * 3, TIMETABLE)
    assert given_up.due is not None
    assert given_up.due.job == "monitor"
    assert given_up.blocked == ("build", "score", "alerts")
    rests = agenda(now, [run("failed")], TIMETABLE)
    assert rests.due is None
    assert rests.wake_at == moment(START) + RETRY_AFTER


KILLED = """
import sys, time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from shortcast.schedule import simulate_days

@dataclass
class Done:
    rows: int = 1
    inputs: dict = field(default_factory=dict)
    message: str = "done"

marker = Path(sys.argv[1])

def build(day):
    if day == date(2022, 9, 4) and not marker.exists():
        marker.touch()
        time.sleep(600)
    return Done()

jobs = {name: lambda day: Done() for name in ("import", "build", "score", "alerts", "monitor")}
jobs["build"] = build
simulate_days(jobs, date(2022, 9, 1), 10)
"""


def test_a_kill_in_the_middle_is_recorded_and_its_job_run_again(
    config: Settings, tmp_path: Path
) -> None:
    marker = tmp_path / "build-began"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(marker)])
    try:
        while not marker.exists():
            assert process.poll() is None, "the schedule ended before it could be killed"
            wall.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL
    left = record_of(config)[-1]
    assert (left.job, left.day, left.outcome) == ("build", date(2022, 9, 4), "running")

    simulate_days(jobs_with(), START, 10, settings=config)

    runs = record_of(config)
    days = [START + timedelta(days=i) for i in range(10)]
    assert Counter((run.job, run.day) for run in runs if run.outcome == "ok") == {
        (name, day): 1 for name in NAMES for day in days
    }
    (killed,) = [run for run in runs if run.outcome != "ok"]
    assert (killed.id, killed.outcome) == (left.id, "killed")
    assert f"The process {process.pid} on" in killed.message
    again = next(run for run in runs if run.id > killed.id)
    assert (again.job, again.day, again.outcome) == ("build", date(2022, 9, 4), "ok")
