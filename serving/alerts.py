"""Alerts over successive forecast runs, kept in the application database.

The rules stand in `shortcast.serving.alert_rules`. This module applies them to a run and the
one before it, and writes what opens and what closes. Doing so twice changes nothing: the
alerts that stand at a date are a function of the rows themselves, and an alert is one drug,
one kind and one day.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import duckdb
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from shortcast.database import Base
from shortcast.errors import ShortcastError
from shortcast.features.asof import AsOf
from shortcast.features.warehouse import open_warehouse
from shortcast.monitoring.forecast_log import Forecast, ForecastDetail, ForecastRun, run_before
from shortcast.serving import alert_rules
from shortcast.serving.alert_rules import Notice, Sight, Step

#: The horizon that alerts look at.
HORIZON_MONTHS = 6

log = logging.getLogger(__name__)


class Alert(Base):
    """One alert: a drug, a kind, and the day on which it opened.

    Attributes
    ----------
    id : int
        Number of the alert.
    drug_id, kind : str
        The drug, and one of `shortcast.serving.alert_rules.KINDS`.
    opened_on : date
        As-of date of the run that opened it.
    run_id : int
        That run.
    score, rank : float, int or None
        At 6 months in that run; None for a drug in shortage.
    message : str
        Why it opened, in one sentence.
    closed_on : date or None
        As-of date of the run that closed it; None while it stands.
    """

    __tablename__ = "alerts"
    __table_args__ = (sa.UniqueConstraint("drug_id", "kind", "opened_on"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    drug_id: Mapped[str]
    kind: Mapped[str]
    opened_on: Mapped[date]
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("forecast_runs.id"))
    score: Mapped[float | None] = mapped_column(sa.Double)
    rank: Mapped[int | None]
    message: Mapped[str]
    closed_on: Mapped[date | None]


class AlertError(ShortcastError):
    """Alerts were asked of a run that is not in the forecast log."""


def refresh_alerts(
    session: Session, run_id: int, warehouse: duckdb.DuckDBPyConnection | None = None
) -> dict[str, int]:
    """Open and close alerts by what a run says, against the run before it.

    Idempotent: a second call for the same run changes nothing, nor does one for a run older
    than one whose alerts have already moved on.

    Parameters
    ----------
    session : Session
        A session that may write.
    run_id : int
        Run of the forecast log.
    warehouse : DuckDBPyConnection, optional
        Where discontinuation notices are read; the warehouse in force by default. Without
        one the forecasts' alerts are brought up to date all the same.

    Returns
    -------
    dict of str to int
        ``opened``, ``closed``, and ``standing`` afterwards.

    Raises
    ------
    AlertError
        If the log has no such run.
    """
    run = session.get(ForecastRun, run_id)
    if run is None:
        raise AlertError(f"The forecast log has no run {run_id}; 'shortcast score' makes one.")
    of_same_data = (
        sa.select(Alert)
        .join(ForecastRun, Alert.run_id == ForecastRun.id)
        .where(ForecastRun.data == run.data)
    )
    later = of_same_data.where(
        sa.or_(Alert.opened_on > run.as_of, Alert.closed_on > run.as_of)
    ).limit(1)
    moved_on = session.scalar(later) is not None
    standing = _standing(session, of_same_data, run.as_of)
    if moved_on:
        return {"opened": 0, "closed": 0, "standing": sum(map(len, standing.values()))}

    previous = run_before(session, run)
    now = _sights(session, run)
    before = _sights(session, previous) if previous else {}
    _add_notices(warehouse, run.as_of, now, previous.as_of if previous else None, before)
    step = Step(
        as_of=run.as_of,
        base_rate=_average(now),
        first=previous is None,
        same_model=previous is None
        or (previous.model_name, previous.model_version) == (run.model_name, run.model_version),
    )

    closed = 0
    for drug_id, alerts in standing.items():
        over = alert_rules.closings(
            now.get(drug_id), [(alert.kind, alert.opened_on) for alert in alerts], step
        )
        for alert in alerts:
            if alert.kind in over:
                alert.closed_on = run.as_of
                closed += 1
    taken = {
        (drug_id, kind)
        for drug_id, kind in session.execute(
            sa.select(Alert.drug_id, Alert.kind).where(Alert.opened_on == run.as_of)
        )
    }
    opened = [
        Alert(
            drug_id=drug_id,
            kind=opening.kind,
            opened_on=run.as_of,
            run_id=run.id,
            score=sight.score,
            rank=sight.rank,
            message=opening.message,
        )
        for drug_id, sight in sorted(now.items())
        for opening in alert_rules.openings(
            before.get(drug_id),
            sight,
            {a.kind for a in standing.get(drug_id, ()) if a.closed_on is None},
            step,
        )
        if (drug_id, opening.kind) not in taken
    ]
    session.add_all(opened)
    session.flush()
    after = sum(map(len, standing.values())) - closed + len(opened)
    return {"opened": len(opened), "closed": closed, "standing": after}


def _standing(session: Session, alerts: sa.Select[Alert], as_of: date) -> dict[str, list[Alert]]:
    """Return the alerts that stand at a date, by drug."""
    found: dict[str, list[Alert]] = defaultdict(list)
    query = alerts.where(
        Alert.opened_on <= as_of, sa.or_(Alert.closed_on.is_(None), Alert.closed_on > as_of)
    )
    for alert in session.scalars(query.order_by(Alert.id)):
        found[alert.drug_id].append(alert)
    return found


def _sights(session: Session, run: ForecastRun) -> dict[str, Sight]:
    """Return what a run says of each drug, at 6 months, notices left out."""
    query = (
        sa.select(ForecastDetail.drug_id, Forecast.score, Forecast.rank, ForecastDetail.in_shortage)
        .outerjoin(
            Forecast,
            sa.and_(
                Forecast.run_id == ForecastDetail.run_id,
                Forecast.drug_id == ForecastDetail.drug_id,
                Forecast.horizon_months == HORIZON_MONTHS,
            ),
        )
        .where(ForecastDetail.run_id == run.id)
    )
    return {
        drug_id: Sight(score, rank, in_shortage)
        for drug_id, score, rank, in_shortage in session.execute(query)
    }


def _average(sights: Mapping[str, Sight]) -> float | None:
    """Return the mean score: calibrated scores average to the share of drugs to expect."""
    scores = [sight.score for sight in sights.values() if sight.score is not None]
    return sum(scores) / len(scores) if scores else None


def _add_notices(
    warehouse: duckdb.DuckDBPyConnection | None,
    as_of: date,
    now: dict[str, Sight],
    previous: date | None,
    before: dict[str, Sight],
) -> None:
    """Put into the sights of two runs the discontinuation notices known at their dates."""
    if previous is None:
        return
    try:
        if warehouse is None:
            with open_warehouse() as opened:
                notices = _notices(opened, [previous, as_of])
        else:
            notices = _notices(warehouse, [previous, as_of])
    except (ShortcastError, duckdb.Error) as error:
        log.warning("No discontinuation alerts: %s", error)
        return
    for day, sights in ((previous, before), (as_of, now)):
        for drug_id in sights.keys() & notices[day].keys():
            sights[drug_id] = replace(sights[drug_id], notices=frozenset(notices[day][drug_id]))


def _notices(
    connection: duckdb.DuckDBPyConnection, dates: list[date]
) -> dict[date, dict[str, set[Notice]]]:
    """Return the notices known at each date, by drug."""
    view = AsOf(connection, dates)
    rows = connection.execute(
        f"""
        SELECT DISTINCT as_of, drug_id, event_date, coalesce(company_name, firm_id)
        FROM {view.known("drug_discontinuations")}
        WHERE drug_id IS NOT NULL AND event_date IS NOT NULL
        """
    ).fetchall()
    found: dict[date, dict[str, set[Notice]]] = {day: defaultdict(set) for day in dates}
    for as_of, drug_id, event_date, firm in rows:
        found[as_of][drug_id].add(Notice(event_date, firm or "a maker not named"))
    return found
