"""Parsing archived snapshots into typed Parquet files, once each.

The result is a cache: it is keyed by the snapshot's checksum and by the reader's own code, so
a changed file or a changed reader is parsed again and nothing else is.

A snapshot is refused whole, with the reason, if it is not what it claims to be, if most of its
rows are unusable, if it is a list that lost more than half of its rows at once, or if the archive
no longer holds its bytes; that is looked at again with the next build. A file that
was set aside under the same name then stands in for it.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pandas as pd

from shortcast.errors import ShortcastError
from shortcast.features.archive import Archive, Snapshot, checksum
from shortcast.features.sources import corrections, registry
from shortcast.features.sources.contract import (
    REJECT_COLUMNS,
    TIME_COLUMNS,
    Reading,
    Source,
    SourceError,
    Table,
)
from shortcast.processes import processes

#: A snapshot with a larger share of unusable rows is refused whole.
MAX_REJECTED_SHARE = 0.5

#: What the reason says of a snapshot that the archive no longer holds as it was.
DAMAGED = "is missing from the archive or no longer what was archived"

#: Less than this is read sooner than another process is started.
PROCESSES_FROM_BYTES = 4_000_000

#: A list may not shrink below this share of its last snapshot; a half file is a broken one.
MIN_SHARE_OF_LAST = 0.5

#: Says where a snapshot comes from, which changes nothing of how it is read.
_NOT_READ_WITH = "shortcast.features.sources.fetching"


@dataclass(frozen=True)
class ParsedSnapshot:
    """A snapshot after parsing.

    Attributes
    ----------
    source : str
        Source name.
    as_of : date
        Day of the snapshot.
    checksum : str
        Checksum over its files.
    folder : Path
        Where its Parquet files lie.
    files, bytes : int
        Number and size of the raw files.
    rows : mapping of str to int
        Rows by table.
    rejected : int
        Rows in quarantine.
    state : str
        ``accepted`` or ``refused``.
    reason : str
        Why it was refused.
    """

    source: str
    as_of: date
    checksum: str
    folder: Path
    files: int
    bytes: int
    rows: Mapping[str, int]
    rejected: int
    state: str
    reason: str

    def table(self, name: str) -> Path:
        """Return where the rows of a table lie.

        Parameters
        ----------
        name : str
            A table of the source.

        Returns
        -------
        Path
            A Parquet file; it is there if the snapshot holds that table.
        """
        return self.folder / f"{name}.parquet"

    @property
    def fingerprint(self) -> str:
        """Text that changes when the parsed content may have changed."""
        return f"{self.source}/{self.as_of}/{self.folder.name}/{self.state}"


class ReaderDefectError(RuntimeError):
    """A reader failed in a way that it does not provide for.

    Parameters
    ----------
    snapshot : Snapshot
        What it was to read.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(
            f"the reader of {snapshot.source} failed on its snapshot of {snapshot.as_of} "
            f"({', '.join(f.file for f in snapshot.files)}); this is a defect of the reader, "
            "which should read the snapshot or refuse it: mend it, and build again"
        )


def reader_version(source: Source) -> str:
    """Return a checksum of the code that reads a source: its module and what it shares.

    Parameters
    ----------
    source : Source
        The source.

    Returns
    -------
    str
        Hexadecimal checksum; it changes with any module of this project that the
        reader's module imports from ``shortcast.features``, and with the corrections of what is
        known to be wrong at the source.
    """
    digest = hashlib.sha256(Path(__file__).read_bytes() + corrections.version(source.name))
    for name in sorted(_modules_behind(source.read.__module__)):
        digest.update(_code(name))
    return digest.hexdigest()


def _modules_behind(name: str) -> set[str]:
    """Return a module's name and those of the ``shortcast.features`` modules that it reads with."""
    found: set[str] = set()
    todo = [name]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _imports(name)
    return found


@lru_cache
def _code(name: str) -> bytes:
    """Return the source code of a module that has been imported."""
    path = sys.modules[name].__file__
    return Path(path).read_bytes() if path else b""


