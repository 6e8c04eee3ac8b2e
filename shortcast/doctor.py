"""A look at this installation: what is well, and what to do about the rest.

Each check is a function that says in one sentence what it found, and what to do if that is not
well. A check never fails for what another one looks at: what cannot be looked at yet is left to
the check that says why.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import metadata
from pathlib import Path

import duckdb

from shortcast.errors import ShortcastError
from shortcast.settings import Settings
from shortcast.settings import settings as current_settings
from shortcast.training.splits import RETRAIN_MONTHS

#: What shortcast is written for.
PYTHON = (3, 11)

#: Room that a first run on some ten years of public records takes, in bytes.
ROOM = 2 * 10**9

#: The backtest, which says how good the model is, trains it anew as often.
RETRAIN = timedelta(days=31 * RETRAIN_MONTHS)

#: A source's clock may be ahead of ours by so much.
GRACE = timedelta(days=1)


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    check : str
        What was looked at.
    good : bool
        Whether all is well.
    found : str
        What was found, in one sentence.
    do : str
        What to do; '' where all is well.
    """

    check: str
    good: bool
    found: str
    do: str = ""


Check = Callable[[Settings, datetime], Iterator[Finding]]


def examine(settings: Settings | None = None, now: datetime | None = None) -> list[Finding]:
    """Look at everything that shortcast needs.

    Parameters
    ----------
    settings : Settings, optional
        Settings in force by default.
    now : datetime, optional
        The moment by the clock, in UTC; the present when left out.

    Returns
    -------
    list of Finding
        At least one for every check, in the order in which they are best mended.
    """
    config, moment = settings or current_settings(), now or datetime.now(UTC)
    return [finding for check in CHECKS for finding in check(config, moment)]


def _python(_: Settings, __: datetime) -> Iterator[Finding]:
    have, wanted = sys.version_info[:3], ".".join(map(str, PYTHON))
    good = have >= PYTHON
    mend = "" if good else f"Install Python {wanted} or newer and run: make clean install."
    yield Finding("python", good, f"Python {'.'.join(map(str, have))}.", mend)


def _libraries(_: Settings, __: datetime) -> Iterator[Finding]:
    """Look whether what is declared is installed, and what loads a system library can be loaded."""
    wanted = [name for name, extra in _requirements() if not extra]
    training = [name for name, extra in _requirements() if extra == "training"]
    if any(map(_is_installed, training)):
        # Without any of them, this is a machine that serves and does not train.
        wanted += training
    missing = [name for name in wanted if not _is_installed(name)]
    if missing:
        yield Finding("libraries", False, f"Not installed: {', '.join(missing)}.", "make install")
    try:
        importlib.import_module("lightgbm")
    except OSError as error:
        yield Finding("libraries", False, f"LightGBM cannot be loaded ({error}).", _mend(error))
    except ImportError as error:
        if not missing:
            found = f"LightGBM cannot be loaded ({error})."
            yield Finding("libraries", False, found, "make clean install")
    else:
        if not missing:
            yield Finding("libraries", True, "All that shortcast declares are installed.")


def _requirements() -> Iterator[tuple[str, str]]:
    """Yield the libraries that the installed package declares, each with its extra, or ''."""
    for line in metadata.requires("shortcast") or ():
        requirement, _, marker = line.partition(";")
        name = requirement
        for sign in "<>=!~[ (":
            name = name.split(sign)[0]
        _, _, extra = marker.partition("extra ==")
        yield name, extra.strip(" '\"")


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _mend(error: OSError) -> str:
    if "libgomp" in str(error):
        return (
            "Install OpenMP's library: sudo apt-get install -y --no-install-recommends libgomp1 "
            "(or as root: scripts/system-packages)."
        )
    if "libomp" in str(error):
        return "Install OpenMP's library: brew install libomp."
    return "Install the library that it names; on Debian and Ubuntu: sudo apt-get install libgomp1."


def _disk(config: Settings, _: datetime) -> Iterator[Finding]:
    place = _nearest(config.home)
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.1f} GB are free at {place}."
    if free >= ROOM:
        yield Finding("disk", True, found)
        return
    yield Finding(
        "disk",
        False,
        found,
        f"Make room for {ROOM / 1e9:.0f} GB, or name another home: SHORTCAST_HOME=DIR.",
    )


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next((p for p in (folder, *folder.parents) if p.is_dir()), Path("/"))


def _home(config: Settings, _: datetime) -> Iterator[Finding]:
    home = config.home
    elsewhere = "Name a folder that you may write to: SHORTCAST_HOME=DIR."
    if home.exists() and not home.is_dir():
        yield Finding("home", False, f"{home} is a file.", elsewhere)
        return
    place = _nearest(home)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        yield Finding("home", False, f"{place} cannot be written to ({error.strerror}).", elsewhere)
        return
    if not home.is_dir():
        yield Finding("home", True, f"{home} is not there yet and can be made.")
        return
    from shortcast.features.archive import Archive

    try:
        data = Archive(config.archive).data()
    except ShortcastError as error:
        yield Finding("home", False, "The archive's ledger is not sound.", str(error))
        return
    holds = {None: "no records yet", "real": "real records", "simulated": "SIMULATED records"}
    yield Finding("home", True, f"{home} can be written to and holds {holds[data]}.")


