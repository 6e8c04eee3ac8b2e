"""The fetch log, one line for each source asked, and the quarantine of what failed a check."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

State = Literal["accepted", "unchanged", "held", "quarantined", "failed", "waiting"]

#: States after which nothing is to be done.
GOOD: frozenset[State] = frozenset({"accepted", "unchanged", "held"})

#: What asks for a person's look goes before what may pass.
_GRAVITY: Mapping[State, int] = {
    "accepted": 0,
    "unchanged": 0,
    "held": 0,
    "waiting": 1,
    "failed": 2,
    "quarantined": 3,
}


#: So many sets of files of each source stay in the quarantine, the newest.
KEPT_SETS = 10

#: Name of the file that says why others lie in the quarantine beside it.
REASON = "reason.json"


@dataclass(frozen=True)
class Outcome:
    """How the fetch of one snapshot ended.

    Attributes
    ----------
    source : str
        Name of the source.
    day : str
        The day of the run.
    as_of : str
        Day of the snapshot; '' where none came.
    state : {'accepted', 'unchanged', 'held', 'quarantined', 'failed', 'waiting'}
        ``held``: the archive has an earlier state of the same day. ``quarantined``: it came, and
        failed a check. ``failed``: it did not come. ``waiting``: it is checked, and enters the
        archive with the next fetch.
    message : str
        One sentence; what to do where there is something to do.
    files : int
        Files of the snapshot.
    bytes : int
        Their size.
    at : str
        When it ended by the clock, in UTC.
    retried : tuple of str
        What failed on the way and was tried again, one sentence each.
    run : str
        When the run began that asked for it; '' where it was left over from an earlier run.
    history : bool
        Whether the past was asked for.
    """

    source: str
    day: str
    as_of: str
    state: State
    message: str
    files: int = 0
    bytes: int = 0
    at: str = ""
    retried: tuple[str, ...] = ()
    run: str = ""
    history: bool = False


def note(folder: Path, outcome: Outcome) -> None:
    """Append an outcome to the log.

    Parameters
    ----------
    folder : Path
        `Settings.fetching`.
    outcome : Outcome
        Without keys.
    """
    folder.mkdir(parents=True, exist_ok=True)
    line = json.dumps(asdict(outcome), sort_keys=True).encode("ascii") + b"\n"
    path = folder / "log.jsonl"
    with path.open("ab") as stream:
        # A line that was cut off must not swallow this one.
        if stream.tell() and not _ends_whole(path):
            line = b"\n" + line
        stream.write(line)
        stream.flush()
        os.fsync(stream.fileno())


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


def read_log(folder: Path) -> list[Outcome]:
    """Return all outcomes, oldest first; a line that was cut off is passed over.

    Parameters
    ----------
    folder : Path
        `Settings.fetching`.

    Returns
    -------
    list of Outcome
    """
    path = folder / "log.jsonl"
    if not path.exists():
        return []
    found = []
    for line in path.read_bytes().splitlines():
        try:
            fields = json.loads(line)
            found.append(Outcome(**{**fields, "retried": tuple(fields.get("retried", ()))}))
        except (ValueError, TypeError, AttributeError):
            continue
    return found


@dataclass(frozen=True)
class Standing:
    """How far the fetching of a source has come.

    Attributes
    ----------
    last : Outcome
        How its last fetch ended: the gravest outcome, where that brought several snapshots. A
        fetch of the past counts only where the source has nothing else.
    seen_on : date or None
        Last day on which its newest state was taken, or found unchanged.
    """

    last: Outcome
    seen_on: date | None


def standings(folder: Path, today: date | None = None) -> dict[str, Standing]:
    """Return how far the fetching of each source has come.

    Parameters
    ----------
    folder : Path
        `Settings.fetching`.
    today : date, optional
        Runs for later days do not count.

    Returns
    -------
    dict of str to Standing
        By source; without those that were never asked.
    """
    until = today.isoformat() if today else "9999"
    found: dict[str, Standing] = {}
    for outcome in read_log(folder):
        if outcome.day > until:
            continue
        before = found.get(outcome.source)
        if before and outcome.history and not before.last.history:
            continue
        is_look = outcome.state in GOOD and not outcome.history
        seen = date.fromisoformat(outcome.day) if is_look else None
        same_run = before is not None and outcome.run and outcome.run == before.last.run
        last = outcome
        if before and same_run and _GRAVITY[before.last.state] > _GRAVITY[outcome.state]:
            last = before.last
        found[outcome.source] = Standing(last, seen or (before.seen_on if before else None))
    return found


def set_apart(
    quarantine: Path,
    outcome: Outcome,
    files: Mapping[str, Path],
    origins: Mapping[str, Mapping[str, str]],
    *,
    faults: Sequence[str],
    confirmable: bool,
) -> None:
    """Move files that failed a check into the quarantine, with the reason.

    The same bytes are kept once, however many days the source hands them out. Of the newest
    `KEPT_SETS` sets of a source the files are kept, of all others what was wrong with them.

    Parameters
    ----------
    quarantine : Path
        `Settings.quarantine`.
    outcome : Outcome
        Says why.
    files : mapping of str to Path
        Where each file lies, by name.
    origins : mapping of str to mapping
        Address and checksum of each file, by name.
    faults : sequence of str
        All that is wrong with them.
    confirmable : bool
        Whether someone who has looked at them may take them in.
    """
    folder = quarantine / outcome.source / outcome.as_of
    about = {
        **asdict(outcome),
        "from": {name: dict(origin) for name, origin in origins.items()},
        "faults": list(faults),
        "confirmable": confirmable,
    }
    same = next((f for f in _kept(quarantine / outcome.source) if f["from"] == about["from"]), None)
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in files.items():
        if same is None:
            os.replace(path, folder / name)
        else:
            path.unlink()
    if same is not None:
        about["same_as"] = same["as_of"]
    (folder / REASON).write_text(json.dumps(about, indent=1, sort_keys=True), encoding="utf-8")
    _drop_oldest(quarantine / outcome.source)


def _drop_oldest(folder: Path) -> None:
    """Delete the files of all but the newest sets of a source, and leave their reasons."""
    sets = {path.parent for path in folder.glob("*/*") if path.name != REASON}
    # By when they came, not by their day: a fetch of the past brings old days.
    for old in sorted(sets, key=lambda s: (s.stat().st_mtime_ns, s.name))[:-KEPT_SETS]:
        for path in old.iterdir():
            if path.name != REASON:
                path.unlink()


def _kept(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the reasons beside which files of a source lie."""
    for path in sorted(folder.glob(f"*/{REASON}")):
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if "from" in about and any((path.parent / name).exists() for name in about["from"]):
            yield about