@lru_cache
def _imports(name: str) -> frozenset[str]:
    """Return the modules of ``shortcast.features`` that a module's code imports."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(_code(name))):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(
        name
        for name in named - {_NOT_READ_WITH}
        if name.startswith("shortcast.features.") and name in sys.modules
    )


def parse_all(
    archive: Archive,
    parsed: Path,
    *,
    workers: int = 2,
    progress: Callable[[str], None] = lambda _: None,
) -> list[ParsedSnapshot]:
    """Parse every accepted snapshot that is not in the cache yet.

    Parameters
    ----------
    archive : Archive
        The archive.
    parsed : Path
        Folder of the cache.
    workers : int
        Processes to use.
    progress : callable
        Told one line for each snapshot parsed.

    Returns
    -------
    list of ParsedSnapshot
        All snapshots, parsed now or before, by source and day.

    Raises
    ------
    ShortcastError
        If not one file of the archive is as it was archived, or a process was killed.
    ReaderDefectError
        If a reader neither reads nor refuses a snapshot.
    """
    others = archive.stand_ins()
    chosen = {(s.source, s.as_of): s for s in archive.snapshots() if s.source in registry()}
    confirmed = {key for key, snapshot in chosen.items() if snapshot.is_confirmed}
    tried: set[Path] = set()
    while True:
        found = _parse(archive, parsed, chosen.values(), workers, progress)
        found = _refuse_shrunken(found, confirmed)
        tried |= {p.folder for p in found}
        refused = [(p.source, p.as_of) for p in found if p.state == "refused"]
        again = {key: others[key].pop(0) for key in refused if others.get(key)}
        if not again:
            break
        chosen |= again
    if found and all(DAMAGED in p.reason for p in found):
        # Nothing is built of nothing: more likely a disk is not there than that all is lost.
        raise ShortcastError(
            f"Not one file of {archive.root} is as it was archived; see whether its disk is there, "
            "or restore it from a backup: 'shortcast archive verify' names the files."
        )
    _forget_stale(parsed, tried)
    return found


def parse_one(archive: Archive, parsed: Path, snapshot: Snapshot) -> ParsedSnapshot:
    """Parse one snapshot of the archive, unless the cache has it.

    Parameters
    ----------
    archive : Archive
        The archive.
    parsed : Path
        Folder of the cache.
    snapshot : Snapshot
        One of its snapshots.

    Returns
    -------
    ParsedSnapshot
        Accepted, or refused with the reason.

    Raises
    ------
    ShortcastError, ReaderDefectError
        As `parse_all`.
    """
    return _parse(archive, parsed, [snapshot], 1, lambda _: None)[0]


def _parse(
    archive: Archive,
    parsed: Path,
    snapshots: Iterable[Snapshot],
    workers: int,
    progress: Callable[[str], None],
) -> list[ParsedSnapshot]:
    """Parse the snapshots that are not in the cache; return all, by source and day."""
    versions = {name: reader_version(source) for name, source in registry().items()}
    done: list[ParsedSnapshot] = []
    todo: list[tuple[Snapshot, Path, list[Path]]] = []
    for snapshot in snapshots:
        stamp = hashlib.sha256(
            f"{snapshot.checksum} {versions[snapshot.source]}".encode()
        ).hexdigest()[:16]
        folder = parsed / snapshot.source / f"{snapshot.as_of}-{stamp}"
        known = _read_cached(snapshot, folder)
        if known is not None:
            done.append(known)
        else:
            todo.append((snapshot, folder, [archive.path(f) for f in snapshot.files]))
    # The largest first, so that the last worker does not end alone on a long one.
    todo.sort(key=lambda job: -sum(f.bytes for f in job[0].files))
    if todo:
        with _pool(workers, [job[0] for job in todo]) as pool:
            jobs = {pool.submit(_parse_one, *job): job[0] for job in todo}
            for number, job in enumerate(as_completed(jobs), start=1):
                error = job.exception()
                if error is not None:
                    if isinstance(error, ShortcastError):
                        raise error
                    if isinstance(error, BrokenProcessPool):
                        raise ShortcastError(
                            "A process that read snapshots was killed, probably for want of "
                            "memory; free some and build again, what was read is kept."
                        ) from error
                    raise ReaderDefectError(jobs[job]) from error
                result = job.result()
                done.append(result)
                told = result.reason or f"{sum(result.rows.values()):,} rows"
                progress(f"[{number}/{len(jobs)}] {result.source} {result.as_of}: {told}")
    return sorted(done, key=lambda p: (p.source, p.as_of))


def _pool(workers: int, snapshots: Sequence[Snapshot]) -> AbstractContextManager[Executor]:
    """Return what parses the snapshots: processes, or this one if there is little to do."""
    workers = min(workers, len(snapshots))
    if workers == 1 or sum(f.bytes for s in snapshots for f in s.files) < PROCESSES_FROM_BYTES:
        return _thread()
    return processes(workers)


@contextmanager
def _thread() -> Iterator[Executor]:
    """Give what runs calls in this process, one by one; broken off, it begins none of the rest."""
    pool = ThreadPoolExecutor(1)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _read_cached(snapshot: Snapshot, folder: Path) -> ParsedSnapshot | None:
    """Return the cached parse of a snapshot, if it is whole."""
    note = folder / "reading.json"
    if not note.exists():
        return None
    known = _read_now(snapshot, folder, json.loads(note.read_text(encoding="utf-8")))
    return known if all(known.table(name).exists() for name in known.rows) else None


def _read_now(snapshot: Snapshot, folder: Path, found: Mapping[str, Any]) -> ParsedSnapshot:
    """Return a snapshot with what was found in it."""
    return ParsedSnapshot(
        source=snapshot.source,
        as_of=snapshot.as_of,
        checksum=snapshot.checksum,
        folder=folder,
        files=len(snapshot.files),
        bytes=sum(f.bytes for f in snapshot.files),
        **{"rows": {}, "rejected": 0, **found},
    )


def _parse_one(snapshot: Snapshot, folder: Path, files: list[Path]) -> ParsedSnapshot:
    """Parse one snapshot into ``folder``; a refusal is a result too."""
    source = registry()[snapshot.source]
    for file, path in zip(snapshot.files, files, strict=True):
        if not path.exists() or checksum(path) != file.sha256:
            reason = f"{path} {DAMAGED}; import it again (it came from {file.origin})."
            return _read_now(snapshot, folder, {"state": "refused", "reason": reason})
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    rows: dict[str, int] = {}
    rejected, state, reason = 0, "accepted", ""
    try:
        reading = corrections.read(source, files, snapshot.as_of)
        _refuse_unusable(reading, snapshot)
        rejected = len(reading.rejects)
        with in_memory() as connection:
            for table in source.tables:
                if table.name in reading.tables:
                    frame = reading.tables[table.name]
                    rows[table.name] = len(frame)
                    path = aside / f"{table.name}.parquet"
                    _write_table(connection, frame, table, snapshot, path)
            _write_rejects(connection, reading.rejects, snapshot, aside / "rejects.parquet")
    except SourceError as error:
        state, reason = "refused", str(error)
    note = {"rows": rows, "rejected": rejected, "state": state, "reason": reason}
    (aside / "reading.json").write_text(json.dumps(note), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(aside, folder)
    result = _read_cached(snapshot, folder)
    assert result is not None
    return result


@contextmanager
def in_memory() -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to a database of one thread and no file, begun once in this process.

    Yields
    ------
    DuckDBPyConnection
        Closed at the end; what it registers no other connection sees.
    """
    try:
        with _instance().cursor() as connection:
            yield connection
    except duckdb.Error:
        # After the worst of its errors an instance answers nothing more.
        _instance.cache_clear()
        raise


