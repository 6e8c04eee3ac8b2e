"""The doctor: every fault is found where it is, with what to do; a sound home has none."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import sqlite3
import sys
from collections import namedtuple
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import duckdb
import pytest

from shortcast import cli, doctor
from shortcast.doctor import Finding, examine
from shortcast.features.archive import Archive
from shortcast.features.sources import registry
from shortcast.monitoring.freshness import Freshness, freshness
from shortcast.settings import settings
from shortcast.training.bundle import Bundle

Usage = namedtuple("Usage", "total used free")


def looked(check: str, now: datetime | None = None) -> Finding:
    """Return the one finding of a check on the home in force."""
    (found,) = (f for f in examine(now=now) if f.check == check)
    return found


def test_a_home_that_is_not_there_yet_is_no_fault_and_is_not_made() -> None:
    found = {f.check: f for f in examine()}
    assert all(found[name].good for name in ("python", "libraries", "home", "database", "clock"))
    assert "make up" in found["sources"].do
    assert "make up" in found["champion"].do
    assert not settings().home.exists()


def test_a_sound_home_has_no_fault(own_scored_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the age of the sources, on a day on which they were new."""
    monkeypatch.setattr("shortcast.monitoring.freshness.findings", lambda states: [])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**11, 9 * 10**11))
    findings = examine()
    assert [f for f in findings if not f.good] == []
    assert [f.check for f in findings] == [
        *("python", "libraries", "disk", "home", "archive", "clock"),
        *("database", "sources", "champion"),
    ]
    assert all(f.found and not f.do for f in findings)


def test_a_file_that_the_archive_has_lost_is_named_and_the_quarantine_s_size_told(
    tmp_path: Path,
) -> None:
    tree = tmp_path / "tree" / "nadac" / "2020-01-01"
    tree.mkdir(parents=True)
    (tree / "SIMULATED-nadac.csv").write_bytes(b"x")
    archive = Archive(settings().archive)
    archive.import_tree(tmp_path / "tree", registry())
    assert looked("archive").found == "1 files are there."
    place = archive.path(archive.entries()[0])
    place.unlink()
    found = looked("archive")
    assert (found.good, found.found) == (
        False,
        f"Of 1 files 1 are lost or cut short, the first {place}.",
    )
    assert "archive verify" in found.do
    kept_out = settings().quarantine / "nadac" / "2020-01-02"
    kept_out.mkdir(parents=True)
    (kept_out / "nadac.csv").write_bytes(bytes(2_500_000))
    (kept_out / "reason.json").write_text("{}")
    found = looked("quarantine")
    assert found.found.endswith("nothing newer was taken: nadac/2020-01-02.")
    assert "reason.json in" in found.do
    (kept_out / "nadac.csv").unlink()
    assert not [f for f in examine() if f.check == "quarantine"], "what was confirmed is taken in"
    assert looked("sources").do == "shortcast build."


def test_an_old_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    (found,) = doctor._python(settings(), datetime.now(UTC))
    assert (found.good, found.found) == (False, "Python 3.9.2.")
    assert "Python 3.11 or newer" in found.do


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def gone(name: str) -> str:
        if name in ("filelock", "mlflow", "psycopg"):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", gone)
    found = looked("libraries")
    assert not found.good
    # The driver of PostgreSQL is wanted by those alone who have one.
    assert found.found == "Not installed: filelock, mlflow."
    assert found.do == "make install"


@pytest.mark.parametrize(
    ("message", "does"),
    [
        ("libgomp.so.1: cannot open shared object file", "sudo apt-get install -y .*libgomp1"),
        ("Library not loaded: @rpath/libomp.dylib", "brew install libomp"),
    ],
)
def test_a_missing_system_library_is_told_with_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch, own_scored_home: Path, message: str, does: str
) -> None:
    import_module = importlib.import_module

    def load(name: str, *rest: Any) -> Any:
        if name == "lightgbm":
            raise OSError(message)
        return import_module(name, *rest)

    monkeypatch.setattr(importlib, "import_module", load)
    monkeypatch.setitem(sys.modules, "shortcast.training.bundle", None)
    found = looked("libraries")
    assert not found.good
    assert message in found.found
    assert re.search(does, found.do)
    assert "'libraries' above" in looked("champion").do


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 3 * 10**8))
    found = looked("disk")
    assert not found.good
    assert found.found.startswith("0.3 GB are free")
    assert "SHORTCAST_HOME" in found.do


