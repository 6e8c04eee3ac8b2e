"""Damaged inputs, end to end: one clear sentence each, nothing lost, the service goes on."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest
from tiny_records import (
    CAPTURES,
    LISTED,
    TREE,
    delimited,
    enforcement,
    gzipped,
    listing,
    openfda,
    orange_book,
    recall,
    shortage_list,
    write_tree,
    zipped,
)

from shortcast.errors import ShortcastError
from shortcast.features import links, warehouse
from shortcast.features.archive import Archive, ImportReport
from shortcast.features.archive_check import verify
from shortcast.features.sources import registry
from shortcast.settings import Settings

HTML = b"\n<!DOCTYPE html>\n<html><body><h1>404 - page not found</h1></body></html>"
LATER = "2021-03-31"

_LETTERS = "fda_warning_letters/2020-06-30/warning_letters.csv"
_ORANGE_BOOK = "orange_book/2020-07-31/EOBZIP.zip"
_RECALLS = "openfda_enforcement/2020-06-30/drug-enforcement-0001-of-0001.json.zip"
_ESTABLISHMENTS = "fda_establishments/2020-06-30/drls_reg.csv.gz"


def letters(*posted: str) -> bytes:
    """Warning letters with these days of posting."""
    header = ("url", "posted_date", "letter_date", "company", "issuing_office", "subject")
    return delimited(
        header,
        [
            (f"/letters/velmora-60000{n}-x", day, "", "Velmora Labs, Inc.", "", "CGMP")
            for n, day in enumerate(posted)
        ],
    )


def later(name: str, raw: bytes) -> dict[str, bytes]:
    """A snapshot of a later day, under the source and file name of another."""
    source, _, file = name.split("/")
    return {f"{source}/{LATER}/{file}": raw}


#: A damaged snapshot of a later day, and what its refusal says.
REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "a truncated zip": (
        later(_ORANGE_BOOK, TREE[_ORANGE_BOOK][:400]),
        r"EOBZIP\.zip is not a whole zip file",
    ),
    "a zip with a damaged member": (
        later(_ORANGE_BOOK, TREE[_ORANGE_BOOK].replace(b"TALVERINE", b"TALVERINA", 1)),
        r"EOBZIP\.zip is not a whole zip file",
    ),
    "a zip of something else": (
        later(_ORANGE_BOOK, zipped({"readme.txt": b"see the other zip"})),
        r"EOBZIP\.zip lacks products\.txt and holds readme\.txt",
    ),
    "a truncated gzip": (
        later(_ESTABLISHMENTS, TREE[_ESTABLISHMENTS][:-20]),
        r"drls_reg\.csv\.gz is damaged or cut short",
    ),
    "a truncated table": (
        later(
            "fda_shortages/x/Drugshortages.csv",
            TREE[f"fda_shortages/{CAPTURES[2]}/Drugshortages.csv"][:-40],
        ),
        r"Drugshortages\.csv ends in a record of \d+ field\(s\) where the header has 15",
    ),
    "wrong columns": (
        later("fda_inspections/x/inspections.csv.gz", gzipped(b"Firm,Result\nVelmora,OAI\n")),
        r"inspections\.csv\.gz lacks the column\(s\) FEI Number",
    ),
    "HTML instead of CSV": (
        later("fda_shortages/x/Drugshortages.csv", HTML),
        r"Drugshortages\.csv is an HTML page, not data",
    ),
    "HTML instead of a spreadsheet": (
        later("fda_dashboard_recalls/x/drug_recall.xlsx", HTML),
        r"drug_recall\.xlsx is (an HTML page|no|not)",
    ),
    "HTML instead of a zip": (later(_ORANGE_BOOK, HTML), r"EOBZIP\.zip is not a whole zip file"),
    "an error instead of JSON's results": (
        later("openfda_shortages/x/drug-shortages.json", b'{"error": {"code": "NOT_FOUND"}}'),
        r"drug-shortages\.json has no list of 'results'",
    ),
    "no Parquet": (later("partd_spending/x/partd.parquet", b"PAR1 and no more"), r"partd\.parquet"),
    "an empty file": (
        later("fda_compliance_actions/x/compliance_actions.csv", b""),
        r"compliance_actions\.csv is empty",
    ),
    "a header and no rows": (
        later(_LETTERS, letters()),
        r"warning_letters\.csv has a header and no rows",
    ),
    "most rows in the year 2108": (
        later(_LETTERS, letters("07/10/2020", "07/10/2108", "07/11/2108")),
        r"2 of 3 rows are unusable, the first because warning_letters\.csv row 2, column posted",
    ),
    "a list cut short at the end of a line": (
        later("fda_shortages/x/Drugshortages.csv", shortage_list(LISTED[CAPTURES[2]][0])),
        r"fda_shortages of 2021-03-31 has 1 rows, less than half of the 4 of the snapshot before",
    ),
    "one page of many": (
        later(
            "openfda_enforcement/x/drug-enforcement-0001-of-0001.json.zip",
            zipped(
                {
                    "drug-enforcement-0001-of-0001.json": openfda(
                        [recall(9, "Velmora Labs, Inc.", "Velmoril Injection")]
                    ).replace(b'"total": 1', b'"total": 40000')
                }
            ),
        ),
        r"drug-enforcement-0001-of-0001",
    ),
}


def take_in(config: Settings, tree: Path, files: Mapping[str, bytes]) -> ImportReport:
    return Archive(config.archive).import_tree(write_tree(tree, files), registry())


def content(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[object, ...]]]:
    """What the warehouse says of drugs, whatever it says of its own making."""
    names = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'warehouse' "
        "AND table_name NOT IN ('snapshots', 'build', 'build_steps', 'quarantine')"
    ).fetchall()
    return {
        name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
        for (name,) in names
    }


def stamp(path: Path) -> tuple[int, int, int]:
    """Which file stands there, and whether it was written to."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def assert_one_clear_sentence(reason: str) -> None:
    """What, where, and what to do, on one line."""
    assert reason.endswith(".")
    assert "\n" not in reason
    assert not re.search(r"\. [A-Z]", reason), reason
    assert re.search(r"\b(fetch|export|leave only|remove|keep)\b", reason), reason


