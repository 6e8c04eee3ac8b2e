"""The archive: append-only, importing twice adds nothing, and a crash loses nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from shortcast.errors import ShortcastError
from shortcast.features.archive import Archive, ImportReport, exclusive
from shortcast.features.archive_check import verify
from shortcast.features.sources.contract import Reading, Source


def source(name: str) -> Source:
    def read(files: Sequence[Path], as_of: date) -> Reading:
        raise NotImplementedError

    return Source(name, name, "", "", "", "", 1, files=("*.csv", "*.zip"), tables=(), read=read)


SOURCES = {name: source(name) for name in ("letters", "recalls")}
TREE = {
    "letters/2020-01-10/letters.csv": "a,b\n1,2\n",
    "letters/2020-02-10/letters.csv": "a,b\n1,3\n",
    "recalls/2020-01-10/one.zip": "PK one",
    "recalls/2020-01-10/two.zip": "PK two",
}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "home" / "archive")


def take_in(archive: Archive, files: Mapping[str, str], name: str = "tree") -> ImportReport:
    tree = archive.root.parent.parent / name
    for place, text in files.items():
        path = tree / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return archive.import_tree(tree, SOURCES)


def held(archive: Archive) -> dict[str, str]:
    """Every accepted file that the ledger knows, as it lies in the archive."""
    return {
        f"{f.source}/{f.as_of}/{f.file}": archive.path(f).read_text(encoding="utf-8")
        for snapshot in archive.snapshots()
        for f in snapshot.files
    }


def test_a_tree_is_taken_in_with_its_provenance(archive: Archive) -> None:
    report = take_in(archive, TREE)
    assert len(report.added) == 4
    assert held(archive) == TREE
    first = archive.entries()[0]
    assert (first.source, first.as_of, first.file) == ("letters", "2020-01-10", "letters.csv")
    assert first.bytes == len(TREE["letters/2020-01-10/letters.csv"])
    assert first.origin == "tree/letters/2020-01-10/letters.csv"
    assert datetime.fromisoformat(first.archived_at).tzinfo is not None
    assert [(s.source, s.as_of, len(s.files)) for s in archive.snapshots()] == [
        ("letters", date(2020, 1, 10), 1),
        ("letters", date(2020, 2, 10), 1),
        ("recalls", date(2020, 1, 10), 2),
    ]
    assert verify(archive) == []


def test_importing_again_adds_nothing(archive: Archive) -> None:
    take_in(archive, TREE)
    ledger = archive.ledger.read_bytes()
    report = take_in(archive, TREE)
    assert (report.added, report.held, report.set_aside) == ((), 4, ())
    assert archive.ledger.read_bytes() == ledger


def test_a_snapshot_s_checksum_tells_its_files_and_their_names(archive: Archive) -> None:
    take_in(archive, TREE)
    letters, _, recalls = (s.checksum for s in archive.snapshots())
    other = Archive(archive.root.parent / "other")
    swapped = {"recalls/2020-01-10/one.zip": "PK two", "recalls/2020-01-10/two.zip": "PK one"}
    take_in(other, swapped, "swapped")
    assert len({letters, recalls, *(s.checksum for s in other.snapshots())}) == 3


def test_other_bytes_under_the_same_name_are_set_aside_and_kept(archive: Archive) -> None:
    take_in(archive, TREE)
    name = "letters/2020-01-10/letters.csv"
    report = take_in(archive, {name: "a,b\n9,9\n"}, "second")
    (aside,) = report.set_aside
    assert report.added == ()
    assert "already held with other bytes" in aside.reason
    assert archive.path(aside).read_text(encoding="utf-8") == "a,b\n9,9\n"
    assert held(archive) == TREE
    # Each further variant is kept too; the same one again is held already.
    assert take_in(archive, {name: "a,b\n9,9\n"}, "second").held == 1
    assert len(take_in(archive, {name: "a,b\n8,8\n"}, "third").set_aside) == 1
    assert verify(archive) == []


def test_what_was_set_aside_may_stand_in_for_what_cannot_be_read(archive: Archive) -> None:
    take_in(archive, TREE)
    assert archive.stand_ins() == {}
    take_in(archive, {"recalls/2020-01-10/two.zip": "PK 2a"}, "second")
    take_in(archive, {"recalls/2020-01-10/one.zip": "PK 1a"}, "third")
    ((key, snapshots),) = archive.stand_ins().items()
    assert key == ("recalls", date(2020, 1, 10))
    texts = [
        [archive.path(f).read_text(encoding="utf-8") for f in snapshot.files]
        for snapshot in snapshots
    ]
    assert texts == [["PK one", "PK 2a"], ["PK 1a", "PK 2a"]]


def test_another_state_of_a_day_in_other_files_is_set_aside_whole(archive: Archive) -> None:
    """One part of a file and then two parts: joined, each record would be there twice."""
    one = {"recalls/2020-01-10/recalls-0001-of-0001.zip": "PK all of them"}
    two = {f"recalls/2020-01-10/recalls-000{n}-of-0002.zip": f"PK {n}" for n in (1, 2)}
    take_in(archive, one)
    report = take_in(archive, two, "second")
    assert (len(report.added), len(report.set_aside)) == (0, 2)
    assert "already held as recalls-0001-of-0001.zip, and this came" in report.set_aside[0].reason
    assert held(archive) == one
    assert archive.stand_ins() == {}
    assert verify(archive) == []
    assert take_in(archive, two, "second").held == 2

    # Nor is a file of the same name taken for a stand-in that came with them.
    mixed = {**one, "recalls/2020-01-10/recalls-0009-of-0009.zip": "PK 9"}
    mixed["recalls/2020-01-10/recalls-0001-of-0001.zip"] = "PK the first of nine"
    assert len(take_in(archive, mixed, "third").set_aside) == 2
    assert archive.stand_ins() == {}


def test_what_does_not_belong_is_passed_over_with_the_reason(archive: Archive) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    later = tomorrow + timedelta(days=2)
    report = take_in(
        archive,
        {
            **TREE,
            "MANIFEST.csv": "not a source",
            "nosuch/2020-01-10/x.csv": "",
            "letters/loose.csv": "",
            "letters/2020-1-9/x.csv": "",
            "letters/2020-02-30/x.csv": "",
            f"letters/{later}/x.csv": "",
            f"letters/{tomorrow}/x.csv": "its clock may be ahead",
            "letters/2020-01-10/notes.txt": "",
            "letters/2020-01-10/inner/x.csv": "",
        },
    )
    assert len(report.added) == 5
    assert sorted(report.passed_over) == sorted(
        [
            "nosuch: no source of this name is known",
            "letters/loose.csv: files must lie in a folder named after their day",
            "letters/2020-1-9/x.csv: the folder '2020-1-9' is no day of the form YYYY-MM-DD",
            "letters/2020-02-30/x.csv: 2020-02-30 is no day of the calendar",
            f"letters/{later}/x.csv: the day {later} lies in the future",
            "letters/2020-01-10/notes.txt: not one of the files of letters (*.csv, *.zip)",
            "letters/2020-01-10/inner: a folder; files must lie right in the folder of their day",
        ]
    )


def test_a_tree_with_nothing_to_take_in_is_refused_with_the_reason(
    archive: Archive, tmp_path: Path
) -> None:
    with pytest.raises(ShortcastError, match="is not a folder; give the folder that holds SOURCE"):
        archive.import_tree(tmp_path / "nowhere", SOURCES)
    with pytest.raises(
        ShortcastError,
        match=r"2020-01-10: no source of this name.*SOURCE/AS_OF/FILE with a SOURCE of: letters, r",
    ):
        # One folder too deep.
        take_in(archive, {"2020-01-10/letters.csv": "a"}, "letters")
    assert not archive.ledger.exists()


# --- Crashes -------------------------------------------------------------------------------------


def test_a_line_torn_by_a_crash_is_passed_over_and_its_file_imported_again(
    archive: Archive,
) -> None:
    take_in(archive, TREE)
    whole = archive.ledger.read_bytes()
    for cut in (1, 40, len(whole.splitlines()[-1])):
        archive.ledger.write_bytes(whole[:-cut])
        assert len(archive.entries()) == 3 + (cut == 1)
        report = take_in(archive, TREE)
        assert len(report.added) + report.held == 4
        assert held(archive) == TREE
        assert len(archive.ledger.read_bytes().splitlines()) == 4


def test_a_whole_line_without_its_end_is_not_lost_with_the_next_import(archive: Archive) -> None:
    """Its file may be in no tree any more."""
    take_in(archive, {"letters/2020-01-10/letters.csv": "first"})
    archive.ledger.write_bytes(archive.ledger.read_bytes().removesuffix(b"\n"))
    more = {"letters/2020-02-10/letters.csv": "second"}
    take_in(archive, more, "another tree")
    assert held(archive) == {"letters/2020-01-10/letters.csv": "first", **more}


def test_a_damaged_line_is_named_and_never_passed_over(archive: Archive) -> None:
    take_in(archive, TREE)
    lines = archive.ledger.read_bytes().splitlines(keepends=True)
    for number in (1, 3):
        damaged = [*lines]
        damaged[number] = b'{"source": "letters"}\n'
        archive.ledger.write_bytes(b"".join(damaged))
        with pytest.raises(ShortcastError, match=rf"line {number + 1} cannot be read .* backup"):
            archive.entries()


def test_a_crash_between_the_copy_and_its_line_costs_nothing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    def die(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Archive, "_note", die)
        with pytest.raises(KilledError):
            take_in(archive, TREE)
    assert archive.entries() == []
    report = take_in(archive, TREE)
    assert len(report.added) == 4
    assert held(archive) == TREE


def test_a_crash_in_the_middle_of_a_copy_leaves_no_half_file(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    take_in(archive, dict(list(TREE.items())[:1]))
    before = {p: p.read_bytes() for p in archive.root.rglob("*") if p.is_file()}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ShortcastError, match=r"No space left on device\); see to it"):
            take_in(archive, TREE)
    assert {p: p.read_bytes() for p in archive.root.rglob("*") if p.is_file()} == before
    assert len(take_in(archive, TREE).added) == 3


def test_a_file_that_changes_while_it_is_copied_is_not_taken_in(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Archive._begin

    def change_then_copy(self: Archive) -> None:
        for path in (self.root.parent.parent / "tree").rglob("*.csv"):
            path.write_text("still being written", encoding="utf-8")
        write(self)

    with monkeypatch.context() as patch:
        patch.setattr(Archive, "_begin", change_then_copy)
        with pytest.raises(ShortcastError, match="changed while it was copied; import it again"):
            take_in(archive, TREE)
    assert archive.entries() == []


def test_missing_and_altered_files_are_found_and_come_back_by_importing_again(
    archive: Archive,
) -> None:
    take_in(archive, TREE)
    (archive.root / "recalls/2020-01-10/one.zip").unlink()
    (archive.root / "recalls/2020-01-10/two.zip").write_text("PK 2 0", encoding="utf-8")
    missing, altered = sorted(verify(archive))
    assert "one.zip is missing; import it again (it came from tree/recalls/2020-01-10" in missing
    assert "two.zip no longer has its recorded checksum; import it again" in altered
    assert take_in(archive, TREE).held == 4
    assert verify(archive) == []
    assert held(archive) == TREE


def test_a_snapshot_is_on_the_ledger_whole_or_not_at_all(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a list would be read as a list from which the other half was taken back."""
    take_in(archive, dict(list(TREE.items())[:2]))
    before = archive.ledger.read_bytes()
    two = archive.root / "recalls/2020-01-10/two.zip"
    place = os.replace

    def break_off(path: Path, target: Path) -> None:
        if target == two:
            raise KeyboardInterrupt
        place(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", break_off)
        with pytest.raises(KeyboardInterrupt):
            take_in(archive, TREE)
    assert (archive.root / "recalls/2020-01-10/one.zip").exists()
    assert archive.ledger.read_bytes() == before
    assert len(take_in(archive, TREE).added) == 2
    assert verify(archive) == []


def test_a_full_disk_leaves_no_part_of_a_snapshot_on_the_ledger(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(archive, dict(list(TREE.items())[:2]))
    before = archive.ledger.read_bytes()
    flush = os.fsync

    def full(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == archive.ledger.stat().st_ino:
            raise OSError(28, "No space left on device")
        flush(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ShortcastError, match=r"ledger.jsonl could not be written \(No space"):
            take_in(archive, TREE)
    assert archive.ledger.read_bytes() == before
    assert len(take_in(archive, TREE).added) == 2


def test_what_a_killed_run_left_is_told_and_the_next_one_puts_it_right(archive: Archive) -> None:
    take_in(archive, TREE)
    folder = archive.root / "letters/2020-03-10"
    folder.mkdir()
    (folder / ".letters.csv.partial").write_text("a,b\n", encoding="utf-8")
    (folder / "letters.csv").write_text("a,b\n1,4\n", encoding="utf-8")
    with archive.ledger.open("ab") as stream:
        stream.write(b'{"source": "lett')
    faults = verify(archive)
    assert [fault.split(str(archive.root))[1].split(" ")[0] for fault in faults] == [
        "/ledger.jsonl",
        "/letters/2020-03-10/.letters.csv.partial",
        "/letters/2020-03-10/letters.csv",
    ]
    assert len(archive.mend()) == 3
    assert verify(archive) == []
    assert held(archive) == TREE
    (stray,) = (archive.root / "strays/letters/2020-03-10").iterdir()
    assert stray.read_text(encoding="utf-8") == "a,b\n1,4\n"
    assert archive.mend() == []


def test_a_lost_ledger_is_not_taken_for_an_empty_one(archive: Archive) -> None:
    take_in(archive, TREE)
    archive.ledger.unlink()
    (fault,) = verify(archive)
    assert "ledger.jsonl is lost; restore it from a backup" in fault
    with pytest.raises(ShortcastError, match=r"holds 4 files and no ledger .*restore"):
        take_in(archive, TREE)
    assert len(list(archive.root.glob("*/*/*"))) == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("file", "../../secret"),
        ("file", ".hidden"),
        ("file", "a\x1b[2J.csv"),
        ("source", ".."),
        ("source", "strays"),
        ("as_of", "2020-02-30"),
        ("as_of", ".."),
        ("sha256", "../../../../x"),
        ("bytes", -1),
        ("bytes", "4"),
        ("state", "lost"),
        ("archived_at", "yesterday"),
        ("origin", None),
    ],
)
def test_a_line_that_leads_out_of_the_archive_is_refused(
    archive: Archive, name: str, value: object
) -> None:
    take_in(archive, TREE)
    first, *others = archive.ledger.read_text(encoding="ascii").splitlines()
    line = json.dumps({**json.loads(first), name: value})
    archive.ledger.write_text("\n".join([line, *others, ""]), encoding="ascii")
    with pytest.raises(ShortcastError, match=r"line 1 cannot be read \(.*restore the ledger"):
        archive.entries()
    assert any("line 1 cannot be read" in fault for fault in verify(archive))


def test_a_ledger_that_accepts_two_states_of_one_day_is_told(archive: Archive) -> None:
    take_in(archive, TREE)
    line = json.loads(archive.ledger.read_bytes().splitlines()[0])
    with archive.ledger.open("a", encoding="ascii") as stream:
        stream.write(json.dumps({**line, "sha256": "0" * 64}) + "\n")
    assert any("letters/2020-01-10/letters.csv twice" in fault for fault in verify(archive))


# --- One at a time -------------------------------------------------------------------------------


def test_two_runs_do_not_write_at_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with (
        exclusive(home, what="the import"),
        pytest.raises(
            ShortcastError,
            match=r"run \(the import, since 20.* UTC, process \d+\) is writing to .*home, so the b",
        ),
        exclusive(home, what="the build"),
    ):
        pass
    with exclusive(home, what="the build"):  # free again
        pass


def test_a_lock_left_by_a_run_that_was_killed_does_not_hold_up_the_next(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        with exclusive(tmp_path, what="the import"):
            os._exit(0)  # as if killed: nothing is cleaned up
    os.waitpid(pid, 0)
    assert (tmp_path / ".lock").exists()
    with exclusive(tmp_path, what="the build"):
        pass


def test_the_ledger_is_one_json_object_a_line(archive: Archive) -> None:
    take_in(archive, {"letters/2020-01-10/Ä “x”.csv": "a"})
    (line,) = archive.ledger.read_text(encoding="ascii").splitlines()
    assert json.loads(line)["file"] == "Ä “x”.csv"
    assert archive.entries()[0].state == "accepted"


SIMULATED = {
    f"{place.rsplit('/', 1)[0]}/SIMULATED-{place.rsplit('/', 1)[1]}": text
    for place, text in TREE.items()
}


def test_simulated_files_are_known_by_their_names(archive: Archive) -> None:
    assert archive.data() is None
    assert take_in(archive, SIMULATED).data == "simulated"
    assert archive.data() == "simulated"
    assert held(archive) == SIMULATED, "the name of the source's own file, behind the mark"


def test_a_name_that_is_none_of_the_source_is_passed_over_with_the_mark_too(
    archive: Archive,
) -> None:
    files = {**SIMULATED, "letters/2020-01-10/SIMULATED-notes.txt": "no letter"}
    report = take_in(archive, files)
    assert len(report.added) == 4
    assert [line.split(":")[0] for line in report.passed_over] == [
        "letters/2020-01-10/SIMULATED-notes.txt"
    ]


@pytest.mark.parametrize(("first", "second"), [(TREE, SIMULATED), (SIMULATED, TREE)])
def test_real_and_simulated_records_never_meet_in_one_archive(
    archive: Archive, first: Mapping[str, str], second: Mapping[str, str]
) -> None:
    take_in(archive, first)
    ledger = archive.ledger.read_bytes()
    with pytest.raises(
        ShortcastError, match=r"\(other/letters/.*csv\) and .* ones; the two.*SHORTCAST_HOME=DIR"
    ) as refusal:
        take_in(archive, second, "other")
    # What was made up can be thrown away; real records are not to be.
    assert ("remove this one" in str(refusal.value)) == (first is SIMULATED)
    assert archive.ledger.read_bytes() == ledger
    assert held(archive) == first


def test_the_records_of_two_made_up_markets_never_meet(archive: Archive) -> None:
    take_in(archive, SIMULATED)
    (place, *_) = SIMULATED
    other = {"recalls/2021-03-10/SIMULATED-one.zip": "PK another", place: "another market"}
    with pytest.raises(ShortcastError, match=r"of another made-up market than.*another home"):
        take_in(archive, other)
    assert held(archive) == SIMULATED


def test_a_tree_with_both_kinds_is_refused_whole(archive: Archive) -> None:
    both = {**TREE, "recalls/2020-03-10/SIMULATED-one.zip": "PK made up"}
    with pytest.raises(
        ShortcastError,
        match=r"letters/2020-01-10/letters.csv.*recalls/2020-03-10/SIMULATED-one.zip.*take one",
    ):
        take_in(archive, both)
    assert archive.entries() == []
    assert not archive.root.exists()


def test_a_ledger_that_was_meddled_with_is_refused(archive: Archive) -> None:
    take_in(archive, TREE)
    line = archive.ledger.read_text(encoding="utf-8").splitlines()[0]
    with archive.ledger.open("a", encoding="utf-8") as stream:
        stream.write(line.replace('"letters.csv"', '"SIMULATED-letters.csv"') + "\n")
    with pytest.raises(ShortcastError, match=r"ledger.jsonl names real and simulated.*restore"):
        archive.data()
