"""The first run: every step in order, and only those whose result is not there yet."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import IO, Any

import pytest
from fastapi.testclient import TestClient
from tiny_records import CAPTURES, LISTED, TREE, shortage_list, write_tree

from shortcast import first_run, jobs
from shortcast.errors import ShortcastError
from shortcast.features import simulated
from shortcast.features.archive import Archive, ArchivedFile
from shortcast.monitoring import forecast_log
from shortcast.serving.app import create_app
from shortcast.settings import settings
from shortcast.training import promotion
from shortcast.training.bundle import Bundle
from shortcast.training.splits import months_later


class Trainer:
    """Stands in for what takes minutes, and notes what it was asked for."""

    def __init__(self, make_bundle: Callable[..., Any], patch: pytest.MonkeyPatch) -> None:
        self.make_bundle = make_bundle
        self.asked: list[str] = []
        self.fails = False
        patch.setattr(jobs, "backtest", self.backtest)
        patch.setattr(jobs, "train", self.train)
        patch.setattr(promotion, "promote", self.promote)

    def backtest(self, start: str, end: str, out: Path, **_: Any) -> dict[str, Any]:
        assert out == settings().home / "backtest"
        self.asked.append(f"backtest {start} {end}")
        return {"of": f"{start} {end}"}

    def train(self, **_: Any) -> str:
        self.asked.append("train")
        return str(len(self.asked))

    def promote(self, version: str, **_: Any) -> None:
        self.asked.append("promote")
        if self.fails:
            raise promotion.RefusedError("blend was not promoted.", {})
        with jobs.warehouse.open_warehouse() as connection:
            known = jobs.read_records(connection)
        self.make_bundle(known.checksum, version, known.data).save(settings().champion)


@pytest.fixture
def trainer(make_bundle: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Trainer:
    return Trainer(make_bundle, monkeypatch)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "records")


def prepare(records: Path | None) -> list[str]:
    told: list[str] = []
    first_run.prepare(records, progress=told.append)
    return told


FIRST = ["backtest 2018-07 2020-03", "train", "promote"]


def test_a_first_run_does_every_step_and_a_second_one_only_looks(
    trainer: Trainer, own_tiny_home: Path, records: Path
) -> None:
    told = prepare(records)
    assert trainer.asked == FIRST
    assert told[0] == f"import: 0 files added, {len(TREE)} held already"
    assert "3 drugs at risk scored as of 2020-09-15 by blend version 2." in told
    assert "3 alerts opened, 0 closed, 3 standing." in told
    warehouse = settings().warehouse.stat()

    again = prepare(records)
    assert trainer.asked == FIRST, "the champion is of these very records"
    assert "build: nothing new" in again
    assert "0 alerts opened, 0 closed, 3 standing." in again
    assert settings().warehouse.stat().st_mtime_ns == warehouse.st_mtime_ns
    assert len(forecast_log.list_runs()) == 1


@pytest.mark.slow
def test_newer_records_are_learnt_from(
    trainer: Trainer, own_scored_home: Path, tmp_path: Path
) -> None:
    newer = {"fda_shortages/2020-11-11/Drugshortages.csv": shortage_list(*LISTED[CAPTURES[2]])}
    told = prepare(write_tree(tmp_path / "newer", newer))
    assert told[0] == "import: 1 files added, 0 held already"
    assert "build: done" in told
    assert trainer.asked == ["backtest 2018-09 2020-05", "train", "promote"]
    assert any("scored as of 2020-11-12 by blend version 2" in line for line in told)
    assert [run.as_of for run in forecast_log.list_runs()] == [
        date(2020, 11, 12),
        date(2020, 9, 15),
    ]


@pytest.mark.slow
def test_a_champion_goes_on_where_the_one_after_it_is_refused(
    trainer: Trainer, own_scored_home: Path, tmp_path: Path
) -> None:
    before = Bundle.load(settings().champion).version
    trainer.fails = True
    newer = {"fda_shortages/2020-11-11/Drugshortages.csv": shortage_list(*LISTED[CAPTURES[2]])}
    told = prepare(write_tree(tmp_path / "newer", newer))
    assert "promote: blend was not promoted. The champion before it goes on." in told
    assert any(f"scored as of 2020-11-12 by blend version {before}" in line for line in told)


def test_a_run_that_broke_off_goes_on_where_it_stopped(
    trainer: Trainer, own_tiny_home: Path
) -> None:
    trainer.fails = True
    with pytest.raises(ShortcastError, match="was not promoted"):
        prepare(None)
    trainer.fails = False
    told = prepare(None)
    assert "build: nothing new" in told
    assert trainer.asked == FIRST * 2
    assert len(forecast_log.list_runs()) == 1


@pytest.mark.slow
def test_a_champion_that_cannot_be_read_is_trained_anew(
    trainer: Trainer, own_tiny_home: Path
) -> None:
    prepare(None)
    bundle = settings().champion / "bundle.json"
    bundle.write_text(bundle.read_text().replace('"format": ', '"format": 99'))
    told = prepare(None)
    assert trainer.asked == FIRST * 2
    assert any("champion: " in line and "run `shortcast train`" in line for line in told)


@pytest.mark.slow
def test_a_champion_of_other_features_is_trained_anew(
    trainer: Trainer, own_tiny_home: Path
) -> None:
    """Of the same records, but a feature has another name since."""
    prepare(None)
    old = Bundle.load(settings().champion)
    *kept, renamed = old.catalogue
    catalogue = (*kept, replace(renamed, name="what_it_was_called_before"))
    replace(old, catalogue=catalogue).save(settings().champion)
    told = prepare(None)
    assert trainer.asked == FIRST * 2
    assert "champion: it was trained on other features than this version has" in told


@pytest.fixture
def made_up(simulated_tiny_home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The tiny records stand in for the simulated market; the folders that it was written to."""
    folders: list[Path] = []
    # To read them takes seconds, and is not what these tests are about.
    if not settings().parsed.exists():
        shutil.copytree(simulated_tiny_home / "parsed", settings().parsed)

    def records(parameters: Any, out: Path, *, progress: Callable[[str], None]) -> Path:
        assert not out.exists()
        assert out.is_relative_to(settings().home)
        folders.append(out)
        write_tree(
            out, {"/SIMULATED-".join(place.rsplit("/", 1)): raw for place, raw in TREE.items()}
        )
        (out / simulated.TRUTH).write_bytes(b"the truth")
        progress("simulate: some drugs")
        return out

    monkeypatch.setattr(simulated, "records", records)
    return folders


