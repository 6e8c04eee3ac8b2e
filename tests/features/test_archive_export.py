"""An archive in one file: the same on the other side, and nothing enters that is not whole."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from shortcast.errors import ShortcastError
from shortcast.features.archive import Archive
from shortcast.features.archive_check import verify
from shortcast.features.archive_export import read_export, write_export
from shortcast.features.sources.contract import Reading, Source

SOURCES = {
    name: Source(name, name, "", "", "", "", 1, ("*.csv",), (), lambda *_: Reading({}))
    for name in ("letters", "recalls")
}
TREE = {
    "letters/2020-01-10/letters.csv": "a,b\n1,2\n",
    "recalls/2020-01-10/one.csv": "one",
    "recalls/2020-01-10/two.csv": "two",
    "letters/2020-02-10/Ä “x”.csv": "a,b\n1,3\n",
}


def filled(home: Path, *trees: Mapping[str, str], mark: str = "") -> Archive:
    archive = Archive(home / "archive")
    for number, files in enumerate(trees):
        tree = home.with_name(f"{home.name}-tree{number}")
        for place, text in files.items():
            path = tree / place
            path = path.with_name(mark + path.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        archive.import_tree(tree, SOURCES)
    return archive


def contents(archive: Archive) -> dict[str, bytes]:
    return {p.relative_to(archive.root).as_posix(): p.read_bytes() for p in archive.files()}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return filled(tmp_path / "home", TREE, {"letters/2020-01-10/letters.csv": "another"})


@pytest.fixture
def exported(archive: Archive, tmp_path: Path) -> Path:
    return write_export(archive, tmp_path / "export.zip")[0]


@pytest.fixture
def other(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "other" / "archive")


def rewritten(exported: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The same file with other members."""
    with zipfile.ZipFile(exported) as bundle:
        members = {name: bundle.read(name) for name in bundle.namelist()}
    change(members)
    path = exported.with_name("changed.zip")
    with zipfile.ZipFile(path, "w") as bundle:
        for name, raw in members.items():
            bundle.writestr(name, raw)
    return path


def test_an_archive_is_the_same_on_the_other_side(
    archive: Archive, exported: Path, other: Archive, tmp_path: Path
) -> None:
    report = read_export(other, exported)
    assert (len(report.added), len(report.set_aside), report.held) == (4, 1, 0)
    assert contents(other) == contents(archive)
    assert other.ledger.read_bytes() == archive.ledger.read_bytes()
    assert verify(other) == []
    again, count = write_export(other, tmp_path / "again.zip")
    assert count == 5
    assert again.read_bytes() == exported.read_bytes()


def test_adding_the_same_file_twice_adds_nothing(exported: Path, other: Archive) -> None:
    read_export(other, exported)
    ledger = other.ledger.read_bytes()
    (other.root / "recalls/2020-01-10/two.csv").unlink()
    report = read_export(other, exported)
    assert (report.added, report.set_aside, report.held) == ((), (), 5)
    assert other.ledger.read_bytes() == ledger
    assert verify(other) == [], "and what was lost is back"


def test_what_is_held_stays_and_the_rest_is_added(exported: Path, tmp_path: Path) -> None:
    own = {
        "recalls/2020-01-10/two.csv": "another two",
        "recalls/2020-03-10/three.csv": "three",
    }
    other = filled(tmp_path / "own", own)
    report = read_export(other, exported)
    assert [entry.file for entry in report.added] == ["letters.csv", "Ä “x”.csv"]
    assert [entry.file for entry in report.set_aside] == ["one.csv", "two.csv", "letters.csv"]
    assert "already held as two.csv, and this came with files of" in report.set_aside[0].reason
    assert contents(other)["recalls/2020-01-10/two.csv"] == b"another two"
    assert contents(other)["recalls/2020-03-10/three.csv"] == b"three"
    assert verify(other) == []


