"""The warehouse: typed tables with their times, rebuilt from the archive, swapped in whole.

The DuckDB file is never changed in place. A new one is built beside it and renamed over it,
so that a reader holds either the old or the new one, and a build that fails or is killed
leaves the last good warehouse in force.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd

from shortcast import __version__
from shortcast.errors import ShortcastError
from shortcast.features import links, spells
from shortcast.features.archive import Archive, exclusive
from shortcast.features.facts import TableFile, make_facts
from shortcast.features.kind import Data
from shortcast.features.parse import ParsedSnapshot, as_record, parse_all
from shortcast.features.sources import registry
from shortcast.features.sources.contract import Table
from shortcast.features.steps import Steps
from shortcast.settings import Settings, settings


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Attributes
    ----------
    rebuilt : bool
        False if nothing had changed.
    snapshots : DataFrame
        Snapshots with their rows, rejects, state and reason.
    coverage : DataFrame
        Joins with rows, matched rows, share and floor.
    """

    rebuilt: bool
    snapshots: pd.DataFrame
    coverage: pd.DataFrame


def open_warehouse(config: Settings | None = None) -> duckdb.DuckDBPyConnection:
    """Open the warehouse in force, read only.

    Parameters
    ----------
    config : Settings, optional
        Settings that name the warehouse; those in force when left out.

    Returns
    -------
    DuckDBPyConnection
        To be closed by the caller.

    Raises
    ------
    ShortcastError
        If none has been built yet, or the file is damaged.
    """
    config = config or settings()
    path = config.warehouse
    if not path.exists():
        raise ShortcastError(
            f"There is no warehouse at {path}; run 'shortcast import DIR' and 'shortcast build'."
        )
    # Attached to an instance of its own: DuckDB keeps one instance for each path and process, and
    # would hand out the file of before as long as any other connection holds it open.
    connection = duckdb.connect(
        config={
            "threads": config.threads,
            "memory_limit": config.memory_limit,
            # Else what does not fit into memory is spilt into the current folder.
            "temp_directory": str(config.home / "tmp"),
        }
    )
    quoted = str(path).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{quoted}' AS warehouse (READ_ONLY)")
        connection.execute("USE warehouse")
        return connection
    except duckdb.Error as error:
        connection.close()
        raise ShortcastError(
            f"The warehouse {path} cannot be opened ({str(error).splitlines()[0]}); run "
            "'shortcast build --force' to build it again from the archive."
        ) from error


