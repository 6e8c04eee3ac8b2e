"""The schedule: which job runs when, and never twice.

One process runs the timetable below. APScheduler, with its jobs in memory, only wakes it up;
what is due is decided by the record of runs in the application database, so a start after
downtime, a second start or a kill in the middle all end in the same record: each job once a
day. A file lock keeps a second schedule from starting.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from threading import Event
from typing import Any, Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.blocking import BlockingScheduler
from filelock import FileLock, Timeout

from shortcast.database import migrate
from shortcast.errors import ShortcastError
from shortcast.monitoring.job_runs import (
    JobRun,
    JobTakenError,
    mark_killed,
    record,
    runs_of_day,
)
from shortcast.settings import Settings
from shortcast.settings import settings as current_settings

log = logging.getLogger(__name__)


class ScheduleError(ShortcastError):
    """The schedule cannot start, or a job's name is not in it."""


@dataclass(frozen=True)
class Entry:
    """One line of the timetable.

    Attributes
    ----------
    job : str
        Name of the job.
    at : time
        From when on it is due each day, in UTC.
    needs : tuple of str
        Jobs that must have succeeded for the same day.
    after : tuple of str
        Jobs that must be over for the same day, well or badly.
    attempts : int
        How often it is tried in a day before it is left until the next.
    """

    job: str
    at: time
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    attempts: int = 3


#: The timetable. The day begins with its earliest line; a day that was slept through is not
#: made up for, since every job works from all that is there.
TIMETABLE = (
    #     job       at (UTC)     needs                after
    Entry("import", time(5, 0)),
    Entry("build", time(5, 0), needs=("import",)),
    Entry("score", time(5, 0), needs=("build",)),
    Entry("alerts", time(5, 0), needs=("score",)),
    Entry("monitor", time(5, 0), after=("import", "build", "score", "alerts")),
)

#: The line that goes before them where fetching is switched on. Sources that fail are asked again
#: with its next attempt; the others do not wait for them longer than that.
FETCH = Entry("fetch", time(5, 0))

#: How long a failed job rests before it is tried again.
RETRY_AFTER = timedelta(minutes=15)


class Result(Protocol):
    """What a job returns; `shortcast.jobs.JobResult` is one."""

    @property
    def rows(self) -> int:
        """Rows written or looked at."""
        ...

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What it worked from."""
        ...

    @property
    def message(self) -> str:
        """One sentence."""
        ...


Jobs = Mapping[str, Callable[[date], Result]]


class Clock(Protocol):
    """What time it is, and how to let it pass."""

    def now(self) -> datetime:
        """Return the moment, in UTC."""
        ...

    def pass_until(self, moment: datetime) -> timedelta:
        """Return how long to wait, in real time, before looking at the clock again.

        A simulated clock jumps to ``moment`` and returns zero.
        """
        ...


class SystemClock:
    """The clock of the machine."""

    #: The machine may sleep or its clock be set while we wait, so no wait is longer.
    LONGEST_WAIT = timedelta(minutes=10)

    def now(self) -> datetime:
        """Return the moment, in UTC."""
        return datetime.now(UTC)

    def pass_until(self, moment: datetime) -> timedelta:
        """Return the time until then, at most `LONGEST_WAIT`."""
        return min(max(moment - self.now(), timedelta(0)), self.LONGEST_WAIT)


class SimulatedClock:
    """A clock that stands still until it is told to jump.

    Parameters
    ----------
    start : datetime
        What it shows at first, with a time zone.
    """

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the simulated moment."""
        return self._now

    def pass_until(self, moment: datetime) -> timedelta:
        """Jump to the moment; nothing is waited for."""
        self._now = max(self._now, moment)
        return timedelta(0)


def day_of(moment: datetime, timetable: Sequence[Entry] = TIMETABLE) -> date:
    """Return the day whose jobs are due at a moment: it begins with the earliest line."""
    moment = moment.astimezone(UTC)
    begins = min(entry.at for entry in timetable)
    return moment.date() if moment.time() >= begins else moment.date() - timedelta(days=1)


def timetable_of(settings: Settings) -> tuple[Entry, ...]:
    """Return the timetable that the settings ask for.

    Parameters
    ----------
    settings : Settings
        They say whether public records are fetched each day.

    Returns
    -------
    tuple of Entry
        `TIMETABLE`, begun by `FETCH` if they are.
    """
    if not settings.fetch_daily:
        return TIMETABLE
    waiting = {"import", "monitor"}
    return FETCH, *(
        replace(entry, after=(FETCH.job, *entry.after)) if entry.job in waiting else entry
        for entry in TIMETABLE
    )


def due_at(entry: Entry, day: date) -> datetime:
    """Return when a line of the timetable is due on a day, in UTC."""
    return datetime.combine(day, entry.at, UTC)


@dataclass(frozen=True)
class _Progress:
    """How far one job got on one day."""

    done: bool
    attempts: int
    rests_until: datetime | None