def test_simulated_records_say_so_in_the_name_and_inside(tmp_path: Path, other: Archive) -> None:
    archive = filled(tmp_path / "made-up", TREE, mark="SIMULATED-")
    path, _ = write_export(archive, tmp_path / "export.zip")
    assert path == tmp_path / "SIMULATED-export.zip"
    with zipfile.ZipFile(path) as bundle:
        assert b"SIMULATED: these drugs, makers" in bundle.read("README.txt")
        assert all("/SIMULATED-" in name for name in bundle.namelist()[2:])
    assert read_export(other, path).data == "simulated"
    real = filled(tmp_path / "real", TREE)
    before = contents(real)
    with pytest.raises(ShortcastError, match=r"simulated records \(SIMULATED-export.zip: .*never"):
        read_export(real, path)
    assert contents(real) == before


def test_nothing_is_exported_from_an_archive_that_is_not_sound(
    archive: Archive, tmp_path: Path
) -> None:
    (archive.root / "recalls/2020-01-10/two.csv").write_text("owt", encoding="utf-8")
    said = r"Missing from .* or no longer what was archived: recalls/2020-01-10/two.csv; so nothing"
    with pytest.raises(ShortcastError, match=said):
        write_export(archive, tmp_path / "export.zip")
    (archive.root / "recalls/2020-01-10/two.csv").unlink()
    with pytest.raises(ShortcastError, match=said):
        write_export(archive, tmp_path / "export.zip")
    with pytest.raises(ShortcastError, match="is empty, so there is nothing to export"):
        write_export(Archive(tmp_path / "nothing"), tmp_path / "export.zip")
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == []


def test_a_damaged_snapshot_is_left_out_whole_when_that_is_asked_for(
    archive: Archive, other: Archive, tmp_path: Path
) -> None:
    """Half of its files would pass for all of it."""
    (archive.root / "recalls/2020-01-10/two.csv").write_text("owt", encoding="utf-8")
    path, files = write_export(archive, tmp_path / "export.zip", leave_out=True)
    assert files == 3
    with zipfile.ZipFile(path) as bundle:
        about = bundle.read("README.txt").decode()
    assert "Left out with its snapshot, as it was lost: recalls/2020-01-10/two.csv\n" in about
    read_export(other, path)
    assert {entry.source for entry in other.entries()} == {"letters"}
    assert verify(other) == []
    for lost in list(archive.files()):
        lost.unlink()
    with pytest.raises(ShortcastError, match=r"Nothing of .* is as it was archived"):
        write_export(archive, tmp_path / "second.zip", leave_out=True)


def test_a_file_that_is_there_is_never_written_over(archive: Archive, exported: Path) -> None:
    raw = exported.read_bytes()
    with pytest.raises(ShortcastError, match="is there already; name another file"):
        write_export(archive, exported)
    assert exported.read_bytes() == raw


