"""What the watch found wrong, from the day it was first seen to the day it was over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from shortcast.database import Base, session
from shortcast.settings import Settings

Kind = Literal["source", "join", "feature", "score"]
Severity = Literal["warning", "alarm"]


class StoredFinding(Base):
    """A finding in the database.

    Attributes
    ----------
    kind, subject : str
        What it is about: ``source`` and its name, ``join``, ``feature`` or ``score``.
    severity : str
        ``warning``: look at it; ``alarm``: do not rely on what depends on it.
    value, threshold : float or None
        What was measured, and the bound it crossed.
    message : str
        One sentence for a reader.
    opened_on, seen_on : date
        First and last day on which it was found.
    closed_on : date or None
        First day on which it was looked for and not found any more.
    """

    __tablename__ = "findings"
    __table_args__ = (
        sa.CheckConstraint("severity IN ('warning', 'alarm')", name="severity"),
        # A finding is open once; PostgreSQL and SQLite both know an index on a part of the rows.
        sa.Index(
            "uq_findings_open",
            "kind",
            "subject",
            unique=True,
            sqlite_where=sa.text("closed_on IS NULL"),
            postgresql_where=sa.text("closed_on IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str]
    severity: Mapped[str]
    value: Mapped[float | None] = mapped_column(sa.Double)
    threshold: Mapped[float | None] = mapped_column(sa.Double)
    message: Mapped[str]
    opened_on: Mapped[date]
    seen_on: Mapped[date]
    closed_on: Mapped[date | None]


@dataclass(frozen=True)
class Finding:
    """Something that the watch found wrong; see `StoredFinding` for the fields."""

    kind: Kind
    subject: str
    severity: Severity
    message: str
    value: float | None = None
    threshold: float | None = None


def store(
    findings: Sequence[Finding],
    looked_for: Collection[Kind],
    day: date,
    settings: Settings | None = None,
) -> None:
    """Write what was found on a day; close what is no longer found.

    Running it again with the same findings changes nothing.

    Parameters
    ----------
    findings : sequence of Finding
        At most one for each kind and subject.
    looked_for : collection of str
        Kinds that were looked for. Open findings of other kinds stay open: what was not
        looked for may still be there.
    day : date
        The day of the watch.
    settings : Settings, optional
        Settings that name the database.
    """
    found = {(f.kind, f.subject): f for f in findings}
    with session(settings) as writing:
        standing = writing.scalars(
            sa.select(StoredFinding).where(StoredFinding.closed_on.is_(None))
        ).all()
        for old in standing:
            new = found.pop((old.kind, old.subject), None)  # pyright: ignore[reportArgumentType]
            if new is not None:
                old.severity, old.message = new.severity, new.message
                old.value, old.threshold = new.value, new.threshold
                old.seen_on = day
            elif old.kind in looked_for:
                old.closed_on = day
        writing.add_all(
            StoredFinding(
                kind=new.kind,
                subject=new.subject,
                severity=new.severity,
                value=new.value,
                threshold=new.threshold,
                message=new.message,
                opened_on=day,
                seen_on=day,
            )
            for new in found.values()
        )


def open_findings(settings: Settings | None = None) -> list[StoredFinding]:
    """Return the findings that stand, alarms first, then by kind and subject.

    Parameters
    ----------
    settings : Settings, optional
        Settings that name the database; those in force when left out.

    Returns
    -------
    list of StoredFinding
    """
    with session(settings, write=False) as reading:
        rows = reading.scalars(
            sa.select(StoredFinding)
            .where(StoredFinding.closed_on.is_(None))
            .order_by(StoredFinding.severity, StoredFinding.kind, StoredFinding.subject)
        )
        return list(rows)
