"""Taking into the archive what a check kept out, once someone has looked at it and found it right.

The bytes that lie in the quarantine enter under the day on which they were fetched, and their
lines of the ledger bear the reason why they had been kept out. That is the mark by which a build
takes the snapshot though it be short (`Snapshot.is_confirmed`); nothing has to be set for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

from shortcast.errors import ShortcastError
from shortcast.features.archive import (
    Archive,
    ArchivedFile,
    Snapshot,
    checksum,
)
from shortcast.features.fetch_log import REASON, Outcome, note, read_log
from shortcast.features.kind import data_of
from shortcast.features.sources import registry
from shortcast.settings import Settings

#: What stands on the ledger where a snapshot that is held already is confirmed.
_SHORT = "it is short"


@dataclass(frozen=True)
class Confirmed:
    """What a confirmation did.

    Attributes
    ----------
    added : tuple of ArchivedFile
        Files that entered the archive; none if they were held, and only marked.
    faults : tuple of str
        What had been found wrong.
    """

    added: tuple[ArchivedFile, ...]
    faults: tuple[str, ...]


def confirm(name: str, config: Settings) -> Confirmed:
    """Take a quarantined snapshot into the archive, or mark one that is held as whole.

    Parameters
    ----------
    name : str
        ``SOURCE/DAY``.
    config : Settings
        Where archive and quarantine are; the caller holds the home's lock.

    Returns
    -------
    Confirmed
        What was done.

    Raises
    ------
    ShortcastError
        If there is no such snapshot, it may not be confirmed, its bytes are no longer there, or
        the archive holds another state of that day; nothing is changed then.
    """
    source, _, day = name.partition("/")
    if source not in registry() or not _is_day(day):
        raise ShortcastError(
            f"{name!r} names no snapshot; write SOURCE/DAY as the fetch or the build has told it, "
            "for example fda_shortages/2026-11-23."
        )
    archive = Archive(config.archive)
    archive.mend()
    held = next((s for s in archive.snapshots() if (s.source, str(s.as_of)) == (source, day)), None)
    about = _why(config.quarantine / source / day)
    if about is None:
        if held is None:
            raise ShortcastError(
                f"Neither {config.quarantine} nor the archive holds {name}; look at what "
                "'shortcast fetch' and 'shortcast build' have told."
            )
        return _mark(archive, held, (_SHORT,))
    faults = tuple(map(str, about.get("faults", ())))
    checksums = {file: str(origin["sha256"]) for file, origin in about["from"].items()}
    if held is not None:
        if {f.file: f.sha256 for f in held.files} == checksums:
            return _mark(archive, held, faults or (_SHORT,))
        raise ShortcastError(
            f"The archive holds another state of {name}, and takes one a day. If it is that one "
            f"which you have found right, remove {config.quarantine / source / day} and confirm "
            "again; else fetch again: a state that comes on another day can be confirmed then."
        )
    if not about.get("confirmable"):
        raise ShortcastError(
            f"{name} is not for anyone to confirm: "
            f"{about.get('message') or 'no reason is noted; fetch it again.'}"
        )
    files = _to_take(archive, config.quarantine, about, checksums)
    archive.require_kind(data_of(files[0][0].file), name)
    report = archive.take([files])
    for entry in report.added:
        # It is in the archive now; why it had been kept out stays noted.
        (config.quarantine / source / day / entry.file).unlink(missing_ok=True)
    _tell_log(config.fetching, about, len(files), sum(entry.bytes for entry, _ in files))
    return Confirmed(report.added, faults)


def _is_day(text: str) -> bool:
    """Return whether a text is a day as the folders are named, and so no path to elsewhere."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _why(folder: Path) -> dict[str, Any] | None:
    """Return why a snapshot lies in the quarantine; None if it does not.

    Raises
    ------
    ShortcastError
        If that cannot be read.
    """
    path = folder / REASON
    if not path.exists():
        return None
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        _ = [(file, origin["address"], origin["sha256"]) for file, origin in about["from"].items()]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ShortcastError(
            f"{path} cannot be read, so it is not known what lies beside it; remove {folder} and "
            "fetch again."
        ) from error
    return about


def _to_take(
    archive: Archive, quarantine: Path, about: Mapping[str, Any], checksums: Mapping[str, str]
) -> list[tuple[ArchivedFile, Callable[[], IO[bytes]]]]:
    """Return the lines of the files of a quarantined snapshot, and what opens their bytes.

    The bytes may lie under the day on which they came first, and those of a file that had not
    changed since an earlier snapshot lie in the archive.

    Raises
    ------
    ShortcastError
        If some are nowhere.
    """
    source, day = str(about["source"]), str(about["as_of"])
    in_archive = {e.sha256: archive.path(e) for e in archive.entries() if e.source == source}
    found: list[tuple[ArchivedFile, Callable[[], IO[bytes]]]] = []
    for file, sha256 in sorted(checksums.items()):
        places = sorted(quarantine.glob(f"{source}/*/"), key=lambda p: p.name != day)
        paths = [place / file for place in places]
        paths += [in_archive[sha256]] if sha256 in in_archive else []
        path = next((p for p in paths if p.is_file() and checksum(p) == sha256), None)
        if path is None:
            raise ShortcastError(
                f"The bytes of {file} that were set apart with {source}/{day} are no longer there; "
                f"fetch again: shortcast fetch {source}."
            )
        entry = ArchivedFile(
            source=source,
            as_of=day,
            file=file,
            sha256=sha256,
            bytes=path.stat().st_size,
            origin=str(about["from"][file]["address"]),
            archived_at=datetime.now(UTC).isoformat(timespec="seconds"),
            reason=_reason(about.get("faults", ())),
        )
        found.append((entry, partial(path.open, "rb")))
    return found


def _mark(archive: Archive, held: Snapshot, faults: tuple[str, ...]) -> Confirmed:
    """Note of a snapshot that is held that it is right."""
    if not held.is_confirmed:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        lines = [replace(f, reason=_reason(faults), archived_at=now) for f in held.files]
        archive.take([[(e, partial(archive.path(e).open, "rb")) for e in lines]])
    return Confirmed((), faults)


def _reason(faults: object) -> str:
    """Return what the ledger says of a confirmed file."""
    texts = [str(fault) for fault in faults] if isinstance(faults, list | tuple) else []
    return f"found right by someone although {'; '.join(texts) or _SHORT}"


def _tell_log(fetching: Path, about: Mapping[str, Any], files: int, size: int) -> None:
    """Note in the fetch log that what was kept out is in, unless the source was asked since."""
    source, day = str(about["source"]), str(about["day"])
    last = next((o for o in reversed(read_log(fetching)) if o.source == source), None)
    if last is not None and (last.state, last.as_of) == ("quarantined", about["as_of"]):
        now = datetime.now(UTC).isoformat(timespec="seconds")
        said = "Confirmed by hand, and taken into the archive."
        note(fetching, Outcome(source, day, last.as_of, "accepted", said, files, size, now))
