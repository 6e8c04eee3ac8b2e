"""How fresh each source is: its last snapshot against the rhythm in which it publishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import duckdb

from shortcast.features.fetch_log import GOOD, Standing
from shortcast.features.kind import named
from shortcast.features.sources import Source, registry
from shortcast.monitoring.findings import Finding

State = Literal["fresh", "late", "stale", "never"]

#: Ages, in multiples of a source's cadence, above which it is late and stale. Our choice:
#: half a cadence is the delay that regular publications show, and after three the source
#: has in all likelihood moved or ended.
LATE_AFTER = 1.5
STALE_AFTER = 3.0

#: A source that is asked, and found unchanged, is as fresh as the last look at it: it pauses at
#: weekends and over holidays. But one that has been silent for `STALE_AFTER` cadences and so many
#: days more may have ended, and is late however often it is looked at.
UNCHANGED_DAYS = 7

#: Share of a snapshot's rows in quarantine above which its reader no longer fits it. Our
#: choice; sound snapshots stay well below 1 %.
MAX_REJECTED_SHARE = 0.05


@dataclass(frozen=True)
class Refusal:
    """A snapshot that was refused whole."""

    as_of: date
    reason: str


@dataclass(frozen=True)
class Freshness:
    """How fresh one source is.

    Attributes
    ----------
    source, title : str
        Its name and its title.
    cadence_days : int
        Days between two regular publications.
    state : {'fresh', 'late', 'stale', 'never'}
        ``never``: no snapshot was ever accepted.
    last_as_of : date or None
        Day of the last accepted snapshot.
    age_days : int or None
        Days from then to today.
    rows, rejected : int
        Rows of that snapshot that were taken, and that went to quarantine.
    rejected_share : float or None
        Of all rows of that snapshot; None if it has none.
    reject_reasons : tuple of (str, int)
        Why rows of that snapshot went to quarantine, most frequent first, at most five.
    refused : tuple of Refusal
        Snapshots refused whole, newest first.
    fetched : Standing or None
        How far its fetching has come; None where it is only imported.
    """

    source: str
    title: str
    cadence_days: int
    state: State
    last_as_of: date | None = None
    age_days: int | None = None
    rows: int = 0
    rejected: int = 0
    rejected_share: float | None = None
    reject_reasons: tuple[tuple[str, int], ...] = ()
    refused: tuple[Refusal, ...] = ()
    fetched: Standing | None = None

    @property
    def fetch_fault(self) -> str:
        """Why the last fetch brought nothing that could be taken; '' where it did."""
        if self.fetched is None or self.fetched.last.state in GOOD:
            return ""
        last = self.fetched.last
        return f"The fetch of {last.day} brought no new snapshot ({last.state}): {last.message}"


def _state(age: int, cadence: int, fetched: Standing | None, today: date) -> State:
    """Judge a source by the last look at it, or by its last snapshot where that is younger."""
    if fetched is None or fetched.seen_on is None:
        return state_of(age, cadence)
    state = state_of(min(age, (today - fetched.seen_on).days), cadence)
    is_silent = age > STALE_AFTER * cadence + UNCHANGED_DAYS
    return "late" if state == "fresh" and is_silent else state


def state_of(age_days: int | None, cadence_days: int) -> State:
    """Judge an age against a cadence by `LATE_AFTER` and `STALE_AFTER`.

    Parameters
    ----------
    age_days : int or None
        Days since the newest record; None if there never was one.
    cadence_days : int
        Days between two releases, as the source declares.

    Returns
    -------
    str
        'fresh', 'late', 'stale' or 'never'.
    """
    if age_days is None:
        return "never"
    if age_days <= LATE_AFTER * cadence_days:
        return "fresh"
    return "late" if age_days <= STALE_AFTER * cadence_days else "stale"


def freshness(
    connection: duckdb.DuckDBPyConnection,
    today: date,
    sources: Mapping[str, Source] | None = None,
    fetched: Mapping[str, Standing] | None = None,
) -> list[Freshness]:
    """Tell how fresh every registered source is.

    Parameters
    ----------
    connection : DuckDBPyConnection
        The warehouse, with ``snapshots``, ``quarantine`` and ``build``.
    today : date
        The day to judge by; later snapshots do not count.
    sources : mapping of str to Source, optional
        Those of the registry when left out.
    fetched : mapping of str to Standing, optional
        How far the fetching of each has come (`shortcast.features.fetch_log.standings`).

    Returns
    -------
    list of Freshness
        One a source, by name.
    """
    last = {
        row[0]: row[1:]
        for row in connection.execute(
            """
            SELECT source, as_of, rows, rejected
            FROM snapshots
            WHERE state = 'accepted' AND as_of <= ?
            QUALIFY row_number() OVER (PARTITION BY source ORDER BY as_of DESC) = 1
            """,
            [today],
        ).fetchall()
    }
    refused: dict[str, list[Refusal]] = {}
    for source, as_of, reason in connection.execute(
        """
        SELECT source, as_of, reason
        FROM snapshots
        WHERE state = 'refused' AND as_of <= ?
        ORDER BY as_of DESC
        """,
        [today],
    ).fetchall():
        refused.setdefault(source, []).append(Refusal(as_of, reason))
    reasons: dict[tuple[str, date], list[tuple[str, int]]] = {}
    for source, as_of, reason, count in connection.execute(
        """
        SELECT source, as_of, reason, count(*) AS rejected
        FROM quarantine
        GROUP BY source, as_of, reason
        QUALIFY row_number() OVER (PARTITION BY source, as_of ORDER BY rejected DESC, reason) <= 5
        ORDER BY rejected DESC, reason
        """
    ).fetchall():
        reasons.setdefault((source, as_of), []).append((reason, count))

    ((data,),) = connection.execute("SELECT data FROM build").fetchall()
    found = []
    for name, source in sorted((registry() if sources is None else sources).items()):
        standing = (fetched or {}).get(name)
        refusals, title = tuple(refused.get(name, ())), named(source.title, data)
        if name not in last:
            never = Freshness(
                name, title, source.cadence_days, "never", refused=refusals, fetched=standing
            )
            found.append(never)
            continue
        as_of, rows, rejected = last[name]
        rows, rejected = int(rows or 0), int(rejected or 0)
        age = (today - as_of).days
        found.append(
            Freshness(
                source=name,
                title=title,
                cadence_days=source.cadence_days,
                state=_state(age, source.cadence_days, standing, today),
                last_as_of=as_of,
                age_days=age,
                rows=rows,
                rejected=rejected,
                rejected_share=rejected / (rows + rejected) if rows + rejected else None,
                reject_reasons=tuple(reasons.get((name, as_of), ())),
                refused=refusals,
                fetched=standing,
            )
        )
    return found


def findings(states: Sequence[Freshness]) -> list[Finding]:
    """Return at most one finding a source: the gravest of what is wrong with it.

    Parameters
    ----------
    states : sequence of Freshness
        What `freshness` returned.

    Returns
    -------
    list of Finding
        Of kind ``source``.
    """
    return [found for state in states if (found := _finding(state)) is not None]


def _finding(state: Freshness) -> Finding | None:
    newest_refusal = state.refused[0] if state.refused else None
    if newest_refusal and (state.last_as_of is None or newest_refusal.as_of > state.last_as_of):
        return Finding(
            "source",
            state.source,
            "alarm",
            f"{state.title}: the snapshot of {newest_refusal.as_of} was refused: "
            f"{newest_refusal.reason}",
        )
    if state.state == "never":
        return Finding(
            "source",
            state.source,
            "warning",
            f"{state.title}: no snapshot yet; import one, or fetch it where it is "
            f"fetched.{_and_why(state)}",
        )
    if state.state != "fresh":
        bound = LATE_AFTER if state.state == "late" else STALE_AFTER
        rhythm = "day" if state.cadence_days == 1 else f"{state.cadence_days} days"
        seen = state.fetched.seen_on if state.fetched else None
        if seen is not None and state.last_as_of is not None and seen > state.last_as_of:
            looked = f"; it was last found unchanged on {seen}"
        else:
            looked = ""
        return Finding(
            "source",
            state.source,
            "warning" if state.state == "late" else "alarm",
            f"{state.title}: the last snapshot is of {state.last_as_of}, {state.age_days:,} days "
            f"old{looked}; it is published every {rhythm}.{_and_why(state)}",
            value=state.age_days,
            threshold=bound * state.cadence_days,
        )
    if state.fetch_fault:
        return Finding("source", state.source, "warning", f"{state.title}: {state.fetch_fault}")
    if state.rejected_share is not None and state.rejected_share > MAX_REJECTED_SHARE:
        reason = f", most often: {state.reject_reasons[0][0]}" if state.reject_reasons else ""
        return Finding(
            "source",
            state.source,
            "warning",
            f"{state.title}: {state.rejected:,} of {state.rows + state.rejected:,} rows of "
            f"{state.last_as_of} went to quarantine{reason}.",
            value=state.rejected_share,
            threshold=MAX_REJECTED_SHARE,
        )
    return None


def _and_why(state: Freshness) -> str:
    """Return what the last fetch has to do with it, as a further sentence."""
    return f" {state.fetch_fault}" if state.fetch_fault else ""
