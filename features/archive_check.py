"""Whether an archive is sound: every file as it was archived, every line of the ledger in order."""

from __future__ import annotations

from collections.abc import Callable

from shortcast.features.archive import (
    Archive,
    ArchivedFile,
    checksum,
    is_partial,
    other_bytes,
    read_line,
)
from shortcast.features.kind import data_of

#: Files between two lines of progress.
_TOLD_EVERY = 500


def verify(archive: Archive, *, progress: Callable[[str], None] = lambda _: None) -> list[str]:
    """Read every file of an archive again, and hold it against the ledger.

    Parameters
    ----------
    archive : Archive
        The archive; nobody may be writing to it.
    progress : callable
        Told how many files have been read.

    Returns
    -------
    list of str
        One sentence for each fault; empty when all is well.
    """
    if not archive.ledger.exists():
        lost = f"{archive.ledger} is lost; restore it from a backup."
        return [lost] if archive.files() else []
    entries, faults = _read_ledger(archive)
    faults += _contradictions(archive, entries)
    places = {}
    for number, entry in enumerate(entries, start=1):
        places.setdefault(archive.path(entry), entry)
        if fault := _fault_of_file(archive, entry):
            faults.append(fault)
        if number % _TOLD_EVERY == 0:
            progress(f"{number:,} of {len(entries):,} files read")
    for path in archive.files():
        if is_partial(path):
            faults.append(f"{path} is half a copy; the next import or fetch deletes it.")
        elif path not in places:
            faults.append(
                f"{path} is not on the ledger, so nothing reads it; the next import or fetch moves "
                "it out of the way."
            )
    return faults


def _read_ledger(archive: Archive) -> tuple[list[ArchivedFile], list[str]]:
    """Return the lines that can be read, and one sentence for each that cannot."""
    found: list[ArchivedFile] = []
    faults: list[str] = []
    for number, line in enumerate(archive.ledger.read_bytes().splitlines(keepends=True), start=1):
        try:
            found.append(read_line(line))
        except ValueError as error:
            what = f"{archive.ledger} line {number} cannot be read ({error}); "
            if line.endswith(b"\n"):
                faults.append(f"{what}restore the ledger from a backup.")
            else:
                faults.append(f"{what}it was cut off, and the next import or fetch mends it.")
        else:
            if not line.endswith(b"\n"):
                faults.append(
                    f"{archive.ledger} line {number} has no end; the next import or fetch mends it."
                )
    return found, faults


def _contradictions(archive: Archive, entries: list[ArchivedFile]) -> list[str]:
    """Return a sentence for each line that cannot stand beside another."""
    faults: list[str] = []
    accepted: dict[tuple[str, str, str], ArchivedFile] = {}
    for entry in entries:
        if entry.state != "accepted":
            continue
        first = accepted.setdefault((entry.source, entry.as_of, entry.file), entry)
        if first.sha256 != entry.sha256:
            faults.append(
                f"{archive.ledger} accepts {entry.source}/{entry.as_of}/{entry.file} twice: "
                f"{other_bytes(first)}."
            )
    if len({data_of(entry.file) for entry in entries}) > 1:
        faults.append(
            f"{archive.ledger} names real and simulated files, which are never mixed; restore the "
            "ledger from a backup."
        )
    return faults


def _fault_of_file(archive: Archive, entry: ArchivedFile) -> str:
    """Return what is wrong with an archived file, or ''."""
    path = archive.path(entry)
    again = f"import it again (it came from {entry.origin})."
    if path.is_symlink() or not path.is_file():
        return f"{path} is missing; {again}"
    size = path.stat().st_size
    if size != entry.bytes:
        return f"{path} has {size:,} bytes instead of {entry.bytes:,}; {again}"
    if checksum(path) != entry.sha256:
        return f"{path} no longer has its recorded checksum; {again}"
    return ""