@pytest.fixture
def config(own_tiny_home: Path) -> Settings:
    return Settings(home=own_tiny_home)


def test_every_damaged_snapshot_is_refused_with_one_sentence_and_kept(
    config: Settings, tmp_path: Path
) -> None:
    """Several at once, a day each, beside good ones."""
    damaged: dict[str, bytes] = {}
    sentences: dict[tuple[str, str], str] = {}
    for number, (files, sentence) in enumerate(REFUSED.values(), start=1):
        ((name, raw),) = files.items()
        source, _, file = name.split("/")
        day = LATER if "of 2021-03-31" in sentence else f"2021-01-{number:02}"
        damaged[f"{source}/{day}/{file}"] = raw
        sentences[source, day] = sentence
    with warehouse.open_warehouse(config) as before:
        held = content(before)
        report = take_in(config, tmp_path / "more", damaged)
        assert len(report.added) == len(damaged)
        built = warehouse.build(config)
        # Whoever was reading goes on reading what he had.
        assert content(before) == held
    with warehouse.open_warehouse(config) as after:
        assert content(after) == held

    refused = built.snapshots[built.snapshots["state"] == "refused"]
    found = {
        (r["source"], f"{r['as_of']:%Y-%m-%d}"): r["reason"] for r in refused.to_dict("records")
    }
    assert found.keys() == sentences.keys()
    for key, sentence in sentences.items():
        assert re.search(sentence, found[key]), (key, found[key])
        assert_one_clear_sentence(found[key])
    archive = Archive(config.archive)
    assert verify(archive) == []
    for name, raw in damaged.items():
        assert (config.archive / name).read_bytes() == raw


def test_rows_of_the_year_2108_stand_in_quarantine_and_the_others_count(
    config: Settings, tmp_path: Path
) -> None:
    take_in(
        config,
        tmp_path / "more",
        {
            **later(_LETTERS, letters("07/10/2020", "07/11/2020", "07/12/2108")),
            **later(
                "fda_shortages/x/Drugshortages.csv",
                shortage_list(
                    *LISTED[CAPTURES[2]],
                    listing("Velmoril Injection", "Velmora", posted="9/9/2108", updated="9/9/2020"),
                ),
            ),
            **later(
                _RECALLS,
                enforcement(
                    recall(7, "Velmora Labs, Inc.", "Velmoril Injection", reported="21081201"),
                    *(recall(n, "Velmora Labs, Inc.", f"Velmoril {n}") for n in (8, 9)),
                ),
            ),
        },
    )
    built = warehouse.build(config)
    later_ones = built.snapshots[built.snapshots["as_of"] == LATER].set_index("source")
    assert later_ones["state"].unique().tolist() == ["accepted"]
    assert later_ones["rejected"].to_dict() == {
        "fda_warning_letters": 1,
        "fda_shortages": 1,
        "openfda_enforcement": 1,
    }
    with warehouse.open_warehouse(config) as connection:
        quarantine = connection.execute(
            'SELECT source, file, row, "column", value, reason FROM quarantine ORDER BY source'
        ).fetchall()
        newest = connection.execute("SELECT max(known_from) FROM firm_letters").fetchone()
    recalls = "drug-enforcement-0001-of-0001.json.zip"
    assert [entry[:5] for entry in quarantine] == [
        ("fda_shortages", "Drugshortages.csv", 5, "initial_posting_date", "9/9/2108"),
        ("fda_warning_letters", "warning_letters.csv", 3, "posted_date", "07/12/2108"),
        ("openfda_enforcement", recalls, 1, "report_date", "21081201"),
    ]
    assert all("1900" in reason for *_, reason in quarantine)
    assert newest is not None
    assert f"{newest[0]:%Y-%m-%d}" == "2020-07-11"


