"""What is taken into the archive, what is set apart, and what a run leaves when it ends badly."""

from __future__ import annotations

import errno
import gzip
import html
import io
import json
import logging
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tiny_records import listing, shortage_list

from shortcast.errors import ShortcastError
from shortcast.features.archive import Archive, exclusive
from shortcast.features.archive_confirm import confirm
from shortcast.features.fetching import fetch, plan, read_log, run, standings
from shortcast.features.fetching.client import FetchError
from shortcast.features.fetching.memory import Memory
from shortcast.features.fetching.secrets import Secrets
from shortcast.features.parse import parse_one
from shortcast.settings import Settings

TODAY, TOMORROW = date(2026, 11, 23), date(2026, 11, 24)
CSV = "www.accessdata.fda.gov/scripts/drugshortages/Drugshortages.cfm"
DASHBOARD = "api-datadashboard.fda.gov/v1/compliance_actions"
LIST = ["fda_shortages"]
SIMULATED = {"X-Shortcast-Data": "simulated"}


def american(day: date) -> str:
    return f"{day.month}/{day.day}/{day.year}"


def rows_of(count: int, day: date = TODAY, **fields: str) -> list[Sequence[str]]:
    """Rows of a shortage list as long as the real one, the newest of a day."""
    return [
        listing(
            f"Velmoril {i} Injection",
            "Velmora Labs",
            posted="5/1/2018",
            updated=american(day - timedelta(days=i % 400)),
            note="Expected to be available again; allocation in force until further notice",
            **fields,
        )
        for i in range(count)
    ]


#: As long as the real list, whose size is expected of real records, and one that is soon read.
LONG, SHORT = 1300, 100


def a_list(count: int = SHORT, day: date = TODAY) -> bytes:
    return shortage_list(*rows_of(count, day))


def states(report: run.FetchReport) -> list[str]:
    return [outcome.state for outcome in report.outcomes]


@pytest.fixture
def on(official: Any, config: Settings) -> Callable[..., run.FetchReport]:
    """Serve a body for the shortage list on a day, and fetch it."""

    def fetched(day: date, body: bytes, *, real: bool = False, **changes: Any) -> run.FetchReport:
        official.today = day
        official.headers["X-Shortcast-Data"] = "real" if real else "simulated"
        official.serves(CSV, body)
        return fetch(LIST, today=day, config=config.model_copy(update=changes))

    return fetched


def without_availability(body: bytes) -> bytes:
    return body.replace(b"Limited Availability", b"")


#: What may come instead of the list, and what the refusal says.
BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "half of the rows": (lambda: a_list(50), "fewer than in the last snapshot, 2026-11-23"),
    "a list cut off in the middle": (lambda: a_list()[:8_000], "Not taken"),
    "an HTML page": (lambda: b"<!DOCTYPE html><html>Sorry</html>", "is an HTML page, not data"),
    "nothing": (lambda: b"\r\n", "is empty"),
    "another header": (
        lambda: a_list().replace(b"Generic Name", b"Name of Drug", 1),
        "lacks the column",
    ),
    "another header of a column that a list need not have": (
        lambda: a_list().replace(b"Contact Info", b"Telephone", 1),
        "no longer has the column 'contactinfo' of the last snapshot, 2026-11-23",
    ),
    "rows twice": (
        lambda: shortage_list(*rows_of(SHORT), *rows_of(30)),
        "repeat another one in everything",
    ),
    "an older state": (
        lambda: a_list(day=TODAY - timedelta(days=30)),
        "an older state has come",
    ),
    "a column without values": (
        lambda: without_availability(a_list()),
        "availability of shortage_listings has a value in 0",
    ),
    "rows that cannot be read": (
        lambda: a_list().replace(b",Current,", b",Currant,", 20),
        "cannot be used",
    ),
    "too much": (lambda: a_list(200), "more than in the last snapshot"),
}


