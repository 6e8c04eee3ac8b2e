"""The first run: from a folder of records, or from none, to a service that can answer.

A home without records gets those of a made-up market, so that all of it can be seen at work at
once. What is there already for the same records is not made again: files in the archive, parsed
snapshots, the warehouse, the panel, the champion, the forecast. So a second run starts in
seconds, and one that was killed repeats what it was at. Backtest, training and promotion
count as one: killed in any of them, it begins with the backtest again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from shortcast import jobs
from shortcast.errors import ShortcastError
from shortcast.features import groups, simulated, warehouse
from shortcast.features.archive import Archive, checksum
from shortcast.features.kind import warning
from shortcast.settings import settings
from shortcast.training.bundle import Bundle
from shortcast.training.splits import months_later

#: Months of the backtest that a first run shows; the last ones whose outcomes are known. Fewer
#: suffice for a made-up market: it has as many new shortages a year, and is there to be seen soon.
BACKTEST_MONTHS = {"real": 21, "simulated": 12}

#: The market that a home without records gets: large enough to rank, and soon made.
DRUGS, YEARS, SEED = 600, 8, 1

#: The promotion rule and the summary look at the risk within six months.
HORIZON = 6


def prepare(records: Path | None, *, progress: Callable[[str], None] = jobs.quiet) -> None:
    """Bring this home up to date: data, champion, forecast, alerts.

    Parameters
    ----------
    records : Path or None
        Folder ``SOURCE/AS_OF/FILE`` to import; None to go on with the archive's, or with
        those of a made-up market where there are none.
    progress : callable
        Told each step.

    Raises
    ------
    ShortcastError
        If the records do not suffice to train on, or are of another kind than the archive's,
        or another first run is at work in this home.
    """
    with _alone():
        _prepare(records, progress)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold this home for the whole of a first run; each step holds its own lock beside it.

    Raises
    ------
    ShortcastError
        If another first run is at work.
    """
    home = settings().home
    home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home / ".first-run.lock").acquire(timeout=0):
            yield
    except Timeout as error:
        raise ShortcastError(
            f"Another 'make up' or 'shortcast up' is at work in {home}, so this one stopped before "
            "it began; wait until that one serves, or name another home: SHORTCAST_HOME=DIR."
        ) from error


def _prepare(records: Path | None, progress: Callable[[str], None]) -> None:
    """Do what `prepare` says, with the home to itself."""
    config = settings()
    if records is not None:
        report = jobs.import_tree(records)
        said = f"import: {len(report.added)} files added, {report.held} held already"
        progress(f"{said}, SIMULATED" if report.data == "simulated" else said)
    elif _lacks_records():
        _import_simulated(progress)
    built = warehouse.build(progress=progress)
    progress("build: done" if built.rebuilt else "build: nothing new")
    with warehouse.open_warehouse() as connection:
        known = jobs.read_records(connection)
    if not _is_champion_of(known.checksum, progress):
        end = _last_matured(known.records_end)
        start = months_later(end, 1 - BACKTEST_MONTHS[known.data])
        jobs.backtest(f"{start:%Y-%m}", f"{end:%Y-%m}", config.home / "backtest", progress=progress)
        version = jobs.train(progress=progress)
        from shortcast.training.promotion import RefusedError, promote

        try:
            promote(version, progress=progress)
        except RefusedError as refused:
            # The champion of earlier records goes on; without one there is nothing to serve.
            if not _can_score():
                raise
            progress(f"promote: {refused} The champion before it goes on.")
    today = datetime.now(UTC).date()
    progress(jobs.score(today, progress=progress).message)
    progress(jobs.JOBS["alerts"](today).message)
    progress(jobs.JOBS["monitor"](today).message)


def what_to_try(address: str) -> list[str]:
    """Say where the service answers, and what is worth a look.

    Parameters
    ----------
    address : str
        Of the service, ``http://127.0.0.1:8000``.

    Returns
    -------
    list of str
        Lines for a terminal.
    """
    from shortcast.monitoring import forecast_log

    run = forecast_log.latest_run()
    if run is None:
        return [f"Open {address}. Stop with Ctrl-C."]
    first = forecast_log.read_rankings(run.id, HORIZON, limit=1)["drug_id"].iloc[0]
    lines = [
        f"Open {address} - the ranking as of {run.as_of}. Stop with Ctrl-C. To try:",
        f"  {address}/drugs/{first} - the first of the ranking: its reasons and their rows",
        f"  {address}/model - how good earlier rankings were, beside simpler ones",
        f"  {address}/sources - how fresh the records are, and what the watch found wrong",
        f"  {address}/docs - the API; {address}/v1/rankings.csv - the whole ranking as a table",
    ]
    if said := warning(run.data):
        real = (
            "  SHORTCAST_HOME=DIR make up RECORDS=DIR - the same on real records, in another home"
        )
        lines = [said, *lines, real]
    return lines


def _lacks_records() -> bool:
    """Return whether the archive is empty, or a run broke off before it was filled."""
    data = Archive(settings().archive).data()
    return data is None or (data == "simulated" and _half_made().exists())


def _half_made() -> Path:
    """Return where simulated records lie until they are in the archive."""
    return settings().home / ".simulated-in-progress"


def _import_simulated(progress: Callable[[str], None]) -> None:
    """Make up a market and take its records in, those of a run that broke off anew.

    The same parameters make the same bytes, so what the archive holds already stays.
    """
    from shortcast.features.simulated.parameters import Parameters

    home, folder = settings().home, _half_made()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    progress("no records yet: making up a market; all of it is SIMULATED")
    tree = simulated.records(
        Parameters(drugs=DRUGS, years=YEARS, seed=SEED), folder / "records", progress=progress
    )
    _require_same(tree)
    report = jobs.import_tree(tree)
    progress(f"import: {len(report.added)} files added, {report.held} held already, SIMULATED")
    (tree / simulated.TRUTH).replace(home / simulated.TRUTH)
    shutil.rmtree(folder)


def _require_same(tree: Path) -> None:
    """Refuse simulated records other than those that the archive holds part of.

    Raises
    ------
    ShortcastError
        If a file of the archive is not in the tree, or not with these bytes; nothing was
        imported then.
    """
    config = settings()
    for held in Archive(config.archive).entries():
        path = tree / held.source / held.as_of / held.file
        if not path.is_file() or checksum(path) != held.sha256:
            raise ShortcastError(
                f"{config.home} holds part of the simulated records of another version of "
                "shortcast; remove it, for it holds nothing real, and begin again."
            )


def _can_score() -> bool:
    """Return whether there is a champion that can be read and finds its features."""
    try:
        return set(Bundle.load(settings().champion).features) <= set(groups.features())
    except ShortcastError:
        return False


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
