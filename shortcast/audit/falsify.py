"""A copy of a tree of records in which everything that became known at T or later is false.

Of each raw row three things can be said, from what `shortcast.audit.declared` declares:

* it became public at T or later, or only by a file of that day: then it is deleted, rewritten
  with the names, classes and numbers of others, or dated anew, and others are made up;
* it became public before T, but this file is the first to show it: then only the columns that
  change later are falsified;
* it became public before T and so did all that it says: then it stays.

What is false never claims to have been public before T in a way that the sources' own dates
would make true: that would be other history, not a false future.
"""

from __future__ import annotations

import random
import re
import shutil
import string
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import as_completed
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from shortcast.audit.days import read_days, text, write_days
from shortcast.audit.declared import ALIASES, DECLARED, Declared, Moment, Rule, Tables
from shortcast.audit.raw import TAIL, RawFile, read_raw
from shortcast.errors import ShortcastError
from shortcast.processes import processes

#: Day of the snapshot before the first one: everything that a row claims counts.
NEVER = pd.Timestamp(1800, 1, 1)
#: Shares of the rows that are deleted, written twice, written again with other content, and
#: made up.
_DELETED, _DOUBLED, _ALTERED, _MADE_UP = 0.15, 0.03, 0.05, 0.1
_MOST_MADE_UP = 5_000
_SYLLABLES = ("bra", "cor", "del", "fen", "glu", "mor", "nix", "ost", "plo", "quin", "sar", "vel")
_SPARE_DAYS = 31