def cells_of(body: bytes) -> pd.DataFrame:
    frame = pd.read_csv(io.BytesIO(body), dtype="str", keep_default_na=False, encoding="latin-1")
    return frame.rename(columns=lambda name: str(name).strip())


def in_the_layout_of_2021(body: bytes) -> bytes:
    """Spell the list as one export of that year did: names in small letters, and fewer columns."""
    frame = cells_of(body)
    frame.columns = [name.lower().replace(" ", "_") for name in frame.columns]
    spelled = {
        "type_of_update": "update_type",
        "date_of_update": "update_date",
        "availability_information": "availability",
        "related_information": "related_info",
        "reason_for_shortage": "shortage_reason",
        "date_discontinued": "discontinued_date",
        "initial_posting_date": "initia_posting_date",
    }
    links = [name for name in frame.columns if name.endswith(("_link", "_note"))]
    links.remove("resolved_note")
    return frame.drop(columns=links).rename(columns=spelled).to_csv(index=False).encode()


def test_another_layout_that_the_reader_knows_is_accepted(on: Any) -> None:
    assert states(on(TODAY, a_list())) == ["accepted"]
    assert states(on(TOMORROW, in_the_layout_of_2021(a_list(101)))) == ["accepted"]


def test_columns_that_are_gone_are_no_other_layout(on: Any) -> None:
    frame = cells_of(a_list())
    need_not = [n for n in frame.columns if n.endswith(("Link", "Note", "Contact Info"))]
    need_not.remove("Resolved Note")
    assert states(on(TODAY, a_list())) == ["accepted"]
    (outcome,) = on(TOMORROW, frame.drop(columns=need_not).to_csv(index=False).encode()).outcomes
    assert "no longer has the column" in outcome.message


def test_after_a_quarter_another_layout_is_set_apart_too(on: Any) -> None:
    """The values of what was last seen so long ago are no measure any more."""
    assert states(on(TODAY, a_list())) == ["accepted"]
    later = TODAY + timedelta(days=100)
    (outcome,) = on(later, in_the_layout_of_2021(a_list(101, day=later))).outcomes
    assert "no longer has the column" in outcome.message


