"""The first run: from a folder of records to a service that can answer.

What is there already for the same records is not made again: files in the archive, parsed
snapshots, the warehouse, the panel, the champion, the forecast. So a second run starts in
seconds, and one that was killed repeats what it was at. Backtest, training and promotion
count as one: killed in any of them, it begins with the backtest again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from shortcast import jobs
from shortcast.errors import ShortcastError
from shortcast.features import groups, warehouse
from shortcast.settings import settings
from shortcast.training.bundle import Bundle
from shortcast.training.splits import months_later

#: Months of the backtest that a first run shows; the last ones whose outcomes are known.
BACKTEST_MONTHS = 21

#: The promotion rule and the summary look at the risk within six months.
HORIZON = 6


def prepare(records: Path | None, *, progress: Callable[[str], None] = jobs.quiet) -> None:
    """Bring this home up to date: data, champion, forecast, alerts.

    Parameters
    ----------
    records : Path or None
        Folder ``SOURCE/AS_OF/FILE`` to import; None to go on with the archive's.
    progress : callable
        Told each step.

    Raises
    ------
    ShortcastError
        If there are no records, or they do not suffice to train on.
    """
    config = settings()
    if records is not None:
        report = jobs.import_tree(records)
        progress(f"import: {len(report.added)} files added, {report.held} held already")
    elif not config.archive.exists():
        raise ShortcastError(
            "There are no records yet; name a folder: make up RECORDS=DIR "
            "(or: shortcast up --records DIR)."
        )
    built = warehouse.build(progress=progress)
    progress("build: done" if built.rebuilt else "build: nothing new")
    with warehouse.open_warehouse() as connection:
        known = jobs.read_records(connection)
    if not _is_champion_of(known.checksum, progress):
        end = _last_matured(known.records_end)
        start = months_later(end, -(BACKTEST_MONTHS - 1))
        metrics = jobs.backtest(
            f"{start:%Y-%m}", f"{end:%Y-%m}", config.home / "backtest", progress=progress
        )
        version = jobs.train(metrics=metrics, progress=progress)
        from shortcast.training.promotion import promote

        promote(version, progress=progress)
    today = datetime.now(UTC).date()
    progress(jobs.score(today, progress=progress).message)
    progress(jobs.JOBS["alerts"](today).message)
    progress(jobs.JOBS["monitor"](today).message)


def _is_champion_of(checksum: str, progress: Callable[[str], None]) -> bool:
    """Return whether there is a champion of these records that knows the features of today."""
    folder = settings().champion
    if not folder.exists():
        return False
    try:
        bundle = Bundle.load(folder)
    except ShortcastError as error:
        # Damaged, or of an earlier version: a new one takes its place.
        progress(f"champion: {error}")
        return False
    if bundle.records_checksum != checksum:
        return False
    if set(bundle.features) != set(groups.features()):
        progress("champion: it was trained on other features than this version has")
        return False
    return True


def _last_matured(records_end: date) -> date:
    """Return the last first-of-month whose six-month outcome the records reach."""
    day = records_end.replace(day=1)
    while months_later(day, HORIZON) > records_end:
        day = months_later(day, -1)
    return day