def test_a_home_that_cannot_be_written_to_is_told(
    monkeypatch: pytest.MonkeyPatch, shortcast_home: Path
) -> None:
    def refuse(**_: Path) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    found = looked("home")
    assert not found.good
    assert "cannot be written to (Permission denied)" in found.found
    assert "SHORTCAST_HOME=DIR" in found.do


def test_a_home_that_is_a_file_is_told(shortcast_home: Path) -> None:
    shortcast_home.write_text("no folder", encoding="utf-8")
    found = looked("home")
    assert (found.good, found.found) == (False, f"{shortcast_home} is a file.")


def test_the_home_says_which_kind_of_records_it_holds(own_tiny_home: Path) -> None:
    assert looked("home").found.endswith("holds real records.")
    ledger = own_tiny_home / "archive" / "ledger.jsonl"
    lines = ledger.read_text(encoding="utf-8").splitlines()
    marked = [
        json.dumps({**entry, "file": f"SIMULATED-{entry['file']}"})
        for entry in map(json.loads, lines)
    ]
    ledger.write_text("\n".join(marked) + "\n", encoding="utf-8")
    assert looked("home").found.endswith("holds SIMULATED records.")
    ledger.write_text("\n".join([*marked, *lines]) + "\n", encoding="utf-8")
    found = looked("home")
    assert not found.good
    assert "restore the ledger" in found.do


def test_a_clock_before_the_last_import_is_told(own_tiny_home: Path) -> None:
    assert looked("clock").good
    found = looked("clock", datetime.now(UTC) - timedelta(days=30))
    assert not found.good
    assert "before the last import" in found.found
    assert "timedatectl set-ntp true" in found.do


def test_a_clock_before_the_newest_record_is_told(own_tiny_home: Path) -> None:
    ledger = own_tiny_home / "archive" / "ledger.jsonl"
    entry = json.loads(ledger.read_text(encoding="utf-8").splitlines()[0])
    entry |= {"as_of": "2020-12-31", "archived_at": "2019-01-01T00:00:00+00:00"}
    ledger.write_text(json.dumps(entry) + "\n", encoding="utf-8")
    found = looked("clock", datetime(2020, 6, 1, tzinfo=UTC))
    assert (found.good, "before the newest record, 2020-12-31" in found.found) == (False, True)