@pytest.mark.parametrize("bad", list(BAD))
def test_what_fails_a_check_is_set_apart_and_the_last_good_snapshot_stays(
    bad: str, on: Any, config: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    make, said = BAD[bad]
    assert states(on(TODAY, a_list())) == ["accepted"]
    body = make()
    with caplog.at_level(logging.INFO):
        (outcome,) = on(TOMORROW, body).outcomes

    assert outcome.state == "quarantined"
    assert said in outcome.message
    assert "the snapshot of 2026-11-23 stays in force" in outcome.message
    assert "fda_shortages" in caplog.text
    folder = config.quarantine / "fda_shortages" / "2026-11-24"
    assert (folder / "SIMULATED-Drugshortages.csv").read_bytes() == body
    reason = json.loads((folder / "reason.json").read_text())
    assert reason["message"] == outcome.message
    assert reason["from"]["SIMULATED-Drugshortages.csv"]["address"] == f"https://{CSV}"
    assert [s.as_of for s in Archive(config.archive).snapshots()] == [TODAY]
    standing = standings(config.fetching)["fda_shortages"]
    assert standing.last == outcome
    assert standing.seen_on == TODAY

    after = TOMORROW + timedelta(days=1)
    assert states(on(after, a_list(SHORT + 1, after))) == ["accepted"]


def test_who_reads_the_message_next_morning_and_does_as_told_is_not_refused_again(
    on: Any, config: Settings
) -> None:
    on(TODAY, a_list())
    (outcome,) = on(TOMORROW, a_list(40)).outcomes
    name = outcome.message.rpartition(" ")[2].removesuffix(".")
    confirm(name, config)
    assert states(on(TOMORROW + timedelta(days=1), a_list(40))) == ["unchanged"]
    held = Archive(config.archive).snapshots()
    assert [(s.as_of, s.is_confirmed) for s in held] == [(TODAY, False), (TOMORROW, True)]


@pytest.mark.parametrize("bad", list(BAD))
def test_only_what_may_be_confirmed_is_offered_for_it(bad: str, on: Any) -> None:
    on(TODAY, a_list())
    (outcome,) = on(TOMORROW, BAD[bad][0]()).outcomes
    offer = "if it is right: shortcast archive confirm fda_shortages/2026-11-24."
    unreadable = {
        "a list cut off in the middle",
        "an HTML page",
        "nothing",
        "another header",
    }
    assert outcome.message.endswith(
        "look at the source, and fetch again." if bad in unreadable else offer
    )


def test_real_records_are_held_against_what_is_expected_of_the_source(on: Any) -> None:
    (outcome,) = on(TODAY, a_list(), real=True).outcomes
    assert outcome.state == "quarantined"
    assert "bytes, and from 200,000" in outcome.message
    assert "100 records, and at least 800 are expected" in outcome.message
    assert "there is no earlier snapshot" in outcome.message

    (outcome,) = on(TODAY, a_list(LONG, TODAY - timedelta(days=80)), real=True).outcomes
    assert "more than 45 days before 2026-11-23" in outcome.message
    assert states(on(TODAY, a_list(LONG), real=True)) == ["accepted"]


def test_a_list_found_unchanged_yesterday_may_not_halve_today(on: Any, config: Settings) -> None:
    """Months without a change say nothing for a change overnight."""
    on(TODAY, a_list())
    day = TODAY + timedelta(days=40)
    assert states(on(day, a_list())) == ["unchanged"]
    assert states(on(day + timedelta(days=1), a_list(50, day))) == ["quarantined"]
    assert states(on(day + timedelta(days=1), a_list(95, day))) == ["accepted"]


def test_bad_bytes_that_come_every_day_are_kept_once(on: Any, config: Settings) -> None:
    on(TODAY, a_list())
    for days in (1, 2, 3):
        assert states(on(TODAY + timedelta(days=days), a_list(50))) == ["quarantined"]
    folder = config.quarantine / "fda_shortages"
    assert len(list(folder.glob("*/SIMULATED-Drugshortages.csv"))) == 1
    assert len(list(folder.glob("*/reason.json"))) == 3


def test_a_state_that_comes_later_the_same_day_waits_for_the_next(
    on: Any, config: Settings
) -> None:
    on(TODAY, a_list())
    assert states(on(TODAY, a_list(SHORT + 1))) == ["held"]
    assert states(on(TOMORROW, a_list(SHORT + 1))) == ["accepted"]
    assert [s.as_of for s in Archive(config.archive).snapshots()] == [TODAY, TOMORROW]


def test_a_clock_that_has_gone_back_files_nothing(on: Any, config: Settings) -> None:
    on(TOMORROW, a_list())
    (outcome,) = on(TODAY, a_list(SHORT + 1)).outcomes
    assert outcome.state == "failed"
    assert "set the clock" in outcome.message
    assert [s.as_of for s in Archive(config.archive).snapshots()] == [TOMORROW]


def test_a_source_that_fails_keeps_no_other_from_being_fetched(
    official: Any, config: Settings
) -> None:
    official.serves(CSV, a_list(), **SIMULATED)
    report = fetch(["fda_shortages", "drugsatfda"], today=TODAY, config=config)
    assert {o.source: o.state for o in report.outcomes} == {
        "drugsatfda": "failed",
        "fda_shortages": "accepted",
    }
    assert [outcome.source for outcome in report.failed] == ["drugsatfda"]


def test_what_was_tried_again_is_on_the_log(
    official: Any, answer: Any, serving: Any, config: Settings
) -> None:
    left = [answer(status=503), answer(status=500)]
    official.answers[CSV] = lambda asked: (
        left.pop() if left else serving(a_list(), SIMULATED)(asked)
    )
    fetch(LIST, today=TODAY, config=config)
    (outcome,) = read_log(config.fetching)
    assert outcome.state == "accepted"
    assert [text.rpartition(" ")[2] for text in outcome.retried] == ["500", "503"]


def test_memory_of_a_file_that_the_archive_lost_is_not_believed(
    official: Any, on: Any, config: Settings
) -> None:
    on(TODAY, a_list())
    config.archive.rename(config.home / "lost")
    assert states(on(TOMORROW, a_list())) == ["accepted"]
    assert "if-none-match" not in official.asked[-1].headers


def test_a_file_that_the_archive_lost_is_put_back_though_nothing_is_new(
    on: Any, config: Settings
) -> None:
    on(TODAY, a_list())
    archive = Archive(config.archive)
    lost = archive.path(archive.entries()[0])
    lost.unlink()
    assert states(on(TOMORROW, a_list())) == ["unchanged"]
    assert lost.read_bytes() == a_list()


def test_a_file_that_is_damaged_in_the_archive_goes_into_no_other_snapshot(
    on: Any, official: Any, config: Settings
) -> None:
    on(TODAY, a_list())
    archive = Archive(config.archive)
    damaged = archive.path(archive.entries()[0])
    damaged.write_bytes(a_list().replace(b"Velmoril 7 ", b"Velmoril 8 "))
    official.asked.clear()
    assert states(on(TOMORROW, a_list())) == ["unchanged"]
    (asked,) = official.asked
    assert "if-none-match" not in asked.headers


@pytest.mark.parametrize("raw", [None, b"PK altered"])
def test_the_newest_file_lost_or_altered_does_not_keep_a_newer_one_out(
    raw: bytes | None, on: Any, config: Settings
) -> None:
    """Its rows are known from the last parse; its first line is not compared."""
    on(TODAY, a_list())
    archive = Archive(config.archive)
    parse_one(archive, config.parsed, archive.snapshots()[0])
    file = archive.path(archive.entries()[0])
    if raw is None:
        file.unlink()
    else:
        file.write_bytes(raw)
    assert states(on(TOMORROW, a_list(SHORT + 1))) == ["accepted"]


def test_what_stands_ready_and_cannot_be_told_is_fetched_again(on: Any, config: Settings) -> None:
    broken = config.fetching / "ready" / "fda_shortages" / "2026-11-22"
    broken.mkdir(parents=True)
    (broken / "Drugshortages.csv").write_bytes(b"half a fo")
    assert states(on(TODAY, a_list())) == ["accepted"]
    assert [s.as_of for s in Archive(config.archive).snapshots()] == [TODAY]
    assert not broken.exists()


# --- A run that ends badly -----------------------------------------------------------------------


def test_a_run_that_is_killed_before_the_archive_is_finished_by_the_next(
    on: Any, official: Any, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Archive, "add", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            on(TODAY, a_list())
    assert not Archive(config.archive).snapshots()

    del official.answers[CSV]
    official.today = TOMORROW
    report = fetch(LIST, today=TOMORROW, config=config)
    assert states(report) == ["accepted", "failed"]
    (snapshot,) = Archive(config.archive).snapshots()
    assert snapshot.as_of == TODAY
    assert snapshot.files[0].origin == f"https://{CSV}"


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "SIMULATED-Drugshortages.csv").write_bytes(a_list()[:9000]),
        lambda folder: (folder / "SIMULATED-Drugshortages.csv").unlink(),
        lambda folder: (folder / ".origins.json").write_text('{"files": {'),
    ],
    ids=["a shorter file", "no file", "half a note"],
)
def test_what_stands_ready_and_was_altered_is_fetched_again(
    damage: Callable[[Path], Any], on: Any, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Archive, "add", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            on(TODAY, a_list())
    damage(config.fetching / "ready" / "fda_shortages" / TODAY.isoformat())
    report = on(TODAY, a_list())
    assert states(report) == ["failed", "accepted"]
    assert "altered since" in report.outcomes[0].message
    (snapshot,) = Archive(config.archive).snapshots()
    assert Archive(config.archive).path(snapshot.files[0]).read_bytes() == a_list()


def test_a_run_that_is_killed_after_the_archive_adds_nothing_twice(
    on: Any, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Archive.add

    def added_and_killed(*arguments: Any) -> None:
        add(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Archive, "add", added_and_killed)
        with pytest.raises(KeyboardInterrupt):
            on(TODAY, a_list())
    on(TODAY, a_list())
    assert len(Archive(config.archive).entries()) == 1
    assert not list((config.fetching / "ready").glob("*/*"))


def test_two_fetches_at_once_are_told_apart(on: Any, config: Settings) -> None:
    with (
        exclusive(config.fetching, what="the fetch"),
        pytest.raises(ShortcastError, match=r"Another run .* so the fetch did not start"),
    ):
        on(TODAY, a_list())


def test_a_build_at_work_makes_a_checked_snapshot_wait(
    on: Any, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LOCK_PATIENCE", -1)
    with exclusive(config.home, what="the build"):
        report = on(TODAY, a_list())
    assert states(report) == ["waiting"]
    assert states(on(TODAY, a_list())) == ["accepted", "unchanged"]


def test_a_full_disk_is_told_and_what_was_half_fetched_makes_room(
    on: Any, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("shortcast.features.fetching.client.os.fsync", full)
        (outcome,) = on(TODAY, a_list()).outcomes
    assert outcome.state == "failed"
    assert "No space left on device" in outcome.message
    assert not (config.fetching / "fda_shortages").exists()
    assert states(on(TODAY, a_list())) == ["accepted"]


def test_what_was_learnt_and_cannot_be_kept_ends_no_fetch(
    on: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_: Memory) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Memory, "save", full)
    assert states(on(TODAY, a_list())) == ["accepted"]
    assert "what the fetch has learnt cannot be kept (No space left on device)" in caplog.text


def test_a_mirror_that_mixes_kinds_gets_nothing_into_the_archive(on: Any, config: Settings) -> None:
    on(TODAY, a_list())
    (outcome,) = on(TOMORROW, a_list(LONG, TOMORROW), real=True).outcomes
    assert outcome.state == "failed"
    assert "never mixed" in outcome.message
    assert Archive(config.archive).data() == "simulated"


# --- Keys ----------------------------------------------------------------------------------------

USER, KEY, OPEN_KEY = "someone@hospital.example", "dashboard-key-4711", "openfda-key-0815"


@pytest.fixture
def keyed(config: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SHORTCAST_DASHBOARD_USER", USER)
    monkeypatch.setenv("SHORTCAST_DASHBOARD_KEY", KEY)
    monkeypatch.setenv("SHORTCAST_OPENFDA_KEY", OPEN_KEY)
    return Settings(home=config.home, fetch_via=config.fetch_via)


def unpacked(path: Path) -> list[bytes]:
    """The bytes of a file, and those that are packed in it."""
    raw = path.read_bytes()
    if path.name.endswith(".gz"):
        return [raw, gzip.decompress(raw)]
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path) as bundle:
            return [raw, *map(bundle.read, bundle.namelist())]
    return [raw]


def echo(asked: Any) -> bytes:
    return json.dumps({"message": f"You sent {asked.headers}", "asked": str(asked.body)}).encode()


def test_a_key_is_in_no_file_and_no_message_whatever_a_server_sends_back(
    official: Any,
    answer: Any,
    keyed: Settings,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Every address answers with all that it was sent, in every way in which it can."""
    told: list[str] = []

    def reflect(asked: Any) -> Any:
        secret = asked.headers.get("authorization-key", asked.headers.get("authorization", ""))
        turn = len(official.asked) % 4
        headers = {"ETag": f'"{secret}"', "X-Echo": secret}
        if turn == 0:
            return answer(echo(asked), 500, headers)
        if turn == 1:
            return answer(echo(asked), 403, headers)
        content = {"result": [{"Echo": secret}], "totalrecordcount": 1, "message": secret}
        content |= {"meta": {"results": {"total": 1}}, "results": [{"echo": secret}]}
        return answer(json.dumps(content).encode(), headers=headers)

    official.answers[DASHBOARD] = reflect
    official.answers["api-datadashboard.fda.gov/v1/inspections_classifications"] = reflect
    official.answers["api.fda.gov/download.json"] = reflect
    official.answers["api.fda.gov/drug/shortages.json"] = reflect
    official.answers["api.fda.gov/drug/enforcement.json"] = reflect
    names = [
        "fda_compliance_actions",
        "fda_inspections",
        "openfda_shortages",
        "openfda_enforcement",
    ]
    with caplog.at_level(logging.DEBUG):
        for _ in range(4):
            report = fetch(names, today=TODAY, config=keyed, progress=told.append)
            told += [repr(outcome) for outcome in report.outcomes]

    sent = str([asked.headers for asked in official.asked])
    assert KEY in sent
    shown = "\n".join([*told, caplog.text, *capfd.readouterr(), repr(keyed), str(keyed)])
    coded = next(
        a.headers["authorization"][6:] for a in official.asked if "authorization" in a.headers
    )
    kept = [path for path in keyed.home.rglob("*") if path.is_file()]
    assert any(path.name == "log.jsonl" for path in kept)
    for secret in (USER, KEY, OPEN_KEY, coded):
        assert secret not in shown
        assert not [path for path in kept if any(secret.encode() in raw for raw in unpacked(path))]


def test_a_key_that_comes_back_among_good_rows_is_not_packed_with_them(
    official: Any, answer: Any, keyed: Settings
) -> None:
    def rows(asked: Any) -> Any:
        year = json.loads(asked.body)["filters"]["InspectionEndDateFrom"][0][:4]
        row = {"InspectionID": year, "InspectionEndDate": f"{year}-05-01", "FirmProfile": "x"}
        if year == "2021":
            row["FirmProfile"] = f"https://x.example/?k={asked.headers['authorization-key']}"
        content = {"result": [row], "totalrecordcount": 1}
        return answer(json.dumps(content).encode(), headers=SIMULATED)

    official.answers["api-datadashboard.fda.gov/v1/inspections_classifications"] = rows
    (outcome,) = fetch(["fda_inspections"], today=TODAY, config=keyed).outcomes
    assert outcome.state == "failed"
    assert "repeats the key" in outcome.message
    kept = [path for path in keyed.home.rglob("*") if path.is_file()]
    assert not [path for path in kept if any(KEY.encode() in raw for raw in unpacked(path))]


def test_a_key_at_the_cut_of_a_message_is_hidden_whole(
    official: Any, answer: Any, keyed: Settings
) -> None:
    official.answers[DASHBOARD] = lambda asked: answer(
        json.dumps({"message": "x" * 190 + asked.headers["authorization-key"]}).encode()
    )
    (outcome,) = fetch(["fda_compliance_actions"], today=TODAY, config=keyed).outcomes
    assert "answered without rows" in outcome.message
    assert "xx[key]" in outcome.message
    assert f"x{KEY[0]}" not in (keyed.fetching / "log.jsonl").read_text()


@pytest.mark.parametrize("key", ['pa"ss\\word-9876', "a<b>&'c\"", "schön/es", "raw-\udce9-key"])
def test_a_key_is_hidden_however_it_is_spelt(key: str) -> None:
    secrets = Secrets([key])
    spelt = {
        key,
        json.dumps(key)[1:-1],
        json.dumps(key, ensure_ascii=False)[1:-1],
        repr(key)[1:-1],
        html.escape(key),
        html.escape(key, quote=False),
    }
    for text in spelt:
        assert secrets.hide(f"<{text}>") == "<[key]>"
        assert secrets.are_in(f"<{text}>".encode(errors="surrogateescape"))


def test_a_source_without_its_key_is_left_out_and_the_setting_named(
    official: Any, config: Settings
) -> None:
    report = fetch(["fda_inspections"], today=TODAY, config=config)
    assert not report.outcomes
    assert not official.asked
    needed = report.left_out["fda_inspections"]
    assert needed == "it needs SHORTCAST_DASHBOARD_USER and SHORTCAST_DASHBOARD_KEY"


def test_keys_may_stand_in_a_file_and_the_environment_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shortcast.settings import settings

    secrets = tmp_path / "keys"
    secrets.write_text(f"SHORTCAST_DASHBOARD_KEY={KEY}\nSHORTCAST_OPENFDA_KEY=of-the-file\n")
    monkeypatch.setenv("SHORTCAST_SECRETS", str(secrets))
    monkeypatch.setenv("SHORTCAST_OPENFDA_KEY", " of-the-environment\n")
    settings.cache_clear()
    assert settings().keys == {"openfda_key": "of-the-environment", "dashboard_key": KEY}
    secrets.unlink()
    settings.cache_clear()
    with pytest.raises(ShortcastError, match="which is no file"):
        settings()


def test_a_key_in_the_file_is_taken_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shortcast.settings import settings

    secrets = tmp_path / "keys"
    monkeypatch.setenv("SHORTCAST_SECRETS", str(secrets))
    monkeypatch.setenv("SHORTCAST_CANADA_USER", "")
    for key in ("a #b", "a$HOME", "a${HOME}b", "a\\nb", "a'b", "schön=="):
        secrets.write_text(
            f"# keys\nSHORTCAST_CANADA_PASSWORD={key}\r\nSHORTCAST_CANADA_USER='me'\n\nOTHER=x\n",
            encoding="utf-8",
        )
        settings.cache_clear()
        assert settings().keys == {"canada_user": "me", "canada_password": key}
    secrets.write_bytes("SHORTCAST_CANADA_PASSWORD=schön".encode("latin-1"))
    settings.cache_clear()
    with pytest.raises(ShortcastError, match="is not written in UTF-8"):
        settings()


# --- The plan ------------------------------------------------------------------------------------


def test_a_plan_asks_nothing(official: Any, config: Settings) -> None:
    planned = {one.source.name: one for one in plan(today=TODAY, config=config)}
    assert planned["fda_shortages"].asks
    assert planned["fda_shortages"].address == f"https://{CSV}"
    assert not planned["fda_inspections"].asks
    assert not official.asked
    assert not config.home.exists()


def test_what_is_new_every_day_is_asked_first(config: Settings) -> None:
    names = [one.source.name for one in plan(today=TODAY, config=config)]
    assert names[0] == "fda_shortages"
    assert names.index("openfda_shortages") < names.index("cms_asp")


def test_an_unknown_source_is_named_with_those_that_there_are(config: Settings) -> None:
    with pytest.raises(FetchError, match=r"no source 'nadacc' that can be .*fda_shortages"):
        fetch(["nadacc"], today=TODAY, config=config)


def test_a_request_beyond_what_a_host_allows_is_not_sent(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_run = run._Run(config.model_copy(update={"fetch_via": None}), TODAY, lambda _: None)
    one_run._allowed["api.fda.gov"] = 2
    one_run._count("api.fda.gov")
    one_run._count("api.fda.gov")
    with pytest.raises(FetchError, match="allows 2 requests a day without a key"):
        one_run._count("api.fda.gov")
    one_run._count("www.fda.gov")


def test_what_is_exported_by_hand_is_not_taken_for_a_wrong_name(config: Settings) -> None:
    with pytest.raises(FetchError, match="fda_dashboard_recalls is exported by hand and imp"):
        fetch(["fda_dashboard_recalls"], today=TODAY, config=config)
    with pytest.raises(FetchError, match="no source 'fda_shortage' that can be fetched"):
        fetch(["fda_shortage"], today=TODAY, config=config)


def test_a_home_of_made_up_records_asks_no_official_address(on: Any, config: Settings) -> None:
    on(TODAY, a_list())
    direct = config.model_copy(update={"fetch_via": None})
    with pytest.raises(ShortcastError, match="the two are never mixed, so nothing was imported"):
        fetch(LIST, today=TOMORROW, config=direct)
