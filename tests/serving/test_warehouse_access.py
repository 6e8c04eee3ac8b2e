"""The warehouse under a running service: replaced, missing, damaged, read by many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from shortcast.features.asof import AsOf
from shortcast.serving.warehouse import Warehouse, WarehouseError


def drug_of(warehouse: Warehouse) -> str:
    with warehouse.cursor() as cursor:
        row = cursor.execute("SELECT drug_id FROM drugs").fetchone()
    assert row is not None
    return row[0]


def test_a_replaced_file_is_read_at_once_and_work_on_the_old_one_ends_in_peace(
    bare_market: Any,
) -> None:
    bare_market.write_warehouse(drug_id="velorane--injection")
    warehouse = Warehouse(bare_market.settings)
    with warehouse.cursor() as old:
        stamp = warehouse.stamp
        bare_market.write_warehouse(drug_id="quintaline--injection")
        assert drug_of(warehouse) == "quintaline--injection"
        assert warehouse.stamp != stamp
        assert old.execute("SELECT drug_id FROM drugs").fetchall() == [("velorane--injection",)]


def test_a_damaged_file_leaves_the_last_good_one_answering(bare_market: Any) -> None:
    bare_market.write_warehouse()
    warehouse = Warehouse(bare_market.settings)
    drug_of(warehouse)
    damaged = bare_market.settings.home / "damaged"
    damaged.write_bytes(b"not a database" * 1000)
    damaged.replace(bare_market.settings.warehouse)
    assert drug_of(warehouse) == "velorane--injection"
    assert "not a valid DuckDB" in warehouse.trouble
    assert "shortcast build" in warehouse.trouble
    bare_market.write_warehouse(drug_id="quintaline--injection")
    assert drug_of(warehouse) == "quintaline--injection"
    assert warehouse.trouble == ""


def test_a_file_that_went_missing_leaves_the_last_good_one_answering(bare_market: Any) -> None:
    bare_market.write_warehouse()
    warehouse = Warehouse(bare_market.settings)
    drug_of(warehouse)
    bare_market.settings.warehouse.unlink()
    assert drug_of(warehouse) == "velorane--injection"
    assert "There is no warehouse" in warehouse.trouble


def test_no_warehouse_at_all_is_one_clear_sentence(bare_market: Any) -> None:
    with pytest.raises(WarehouseError, match="There is no warehouse; run"):
        drug_of(Warehouse(bare_market.settings))


def test_a_query_that_fails_is_an_error_of_the_warehouse(bare_market: Any) -> None:
    bare_market.write_warehouse()
    with (
        pytest.raises(WarehouseError, match="no_such_table"),
        Warehouse(bare_market.settings).cursor() as cursor,
    ):
        cursor.execute("SELECT * FROM no_such_table")


def test_what_does_not_fit_into_memory_is_spilt_below_the_home(bare_market: Any) -> None:
    bare_market.write_warehouse()
    with Warehouse(bare_market.settings).cursor() as cursor:
        found = cursor.execute("SELECT current_setting('temp_directory')").fetchall()
    assert found == [(str(bare_market.settings.home / "tmp"),)]


def test_nobody_can_write(bare_market: Any) -> None:
    bare_market.write_warehouse()
    with (
        pytest.raises(WarehouseError, match="read-only"),
        Warehouse(bare_market.settings).cursor() as cursor,
    ):
        cursor.execute("DELETE FROM drugs")


def test_threads_do_not_share_temporary_tables(bare_market: Any) -> None:
    bare_market.write_warehouse()
    warehouse = Warehouse(bare_market.settings)
    days = [date(2022, month, 1) for month in range(1, 13)] * 4

    def own_date(day: date) -> date:
        with warehouse.cursor() as cursor:
            AsOf(cursor, [day])
            row = cursor.execute("SELECT as_of FROM as_of_dates").fetchone()
        assert row is not None
        return row[0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(own_date, days)) == days