@dataclass
class Tally:
    """Rows looked at in files of T or later, and what was done to them."""

    rows: int = 0
    changed: int = 0
    deleted: int = 0
    added: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Add up two tallies."""
        return Tally(
            self.rows + other.rows,
            self.changed + other.changed,
            self.deleted + other.deleted,
            self.added + other.added,
        )


@dataclass(frozen=True)
class Falsified:
    """What was falsified in a tree.

    Attributes
    ----------
    tally : Tally
        Rows, over all files.
    snapshots : tuple of (str, str)
        Source and day of each snapshot that is not as in the records.
    made_up : int
        How many of these do not exist in the records at all.
    """

    tally: Tally
    snapshots: tuple[tuple[str, str], ...]
    made_up: int


def falsify_tree(
    records: Path,
    out: Path,
    cut: date,
    held: Mapping[tuple[str, str], frozenset[str]],
    *,
    workers: int = 2,
    progress: Callable[[str], None] = lambda _: None,
) -> Falsified:
    """Write a copy of a tree with a false future.

    Parameters
    ----------
    records : Path
        Tree ``SOURCE/AS_OF/FILE``; it is only read.
    out : Path
        Folder to write to, not there yet.
    cut : date
        T: what became known on it or later is falsified.
    held : mapping of (str, str) to frozenset of str
        The tables that each accepted snapshot holds, by source and day. A snapshot says
        nothing of a table that it does not hold. Files of others are copied.
    workers : int
        Processes to use.
    progress : callable
        Told each source.

    Returns
    -------
    Falsified
        What was done; the same tree, day and code give the same bytes.

    Raises
    ------
    ShortcastError
        If there is a source for which nothing is declared, or nothing to falsify.
    """
    sources = sorted(p for p in records.iterdir() if p.is_dir() and not p.name.startswith("."))
    unknown = [source.name for source in sources if source.name not in DECLARED]
    if unknown:
        raise ShortcastError(
            f"The audit does not know when rows of {', '.join(unknown)} became public; declare "
            "it in shortcast/audit/declared.py."
        )
    done: dict[str, Falsified] = {}
    with processes(workers) as pool:
        # The largest first, so that the last worker does not end alone on a long one.
        largest_first = sorted(sources, key=lambda source: -_size(source))
        jobs = {
            pool.submit(falsify_source, source, out / source.name, cut, held): source.name
            for source in largest_first
        }
        for job in as_completed(jobs):
            done[jobs[job]] = job.result()
            progress(f"falsified: {jobs[job]}, {len(job.result().snapshots)} snapshots")
    parts = [done[source.name] for source in sources]
    tally = sum((part.tally for part in parts), Tally())
    if not tally.changed + tally.deleted:
        raise ShortcastError(
            f"Nothing in {records} became known on {cut} or later, so there is nothing to "
            "falsify; choose an earlier month."
        )
    return Falsified(
        tally,
        tuple(snapshot for part in parts for snapshot in part.snapshots),
        sum(part.made_up for part in parts),
    )


def _size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def falsify_source(
    source: Path, out: Path, cut: date, held: Mapping[tuple[str, str], frozenset[str]]
) -> Falsified:
    """Write a copy of one source's folder ``AS_OF/FILE`` with a false future.

    Parameters
    ----------
    source : Path
        The folder, named after the source.
    out : Path
        Folder to write to, not there yet.
    cut, held
        As in `falsify_tree`.

    Returns
    -------
    Falsified
        What was done.
    """
    tally = Tally()
    changed: list[tuple[str, str]] = []
    made_up = 0
    for step in _plan(source, cut, held):
        target = out / step.day
        if step.is_kept:
            shutil.copytree(step.folder, target)
            continue
        target.mkdir(parents=True)
        for path in sorted(p for p in step.folder.iterdir() if p.is_file()):
            seed = zlib.crc32(f"{cut} {source.name} {step.day} {path.name}".encode())
            moment = Moment(
                pd.Timestamp(cut),
                pd.Timestamp(step.day),
                pd.Timestamp(step.since) if step.since else NEVER,
                np.random.default_rng(seed),
            )
            tally += _falsify_file(path, target / path.name, DECLARED[source.name], moment)
        changed.append((source.name, step.day))
        made_up += step.is_made_up
    return Falsified(tally, tuple(changed), made_up)


@dataclass(frozen=True)
class _Step:
    """One snapshot of the copy: from which folder, for which day, after which other one."""

    folder: Path
    day: str
    since: str
    is_kept: bool
    is_made_up: bool


def _plan(source: Path, cut: date, held: Mapping[tuple[str, str], frozenset[str]]) -> list[_Step]:
    """Return the snapshots that the copy of a source holds, by day."""
    declared = DECLARED[source.name]
    folders = {folder.name: folder for folder in sorted(source.iterdir()) if folder.is_dir()}
    tables = {day: held[source.name, day] for day in folders if (source.name, day) in held}
    first = cut.isoformat()
    origin = {day: day for day in folders}
    if declared.invents_snapshot and tables and first not in folders:
        origin[first] = next((day for day in tables if day >= first), list(tables)[-1])
    steps = []
    for day in sorted(origin):
        model = origin[day]
        before = [
            other
            for other in sorted(origin)
            if other < day
            and origin[other] in tables
            and tables[origin[other]] >= tables.get(model, frozenset())
        ]
        steps.append(
            _Step(
                folder=folders[model],
                day=day,
                since=before[-1] if before else "",
                is_kept=model not in tables or (day < first and declared.foresight is None),
                is_made_up=day not in folders,
            )
        )
    return steps


def _falsify_file(path: Path, target: Path, declared: Declared, moment: Moment) -> Tally:
    """Falsify one file; every one of its tables by the first rule that fits."""
    members = {rule.table for rule in declared.rules} - {""}
    raw = read_raw(path, members or None)
    if moment.day >= moment.cut:
        tally = _falsify_tables(raw, declared, moment, path.name)
    else:
        tally = Tally()
        for name, frame in raw.tables.items():
            if declared.foresight is not None:
                raw.tables[name], done = _falsify_hindsight(frame, declared.foresight, moment)
                tally += done
    raw.write(target)
    return tally


def _falsify_tables(raw: RawFile, declared: Declared, moment: Moment, file: str) -> Tally:
    """Falsify the tables of a file in the order of the rules, which may look at one another."""
    aliased = {
        name: frame.rename(columns={c: ALIASES.get(c, c) for c in frame.columns})
        for name, frame in raw.tables.items()
    }
    fitting: list[tuple[int, str, Rule]] = []
    for name, frame in aliased.items():
        member = name.split("/")[-1].split("#")[0].lower()
        rank = next(
            (
                rank
                for rank, rule in enumerate(declared.rules)
                if rule.table in ("", member) and (not rule.needs or rule.needs in frame.columns)
            ),
            None,
        )
        if rank is None:
            raise ShortcastError(
                f"The audit does not know the layout of {file} ({name}); declare it in "
                "shortcast/audit/declared.py."
            )
        fitting.append((rank, name, declared.rules[rank]))
    was = dict(aliased)
    tally = Tally()
    for _, name, rule in sorted(fitting, key=lambda step: step[:2]):
        false, done = falsify_table(aliased[name], rule, was, moment)
        aliased[name] = false
        raw.tables[name] = false.set_axis(raw.tables[name].columns, axis=1)
        tally += done
    return tally


def _falsify_hindsight(
    frame: pd.DataFrame, rule: Rule, moment: Moment
) -> tuple[pd.DataFrame, Tally]:
    """Falsify what a file that was made later says of the time from the cut on."""
    days = rule.public(frame, {}, moment.cut)
    rows = (days >= moment.cut).to_numpy(dtype=bool)
    last = days.max()
    if not rows.any() or last is pd.NaT:
        return frame, Tally(rows=len(frame))
    false = frame.copy()
    until = Moment(moment.cut, last, moment.since, moment.dice)
    places = np.flatnonzero(rows)
    for name in rule.later:
        if name in rule.days:
            drawn = write_days(until.draw_days(len(places)), frame[name])
        else:
            drawn = frame[name].to_numpy(dtype=object)[
                moment.dice.integers(0, len(frame), len(places))
            ]
        false.loc[frame.index[places], name] = pd.Series(
            drawn, index=frame.index[places], dtype=object
        )
    return false, Tally(rows=len(frame), changed=len(places))


def falsify_table(
    frame: pd.DataFrame, rule: Rule, tables: Tables, moment: Moment
) -> tuple[pd.DataFrame, Tally]:
    """Falsify one raw table.

    Parameters
    ----------
    frame : DataFrame
        Cells as in the file.
    rule : Rule
        What is declared of the table.
    tables : mapping of str to DataFrame
        All tables of the file, as they were.
    moment : Moment
        The cut, the day of the file, and the day of the source's snapshot before.

    Returns
    -------
    false : DataFrame
        The table as it stands in the copy.
    tally : Tally
        What was done.
    """
    frame = _join_run_overs(frame) if rule.runs_over else frame
    public = moment.counts(rule.public(frame, tables, moment.cut))
    stated = (
        moment.counts(rule.state(frame, tables, moment.cut))
        if rule.state
        else np.zeros(len(frame), dtype=bool)
    )
    early = public & ~stated
    free = ~public & ~stated
    dice = moment.dice
    false = frame.copy()

    _rewrite_later(false, frame, rule, early, moment)
    if rule.settle is not None and early.any():
        rule.settle(false, early, frame, moment)
    _rewrite_free(false, frame, rule, free, moment)

    # Rows with records in tow stay: these may be another row that cannot be read here.
    lone = frame[TAIL].isna().to_numpy()
    gone = free & lone & (dice.random(len(frame)) < _DELETED)
    added = _more_rows(false, frame, rule, free & ~gone, moment)
    kept = false[~gone]
    changed = int((free & ~gone).sum() + early.sum())
    false = pd.concat([kept, added], ignore_index=True)
    origin = np.concatenate([np.flatnonzero(~gone), np.full(len(added), -1)])

    # The net below: whatever was put together, nothing new claims to be older than the cut.
    claims = moment.counts(rule.public(false, tables, moment.cut))
    if rule.state is not None:
        claims = claims | moment.counts(rule.state(false, tables, moment.cut))
    fresh = np.concatenate([free[~gone], np.ones(len(added), dtype=bool)])
    caught = claims & fresh
    tally = Tally(
        rows=len(frame),
        changed=changed,
        deleted=int(gone.sum() + (caught & (origin >= 0)).sum()),
        added=len(added),
    )
    return false[~caught].reset_index(drop=True), tally


def _join_run_overs(frame: pd.DataFrame) -> pd.DataFrame:
    """Hang rows that go on from the row before them on that row."""
    first = frame.columns[0]
    runs_on = (text(frame[first]) == "").to_numpy(copy=True)
    runs_on[:1] = False
    if not runs_on.any():
        return frame
    columns = [name for name in frame.columns if name != TAIL]
    owner = pd.Series(~runs_on).cumsum().to_numpy() - 1
    kept = frame[~runs_on].reset_index(drop=True)
    old: list[Any] = frame[TAIL].to_list()
    new: list[Any] = kept[TAIL].to_list()
    for place in np.flatnonzero(runs_on).tolist():
        record = [frame[name].iat[place] for name in columns]
        row = int(owner[place])
        new[row] = [*(new[row] or []), record, *(old[place] or [])]
    kept[TAIL] = pd.Series(new, index=kept.index, dtype=object)
    return kept


def _draw(cells: pd.Series, count: int, dice: np.random.Generator) -> np.ndarray:
    """Draw cells of a column, each with the share that it has there."""
    return cells.to_numpy(dtype=object)[dice.integers(0, len(cells), count)]


def _put(false: pd.DataFrame, name: str, rows: np.ndarray, cells: object) -> None:
    """Put cells into the rows of a column."""
    values = false[name].to_numpy(dtype=object).copy()
    if isinstance(cells, list):  # keep lists that are cells apart from lists of cells
        filled = np.empty(len(cells), dtype=object)
        filled[:] = cells
        cells = filled
    values[rows] = cells
    false[name] = pd.Series(values, index=false.index, dtype=object)


def _times_ten(cells: np.ndarray) -> list[object]:
    """Return amounts ten times as large, in the form in which they stand."""
    out: list[object] = []
    for cell in cells:
        if isinstance(cell, str):
            plain = cell.replace(",", "").replace("$", "").strip()
            is_number = re.fullmatch(r"-?\d+(\.\d+)?", plain) is not None
            out.append(f"{float(plain) * 10:.6g}" if is_number else cell)
        else:
            out.append(cell * 10 if isinstance(cell, (int, float)) else cell)
    return out


def _rewrite_later(
    false: pd.DataFrame, frame: pd.DataFrame, rule: Rule, rows: np.ndarray, moment: Moment
) -> None:
    """Falsify the columns that became known after the row did."""
    if not rows.any():
        return
    for name in rule.later:
        if name not in frame:
            continue
        some = rows & (moment.dice.random(len(frame)) < 0.8)
        if name in rule.days:
            some &= read_days(frame[name]).notna().to_numpy()
            if some.any():
                lag = rule.days[name]
                _put(
                    false,
                    name,
                    some,
                    write_days(moment.draw_days(int(some.sum()), lag), frame[name]),
                )
        else:
            _put(false, name, some, _draw(frame[name], int(some.sum()), moment.dice))


def _rewrite_free(
    false: pd.DataFrame, frame: pd.DataFrame, rule: Rule, rows: np.ndarray, moment: Moment
) -> None:
    """Rewrite rows of which nothing was known: half of them throughout, half but for names."""
    if not rows.any():
        return
    dice = moment.dice
    count = len(frame)
    throughout = dice.random(count) < 0.5
    back = _goes_back(rule, moment, rows & (dice.random(count) < 0.2))
    for name in frame.columns:
        if name == TAIL or name in rule.ids:
            continue
        if name in rule.days:
            _move_days(false, frame, name, rule, rows, back, moment)
            continue
        share = np.where(throughout, 0.7, 0.0 if name in rule.names else 0.5)
        some = rows & (dice.random(count) < share)
        if name in rule.amounts:
            cells = frame[name].to_numpy(dtype=object)[some]
            _put(false, name, some, _times_ten(cells))
        else:
            _put(false, name, some, _draw(frame[name], int(some.sum()), dice))


def _goes_back(rule: Rule, moment: Moment, wanted: np.ndarray) -> np.ndarray:
    """Tell which rows are dated before the snapshot that should have shown them."""
    possible = bool(rule.days) and moment.since > NEVER
    return wanted if possible else np.zeros(len(wanted), dtype=bool)


def _move_days(
    false: pd.DataFrame,
    frame: pd.DataFrame,
    name: str,
    rule: Rule,
    rows: np.ndarray,
    back: np.ndarray,
    moment: Moment,
) -> None:
    """Move days to the cut or later, and some to before the source's last snapshot."""
    lag = pd.Timedelta(days=rule.days[name])
    days = read_days(frame[name])
    dated = rows & days.notna().to_numpy()
    if not dated.any():
        return
    # Between the two no day may stay: it could say that the row was known before the cut.
    spare = pd.Timedelta(days=_SPARE_DAYS)
    between = ((days > moment.since - lag - spare) & (days < moment.cut - lag)).to_numpy()
    ahead = (days > moment.day).to_numpy() & (name not in rule.planned)
    some = dated & (between | ahead | (moment.dice.random(len(frame)) < 0.7)) & ~back
    if some.any():
        drawn = moment.draw_days(int(some.sum()), rule.days[name])
        _put(false, name, some, write_days(_in_year(drawn, frame[name], moment), frame[name]))
    some = dated & back
    if some.any():
        steps = moment.dice.integers(0, 900, int(some.sum()))
        drawn = pd.Series(
            moment.since - lag - spare - pd.to_timedelta(steps, unit="D"), dtype="datetime64[s]"
        )
        _put(false, name, some, write_days(drawn, frame[name]))