def build(
    config: Settings | None = None,
    *,
    force: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> BuildReport:
    """Parse what is new and swap in a new warehouse, if anything changed.

    Parameters
    ----------
    config : Settings, optional
        Settings in force by default.
    force : bool
        Build even if nothing changed.
    progress : callable
        Told what is being done.

    Returns
    -------
    BuildReport
        Snapshots and coverage of the warehouse in force.

    Raises
    ------
    ShortcastError
        If the archive is empty or another run is writing.
    """
    config = config or settings()
    with exclusive(config.home, what="the build"):
        archive = Archive(config.archive)
        data = archive.data() or "real"
        snapshots = parse_all(
            archive,
            config.parsed,
            workers=config.threads,
            progress=progress,
        )
        if not snapshots:
            raise ShortcastError(
                f"The archive {config.archive} is empty; run 'shortcast import DIR' first."
            )
        fingerprint = _fingerprint(snapshots)
        rebuilt = force or _fingerprint_in_force(config) != fingerprint
        if rebuilt:
            _build_beside(config, snapshots, fingerprint, data, progress, anew=force)
    with open_warehouse(config) as connection:
        return BuildReport(
            rebuilt,
            connection.sql("SELECT * FROM snapshots ORDER BY source, as_of").df(),
            connection.sql("SELECT * FROM coverage ORDER BY join_name").df(),
        )


def judged_on(connection: duckdb.DuckDBPyConnection, today: date) -> date:
    """Return the day by which the age of the records of a warehouse is judged.

    Simulated records end on a day that was made up as they are, and nothing newer ever comes:
    they are looked at from the day after, and not from the clock, by which all would be stale.

    Parameters
    ----------
    connection : DuckDBPyConnection
        The warehouse.
    today : date
        Today by the clock.

    Returns
    -------
    date
        ``today`` for real records; for simulated ones the day after their newest snapshot, if
        that is earlier.
    """
    ((data, newest),) = connection.execute(
        "SELECT data, (SELECT max(as_of) FROM snapshots WHERE state = 'accepted') FROM build"
    ).fetchall()
    if data == "real" or newest is None:
        return today
    return min(today, newest + timedelta(days=1))


def records_checksum(snapshots: Sequence[ParsedSnapshot]) -> str:
    """Return one checksum over the raw files of the accepted snapshots.

    What was refused is in no table: the records are the same without it, and others once it
    is accepted.

    Parameters
    ----------
    snapshots : sequence of ParsedSnapshot
        All that were parsed, in order.

    Returns
    -------
    str
        SHA-256 as hexadecimal text.
    """
    joined = "\n".join(
        f"{s.source} {s.as_of} {s.checksum}" for s in snapshots if s.state == "accepted"
    )
    return hashlib.sha256(joined.encode()).hexdigest()


def _fingerprint(snapshots: Sequence[ParsedSnapshot]) -> str:
    """Return a checksum over the parsed snapshots and the code that joins them."""
    digest = hashlib.sha256(_code_checksum().encode())
    for snapshot in snapshots:
        digest.update(snapshot.fingerprint.encode())
    return digest.hexdigest()


def _code_checksum() -> str:
    """Return a checksum over the code that makes facts and joins them."""
    here = Path(__file__).parent
    names = ("warehouse", "steps", "facts", "spells", "asof", "recall_reasons")
    code = [
        *(here / f"{name}.py" for name in names),
        *(here / "links").glob("*.py"),
        *(here / "identity").glob("*.py"),
        *(here / "identity").glob("*.csv"),
    ]
    digest = hashlib.sha256()
    for path in sorted(code):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _fingerprint_in_force(config: Settings) -> str | None:
    """Return the fingerprint of the warehouse in force, or None if there is no good one."""
    if not config.warehouse.exists():
        return None
    try:
        with open_warehouse(config) as connection:
            rows = connection.execute("SELECT fingerprint FROM build").fetchall()
    except (ShortcastError, duckdb.Error):
        return None
    return rows[0][0] if rows else None


def _build_beside(
    config: Settings,
    snapshots: Sequence[ParsedSnapshot],
    fingerprint: str,
    data: Data,
    progress: Callable[[str], None],
    *,
    anew: bool,
) -> None:
    """Build a warehouse file beside the one in force, then rename it over.

    It begins as a copy of the one in force, whose tables stay where nothing that they are made
    from has changed, unless all is to be made anew.
    """
    aside = config.warehouse.with_name(f".{config.warehouse.name}.building")
    copied = not anew and config.warehouse.exists()
    connection, steps = _begin(aside, config, config.warehouse if copied else None)
    with connection:
        _record_snapshots(connection, snapshots)
        steps.stamp("snapshots", fingerprint)
        for table in _tables():
            of = [s for s in snapshots if s.state == "accepted" and table.name in s.rows]

            def run(table: Table = table, of: Sequence[ParsedSnapshot] = of) -> None:
                progress(f"facts: {table.name}")
                files = [TableFile(s.source, s.as_of, s.table(table.name)) for s in of]
                make_facts(connection, table, files)

            steps.make(f"facts: {table.name}", run, given="\n".join(s.fingerprint for s in of))
        links.make_links(connection, steps=steps, progress=progress)

        def tell_spells() -> None:
            progress("shortage spells")
            spells.make_spells(connection)

        steps.make("shortage spells", tell_spells, needs=spells.NEEDS)
        steps.finish()
        connection.execute(
            "CREATE TABLE build AS SELECT ? AS fingerprint, ? AS built_at, ? AS code_version, "
            "? AS data, ? AS records_checksum",
            [
                fingerprint,
                datetime.now(UTC).isoformat(timespec="seconds"),
                __version__,
                data,
                records_checksum(snapshots),
            ],
        )
        connection.execute("CHECKPOINT")
    os.replace(aside, config.warehouse)


def _begin(
    aside: Path, config: Settings, former: Path | None
) -> tuple[duckdb.DuckDBPyConnection, Steps]:
    """Open an empty warehouse, or a copy of a former one if it is of any use."""
    for leftover in (aside, aside.with_name(aside.name + ".wal")):
        leftover.unlink(missing_ok=True)
    if former is not None:
        shutil.copyfile(former, aside)
    connection = None
    try:
        connection = duckdb.connect(
            str(aside),
            config={
                "threads": config.threads,
                "memory_limit": config.memory_limit,
                "temp_directory": str(config.home / "tmp"),
            },
        )
        return connection, Steps(connection, code=_code_checksum())
    except duckdb.Error:
        if connection is not None:
            connection.close()
        if former is None:
            raise
        return _begin(aside, config, None)


def _record_snapshots(
    connection: duckdb.DuckDBPyConnection, snapshots: Sequence[ParsedSnapshot]
) -> None:
    """Fill the tables ``snapshots`` and ``quarantine``."""
    frame = pd.DataFrame([as_record(s) for s in snapshots])
    connection.register("frame", frame)
    connection.execute(
        "CREATE TABLE snapshots AS SELECT source, CAST(as_of AS DATE) AS as_of, files, bytes, "
        "checksum, rows, rejected, state, reason FROM frame"
    )
    connection.unregister("frame")
    connection.execute(
        "CREATE TABLE quarantine (source VARCHAR, as_of DATE, file VARCHAR, row BIGINT, "
        '"column" VARCHAR, value VARCHAR, reason VARCHAR)'
    )
    rejects = [str(s.table("rejects")) for s in snapshots if s.state == "accepted"]
    if rejects:
        connection.execute("INSERT INTO quarantine SELECT * FROM read_parquet(?)", [rejects])


def _tables() -> list[Table]:
    """Return each declared table once.

    Raises
    ------
    TypeError
        If two sources declare one table differently.
    """
    found: dict[str, Table] = {}
    for source in registry().values():
        for table in source.tables:
            if found.setdefault(table.name, table) != table:
                raise TypeError(f"the table {table.name} is declared in two different ways")
    return list(found.values())