@cache
def _instance() -> duckdb.DuckDBPyConnection:
    """Begin that database: it takes ten times as long as writing a small snapshot."""
    return duckdb.connect(config={"threads": 1})


def _refuse_unusable(reading: Reading, snapshot: Snapshot) -> None:
    """Refuse a snapshot that holds no row, or more unusable rows than usable ones.

    Raises
    ------
    SourceError
        With the counts and the first fault.
    """
    most = max((len(frame) for frame in reading.tables.values()), default=0)
    entries = reading.rejects
    if most and len(entries) <= most:
        return
    kept, lost = count_records(reading)
    if kept + lost and lost <= MAX_REJECTED_SHARE * (kept + lost):
        return
    if entries.empty:
        raise SourceError(f"{snapshot.source} of {snapshot.as_of} holds no row; fetch it again.")
    first = entries.iloc[0]
    raise SourceError(
        f"{snapshot.source} of {snapshot.as_of}: {lost:,} of {kept + lost:,} rows are unusable, "
        f"the first because {first['file']} row {first['row']}, column {first['column']}: "
        f"{first['reason']} ({str(first['value'])[:40]!r}); fetch it again, or mend the reader if "
        "the source has changed its format."
    )


def read_whole(source: str, day: str, files: Mapping[str, Path]) -> None:
    """Read files as a snapshot, and refuse what a build would refuse.

    Parameters
    ----------
    source, day : str
        What they are to be.
    files : mapping of str to Path
        Where each lies, by the name that it has in the archive.

    Raises
    ------
    ShortcastError
        If they are not a snapshot of the source.
    """
    with TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in files]
        for path, file in zip(paths, files.values(), strict=True):
            shutil.copyfile(file, path)
        as_of = date.fromisoformat(day)
        reading = corrections.read(registry()[source], paths, as_of)
    _refuse_unusable(reading, Snapshot(source, as_of, ()))


def count_records(reading: Reading) -> tuple[int, int]:
    """Count the records of a snapshot that are used, and those that are left out.

    Parameters
    ----------
    reading : Reading
        What the reader made of the snapshot.

    Returns
    -------
    kept, lost : int
        An entry of the quarantine may tell of a value that was left empty in a row that is
        kept; such a record counts as kept.
    """
    frames = reading.tables.values()
    kept = {row for f in frames for row in _numbered(f["source_file"], f["source_row"])}
    entries = reading.rejects
    # An entry may name the member of a zip where the row names the zip.
    lost = {row for row in _numbered(entries["file"], entries["row"]) if row not in kept}
    return len(kept), len(lost)


