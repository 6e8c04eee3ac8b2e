"""Whether known errors at the sources are still there: a correction that is over says so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb

from shortcast.features.sources.corrections import Correction, corrections
from shortcast.monitoring.findings import Finding


def findings(
    connection: duckdb.DuckDBPyConnection,
    today: date,
    known: Sequence[Correction] | None = None,
) -> list[Finding]:
    """Say which corrections no longer stand as they are written down.

    Parameters
    ----------
    connection : DuckDBPyConnection
        The warehouse, with ``build``, ``snapshots`` and ``quarantine``.
    today : date
        The day to judge by; later snapshots do not count.
    known : sequence of Correction, optional
        Those of the project when left out.

    Returns
    -------
    list of Finding
        Of kind ``source``: an open one whose error the newest snapshot does not have any more
        though an earlier one had it, and a mended one whose error is back. None for simulated
        records: their errors come by chance, and say nothing of the sources.
    """
    ((data,),) = connection.execute("SELECT data FROM build").fetchall()
    if data == "simulated":
        return []
    found = []
    for one in corrections() if known is None else known:
        ((last, newest),) = connection.execute(
            """
            SELECT max(s.as_of) FILTER (q.source IS NOT NULL), max(s.as_of)
            FROM snapshots AS s
            LEFT JOIN (
                SELECT DISTINCT source, as_of FROM quarantine WHERE starts_with(reason, ?)
            ) AS q ON q.source = s.source AND q.as_of = s.as_of
            WHERE s.source = ? AND s.state = 'accepted' AND s.as_of <= ?
            """,
            [one.mark, one.source, today],
        ).fetchall()
        if last is None:
            continue
        subject, known_as = f"{one.source}/{one.name}", f"The correction {one.name} ({one.reason})"
        if one.status == "open" and last < newest:
            said = (
                f"{known_as} was last needed for {one.source} of {last}, and not for {newest}: the "
                "source has mended it, so its status is now 'mended'."
            )
            found.append(Finding("source", subject, "warning", said))
        elif one.status == "mended" and last == newest:
            said = (
                f"{known_as} is needed again for {one.source} of {newest}, though the source had "
                "mended it, so its status is now 'open'."
            )
            found.append(Finding("source", subject, "warning", said))
    return found
