"""From an official address to the warehouse."""

from __future__ import annotations

import io
import zipfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from tiny_records import (
    LISTED,
    openfda,
    openfda_shortage,
    shortage_list,
)

from shortcast.features import warehouse
from shortcast.features.archive import Archive
from shortcast.features.fetching import fetch
from shortcast.features.sources import registry
from shortcast.settings import Settings

TODAY = date(2026, 11, 23)
CSV = "www.accessdata.fda.gov/scripts/drugshortages/Drugshortages.cfm"
CATALOGUE = "api.fda.gov/download.json"
BULK = "download.open.fda.gov/drug/shortages/drug-shortages-0001-of-0001.json.zip"


def bulk_zip(records: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        entry = zipfile.ZipInfo("drug-shortages-0001-of-0001.json", (2020, 1, 1, 0, 0, 0))
        bundle.writestr(entry, openfda(records))
    return out.getvalue()


def catalogue(total: int) -> dict[str, Any]:
    parts = [{"file": f"https://{BULK}", "size_mb": "0.1", "records": total}]
    entry = {"export_date": "2026-11-23", "total_records": total, "partitions": parts}
    return {"meta": {}, "results": {"drug": {"shortages": entry}}}


@pytest.fixture
def market(official: Any) -> Any:
    """The server with a made-up shortage list in both forms."""
    official.headers["X-Shortcast-Data"] = "simulated"
    official.serves(CSV, shortage_list(*LISTED["2020-09-14"]))
    records = [openfda_shortage("Corvanate Sodium Injection", "Dunmore Sterile Products")]
    official.serves_json(CATALOGUE, catalogue(len(records)))
    official.serves(BULK, bulk_zip(records))
    return official


def tables_of(config: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables of a warehouse, but those about the build itself."""
    with warehouse.open_warehouse(config) as connection:
        names = [name for (name,) in connection.sql("SHOW TABLES").fetchall() if name != "build"]
        return {n: sorted(connection.sql(f'FROM "{n}"').fetchall(), key=repr) for n in names}


def test_a_fetch_and_an_import_of_the_same_files_give_the_same_warehouse(
    market: Any, config: Settings, tmp_path: Path
) -> None:
    report = fetch(["fda_shortages", "openfda_shortages"], today=TODAY, config=config)
    assert [outcome.state for outcome in report.outcomes] == ["accepted", "accepted"]
    warehouse.build(config)

    tree = tmp_path / "tree"
    for place, body in (
        ("fda_shortages/2026-11-23/SIMULATED-Drugshortages.csv", CSV),
        ("openfda_shortages/2026-11-23/SIMULATED-drug-shortages-0001-of-0001.json.zip", BULK),
    ):
        path = tree / place
        path.parent.mkdir(parents=True)
        path.write_bytes(market.body(body))
    other = Settings(home=tmp_path / "other")
    Archive(other.archive).import_tree(tree, registry())
    warehouse.build(other)

    assert tables_of(config) == tables_of(other)


def test_the_archive_says_where_a_file_came_from(market: Any, config: Settings) -> None:
    fetch(["fda_shortages"], today=TODAY, config=config)
    (entry,) = Archive(config.archive).entries()
    assert entry.origin == f"https://{CSV}"
    assert entry.file == "SIMULATED-Drugshortages.csv"
    assert entry.as_of == "2026-11-23"


def test_a_source_that_has_not_changed_is_not_downloaded_again(
    market: Any, config: Settings
) -> None:
    fetch(["openfda_shortages"], today=TODAY, config=config)
    market.today = TODAY + timedelta(days=1)
    (outcome,) = fetch(["openfda_shortages"], today=market.today, config=config).outcomes
    assert outcome.state == "unchanged"
    assert market.asked[-1].headers["if-none-match"]
    assert len(Archive(config.archive).snapshots()) == 1


def test_the_same_bytes_are_no_new_snapshot_though_the_server_cannot_tell(
    market: Any, config: Settings
) -> None:
    tell_nothing = {"ETag": "", "Last-Modified": ""}
    market.serves(CSV, market.body(CSV), **tell_nothing)
    fetch(["fda_shortages"], today=TODAY, config=config)
    market.today = TODAY + timedelta(days=1)
    (outcome,) = fetch(["fda_shortages"], today=market.today, config=config).outcomes
    assert outcome.state == "unchanged"
    assert len(Archive(config.archive).snapshots()) == 1
    assert not list((config.fetching / "fda_shortages").iterdir())


def test_a_source_is_asked_once_a_day_unless_it_is_named(market: Any, config: Settings) -> None:
    fetch(["fda_shortages"], today=TODAY, config=config)
    report = fetch(today=TODAY, config=config)
    assert "fda_shortages" in report.not_due
    assert fetch(["fda_shortages"], today=TODAY, config=config).outcomes[0].state == "unchanged"