def test_mixed_encodings_are_read_byte_by_byte(config: Settings, tmp_path: Path) -> None:
    def noted(note: str, encoding: str) -> bytes:
        rows = [listing("Velmoril Injection", note, posted="5/1/2018", updated="9/9/2020")]
        return shortage_list(*rows, encoding=encoding).splitlines(keepends=True)[-1]

    mixed = (
        shortage_list(*LISTED[CAPTURES[2]])
        + noted("Lumière “Labs”", "cp1252")
        + noted("Lumière “Werke”", "utf-8")
    )
    take_in(config, tmp_path / "more", later("fda_shortages/x/Drugshortages.csv", mixed))
    warehouse.build(config)
    with warehouse.open_warehouse(config) as connection:
        companies = connection.execute(
            "SELECT company_name FROM drug_listing_states WHERE company_name LIKE 'Lumi%'"
        ).fetchall()
    assert sorted(companies) == [("Lumière “Labs”",), ("Lumière “Werke”",)]


def test_a_duplicate_snapshot_with_other_bytes_is_set_aside_and_the_first_stays_in_force(
    config: Settings, tmp_path: Path
) -> None:
    name = f"fda_shortages/{CAPTURES[2]}/Drugshortages.csv"
    other = shortage_list(*LISTED[CAPTURES[2]], *LISTED[CAPTURES[0]][:1])
    report = take_in(config, tmp_path / "again", {name: other})
    (aside,) = report.set_aside
    first = sha256(TREE[name]).hexdigest()
    assert aside.reason == (
        f"fda_shortages of 2020-09-14 is already held with other bytes (checksum "
        f"{first[:12]}); the first one stays in force "
        "unless it cannot be read, so import a later state under its own day"
    )
    assert not warehouse.build(config).rebuilt
    assert (config.archive / name).read_bytes() == TREE[name]
    assert Archive(config.archive).path(aside).read_bytes() == other
    # And again: nothing more to do.
    assert take_in(config, tmp_path / "again", {name: other}).held == 1


def test_a_snapshot_fetched_again_stands_in_for_the_damaged_one(
    config: Settings, tmp_path: Path
) -> None:
    """What the refusal asks for must help."""
    whole = orange_book(discontinued=["000301", "900101"])
    take_in(config, tmp_path / "broken", later(_ORANGE_BOOK, whole[:300]))
    first = warehouse.build(config).snapshots.set_index(["source", "as_of"])["state"]
    assert first["orange_book", LATER] == "refused"
    report = take_in(config, tmp_path / "whole", later(_ORANGE_BOOK, whole))
    assert len(report.set_aside) == 1
    second = warehouse.build(config)
    assert second.rebuilt
    states = second.snapshots.set_index(["source", "as_of"])["state"]
    assert states["orange_book", LATER] == "accepted"
    with warehouse.open_warehouse(config) as connection:
        left = connection.execute(
            "SELECT application_no FROM drug_products WHERE left_on = ?", [LATER]
        ).fetchall()
    assert left == [("900101",)]
    assert not warehouse.build(config).rebuilt


