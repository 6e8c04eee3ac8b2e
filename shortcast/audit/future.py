"""The audit: build the panel from the records and from a falsified copy, and compare."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from shortcast.audit.compare import compare_panels
from shortcast.audit.falsify import Falsified, falsify_tree
from shortcast.errors import ShortcastError
from shortcast.features.archive import Archive, exclusive
from shortcast.features.asof import first_of_months
from shortcast.features.panel import write_panel
from shortcast.features.sources import registry
from shortcast.features.warehouse import build, open_warehouse
from shortcast.settings import Settings, settings

Progress = Callable[[str], None]

#: First month of the panel that is compared: the first that models are trained on.
FIRST_MONTH = "2015-01"

#: Months after T at which the panels ought to differ: an audit that nothing reaches is blind.
_REACTION_MONTHS = 6


def poisoned_future(
    records: Path, months: Sequence[str], progress: Progress = lambda _: None
) -> list[str]:
    """Falsify everything that became known at or after T, and look for it in rows up to T.

    Parameters
    ----------
    records : Path
        Tree of records, ``SOURCE/AS_OF/FILE``; it is only read.
    months : sequence of str
        Each T as ``YYYY-MM``: the first day of that month.
    progress : callable
        Told each step.

    Returns
    -------
    list of str
        One sentence for every column in which a row up to and including T differs, with the
        number of rows and an example; empty when the panels are the same.

    Raises
    ------
    ShortcastError
        If a month cannot be read, the records cannot be built, or the copy was not taken as it
        was meant, so that the comparison would prove nothing.
    """
    cuts = {month: first_of_months(month, month)[0] for month in months}
    start = first_of_months(FIRST_MONTH, FIRST_MONTH)[0]
    if not cuts or min(cuts.values()) < start:
        raise ShortcastError(f"Name at least one month T, not before {FIRST_MONTH}.")
    if not records.is_dir():
        raise ShortcastError(f"{records} is not a folder; give the folder that holds the records.")
    found: list[str] = []
    with tempfile.TemporaryDirectory(prefix="shortcast-audit-") as name:
        folder = Path(name)
        truth = settings().model_copy(update={"home": folder / "true"})
        _share(settings().parsed, truth.parsed)
        make_home(records, truth, progress)
        dates = {d for cut in cuts.values() for d in panel_dates(cut)}
        make_panel_file(truth, sorted(dates), folder / "true.parquet", progress)
        held = tables_held(truth)
        for month, cut in cuts.items():
            progress(f"T = {month}: falsifying what became known from {cut} on")
            tree, lie = folder / "records", truth.model_copy(update={"home": folder / "false"})
            done = falsify_tree(records, tree, cut, held, workers=truth.threads, progress=progress)
            tally = done.tally
            progress(
                f"T = {month}: of {tally.rows:,} rows in {len(done.snapshots)} snapshots "
                f"({done.made_up} made up), {tally.changed:,} changed, {tally.deleted:,} deleted; "
                f"{tally.added:,} added"
            )
            _share(truth.parsed, lie.parsed)
            make_home(tree, lie, progress)
            check_taken(lie, done)
            panel = make_panel_file(lie, panel_dates(cut), folder / "false.parquet", progress)
            found += [
                d.sentence(month)
                for d in compare_panels(folder / "true.parquet", panel, start, cut)
            ]
            tell_reaction(folder / "true.parquet", panel, month, progress)
            shutil.rmtree(tree)
            shutil.rmtree(lie.home)
    return found


def panel_dates(cut: date) -> list[date]:
    """Return the as-of dates that are worked out for one T: all up to T, and one well after.

    Parameters
    ----------
    cut : date
        T, the first of a month.

    Returns
    -------
    list of date
        Firsts of months, ascending.
    """
    later = (cut.year * 12 + cut.month - 1) + _REACTION_MONTHS
    return [
        *first_of_months(FIRST_MONTH, f"{cut:%Y-%m}"),
        date(later // 12, later % 12 + 1, 1),
    ]


def make_home(records: Path, config: Settings, progress: Progress = lambda _: None) -> None:
    """Import a tree of records into a home of its own and build its warehouse.

    Parameters
    ----------
    records : Path
        Tree of records.
    config : Settings
        Settings with the home.
    progress : callable
        Told each step.
    """
    with exclusive(config.home, what="the audit's import"):
        Archive(config.archive).import_tree(records, registry())
    build(config, progress=progress)


def make_panel_file(
    config: Settings, dates: Sequence[date], out: Path, progress: Progress = lambda _: None
) -> Path:
    """Write the panel of a home's warehouse at the given dates, and return the file.

    Parameters
    ----------
    config : Settings
        Name the home.
    dates : sequence of date
        As-of dates.
    out : Path
        The Parquet file to write.
    progress : callable
        Is told how far it is.

    Returns
    -------
    Path
        ``out``.
    """
    with open_warehouse(config) as connection:
        write_panel(connection, dates, out, progress=progress)
    return out


def tables_held(config: Settings) -> dict[tuple[str, str], frozenset[str]]:
    """Return the tables that each accepted snapshot of a home holds, by source and day.

    Parameters
    ----------
    config : Settings
        Name the home.

    Returns
    -------
    dict of (str, str) to frozenset of str
        Names of tables by source and day of the snapshot, ``YYYY-MM-DD``.
    """
    with open_warehouse(config) as connection:
        accepted = connection.execute(
            "SELECT source, as_of::VARCHAR FROM snapshots WHERE state = 'accepted'"
        ).fetchall()
    names = {table.name for source in registry().values() for table in source.tables}
    return {
        (source, day): frozenset(
            path.stem
            for path in (config.parsed / source).glob(f"{day}-*/*.parquet")
            if path.stem in names
        )
        for source, day in accepted
    }


def check_taken(config: Settings, done: Falsified) -> None:
    """Make sure that every falsified snapshot was read: a refused one would hide its rows.

    Parameters
    ----------
    config : Settings
        Name the home built from the falsified copy.
    done : Falsified
        What was falsified.

    Raises
    ------
    ShortcastError
        If a snapshot of the copy was refused, or is missing.
    """
    with open_warehouse(config) as connection:
        taken = {
            (source, day): (state, reason)
            for source, day, state, reason in connection.execute(
                "SELECT source, as_of::VARCHAR, state, reason FROM snapshots"
            ).fetchall()
        }
    for key in done.snapshots:
        state, reason = taken.get(key, ("missing", "it was not imported"))
        if state != "accepted":
            raise ShortcastError(
                f"The falsified {key[0]} of {key[1]} was not read ({reason}), so the audit would "
                "prove nothing; mend what shortcast/audit/declared.py says of the source."
            )


def tell_reaction(true: Path, false: Path, month: str, progress: Progress) -> None:
    """Say how many columns the false future reached after T, and which it did not.

    Parameters
    ----------
    true, false : Path
        Panels of the records and of the falsified copy.
    month : str
        T, as ``YYYY-MM``.
    progress : callable
        Is told the sentence.
    """
    later = panel_dates(first_of_months(month, month)[0])[-1]
    reached = {d.column for d in compare_panels(true, false, later, later)}
    blind = sorted(panel_columns(true) - reached)
    progress(
        f"T = {month}: at {later} the false future shows in {len(reached - {'rows'})} columns"
        + (f", not in {', '.join(blind)}" if blind else "")
    )


def panel_columns(panel: Path) -> set[str]:
    """Return the names of a panel's columns beside its keys.

    Parameters
    ----------
    panel : Path
        A Parquet file.

    Returns
    -------
    set of str
    """
    import pyarrow.parquet as parquet

    return set(parquet.read_schema(panel).names) - {"drug_id", "as_of"}


def _share(parsed: Path, into: Path) -> None:
    """Hand on parsed snapshots: the cache is keyed by the checksum of the files and the reader.

    Links are enough, as a parsed snapshot is replaced whole and never changed in place.
    """
    if parsed.is_dir():
        shutil.copytree(parsed, into, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
