"""An archive in one file, to be carried to a machine that has no network.

The file is a zip whose members are stored as they are: ``README.txt``, ``ledger.jsonl``, and
every file of the ledger under its place in the archive. The same archive gives the same bytes.
On the other side the whole file is checked against its own ledger before anything enters; what
enters is added as an import adds it, with its lines of the ledger unchanged.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import IO

from shortcast.errors import ShortcastError
from shortcast.features.archive import (
    Archive,
    ArchivedFile,
    ImportReport,
    day_fault,
    partial_of,
    read_line,
    write_line,
)
from shortcast.features.kind import WARNING, Data, data_of, marked
from shortcast.features.sources.tables import DAMAGED_ZIP

ABOUT, LEDGER = "README.txt", "ledger.jsonl"
#: First line of the readme: what the file is, and how it is laid out.
_FORMAT = "shortcast archive, format 1"
_CHUNK = 1 << 20
#: The ledger of a century of daily fetches is smaller.
_MOST_LEDGER_BYTES = 1 << 30
#: The readme names what was left out of an archive, file by file.
_MOST_ABOUT_BYTES = 1 << 24
#: Members have one day and one set of rights, so that the same files make the same bytes.
_STAMP, _RIGHTS = (1980, 1, 1, 0, 0, 0), 0o100644 << 16


def write_export(
    archive: Archive,
    out: Path,
    *,
    leave_out: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Path, int]:
    """Write an archive into one file.

    Parameters
    ----------
    archive : Archive
        The archive; nobody may be writing to it.
    out : Path
        File to write, which must not be there yet; its name gets the mark of simulated records
        if the archive holds such.
    leave_out : bool
        Leave out the snapshots of which the archive has lost a file, and say which in the readme.
    progress : callable
        Told one line for each source.

    Returns
    -------
    Path
        The file.
    int
        Files of the archive in it.

    Raises
    ------
    ShortcastError
        If the archive is empty or a file of it is missing or altered, the file is there already,
        or it cannot be written; none is left then.
    """
    entries = archive.entries()
    if not entries:
        raise ShortcastError(f"The archive {archive.root} is empty, so there is nothing to export.")
    left_out: list[str] = []
    if leave_out:
        entries, left_out = _without_damaged(archive, entries)
    data = archive.data() or "real"
    if data_of(out.name) != data:
        out = out.with_name(marked(out.name, data))
    if out.exists():
        raise ShortcastError(f"{out} is there already; name another file, or remove it.")
    aside = partial_of(out)
    try:
        with zipfile.ZipFile(aside, "w", strict_timestamps=False) as bundle:
            places = _places(archive, entries)
            _store(bundle, ABOUT, _about(data, list(places.values()), left_out).encode())
            _store(bundle, LEDGER, b"".join(write_line(entry) for entry in entries))
            source = ""
            for place, entry in sorted(places.items()):
                if entry.source != source:
                    source = entry.source
                    progress(f"export: {source}")
                if not _store_file(bundle, place, archive.path(entry), entry):
                    raise _missing(archive, places)
        with aside.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(aside, out)
    except OSError as error:
        raise ShortcastError(
            f"{out} could not be written ({error.strerror}); check the folder and its space."
        ) from error
    finally:
        aside.unlink(missing_ok=True)
    return out, len(places)


def read_export(
    archive: Archive, file: Path, *, progress: Callable[[str], None] = lambda _: None
) -> ImportReport:
    """Add what an exported file holds to an archive.

    Adding the same file twice adds nothing, and a run that was cut off goes on where it ended.

    Parameters
    ----------
    archive : Archive
        The archive; the caller holds the lock.
    file : Path
        What `write_export` wrote.
    progress : callable
        Told what is being done.

    Returns
    -------
    ImportReport
        What was added, held already and set aside.

    Raises
    ------
    ShortcastError
        If the file is damaged or not such a file, or holds the other kind of records; nothing
        enters then.
    """
    try:
        with zipfile.ZipFile(file) as bundle:
            entries = _checked(archive, bundle, file, progress)
            archive.mend()
            report = archive.take(_snapshots(archive, bundle, entries, progress))
    except DAMAGED_ZIP as error:
        raise _damaged(file, str(error)) from error
    except OSError as error:
        raise ShortcastError(
            f"{file} could not be read into the archive ({error.strerror}); see to it and run "
            "the command again."
        ) from error
    return replace(report, data=data_of(entries[0].file) if entries else "real")


def _snapshots(
    archive: Archive,
    bundle: zipfile.ZipFile,
    entries: Sequence[ArchivedFile],
    progress: Callable[[str], None],
) -> Iterator[list[tuple[ArchivedFile, Callable[[], IO[bytes]]]]]:
    """Give the files of an export snapshot by snapshot, in the order of its ledger."""
    members = {id(entry): name for name, entry in _named(archive, entries)}
    source = ""
    for (name, _), files in groupby(entries, key=lambda e: (e.source, e.as_of)):
        if name != source:
            source = name
            progress(f"import: {source}")
        yield [(entry, partial(bundle.open, members[id(entry)])) for entry in files]


def _without_damaged(
    archive: Archive, entries: Sequence[ArchivedFile]
) -> tuple[list[ArchivedFile], list[str]]:
    """Return the lines of what is whole, and the names of the files that are not.

    A snapshot is left out with all of its files: the rest of them would pass for all of it.

    Raises
    ------
    ShortcastError
        If nothing is whole.
    """
    damaged = {
        name: entry
        for name, entry in _places(archive, entries).items()
        if not archive.is_whole(entry)
    }
    days = {(e.source, e.as_of) for e in damaged.values() if e.state == "accepted"}
    kept = [
        entry
        for name, entry in _named(archive, entries)
        if name not in damaged and (entry.source, entry.as_of) not in days
    ]
    if not kept:
        raise ShortcastError(
            f"Nothing of {archive.root} is as it was archived, so nothing was exported; "
            "restore it from a backup."
        )
    return kept, sorted(damaged)


def _about(data: Data, entries: Sequence[ArchivedFile], left_out: Sequence[str]) -> str:
    """Return the readme of an export."""
    size = sum(entry.bytes for entry in entries)
    warning = f"{WARNING}\n" if data == "simulated" else ""
    return (
        f"{_FORMAT}\n{warning}\n{len(entries)} files, {size} bytes, {data} records.\n\n"
        f"{LEDGER} has one line for every file: where it stands, its SHA-256, its size, where it "
        "came from and when.\nAdd them to an archive with: shortcast archive import FILE\n"
        + "".join(f"Left out with its snapshot, as it was lost: {name}\n" for name in left_out)
    )


def _places(archive: Archive, entries: Sequence[ArchivedFile]) -> dict[str, ArchivedFile]:
    """Return the entries by their place in the archive, as members are named.

    A file that was confirmed after it was taken has a second line, which is the one returned.
    """
    return dict(_named(archive, entries))


def _named(archive: Archive, entries: Sequence[ArchivedFile]) -> Iterator[tuple[str, ArchivedFile]]:
    """Give each entry with the name of its member."""
    for entry in entries:
        yield archive.path(entry).relative_to(archive.root).as_posix(), entry


def _member(name: str) -> zipfile.ZipInfo:
    """Return what the zip says of a member."""
    member = zipfile.ZipInfo(name, _STAMP)
    member.create_system, member.external_attr = 3, _RIGHTS
    return member


def _store(bundle: zipfile.ZipFile, name: str, raw: bytes) -> None:
    """Store a member."""
    with bundle.open(_member(name), "w", force_zip64=True) as target:
        target.write(raw)


def _store_file(bundle: zipfile.ZipFile, name: str, path: Path, entry: ArchivedFile) -> bool:
    """Store a file of the archive; return whether it is there and was what was archived."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream, bundle.open(_member(name), "w", force_zip64=True) as target:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                target.write(chunk)
    except FileNotFoundError:
        return False
    return digest.hexdigest() == entry.sha256


