"""A fetch from beginning to end: ask, check, take into the archive or set apart, note.

The order is such that a run can be killed anywhere. A download lies in ``HOME/fetching/SOURCE``
until it is whole. What has passed the checks is moved, as one folder by one rename, to
``HOME/fetching/ready/SOURCE/DAY``; from there it enters the archive, and the next run begins
with what an earlier one left there.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

from shortcast.errors import ShortcastError, was_interrupted
from shortcast.features.archive import Archive, Arrival, Snapshot, checksum, exclusive
from shortcast.features.fetch_log import GOOD, Outcome, State, note, set_apart
from shortcast.features.fetching.checks import Fault, find_faults, may_be_confirmed
from shortcast.features.fetching.client import Client, FetchError, Validators
from shortcast.features.fetching.errand import Delivery, Errand, Part, one_kind
from shortcast.features.fetching.memory import Memory
from shortcast.features.fetching.secrets import Secrets
from shortcast.features.fetching.ways import walk
from shortcast.features.kind import marked, official_name
from shortcast.features.parse import ParsedSnapshot, ReaderDefectError, parse_one
from shortcast.features.sources import registry
from shortcast.features.sources.contract import Source
from shortcast.features.sources.fetching import Fetching, Way
from shortcast.settings import Settings, settings

log = logging.getLogger(__name__)

#: Seconds that a fetch waits for a build to end before it leaves a snapshot to the next fetch.
LOCK_PATIENCE = 600

_READY, _ORIGINS = "ready", ".origins.json"


@dataclass(frozen=True)
class FetchReport:
    """What a fetch did.

    Attributes
    ----------
    outcomes : tuple of Outcome
        One for each source that was asked, or more where it handed out several snapshots.
    not_due : tuple of str
        Sources that were asked too short a time ago.
    left_out : mapping of str to str
        Sources that could not be asked, with the reason.
    is_cut_off : bool
        Whether several bodies' hosts were silent and nothing has answered.
    """

    outcomes: tuple[Outcome, ...]
    not_due: tuple[str, ...]
    left_out: Mapping[str, str]
    is_cut_off: bool = False

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Those after which the source's newest state is not in the archive."""
        return tuple(outcome for outcome in self.outcomes if outcome.state not in GOOD)

    @property
    def added(self) -> tuple[Outcome, ...]:
        """Those that brought a new snapshot."""
        return tuple(outcome for outcome in self.outcomes if outcome.state == "accepted")


@dataclass(frozen=True)
class Planned:
    """What a fetch would do about one source.

    Attributes
    ----------
    source : Source
        The source.
    fetching : Fetching
        Its description.
    asks : bool
        Whether it would be asked.
    why_not : str
        The reason if not.
    is_due : bool
        False if it was asked too short a time ago.
    history : bool
        Whether the past is to be filled.
    """

    source: Source
    fetching: Fetching
    asks: bool
    why_not: str = ""
    is_due: bool = True
    history: bool = False

    @property
    def way(self) -> Way:
        """What would be walked: the present state, or the past."""
        past = self.fetching.history
        return past if self.history and past is not None else self.fetching.way

    @property
    def address(self) -> str:
        """The address that would be asked first."""
        return self.way.address