def _in_year(days: pd.Series, cells: pd.Series, moment: Moment) -> pd.Series:
    """Where a column holds years, take only such as were over by the day of the file."""
    sample = text(cells)
    if not sample.str.fullmatch(r"\d{4}").any():
        return days
    last = pd.Timestamp(moment.day.year - 1, 12, 31)
    return days.where(days.isna() | (days <= last), last)


def _more_rows(
    false: pd.DataFrame, frame: pd.DataFrame, rule: Rule, free: np.ndarray, moment: Moment
) -> pd.DataFrame:
    """Return rows written twice, rows written again later, and rows that were made up."""
    dice = moment.dice
    places = np.flatnonzero(free)
    parts = [false.iloc[dice.choice(places, int(len(places) * _DOUBLED))]] if len(places) else []
    # What is known goes on: the same things, with a day of the false future.
    again = frame.iloc[dice.integers(0, len(frame), max(3, int(len(frame) * _ALTERED / 2)))]
    parts.append(_made_up(again.reset_index(drop=True), frame, rule, moment, throughout=False))
    count = min(max(5, int(len(places) * _MADE_UP)), _MOST_MADE_UP)
    blank = pd.DataFrame(
        {name: _draw(frame[name], count, dice) for name in frame.columns}, dtype=object
    )
    parts.append(_made_up(blank, frame, rule, moment, throughout=True))
    added = pd.concat(parts, ignore_index=True)
    added[TAIL] = pd.Series([None] * len(added), index=added.index, dtype=object)
    return added


