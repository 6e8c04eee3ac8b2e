"""Taking back what was moved to ``strays/``, such as by a ledger restored from an older copy."""

from __future__ import annotations

from pathlib import Path

from shortcast.errors import ShortcastError
from shortcast.features.archive import STRAYS, Archive, Arrival, ImportReport, checksum
from shortcast.features.parse import read_whole
from shortcast.features.sources import registry

#: Letters of the checksum before the name of a stray, as `Archive.mend` writes it, and a dash.
_PREFIX = 13


def take_back(archive: Archive, name: str) -> ImportReport:
    """Take the strays of one snapshot back into the archive, once they have been checked.

    That all files of the snapshot are there is for the caller to know: a run that was killed may
    have left the first of two.

    Parameters
    ----------
    archive : Archive
        The archive; the caller holds the lock.
    name : str
        ``SOURCE/DAY``.

    Returns
    -------
    ImportReport
        What was added.

    Raises
    ------
    ShortcastError
        If there are none, the day is held, a file is not what it was, or its reader refuses them;
        nothing is changed then.
    """
    archive.mend()
    strays = archive.root / STRAYS
    there = {f"{p.parent.parent.name}/{p.parent.name}" for p in strays.glob("*/*/*")}
    source, _, day = name.partition("/")
    if name not in there or source not in registry():
        listed = ", ".join(sorted(there)) or "nothing"
        raise ShortcastError(f"{strays} holds no {name!r}; it holds {listed}.")
    if any((s.source, str(s.as_of)) == (source, day) for s in archive.snapshots()):
        raise ShortcastError(
            f"The archive holds {name} already, and takes one state a day; remove {strays / name} "
            "if it is of no use."
        )
    files: dict[str, Path] = {}
    for path in sorted((strays / name).iterdir()):
        file = path.name[_PREFIX:]
        if file in files or not checksum(path).startswith(path.name[: _PREFIX - 1]):
            raise ShortcastError(
                f"{path} is a second state of its file, or no longer what it was; leave only the "
                "right one in its folder and run the command again."
            )
        files[file] = path
    read_whole(source, day, files)
    origin = f"{STRAYS}/{name}"
    report = archive.add([[Arrival(p, source, day, f, f"{origin}/{f}") for f, p in files.items()]])
    for path in files.values():
        path.unlink()
    return report