def plan(
    names: Sequence[str] = (),
    *,
    today: date,
    history: bool = False,
    config: Settings | None = None,
) -> list[Planned]:
    """Say which sources a fetch would ask, without asking anything.

    Parameters
    ----------
    names : sequence of str
        Sources; all that can be fetched if none is named.
    today : date
        The day of the run.
    history : bool
        Whether the past is to be filled.
    config : Settings, optional
        Settings in force by default.

    Returns
    -------
    list of Planned
        In the order in which they are asked: what is new every day first, since a day that is
        missed of it is lost; then by name.

    Raises
    ------
    FetchError
        If a name is not that of a source that can be fetched.
    """
    config = config or settings()
    known = {name: source for name, source in registry().items() if source.fetching}
    if imported := [name for name in names if name in registry() and name not in known]:
        raise FetchError(
            f"{imported[0]} is exported by hand and imported: shortcast import DIR, with its files "
            f"in DIR/{imported[0]}/{today}; docs/data-sources.md says where they are published."
        )
    if unknown := [name for name in names if name not in known]:
        raise FetchError(
            f"There is no source {unknown[0]!r} that can be fetched; there are {', '.join(known)}."
        )
    memory = Memory(config.fetching / "memory.json", Secrets([]))
    planned = []
    for name in sorted(set(names) or known, key=lambda name: (known[name].cadence_days, name)):
        source = known[name]
        fetching = source.fetching
        assert fetching is not None
        last = memory.confirmed(name)
        if history and fetching.history is None:
            planned.append(Planned(source, fetching, False, "it has no public history"))
        elif not history and fetching.only_history:
            why = "it is a history, which 'shortcast fetch --history' brings"
            planned.append(Planned(source, fetching, False, why, is_due=False))
        elif needs := fetching.needs(config.keys):
            planned.append(Planned(source, fetching, False, needs))
        elif (
            not names
            and not history
            and last is not None
            and 0 <= (today - last).days < fetching.every_days
        ):
            why = f"it was asked on {last} and is asked every {fetching.every_days} days"
            planned.append(Planned(source, fetching, False, why, is_due=False))
        else:
            planned.append(Planned(source, fetching, True, history=history))
    return planned


