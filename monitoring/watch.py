"""The watch: one look at sources, joins, drift and matured forecasts, and what it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb
import pandas as pd

from shortcast.errors import ShortcastError
from shortcast.features.fetch_log import Standing
from shortcast.features.sources import Source
from shortcast.monitoring import corrections, coverage, drift, freshness, scoreboard
from shortcast.monitoring.findings import Finding, Kind, store
from shortcast.settings import Settings


@dataclass(frozen=True)
class WatchReport:
    """What one watch saw.

    Attributes
    ----------
    sources : list of Freshness
        One a source.
    joins : list of JoinCoverage
        One a join.
    drifts : list of Drift
        One a column; empty where there was nothing to compare.
    scored : list of ScoredRun
        Forecasts scored for the first time on these records.
    findings : list of Finding
        What is wrong; also kept in the database.
    """

    sources: list[freshness.Freshness]
    joins: list[coverage.JoinCoverage]
    drifts: list[drift.Drift]
    scored: list[scoreboard.ScoredRun]
    findings: list[Finding]

    @property
    def summary(self) -> str:
        """One sentence for the record of runs."""
        fresh = sum(source.state == "fresh" for source in self.sources)
        alarms = sum(finding.severity == "alarm" for finding in self.findings)
        return (
            f"{fresh} of {len(self.sources)} sources fresh, {len(self.joins)} joins and "
            f"{len(self.drifts)} columns looked at, {len(self.scored)} forecasts scored; "
            f"{len(self.findings)} findings, {alarms} of them alarms."
        )


def watch(
    connection: duckdb.DuckDBPyConnection,
    day: date,
    *,
    reference: Mapping[str, Any] | None = None,
    current: pd.DataFrame | None = None,
    scores: pd.DataFrame | None = None,
    sources: Mapping[str, Source] | None = None,
    fetched: Mapping[str, Standing] | None = None,
    settings: Settings | None = None,
    now: datetime | None = None,
) -> WatchReport:
    """Look at everything there is to look at, and keep what was found.

    Parameters
    ----------
    connection : DuckDBPyConnection
        The warehouse in force.
    day : date
        The day to judge by.
    reference : mapping, optional
        The training window of the champion, from `shortcast.monitoring.drift.reference`.
    current : DataFrame, optional
        The panel at the last as-of date; None before anything was scored. Where it is there
        and no reference can be read, that is a finding: drift then goes unseen.
    scores : DataFrame, optional
        ``drug_id``, ``horizon_months``, ``score`` at that date.
    sources : mapping of str to Source, optional
        Those of the registry when left out.
    fetched : mapping of str to Standing, optional
        How far the fetching of each has come.
    settings : Settings, optional
        Settings that name the database.
    now : datetime, optional
        The moment to note beside scores; the present when left out.

    Returns
    -------
    WatchReport
        What was seen. Findings are stored, and those no longer there are closed.
    """
    states = freshness.freshness(connection, day, sources, fetched)
    joins = coverage.coverage(connection)
    found = [
        *freshness.findings(states),
        *corrections.findings(connection, day),
        *coverage.findings(joins),
    ]
    looked_for: list[Kind] = ["source", "join"]
    drifts: list[drift.Drift] = []
    if current is not None:
        try:
            drifts = drift.compare(reference, current, scores)
        except ShortcastError as error:
            # Nothing was looked at, so drift that was found earlier stays open.
            found.append(Finding("feature", "reference", "alarm", str(error)))
        else:
            found += drift.findings(drifts)
            looked_for.append("feature")
            if any(d.kind == "score" for d in drifts):
                looked_for.append("score")
    scored = scoreboard.update(connection, settings, now)
    store(found, looked_for, day, settings)
    return WatchReport(states, joins, drifts, scored, found)
