"""A made-up year of daily runs: what is accepted is right, whatever goes wrong on the way."""

from __future__ import annotations

import base64
import errno
import gzip
import logging
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import date, timedelta
from pathlib import Path
from random import Random

import httpx2
import pytest
from live_market import connected, made_up_records
from official_faults import DAMAGES, ON_THE_WAY, Drawn, Fault
from official_hosts import Keys
from official_server import Event, OfficialServer, days

from shortcast.errors import ShortcastError
from shortcast.features import warehouse
from shortcast.features.archive import Archive
from shortcast.features.archive_check import verify
from shortcast.features.fetch_log import Outcome
from shortcast.features.fetching import client, fetch, plan, read_log
from shortcast.features.sources import registry
from shortcast.settings import Settings

#: 52 weeks, from the first day on which every source has published something.
FIRST, COUNT = date(2024, 12, 31), 364
#: The last days are quiet: what was missed is fetched then, weekly sources too.
QUIET = [*days(FIRST, 2), *days(FIRST + timedelta(days=COUNT - 9), 10)]
KEYS = Keys(
    "kEy-0f-0penFDA-31415926",
    "wh0-asks@example.invalid",
    "kEy-0f-dashb0ard-2718281828",
    "wh0-asks@example.invalid",
    "pass-w0rd-0f-canada-1618",
)
#: Pages that lead to the files of several sources or of one, which they do not show themselves.
LISTS = {
    "api.fda.gov/download.json": {"openfda_shortages", "openfda_enforcement", "openfda_ndc"},
    "data.medicaid.gov/api/1/metastore/schemas/dataset/items": {"nadac"},
    "data.cms.gov/data.json": {"partb_spending", "partd_spending"},
    "www.cms.gov/medicare/payment/part-b-drugs/asp-pricing-files": {"cms_asp"},
    "cpe.org.uk/funding-and-reimbursement/reimbursement/price-concessions/archive/": {
        "uk_price_concessions"
    },
}


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


@contextmanager
def no_time_lost(server: OfficialServer) -> Iterator[None]:
    """Let who is left without an answer hear at once what it would after its patience."""
    ask = httpx2.HTTPTransport.handle_request

    def told(transport: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
        try:
            return ask(transport, request)
        except httpx2.RemoteProtocolError:
            if server.events[-1].status == 0:
                raise httpx2.ReadTimeout("timed out", request=request) from None
            raise

    manners = client.Manners(
        tries=3, first_wait=0.01, longest_wait=0.1, jitter=0.01, patience=30.0, timeout=60.0
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx2.HTTPTransport, "handle_request", told)
        patch.setattr(client, "MIRROR_MANNERS", manners)
        yield


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
) -> Iterator[list[Event]]:
    """Fetch every day of the year, and give what was answered wrongly on each."""
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
        yield faulty
        if day in QUIET and not faulty:
            assert bad == set(), f"{day}: {report.failed}"


@pytest.mark.slow
def test_at_the_end_of_a_year_of_faults_the_warehouse_is_that_of_the_good_snapshots(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    waits: list[float],
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "filelock")
    records = made_up_records(tmp_path / "records", drugs=40, seed=14)
    seed, told = 11, []
    drawn = Drawn(seed, share=0.04, damaged=0.05, taken_back=0.03, quiet=QUIET)
    faults: list[Event] = []

    with OfficialServer(records, keys=KEYS, faults=drawn, silence=0) as server:
        config = connected(tmp_path / "home", server)
        changes = [day for day in server.shelf.days("fda_shortages", QUIET[-10]) if day > QUIET[1]]
        full_on = set(Random(seed).sample(changes, 5))
        twice_on = set(Random(-seed).sample(list(days(FIRST, COUNT - 10))[3:], 6))

        def tell(line: str) -> None:
            told.append(line)
            if server.day in twice_on:
                # A second run, started by hand while the first is under way.
                with pytest.raises(ShortcastError, match="Another run"):
                    fetch(today=server.day, config=config)

        def disk(day: date) -> AbstractContextManager[None]:
            return full_disk() if day in full_on else nullcontext()

        with no_time_lost(server):
            for faulty in play(server, config, tell=tell, disk=disk):
                faults += faulty

    log = read_log(config.fetching)
    kinds = Counter(event.fault for event in faults)
    assert min(kinds[kind] for kind in (*ON_THE_WAY, *DAMAGES)) >= 3, kinds
    assert any(wait >= 1 for wait in waits), "no Retry-After was waited for"
    full = {line.day for line in log if os.strerror(errno.ENOSPC) in line.message}
    assert full == {day.isoformat() for day in full_on}
    assert not_on_log(faults, log) == []
    assert not_accepted(server, faults, log, full_on) == []

    # The same snapshots, fetched on the same days without a fault.
    same = Calm(seed, taken_back=0.03, quiet=QUIET)
    with OfficialServer(records, keys=KEYS, faults=same) as calm:
        good = connected(tmp_path / "good", calm)
        for day, names in sorted(came_on(log).items()):
            calm.day = day
            report = fetch(sorted(names), today=day, config=good)
            assert {outcome.state for outcome in report.outcomes} == {"accepted"}, report
        calm.day = QUIET[-1]
        report = fetch(plan_names(config), today=calm.day, config=good)
        missed = [o for o in report.outcomes if o.state not in ("unchanged", "held")]
        assert missed == [], "it was missed while there were faults, and not fetched since"
    assert held(config) == held(good)
    assert verify(Archive(config.archive)) == []
    warehouse.build(config)
    warehouse.build(good)
    expected = tables(good)
    assert len(expected) > 20
    for name, rows in tables(config).items():
        assert rows == expected[name], name

    # With nothing new, nothing is made again.
    warehouse_before = config.warehouse.stat()
    assert not warehouse.build(config).rebuilt
    assert config.warehouse.stat().st_mtime_ns == warehouse_before.st_mtime_ns
    assert_no_key(tmp_path, [*told, caplog.text, *capfd.readouterr()], KEYS)