@pytest.mark.slow
def test_a_home_without_records_gets_those_of_a_made_up_market_and_no_others(
    trainer: Trainer, made_up: list[Path], records: Path
) -> None:
    told = prepare(None)
    home = settings().home
    assert any("SIMULATED" in line for line in told)
    assert f"import: {len(TREE)} files added, 0 held already, SIMULATED" in told
    assert trainer.asked == ["backtest 2019-04 2020-03", "train", "promote"]
    with jobs.warehouse.open_warehouse() as connection:
        assert jobs.read_records(connection).data == "simulated"
    assert (home / simulated.TRUTH).read_bytes() == b"the truth"
    assert not made_up[0].parent.exists(), "the archive has the files, once is enough"
    assert any("SIMULATED" in line for line in first_run.what_to_try("http://127.0.0.1:8123"))
    (run,) = forecast_log.list_runs()
    assert run.data == "simulated"

    prepare(None)
    assert len(made_up) == 1
    assert trainer.asked == ["backtest 2019-04 2020-03", "train", "promote"]

    mixed = r"are real records .* simulated ones.*SHORTCAST_HOME=DIR.*remove"
    with pytest.raises(ShortcastError, match=mixed):
        prepare(records)


def test_a_first_run_that_was_killed_amid_the_made_up_records_makes_them_again(
    made_up: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, copied = Archive._copy, []

    def killed(self: Archive, opened: Callable[[], IO[bytes]], entry: ArchivedFile) -> None:
        if len(copied) == 5:
            raise KeyboardInterrupt
        copied.append(entry)
        copy(self, opened, entry)

    def built(**_: Any) -> None:
        raise ShortcastError("far enough")

    monkeypatch.setattr(jobs.warehouse, "build", built)
    with monkeypatch.context() as patch:
        patch.setattr(Archive, "_copy", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare(None)
    assert len(Archive(settings().archive).entries()) == 5
    for _ in range(2):
        with pytest.raises(ShortcastError, match="far enough"):
            prepare(None)
    assert len(made_up) == 2, "made again once, and then they are there"
    assert len(Archive(settings().archive).entries()) == len(TREE)
    assert not made_up[0].parent.exists()


def test_half_of_another_versions_made_up_records_is_refused_before_anything_is_added(
    made_up: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (place, raw), *_ = TREE.items()
    older = {"/SIMULATED-".join(place.rsplit("/", 1)): raw + b"\n"}
    jobs.import_tree(write_tree(tmp_path / "older", older))
    first_run._half_made().mkdir()
    monkeypatch.setattr(jobs, "import_tree", lambda _: pytest.fail("it was imported"))
    with pytest.raises(ShortcastError, match=r"another version of shortcast; remove it"):
        prepare(None)
    assert len(Archive(settings().archive).entries()) == 1


def test_of_two_first_runs_at_once_the_second_stops_before_it_begins(
    own_tiny_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second: list[str] = []

    def meanwhile(**_: Any) -> None:
        with pytest.raises(ShortcastError) as refused:
            prepare(None)
        second.append(str(refused.value))
        raise ShortcastError("far enough")

    # Where the first is past the import and the build, neither of which would stop a second.
    monkeypatch.setattr(first_run, "_is_champion_of", lambda *_: False)
    monkeypatch.setattr(jobs, "backtest", lambda *_, **__: meanwhile())
    with pytest.raises(ShortcastError, match="far enough"):
        prepare(None)
    (sentence,) = second
    assert sentence.startswith("Another 'make up' or 'shortcast up' is at work in ")
    # Nothing is left behind that would stop the next one.
    with pytest.raises(ShortcastError, match="far enough"):
        prepare(None)


def test_a_home_with_real_records_goes_on_with_them(
    trainer: Trainer, own_tiny_home: Path, made_up: list[Path]
) -> None:
    prepare(None)
    assert made_up == []
    assert not any("SIMULATED" in line for line in first_run.what_to_try("http://127.0.0.1:8123"))


def test_what_to_try_is_there(trainer: Trainer, own_tiny_home: Path) -> None:
    prepare(None)
    lines = "\n".join(first_run.what_to_try("http://127.0.0.1:8123"))
    client = TestClient(create_app())
    for address in re.findall(r"http://127\.0\.0\.1:8123(\S*)", lines):
        assert client.get(address.rstrip(".")).status_code == 200, address


def test_an_empty_folder_of_records_is_refused_before_anything_else(
    trainer: Trainer, tmp_path: Path
) -> None:
    with pytest.raises(ShortcastError, match="holds no file of a known source"):
        prepare(tmp_path)
    assert trainer.asked == []
    assert not settings().warehouse.exists()


@pytest.mark.parametrize(
    ("records_end", "last"),
    [
        (date(2022, 9, 30), date(2022, 3, 1)),
        (date(2022, 10, 1), date(2022, 4, 1)),
        (date(2022, 3, 31), date(2021, 9, 1)),
        (date(2020, 2, 29), date(2019, 8, 1)),
    ],
)
def test_the_backtest_ends_with_the_last_month_whose_outcome_is_known(
    records_end: date, last: date
) -> None:
    assert first_run._last_matured(records_end) == last
    assert months_later(last, 6) <= records_end < months_later(last, 7)