def test_a_database_of_an_earlier_version_is_told(own_scored_home: Path) -> None:
    assert looked("database").good
    with sqlite3.connect(own_scored_home / "shortcast.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
    database.close()
    found = looked("database")
    assert not found.good
    assert "has the tables of 0001" in found.found


def test_a_database_that_cannot_be_read_is_told(own_scored_home: Path) -> None:
    for rest in own_scored_home.glob("shortcast.db*"):
        rest.unlink()
    (own_scored_home / "shortcast.db").write_text("no database" * 100, encoding="utf-8")
    assert not looked("database").good


def late_sources() -> list[Finding]:
    return [f for f in examine() if f.check.startswith("source") and not f.good]


def of_source(name: str) -> Finding:
    """The line that a source that is not fresh stands in, alone or with others."""
    (found,) = (f for f in late_sources() if name in f"{f.check} {f.do}".replace(",", "").split())
    return found


def test_each_source_that_is_not_fresh_has_its_line(own_tiny_home: Path) -> None:
    late = late_sources()
    assert "source nadac" in {f.check for f in late}
    assert all("shortcast fetch" in f.do or "run import" in f.do for f in late)
    assert of_source("fda_published_483s").do.startswith("It is exported by hand: put its newest")
    assert looked("sources").good, "the list that ended in 2019 is never late"


def test_sources_that_never_came_share_a_line_for_each_remedy(
    own_tiny_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: Any, **named: Any) -> list[Freshness]:
        return [replace(s, state="never", last_as_of=None) for s in freshness(*arguments, **named)]

    monkeypatch.setattr("shortcast.monitoring.freshness.freshness", never)
    late = late_sources()
    assert len(late) == len({f.do for f in late}) < 8
    (many,) = (f for f in late if f.do.startswith("shortcast fetch ") and " nadac " in f.do)
    assert many.found.startswith("There is no snapshot yet of ")
    assert " nadac, " in many.found
    assert len(many.found.split(",")) > 8


def test_a_source_without_its_key_says_which_setting_it_needs_and_no_value(
    own_tiny_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = "It needs SHORTCAST_DASHBOARD_USER and SHORTCAST_DASHBOARD_KEY; set that, and run: "
    assert of_source("fda_inspections").do.startswith(both + "shortcast fetch ")
    assert "SHORTCAST_" not in of_source("nadac").do, "it is asked without any"

    monkeypatch.setenv("SHORTCAST_DASHBOARD_USER", "pharmacist@x.example")
    settings.cache_clear()
    assert of_source("fda_inspections").do.startswith("It needs SHORTCAST_DASHBOARD_KEY; ")
    monkeypatch.setenv("SHORTCAST_DASHBOARD_KEY", "not-to-be-shown")
    settings.cache_clear()
    assert "SHORTCAST_" not in of_source("fda_inspections").do
    said = " ".join(f"{finding.found} {finding.do}" for finding in examine())
    assert "pharmacist@" not in said
    assert "not-to-be-shown" not in said


def test_a_warehouse_without_the_tables_of_this_version_is_told(own_scored_home: Path) -> None:
    settings().warehouse.unlink()
    with duckdb.connect(str(settings().warehouse)) as connection:
        connection.execute("CREATE TABLE build AS SELECT 1 AS other")
    for check in ("sources", "champion"):
        found = looked(check)
        assert not found.good
        assert found.do == "shortcast build --force"


def test_a_machine_that_only_serves_lacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def light(name: str) -> str:
        if name in ("mlflow", "scikit-learn", "matplotlib"):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", light)
    assert looked("libraries").good


def test_a_warehouse_that_cannot_be_read_is_told(own_scored_home: Path) -> None:
    settings().warehouse.write_bytes(b"no warehouse")
    assert "build --force" in looked("sources").do
    assert "build --force" in looked("champion").do


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": "simulated"}, "is of simulated records and the warehouse of real ones"),
        ({"records_checksum": "other"}, "trained on other records than the warehouse has"),
        ({"records_end": date(2020, 3, 1)}, "learnt from records to 2020-03-01, and they reach"),
    ],
)
def test_a_champion_that_does_not_fit_is_told(
    own_scored_home: Path, changes: Mapping[str, Any], said: str
) -> None:
    assert looked("champion").good
    champion = settings().champion
    replace(Bundle.load(champion), **changes).save(champion)
    found = looked("champion")
    assert not found.good
    assert said in found.found
    assert "make up" in found.do


def test_a_champion_of_other_features_is_told(own_scored_home: Path) -> None:
    champion = settings().champion
    bundle = Bundle.load(champion)
    *kept, last = bundle.catalogue
    replace(bundle, catalogue=(*kept, replace(last, name="an_old_name"))).save(champion)
    assert "other features" in looked("champion").found


def test_a_champion_that_saw_a_little_less_is_well(own_scored_home: Path) -> None:
    """Records come every day, and a model is trained every few months."""
    champion = settings().champion
    bundle = Bundle.load(champion)
    replace(bundle, records_checksum="before", records_end=date(2020, 8, 1)).save(champion)
    assert looked("champion").good


def test_a_command_that_needs_lightgbm_sends_its_reader_to_the_doctor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def score(*_: Any, **__: Any) -> None:
        raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr("shortcast.jobs.score", score)
    monkeypatch.setattr(sys, "argv", ["shortcast", "score"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    assert "LightGBM cannot be loaded (libgomp.so.1:" in (said := capsys.readouterr().err)
    assert "'shortcast doctor' says what to do" in said


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("well", [True, False])
def test_the_command_says_each_line_and_ends_with_1_if_there_is_something_to_do(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_json: bool,
    well: bool,
) -> None:
    fault = Finding("disk", False, "0.1 GB are free.", "Make room.")
    findings = [Finding("python", True, "Python 3.11.7."), *([] if well else [fault])]
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    monkeypatch.setattr(sys, "argv", ["shortcast", "doctor", *(["--json"] if as_json else [])])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert (end.value.code or 0) == (0 if well else 1)
    told = capsys.readouterr().out
    if as_json:
        assert json.loads(told) == {"good": well, "findings": [vars(f) for f in findings]}
    elif well:
        assert told == "good  python: Python 3.11.7.\n"
    else:
        assert told.splitlines()[1:] == ["TO DO disk: 0.1 GB are free.", "      -> Make room."]
