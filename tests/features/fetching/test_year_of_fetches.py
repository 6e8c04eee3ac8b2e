"""A made-up year of daily runs: what is accepted is right, whatever goes wrong on the way."""

from __future__ import annotations

import base64
import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest
from live_market import connected, made_up_records
from official_faults import Drawn, Fault
from official_hosts import Keys
from official_server import Event, OfficialServer, days

from shortcast.errors import ShortcastError
from shortcast.features import warehouse
from shortcast.features.archive import Archive
from shortcast.features.archive_check import verify
from shortcast.features.fetching import client, fetch, plan, read_log
from shortcast.features.sources import registry
from shortcast.settings import Settings

#: 52 weeks, from the first day on which every source has published something.
FIRST, COUNT = date(2024, 12, 31), 364
#: The last days are quiet: what was missed is fetched then, weekly sources too.
QUIET = [*days(FIRST, 2), *days(FIRST + timedelta(days=COUNT - 9), 10)]
KEYS = Keys("kEy-0f-0penFDA-31415926", "wh0-asks@example.invalid", "kEy-0f-dashb0ard-2718281828")


class Calm(Drawn):
    """The same market, in which records are taken back and given back too, without a fault."""

    def on_the_way(self, source: str, day: date, address: str, again: int) -> Fault | None:
        return None

    def damage(self, source: str, day: date) -> str:
        return ""


def tables(config: Settings) -> dict[str, list[tuple]]:
    """Every table of a warehouse, in order, without when and by which code it was built."""
    with warehouse.open_warehouse(config) as connection:
        names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
        return {
            name: connection.execute(f'SELECT * FROM "{name}" ORDER BY ALL').fetchall()
            for name in names
            if name != "build"
        }


def held(config: Settings) -> set[tuple[str, date, str, str]]:
    return {
        (s.source, s.as_of, f.file, f.sha256)
        for s in Archive(config.archive).snapshots()
        for f in s.files
    }