def _progress(runs: Iterable[JobRun]) -> dict[str, _Progress]:
    by_job: dict[str, list[JobRun]] = {}
    for run in runs:
        by_job.setdefault(run.job, []).append(run)
    found = {}
    for job, tries in by_job.items():
        last = tries[-1]
        # A killed run says nothing against the job itself: it is due again at once.
        rests = last.ended_at + RETRY_AFTER if last.outcome == "failed" and last.ended_at else None
        found[job] = _Progress(
            done=any(run.outcome == "ok" for run in tries), attempts=len(tries), rests_until=rests
        )
    return found


@dataclass(frozen=True)
class Agenda:
    """What there is to do at a moment.

    Attributes
    ----------
    due : Entry or None
        The first line that is due and may run now.
    blocked : tuple of str
        Jobs that will not run for this day, because one that they need failed for good.
    wake_at : datetime
        When to look again if nothing else happens.
    """

    due: Entry | None
    blocked: tuple[str, ...]
    wake_at: datetime


def agenda(now: datetime, runs: Sequence[JobRun], timetable: Sequence[Entry]) -> Agenda:
    """Work out what is due from the timetable and the record of the day's runs.

    Parameters
    ----------
    now : datetime
        The moment, in UTC.
    runs : sequence of JobRun
        Scheduled runs for the day of that moment, oldest first.
    timetable : sequence of Entry
        Lines in the order in which they are to run.

    Returns
    -------
    Agenda
        A job is due from its time on, once a day, when all it needs succeeded and all it
        comes after is over; a failed one again after `RETRY_AFTER`, a killed one at once,
        both as often as the line allows.
    """
    day = day_of(now, timetable)
    progress = _progress(runs)
    none = _Progress(False, 0, None)
    over: set[str] = set()
    done: set[str] = set()
    lost: set[str] = set()
    blocked: list[str] = []
    due: Entry | None = None
    wakes = [min(due_at(entry, day + timedelta(days=1)) for entry in timetable)]
    for entry in timetable:
        state = progress.get(entry.job, none)
        if state.done:
            done.add(entry.job)
            over.add(entry.job)
        elif state.attempts >= entry.attempts:
            lost.add(entry.job)
            over.add(entry.job)
        elif lost & set(entry.needs):
            blocked.append(entry.job)
            lost.add(entry.job)
            over.add(entry.job)
        elif set(entry.needs) <= done and set(entry.after) <= over:
            ready_at = max(due_at(entry, day), state.rests_until or due_at(entry, day))
            if ready_at > now:
                wakes.append(ready_at)
            elif due is None:
                due = entry
    return Agenda(due, tuple(blocked), min(wakes))


def run_job(
    name: str,
    day: date,
    jobs: Jobs,
    *,
    due: datetime | None = None,
    clock: Clock | None = None,
    settings: Settings | None = None,
) -> Result:
    """Run one job and record it: by hand, or for the schedule.

    Parameters
    ----------
    name : str
        Name of the job.
    day : date
        The day to run it for.
    jobs : mapping of str to callable
        The jobs by name.
    due : datetime, optional
        When the timetable wanted it; None for a run by hand, which never stands in for a
        scheduled one.
    clock : Clock, optional
        The machine's when left out.
    settings : Settings, optional
        Settings that name the database.

    Returns
    -------
    Result
        What the job returned.

    Raises
    ------
    ScheduleError
        If there is no such job.
    Exception
        Whatever the job raises, once it is recorded.
    """
    if name not in jobs:
        raise ScheduleError(f"There is no job {name!r}; the jobs are {', '.join(jobs)}.")
    if due is None:
        migrate(settings)
        mark_killed(datetime.now(UTC), settings=settings)
    clock = clock or SystemClock()
    # Its times are no times at which anything happened, and whoever reads the record must know.
    note = "Played at speed: " if isinstance(clock, SimulatedClock) else ""
    with record(name, day, due, clock.now, settings, note=note) as recorder:
        result = jobs[name](day)
        recorder.rows = result.rows
        recorder.inputs = dict(result.inputs)
        recorder.message = result.message
    return result


