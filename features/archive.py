"""The archive of dated raw files: append-only, checked by checksum.

Layout: ``ARCHIVE/SOURCE/AS_OF/FILE`` with the bytes as received, and ``ARCHIVE/ledger.jsonl``
with one line for every file accepted or set aside. A file that differs from one already held
under the same source, day and name is kept under ``ARCHIVE/set_aside``; it does not replace the
first, but stands in for it where the first turns out to be unreadable (`Archive.stand_ins`).
Files that come later under other names than a day has are set aside with all that came with them.

A file is in the archive once its line is on the ledger, and its bytes are on the disk before
that. What a run that was cut off leaves is put right by the next one (`Archive.mend`): a torn
last line, half a copy, or a whole file without its line, which goes to ``ARCHIVE/strays``.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from shortcast.errors import ShortcastError
from shortcast.features.kind import PREFIX, Data, data_of, official_name
from shortcast.features.sources.contract import Source

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9_]*", re.ASCII)
#: A plain name: no folder, no hidden file, nothing that a terminal would act on.
_FILE = re.compile(r"[^\x00-\x1f\x7f/\\.][^\x00-\x1f\x7f/\\]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20
SET_ASIDE, STRAYS = "set_aside", "strays"
#: How the reason of a file ends that came with others than are held of its day.
_OTHER_FILES = "its files are of one state and are not joined with those of another"


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
        Why it was set aside. Of an accepted one: '', or what was found wrong with its snapshot
        before someone confirmed it, which is the mark that it is confirmed.
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
class Arrival:
    """A file that is to enter the archive.

    Attributes
    ----------
    path : Path
        Where it lies now; it stays there.
    source, as_of, file : str
        Where it shall stand in the archive.
    origin : str
        Where it came from (a folder's name or an address).
    """

    path: Path
    source: str
    as_of: str
    file: str
    origin: str


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

    @property
    def is_confirmed(self) -> bool:
        """Whether someone has looked at it and found it right, whatever spoke against it."""
        return any(file.state == "accepted" and file.reason for file in self.files)


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
    # Who holds the lock is a courtesy: a note that could not be written, or that a killed run
    # left behind, changes nothing.
    note = home / ".lock.held"
    try:
        with lock.acquire(timeout=0):
            with suppress(OSError):
                since = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
                note.write_text(f"{what}, since {since}, process {os.getpid()}", encoding="utf-8")
            try:
                yield
            finally:
                note.unlink(missing_ok=True)
    except Timeout as error:
        holder = ""
        with suppress(OSError):
            holder = f" ({note.read_text(encoding='utf-8')})"
        raise ShortcastError(
            f"Another run{holder} is writing to {home}, so {what} did not start; wait for it to "
            "end and run the command again."
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
                found.append(read_line(line))
            except ValueError as error:
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
            # A file of another state is never put among those of the first.
            is_of_another = entry.reason.endswith(_OTHER_FILES)
            if entry.state == "set_aside" and key in files and not is_of_another:
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
        base = self.root if entry.state == "accepted" else self.root / SET_ASIDE
        name = entry.file if entry.state == "accepted" else f"{entry.sha256[:12]}-{entry.file}"
        return base / entry.source / entry.as_of / name

    def is_whole(self, entry: ArchivedFile) -> bool:
        """Return whether a file lies in its place as it was archived; it is read for that.

        Parameters
        ----------
        entry : ArchivedFile
            A line of the ledger.

        Returns
        -------
        bool
        """
        path = self.path(entry)
        if path.is_symlink() or not path.is_file() or path.stat().st_size != entry.bytes:
            return False
        return checksum(path) == entry.sha256

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
            If ``tree`` is no folder or holds no known source, or if real and simulated records, or
            those of two made-up markets, would meet; nothing is imported then.
        """
        if not tree.is_dir():
            raise ShortcastError(
                f"{tree} is not a folder; give the folder that holds SOURCE/AS_OF/FILE."
            )
        folders = sorted(p for p in tree.iterdir() if p.is_dir())
        passed_over: list[str] = []
        snapshots: dict[tuple[str, str], list[Arrival]] = {}
        for folder in folders:
            source = sources.get(folder.name)
            if source is None:
                passed_over.append(f"{folder.name}: no source of this name is known")
                continue
            for path, day, fault in _candidates(folder, source):
                place = path.relative_to(tree).as_posix()
                if fault:
                    passed_over.append(f"{place}: {fault}")
                    continue
                arrival = Arrival(path, source.name, day, path.name, f"{tree.name}/{place}")
                snapshots.setdefault((source.name, day), []).append(arrival)
        if not snapshots:
            why = f" (passed over: {'; '.join(passed_over[:3])})" if passed_over else ""
            raise ShortcastError(
                f"{tree} holds no file of a known source{why}; it must look like "
                f"SOURCE/AS_OF/FILE with a SOURCE of: {', '.join(sorted(sources))}."
            )
        self.mend()
        self._require_one_market([arrival for files in snapshots.values() for arrival in files])
        report = self.add(list(snapshots.values()))
        return replace(report, passed_over=tuple(passed_over))

    def add(self, snapshots: Sequence[Sequence[Arrival]]) -> ImportReport:
        """Take files into the archive, snapshot by snapshot.

        A snapshot is on the ledger with all its files or with none. What is held already is
        passed over, and put back if its file was lost or altered.

        Parameters
        ----------
        snapshots : sequence of sequences of Arrival
            The files of each snapshot: one source, one day.

        Returns
        -------
        ImportReport
            What was added, held already and set aside.

        Raises
        ------
        ShortcastError
            If real and simulated records would meet (nothing is added then), or a file cannot be
            copied (the snapshots before it are in the archive).
        """
        data = self._require_one_kind([arrival for files in snapshots for arrival in files])
        report = self.take(
            [(_entry(arrival), partial(arrival.path.open, "rb")) for arrival in files]
            for files in snapshots
        )
        return replace(report, data=data)

    def take(
        self, snapshots: Iterable[Sequence[tuple[ArchivedFile, Callable[[], IO[bytes]]]]]
    ) -> ImportReport:
        """Take files into the archive with the lines that are to be noted for them.

        Parameters
        ----------
        snapshots : iterable of sequences of (ArchivedFile, callable)
            The files of each snapshot: the line, and what opens the bytes.

        Returns
        -------
        ImportReport
            What was added, held already and set aside.

        Raises
        ------
        ShortcastError
            If a file cannot be copied or is not what its line says; the snapshots before it are
            in the archive.
        """
        entries = self.entries()
        held = {(e.source, e.as_of, e.file, e.sha256): e for e in entries}
        accepted = {(e.source, e.as_of, e.file): e for e in entries if e.state == "accepted"}
        whole: dict[tuple[str, str], dict[str, str]] = {}
        for entry in accepted.values():
            whole.setdefault((entry.source, entry.as_of), {})[entry.file] = entry.sha256
        added: list[ArchivedFile] = []
        set_aside: list[ArchivedFile] = []
        again = 0
        for files in snapshots:
            of_others = _other_states(files, whole)
            new: list[ArchivedFile] = []
            marks: list[ArchivedFile] = []
            for entry, opened in files:
                key = (entry.source, entry.as_of, entry.file)
                if known := held.get((*key, entry.sha256)):
                    again += 1
                    if not self.is_whole(known):
                        self._copy(opened, known)  # lost or altered, and here it is again
                    if (
                        entry.state == known.state == "accepted"
                        and entry.reason
                        and not known.reason
                    ):
                        # What is held has been confirmed: a second line of the ledger says so.
                        held[*key, entry.sha256] = accepted[key] = entry
                        marks.append(entry)
                    continue
                first = accepted.get(key)
                if entry.state == "accepted" and key[:2] in of_others:
                    reason = _other_files(entry, whole[key[:2]])
                    entry = replace(entry, state="set_aside", reason=reason)
                elif first and entry.state == "accepted":
                    entry = replace(entry, state="set_aside", reason=other_bytes(first))
                self._copy(opened, entry)
                held[*key, entry.sha256] = entry
                if entry.state == "accepted":
                    accepted[key] = entry
                new.append(entry)
            self._note([*new, *marks])
            for entry in new:
                if entry.state == "accepted":
                    whole.setdefault((entry.source, entry.as_of), {})[entry.file] = entry.sha256
            added += [entry for entry in new if entry.state == "accepted"]
            set_aside += [entry for entry in new if entry.state != "accepted"]
        return ImportReport(tuple(added), again, tuple(set_aside), ())

    def _require_one_kind(self, arrivals: Sequence[Arrival]) -> Data:
        """Return which kind of records the arrivals are, real where there are none.

        Raises
        ------
        ShortcastError
            If they are of both kinds, or not of that of the archive.
        """
        example: dict[Data, str] = {}
        for arrival in arrivals:
            example.setdefault(data_of(arrival.file), arrival.origin)
        if len(example) > 1:
            raise ShortcastError(
                f"There are real records ({example['real']}) and simulated ones "
                f"({example['simulated']}), which are never mixed, so nothing was imported; take "
                f"one kind out: simulated are the files whose names begin with '{PREFIX}'."
            )
        found: Data = "simulated" if "simulated" in example else "real"
        if example:
            self.require_kind(found, example[found])
        return found

    def _require_one_market(self, arrivals: Sequence[Arrival]) -> None:
        """Refuse the records of another made-up market: no made-up file comes in two states."""
        held = {(e.source, e.as_of, e.file): e.sha256 for e in self.entries()}
        for arrival in arrivals:
            known = held.get((arrival.source, arrival.as_of, arrival.file))
            if (
                known is not None
                and data_of(arrival.file) == "simulated"
                and known != checksum(arrival.path)
            ):
                raise ShortcastError(
                    f"{arrival.origin} is of another made-up market than the records in "
                    f"{self.root}, so nothing was imported; name another home for it: "
                    "SHORTCAST_HOME=DIR before the command."
                )

    def require_kind(self, found: Data, example: str) -> None:
        """Refuse records that are not of the archive's own kind.

        Parameters
        ----------
        found : {'real', 'simulated'}
            What is about to enter.
        example : str
            One of its files, for the message.

        Raises
        ------
        ShortcastError
            If the archive holds the other kind.
        """
        held = self.data()
        if held is None or held == found:
            return
        other = "Name another home for them: SHORTCAST_HOME=DIR before the command"
        if held == "simulated":
            other += f"; or remove this one first, {self.root.parent}"
        raise ShortcastError(
            f"These are {found} records ({example}) and {self.root} holds {held} ones; the two "
            f"are never mixed, so nothing was imported. {other}."
        )

    def _copy(self, opened: Callable[[], IO[bytes]], entry: ArchivedFile) -> None:
        """Bring a file into its place, on the disk and whole, or not at all.

        Raises
        ------
        ShortcastError
            If it cannot be copied, or its bytes are not what its line says.
        """
        target = self.path(entry)
        aside = partial_of(target)
        digest = hashlib.sha256()
        try:
            self._begin()
            _make_folder(target.parent, self.root)
            with opened() as stream, aside.open("wb") as copy:
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
                    copy.write(chunk)
                copy.flush()
                os.fsync(copy.fileno())
            if digest.hexdigest() != entry.sha256:
                raise ShortcastError(
                    f"{entry.origin} changed while it was copied; import it again."
                )
            os.replace(aside, target)
            _flush_folder(target.parent)
        except OSError as error:
            raise ShortcastError(
                f"{entry.origin} could not be copied into the archive ({error.strerror}); see to "
                "it and run the command again."
            ) from error
        finally:
            aside.unlink(missing_ok=True)

    def _note(self, entries: Sequence[ArchivedFile]) -> None:
        """Write the ledger lines of files that are in their places: all of a snapshot, or none.

        Raises
        ------
        ShortcastError
            If they cannot be written.
        """
        if not entries:
            return
        self._mend_torn_line()
        lines = b"".join(write_line(entry) for entry in entries)
        size = self.ledger.stat().st_size
        try:
            # One write: a kill comes before it or after it.
            with self.ledger.open("ab", buffering=len(lines) + 1) as stream:
                stream.write(lines)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            with suppress(OSError):
                os.truncate(self.ledger, size)  # no part of a snapshot
            raise ShortcastError(
                f"{self.ledger} could not be written ({error.strerror}); see to it and run the "
                "command again."
            ) from error

    def mend(self) -> list[str]:
        """Put right what a run that was cut off left; nothing that was accepted is touched.

        To be called by whoever is about to write, and holds the lock.

        Returns
        -------
        list of str
            One sentence for each thing that was put right.

        Raises
        ------
        ShortcastError
            If the ledger is lost or cannot be read.
        """
        if not self.root.exists():
            return []
        told = []
        if self._mend_torn_line():
            told.append(f"{self.ledger}: its last line was cut off, and is mended.")
        known = {str(self.path(entry)) for entry in self.entries()}
        for path in self.files():
            if is_partial(path):
                path.unlink()
                told.append(f"{path}: half a copy, deleted.")
            elif str(path) not in known:
                self._require_ledger()
                to = self.root / STRAYS / path.relative_to(self.root).parent
                _make_folder(to, self.root)
                os.replace(path, to / f"{checksum(path)[:12]}-{path.name}")
                told.append(f"{path}: was never noted in the ledger, moved to {to}.")
        return told

    def files(self) -> list[Path]:
        """Return every file under the archive, in order, but the ledger and the strays."""
        found = []
        for folder, folders, names in os.walk(self.root):
            if folder == str(self.root):
                folders[:] = [name for name in folders if name != STRAYS]
                names = [name for name in names if name != self.ledger.name]
            found += [Path(folder, name) for name in names]
        return sorted(found)

    def _begin(self) -> None:
        """Lay an empty ledger before the first file, so that a lost one is told from a new one."""
        if not self.ledger.exists():
            self._require_ledger()
            self.root.mkdir(parents=True, exist_ok=True)
            self.ledger.touch()
            _flush_folder(self.root)
            _flush_folder(self.root.parent)

    def _require_ledger(self) -> None:
        """Refuse to go on with files and without a ledger.

        Raises
        ------
        ShortcastError
            If files are there and the ledger is not.
        """
        if not self.ledger.exists() and (found := self.files()):
            raise ShortcastError(
                f"{self.root} holds {len(found)} files and no ledger ({self.ledger.name}); restore "
                "it from a backup, or begin with another home (SHORTCAST_HOME=DIR)."
            )

    def _mend_torn_line(self) -> bool:
        """End a last line that a crash left without its end, or cut it; True if there was one."""
        if not self.ledger.exists():
            return False
        raw = self.ledger.read_bytes()
        if not raw or raw.endswith(b"\n"):
            return False
        whole, torn = raw[: raw.rfind(b"\n") + 1], raw[raw.rfind(b"\n") + 1 :]
        with self.ledger.open("r+b") as stream:
            try:
                read_line(torn)
            except ValueError:
                stream.truncate(len(whole))
            else:
                stream.seek(0, os.SEEK_END)
                stream.write(b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        return True


def write_line(entry: ArchivedFile) -> bytes:
    """Return a ledger line.

    Parameters
    ----------
    entry : ArchivedFile
        What it says.

    Returns
    -------
    bytes
        A JSON object with its end of line.
    """
    return json.dumps(asdict(entry), sort_keys=True).encode("ascii") + b"\n"


def read_line(line: bytes) -> ArchivedFile:
    """Read a ledger line; what it says of a file is such that the file lies in the archive.

    Parameters
    ----------
    line : bytes
        With or without its end.

    Returns
    -------
    ArchivedFile

    Raises
    ------
    ValueError
        Saying what is wrong with it.
    """
    try:
        entry = ArchivedFile(**json.loads(line))
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    texts = {name: value for name, value in vars(entry).items() if name != "bytes"}
    if wrong := [name for name, value in texts.items() if not isinstance(value, str)]:
        raise ValueError(f"{wrong[0]} is no text")
    if type(entry.bytes) is not int or entry.bytes < 0:
        raise ValueError(f"bytes is {entry.bytes!r}, which is no size")
    if not _NAME.fullmatch(entry.source) or entry.source in (SET_ASIDE, STRAYS):
        raise ValueError(f"{entry.source!r} is no name of a source")
    if not _DAY.fullmatch(entry.as_of):
        raise ValueError(f"{entry.as_of!r} is no day")
    date.fromisoformat(entry.as_of)
    datetime.fromisoformat(entry.archived_at)
    if not _FILE.fullmatch(entry.file):
        raise ValueError(f"{entry.file!r} is no name of a file")
    if not _SHA256.fullmatch(entry.sha256):
        raise ValueError(f"{entry.sha256!r} is no checksum")
    if entry.state not in ("accepted", "set_aside"):
        raise ValueError(f"{entry.state!r} is no state")
    return entry


def other_bytes(first: ArchivedFile) -> str:
    """Return why a file is set aside: there is one of the same name with other bytes.

    Parameters
    ----------
    first : ArchivedFile
        The one that is held.

    Returns
    -------
    str
    """
    return (
        f"{first.source} of {first.as_of} is already held with other bytes (checksum "
        f"{first.sha256[:12]}); the first one stays in force unless it cannot be read, so import a "
        "later state under its own day"
    )


def _other_states(
    files: Sequence[tuple[ArchivedFile, object]], whole: Mapping[tuple[str, str], Mapping[str, str]]
) -> set[tuple[str, str]]:
    """Return the days of which other files are held than these: they are of another state of it.

    Joined with what is held, every record might be there twice. What brings all that is held, byte
    for byte, and more, is the same state with what a torn ledger had lost of it.
    """
    came: dict[tuple[str, str], dict[str, str]] = {}
    for entry, _ in files:
        if entry.state == "accepted":
            came.setdefault((entry.source, entry.as_of), {})[entry.file] = entry.sha256
    return {
        day
        for day, ours in came.items()
        if day in whole
        and ours.keys() - whole[day].keys()
        and not whole[day].items() <= ours.items()
    }


def _other_files(entry: ArchivedFile, held: Iterable[str]) -> str:
    """Return why a file is set aside that came with other files than are held of its day."""
    named = sorted(held)
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return (
        f"{entry.source} of {entry.as_of} is already held as {named[0]}{more}, and this came with "
        f"files of other names, so import it under a day of its own: {_OTHER_FILES}"
    )


def partial_of(target: Path) -> Path:
    """Return where a copy lies until it is whole.

    Parameters
    ----------
    target : Path
        The place it is to have.

    Returns
    -------
    Path
    """
    return target.with_name(f".{target.name}.partial")


def is_partial(path: Path) -> bool:
    """Return whether a path is that of a copy that is not whole.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    bool
    """
    return path.name.startswith(".") and path.name.endswith(".partial")


def _entry(arrival: Arrival) -> ArchivedFile:
    """Return the ledger line of a file that arrives now."""
    return ArchivedFile(
        source=arrival.source,
        as_of=arrival.as_of,
        file=arrival.file,
        sha256=checksum(arrival.path),
        bytes=arrival.path.stat().st_size,
        origin=arrival.origin,
        archived_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _make_folder(folder: Path, root: Path) -> None:
    """Make a folder below a root, so that it is on the disk with its parents."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    while folder != root:
        folder = folder.parent
        _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _candidates(folder: Path, source: Source) -> Sequence[tuple[Path, str, str]]:
    """List the files of one source's folder with their day, or why they don't count."""
    found: list[tuple[Path, str, str]] = []
    for day in sorted(folder.iterdir()):
        if not day.is_dir():
            found.append((day, "", "files must lie in a folder named after their day"))
            continue
        fault = day_fault(day.name)
        for path in sorted(day.iterdir()):
            wrong = fault
            if not wrong and not path.is_file():
                wrong = "a folder; files must lie right in the folder of their day"
            elif not wrong and not _FILE.fullmatch(path.name):
                wrong = "a hidden file, or one whose name is not plain"
            elif not wrong and not any(
                fnmatch.fnmatch(official_name(path.name), g) for g in source.files
            ):
                wrong = f"not one of the files of {source.name} ({', '.join(source.files)})"
            found.append((path, day.name, wrong))
    return found


def day_fault(name: str) -> str:
    """Say what is wrong with a day's name, or ''."""
    if not _DAY.fullmatch(name):
        return f"the folder {name!r} is no day of the form YYYY-MM-DD"
    try:
        day = date.fromisoformat(name)
    except ValueError:
        return f"{name} is no day of the calendar"
    # One day of grace, since a source's clock may be ahead of ours.
    if (day - datetime.now(UTC).date()).days > 1:
        return f"the day {name} lies in the future"
    return ""
