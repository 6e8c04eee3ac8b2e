"""The jobs: what each does with what is there, and that doing it again changes nothing."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from tiny_records import CAPTURES, CORVANATE, OSTRUNIDE, TREE, write_tree

from shortcast import jobs
from shortcast.database import migrate
from shortcast.errors import ShortcastError
from shortcast.features import groups
from shortcast.features.warehouse import open_warehouse
from shortcast.monitoring import drift, forecast_log
from shortcast.monitoring.findings import open_findings
from shortcast.monitoring.job_runs import list_job_runs
from shortcast.schedule import TIMETABLE, simulate_days, timetable_of
from shortcast.settings import Settings, settings

TODAY = date(2022, 1, 1)


def test_the_timetable_names_the_jobs_that_are_there() -> None:
    fetching = timetable_of(Settings(fetch_daily=True))
    assert {entry.job for entry in fetching} == set(jobs.JOBS)
    assert {entry.job for entry in TIMETABLE} == set(jobs.JOBS) - {"fetch"}


# --- import and build ------------------------------------------------------------------------


@pytest.mark.parametrize("made", [True, False])
def test_an_empty_inbox_is_no_failure(made: bool, shortcast_home: Path) -> None:
    if made:
        (shortcast_home / "inbox").mkdir(parents=True)
    assert jobs.JOBS["import"](TODAY).message == "The inbox is empty: nothing to import."


def test_the_inbox_is_imported_once(shortcast_home: Path) -> None:
    tree = {**TREE, "gossip/2020-01-01/a.csv": b"x"}
    write_tree(shortcast_home / "inbox", tree)
    first = jobs.JOBS["import"](TODAY)
    assert first.rows == len(TREE)
    assert first.message == f"{len(TREE)} files added, 0 held already, 0 set aside, 1 passed over."
    again = jobs.JOBS["import"](TODAY)
    assert (again.rows, again.message[:33]) == (0, f"0 files added, {len(TREE)} held already, 0")


def test_a_build_with_nothing_new_says_so(own_tiny_home: Path) -> None:
    result = jobs.JOBS["build"](TODAY)
    assert result.message == f"Nothing new; {len(TREE)} snapshots, 0 refused."
    assert result.inputs == {"snapshots": len(TREE)}
    assert result.rows > 50


# --- what training needs -----------------------------------------------------------------------


def test_the_records_say_how_far_they_reach_and_what_they_are_made_of(tiny_home: Path) -> None:
    with open_warehouse(settings().model_copy(update={"home": tiny_home})) as connection:
        records = jobs.read_records(connection)
    assert records.records_end == date.fromisoformat(CAPTURES[-1])
    assert jobs.last_month(records) == "2020-09"
    assert jobs.latest_as_of(records.records_end) == date(2020, 9, 15)
    assert set(records.files) == {"/".join(place.split("/")[:2]) for place in TREE}
    assert records.data == "real"
    assert {OSTRUNIDE, CORVANATE} <= set(records.spells["drug_id"])


def test_records_without_the_shortage_list_can_not_be_learnt_from() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE records_reach AS SELECT CAST(NULL AS DATE) AS records_end")
        with pytest.raises(ShortcastError, match=r"no capture of the FDA shortage list"):
            jobs.read_records(connection)


def test_the_panel_is_made_once_for_each_warehouse_and_code(
    own_tiny_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = jobs.cached_panel("2020-01", "2020-02")
    assert pq.read_metadata(path).num_rows == 8
    before = path.stat()
    assert jobs.cached_panel("2020-01", "2020-02") == path
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    read_bytes = Path.read_bytes

    def edited(file: Path) -> bytes:
        return read_bytes(file) + (b"# edited" if file.name == "prices.py" else b"")

    monkeypatch.setattr(Path, "read_bytes", edited)
    newer = jobs.cached_panel("2020-01", "2020-02")
    assert newer != path
    assert list(path.parent.iterdir()) == [newer], "the one that is stale is gone"


def test_a_backtest_gets_the_whole_panel_and_the_months_to_score(
    own_tiny_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shortcast.training import backtest

    asked: list[tuple[Any, ...]] = []

    class Result:
        metrics: dict[str, Any] = {"champion": "blend"}  # noqa: RUF012 - a stub

    def run(panel: Path, spells: Any, end: date, *rest: Any, **named: Any) -> Result:
        days = pq.read_table(panel, columns=["as_of"])["as_of"].to_pylist()
        wanted = [named[key] for key in ("random_split", "report", "by_group", "data")]
        asked.append((min(days), max(days), end, *rest, *wanted))
        assert len(named["records"]) == len(TREE)
        return Result()

    monkeypatch.setattr(backtest, "run_backtest", run)
    monkeypatch.setattr(jobs, "PANEL_START", "2020-06")
    out = tmp_path / "out"
    assert (
        jobs.backtest("2020-07", "2020-08", out, random_split=True, report=True) == Result.metrics
    )
    assert asked == [
        (
            *(date(2020, 6, 1), date(2020, 9, 1), date.fromisoformat(CAPTURES[-1])),
            *(date(2020, 7, 1), date(2020, 8, 1), out, True, True, False, "real"),
        )
    ]


@pytest.mark.parametrize(
    ("begin", "end", "data", "first"),
    [
        (date(2017, 12, 31), date(2025, 12, 31), "simulated", "2018-01"),
        (date(2017, 12, 31), date(2025, 12, 31), "real", "2015-01"),
        # A market of three years alone leaves too little to learn from and be judged on.
        (date(2022, 12, 31), date(2025, 12, 31), "simulated", "2021-01"),
        (date(2005, 12, 31), date(2025, 12, 31), "simulated", "2015-01"),
    ],
)
def test_the_panel_of_a_made_up_market_begins_with_its_records(
    begin: date, end: date, data: str, first: str, tiny_home: Path
) -> None:
    with open_warehouse(Settings(home=tiny_home)) as connection:
        read = jobs.read_records(connection)
    assert read.records_begin == date.fromisoformat(min(CAPTURES))
    records = replace(read, records_begin=begin, records_end=end, data=data)
    assert jobs.first_month(records) == first


def test_training_keeps_what_drift_is_measured_against(
    own_tiny_home: Path, make_bundle: Any, tiny_checksum: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shortcast.training import train

    def fit(panel: Path, spells: Any, end: date, **named: Any) -> train.Trained:
        assert named["records_checksum"] == tiny_checksum
        return train.Trained("a-run", "7", make_bundle(tiny_checksum, "7"))

    monkeypatch.setattr(train, "train", fit)
    monkeypatch.setattr(jobs, "PANEL_START", "2020-02")
    assert jobs.train() == "7"
    path = settings().models / "reference-7.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    # The panel goes on until September; the model learnt until April.
    assert (kept["from"], kept["through"], kept["drugs"]) == ("2020-02-01", "2020-04-01", 4)
    assert set(kept["features"]) == set(groups.features())
    assert kept["scores"]

    def half(self: Path, text: str, **_: Any) -> int:
        self.write_bytes(text.encode()[: len(text) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="No space left"):
        jobs.train()
    assert json.loads(path.read_text(encoding="utf-8")) == kept
    assert list(path.parent.iterdir()) == [path]


# --- scores and what follows -------------------------------------------------------------------


def test_a_score_gives_every_drug_at_risk_a_forecast_and_every_drug_a_line(
    own_scored_home: Path,
) -> None:
    run = forecast_log.latest_run()
    assert run
    assert (run.as_of, run.drugs, run.data) == (date(2020, 9, 15), 3, "real")
    assert len(forecast_log.read_scores(run.id)) == 9
    short = forecast_log.read_drug(run.id, CORVANATE)
    assert short
    assert (short["in_shortage"], short["forecasts"], short["reasons"]) == (True, [], [])
    told = forecast_log.read_drug(run.id, OSTRUNIDE)
    assert told
    assert told["name"] == "ostrunide, oral solid"
    assert [f["horizon_months"] for f in told["forecasts"]] == [3, 6, 12]
    titles = {group.title for group in groups.registry().values()}
    assert {reason["title"] for reason in told["reasons"]} == titles
    assert {reason["direction"] for reason in told["reasons"]} <= {"raises", "lowers"}
    assert 0 < told["completeness"]["share"] < 1


def test_a_score_of_a_day_that_the_records_reach_is_of_that_day(
    own_scored_home: Path, make_bundle: Any
) -> None:
    replace(make_bundle(), records_end=date(2020, 3, 6)).save(settings().champion)
    assert jobs.JOBS["score"](date(2020, 3, 7)).inputs["as_of"] == "2020-03-07"
    runs = [(run.as_of, run.model_records_end) for run in forecast_log.list_runs()]
    assert runs == [(date(2020, 9, 15), date(2020, 9, 14)), (date(2020, 3, 7), date(2020, 3, 6))]


@pytest.mark.parametrize("as_of", [date(2020, 3, 7), date(2020, 9, 14)])
def test_what_the_champion_has_learnt_already_it_can_not_forecast(
    as_of: date, own_scored_home: Path
) -> None:
    with pytest.raises(ShortcastError, match=r"learnt from records through 2020-09-14, so its .*"):
        jobs.score(TODAY, as_of=as_of)
    assert [run.as_of for run in forecast_log.list_runs()] == [date(2020, 9, 15)]


def test_a_schedule_of_days_that_the_champion_has_learnt_records_why_it_scored_none(
    own_scored_home: Path,
) -> None:
    simulate_days(jobs.JOBS, date(2020, 9, 14), 2)
    told = {
        (run.day.day, run.outcome): run.message for run in list_job_runs() if run.job == "score"
    }
    assert set(told) == {(14, "failed"), (15, "ok")}
    assert told[14, "failed"].endswith("or later, and ask the past with 'shortcast backtest'.")


def test_a_day_before_any_drug_was_known_is_refused(
    own_scored_home: Path, make_bundle: Any
) -> None:
    replace(make_bundle(), records_end=date(1979, 1, 1)).save(settings().champion)
    with pytest.raises(ShortcastError, match="know of no drug before 1980-01-01; score as of a l"):
        jobs.score(TODAY, as_of=date(1980, 1, 1))


def test_a_champion_of_made_up_records_does_not_score_real_ones(
    own_scored_home: Path, make_bundle: Any
) -> None:
    make_bundle(data="simulated").save(settings().champion)
    with pytest.raises(ShortcastError, match=r"trained on simulated records.*real ones; train and"):
        jobs.score(TODAY)


def test_a_champion_of_features_that_are_no_more_says_what_helps(
    own_scored_home: Path, make_bundle: Any
) -> None:
    bundle = make_bundle()
    *kept, renamed = bundle.catalogue
    catalogue = (*kept, replace(renamed, name="what_it_was_called_before"))
    replace(bundle, catalogue=catalogue).save(settings().champion)
    with pytest.raises(ShortcastError, match=r"features.*\(what_it_was_called_before\); train a"):
        jobs.score(TODAY)


def test_the_watch_looks_at_drift_once_there_is_something_to_compare_with(
    own_scored_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shortcast.monitoring import watch

    given: list[dict[str, Any]] = []
    original = watch.watch

    def note(connection: Any, day: date, **named: Any) -> watch.WatchReport:
        given.append(named)
        return original(connection, day, **named)

    monkeypatch.setattr(watch, "watch", note)
    panel = pq.read_table(jobs.cached_panel("2020-01", "2020-06")).to_pandas()
    reference = drift.reference(panel, jobs.load_champion().score(panel))
    path = settings().models / "reference-1.json"
    path.write_text(json.dumps(reference), encoding="utf-8")
    result = jobs.JOBS["monitor"](TODAY)
    assert result.inputs == {"day": "2022-01-01"}
    assert result.rows > 5, "by then every source of 2020 is stale"
    assert given[0]["reference"] == json.loads(path.read_text(encoding="utf-8"))
    assert set(given[0]["current"]["as_of"].astype(str)) == {"2020-09-15"}
    assert len(given[0]["scores"]) == 9


@pytest.mark.parametrize("kept", [None, '{"format": 2, "features": {"mak', '{"format": 1}'])
def test_a_champion_without_a_training_window_to_compare_with_is_a_finding(
    kept: str | None, own_scored_home: Path
) -> None:
    """Whether it is missing, torn or of another layout: drift would go unseen in silence."""
    path = settings().models / "reference-1.json"
    if kept is not None:
        path.write_text(kept, encoding="utf-8")
    jobs.JOBS["monitor"](TODAY)

    def told() -> dict[str, str]:
        return {f.subject: f.message for f in open_findings() if f.kind == "feature"}

    assert set(told()) == {"reference"}
    assert told()["reference"].endswith("train and promote again.")

    panel = pq.read_table(jobs.cached_panel("2020-01", "2020-06")).to_pandas()
    path.write_text(json.dumps(drift.reference(panel)), encoding="utf-8")
    jobs.JOBS["monitor"](TODAY)
    assert "reference" not in told()


def test_the_watch_of_a_home_without_forecasts_still_looks_at_the_sources(
    own_tiny_home: Path,
) -> None:
    migrate(settings())
    assert jobs.JOBS["monitor"](TODAY).rows > 5