def _missing(archive: Archive, places: Mapping[str, ArchivedFile]) -> ShortcastError:
    """Return the refusal to export an archive that has lost files, which it names."""
    lost = [name for name, entry in sorted(places.items()) if not archive.is_whole(entry)]
    more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
    return ShortcastError(
        f"Missing from {archive.root} or no longer what was archived: {', '.join(lost[:5])}{more}; "
        "so nothing was exported. Import them again ('shortcast archive verify' says where each "
        "came from), or export the other snapshots with --leave-out-damaged."
    )


def _checked(
    archive: Archive,
    bundle: zipfile.ZipFile,
    file: Path,
    progress: Callable[[str], None],
) -> list[ArchivedFile]:
    """Check a whole export, and return the lines of its ledger.

    Raises
    ------
    ShortcastError
        Naming the first thing that is wrong.
    """
    members = {member.filename: member for member in bundle.infolist()}
    if len(members) != len(bundle.infolist()):
        raise _damaged(file, "a member is there twice")
    if ABOUT not in members or LEDGER not in members:
        raise ShortcastError(
            f"{file} is no exported archive; give a file that 'shortcast archive export' wrote."
        )
    for name, most in ((ABOUT, _MOST_ABOUT_BYTES), (LEDGER, _MOST_LEDGER_BYTES)):
        # Stored, as they are written: a packed one may unpack to more than there is memory.
        if members[name].compress_type != zipfile.ZIP_STORED:
            raise _damaged(file, f"{name} in it is packed, which no export does")
        if members[name].file_size > most or members[name].file_size > file.stat().st_size:
            raise _damaged(file, f"{name} in it is too large to be one")
    head = bundle.read(ABOUT).decode("utf-8", "replace").splitlines()[:1]
    if head != [_FORMAT]:
        raise ShortcastError(
            f"{file} is not of a format that this version reads ({_FORMAT}); install the version "
            "of shortcast that wrote it."
        )
    entries = []
    for number, line in enumerate(bundle.read(LEDGER).splitlines(keepends=True), start=1):
        try:
            entries.append(read_line(line))
        except ValueError as error:
            raise _damaged(file, f"{LEDGER} line {number} cannot be read: {error}") from error
        if fault := day_fault(entries[-1].as_of):
            raise _damaged(file, f"{LEDGER} line {number}: {fault}")
    kinds: dict[Data, str] = {data_of(entry.file): entry.file for entry in entries}
    if len(kinds) > 1:
        raise _damaged(file, "it holds real and simulated records, which are never mixed")
    for kind, example in kinds.items():
        archive.require_kind(kind, f"{file.name}: {example}")
    places = _places(archive, entries)
    if any(
        entry.sha256 != places[name].sha256 or not (entry is places[name] or places[name].reason)
        for name, entry in _named(archive, entries)
    ):
        raise _damaged(file, "its ledger names a file twice")
    for name in sorted(members.keys() - {ABOUT, LEDGER} ^ places.keys()):
        raise _damaged(file, f"{name} is in it or on its ledger, and not both")
    source = ""
    for name, entry in places.items():
        if entry.source != source:
            source = entry.source
            progress(f"check: {source}")
        _require_bytes(bundle, members[name], entry, file)
    return entries


def _require_bytes(
    bundle: zipfile.ZipFile, member: zipfile.ZipInfo, entry: ArchivedFile, file: Path
) -> None:
    """Refuse an export of which a member is not what the ledger says.

    Raises
    ------
    ShortcastError
        If its size or checksum is another.
    """
    # Stored members only: one that unpacks to more than it takes is none of ours.
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != entry.bytes:
        raise _damaged(file, f"{member.filename} does not have the size that its ledger says")
    digest = hashlib.sha256()
    with bundle.open(member) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != entry.sha256:
        raise _damaged(file, f"{member.filename} does not have the checksum that its ledger says")


def _damaged(file: Path, what: str) -> ShortcastError:
    """Return the refusal of a file that is not as it was written."""
    return ShortcastError(
        f"{file} is damaged or was changed ({what}), so nothing was imported; copy it again from "
        "where it was exported."
    )