def test_a_truncated_or_altered_file_brings_nothing_in(exported: Path, other: Archive) -> None:
    raw = exported.read_bytes()
    for size in (0, 10, len(raw) // 2, len(raw) - 1):
        exported.write_bytes(raw[:size])
        with pytest.raises(ShortcastError, match=r"export.zip is damaged or was changed .*again"):
            read_export(other, exported)
    at = raw.index(b"a,b\n1,3")
    name = raw.rindex(b".csv")
    flags = raw.rindex(b"PK\x01\x02") + 9
    assert flags < name
    misnamed = bytearray(raw)
    # The last member's name is said to be UTF-8, and is not.
    misnamed[flags], misnamed[name] = misnamed[flags] | 0x08, 0xFF
    exported.write_bytes(misnamed)
    with pytest.raises(ShortcastError, match=r"export.zip is damaged or was changed .*again"):
        read_export(other, exported)
    exported.write_bytes(raw[:at] + b"A" + raw[at + 1 :])
    with pytest.raises(ShortcastError, match=r"export.zip is damaged or was changed .*again"):
        read_export(other, exported)
    assert not other.root.exists()


def ledger(members: dict[str, bytes], **change: object) -> None:
    first, *others = members["ledger.jsonl"].splitlines(keepends=True)
    line = json.dumps({**json.loads(first), **change}).encode()
    members["ledger.jsonl"] = b"".join([line, b"\n", *others])


#: What was changed by someone who can make the sums of the zip right, and what is said of it.
CHANGED: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "another text": (
        lambda m: m.update({"recalls/2020-01-10/one.csv": b"eno"}),
        "one.csv does not have the checksum",
    ),
    "a longer text": (
        lambda m: m.update({"recalls/2020-01-10/one.csv": b"one more"}),
        "one.csv does not have the size",
    ),
    "a file left out": (
        lambda m: (m.pop("recalls/2020-01-10/one.csv"), None)[1],
        "one.csv is in it or on its ledger, and not both",
    ),
    "a file put in": (
        lambda m: m.update({"../../.profile": b"evil"}),
        r"\.profile is in it or on its ledger, and not both",
    ),
    "a way out": (lambda m: ledger(m, file="../x"), "line 1 cannot be read: '../x' is no name"),
    "a source of that name": (lambda m: ledger(m, source=".."), "'..' is no name of a source"),
    "a day to come": (lambda m: ledger(m, as_of="2999-01-01"), "2999-01-01 lies in the future"),
    "both kinds": (lambda m: ledger(m, file="SIMULATED-x"), "real and simulated records"),
    "a line twice": (
        lambda m: m.update({"ledger.jsonl": m["ledger.jsonl"] * 2}),
        "its ledger names a file twice",
    ),
    "no ledger": (lambda m: (m.pop("ledger.jsonl"), None)[1], "is no exported archive"),
    "another format": (
        lambda m: m.update({"README.txt": b"shortcast archive, format 9\n"}),
        r"not of a format that this version reads \(.*format 1\)",
    ),
}


@pytest.mark.parametrize(("change", "told"), CHANGED.values(), ids=CHANGED.keys())
def test_a_file_that_was_meddled_with_brings_nothing_in(
    exported: Path, other: Archive, change: Callable[[dict[str, bytes]], None], told: str
) -> None:
    path = rewritten(exported, change)
    with pytest.raises(ShortcastError, match=told):
        read_export(other, path)
    assert not other.root.exists()
    assert not (other.root.parent.parent / "x").exists()


@pytest.mark.parametrize("name", ["README.txt", "ledger.jsonl"])
def test_a_packed_member_is_refused_before_it_is_unpacked(
    name: str, exported: Path, other: Archive
) -> None:
    """A few kilobytes may unpack to more than there is memory."""
    with zipfile.ZipFile(exported) as bundle:
        members = {member: bundle.read(member) for member in bundle.namelist()}
    path = exported.with_name("changed.zip")
    with zipfile.ZipFile(path, "w") as bundle:
        for member, raw in members.items():
            packed = zipfile.ZIP_DEFLATED if member == name else zipfile.ZIP_STORED
            bundle.writestr(member, raw, packed)
    with pytest.raises(ShortcastError, match=rf"{name} in it is packed, which no export does.*cop"):
        read_export(other, path)
    assert not other.root.exists()


def test_an_encrypted_file_is_told_as_a_damaged_one(exported: Path, other: Archive) -> None:
    raw = bytearray(exported.read_bytes())
    raw[raw.index(b"PK\x03\x04") + 6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    exported.write_bytes(raw)
    with pytest.raises(ShortcastError, match=r"damaged or was changed .*encrypted.*copy it again"):
        read_export(other, exported)


def test_an_import_that_was_cut_off_goes_on_where_it_ended(
    archive: Archive, exported: Path, other: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = Archive._note
    for cut in range(3):
        left = cut

        def break_off(self: Archive, entries: list) -> None:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            note(self, entries)

        with monkeypatch.context() as patch:
            patch.setattr(Archive, "_note", break_off)
            with pytest.raises(KeyboardInterrupt):
                read_export(other, exported)
    read_export(other, exported)
    assert contents(other) == contents(archive)
    assert other.ledger.read_bytes() == archive.ledger.read_bytes()
    assert verify(other) == []