@pytest.mark.slow
def test_a_build_that_crashes_leaves_the_last_good_warehouse_in_force(
    config: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(config, tmp_path / "more", later(_LETTERS, letters("07/10/2020")))
    in_force = stamp(config.warehouse)
    with warehouse.open_warehouse(config) as reader, monkeypatch.context() as patch:
        held = content(reader)

        def crash(*_: object, **__: object) -> None:
            raise duckdb.OutOfMemoryException("no room for the join")

        patch.setattr(links, "make_links", crash)
        with pytest.raises(duckdb.OutOfMemoryException):
            warehouse.build(config)
        assert stamp(config.warehouse) == in_force
        assert content(reader) == held
    with warehouse.open_warehouse(config) as reader:
        assert content(reader) == held
    assert warehouse.build(config).rebuilt
    with warehouse.open_warehouse(config) as reader:
        assert len(content(reader)["firm_letters"]) == len(held["firm_letters"]) + 1


KILLED = """
import os, signal
from shortcast.features import spells, warehouse
spells.make_spells = lambda connection: os.kill(os.getpid(), signal.SIGKILL)
warehouse.build(force=True)
"""


@pytest.mark.slow
def test_a_build_that_is_killed_leaves_the_last_good_warehouse_in_force(config: Settings) -> None:
    in_force = stamp(config.warehouse)
    killed = subprocess.run([sys.executable, "-c", KILLED], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert stamp(config.warehouse) == in_force
    with warehouse.open_warehouse(config) as reader:
        held = content(reader)
        # What the killed build left behind is swept up by the next one, and its lock is free.
        assert warehouse.build(config, force=True).rebuilt
        assert content(reader) == held
    left = {path.name for path in config.home.iterdir()} - {"tmp"}
    assert left == {".lock", "archive", "parsed", "warehouse.duckdb"}


def test_a_damaged_warehouse_is_built_again_from_the_archive(config: Settings) -> None:
    config.warehouse.write_bytes(b"not a database" * 100)
    with pytest.raises(ShortcastError, match=r"cannot be opened .* 'shortcast build --force'"):
        warehouse.open_warehouse(config)
    assert warehouse.build(config).rebuilt
    with warehouse.open_warehouse(config) as reader:
        assert len(content(reader)["drugs"]) == 4


@pytest.mark.parametrize("damage", ["delete", "alter"])
def test_a_file_lost_from_the_archive_is_named_and_comes_back_by_importing_it_again(
    config: Settings, tmp_path: Path, damage: str
) -> None:
    name = f"fda_shortages/{CAPTURES[2]}/Drugshortages.csv"
    archived = config.archive / name
    if damage == "delete":
        archived.unlink()
    else:
        archived.write_bytes(HTML)
    # The cache of what was parsed may be deleted at any time; then the file is missed.
    for folder in (config.parsed / "fda_shortages").iterdir():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    snapshots = warehouse.build(config).snapshots
    (reason,) = snapshots.loc[snapshots["state"] == "refused", "reason"]
    assert reason.startswith(f"{archived} is missing from the archive or no longer what was")
    assert len(verify(Archive(config.archive))) == 1
    report = take_in(config, tmp_path / "again", {name: TREE[name]})
    assert (report.added, report.held) == ((), 1)
    assert verify(Archive(config.archive)) == []
    found = warehouse.build(config)
    assert found.rebuilt
    assert set(found.snapshots["state"]) == {"accepted"}


#: What may stand in any file by mistake.
RUBBISH = {
    "nothing": b"",
    "blanks": b"\n \n\t\n",
    "HTML": HTML,
    "text": b"Service unavailable",
    "bytes": bytes(range(256)) * 4,
    "JSON": b'{"error": "no such page"}',
    "a list": b"[]",
    "a zip of nothing": zipped({}),
    "a gzip of HTML": gzipped(HTML),
}


def refusal(name: str, path: Path) -> str | None:
    """What the reader of a file of the tree says to another in its place, None if it reads it."""
    source, day, _ = name.split("/")
    try:
        registry()[source].read([path], date.fromisoformat(day))
    except ShortcastError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", [name for name in TREE if "2020-04-02" not in name])
def test_no_reader_fails_on_rubbish_or_on_part_of_a_file(name: str, tmp_path: Path) -> None:
    """Each is refused with one sentence, or read with what is wrong in quarantine."""
    whole = TREE[name]
    damaged = {
        **RUBBISH,
        "its first half": whole[: len(whole) // 2],
        "all but its end": whole[:-7],
        "its second half": whole[len(whole) // 2 :],
        "a page before it": HTML + whole,
    }
    path = tmp_path / name.split("/")[-1]
    for what, raw in damaged.items():
        path.write_bytes(raw)
        said = refusal(name, path)
        assert said or what not in RUBBISH, what
        if said:
            assert_one_clear_sentence(said)
            assert path.name in said, what
