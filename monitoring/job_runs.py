"""The record of job runs: what ran when, on what, and how it ended.

This table, and not the scheduler, decides what is due: a job that was recorded as done is
done, whoever asks. A run whose process died stays behind as ``running``; the next start
marks it ``killed``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from shortcast.database import Base, UTCDateTime, session
from shortcast.errors import ShortcastError, was_interrupted
from shortcast.settings import Settings

OUTCOMES = ("running", "ok", "failed", "killed")

#: A run on another machine cannot be asked whether it lives; after this long it counts as dead.
OTHER_HOST_PATIENCE = timedelta(days=1)


class JobTakenError(ShortcastError):
    """A scheduled job is already running or done for its day."""


class JobRun(Base):
    """One run of one job.

    Attributes
    ----------
    job : str
        Its name.
    day : date
        The day that it ran for.
    due_at : datetime or None
        When the timetable wanted it; None for a run by hand.
    started_at, ended_at : datetime
        In UTC; ``ended_at`` is empty while it runs. For a killed run it is the moment at
        which its death was noticed.
    outcome : str
        ``running``, ``ok``, ``failed`` or ``killed``.
    inputs : dict
        What it worked from: checksums, versions, dates.
    rows : int or None
        Rows written or looked at, in the job's own sense.
    message : str
        One sentence.
    host, pid, process : str, int, str
        Who ran it; ``process`` tells a process from a later one with the same number.
    """

    __tablename__ = "job_runs"
    __table_args__ = (
        sa.CheckConstraint("outcome IN ('running', 'ok', 'failed', 'killed')", name="outcome"),
        sa.Index("ix_job_runs_job_day", "job", "day"),
        # Whatever goes wrong, the timetable never runs a job twice at once or again when done.
        sa.Index(
            "uq_job_runs_once_a_day",
            "job",
            "day",
            unique=True,
            sqlite_where=sa.text("due_at IS NOT NULL AND outcome IN ('running', 'ok')"),
            postgresql_where=sa.text("due_at IS NOT NULL AND outcome IN ('running', 'ok')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str]
    day: Mapped[date]
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    outcome: Mapped[str]
    inputs: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    rows: Mapped[int | None] = mapped_column(sa.BigInteger)
    message: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    process: Mapped[str]


@dataclass
class Recorder:
    """Takes what a running job has to say; written when the job ends.

    Attributes
    ----------
    run_id : int
        Number of the run.
    note : str
        Put before the message.
    rows, inputs, message
        See `JobRun`.
    """

    run_id: int
    note: str = ""
    rows: int | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    message: str = ""


def process_identity(pid: int) -> str | None:
    """Tell a process from every other, also from a later one with the same number.

    Parameters
    ----------
    pid : int
        Number of a process of this machine.

    Returns
    -------
    str or None
        Boot of the machine, number and start time (field 22 of ``/proc/PID/stat``, see
        proc(5)); the number alone where there is no ``/proc``. None if no such process
        lives.
    """
    proc = Path("/proc")
    if (proc / "self" / "stat").exists():
        try:
            stat = (proc / str(pid) / "stat").read_text()
            boot = (proc / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The second field, the command in parentheses, may itself hold blanks and parentheses.
        fields = stat.rpartition(")")[2].split()
        if fields[0] == "Z":
            return None
        return f"{boot}:{pid}:{fields[19]}"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return f"{pid}"


@contextmanager
def record(
    job: str,
    day: date,
    due_at: datetime | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    settings: Settings | None = None,
    *,
    note: str = "",
) -> Iterator[Recorder]:
    """Record a run of a job around the block that does it.

    Parameters
    ----------
    job : str
        Name of the job.
    day : date
        The day that it runs for.
    due_at : datetime, optional
        When the timetable wanted it; None for a run by hand.
    now : callable
        The clock.
    settings : Settings, optional
        Settings that name the database.
    note : str
        Put before whatever the run has to say.

    Yields
    ------
    Recorder
        To be given rows, inputs and a message.

    Raises
    ------
    JobTakenError
        If the timetable's run for that day is under way or done; the block is not entered.
    Exception
        Whatever the block raises, once it is recorded as ``failed``, or as ``killed``
        where it was interrupted.
    """
    run = JobRun(
        job=job,
        day=day,
        due_at=due_at,
        started_at=now(),
        ended_at=None,
        outcome="running",
        inputs={},
        rows=None,
        message="",
        host=socket.gethostname(),
        pid=os.getpid(),
        process=process_identity(os.getpid()) or str(os.getpid()),
    )
    try:
        with session(settings) as writing:
            writing.add(run)
    except IntegrityError as error:
        raise JobTakenError(
            f"The job {job} is already running or done for {day}, so another schedule uses this "
            "database; stop one of the two."
        ) from error
    recorder = Recorder(run.id, note)
    outcome = "killed"
    try:
        yield recorder
        outcome = "ok"
    except Exception as error:
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        outcome = "failed"
        recorder.message = sentence_of(error)
        raise
    finally:
        if outcome == "killed":
            recorder.message = "Interrupted before it was done."
        _end(recorder, outcome, now(), settings)


def sentence_of(error: Exception) -> str:
    """Return one line that tells a reader of the record what went wrong.

    Parameters
    ----------
    error : Exception
        What ended a job.

    Returns
    -------
    str
        Its first line; of an error that is not ours, with its type.
    """
    first = (str(error).splitlines() or [""])[0]
    return first if isinstance(error, ShortcastError) else f"{type(error).__name__}: {first}"


def _end(recorder: Recorder, outcome: str, at: datetime, settings: Settings | None) -> None:
    with session(settings) as writing:
        writing.execute(
            sa.update(JobRun)
            .where(JobRun.id == recorder.run_id)
            .values(
                ended_at=at,
                outcome=outcome,
                inputs=recorder.inputs,
                rows=recorder.rows,
                message=f"{recorder.note}{recorder.message}",
            )
        )


def mark_killed(
    now: datetime, alone: bool = False, settings: Settings | None = None
) -> list[JobRun]:
    """Mark runs whose process died in the middle as ``killed``.

    Parameters
    ----------
    now : datetime
        The moment, in UTC.
    alone : bool
        True when no other schedule can be at work on this database: the caller holds the
        schedule's lock, and the database lies in the home that it locks. Every scheduled
        run that is still ``running`` is then dead, whatever the machine was called.
        Otherwise a run of this machine is dead when its process is, and one of another
        machine after `OTHER_HOST_PATIENCE`.
    settings : Settings, optional
        Settings that name the database.

    Returns
    -------
    list of JobRun
        The runs that were marked.
    """
    with session(settings) as writing:
        running = writing.scalars(
            sa.select(JobRun).where(JobRun.outcome == "running").order_by(JobRun.id)
        )
        dead = [run for run in running if _is_dead(run, now, alone)]
        for run in dead:
            run.outcome = "killed"
            run.ended_at = max(now, run.started_at)
            run.message = f"The process {run.pid} on {run.host} ended before the job was done."
        return dead


def _is_dead(run: JobRun, now: datetime, alone: bool) -> bool:
    if alone and run.due_at is not None:
        return True
    if run.host == socket.gethostname():
        return process_identity(run.pid) != run.process
    return now - run.started_at > OTHER_HOST_PATIENCE


def runs_of_day(day: date, settings: Settings | None = None) -> list[JobRun]:
    """Return the scheduled runs for a day, oldest first; runs by hand are left out.

    Parameters
    ----------
    day : date
        Day of the timetable.
    settings : Settings, optional
        Settings that name the database; those in force when left out.

    Returns
    -------
    list of JobRun
    """
    with session(settings, write=False) as reading:
        rows = reading.scalars(
            sa.select(JobRun)
            .where(JobRun.day == day, JobRun.due_at.is_not(None))
            .order_by(JobRun.id)
        )
        return list(rows)


def list_job_runs(
    limit: int = 100, settings: Settings | None = None, *, offset: int = 0
) -> list[JobRun]:
    """Return the last runs of all jobs, newest first.

    Parameters
    ----------
    limit : int
        At most so many.
    settings : Settings, optional
        Settings that name the database; those in force when left out.
    offset : int
        Runs to pass over.

    Returns
    -------
    list of JobRun
    """
    query = sa.select(JobRun).order_by(JobRun.id.desc()).limit(limit).offset(offset)
    with session(settings, write=False) as reading:
        return list(reading.scalars(query))


def count_job_runs(settings: Settings | None = None) -> int:
    """Return how many runs are on record.

    Parameters
    ----------
    settings : Settings, optional
        Settings that name the database; those in force when left out.

    Returns
    -------
    int
    """
    with session(settings, write=False) as reading:
        return reading.scalar(sa.select(sa.func.count()).select_from(JobRun)) or 0


def last_ended(settings: Settings | None = None) -> list[JobRun]:
    """Return the last ended run of each job and outcome, by job and outcome.

    Parameters
    ----------
    settings : Settings, optional
        Settings that name the database; those in force when left out.

    Returns
    -------
    list of JobRun
    """
    newest = (
        sa.select(sa.func.max(JobRun.id))
        .where(JobRun.ended_at.is_not(None))
        .group_by(JobRun.job, JobRun.outcome)
    )
    with session(settings, write=False) as reading:
        rows = reading.scalars(
            sa.select(JobRun).where(JobRun.id.in_(newest)).order_by(JobRun.job, JobRun.outcome)
        )
        return list(rows)
