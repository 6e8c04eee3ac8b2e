"""The archive of dated raw files: append-only, checked by checksum.

Layout: ``ARCHIVE/SOURCE/AS_OF/FILE`` with the bytes as received, and ``ARCHIVE/ledger.jsonl``
with one line for every file accepted or set aside. A file that differs from one already held
under the same source, day and name is kept under ``ARCHIVE/set_aside``; it does not replace the
first, but stands in for it where the first turns out to be unreadable (`Archive.stand_ins`).
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from shortcast.errors import ShortcastError
from shortcast.features.kind import PREFIX, Data, data_of, official_name
from shortcast.features.sources.contract import Source

_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class ArchivedFile:
    """One line of the ledger.

    Attributes
    ----------
    source, as_of, file : str
        Where the file stands in the archive.
    sha256 : str
        Checksum of its bytes.
    bytes : int
        Its size.
    origin : str
        Where it came from (a folder's name or an address).
    archived_at : str
        When it entered, in UTC.
    state : str
        ``accepted``, or ``set_aside`` with a reason.
    reason : str
        Why it was set aside; '' when accepted.
    """

    source: str
    as_of: str
    file: str
    sha256: str
    bytes: int
    origin: str
    archived_at: str
    state: str = "accepted"
    reason: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The accepted files of one source on one day."""

    source: str
    as_of: date
    files: tuple[ArchivedFile, ...]

    @property
    def checksum(self) -> str:
        """One checksum over the snapshot's files and names."""
        joined = "\n".join(f"{f.file} {f.sha256}" for f in self.files)
        return hashlib.sha256(joined.encode()).hexdigest()


@dataclass(frozen=True)
class ImportReport:
    """What an import did: files added, already held, set aside, and passed over; which kind."""

    added: tuple[ArchivedFile, ...]
    held: int
    set_aside: tuple[ArchivedFile, ...]
    passed_over: tuple[str, ...]
    data: Data = "real"


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    str
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def exclusive(home: Path, *, what: str) -> Iterator[None]:
    """Hold the home's lock, so that two runs never write at once.

    Parameters
    ----------
    home : Path
        The home; made if it is not there.
    what : str
        What is about to be written, for the message if it cannot be.

    Yields
    ------
    None

    Raises
    ------
    ShortcastError
        If another run holds it.
    """
    home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / ".lock")
    try:
        with lock.acquire(timeout=0):
            yield
    except Timeout as error:
        raise ShortcastError(
            f"Another run is writing to {home}, so {what} did not start; wait for it to end "
            "and run the command again."
        ) from error