def _numbered(files: pd.Series, rows: pd.Series) -> Iterable[tuple[str, str]]:
    """Return file and record number of each row, in one notation."""
    return zip(files.astype(str).str.split("/").str[0], rows.astype(str), strict=True)


def _write_table(
    connection: duckdb.DuckDBPyConnection,
    frame: pd.DataFrame,
    table: Table,
    snapshot: Snapshot,
    path: Path,
) -> None:
    """Write a table's frame as Parquet, with the declared types, times and lineage.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Any connection, with one thread so that rows keep their order.
    frame : DataFrame
        As in `Reading.tables`.
    table : Table
        The declaration.
    snapshot : Snapshot
        Where the rows come from.
    path : Path
        File to write.

    Raises
    ------
    TypeError
        If the frame has a column that is not declared.
    """
    times = [name for name in TIME_COLUMNS if name in frame.columns]
    undeclared = set(frame.columns) - {c.name for c in table.columns}
    undeclared -= {*TIME_COLUMNS, "source_file", "source_row"}
    if undeclared:
        raise TypeError(f"{table.name}: undeclared column(s) {sorted(undeclared)}")
    select = [f'CAST("{c.name}" AS {c.type}) AS "{c.name}"' for c in table.columns]
    select += [
        f"CAST({name if name in times else 'NULL'} AS DATE) AS {name}" for name in TIME_COLUMNS
    ]
    select += [
        f"'{snapshot.source}' AS source",
        "CAST(source_file AS VARCHAR) AS source_file",
        "CAST(source_row AS BIGINT) AS source_row",
        f"DATE '{snapshot.as_of}' AS observed_at",
    ]
    connection.register("frame", frame)
    connection.sql(f"SELECT {', '.join(select)} FROM frame").write_parquet(
        str(path), compression="zstd"
    )
    connection.unregister("frame")


def _write_rejects(
    connection: duckdb.DuckDBPyConnection, frame: pd.DataFrame, snapshot: Snapshot, path: Path
) -> None:
    """Write the quarantined rows."""
    connection.register("frame", frame.loc[:, list(REJECT_COLUMNS)].astype(str))
    connection.sql(
        f"SELECT '{snapshot.source}' AS source, DATE '{snapshot.as_of}' AS as_of, "
        'file, TRY_CAST(row AS BIGINT) AS row, "column", value, reason FROM frame'
    ).write_parquet(str(path))
    connection.unregister("frame")


def _refuse_shrunken(
    snapshots: Sequence[ParsedSnapshot], confirmed: Collection[tuple[str, date]]
) -> list[ParsedSnapshot]:
    """Refuse a snapshot whose lists lost more than half of their rows at once.

    Only lists that both snapshots hold are compared: some sources publish them apart.
    """
    last: dict[str, dict[str, int]] = {}
    checked = []
    for snapshot in snapshots:
        if snapshot.state == "accepted":
            before = last.setdefault(snapshot.source, {})
            lists = {t.name for t in registry()[snapshot.source].tables if t.is_list}
            now = {name: n for name, n in snapshot.rows.items() if name in lists}
            rows = sum(now[name] for name in now.keys() & before.keys())
            rows_before = sum(before[name] for name in now.keys() & before.keys())
            known = (snapshot.source, snapshot.as_of) in confirmed
            if rows < MIN_SHARE_OF_LAST * rows_before and not known:
                reason = (
                    f"{snapshot.source} of {snapshot.as_of} has {rows:,} rows, less than half of "
                    f"the {rows_before:,} of the snapshot before it, as if it were cut short; "
                    "fetch it again, or if it is whole: shortcast archive confirm "
                    f"{snapshot.source}/{snapshot.as_of}."
                )
                snapshot = replace(snapshot, state="refused", reason=reason)
            else:
                before |= now
        checked.append(snapshot)
    return checked


def _forget_stale(parsed: Path, current: Iterable[Path]) -> None:
    """Delete cache folders that no current snapshot and reader lead to."""
    keep = set(current)
    for folder in parsed.glob("*/*"):
        if folder.is_dir() and folder not in keep:
            shutil.rmtree(folder, ignore_errors=True)


def as_record(snapshot: ParsedSnapshot) -> dict[str, object]:
    """Return a parsed snapshot as a row of the warehouse's ``snapshots`` table.

    Parameters
    ----------
    snapshot : ParsedSnapshot
        Accepted or refused.

    Returns
    -------
    dict of str to object
        By column; ``rows`` is the sum over its tables.
    """
    record = asdict(snapshot)
    del record["folder"]
    record["rows"] = sum(snapshot.rows.values())
    return record