def _made_up(
    rows: pd.DataFrame, frame: pd.DataFrame, rule: Rule, moment: Moment, *, throughout: bool
) -> pd.DataFrame:
    """Give rows new numbers, days of the future and, in part, names that do not exist."""
    dice = moment.dice
    count = len(rows)
    everyone = np.ones(count, dtype=bool)
    back = _goes_back(rule, moment, everyone & throughout & (dice.random(count) < 0.5))
    for name, lag in rule.days.items():
        if name not in rows or not read_days(frame[name]).notna().any():
            continue
        drawn = moment.draw_days(count, lag)
        spare = pd.Timedelta(days=lag + _SPARE_DAYS)
        steps = pd.to_timedelta(dice.integers(0, 900, count), unit="D")
        drawn = drawn.mask(back, pd.Series(moment.since - spare - steps, dtype="datetime64[s]"))
        cells = write_days(_in_year(drawn, frame[name], moment), frame[name])
        _put(rows, name, everyone, cells)
    for name in rule.ids:
        if name in rows:
            _put(rows, name, everyone, _new_ids(rows[name], frame[name], dice))
    for name in rule.names:
        if throughout and name in rows:
            some = dice.random(count) < 0.3
            _put(rows, name, some, [_new_name(dice) for _ in range(int(some.sum()))])
    for name in rule.amounts:
        if name in rows:
            some = dice.random(count) < 0.5
            _put(rows, name, some, _times_ten(rows[name].to_numpy(dtype=object)[some]))
    return rows


def _new_ids(like: pd.Series, taken: pd.Series, dice: np.random.Generator) -> list[object]:
    """Make numbers of the same pattern that, where the pattern has room, no row has yet."""
    used = set(text(taken).tolist())
    chance = random.Random(int(dice.integers(1 << 32)))
    out: list[object] = []
    for cell in text(like).tolist():
        made = cell
        for _ in range(5):
            made = "".join(chance.choice(string.digits) if c.isdigit() else c for c in cell)
            if made not in used:
                break
        used.add(made)
        out.append(made)
    return out


def _new_name(dice: np.random.Generator) -> str:
    """Make a name of three syllables."""
    return "".join(_SYLLABLES[place] for place in dice.integers(0, len(_SYLLABLES), 3)).capitalize()
