"""The folder that made-up records are written to: whole or not at all, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from shortcast.errors import ShortcastError
from shortcast.features import simulated
from shortcast.features.simulated import world, writers
from shortcast.features.simulated.parameters import Parameters

SIZE = Parameters(drugs=60, years=1)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """Stands in for the market, which takes seconds; does what is put into it while it writes."""
    acts: list[Callable[[], None]] = []

    def write_truth(path: Path) -> None:
        path.write_text("truth")

    def write_records(_world: object, folder: Path, **_: object) -> None:
        (folder / "fda_shortages").mkdir()
        (folder / "fda_shortages" / "SIMULATED-list.csv").write_text("list")
        for act in acts:
            act()

    made_up = SimpleNamespace(truth=SimpleNamespace(write=write_truth))
    monkeypatch.setattr(world, "simulate", lambda _: made_up)
    monkeypatch.setattr(writers, "write_records", write_records)
    return acts


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


WRITTEN = {"fda_shortages", simulated.TRUTH, simulated.ABOUT}


@pytest.mark.usefixtures("meanwhile")
def test_an_empty_folder_is_filled_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty, link, mount = tmp_path / "empty", tmp_path / "link", tmp_path / "mount"
    for folder in (empty, tmp_path / "far", mount):
        folder.mkdir()
    link.symlink_to(tmp_path / "far")
    simulated.records(SIZE, empty)
    simulated.records(SIZE, link)
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "mount")
    monkeypatch.setattr(Path, "rmdir", lambda _: pytest.fail("a mount point stays"))
    simulated.records(SIZE, mount)
    assert names(empty) == names(link) == names(mount) == WRITTEN
    assert link.is_symlink()
    assert names(tmp_path) == {"empty", "far", "link", "mount"}, "nothing is left behind"


def test_of_two_runs_into_one_folder_one_is_whole_and_the_other_refused(
    tmp_path: Path, meanwhile: list[Callable[[], None]]
) -> None:
    out = tmp_path / "records"

    def another_run() -> None:
        meanwhile.clear()
        simulated.records(SIZE, out)
        (out / "mark").touch()

    meanwhile.append(another_run)
    with pytest.raises(ShortcastError, match="holds something already"):
        simulated.records(SIZE, out)
    assert names(out) == {*WRITTEN, "mark"}
    assert names(tmp_path) == {"records"}


@pytest.mark.usefixtures("meanwhile")
def test_what_lies_beside_the_folder_is_not_touched(tmp_path: Path) -> None:
    other = tmp_path / ".records.partial"
    other.mkdir()
    (other / "mine").touch()
    simulated.records(SIZE, tmp_path / "records")
    assert (other / "mine").exists()