def _archive(config: Settings, _: datetime) -> Iterator[Finding]:
    """Look whether the files of the archive are there; 'archive verify' reads them all."""
    from shortcast.features.archive import STRAYS, Archive
    from shortcast.features.fetch_log import REASON
    from shortcast.features.parse import DAMAGED
    from shortcast.features.warehouse import open_warehouse

    archive = Archive(config.archive)
    try:
        entries = archive.entries()
    except ShortcastError:
        return  # the home's check says so
    places = {archive.path(entry): entry for entry in entries}
    lost = [p for p, e in places.items() if not p.is_file() or p.stat().st_size != e.bytes]
    damaged: list[tuple[str, date]] = []
    with suppress(ShortcastError, duckdb.Error), open_warehouse(config) as connection:
        damaged = connection.execute(
            "SELECT source, as_of FROM snapshots WHERE state = 'refused' AND contains(reason, ?) "
            "ORDER BY ALL",
            [DAMAGED],
        ).fetchall()
    again = (
        "shortcast archive verify names them and where each came from; import or fetch them again "
        "from there, and run: shortcast build."
    )
    if lost:
        found = f"Of {len(places)} files {len(lost)} are lost or cut short, the first {lost[0]}."
        yield Finding("archive", False, found, again)
    elif damaged:
        source, day = damaged[0]
        found = (
            f"The warehouse is without {len(damaged)} damaged snapshots, such as {source}/{day}."
        )
        yield Finding("archive", False, found, again)
    else:
        strays = sum(path.is_file() for path in (archive.root / STRAYS).rglob("*"))
        more = f", and {strays} that were never noted lie in {STRAYS}" if strays else ""
        yield Finding("archive", True, f"{len(places)} files are there{more}.")
    kept = [p for p in config.quarantine.rglob("*") if p.is_file() and p.name != REASON]
    sets = {"/".join(p.relative_to(config.quarantine).parts[:2]) for p in kept}
    newest = {e.source: f"{e.source}/{e.as_of}" for e in sorted(entries, key=lambda e: e.as_of)}
    waiting = sorted(name for name in sets if name > newest.get(name.partition("/")[0], ""))
    if waiting:
        yield Finding(
            "quarantine",
            False,
            f"What was fetched failed a check, and nothing newer was taken: {', '.join(waiting)}.",
            f"Read {REASON} in {config.quarantine / waiting[0]}: it says what is wrong and "
            "what to do.",
        )
    elif kept:
        size = sum(p.stat().st_size for p in kept)
        found = (
            f"{size / 1e6:.1f} MB that failed a check once lie in {config.quarantine}; newer "
            "snapshots of their sources were taken since."
        )
        yield Finding("quarantine", True, found)


def _database(config: Settings, _: datetime) -> Iterator[Finding]:
    from shortcast.database import engine, revisions

    # Asking would make the file.
    if config.database_url is None and not (config.home / "shortcast.db").exists():
        yield Finding("database", True, "It is not there yet; the first command makes it.")
        return
    try:
        where = engine(config).url.render_as_string(hide_password=True)
        held, head = revisions(config)
    except ShortcastError as error:
        yield Finding("database", False, "The application database cannot be read.", str(error))
        return
    if held == head:
        yield Finding("database", True, f"{where} answers and has the tables of this version.")
        return
    yield Finding(
        "database",
        False,
        f"{where} has the tables of {held or 'no version'}, and this version those of {head}.",
        "shortcast runs (like every command that uses it, it brings it up to date).",
    )


def _sources(config: Settings, now: datetime) -> Iterator[Finding]:
    from shortcast.features.archive import Archive
    from shortcast.features.fetch_log import standings
    from shortcast.features.warehouse import judged_on, open_warehouse
    from shortcast.monitoring import corrections
    from shortcast.monitoring.freshness import findings, freshness

    if not config.warehouse.exists():
        try:
            held = Archive(config.archive).snapshots()
        except ShortcastError:
            # The archive's own line says so.
            held = []
        found = "There are no records yet."
        mend = (
            "make up (simulated records), make up RECORDS=DIR, or, on a connected machine: "
            "shortcast fetch, shortcast build."
        )
        if held:
            found = f"The {len(held)} snapshots of the archive were not built into a warehouse yet."
            mend = "shortcast build."
        yield Finding("sources", False, found, mend)
        return
    try:
        with open_warehouse(config) as connection:
            day = judged_on(connection, now.date())
            states = freshness(connection, day, fetched=standings(config.fetching, now.date()))
            over = corrections.findings(connection, day)
    except (ShortcastError, duckdb.Error, ValueError) as error:
        yield Finding("sources", False, "The warehouse cannot be read.", _rebuild(error))
        return
    wrong = findings(states)
    never = {state.source for state in states if state.state == "never" and not state.fetch_fault}
    missing: dict[str, list[str]] = {}
    for fault in wrong:
        how = _how_to_bring(fault.subject, config)
        if fault.subject in never:
            missing.setdefault(how, []).append(fault.subject)
        else:
            mend = how.replace("SOURCE", fault.subject)
            yield Finding(f"source {fault.subject}", False, fault.message, mend)
    for how, names in missing.items():
        found = f"There is no snapshot yet of {', '.join(names)}."
        yield Finding("sources", False, found, how.replace("SOURCE", " ".join(names), 1))
    for fault in over:
        mend = "Change its line in features/sources/corrections.csv."
        yield Finding("corrections", False, fault.message, mend)
    well = len(states) - len(wrong)
    if well:
        yield Finding("sources", True, f"{well} of {len(states)} are as fresh as on {day}.")


