"""What the simulated market had published by a day, as files and as rows; damaged by plan.

Files keep the bytes of the simulation unless the plan of faults says that half of the rows are
missing, a column has another name, or the like.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from official_faults import NoFaults

from shortcast.features.kind import official_name

#: A shorter list loses no record and no half: so few rows less are never held against a list. Nor
#: is a key that fewer records have given another name, since such keys come and go.
_FEW = 11


@dataclass(frozen=True)
class Shown:
    """What a source shows on a day.

    Attributes
    ----------
    source : str
        Its name.
    as_of : date
        Day of the simulated snapshot.
    changed_on : date
        When it last changed: that day, or later if it is damaged.
    files : dict of str to bytes
        By official name.
    damage : str
        What is wrong with it, by plan; '' where the plan has nothing that could be wrong with it.
    whole : int
        Records of its largest file without the damage.
    """

    source: str
    as_of: date
    changed_on: date
    files: dict[str, bytes]
    damage: str
    whole: int

    def only(self) -> tuple[str, bytes]:
        """Name and bytes of the one file."""
        ((name, raw),) = self.files.items()
        return name, raw

    def rows(self) -> list[dict[str, str]]:
        """Rows of the one CSV file."""
        name, raw = self.only()
        if name.endswith(".gz"):
            raw = gzip.decompress(raw)
        return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))

    def json(self) -> Any:
        """Content of the one JSON file."""
        return _json(self.only()[1])


class Shelf:
    """All snapshots of a folder of simulated records.

    Parameters
    ----------
    records : Path
        Folder ``SOURCE/AS_OF/SIMULATED-...``.
    faults : NoFaults
        What is wrong on which day.
    """

    def __init__(self, records: Path, faults: NoFaults) -> None:
        self.faults = faults
        self._days: dict[str, list[tuple[date, Path]]] = {}
        for folder in sorted(records.glob("*/*/")):
            day = date.fromisoformat(folder.name)
            self._days.setdefault(folder.parent.name, []).append((day, folder))
        self._shown = lru_cache(maxsize=64)(self._make)

    def days(self, source: str, until: date) -> list[date]:
        """Days of the snapshots of a source, oldest first."""
        return [day for day, _ in self._days.get(source, []) if day <= until]

    def newest(self, source: str, day: date) -> Shown | None:
        """What a source shows on a day; None while it has published nothing."""
        days = self.days(source, day)
        if not days:
            return None
        damage, taken_back = self.faults.damage(source, day), self.faults.withdrawn(source, day)
        changed_on = day if damage or taken_back is not None else days[-1]
        return self._shown(source, days[-1], changed_on, damage, taken_back)

    def of(self, source: str, as_of: date) -> Shown:
        """The snapshot of a past day, as it was."""
        return self._shown(source, as_of, as_of, "", None)

    def shown(self, source: str, as_of: date, damage: str, day: date) -> Shown:
        """The snapshot of a day, with what is wrong with all that is handed out on another."""
        return self._shown(source, as_of, day if damage else as_of, damage, None)

    def damage(self, source: str, day: date) -> str:
        """What is wrong with what a source shows on a day, or ''."""
        shown = self.newest(source, day)
        return shown.damage if shown is not None else ""

    def _make(
        self, source: str, as_of: date, changed_on: date, damage: str, taken_back: int | None
    ) -> Shown:
        folder = dict(self._days[source])[as_of]
        files = {official_name(p.name): p.read_bytes() for p in sorted(folder.iterdir())}
        dice = Random(f"{source}/{changed_on}/{damage}")
        main = max(files, key=lambda name: len(files[name]))
        if taken_back is not None:
            files[main] = _changed(main, files[main], _without(taken_back))
        whole = _count(main, files[main])
        sound = dict(files)
        for name, raw in sound.items():
            files[name] = _damaged(name, raw, damage, dice)
        if damage == "halved":
            whole = _count(main, files[main])
        if files == sound:
            damage = ""
            changed_on = as_of if taken_back is None else changed_on
        return Shown(source, as_of, changed_on, files, damage, whole)


def _damaged(name: str, raw: bytes, damage: str, dice: Random) -> bytes:
    """Return a file with what is wrong with it."""
    if damage in ("half", "halved") and _count(name, raw) >= _FEW:
        return _changed(name, raw, lambda rows: rows[: len(rows) // 2])
    if damage == "header":
        return _renamed(name, raw, dice)
    if damage == "no_openfda" and ".json" in name:
        return _changed(name, raw, _without_blocks)
    return raw


def _without(number: int) -> Callable[[list[Any]], list[Any]]:
    def leave_out(rows: list[Any]) -> list[Any]:
        if len(rows) < _FEW:
            return rows
        at = number % len(rows)
        return rows[:at] + rows[at + 1 :]

    return leave_out


def _without_blocks(results: list[Any]) -> list[Any]:
    return [{k: v for k, v in row.items() if k != "openfda"} for row in results]


def _json(raw: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
        return json.loads(bundle.read(bundle.namelist()[0]))


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip of these members; the same bytes whenever it is made."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, raw in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            bundle.writestr(info, raw)
    return out.getvalue()


def _count(name: str, raw: bytes) -> int:
    """Count the records of a file."""
    found = 0

    def see(rows: list[Any]) -> list[Any]:
        nonlocal found
        found = len(rows)
        return rows

    _changed(name, raw, see)
    return found


def _changed(name: str, raw: bytes, change: Callable[[list[Any]], list[Any]]) -> bytes:
    """Return a file with other records: those of its JSON, or its lines without the header."""
    if name.endswith(".json.zip"):
        content = _json(raw)
        content["results"] = change(content["results"])
        content["meta"]["results"]["total"] = len(content["results"])
        return zipped({name.removesuffix(".zip"): json.dumps(content).encode()})
    if name.endswith(".parquet"):
        return raw
    return _with_text(name, raw, lambda head, rows: (head, change(rows)))


def _with_text(
    name: str, raw: bytes, change: Callable[[str, list[str]], tuple[str, list[str]]]
) -> bytes:
    """Change the header and the records of a table that is text, packed or not."""
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
            members = {member: bundle.read(member) for member in bundle.namelist()}
        largest = max(members, key=lambda member: len(members[member]))
        head, *rows = members[largest].decode("latin-1").splitlines(keepends=True)
        head, rows = change(head, rows)
        members[largest] = "".join([head, *rows]).encode("latin-1")
        return zipped(members)
    packed = name.endswith(".gz")
    text = (gzip.decompress(raw) if packed else raw).decode("latin-1")
    head, rows = _records(text)
    head, rows = change(head, rows)
    raw = "".join([head, *rows]).encode("latin-1")
    return gzip.compress(raw, mtime=0) if packed else raw


def _records(text: str) -> tuple[str, list[str]]:
    """Split CSV into what goes up to its header, and its records: cells may hold line ends."""
    records, part = [], ""
    for line in text.splitlines(keepends=True):
        part += line
        if part.count('"') % 2 == 0:
            records.append(part)
            part = ""
    records += [part] if part else []
    # The header is the first record with as many fields as the records below it.
    commas = [record.count(",") for record in records]
    at = next(n for n, count in enumerate(commas) if count > 0 and records[n].strip(", \r\n"))
    if records[at].startswith("SIMULATED payment"):
        at = next(n for n, record in enumerate(records) if record.startswith("HCPCS Code"))
    return "".join(records[: at + 1]), records[at + 1 :]


def _renamed(name: str, raw: bytes, dice: Random) -> bytes:
    """Give one column another name."""
    if name.endswith(".json.zip"):
        content = _json(raw)
        counts = Counter(key for row in content["results"] for key in row)
        old = dice.choice(sorted(k for k, n in counts.items() if n >= _FEW and k != "openfda"))
        content["results"] = [
            {("renamed" if key == old else key): value for key, value in row.items()}
            for row in content["results"]
        ]
        return zipped({name.removesuffix(".zip"): json.dumps(content).encode()})
    if name.endswith(".parquet"):
        return raw

    def rename(head: str, rows: list[str]) -> tuple[str, list[str]]:
        between = next(mark for mark in ("\t", "~", ",") if mark in head)
        # What is above the header, and line ends inside it, stay as they are.
        cells = re.split(f"([{between}\r\n]+)", head)
        named = [n for n, cell in enumerate(cells) if re.search("[A-Za-z]", cell)]
        cells[dice.choice(named)] = "Renamed"
        return "".join(cells), rows

    return _with_text(name, raw, rename)
