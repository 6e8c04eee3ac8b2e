"""What an older ledger does not know of is taken back by name, if it is what it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_records import CAPTURES, LISTED, shortage_list

from shortcast.errors import ShortcastError
from shortcast.features.archive import Archive
from shortcast.features.archive_check import verify
from shortcast.features.archive_strays import take_back
from shortcast.features.sources import registry

NAME = f"fda_shortages/{CAPTURES[1]}"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Two captures, and a ledger that was restored from before the second."""
    for day in CAPTURES[:2]:
        path = tmp_path / "tree" / "fda_shortages" / day / "Drugshortages.csv"
        path.parent.mkdir(parents=True)
        path.write_bytes(shortage_list(*LISTED[day]))
    archive = Archive(tmp_path / "home" / "archive")
    archive.import_tree(tmp_path / "tree", registry())
    first, _ = archive.ledger.read_bytes().splitlines(keepends=True)
    archive.ledger.write_bytes(first)
    archive.mend()
    return archive


def test_a_stray_that_is_what_it_was_comes_back(archive: Archive) -> None:
    assert len(take_back(archive, NAME).added) == 1
    assert [str(s.as_of) for s in archive.snapshots()] == list(CAPTURES[:2])
    assert verify(archive) == []
    with pytest.raises(ShortcastError, match=r"holds no 'fda_shortages/.*; it holds nothing"):
        take_back(archive, NAME)


def test_a_stray_that_is_damaged_stays_out(archive: Archive) -> None:
    (stray,) = (archive.root / "strays" / NAME).iterdir()
    stray.write_bytes(b"altered")
    with pytest.raises(ShortcastError, match=r"or no longer what it was; leave only the right"):
        take_back(archive, NAME)
    assert len(archive.snapshots()) == 1
