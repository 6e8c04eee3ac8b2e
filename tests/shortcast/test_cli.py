"""The command line: what each command says, and what it says when it cannot."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from rich.console import Console
from tiny_records import CORVANATE, OSTRUNIDE, TALVERINE, TREE, VELMORIL, write_tree
from typer.core import TyperGroup
from typer.main import get_command

from shortcast import __version__, cli, jobs
from shortcast.features import warehouse
from shortcast.monitoring import forecast_log
from shortcast.serving.words import DISCLAIMER, SIMULATED
from shortcast.settings import settings

LETTERS = "fda_warning_letters/2020-09-01/warning_letters.csv"
TREE_LETTERS = TREE["fda_warning_letters/2020-06-30/warning_letters.csv"]


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is not JSON")

        return json.loads(self.out, parse_constant=refuse)

    @property
    def sentence(self) -> str:
        """The one line with which a command failed."""
        assert self.code == 1
        assert "Traceback" not in self.err
        *progress, last = self.err.splitlines()
        assert all(re.match(r" *\d+\.\d s  ", line) for line in progress), self.err
        assert last.startswith("shortcast: ")
        return last.removeprefix("shortcast: ")


Shell = Callable[..., Answer]


@pytest.fixture
def shortcast(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """``shortcast("build", "--json")``: run a command as the console script does."""

    def run(*arguments: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["shortcast", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        written = capsys.readouterr()
        return Answer(code, written.out, written.err)

    return run


# --- the front door --------------------------------------------------------------------------


def test_the_version_is_printed(shortcast: Shell) -> None:
    assert shortcast("--version") == Answer(0, f"{__version__}\n", "")


def test_every_command_has_help_with_an_example(shortcast: Shell) -> None:
    listed = re.findall(r"^  ([a-z]+)  ", shortcast("--help").out, flags=re.MULTILINE)
    assert {"import", "build", "up", "score", "rankings", "alerts", "serve"} <= set(listed)
    for name in listed:
        answer = shortcast(name, "--help")
        assert answer.code == 0
        assert f"Example: shortcast {name}" in answer.out


def test_an_archive_is_checked_and_carried_to_another_home(
    shortcast: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shortcast_home: Path
) -> None:
    for name in ("verify", "confirm", "take-back", "export", "import"):
        assert f"Example: shortcast archive {name}" in shortcast("archive", name, "--help").out
    shortcast("import", write_tree(tmp_path / "tree", {LETTERS: TREE_LETTERS}))
    answer = shortcast("archive", "verify")
    assert answer.out == "1 files, and all are as they were archived.\n"
    assert "1 files (" in shortcast("archive", "export", tmp_path / "all.zip").out
    monkeypatch.setenv("SHORTCAST_HOME", str(tmp_path / "other"))
    settings.cache_clear()
    answer = shortcast("archive", "import", tmp_path / "all.zip")
    assert answer.code == 0
    assert answer.out.startswith("1 files added")
    (tmp_path / "other" / "archive" / LETTERS).write_text("altered", encoding="utf-8")
    answer = shortcast("archive", "verify")
    assert answer.code == 1
    assert "warning_letters.csv has 7 bytes instead of" in answer.out
    answer = shortcast("archive", "verify", "--json")
    assert answer.code == 1
    assert (answer.json["good"], len(answer.json["faults"])) == (False, 1)


def test_a_dry_run_says_what_would_be_asked_and_asks_nothing(
    shortcast: Shell, shortcast_home: Path
) -> None:
    lines = shortcast("fetch", "--dry-run").out.splitlines()
    asked = dict(line.split("\t")[::2] for line in lines)
    assert asked["fda_shortages"] == "yes"
    assert asked["fda_inspections"].startswith("no: it needs SHORTCAST_DASHBOARD_USER")
    [one] = shortcast("fetch", "orange_book", "--dry-run", "--json").json
    assert one["source"] == "orange_book"
    assert one["address"].startswith("https://www.fda.gov/")
    assert not shortcast_home.exists()
    answer = shortcast("fetch", "nadacc", "--dry-run")
    assert answer.sentence.startswith("There is no source 'nadacc' that can be fetched; there are")


def test_a_fetch_that_fails_says_so_and_ends_with_one(
    shortcast: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing listens there; the waits between the tries are short for a mirror.
    monkeypatch.setenv("SHORTCAST_FETCH_VIA", "http://127.0.0.1:9")
    settings.cache_clear()
    answer = shortcast("fetch", "fda_shortages")
    assert answer.code == 1
    assert "failed" in answer.out
    assert "Drugshortages.cfm by way of 127.0.0.1:9 cannot be read" in answer.out
    found = shortcast("fetch", "fda_shortages", "--json")
    assert found.code == 1
    assert [outcome["state"] for outcome in found.json["outcomes"]] == ["failed"]


def test_a_table_on_a_terminal_shows_brackets_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(cli, "_out", Console(file=screen, force_terminal=True, width=200))
    cli._print_table(
        "Fetched", ["source", "message"], [["nadac", "its message: 'see [/help] [key]'"]]
    )
    assert "'see [/help] [key]'" in screen.getvalue()


def test_a_source_that_was_named_and_could_not_be_asked_ends_with_one(shortcast: Shell) -> None:
    answer = shortcast("fetch", "fda_inspections")
    assert answer.code == 1
    assert "not asked: fda_inspections: it needs SHORTCAST_DASHBOARD_USER" in answer.out
    assert "state\tas_of" not in answer.out, "there is nothing for a table to tell"


def test_a_fetch_without_a_contact_says_so(
    shortcast: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shortcast.features import fetching

    monkeypatch.setattr(fetching, "fetch", lambda *_, **__: fetching.FetchReport((), (), {}))
    assert "set SHORTCAST_FETCH_CONTACT" in shortcast("fetch").err
    monkeypatch.setenv("SHORTCAST_FETCH_CONTACT", "pharmacy@example.org")
    settings.cache_clear()
    assert "CONTACT" not in shortcast("fetch").err


def test_every_command_that_a_sentence_sends_its_reader_to_is_there(repo_root: Path) -> None:
    folders = ("features", "training", "serving", "monitoring", "shortcast")
    named = {
        (command, path.name)
        for folder in folders
        for kind in ("*.py", "*.html")
        for path in (repo_root / folder).rglob(kind)
        for command in re.findall(r"['`]shortcast ([a-z]+)", path.read_text(encoding="utf-8"))
    }
    there = get_command(cli.app)
    assert isinstance(there, TyperGroup)
    assert len(named) > 20
    assert {(c, file) for c, file in named if c not in there.commands} == set()


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["rankings", "--horizon", "4"], "'4' is not one of '3', '6', '12'"),
        (["rankings", "--limit", "0"], "--limit"),
        (["score", "--as-of", "tomorrow"], "write it as YYYY-MM-DD"),
        (["predict"], "predict"),
        (
            ["run", "lunch"],
            "There is no job 'lunch'; the jobs are fetch, import, build, score, alerts",
        ),
        (
            ["panel", "--from", "2020", "--to", "2020-02", "--out", "panel.parquet"],
            "'2020' is not a month; write it as YYYY-MM",
        ),
        (["backtest", "--from", "2020-03", "--to", "2020-02"], "lies before 2020-03"),
        (["import"], "DIR"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(
    arguments: list[str], hint: str, shortcast: Shell
) -> None:
    answer = shortcast(*arguments)
    assert answer.code == 2
    assert hint in answer.err
    assert answer.out == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["import", "nowhere"], "nowhere is not a folder; give the folder that holds SOURCE/"),
        (["build"], "is empty; run 'shortcast import DIR' first."),
        (
            ["panel", "--from", "2020-01", "--to", "2020-02", "--out", "panel.parquet"],
            "run 'shortcast import DIR' and 'shortcast build'.",
        ),
        (["archive", "export", "all.zip"], "is empty, so there is nothing to export."),
        (["archive", "import", "nowhere.zip"], "nowhere.zip could not be read"),
        (["train"], "run 'shortcast import DIR' and 'shortcast build'."),
        (["score"], "No model has been promoted yet; run 'shortcast train' and 'shortcast pro"),
        (["rankings"], "There is no forecast yet; run 'shortcast score' first."),
        (["alerts"], "There is no forecast yet; run 'shortcast score' first."),
        (["schedule", "--days", "3", "--from", "2199-01-01"], "have not all come yet"),
        (["audit", "--records", "nowhere"], "nowhere is not a folder"),
    ],
)
def test_on_an_empty_home_each_command_says_what_to_do_first(
    arguments: list[str], sentence: str, shortcast: Shell
) -> None:
    answer = shortcast(*arguments)
    assert sentence in answer.sentence
    assert answer.out == ""


def test_a_bad_setting_is_one_sentence(shortcast: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORTCAST_THREADS", "many")
    assert shortcast("build").sentence.startswith("SHORTCAST_THREADS cannot be 'many'; set it to")


@pytest.mark.parametrize("below", ["", "/home"])
def test_a_home_that_cannot_be_a_folder_is_one_sentence(
    below: str, shortcast: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a-file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("SHORTCAST_HOME", f"{tmp_path}/a-file{below}")
    sentence = shortcast("import", write_tree(tmp_path / "tree", {LETTERS: b"x"})).sentence
    assert sentence.startswith(f"{tmp_path}/a-file")
    assert "check the path" in sentence


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_what_the_machine_refuses_is_one_sentence(
    number: int, shortcast: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(_: Path) -> None:
        raise OSError(number, os.strerror(number), "somewhere/archive")

    monkeypatch.setattr(jobs, "import_tree", refuse)
    sentence = shortcast("import", tmp_path).sentence
    assert sentence.startswith(f"somewhere/archive: {os.strerror(number)}; check the path")


def test_a_defect_is_not_passed_off_as_a_fault_of_the_user(
    shortcast: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: Path) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file", "a file of ours")

    monkeypatch.setattr(jobs, "import_tree", fail)
    with pytest.raises(FileNotFoundError):
        shortcast("import", tmp_path)


@pytest.mark.parametrize("amid_a_query", [False, True])
def test_an_interrupt_ends_with_a_sentence(
    shortcast: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, amid_a_query: bool
) -> None:
    def interrupt(_: Path) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            if amid_a_query:
                raise RuntimeError("Query interrupted") from None
            raise

    monkeypatch.setattr(jobs, "import_tree", interrupt)
    # A shell that starts the tests in its background has them ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        answer = shortcast("import", tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    assert answer.code == 130
    assert "interrupted; what was finished is kept" in answer.err
    assert "Traceback" not in answer.err


def test_a_defect_is_not_taken_for_an_interrupt(
    shortcast: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: Path) -> None:
        raise RuntimeError("a defect of ours")

    monkeypatch.setattr(jobs, "import_tree", fail)
    with pytest.raises(RuntimeError, match="a defect of ours"):
        shortcast("import", tmp_path)


# --- import and build ------------------------------------------------------------------------


def test_importing_twice_adds_nothing(shortcast: Shell, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "records")
    size = sum(map(len, TREE.values())) / 1e6
    assert shortcast("import", tree) == Answer(
        0,
        f"{len(TREE)} files added ({size:.1f} MB), 0 held already.\nGo on with: shortcast build\n",
        "",
    )
    again = shortcast("import", tree)
    assert again == Answer(0, f"0 files added (0.0 MB), {len(TREE)} held already.\n", "")
    assert shortcast("import", tree, "--json").json == {
        "data": "real",
        "added": [],
        "held": len(TREE),
        "set_aside": [],
        "passed_over": [],
    }


def test_import_says_what_it_set_aside_and_passed_over(shortcast: Shell, tmp_path: Path) -> None:
    shortcast("import", write_tree(tmp_path / "one", {LETTERS: b"first"}))
    two = {LETTERS: b"other", "gossip/2020-01-01/a.csv": b"x"}
    answer = shortcast("import", write_tree(tmp_path / "two", two))
    added, aside, passed = answer.out.splitlines()
    assert added.startswith("0 files added")
    assert aside.startswith("set aside: fda_warning_letters/2020-09-01/warning_letters.csv: ")
    assert "already held with other bytes" in aside
    assert passed == "passed over: gossip: no source of this name is known"


def test_a_build_tells_the_coverage_of_every_join(shortcast: Shell, own_tiny_home: Path) -> None:
    answer = shortcast("build")
    assert answer.code == 0
    first, header, *joins, last = answer.out.splitlines()
    assert first == "Nothing new: the warehouse stands."
    assert header.split("\t") == ["join", "rows", "matched", "share", "floor"]
    by_name = {name: rest for name, *rest in (line.split("\t") for line in joins)}
    # Quorbital, which no product list knows, is one of the list's five drugs.
    rows, matched, share, floor = by_name["shortage rows to drugs"]
    assert int(matched) < int(rows)
    assert share == f"{int(matched) / int(rows):.1%}"
    assert floor == "98%"
    assert len(joins) > 8
    assert re.fullmatch(rf"{len(TREE)} snapshots, \d+ rows, \d+ rows in quarantine\.", last)

    told = shortcast("build", "--json").json
    assert told["rebuilt"] is False
    assert {s["state"] for s in told["snapshots"]} == {"accepted"}
    assert {s["as_of"] for s in told["snapshots"]} == {place.split("/")[1] for place in TREE}
    assert {c["join_name"] for c in told["coverage"]} == set(by_name)
    assert None in {c["floor"] for c in told["coverage"]}


def test_a_build_names_what_it_refused_and_leaves_blank_what_is_not_known(
    shortcast: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = ("source", "as_of", "rows", "rejected", "state", "reason")
    letters = ("fda_warning_letters", pd.Timestamp(2020, 9, 1), 0, 0, "refused", "It is HTML.")
    prices = ("nadac", pd.Timestamp(2020, 12, 31), 1200, 34, "accepted", "")
    nothing = ("shortages abroad", 0, 0, float("nan"), float("nan"))

    def build(**_: Any) -> warehouse.BuildReport:
        return warehouse.BuildReport(
            True,
            pd.DataFrame([letters, prices], columns=columns),
            pd.DataFrame([nothing], columns=("join_name", "rows", "matched", "share", "floor")),
        )

    monkeypatch.setattr(warehouse, "build", build)
    assert shortcast("build") == Answer(
        0,
        "Warehouse built.\njoin\trows\tmatched\tshare\tfloor\nshortages abroad\t0\t0\t\t\n"
        "2 snapshots, 1,200 rows, 34 rows in quarantine.\n"
        "refused: fda_warning_letters of 2020-09-01: It is HTML.\n",
        "Coverage of joins\n",
    )
    told = shortcast("build", "--json").json
    assert told["snapshots"][0]["as_of"] == "2020-09-01"
    assert (told["coverage"][0]["share"], told["coverage"][0]["floor"]) == (None, None)


def test_a_panel_is_written_for_the_months_asked(
    shortcast: Shell, own_tiny_home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "panel.parquet"
    answer = shortcast("panel", "--from", "2020-01", "--to", "2020-02", "--out", out)
    assert answer.out == f"{out}: 8 rows, 2 months.\n"
    assert out.is_file()


# --- scores ------------------------------------------------------------------------------------


def test_a_score_is_of_the_day_after_the_records_end_and_stands(
    shortcast: Shell, own_scored_home: Path
) -> None:
    """Scored before with the same model and records: nothing is added to the log."""
    before = forecast_log.list_runs()
    told = shortcast("score", "--json").json
    assert told["rows"] == 0
    assert (told["inputs"]["as_of"], told["inputs"]["model"]) == ("2020-09-15", "blend 1")
    assert [run.id for run in forecast_log.list_runs()] == [run.id for run in before]

    assert told["message"] == (
        "Nothing new to score: the drugs were scored as of 2020-09-15 by blend version 1 "
        "before, and that stands."
    )


def test_a_score_beyond_the_records_is_refused(shortcast: Shell, own_scored_home: Path) -> None:
    assert shortcast("score", "--as-of", "2020-09-16").sentence == (
        "The shortage records end on 2020-09-14, and a score as of 2020-09-16 would take silence "
        "for supply; score as of 2020-09-15 (--as-of 2020-09-15), or import newer records."
    )


def test_a_score_of_what_the_champion_has_learnt_is_refused(
    shortcast: Shell, own_scored_home: Path
) -> None:
    assert shortcast("score", "--as-of", "2020-09-14").sentence == (
        "The champion learnt from records through 2020-09-14, so its scores as of 2020-09-14 "
        "would be no forecast; score as of 2020-09-15 or later, and ask the past with 'shortcast "
        "backtest'."
    )


def test_rankings_are_a_table_by_rank(shortcast: Shell, own_scored_home: Path) -> None:
    answer = shortcast("rankings")
    header, *rows = [line.split("\t") for line in answer.out.splitlines()]
    assert header == ["rank", "drug", "risk"]
    # Beside the table, and never a row of it: of what day, by what, and what it is not.
    told = answer.err
    assert "within 6 months, as of 2020-09-15, blend version 1" in told
    assert "not a cause; not medical advice; never a reason to stockpile" in told
    assert [rank for rank, *_ in rows] == [str(n) for n in range(1, len(rows) + 1)]
    names = {name for _, name, _ in rows}
    # Corvanate is in shortage, so there is no new shortage of it to expect.
    assert names == {"velmoril, injection", "ostrunide, oral solid", "talverine, ophthalmic"}
    risks = [float(risk.rstrip(" %")) for *_, risk in rows]
    assert risks == sorted(risks, reverse=True)
    assert len(shortcast("rankings", "--limit", "1").out.splitlines()) == 2


def test_rankings_as_json_say_of_when_by_what_and_how_far_ahead(
    shortcast: Shell, own_scored_home: Path
) -> None:
    found = {}
    for months in ("3", "12"):
        told = shortcast("rankings", "--horizon", months, "--json").json
        found[months] = {r["drug_id"]: r["score"] for r in told.pop("rankings")}
        assert told == {
            "data": "real",
            "as_of": "2020-09-15",
            "model": "blend 1",
            "horizon_months": int(months),
            "disclaimer": DISCLAIMER,
        }
    assert found["3"].keys() == found["12"].keys() == {VELMORIL, OSTRUNIDE, TALVERINE}
    assert all(found["3"][drug] <= found["12"][drug] for drug in found["3"])


def test_rankings_before_the_first_forecast_say_so(shortcast: Shell, own_scored_home: Path) -> None:
    sentence = shortcast("rankings", "--as-of", "2019-01-01").sentence
    assert sentence.startswith("There is no forecast as of 2019-01-01 or earlier")


def test_rankings_of_a_made_up_market_say_so(
    shortcast: Shell, own_scored_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest = forecast_log.latest_run

    def simulated(as_of: date | None = None) -> Any:
        run = latest(as_of)
        assert run
        run.data = "simulated"
        return run

    monkeypatch.setattr(forecast_log, "latest_run", simulated)
    answer = shortcast("rankings")
    assert answer.out.startswith(f"{SIMULATED}\n")
    assert "Estimate from SIMULATED records" in answer.err


def test_alerts_open_once_and_stand(shortcast: Shell, own_scored_home: Path) -> None:
    answer = shortcast("alerts")
    assert "by the forecast as of 2020-09-15, blend version 1" in answer.err
    assert "not a cause; not medical advice; never a reason to stockpile" in answer.err
    first = answer.out.splitlines()
    header, *rows = [line.split("\t") for line in first[:-1]]
    assert header == ["drug_id", "kind", "opened_on", "rank", "risk", "message"]
    assert all(risk.endswith(" %") for *_, risk, _ in rows)
    assert first[-1] == "3 alerts opened, 0 closed, 3 standing."
    again = shortcast("alerts").out.splitlines()
    assert again == [*first[:-1], "0 alerts opened, 0 closed, 3 standing."]
    told = shortcast("alerts", "--json").json
    standing = told.pop("alerts")
    assert told == {
        "data": "real",
        "as_of": "2020-09-15",
        "model": "blend 1",
        "disclaimer": DISCLAIMER,
    }
    assert [(a["rank"], a["kind"], a["opened_on"]) for a in standing] == [
        (rank, "top_50", "2020-09-15") for rank in (1, 2, 3)
    ]
    assert CORVANATE not in {a["drug_id"] for a in standing}


# --- the schedule, the audit, the first run --------------------------------------------------


def test_a_job_run_by_hand_is_recorded(shortcast: Shell, own_scored_home: Path) -> None:
    from shortcast.monitoring.job_runs import list_job_runs

    answer = shortcast("run", "import", "--day", "2022-09-01")
    assert answer == Answer(0, "The inbox is empty: nothing to import.\n", "")
    (run,) = list_job_runs()
    assert (run.job, run.day, run.outcome) == ("import", date(2022, 9, 1), "ok")


def test_what_was_run_can_be_read(shortcast: Shell, own_scored_home: Path) -> None:
    assert shortcast("runs", "--json").json == []
    shortcast("run", "import", "--day", "2022-09-01")
    shortcast("score")
    shortcast("run", "build", "--day", "2022-09-02")
    header, *rows = [line.split("\t") for line in shortcast("runs").out.splitlines()]
    assert (header[0], header[-1]) == ("job", "message")
    assert [(row[0], row[1], row[5]) for row in rows] == [
        ("build", "2022-09-02", "ok"),
        ("import", "2022-09-01", "ok"),
    ]
    assert rows[1][-1] == "The inbox is empty: nothing to import."
    (told,) = shortcast("runs", "--limit", "1", "--json").json
    assert (told["job"], told["due_at"]) == ("build", None)
    assert told["inputs"] == {"snapshots": len(TREE)}


def test_the_schedule_plays_the_days_that_end_today_or_begin_when_told(
    shortcast: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shortcast import schedule

    played: list[tuple[date, int]] = []
    monkeypatch.setattr(schedule, "simulate_days", lambda _, first, n: played.append((first, n)))
    monkeypatch.setattr(cli, "_day", lambda text: date.fromisoformat(text or "2022-10-10"))
    assert shortcast("schedule", "--days", "10").code == 0
    assert shortcast("schedule", "--days", "2", "--from", "2022-01-01").code == 0
    assert played == [(date(2022, 10, 1), 10), (date(2022, 1, 1), 2)]


@pytest.mark.parametrize("found", [[], ["T = 2020-05: price differs", "T = 2021-05: rows"]])
def test_the_audit_fails_if_anything_differs(
    found: list[str], shortcast: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from shortcast import audit

    asked: list[list[str]] = []

    def poisoned(_: Path, months: list[str], **__: Any) -> list[str]:
        asked.append(months)
        return found

    monkeypatch.setattr(audit, "poisoned_future", poisoned)
    answer = shortcast("audit", "--records", tmp_path)
    assert asked == [["2020-05", "2021-05", "2021-12"]]
    if found:
        assert answer.out.splitlines() == found
        assert answer.sentence.startswith("2 columns of the panel change with what came later;")
    else:
        assert answer == Answer(0, "Not one cell of the panel differs up to T.\n", "")
    shortcast("audit", "--records", tmp_path, "--at", "2020-03", "--at", "2020-04")
    assert asked[1] == ["2020-03", "2020-04"]


@pytest.mark.parametrize(("data", "says"), [("real", False), ("simulated", True)])
def test_figures_of_a_made_up_market_say_so(
    shortcast: Shell, monkeypatch: pytest.MonkeyPatch, data: str, says: bool
) -> None:
    figures = {"prevalence": {"roc_auc": 0.5}}
    metrics = {"data": data, "horizons": {"6": {"models": figures}}}
    monkeypatch.setattr(jobs, "backtest", lambda *_, **__: metrics)
    answer = shortcast("backtest", "--from", "2020-01", "--to", "2020-02")
    assert answer.out.startswith(SIMULATED) == says
    assert "prevalence\t0.500" in answer.out


def test_whatever_is_told_of_a_made_up_market_says_so_first(
    shortcast: Shell, own_simulated_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from shortcast import audit, first_run
    from shortcast.features import fetching
    from shortcast.training import promotion

    named = SimpleNamespace(name="blend", version="2", data="simulated")
    monkeypatch.setattr(jobs, "train", lambda **_: "2")
    monkeypatch.setattr(jobs, "score", lambda *_, **__: jobs.JobResult(1, message="Scored."))
    verdict = {"passed": True, "checks": [], "note": "Compared.", "forced": None}
    promoted = promotion.Promotion(named, verdict)  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(promotion, "promote", lambda *_, **__: promoted)
    monkeypatch.setattr(audit, "poisoned_future", lambda *_, **__: [])
    monkeypatch.setattr(first_run, "prepare", lambda *_, **__: None)
    monkeypatch.setattr(fetching, "fetch", lambda *_, **__: fetching.FetchReport((), (), {}))
    records = tmp_path / "simulated"
    write_tree(records, {"nadac/2020-01-01/SIMULATED-nadac.csv": b"x"})
    months = ("--from", "2020-01", "--to", "2020-02")
    for command in (
        ("fetch",),
        ("archive", "verify"),
        ("archive", "export", tmp_path / "all.zip"),
        ("archive", "import", tmp_path / "SIMULATED-all.zip"),
        ("build",),
        ("panel", *months, "--out", tmp_path / "panel.parquet"),
        ("train",),
        ("promote",),
        ("score",),
        ("run", "build", "--day", "2022-09-01"),
        ("runs",),
        ("audit", "--records", records),
        ("up", "--no-serve"),
    ):
        answer = shortcast(*command)
        assert (answer.code, answer.out.splitlines()[0]) == (0, SIMULATED), command
    for command in (("build",), ("score",), ("promote",), ("fetch",), ("archive", "verify")):
        assert shortcast(*command, "--json").json["data"] == "simulated"
    assert {run["data"] for run in shortcast("runs", "--json").json} == {"simulated"}
    assert shortcast("audit", "--records", tmp_path).out.startswith("Not one cell")


def test_up_says_which_address_to_open_and_serves_there(
    shortcast: Shell, monkeypatch: pytest.MonkeyPatch, own_scored_home: Path, tmp_path: Path
) -> None:
    from shortcast import first_run
    from shortcast.serving import app

    prepared: list[Path | None] = []
    served: list[tuple[str, int]] = []
    monkeypatch.setattr(first_run, "prepare", lambda records, progress: prepared.append(records))
    monkeypatch.setattr(cli, "serve", lambda host, port: served.append((host, port)))
    looked_at: list[tuple[str, int]] = []
    monkeypatch.setattr(app, "require_free", lambda host, port: looked_at.append((host, port)))
    answer = shortcast("up", "--records", tmp_path, "--port", "8123")
    assert looked_at == [("127.0.0.1", 8123)]
    assert "Open http://127.0.0.1:8123 - the ranking as of 2020-09-15." in answer.out
    assert (prepared, served) == ([tmp_path], [("127.0.0.1", 8123)])

    answer = shortcast("up", "--no-serve")
    assert answer == Answer(0, "", "")
    assert (prepared[1:], served[1:]) == ([None], [])


def test_a_refused_promotion_prints_its_verdict_and_fails(
    shortcast: Shell, own_simulated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shortcast.training import promotion

    def refuse(*_: Any, **__: Any) -> None:
        raise promotion.RefusedError(
            "Version 3 was not promoted.", {"passed": False, "version": "3"}
        )

    monkeypatch.setattr(promotion, "promote", refuse)
    answer = shortcast("promote", "--json")
    assert answer.sentence == "Version 3 was not promoted."
    assert answer.json == {"data": "simulated", "passed": False, "version": "3"}


@pytest.mark.parametrize(
    "half", [("--force",), ("--reason", "because"), ("--force", "--reason", " ")]
)
def test_the_promotion_rule_is_overruled_with_a_reason_only(
    shortcast: Shell, half: tuple[str, ...]
) -> None:
    answer = shortcast("promote", *half)
    assert answer.code == 2
    assert "--reason" in answer.err