class Archive:
    """The append-only archive under one folder.

    Parameters
    ----------
    root : Path
        The archive's folder; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ledger = root / "ledger.jsonl"

    def entries(self) -> list[ArchivedFile]:
        """Return every line of the ledger, oldest first.

        Raises
        ------
        ShortcastError
            If a line other than a torn last one cannot be read.
        """
        if not self.ledger.exists():
            return []
        found = []
        for number, line in enumerate(self.ledger.read_bytes().splitlines(keepends=True), start=1):
            try:
                found.append(ArchivedFile(**json.loads(line)))
            except (ValueError, TypeError) as error:
                if not line.endswith(b"\n"):
                    break  # torn by a crash while appending; its file is imported again
                raise ShortcastError(
                    f"{self.ledger} line {number} cannot be read ({error}); restore the "
                    "ledger from a backup."
                ) from error
        return found

    def snapshots(self) -> list[Snapshot]:
        """Return the accepted snapshots, by source and then by day."""
        grouped: dict[tuple[str, str], dict[str, ArchivedFile]] = {}
        for entry in self.entries():
            if entry.state == "accepted":
                grouped.setdefault((entry.source, entry.as_of), {})[entry.file] = entry
        return [
            Snapshot(source, date.fromisoformat(day), tuple(files[name] for name in sorted(files)))
            for (source, day), files in sorted(grouped.items())
        ]

    def data(self) -> Data | None:
        """Return which kind of records the archive holds; None while it holds none.

        Raises
        ------
        ShortcastError
            If its ledger names both kinds, which no import does.
        """
        kinds: set[Data] = {data_of(entry.file) for entry in self.entries()}
        if len(kinds) > 1:
            raise ShortcastError(
                f"{self.ledger} names real and simulated files, which no import does; restore the "
                "ledger from a backup, or begin with another home (SHORTCAST_HOME=DIR)."
            )
        return kinds.pop() if kinds else None

    def stand_ins(self) -> dict[tuple[str, date], list[Snapshot]]:
        """Return what may stand in for a snapshot that cannot be read, oldest first.

        Returns
        -------
        dict of (str, date) to list of Snapshot
            By source and day: the snapshot with one more of its files replaced each time by
            one that was set aside under the same name.
        """
        files = {(s.source, s.as_of): {f.file: f for f in s.files} for s in self.snapshots()}
        found: dict[tuple[str, date], list[Snapshot]] = {}
        for entry in self.entries():
            key = (entry.source, date.fromisoformat(entry.as_of))
            if entry.state == "set_aside" and key in files:
                files[key][entry.file] = entry
                whole = tuple(files[key][name] for name in sorted(files[key]))
                found.setdefault(key, []).append(Snapshot(*key, whole))
        return found

    def path(self, entry: ArchivedFile) -> Path:
        """Return where an archived file lies.

        Parameters
        ----------
        entry : ArchivedFile
            A line of the ledger.

        Returns
        -------
        Path
        """
        base = self.root if entry.state == "accepted" else self.root / "set_aside"
        name = entry.file if entry.state == "accepted" else f"{entry.sha256[:12]}-{entry.file}"
        return base / entry.source / entry.as_of / name

    def verify(self) -> list[str]:
        """Check every file against its checksum.

        Returns
        -------
        list of str
            One sentence for each file that is missing or altered; empty when all is well.
        """
        faults = []
        for entry in self.entries():
            path = self.path(entry)
            if not path.exists():
                faults.append(f"{path} is missing; import it again (it came from {entry.origin}).")
            elif checksum(path) != entry.sha256:
                faults.append(
                    f"{path} no longer has its recorded checksum; delete it and import it again "
                    f"(it came from {entry.origin})."
                )
        return faults

    def import_tree(self, tree: Path, sources: Mapping[str, Source]) -> ImportReport:
        """Take a tree ``SOURCE/AS_OF/FILE`` into the archive.

        Importing the same tree twice adds nothing. An archive holds real records or simulated
        ones (`shortcast.features.kind`), never both.

        Parameters
        ----------
        tree : Path
            The folder to import.
        sources : mapping of str to Source
            Known sources by name.

        Returns
        -------
        ImportReport
            What was added, held already, set aside and passed over.

        Raises
        ------
        ShortcastError
            If ``tree`` is no folder or holds no known source, or if real and simulated records
            would meet; nothing is imported then.
        """
        if not tree.is_dir():
            raise ShortcastError(
                f"{tree} is not a folder; give the folder that holds SOURCE/AS_OF/FILE."
            )
        folders = sorted(p for p in tree.iterdir() if p.is_dir())
        candidates = {p.name: _candidates(p, sources[p.name]) for p in folders if p.name in sources}
        taken = [path for found in candidates.values() for path, _, fault in found if not fault]
        data = self._require_one_kind(tree, taken)
        entries = self.entries()
        held = {(e.source, e.as_of, e.file, e.sha256): e for e in entries}
        accepted = {(e.source, e.as_of, e.file): e for e in entries if e.state == "accepted"}
        added: list[ArchivedFile] = []
        set_aside: list[ArchivedFile] = []
        passed_over: list[str] = []
        again = 0
        for folder in folders:
            source = sources.get(folder.name)
            if source is None:
                passed_over.append(f"{folder.name}: no source of this name is known")
                continue
            for path, day, fault in candidates[source.name]:
                if fault:
                    passed_over.append(f"{path.relative_to(tree)}: {fault}")
                    continue
                digest = checksum(path)
                key = (source.name, day, path.name)
                if known := held.get((*key, digest)):
                    again += 1
                    if not self.path(known).exists():
                        self._copy(path, known)  # lost from the archive, and here it is again
                    continue
                entry = ArchivedFile(
                    source=source.name,
                    as_of=day,
                    file=path.name,
                    sha256=digest,
                    bytes=path.stat().st_size,
                    origin=f"{tree.name}/{path.relative_to(tree).as_posix()}",
                    archived_at=datetime.now(UTC).isoformat(timespec="seconds"),
                )
                if first := accepted.get(key):
                    entry = replace(
                        entry,
                        state="set_aside",
                        reason=f"{source.name} of {day} is already held with other bytes "
                        f"(checksum {first.sha256[:12]}); the first one stays in force unless it "
                        "cannot be read, so import a later state under its own day",
                    )
                    set_aside.append(entry)
                else:
                    accepted[key] = entry
                    added.append(entry)
                self._copy(path, entry)
                self._note(entry)
        if not added and not again and not set_aside:
            why = f" (passed over: {'; '.join(passed_over[:3])})" if passed_over else ""
            raise ShortcastError(
                f"{tree} holds no file of a known source{why}; it must look like "
                f"SOURCE/AS_OF/FILE with a SOURCE of: {', '.join(sorted(sources))}."
            )
        return ImportReport(tuple(added), again, tuple(set_aside), tuple(passed_over), data)

    def _require_one_kind(self, tree: Path, files: Sequence[Path]) -> Data:
        """Return which kind of records the files of a tree are, real where there are none.

        Raises
        ------
        ShortcastError
            If they are of both kinds, or not of that of the archive.
        """
        example: dict[Data, str] = {}
        for path in files:
            example.setdefault(data_of(path.name), path.relative_to(tree).as_posix())
        if len(example) > 1:
            raise ShortcastError(
                f"{tree} holds real records ({example['real']}) and simulated ones "
                f"({example['simulated']}), which are never mixed, so nothing was imported; take "
                f"one kind out: simulated are the files whose names begin with '{PREFIX}'."
            )
        held = self.data()
        found = data_of(files[0].name) if files else "real"
        if example and held is not None and found != held:
            other = "Name another home for them: SHORTCAST_HOME=DIR before the command"
            if held == "simulated":
                other += f"; or remove this one first, {self.root.parent}"
            raise ShortcastError(
                f"{tree} holds {found} records ({example[found]}) and {self.root} {held} ones; "
                f"the two are never mixed, so nothing was imported. {other}."
            )
        return found

    def _copy(self, path: Path, entry: ArchivedFile) -> None:
        """Copy aside, flush, and rename, so that a file is in the archive whole or not at all."""
        target = self.path(entry)
        partial = target.with_name(f".{target.name}.partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, partial)
            with partial.open("rb") as stream:
                os.fsync(stream.fileno())
            whole = checksum(partial) == entry.sha256
            if whole:
                os.replace(partial, target)
        except OSError as error:
            raise ShortcastError(
                f"{path} could not be copied into the archive ({error.strerror}); see to it and "
                "import again."
            ) from error
        finally:
            partial.unlink(missing_ok=True)
        if not whole:
            raise ShortcastError(f"{path} changed while it was copied; import it again.")

    def _note(self, entry: ArchivedFile) -> None:
        """Write the ledger line of a file that is in the archive."""
        self._mend_torn_line()
        with self.ledger.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(entry), sort_keys=True) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def _mend_torn_line(self) -> None:
        """End a last line that a crash left without its end, or cut it if it is not whole."""
        if not self.ledger.exists():
            return
        raw = self.ledger.read_bytes()
        if not raw or raw.endswith(b"\n"):
            return
        whole, torn = raw[: raw.rfind(b"\n") + 1], raw[raw.rfind(b"\n") + 1 :]
        try:
            json.loads(torn)
        except ValueError:
            with self.ledger.open("r+b") as stream:
                stream.truncate(len(whole))
        else:
            with self.ledger.open("ab") as stream:
                stream.write(b"\n")


def _candidates(folder: Path, source: Source) -> Sequence[tuple[Path, str, str]]:
    """List the files of one source's folder with their day, or why they don't count."""
    found: list[tuple[Path, str, str]] = []
    for day in sorted(folder.iterdir()):
        if not day.is_dir():
            found.append((day, "", "files must lie in a folder named after their day"))
            continue
        fault = _day_fault(day.name)
        for path in sorted(day.iterdir()):
            wrong = fault
            if not wrong and not path.is_file():
                wrong = "a folder; files must lie right in the folder of their day"
            elif not wrong and not any(
                fnmatch.fnmatch(official_name(path.name), g) for g in source.files
            ):
                wrong = f"not one of the files of {source.name} ({', '.join(source.files)})"
            found.append((path, day.name, wrong))
    return found


def _day_fault(name: str) -> str:
    """Say what is wrong with a day's name, or ''."""
    if not _DAY.match(name):
        return f"the folder {name!r} is no day of the form YYYY-MM-DD"
    try:
        day = date.fromisoformat(name)
    except ValueError:
        return f"{name} is no day of the calendar"
    # One day of grace, since a source's clock may be ahead of ours.
    if (day - datetime.now(UTC).date()).days > 1:
        return f"the day {name} lies in the future"
    return ""