def came_on(log: list[Outcome]) -> dict[date, set[str]]:
    """On which days a snapshot came from which sources: it may have entered the archive later."""
    first: dict[tuple[str, str], str] = {}
    for line in log:
        if line.state in ("accepted", "waiting"):
            first.setdefault((line.source, line.as_of), line.day)
    found: dict[date, set[str]] = {}
    for (source, _), day in first.items():
        found.setdefault(date.fromisoformat(day), set()).add(source)
    return found


def not_accepted(
    server: OfficialServer, faults: list[Event], log: list[Outcome], full_on: set[date]
) -> list[tuple[str, date]]:
    """What had changed when it was asked for, without a fault, and was not accepted that day."""
    spoilt = {(source, event.day) for event in faults for source in sources_of(event)}
    accepted = {(line.source, line.day) for line in log if line.state == "accepted"}
    seen: dict[str, object] = {}
    found: list[tuple[str, date]] = []
    changes = 0
    for source, text in dict.fromkeys((line.source, line.day) for line in log):
        day = date.fromisoformat(text)
        shown = server.shelf.newest(source, day)
        if shown is None or shown.damage:
            continue
        # The weeks of NADAC are handed out as they were published: nothing is taken back.
        state = server.shelf.days(source, day)[-1] if source == "nadac" else shown.files
        is_spoilt = (source, day) in spoilt or day in full_on
        if state != seen.get(source) and not is_spoilt:
            changes += 1
            if (source, text) not in accepted:
                found.append((source, day))
        # What came in spite of a fault, tried again, need not come again.
        if not is_spoilt or (source, text) in accepted:
            seen[source] = state
    assert changes > 50
    return found


def sources_of(event: Event) -> set[str]:
    return {event.source} if event.source else LISTS[f"{event.host}{event.path}"]


def not_on_log(faults: list[Event], log: list[Outcome]) -> list[Event]:
    """Faults that left no trace with their source and day: tried again, or how the fetch ended."""
    told = {
        (line.source, date.fromisoformat(line.day))
        for line in log
        if line.retried or line.state not in ("accepted", "unchanged")
    }

    def has_trace(event: Event) -> bool:
        return any((source, event.day) in told for source in sources_of(event))

    return [event for event in faults if not has_trace(event)]


def unpacked(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, and those that are packed in it as far as it can be unpacked."""
    raw = path.read_bytes()
    yield raw
    with suppress(EOFError, OSError, zlib.error, zipfile.BadZipFile):
        if path.name.endswith(".gz"):
            yield gzip.decompress(raw)
        elif path.name.endswith(".zip"):
            with zipfile.ZipFile(path) as bundle:
                yield from map(bundle.read, bundle.namelist())


def assert_no_key(folder: Path, texts: list[str], keys: Keys) -> None:
    """No file and no text holds a key, as it is or as it is sent."""
    secret = [
        form
        for key in (keys.openfda, keys.dashboard_key, keys.canada_password)
        for form in (
            key.encode(),
            base64.b64encode(key.encode()).rstrip(b"="),
            base64.b64encode(f"{key}:".encode()).rstrip(b"="),
        )
    ]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 500
    for path in files:
        for raw in unpacked(path):
            assert not any(key in raw for key in secret), path
    for text in texts:
        assert not any(key in text.encode() for key in secret), text


@pytest.mark.slow
def test_all_sources_fetched_give_the_warehouse_of_their_files_imported(tmp_path: Path) -> None:
    records = made_up_records(tmp_path / "records", drugs=40, seed=14)
    with OfficialServer(records, keys=KEYS) as server:
        config = connected(tmp_path / "home", server)
        names = plan_names(config)
        assert len(names) > 15
        for server.day in (FIRST, FIRST + timedelta(days=35)):
            report = fetch(names, today=server.day, config=config)
            assert report.failed == ()
        warehouse.build(config)
        assert {source for source, *_ in held(config)} == set(names)

        imported = Settings(home=tmp_path / "imported", threads=1)
        Archive(imported.archive).import_tree(tree_of(config), registry())
        assert held(imported) == held(config)
        warehouse.build(imported)
        expected = tables(config)
        assert len(expected) > 20
        for name, rows in tables(imported).items():
            assert rows == expected[name], name

        # Of a day without news little is asked, and nothing is made again.
        server.day += timedelta(days=1)
        server.events.clear()
        before = {p: p.stat().st_mtime_ns for p in config.home.rglob("*.parquet")}
        before[config.warehouse] = config.warehouse.stat().st_mtime_ns
        report = fetch(names, today=server.day, config=config)
        assert {outcome.state for outcome in report.outcomes} == {"unchanged"}
        assert sum(event.status == 304 for event in server.events) >= 4
        assert not warehouse.build(config).rebuilt
        assert {path: path.stat().st_mtime_ns for path in before} == before


def tree_of(config: Settings) -> Path:
    """The archive's accepted files as a tree that can be imported."""
    tree = config.home / "tree"
    for source, day, file, _ in held(config):
        path = tree / source / day.isoformat() / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(config.archive / source / day.isoformat() / file)
    return tree
