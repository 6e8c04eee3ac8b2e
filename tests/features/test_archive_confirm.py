"""What a check kept out enters once someone has found it right, and stays in without more ado."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from tiny_records import listing, shortage_list

from shortcast.errors import ShortcastError
from shortcast.features.archive import Archive
from shortcast.features.archive_check import verify
from shortcast.features.archive_confirm import confirm
from shortcast.features.archive_export import read_export, write_export
from shortcast.features.fetch_log import Outcome, note, set_apart, standings
from shortcast.features.parse import parse_all
from shortcast.features.sources import registry
from shortcast.settings import Settings

NAME, FILE = "fda_shortages/2020-11-24", "SIMULATED-Drugshortages.csv"
ADDRESS = "https://www.accessdata.fda.gov/scripts/drugshortages/Drugshortages.cfm"


def a_list(count: int) -> bytes:
    return shortage_list(
        *(
            listing(f"Velmoril {i} Injection", "Velmora", posted="5/1/2018", updated="1/2/2020")
            for i in range(count)
        )
    )


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    """A home with a list of ten rows; one of four lies in the quarantine, of the next day."""
    config = Settings(home=tmp_path / "home")
    take_in(config, tmp_path / "tree", "2020-11-23", a_list(10))
    kept_out(config, "2020-11-24", a_list(4))
    return config


def take_in(config: Settings, tree: Path, day: str, raw: bytes) -> None:
    path = tree / "fda_shortages" / day / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(raw)
    Archive(config.archive).import_tree(tree, registry())


def kept_out(config: Settings, day: str, raw: bytes, *, confirmable: bool = True) -> None:
    from hashlib import sha256

    path = config.home / FILE
    path.write_bytes(raw)
    outcome = Outcome("fda_shortages", day, day, "quarantined", "Not taken.", 1, len(raw))
    set_apart(
        config.quarantine,
        outcome,
        {FILE: path},
        {FILE: {"address": ADDRESS, "sha256": sha256(raw).hexdigest()}},
        faults=["it has 4 rows, 6 fewer"],
        confirmable=confirmable,
    )
    note(config.fetching, outcome)


def days(config: Settings) -> Mapping[str, bool]:
    """Days that the archive holds, and whether each is confirmed."""
    return {str(s.as_of): s.is_confirmed for s in Archive(config.archive).snapshots()}


def states(config: Settings) -> list[str]:
    return [p.state for p in parse_all(Archive(config.archive), config.parsed)]


def test_the_very_bytes_enter_under_their_day_with_a_mark(config: Settings) -> None:
    done = confirm(NAME, config)
    archive = Archive(config.archive)
    (entry,) = done.added
    assert archive.path(entry).read_bytes() == a_list(4)
    assert (entry.as_of, entry.origin) == ("2020-11-24", ADDRESS)
    assert entry.reason == "found right by someone although it has 4 rows, 6 fewer"
    assert days(config) == {"2020-11-23": False, "2020-11-24": True}
    assert verify(archive) == []
    reason = config.quarantine / "fda_shortages" / "2020-11-24" / "reason.json"
    assert [p.name for p in reason.parent.iterdir()] == ["reason.json"]
    last = standings(config.fetching)["fda_shortages"]
    assert (last.last.state, last.seen_on) == ("accepted", date(2020, 11, 24))


def test_a_build_takes_it_without_a_setting_and_goes_on_from_there(
    config: Settings, tmp_path: Path
) -> None:
    """It has less than half of the rows, which a build refuses unless it is confirmed."""
    confirm(NAME, config)
    assert states(config) == ["accepted", "accepted"]
    take_in(config, tmp_path / "later", "2020-11-30", a_list(3))
    assert states(config) == ["accepted", "accepted", "accepted"]


def test_what_is_held_and_refused_for_its_length_is_marked(
    config: Settings, tmp_path: Path
) -> None:
    take_in(config, tmp_path / "later", "2020-11-30", a_list(3))
    assert states(config) == ["accepted", "refused"]
    assert confirm("fda_shortages/2020-11-30", config).added == ()
    assert states(config) == ["accepted", "accepted"]
    ledger = config.archive.joinpath("ledger.jsonl").read_bytes()
    assert len(ledger.splitlines()) == 3
    confirm("fda_shortages/2020-11-30", config)
    assert config.archive.joinpath("ledger.jsonl").read_bytes() == ledger, "one mark is enough"


def test_a_mark_is_carried_to_another_home(config: Settings, tmp_path: Path) -> None:
    take_in(config, tmp_path / "later", "2020-11-30", a_list(3))
    confirm(NAME, config)
    confirm("fda_shortages/2020-11-30", config)
    archive, other = Archive(config.archive), Archive(tmp_path / "other")
    path, files = write_export(archive, tmp_path / "all.zip")
    assert files == 3
    read_export(other, path)
    assert other.ledger.read_bytes() == archive.ledger.read_bytes()
    assert [s.is_confirmed for s in other.snapshots()] == [False, True, True]


def test_bytes_that_came_again_on_a_later_day_can_be_confirmed_for_it(config: Settings) -> None:
    """They are kept once, under the day on which they came first."""
    kept_out(config, "2020-11-25", a_list(4))
    assert len(list(config.quarantine.glob(f"*/*/{FILE}"))) == 1
    confirm("fda_shortages/2020-11-25", config)
    assert days(config) == {"2020-11-23": False, "2020-11-25": True}
    confirm(NAME, config)
    assert days(config)["2020-11-24"]


def test_the_newest_sets_of_files_are_kept_and_all_reasons(config: Settings) -> None:
    """Whoever confirms one that is no longer there is told to fetch again."""
    for day in range(1, 13):
        kept_out(config, f"2020-12-{day:02}", a_list(4 + day))
    folder = config.quarantine / "fda_shortages"
    assert sorted(p.parent.name for p in folder.glob(f"*/{FILE}")) == [
        f"2020-12-{day:02}" for day in range(3, 13)
    ]
    assert len(list(folder.glob("*/reason.json"))) == 13
    with pytest.raises(ShortcastError, match=r"no longer there; fetch again"):
        confirm("fda_shortages/2020-12-01", config)
    # The same bytes come again, and are kept again.
    kept_out(config, "2020-12-13", a_list(5))
    assert (folder / "2020-12-13" / FILE).exists()


def test_what_may_not_be_confirmed_stays_out(config: Settings) -> None:
    kept_out(config, "2020-11-25", b"<html>Sorry</html>", confirmable=False)
    with pytest.raises(ShortcastError, match=r"not for anyone to confirm: Not taken\.$"):
        confirm("fda_shortages/2020-11-25", config)
    assert list(days(config)) == ["2020-11-23"]


def test_altered_bytes_are_not_taken(config: Settings) -> None:
    (config.quarantine / NAME / FILE).write_bytes(a_list(5))
    with pytest.raises(ShortcastError, match=r"set apart with fda_shortages/2020-11-24 are no lon"):
        confirm(NAME, config)
    assert list(days(config)) == ["2020-11-23"]


def test_another_state_of_the_day_is_not_joined_with_it(config: Settings, tmp_path: Path) -> None:
    take_in(config, tmp_path / "later", "2020-11-24", a_list(9))
    with pytest.raises(ShortcastError, match=r"another state of fda_shortages/2020-11-24, and tak"):
        confirm(NAME, config)
    assert not any(days(config).values())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fda_shortages", "names no snapshot; write SOURCE/DAY"),
        ("../2020-11-24", "names no snapshot; write SOURCE/DAY"),
        ("fda_shortages/../..", "names no snapshot; write SOURCE/DAY"),
        ("fda_shortages/2020-11-01", "Neither .*quarantine nor the archive holds fda_shortages/20"),
    ],
)
def test_a_name_of_nothing_is_told(name: str, said: str, config: Settings) -> None:
    with pytest.raises(ShortcastError, match=said):
        confirm(name, config)


def test_a_reason_that_cannot_be_read_is_told(config: Settings) -> None:
    (config.quarantine / NAME / "reason.json").write_text(json.dumps({"from": []}))
    with pytest.raises(ShortcastError, match=r"reason.json cannot be read.*fetch again"):
        confirm(NAME, config)
