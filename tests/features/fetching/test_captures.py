"""The past of the shortage list from captures of the Internet Archive."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tiny_records import LISTED, orange_book, shortage_list

from shortcast.features import warehouse
from shortcast.features.archive import Archive
from shortcast.features.fetching import captures, fetch
from shortcast.features.sources import registry
from shortcast.settings import Settings

TODAY = date(2026, 11, 23)
INDEX = "web.archive.org/cdx/search/cdx"
CSV = "www.accessdata.fda.gov/scripts/drugshortages/Drugshortages.cfm"
HTML = "www.accessdata.fda.gov/scripts/drugshortages/default.cfm"


@pytest.fixture
def past(official: Any, answer: Any) -> Any:
    """An index by captured address, and captures that are added to it."""
    official.headers["X-Shortcast-Data"] = "simulated"
    official.index = {}

    def index(asked: Any) -> Any:
        assert asked.query["filter"] == "statuscode:200"
        rows = official.index.get(asked.query["url"], [])
        header = asked.query["fl"].split(",")
        return answer(json.dumps([header, *rows] if rows else []).encode())

    official.answers[INDEX] = index

    def capture(of: str, stamp: str, body: bytes | None) -> None:
        address = f"https://{of}"
        digest = hashlib.sha1(body or b"", usedforsecurity=False).hexdigest()
        official.index.setdefault(of, []).append([stamp, address, "200", digest])
        if body is not None:
            official.serves(f"web.archive.org/web/{stamp}id_/{address}", body)

    official.capture = capture
    return official


def test_one_capture_a_day_is_taken_and_days_that_are_held_are_skipped(
    past: Any, config: Settings
) -> None:
    for day, rows in LISTED.items():
        past.capture(CSV, day.replace("-", "") + "120000", shortage_list(*rows))
    first = min(LISTED)
    past.capture(CSV, first.replace("-", "") + "235959", b"<html>an error page</html>")
    report = fetch(["fda_shortages"], today=TODAY, history=True, config=config)
    # The third has the bytes of the second, and tells nothing new.
    assert [o.as_of for o in report.outcomes] == sorted(LISTED)[:2]
    assert {o.state for o in report.outcomes} == {"accepted"}
    snapshots = Archive(config.archive).snapshots()
    assert {f.file for s in snapshots for f in s.files} == {"SIMULATED-Drugshortages.csv"}

    past.asked.clear()
    (again,) = fetch(["fda_shortages"], today=TODAY, history=True, config=config).outcomes
    assert again.state == "unchanged"
    assert past.paths() == [INDEX]


def test_of_a_large_file_one_capture_a_month_is_taken_and_months_that_are_held_are_skipped(
    past: Any, config: Settings, tmp_path: Path
) -> None:
    book = "www.fda.gov/media/76860/download"
    days = ("20200105", "20200119", "20200202", "20200209", "20200301")
    for number, day in enumerate(days):
        gone = [] if number % 2 else ["000301"]
        past.capture(book, f"{day}120000", orange_book(discontinued=gone))
    have = tmp_path / "have" / "orange_book" / "2020-02-20"
    have.mkdir(parents=True)
    (have / "SIMULATED-EOBZIP.zip").write_bytes(orange_book())
    Archive(config.archive).import_tree(tmp_path / "have", registry())

    report = fetch(["orange_book"], today=TODAY, history=True, config=config)
    assert [o.as_of for o in report.outcomes] == ["2020-01-05", "2020-03-01"], report
    (again,) = fetch(["orange_book"], today=TODAY, history=True, config=config).outcomes
    assert again.state == "unchanged"


def spoil(path: Path, how: str) -> None:
    """Cut an archived file short, or alter a byte of it."""
    raw = path.read_bytes()
    path.write_bytes(raw[:-9] if how == "cut short" else raw.replace(b"5/1/2018", b"5/1/2017"))
    assert path.read_bytes() != raw


@pytest.mark.parametrize("how", ["cut short", "altered"])
def test_a_day_whose_file_has_rotted_in_the_archive_is_fetched_again(
    past: Any, config: Settings, how: str
) -> None:
    days = sorted(LISTED)[:2]
    for day in days:
        past.capture(CSV, day.replace("-", "") + "120000", shortage_list(*LISTED[day]))
    fetch(["fda_shortages"], today=TODAY, history=True, config=config)
    archive = Archive(config.archive)
    rotten = archive.path(archive.snapshots()[0].files[0])
    spoil(rotten, how)

    past.asked.clear()
    (again,) = fetch(["fda_shortages"], today=TODAY, history=True, config=config).outcomes
    assert (again.state, again.as_of) == ("unchanged", days[0])
    of_day = f"web.archive.org/web/{days[0].replace('-', '')}120000id_/https://{CSV}"
    assert past.paths() == [INDEX, of_day], "the other day is whole"
    assert rotten.read_bytes() == shortage_list(*LISTED[days[0]])

    past.asked.clear()
    fetch(["fda_shortages"], today=TODAY, history=True, config=config)
    assert past.paths() == [INDEX]


def test_other_bytes_for_a_day_that_has_rotted_are_set_aside_once(
    past: Any, config: Settings
) -> None:
    """They stand in for it; the first bytes may still come back."""
    day = min(LISTED)
    past.capture(CSV, day.replace("-", "") + "120000", shortage_list(*LISTED[day]))
    fetch(["fda_shortages"], today=TODAY, history=True, config=config)
    archive = Archive(config.archive)
    spoil(archive.path(archive.snapshots()[0].files[0]), "altered")

    place = f"web.archive.org/web/{day.replace('-', '')}120000id_/https://{CSV}"
    other = shortage_list(*LISTED[day][:-1])
    past.serves(place, other)
    for says in ("already held with other bytes", "The archive has it already"):
        (outcome,) = fetch(["fda_shortages"], today=TODAY, history=True, config=config).outcomes
        assert (outcome.state, outcome.as_of) == ("held", day)
        assert says in outcome.message
    first, second = archive.entries()
    assert (first.state, second.state) == ("accepted", "set_aside")
    assert archive.path(second).read_bytes() == other
    built = warehouse.build(config).snapshots
    assert built["state"].tolist() == ["accepted"], "what stands in is read"


def test_a_capture_that_cannot_be_had_does_not_keep_the_others_away(
    past: Any, config: Settings
) -> None:
    days = sorted(LISTED)
    past.capture(CSV, days[0].replace("-", "") + "120000", None)
    past.capture(CSV, days[1].replace("-", "") + "120000", shortage_list(*LISTED[days[1]]))
    report = fetch(["fda_shortages"], today=TODAY, history=True, config=config)
    assert [(o.state, o.as_of) for o in report.outcomes] == [("accepted", days[1]), ("failed", "")]
    assert "1 of 2 captures could not be had" in report.outcomes[1].message


def test_a_capture_of_another_day_is_not_taken_for_the_one_that_is_asked_for(
    past: Any, answer: Any, config: Settings
) -> None:
    """The Internet Archive sends on to the nearest capture where it has lost one."""
    day, nearest = "20200402120000", "20190101000000"
    past.capture(CSV, day, None)
    there = f"https://web.archive.org/web/{nearest}id_/https://{CSV}"
    past.answers[f"web.archive.org/web/{day}id_/https://{CSV}"] = lambda _: answer(
        status=302, headers={"Location": there}
    )
    past.serves(there.removeprefix("https://"), shortage_list(*LISTED["2020-04-02"]))
    (outcome,) = fetch(["fda_shortages"], today=TODAY, history=True, config=config).outcomes
    assert outcome.state == "failed"
    assert "do not follow" in outcome.message
    assert not Archive(config.archive).snapshots()


def page(*listed: tuple[str, str]) -> bytes:
    links = "".join(
        f'<a href="dsp_ActiveIngredientDetails.cfm?AI={name}&amp;st={status}&amp;tab=tabs-1">x</a>'
        for name, status in listed
    )
    return f"<html><div id='tabs-1'>{links}</div></html>".encode()


CORVANATE, VELMORIL = ("Corvanate%20Sodium+Injection", "c"), ("Velmoril%20Tablets", "d")


def test_pages_of_the_older_list_become_who_stood_on_it_when(past: Any, config: Settings) -> None:
    past.capture(HTML, "20140622120000", page(CORVANATE))
    past.capture(HTML, "20141216120000", page(CORVANATE, VELMORIL, ("Gone", "r")))
    past.capture(HTML, "20150301120000", b"<html>not the list</html>")
    past.capture(HTML, "20150502120000", page(VELMORIL))
    past.capture(HTML, "20150901120000", page(CORVANATE, VELMORIL))
    past.capture(HTML, "20200101120000", page(("Later", "c")))
    (outcome,) = fetch(["fda_shortages_html"], today=TODAY, history=True, config=config).outcomes
    assert (outcome.state, outcome.as_of) == ("accepted", "2015-09-01"), outcome.message
    warehouse.build(config)
    with warehouse.open_warehouse(config) as connection:
        rows = connection.execute(
            "SELECT generic_name, status, first_seen, last_seen FROM shortage_html_spells "
            "WHERE NOT withdrawn ORDER BY ALL"
        ).fetchall()
    assert rows == [
        ("Corvanate Sodium Injection", "Current", date(2014, 6, 22), date(2014, 12, 16)),
        ("Corvanate Sodium Injection", "Current", date(2015, 9, 1), date(2015, 9, 1)),
        ("Velmoril Tablets", "To Be Discontinued", date(2014, 12, 16), date(2015, 9, 1)),
    ]
    past.asked.clear()
    fetch(["fda_shortages_html"], today=TODAY, history=True, config=config)
    assert past.paths() == [], "a history that is held is not rebuilt"

    (held,) = Archive(config.archive).snapshots()[0].files
    kept = Archive(config.archive).path(held)
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-5])
    fetch(["fda_shortages_html"], today=TODAY, history=True, config=config)
    assert kept.read_bytes() == whole, "unless it has rotted"


def test_a_history_of_pages_waits_for_all_of_them(past: Any, config: Settings) -> None:
    missing = ("20140622120000", "20141216120000")
    for stamp in missing:
        past.capture(HTML, stamp, stamp.encode())
        del past.answers[f"web.archive.org/web/{stamp}id_/https://{HTML}"]
    past.capture(HTML, "20150502120000", page(VELMORIL))
    history = ["fda_shortages_html"]
    (outcome,) = fetch(history, today=TODAY, history=True, config=config).outcomes
    assert outcome.state == "failed"
    assert "2 of 3 captures could not be had" in outcome.message
    assert not Archive(config.archive).snapshots()

    for stamp in missing:
        past.serves(f"web.archive.org/web/{stamp}id_/https://{HTML}", page(CORVANATE))
    past.asked.clear()
    (outcome,) = fetch(history, today=TODAY, history=True, config=config).outcomes
    assert outcome.state == "accepted", outcome.message
    assert len(past.asked) == 3, "the page that came is not asked for again"
    (file,) = Archive(config.archive).entries()
    assert file.file.startswith("SIMULATED-")
    lines = Archive(config.archive).path(file).read_text().splitlines()
    assert [line.split(",")[2:] for line in lines[1:]] == [
        ["2014-06-22", "2014-12-16"],
        ["2015-05-02", "2015-05-02"],
    ]


def test_a_few_pages_that_are_gone_for_good_do_not_keep_a_history_out(
    past: Any, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captures, "_MAY_LACK", 0.4)
    past.capture(HTML, "20140622120000", b"gone")
    del past.answers[f"web.archive.org/web/20140622120000id_/https://{HTML}"]
    for stamp in ("20141216120000", "20150502120000"):
        past.capture(HTML, stamp, page(VELMORIL) + stamp.encode())
    told: list[str] = []
    report = fetch(
        ["fda_shortages_html"], today=TODAY, history=True, config=config, progress=told.append
    )
    assert [o.state for o in report.outcomes] == ["accepted"]
    assert sum("left out, as it may be gone for good" in line for line in told) == 1


def test_a_source_that_is_only_a_past_is_not_asked_for_news(past: Any, config: Settings) -> None:
    report = fetch(["fda_shortages_html"], today=TODAY, config=config)
    assert report.outcomes == ()
    assert past.asked == []
