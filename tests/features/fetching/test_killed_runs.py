"""Killed at any moment, a run leaves nothing that the next one cannot go on from."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest
from killed_runs import build_home, fetch_day, import_folder, killed, run
from live_market import Keyed, made_up_records
from official_faults import Drawn
from official_server import OfficialServer

from shortcast.features import warehouse
from shortcast.features.archive import Archive
from shortcast.features.archive_check import verify

#: In each of four homes.
KILLS = {"fetch": 22, "import": 20, "build": 8}
FIRST = date(2025, 1, 1)
#: Share of kills after which the same run is made to its end.
_COMPLETED = {"fetch": 0.3, "import": 0.3, "build": 0.2}
#: Sources of small files, of which the folders to import are made.
SMALL = ("fda_warning_letters", "fda_compliance_actions", "fda_inspections")


def held(archive: Archive) -> set[tuple[str, date, str]]:
    return {(s.source, s.as_of, s.checksum) for s in archive.snapshots()}


def tree(records: Path, folder: Path, number: int) -> Path:
    """Three snapshots of days that no other tree has."""
    day = date(2016, 1, 1) + timedelta(days=number)
    for source in SMALL:
        newest = max((records / source).iterdir())
        shutil.copytree(newest, folder / str(number) / source / day.isoformat())
    return folder / str(number)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_records(tmp_path_factory.mktemp("market"), drugs=20, seed=17)


@pytest.fixture(scope="module")
def begun(records: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A home after its first day, and the seconds that each run takes."""
    folder = tmp_path_factory.mktemp("begun")
    with OfficialServer(records) as server:
        server.day = FIRST
        home = Keyed(folder / "home", server.address)
        took = {
            "fetch": run(fetch_day, home, server.day),
            "import": run(import_folder, home, tree(records, folder / "trees", 0)),
            "build": run(build_home, home),
        }
    return home.home, took


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_200_kills_of_fetch_import_and_build_cost_nothing(
    tmp_path: Path, seed: int, records: Path, begun: tuple[Path, dict[str, float]]
) -> None:
    dice = Random(seed)
    kills: Counter[str] = Counter()
    # Records are taken back and given back, so that most days bring something new.
    plan = Drawn(seed, share=0, damaged=0, taken_back=0.15)
    with OfficialServer(records, faults=plan) as server:
        home = Keyed(tmp_path / "home", server.address)
        archive = Archive(home.settings.archive)
        accepted: set[tuple[str, date, str]] = set()
        server.day = FIRST

        def look() -> None:
            nonlocal accepted
            now = held(archive)
            assert accepted <= now, accepted - now
            accepted = now

        shutil.copytree(begun[0], home.home)
        # The first runs do more than those to come, which are killed at any moment of theirs.
        took = begun[1] | {"fetch": begun[1]["fetch"] / 3, "build": begun[1]["build"] / 2}
        look()
        number = 0
        while open_kinds := [kind for kind, count in KILLS.items() if kills[kind] < count]:
            number += 1
            assert number < 10 * sum(KILLS.values()), f"runs end before they are killed: {kills}"
            kind = dice.choice(open_kinds)
            after = dice.uniform(0, took[kind])
            if kind == "fetch":
                server.day += timedelta(days=1)
                job, given = fetch_day, (server.day,)
            elif kind == "import":
                job, given = import_folder, (tree(records, tmp_path / "trees", number),)
            else:
                # So that there is something to build.
                run(import_folder, home, tree(records, tmp_path / "trees", number))
                job, given = build_home, ()
            kills[kind] += killed(after, job, home, *given)
            look()
            # A run may be killed a few times before one comes to its end.
            if dice.random() < _COMPLETED[kind]:
                took[kind] = (took[kind] + run(job, home, *given)) / 2
                look()
                assert kind == "build" or verify(archive) == []
        run(fetch_day, home, server.day)
        run(build_home, home)
        look()
        assert verify(archive) == []
        # What was built over all the kills is what is built at once.
        fresh = Keyed(tmp_path / "fresh", server.address)
        shutil.copytree(archive.root, fresh.settings.archive)
        run(build_home, fresh)
        assert contents(home) == contents(fresh)
        left = [p for p in home.home.rglob("*") if p.name.endswith((".partial", ".building"))]
        assert left == []


def contents(home: Keyed) -> dict[str, int]:
    """A checksum of every table."""
    with warehouse.open_warehouse(home.settings) as connection:
        names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
        found = {}
        for name in names:
            if name == "build":
                continue
            ((count, total),) = connection.execute(
                f'SELECT count(*), sum(hash(t)) FROM "{name}" AS t'
            ).fetchall()
            found[name] = (count, total)
        return found
