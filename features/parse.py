"""Parsing archived snapshots into typed Parquet files, once each.

The result is a cache: it is keyed by the snapshot's checksum and by the reader's own code, so
a changed file or a changed reader is parsed again and nothing else is.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType

import duckdb
import pandas as pd

from shortcast.features.archive import Archive, Snapshot
from shortcast.features.sources import registry
from shortcast.features.sources.contract import (
    REJECT_COLUMNS,
    TIME_COLUMNS,
    Source,
    SourceError,
    Table,
)

#: A snapshot with a larger share of unusable rows is refused whole.
MAX_REJECTED_SHARE = 0.5


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

    @property
    def fingerprint(self) -> str:
        """Text that changes when the parsed content may have changed."""
        return f"{self.source}/{self.as_of}/{self.folder.name}/{self.state}"


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
        reader's module imports from ``shortcast.features``.
    """
    digest = hashlib.sha256()
    for path in sorted(_module_files(importlib.import_module(source.read.__module__), set())):
        digest.update(Path(path).read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()


def _module_files(module: ModuleType, seen: set[str]) -> set[str]:
    """Collect the files of a module and of the ``shortcast.features`` modules it uses."""
    path = getattr(module, "__file__", None)
    if path is None or path in seen:
        return seen
    seen.add(path)
    for value in vars(module).values():
        other = value if inspect.ismodule(value) else inspect.getmodule(value)
        if other is not None and other.__name__.startswith("shortcast.features."):
            _module_files(other, seen)
    return seen


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
    """
    sources = registry()
    versions = {name: reader_version(source) for name, source in sources.items()}
    done: list[ParsedSnapshot] = []
    todo: list[tuple[Snapshot, Path, list[Path]]] = []
    for snapshot in archive.snapshots():
        if snapshot.source not in sources:
            continue
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
        with ProcessPoolExecutor(min(workers, len(todo)), mp_context=get_context("spawn")) as pool:
            jobs = {pool.submit(_parse_one, *job): job[0] for job in todo}
            for number, job in enumerate(as_completed(jobs), start=1):
                result = job.result()
                done.append(result)
                told = result.reason or f"{sum(result.rows.values()):,} rows"
                progress(f"[{number}/{len(jobs)}] {result.source} {result.as_of}: {told}")
    _forget_stale(parsed, {p.folder for p in done})
    return sorted(done, key=lambda p: (p.source, p.as_of))


def _read_cached(snapshot: Snapshot, folder: Path) -> ParsedSnapshot | None:
    """Return the cached parse of a snapshot, if it is whole."""
    note = folder / "reading.json"
    if not note.exists():
        return None
    return ParsedSnapshot(
        source=snapshot.source,
        as_of=snapshot.as_of,
        checksum=snapshot.checksum,
        folder=folder,
        files=len(snapshot.files),
        bytes=sum(f.bytes for f in snapshot.files),
        **json.loads(note.read_text(encoding="utf-8")),
    )


def _parse_one(snapshot: Snapshot, folder: Path, files: list[Path]) -> ParsedSnapshot:
    """Parse one snapshot into ``folder``; a refusal is a result too."""
    source = registry()[snapshot.source]
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    rows: dict[str, int] = {}
    rejected, state, reason = 0, "accepted", ""
    try:
        reading = source.read(files, snapshot.as_of)
        for table in source.tables:
            if table.name in reading.tables:
                frame = reading.tables[table.name]
                rows[table.name] = len(frame)
                _write(frame, table, snapshot, aside / f"{table.name}.parquet")
        rejected = len(reading.rejects)
        _write_rejects(reading.rejects, snapshot, aside / "rejects.parquet")
        total = sum(rows.values())
        if total == 0:
            raise SourceError(f"{snapshot.source} of {snapshot.as_of} holds no usable row.")
    except SourceError as error:
        for path in aside.glob("*.parquet"):
            path.unlink()
        rows, rejected, state, reason = {}, 0, "refused", str(error)
    note = {"rows": rows, "rejected": rejected, "state": state, "reason": reason}
    (aside / "reading.json").write_text(json.dumps(note), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(aside, folder)
    result = _read_cached(snapshot, folder)
    assert result is not None
    return result


def _write(frame: pd.DataFrame, table: Table, snapshot: Snapshot, path: Path) -> None:
    """Write a table's frame with the declared types, times and lineage."""
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
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("frame", frame)
        connection.execute(
            f"COPY (SELECT {', '.join(select)} FROM frame) TO '{path}' "
            "(FORMAT parquet, COMPRESSION zstd)"
        )


def _write_rejects(frame: pd.DataFrame, snapshot: Snapshot, path: Path) -> None:
    """Write the quarantined rows."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("frame", frame.loc[:, list(REJECT_COLUMNS)].astype(str))
        connection.execute(
            f"COPY (SELECT '{snapshot.source}' AS source, DATE '{snapshot.as_of}' AS as_of, "
            'file, TRY_CAST(row AS BIGINT) AS row, "column", value, reason FROM frame) '
            f"TO '{path}' (FORMAT parquet)"
        )


def _forget_stale(parsed: Path, current: Iterable[Path]) -> None:
    """Delete cache folders that no current snapshot and reader lead to."""
    keep = set(current)
    for folder in parsed.glob("*/*"):
        if folder.is_dir() and folder not in keep:
            shutil.rmtree(folder, ignore_errors=True)


def as_record(snapshot: ParsedSnapshot) -> dict[str, object]:
    """Return a parsed snapshot as a row of the warehouse's ``snapshots`` table."""
    record = asdict(snapshot)
    del record["folder"]
    record["rows"] = sum(snapshot.rows.values())
    return record