@contextmanager
def full_disk() -> Iterator[None]:
    """Let nothing come to rest on the disk, but a line in the log."""
    flush = os.fsync

    def full(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name != "log.jsonl":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        yield


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for an answer that does not come."""
    manners = client.Manners(
        tries=4, first_wait=0.01, longest_wait=0.1, jitter=0.01, patience=30.0, timeout=2.0
    )
    monkeypatch.setattr(client, "MIRROR_MANNERS", manners)


def plan_names(config: Settings) -> list[str]:
    """The sources that a fetch may ask."""
    never = date(1900, 1, 1)
    return [one.source.name for one in plan(today=never, config=config) if one.asks]


def play(
    server: OfficialServer,
    config: Settings,
    *,
    tell: Callable[[str], None],
    disk: Callable[[date], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> Iterator[tuple[date, list[Event]]]:
    """Fetch every day of the year, and give the day with what was answered wrongly."""
    days_of_year = list(days(FIRST, COUNT))
    for day in days_of_year:
        server.day = day
        before = len(server.events)
        # On the last day those are asked, too, that are asked once a month.
        names = sorted(plan_names(config)) if day == days_of_year[-1] else []
        with disk(day):
            report = fetch(names, today=day, config=config, progress=tell)
        faulty = [event for event in server.events[before:] if event.fault]
        bad = {outcome.source for outcome in report.failed}
        yield day, faulty
        if day in QUIET and not faulty:
            assert bad == set(), f"{day}: {report.failed}"


@pytest.mark.slow
def test_at_the_end_of_a_year_of_faults_the_warehouse_is_that_of_the_good_snapshots(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "filelock")
    records = made_up_records(tmp_path / "records")
    seed, told = 11, []
    drawn = Drawn(seed, share=0.04, damaged=0.03, taken_back=0.03, quiet=QUIET)
    full_on = {FIRST + timedelta(days=Random(seed).randrange(3, COUNT - 10)) for _ in range(6)}
    twice_on = {FIRST + timedelta(days=Random(-seed).randrange(3, COUNT - 10)) for _ in range(6)}
    faults: list[Event] = []

    with OfficialServer(records, keys=KEYS, faults=drawn) as server:
        config = connected(tmp_path / "home", server)

        def tell(line: str) -> None:
            told.append(line)
            if server.day in twice_on:
                # A second run, started by hand while the first is under way.
                with pytest.raises(ShortcastError, match="Another run"):
                    fetch(today=server.day, config=config)

        def disk(day: date) -> AbstractContextManager[None]:
            return full_disk() if day in full_on else nullcontext()

        for _, faulty in play(server, config, tell=tell, disk=disk):
            faults += faulty

    # Every fault is on the log, with its source and day: as what was tried again, or as the end.
    log = read_log(config.fetching)
    on_log = {
        (line.source, date.fromisoformat(line.day))
        for line in log
        if line.retried or line.state not in ("accepted", "unchanged")
    }
    assert len(faults) > 100
    assert {event.fault for event in faults} >= {"timeout", "429", "500", "truncated", "html"}
    assert {event.fault for event in faults} >= {"half", "halved", "header", "no_openfda", "clock"}
    # Damage may be in a file of which the server was only asked whether it had changed.
    damaged = ("half", "halved", "header", "no_openfda")
    missing = [
        event
        for event in faults
        if event.source and event.fault not in damaged and (event.source, event.day) not in on_log
    ]
    assert missing == []
    full = {line.day for line in log if os.strerror(errno.ENOSPC) in line.message}
    assert {day.isoformat() for day in full_on} <= full

    # The same snapshots, fetched on the same days without a fault.
    accepted: dict[date, set[str]] = {}
    for source, day, _, _ in held(config):
        accepted.setdefault(day, set()).add(source)
    same = Calm(seed, taken_back=0.03, quiet=QUIET)
    with OfficialServer(records, keys=KEYS, faults=same) as calm:
        good = connected(tmp_path / "good", calm)
        for day in sorted(accepted):
            calm.day = day
            report = fetch(sorted(accepted[day]), today=day, config=good)
            assert {outcome.state for outcome in report.outcomes} == {"accepted"}, report
        calm.day = FIRST + timedelta(days=COUNT)
        report = fetch(sorted(set().union(*accepted.values())), today=calm.day, config=good)
        assert {o.source: o.state for o in report.outcomes if o.state != "unchanged"} == {}, (
            "what was missed while there were faults has not been fetched since"
        )
    assert verify(Archive(config.archive)) == []
    warehouse.build(config)
    warehouse.build(good)
    expected = tables(good)
    assert len(expected) > 20
    for name, rows in tables(config).items():
        assert rows == expected[name], name
    assert held(config) == held(good)

    # Fetching and importing the same files give the same.
    imported = Settings(home=tmp_path / "imported", threads=1)
    Archive(imported.archive).import_tree(tree_of(config), registry())
    assert held(imported) == held(config)
    warehouse.build(imported)
    assert tables(imported) == expected

    # With nothing new, nothing is made again.
    warehouse_before = config.warehouse.stat()
    assert not warehouse.build(config).rebuilt
    assert config.warehouse.stat().st_mtime_ns == warehouse_before.st_mtime_ns
    assert_no_key(tmp_path, [*told, caplog.text], KEYS)


def tree_of(config: Settings) -> Path:
    """The archive's accepted files as a tree that can be imported."""
    tree = config.home / "tree"
    for source, day, file, _ in held(config):
        path = tree / source / day.isoformat() / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(config.archive / source / day.isoformat() / file)
    return tree


def assert_no_key(folder: Path, texts: list[str], keys: Keys) -> None:
    """No file and no text holds a key, as it is or as it is sent."""
    secret = [
        form
        for key in (keys.openfda, keys.dashboard_key)
        for form in (key.encode(), base64.b64encode(f"{key}:".encode()))
    ]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 500
    for path in files:
        raw = path.read_bytes()
        assert not any(key in raw for key in secret), path
    for text in texts:
        assert not any(key in text.encode() for key in secret), text


@pytest.mark.slow
def test_what_a_day_without_news_asks_is_little(tmp_path: Path) -> None:
    records = made_up_records(tmp_path / "records", drugs=30)
    with OfficialServer(records) as server:
        config = connected(tmp_path / "home", server)
        for day in (FIRST, FIRST + timedelta(days=1)):
            server.day = day
            server.events.clear()
            fetch(today=day, config=config)
            warehouse.build(config)
        assert sum(event.status == 304 for event in server.events) >= 4
        parsed = {p: p.stat().st_mtime_ns for p in config.parsed.rglob("*.parquet")}
        server.day += timedelta(days=1)
        fetch(today=server.day, config=config)
        assert not warehouse.build(config).rebuilt
        assert {p: p.stat().st_mtime_ns for p in config.parsed.rglob("*.parquet")} == parsed