def fetch(
    names: Sequence[str] = (),
    *,
    today: date,
    history: bool = False,
    config: Settings | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> FetchReport:
    """Bring sources up to date from their official addresses.

    Parameters
    ----------
    names : sequence of str
        Sources; all that can be fetched and are due if none is named.
    today : date
        The day of the run, which becomes that of the snapshots.
    history : bool
        Fill the past instead.
    config : Settings, optional
        Settings in force by default.
    progress : callable
        Told what is being done.

    Returns
    -------
    FetchReport
        What came of each source; one that fails does not keep the others from being asked.

    Raises
    ------
    ShortcastError
        If another fetch is running, a name is unknown, or the archive cannot be written to.
    """
    config = config or settings()
    planned = plan(names, today=today, history=history, config=config)
    if not config.fetch_via:
        Archive(config.archive).require_kind("real", "what the official addresses give")
    with exclusive(config.fetching, what="the fetch"):
        return _Run(config, today, progress).through(planned)


class _Run:
    """One run over several sources."""

    def __init__(self, config: Settings, today: date, progress: Callable[[str], None]) -> None:
        self._config, self._today = config, today
        self._secrets = Secrets(config.keys.values())
        self._tell = lambda line: progress(self._secrets.hide(line))
        self._archive = Archive(config.archive)
        self._memory = Memory(config.fetching / "memory.json", self._secrets)
        self._ready = config.fetching / _READY
        self._outcomes: list[Outcome] = []
        self._allowed: dict[str, int] = {}
        self._retried: list[str] = []
        self._run, self._history = "", False
        # The ledger grows by the day, and is read once a run.
        self._held: dict[str, list[Snapshot]] = {}

    def through(self, planned: Iterable[Planned]) -> FetchReport:
        asked = [p for p in planned if p.asks]
        client = Client(
            today=self._today,
            via=self._config.fetch_via.rstrip("/") if self._config.fetch_via else None,
            contact=self._config.fetch_contact,
            secrets=self._secrets,
            tell=self._tell,
            count=self._count,
        )
        self._retried = client.retried
        try:
            self._take_what_is_ready()
            # From here on, what ends is of this run.
            self._run = datetime.now(UTC).isoformat()
            for snapshot in self._archive.snapshots():
                self._held.setdefault(snapshot.source, []).append(snapshot)
            for number, one in enumerate(asked, start=1):
                self._tell(f"[{number}/{len(asked)}] {one.source.name}")
                self._fetch_one(one, client)
                try:
                    self._memory.save()
                except OSError as error:
                    # It costs downloads the next time, and may be written after the next source.
                    why = error.strerror or str(error)
                    log.warning("what the fetch has learnt cannot be kept (%s); make room", why)
        finally:
            client.close()
        return FetchReport(
            tuple(self._outcomes),
            tuple(p.source.name for p in planned if not p.is_due),
            {p.source.name: p.why_not for p in planned if not p.asks and p.is_due},
            client.is_cut_off,
        )

    def _count(self, host: str) -> None:
        """Count a request, and refuse it when the host allows no more today."""
        asked, allowed = self._memory.count(host, self._today), self._allowed.get(host)
        if allowed is not None and asked > allowed and not self._config.fetch_via:
            raise FetchError(
                f"{host} allows {allowed:,} requests a day without a key, and they are used up; "
                "set its key, or fetch again tomorrow."
            )

    def _fetch_one(self, one: Planned, client: Client) -> None:
        """Ask one source; whatever goes wrong is its own outcome and not that of the run."""
        name, fetching = one.source.name, one.fetching
        way = one.way
        self._history = one.history
        names = (*fetching.keys, *fetching.optional_keys)
        keys = {key: self._config.keys[key] for key in names if key in self._config.keys}
        if fetching.per_day is not None and not keys:
            self._allowed[urlsplit(way.address).netloc] = fetching.per_day
        client.per_minute = fetching.per_minute
        folder = self._config.fetching / name
        try:
            errand = Errand(
                source=one.source,
                fetching=fetching,
                client=client,
                memory=self._memory,
                archive=self._archive,
                held=self._held.setdefault(name, []),
                folder=folder,
                today=self._today,
                keys=keys,
                tell=self._tell,
            )
            brings = False
            for delivery in walk(way, errand):
                brings = True
                self._receive(errand, delivery)
            errand.forget_pages()
            if not brings:
                if not one.history:
                    self._memory.confirm(name, self._today)
                self._end(name, "", "unchanged", "It has nothing that is not held already.")
        except (ShortcastError, ReaderDefectError) as error:
            self._end(name, "", "failed", str(error))
        except OSError as error:
            # Most likely the disk is full: what was half fetched must not stay in the way.
            for left in (folder, *self._config.fetching.glob(f".ready-{name}-*")):
                shutil.rmtree(left, ignore_errors=True)
            why = error.strerror or str(error)
            self._end(
                name, "", "failed", f"It could not be kept ({why}); make room and fetch again."
            )
        except Exception as error:
            # One odd answer must not end the whole fetch; an interrupt must.
            if was_interrupted(error):
                raise KeyboardInterrupt from error
            where = "".join(traceback.format_exception(error))
            log.debug("%s", self._secrets.hide(where))
            said = (
                f"The program failed on what came ({type(error).__name__}: {error}); this is a "
                "defect of it: report it, and fetch again once it is mended."
            )
            self._end(name, "", "failed", said)

    def _receive(self, errand: Errand, delivery: Delivery) -> None:
        """Take a delivery into the archive, or set it apart."""
        name, day = errand.source.name, delivery.as_of.isoformat()
        size = sum(part.path.stat().st_size for part in delivery.parts)
        made_up = one_kind(delivery.parts)
        if made_up is None:
            raise FetchError(
                f"Some files of {name} are said to be made up and others not; the mirror that "
                "hands them out mixes two kinds."
            )
        data = "simulated" if made_up else "real"
        if not delivery.is_past and errand.newest and errand.newest.as_of > delivery.as_of:
            raise FetchError(
                f"The archive holds {name} of {errand.newest.as_of}, and here it is only {day}; "
                "set the clock."
            )
        before = [s for s in errand.held if s.as_of <= delivery.as_of]
        if before and _same(before[-1], delivery.parts):
            self._put_back(before[-1], delivery.parts)
            self._learn(delivery.parts)
            self._discard(delivery.parts)
            if not delivery.is_past:
                self._memory.confirm(name, self._today)
            self._end(name, day, "unchanged", f"Unchanged since {before[-1].as_of}.")
            return
        if errand.holds(delivery.as_of):
            self._discard(delivery.parts)
            said = (
                f"The archive has a snapshot of {day} already, and keeps it; what has changed "
                "since is taken by a fetch on a later day."
            )
            self._end(name, day, "held", said)
            return
        self._archive.require_kind(data, f"{name}/{day}")
        last = self._last_good(before)
        faults = find_faults(
            errand.source,
            errand.fetching,
            delivery,
            last,
            files=self._files_of(last, before),
            seen=self._memory.confirmed(name),
            simulated=made_up,
        )
        files = {marked(part.name, data): part for part in delivery.parts}
        if faults:
            self._set_apart(name, day, files, faults, before[-1] if before else None, size)
            return
        self._make_ready(name, day, files, is_past=delivery.is_past)
        if added := self._take(self._ready / name / day):
            errand.held.append(added)
            errand.held.sort(key=lambda snapshot: snapshot.as_of)

    def _last_good(self, before: Sequence[Snapshot]) -> ParsedSnapshot | None:
        """Return the newest of some snapshots that its reader does not refuse."""
        for snapshot in reversed(before):
            parsed = parse_one(self._archive, self._config.parsed, snapshot)
            if parsed.state == "accepted":
                return parsed
        return None

    def _files_of(
        self, parsed: ParsedSnapshot | None, snapshots: Sequence[Snapshot]
    ) -> dict[str, Path]:
        """Return where the files of a parsed snapshot lie, by official name; not damaged ones."""
        day = parsed.as_of if parsed else None
        files = [file for s in snapshots if s.as_of == day for file in s.files]
        whole = filter(self._archive.is_whole, files)
        return {official_name(file.file): self._archive.path(file) for file in whole}

    def _set_apart(
        self,
        name: str,
        day: str,
        files: Mapping[str, Part],
        faults: Sequence[Fault],
        last: Snapshot | None,
        size: int,
    ) -> None:
        kept = (
            f"the snapshot of {last.as_of} stays in force"
            if last
            else "there is no earlier snapshot"
        )
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        confirmable = may_be_confirmed(faults)
        do = "look at the source, and fetch again"
        if confirmable:
            do = f"if it is right: shortcast archive confirm {name}/{day}"
        said = (
            f"Not taken, because {'; '.join(map(str, faults[:3]))}{more}. It lies in "
            f"the home under quarantine/{name}/{day}, and {kept}; {do}."
        )
        own = {n: part for n, part in files.items() if self._is_ours(part.path)}
        outcome = Outcome(
            name,
            self._today.isoformat(),
            day,
            "quarantined",
            self._secrets.hide(said),
            len(files),
            size,
        )
        set_apart(
            self._config.quarantine,
            outcome,
            {n: part.path for n, part in own.items()},
            {n: {"address": part.address, "sha256": part.sha256} for n, part in files.items()},
            faults=[self._secrets.hide(str(fault)) for fault in faults],
            confirmable=confirmable,
        )
        self._note(outcome)

    def _make_ready(self, name: str, day: str, files: Mapping[str, Part], *, is_past: bool) -> None:
        """Bring the files of a checked snapshot to the ready folder, all at once."""
        ready, aside = self._ready / name / day, self._config.fetching / f".ready-{name}-{day}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        origins = {}
        for file, part in files.items():
            if self._is_ours(part.path):
                os.replace(part.path, aside / file)
            else:
                shutil.copyfile(part.path, aside / file)
            validators = vars(part.validators) if part.validators else None
            origins[file] = {"address": part.address, "sha256": part.sha256, "by": validators}
        about = {"files": origins, "is_past": is_past}
        text = self._secrets.hide(json.dumps(about, sort_keys=True))
        (aside / _ORIGINS).write_text(text, encoding="utf-8")
        for path in aside.iterdir():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        ready.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(ready, ignore_errors=True)
        os.replace(aside, ready)

    def _take_what_is_ready(self) -> None:
        """Finish what an earlier run had checked before it was killed."""
        # Whoever has the lock mends the archive too, so nobody needs to wait for that.
        with suppress(ShortcastError), exclusive(self._config.home, what="the fetch"):
            for line in self._archive.mend():
                self._tell(line)
        for folder in sorted(self._ready.glob("*/*")):
            if (folder / _ORIGINS).exists():
                self._take(folder)
            else:
                shutil.rmtree(folder)  # emptied by half by a run that was killed after it took it
        for aside in self._config.fetching.glob(".ready-*"):
            shutil.rmtree(aside, ignore_errors=True)

    def _take(self, folder: Path) -> Snapshot | None:
        """Take a checked snapshot into the archive; return it if it was taken."""
        name, day = folder.parent.name, folder.name
        try:
            about = json.loads((folder / _ORIGINS).read_text(encoding="utf-8"))
            origins, is_past = about["files"], bool(about["is_past"])
            arrivals = [
                Arrival(folder / file, name, day, file, origin["address"])
                for file, origin in sorted(origins.items())
            ]
            is_sound = all(checksum(a.path) == origins[a.file]["sha256"] for a in arrivals)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            arrivals, origins, is_past, is_sound = [], {}, False, False
        if not self._run:
            self._history = is_sound and is_past
        if not is_sound:
            shutil.rmtree(folder)
            said = "What was checked has been altered since, and is deleted; fetch it again."
            self._end(name, day, "failed", said)
            return None
        size = sum(arrival.path.stat().st_size for arrival in arrivals)
        try:
            with self._home():
                report = self._archive.add([arrivals])
        except (ShortcastError, OSError) as error:
            said = f"It is checked, and enters the archive with the next fetch: {error}"
            self._end(name, day, "waiting", said, len(arrivals), size)
            return None
        for origin in origins.values():
            if origin["by"]:
                validators = Validators(**origin["by"])
                self._memory.learn(origin["address"], validators, origin["sha256"])
        if not is_past:
            self._memory.confirm(name, self._today)
        # First what says that it is whole: a run that is killed here leaves nothing to take.
        (folder / _ORIGINS).unlink()
        shutil.rmtree(folder)
        if report.set_aside:
            self._end(name, day, "held", report.set_aside[0].reason + ".", len(arrivals), size)
            return None
        taken = Snapshot(name, date.fromisoformat(day), report.added)
        if not report.added:
            # A run that was killed had taken it; or it stands in already for what has rotted.
            snapshots = self._archive.snapshots()
            (taken,) = (s for s in snapshots if (s.source, s.as_of) == (name, taken.as_of))
            whole = {file.sha256 for file in taken.files}
            if not {origin["sha256"] for origin in origins.values()} <= whole:
                said = "The archive has it already, beside the first bytes of that day."
                self._end(name, day, "held", said, len(arrivals), size)
                return None
        self._end(name, day, "accepted", "New.", len(arrivals), size)
        return taken

    @contextmanager
    def _home(self) -> Iterator[None]:
        """Hold the home's lock, and wait a while for a build that has it."""
        give_up = time.monotonic() + LOCK_PATIENCE
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(exclusive(self._config.home, what="the fetch"))
                    break
                except ShortcastError:
                    if time.monotonic() > give_up:
                        raise
                    time.sleep(1)
            yield

    def _put_back(self, snapshot: Snapshot, parts: Iterable[Part]) -> None:
        """Bring back what the archive has lost of a snapshot: here are its very bytes again."""
        lost = [file for file in snapshot.files if not self._archive.is_whole(file)]
        if lost:
            paths = {part.sha256: part.path for part in parts}
            arrivals = [Arrival(paths[f.sha256], f.source, f.as_of, f.file, f.origin) for f in lost]
            with self._home():
                self._archive.add([arrivals])

    def _learn(self, parts: Iterable[Part]) -> None:
        for part in parts:
            if part.validators is not None:
                self._memory.learn(part.address, part.validators, part.sha256)

    def _is_ours(self, path: Path) -> bool:
        """Return whether a file was fetched in this run, and is not one of the archive's."""
        return path.is_relative_to(self._config.fetching)

    def _discard(self, parts: Iterable[Part]) -> None:
        for part in parts:
            if self._is_ours(part.path):
                part.path.unlink(missing_ok=True)

    def _end(
        self, name: str, day: str, state: State, message: str, files: int = 0, size: int = 0
    ) -> None:
        message = self._secrets.hide(message)
        self._note(Outcome(name, self._today.isoformat(), day, state, message, files, size))

    def _note(self, outcome: Outcome) -> None:
        """Write an outcome to the log, and say it."""
        outcome = replace(
            outcome,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            retried=tuple(map(self._secrets.hide, self._retried)),
            run=self._run,
            history=self._history,
        )
        self._retried.clear()
        self._outcomes.append(outcome)
        self._tell(f"{outcome.source}: {outcome.state}. {outcome.message}")
        if outcome.state not in GOOD:
            # Whoever runs the command has been told; the scheduler keeps this.
            log.info("fetch of %s for %s: %s", outcome.source, outcome.day, outcome.message)
        try:
            note(self._config.fetching, outcome)
        except OSError as error:
            log.warning("the fetch log cannot be written to (%s)", error.strerror)


def _same(snapshot: Snapshot, parts: Iterable[Part]) -> bool:
    """Return whether a snapshot has the very bytes of these files."""
    return sorted(f.sha256 for f in snapshot.files) == sorted(part.sha256 for part in parts)