class _Schedule:
    """The loop: look at the agenda, run what is due, sleep until something may be."""

    def __init__(
        self,
        jobs: Jobs,
        clock: Clock,
        until: datetime | None,
        timetable: Sequence[Entry],
        settings: Settings,
    ) -> None:
        self._jobs = jobs
        self._clock = clock
        self._until = until
        self._timetable = timetable
        self._settings = settings
        self._failure: BaseException | None = None
        self._stopping = Event()
        self._told: set[tuple[date, str]] = set()
        # One worker: jobs of one day never overlap.
        self._scheduler = BlockingScheduler(
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
            timezone=UTC,
        )

    def run(self) -> None:
        self._wake_in(timedelta(0))
        try:
            self._scheduler.start()
        except (KeyboardInterrupt, SystemExit):
            # The job at work is finished, and the lock kept until then; no other begins.
            self._stopping.set()
            self._scheduler.shutdown(wait=True)
            raise
        if self._failure is not None:
            raise self._failure

    def _wake_in(self, wait: timedelta) -> None:
        self._scheduler.add_job(
            self._wake, "date", run_date=datetime.now(UTC) + wait, misfire_grace_time=None
        )

    def _wake(self) -> None:
        """Run what is due, then ask to be woken again; called in the worker thread."""
        try:
            wake_at = self._run_due()
            if self._stopping.is_set():
                return
            wait = self._clock.pass_until(min(wake_at, self._until or wake_at))
            if self._is_over():
                self._scheduler.shutdown(wait=False)
            else:
                self._wake_in(wait)
        except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits
            self._failure = error
            self._scheduler.shutdown(wait=False)

    def _is_over(self) -> bool:
        return self._until is not None and self._clock.now() >= self._until

    def _run_due(self) -> datetime:
        """Run everything that is due, one after the other; return when to look again."""
        while True:
            now = self._clock.now()
            day = day_of(now, self._timetable)
            found = agenda(now, runs_of_day(day, self._settings), self._timetable)
            for job in found.blocked:
                if (day, job) not in self._told:
                    self._told.add((day, job))
                    log.warning("%s does not run for %s: a job that it needs failed", job, day)
            if found.due is None or self._is_over() or self._stopping.is_set():
                return found.wake_at
            job = found.due.job
            log.info("%s for %s begins", job, day)
            try:
                result = run_job(
                    job,
                    day,
                    self._jobs,
                    due=due_at(found.due, day),
                    clock=self._clock,
                    settings=self._settings,
                )
            except JobTakenError:
                raise
            except Exception as error:  # noqa: BLE001 - recorded by run_job; the day goes on
                log.error("%s for %s failed: %s", job, day, error)
            else:
                log.info("%s for %s: %s", job, day, result.message)


def run_schedule(
    jobs: Jobs,
    clock: Clock | None = None,
    until: datetime | None = None,
    *,
    timetable: Sequence[Entry] | None = None,
    settings: Settings | None = None,
) -> None:
    """Run the timetable until a moment, or for good.

    Runs that a dead process left behind are first marked as killed; their jobs are due
    again. After downtime each job runs once, for the present day.

    Parameters
    ----------
    jobs : mapping of str to callable
        Every job of the timetable; each takes the day and returns a `Result`.
    clock : Clock, optional
        The machine's when left out.
    until : datetime, optional
        When to stop; a job at work then is finished first.
    timetable : sequence of Entry, optional
        That of the settings when left out.
    settings : Settings, optional
        Settings that name the home and the database.

    Raises
    ------
    ScheduleError
        If another schedule is running on the same home, or a job is not there.
    """
    settings = settings or current_settings()
    timetable = timetable or timetable_of(settings)
    clock = clock or SystemClock()
    missing = [entry.job for entry in timetable if entry.job not in jobs]
    if missing:
        raise ScheduleError(f"The timetable names the job {missing[0]!r}, which is not there.")
    settings.home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.home / "schedule.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ScheduleError(
            f"Another schedule is running on {settings.home}; stop it first, or use it."
        ) from error
    try:
        migrate(settings)
        # The lock is the home's; a database elsewhere may serve a schedule of another home.
        alone = not settings.database_url
        for run in mark_killed(clock.now(), alone=alone, settings=settings):
            log.warning("%s for %s was killed; it is due again", run.job, run.day)
        _Schedule(jobs, clock, until, timetable, settings).run()
    finally:
        lock.release()


def simulate_days(
    jobs: Jobs,
    start: date,
    days: int,
    *,
    timetable: Sequence[Entry] | None = None,
    settings: Settings | None = None,
) -> None:
    """Run the timetable for a number of days without waiting for them to pass.

    Parameters
    ----------
    jobs : mapping of str to callable
        Every job of the timetable.
    start : date
        The first day.
    days : int
        How many.
    timetable, settings
        See `run_schedule`.

    Raises
    ------
    ScheduleError
        See `run_schedule`; also if ``days`` is below one, or a day has not come yet: its
        jobs would count as done, and the schedule would pass it over when it comes.
    """
    if days < 1:
        raise ScheduleError(f"{days} days cannot be run; give at least one.")
    last = start + timedelta(days=days - 1)
    if last > datetime.now(UTC).date():
        raise ScheduleError(
            f"The days from {start} to {last} have not all come yet, and a day that was played "
            "counts as done; begin earlier."
        )
    timetable = timetable or timetable_of(settings or current_settings())
    begins = datetime.combine(start, min(entry.at for entry in timetable), UTC)
    clock = SimulatedClock(begins)
    run_schedule(jobs, clock, begins + timedelta(days=days), timetable=timetable, settings=settings)
