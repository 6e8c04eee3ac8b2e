"""What the forecast log says of drugs, in the order and the pages that readers ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from shortcast.database import session
from shortcast.monitoring.forecast_log import Forecast, ForecastDetail, ForecastRun
from shortcast.settings import Settings

#: Horizons in months.
HORIZONS = (3, 6, 12)

_BESIDE = sa.and_(
    Forecast.run_id == ForecastDetail.run_id, Forecast.drug_id == ForecastDetail.drug_id
)


@dataclass(frozen=True)
class Scored:
    """How many drugs a run scored at a horizon, their mean score and the highest."""

    drugs: int
    mean: float
    top: float


def scored(settings: Settings, run_id: int) -> dict[int, Scored]:
    """Return, by horizon, how many drugs a run scored, their mean score and the highest.

    Parameters
    ----------
    settings : Settings
        Name the application database.
    run_id : int
        The run.

    Returns
    -------
    dict of int to Scored
        By horizon in months.
    """
    query = (
        sa.select(
            Forecast.horizon_months,
            sa.func.count(),
            sa.func.avg(Forecast.score),
            sa.func.max(Forecast.score),
        )
        .where(Forecast.run_id == run_id)
        .group_by(Forecast.horizon_months)
    )
    with session(settings, write=False) as reading:
        return {
            horizon: Scored(drugs, float(mean), top)
            for horizon, drugs, mean, top in reading.execute(query)
        }


def in_shortage_count(settings: Settings, run_id: int) -> int:
    """Return how many drugs a run left out because they were in shortage.

    Parameters
    ----------
    settings : Settings
        Name the application database.
    run_id : int
        The run.

    Returns
    -------
    int
    """
    query = sa.select(sa.func.count()).where(
        ForecastDetail.run_id == run_id, ForecastDetail.in_shortage
    )
    with session(settings, write=False) as reading:
        return reading.scalar(query) or 0


def ranking(
    settings: Settings,
    run_id: int,
    horizon: int,
    *,
    q: str = "",
    form_group: str | None = None,
    limit: int,
    offset: int = 0,
) -> tuple[int, list[dict[str, Any]]]:
    """Return part of a run's ranking.

    Parameters
    ----------
    settings : Settings
        Settings that name the database.
    run_id, horizon : int
        The run, and the horizon in months.
    q : str
        Words that all stand in the drug's name or identity, in any order and case.
    form_group : str, optional
        Only this form group.
    limit, offset : int
        Rows to return, and to pass over.

    Returns
    -------
    total : int
        Rows that match.
    rows : list of dict
        ``rank``, ``drug_id``, ``name``, ``form_group``, ``score``, ``reasons``,
        ``completeness``, by rank.
    """
    where = [
        Forecast.run_id == run_id,
        Forecast.horizon_months == horizon,
        *_matching(q, form_group),
    ]
    columns = (
        Forecast.rank,
        Forecast.drug_id,
        ForecastDetail.name,
        ForecastDetail.form_group,
        Forecast.score,
        ForecastDetail.reasons,
        ForecastDetail.completeness,
    )
    joined = sa.select(*columns).join(ForecastDetail, _BESIDE).where(*where)
    return _part(settings, joined, (Forecast.rank,), limit, offset)


def drugs(
    settings: Settings,
    run_id: int,
    *,
    q: str = "",
    form_group: str | None = None,
    in_shortage: bool | None = None,
    limit: int,
    offset: int = 0,
) -> tuple[int, list[dict[str, Any]]]:
    """Return part of the drugs of a run, scored or in shortage, by name.

    Parameters
    ----------
    settings, run_id, q, form_group, limit, offset
        As in `ranking`.
    in_shortage : bool, optional
        Only drugs that are, or that are not, in shortage.

    Returns
    -------
    total : int
        Rows that match.
    rows : list of dict
        ``drug_id``, ``name``, ``form_group``, ``in_shortage``, and ``score_6_months`` and
        ``rank_6_months``, null for a drug in shortage.
    """
    query = (
        sa.select(
            ForecastDetail.drug_id,
            ForecastDetail.name,
            ForecastDetail.form_group,
            ForecastDetail.in_shortage,
            Forecast.score.label("score_6_months"),
            Forecast.rank.label("rank_6_months"),
        )
        .outerjoin(Forecast, sa.and_(_BESIDE, Forecast.horizon_months == 6))
        .where(ForecastDetail.run_id == run_id, *_matching(q, form_group))
    )
    if in_shortage is not None:
        query = query.where(ForecastDetail.in_shortage.is_(in_shortage))
    by = (sa.func.lower(ForecastDetail.name), ForecastDetail.drug_id)
    return _part(settings, query, by, limit, offset)


def past_forecasts(
    settings: Settings,
    data: str,
    *,
    drug_id: str | None = None,
    horizon: int | None = None,
    since: date | None = None,
    before: date | None = None,
    limit: int,
    offset: int = 0,
) -> tuple[int, list[dict[str, Any]]]:
    """Return forecasts as they were given, newest as-of date first.

    Parameters
    ----------
    settings : Settings
        Settings that name the database.
    data : {'real', 'simulated'}
        Real forecasts and simulated ones are never mixed.
    drug_id : str, optional
        Only this drug.
    horizon : int, optional
        Only this horizon, in months.
    since, before : date, optional
        Only runs whose as-of date is not earlier than, or is earlier than.
    limit, offset : int
        Rows to return, and to pass over.

    Returns
    -------
    total : int
        Rows that match.
    rows : list of dict
        ``run_id``, ``as_of``, ``made_at``, ``model_name``, ``model_version``,
        ``model_records_end``, ``drug_id``, ``horizon_months``, ``score``, ``rank``.
    """
    query = (
        sa.select(
            ForecastRun.id.label("run_id"),
            ForecastRun.as_of,
            ForecastRun.made_at,
            ForecastRun.model_name,
            ForecastRun.model_version,
            ForecastRun.model_records_end,
            Forecast.drug_id,
            Forecast.horizon_months,
            Forecast.score,
            Forecast.rank,
        )
        .join(Forecast, Forecast.run_id == ForecastRun.id)
        .where(ForecastRun.data == data)
    )
    if drug_id is not None:
        query = query.where(Forecast.drug_id == drug_id)
    if horizon is not None:
        query = query.where(Forecast.horizon_months == horizon)
    if since is not None:
        query = query.where(ForecastRun.as_of >= since)
    if before is not None:
        query = query.where(ForecastRun.as_of < before)
    by = (
        ForecastRun.as_of.desc(),
        ForecastRun.made_at.desc(),
        ForecastRun.id.desc(),
        Forecast.horizon_months,
        Forecast.rank,
    )
    return _part(settings, query, by, limit, offset)


def names(settings: Settings, run_id: int, drug_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the name and form group of drugs, as a run has them.

    Parameters
    ----------
    settings : Settings
        Name the application database.
    run_id : int
        The run.
    drug_ids : sequence of str
        Drugs; those that the run does not know are left out.

    Returns
    -------
    dict of str to (str, str)
        Name and form group, by ``drug_id``.
    """
    query = sa.select(ForecastDetail.drug_id, ForecastDetail.name, ForecastDetail.form_group).where(
        ForecastDetail.run_id == run_id, ForecastDetail.drug_id.in_(drug_ids)
    )
    with session(settings, write=False) as reading:
        return {row.drug_id: (row.name, row.form_group) for row in reading.execute(query)}


def _matching(q: str, form_group: str | None) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a search."""
    where: list[sa.ColumnElement[bool]] = []
    for word in q.lower().split():
        where.append(
            sa.or_(
                sa.func.lower(ForecastDetail.name).contains(word, autoescape=True),
                ForecastDetail.drug_id.contains(word, autoescape=True),
            )
        )
    if form_group is not None:
        where.append(ForecastDetail.form_group == form_group)
    return where


def _part(
    settings: Settings,
    query: sa.Select[*tuple[Any, ...]],
    by: Sequence[Any],
    limit: int,
    offset: int,
) -> tuple[int, list[dict[str, Any]]]:
    """Return how many rows a query has, and some of them."""
    with session(settings, write=False) as reading:
        total = reading.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
        rows = reading.execute(query.order_by(*by).limit(limit).offset(offset))
        return total, [dict(row._mapping) for row in rows]