def _how_to_bring(name: str, config: Settings) -> str:
    """Say how a source's newest state comes; SOURCE stands for its name."""
    from shortcast.features.sources import registry

    by_hand = (
        f"put its newest files into {config.records_inbox} as NAME/AS_OF/FILE and run: shortcast "
        "run import, shortcast run build."
    )
    fetching = registry()[name].fetching
    if fetching is None:
        return f"It is exported by hand: {by_hand}"
    history = " --history" if fetching.only_history else ""
    how = f"shortcast fetch SOURCE{history} (or import its newest files), shortcast build."
    needs = fetching.needs(config.keys)
    return f"{needs[0].upper()}{needs[1:]}; set that, and run: {how}" if needs else how


def _champion(config: Settings, _: datetime) -> Iterator[Finding]:
    if not (config.champion.exists() and config.warehouse.exists()):
        yield Finding(
            "champion",
            False,
            "No model has been promoted yet."
            if not config.champion.exists()
            else "There is a model and no warehouse.",
            "make up (it tests, trains, promotes and scores).",
        )
        return
    from shortcast.features import groups
    from shortcast.features.warehouse import open_warehouse

    again = "make up (it tests, trains, promotes and scores anew)."
    try:
        from shortcast.training.bundle import Bundle
    except (ImportError, OSError):
        found = "The model cannot be loaded without the libraries."
        yield Finding("champion", False, found, "See 'libraries' above.")
        return
    try:
        bundle = Bundle.load(config.champion)
        with open_warehouse(config) as connection:
            ((data, checksum),) = connection.execute(
                "SELECT data, records_checksum FROM build"
            ).fetchall()
            ((records_end,),) = connection.execute(
                "SELECT records_end FROM records_reach"
            ).fetchall()
    except (ShortcastError, duckdb.Error, ValueError) as error:
        yield Finding("champion", False, "The model in force cannot be looked at.", _rebuild(error))
        return
    name = f"{bundle.name} version {bundle.version}"
    if bundle.data != data:
        found = f"{name} is of {bundle.data} records and the warehouse of {data} ones."
    elif set(bundle.features) != set(groups.features()):
        found = f"{name} was trained on other features than this version has."
    elif records_end is not None and records_end - bundle.records_end > RETRAIN:
        found = f"{name} learnt from records to {bundle.records_end}, and they reach {records_end}."
    elif bundle.records_checksum != checksum and records_end == bundle.records_end:
        found = f"{name} was trained on other records than the warehouse has now."
    else:
        yield Finding(
            "champion", True, f"{name} can be loaded; trained on records to {bundle.records_end}."
        )
        return
    yield Finding("champion", False, found, again)


def _rebuild(error: Exception) -> str:
    """Return what to do about a file that cannot be read; our own errors say it themselves."""
    return str(error) if isinstance(error, ShortcastError) else "shortcast build --force"


def _clock(config: Settings, now: datetime) -> Iterator[Finding]:
    from shortcast.features.archive import Archive

    try:
        entries = Archive(config.archive).entries()
    except ShortcastError:
        entries = []  # the home's check says so
    entered = [datetime.fromisoformat(entry.archived_at) for entry in entries]
    captured = [date.fromisoformat(entry.as_of) for entry in entries]
    found = f"It is {now:%Y-%m-%d %H:%M} UTC"
    mend = (
        "Set the clock (timedatectl set-ntp true), or remove what was imported under a wrong one."
    )
    if entered and now < max(entered) - GRACE:
        yield Finding("clock", False, f"{found}, before the last import, {max(entered)}.", mend)
    elif captured and now.date() < max(captured) - GRACE:
        yield Finding("clock", False, f"{found}, before the newest record, {max(captured)}.", mend)
    else:
        zone = datetime.now().astimezone().tzname()
        name = os.environ.get("TZ") or zone or "unknown"
        yield Finding("clock", True, f"{found}; the timetable is in UTC, this machine in {name}.")


#: What is looked at, in the order in which it is best mended.
CHECKS: tuple[Check, ...] = (
    _python,
    _libraries,
    _disk,
    _home,
    _archive,
    _clock,
    _database,
    _sources,
    _champion,
)
