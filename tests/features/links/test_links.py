"""Links on the tiny records: which drug and which firm each public row reaches, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tiny_records import CORVANATE, OSTRUNIDE, TALVERINE, VELMORIL

from shortcast.features.links import prices
from shortcast.features.warehouse import open_warehouse
from shortcast.settings import Settings


@pytest.fixture(scope="module")
def connection(tiny_home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_warehouse(Settings(home=tiny_home)) as made:
        yield made


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query, dates as text, in order."""
    found = connection.sql(query)
    texts = ", ".join(
        f'CAST("{name}" AS VARCHAR) AS "{name}"' if kind == "DATE" else f'"{name}"'
        for name, kind in zip(found.columns, map(str, found.types), strict=True)
    )
    return connection.sql(f"SELECT {texts} FROM ({query}) ORDER BY ALL").fetchall()


def test_the_universe_is_prescription_drugs_by_ingredients_and_form(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Without the allergen extract and the cream that is sold without prescription."""
    assert rows(connection, "SELECT drug_id, name, ingredients, form_group FROM drugs") == [
        (CORVANATE, "corvanate, injection", ["corvanate"], "injection"),
        (OSTRUNIDE, "ostrunide, oral solid", ["ostrunide"], "oral-solid"),
        (TALVERINE, "talverine, ophthalmic", ["talverine"], "ophthalmic"),
        (VELMORIL, "velmoril, injection", ["velmoril"], "injection"),
    ]


def test_listings_of_the_directory_reach_drug_and_labeler(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    query = "SELECT product_key, drug_id, firm_id, known_from FROM drug_ndcs"
    assert rows(connection, query) == [
        ("99901-0001", VELMORIL, "velmora", "2012-06-01"),
        ("99902-0001", VELMORIL, "ostrava", "2012-06-01"),
        ("99902-0020", OSTRUNIDE, "ostrava", "2012-06-01"),
        ("99903-0030", TALVERINE, "kestrel-bio", "2012-06-01"),
        ("99904-0040", CORVANATE, "dunmore-sterile-products", "2012-06-01"),
    ]


def test_approvals_are_known_from_their_day_and_holders_from_the_list_that_names_them(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    approvals = (
        "SELECT DISTINCT drug_id, application_type, application_no, approval_date, "
        "min(known_from) AS known_from FROM drug_approvals GROUP BY ALL"
    )
    assert rows(connection, approvals) == [
        (CORVANATE, "ANDA", "900401", "2016-02-29", "2016-02-29"),
        (OSTRUNIDE, "ANDA", "900201", "2014-10-07", "2014-10-07"),
        (TALVERINE, "NDA", "000301", "2001-01-31", "2001-01-31"),
        (VELMORIL, "ANDA", "900101", "2012-05-20", "2012-05-20"),
        (VELMORIL, "NDA", "000102", "1995-03-01", "1995-03-01"),
    ]
    products = (
        "SELECT drug_id, firm_id, source, status, known_from, left_on FROM drug_products "
        f"WHERE drug_id = '{TALVERINE}'"
    )
    assert rows(connection, products) == [
        (TALVERINE, "kestrel-bio", "drugsatfda", "prescription", "2018-04-09", None),
        (TALVERINE, "kestrel-bio", "orange_book", "discontinued", "2020-07-31", "2020-07-31"),
        (TALVERINE, "kestrel-bio", "orange_book", "prescription", "2019-07-31", None),
    ]


def test_postings_reach_drug_and_firm_and_what_names_no_drug_is_left_open(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    postings = (
        "SELECT drug_id, firm_id, posted_as, event_date, known_from FROM drug_postings "
        "WHERE source = 'fda_shortages'"
    )
    assert rows(connection, postings) == [
        (CORVANATE, "dunmore-sterile-products", "Current", "2020-02-15", "2020-02-15"),
        (OSTRUNIDE, "ostrava", "Current", "2018-01-10", "2018-01-10"),
        (TALVERINE, "kestrel-bio", "To Be Discontinued", "2019-06-01", "2019-06-01"),
        (VELMORIL, "velmora", "Current", "2018-05-01", "2018-05-01"),
    ]
    # "Quorbital" names no form: no drug is guessed, and the row stays to be counted.
    states = (
        "SELECT generic_name, drug_id, status, withdrawn, known_from FROM drug_listing_states "
        "WHERE source = 'fda_shortages' AND (drug_id IS NULL OR withdrawn)"
    )
    assert rows(connection, states) == [
        ("Quorbital", None, "Current", False, "2019-03-03"),
        ("Velmoril Injection", VELMORIL, "Current", True, "2020-04-02"),
    ]


def test_the_older_page_counts_until_the_export_takes_over(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    query = "SELECT drug_id, status, withdrawn, known_from, known_until FROM drug_html_spells"
    assert rows(connection, query) == [
        (TALVERINE, "To Be Discontinued", False, "2016-03-01", "2019-12-23"),
        (TALVERINE, "To Be Discontinued", True, "2019-12-23", None),
        (VELMORIL, "Current", False, "2015-02-01", "2017-01-01"),
        (VELMORIL, "Current", True, "2017-01-01", None),
    ]


def test_a_notice_of_discontinuation_is_known_once_for_each_way_it_is_told(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    query = "SELECT DISTINCT drug_id, firm_id, event_date, known_from FROM drug_discontinuations"
    assert rows(connection, query) == [(TALVERINE, "kestrel-bio", "2019-06-01", "2019-06-01")]


def test_spells_and_outcomes_of_the_tiny_market(connection: duckdb.DuckDBPyConnection) -> None:
    query = (
        "SELECT drug_id, onset_date, end_date_earliest, end_date_latest, first_ever "
        "FROM shortage_spells"
    )
    assert rows(connection, query) == [
        # The sample of openFDA shows it still in October.
        (CORVANATE, "2020-02-15", "2020-10-01", None, True),
        (OSTRUNIDE, "2018-01-10", "2018-09-20", "2018-09-20", True),
        (VELMORIL, "2015-02-01", "2016-03-01", "2017-01-01", True),
        (VELMORIL, "2018-05-01", "2019-12-23", "2020-04-02", False),
    ]
    assert rows(connection, "SELECT * FROM discontinuations") == [
        (TALVERINE, "2019-06-01", "kestrel-bio", "2019-06-01")
    ]


def test_recalls_reach_a_drug_by_their_ndc_and_a_firm_by_its_name(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    drugs = "SELECT recall_number, drug_id, firm_id, reasons, known_from FROM drug_recalls"
    assert rows(connection, drugs) == [
        ("D-0001-2020", VELMORIL, "velmora", ["sterility"], "2020-06-10"),
        ("D-0002-2020", OSTRUNIDE, "ostrava", ["specifications"], "2020-06-10"),
    ]
    # A recall of all of a firm's products names no drug; it is the firm's.
    firms = "SELECT recall_number, firm_id FROM firm_recalls"
    assert rows(connection, firms) == [
        ("D-0001-2020", "velmora"),
        ("D-0002-2020", "ostrava"),
        ("D-0003-2020", "dunmore-sterile-products"),
    ]


def test_what_the_fda_found_is_linked_to_companies(connection: duckdb.DuckDBPyConnection) -> None:
    inspections = "SELECT firm_id, classification, event_date, known_from FROM firm_inspections"
    assert rows(connection, inspections) == [
        ("brindle-devices", "VAI", "2019-08-01", "2019-10-30"),
        ("kestrel-bio", "NAI", "2019-07-01", "2019-09-29"),
        ("velmora", "OAI", "2018-02-05", "2018-05-06"),  # 90 days after its end
    ]
    for table, known_from in (
        ("firm_actions", "2018-07-30"),
        ("firm_letters", "2018-07-10"),
        ("firm_sites", "2020-06-30"),
    ):
        found = rows(connection, f"SELECT firm_id, known_from FROM {table}")
        assert found == [("velmora", known_from)], table


def test_prices_reach_a_drug_by_the_ndc_and_an_ingredient_by_its_name(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    query = (
        "SELECT drug_id, month, price_median_usd, round(log_change_6m, 4) AS change, known_from "
        "FROM drug_prices"
    )
    assert rows(connection, query) == [
        (OSTRUNIDE, "2020-04-01", 1.25, None, "2020-04-01"),
        (OSTRUNIDE, "2020-10-01", 1.5, 0.1823, "2020-10-07"),
    ]
    part_b = "SELECT ingredient_key, year, known_from FROM ingredient_partb_prices"
    assert rows(connection, part_b) == [("velmoril", 2015, "2017-01-31")]
    part_d = "SELECT ingredient_key, year, makers, known_from FROM ingredient_partd_prices"
    assert rows(connection, part_d) == [("ostrunide", 2018, 1, "2020-06-23")]


def test_prices_are_the_same_however_few_drugs_are_worked_on_together(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prices, "ROWS_AT_ONCE", 1)
    with duckdb.connect(config={"threads": 1}) as apart:
        for table in ("nadac_prices", "drug_ndcs", "partb_spending", "partd_spending"):
            held = connection.sql(f"FROM {table}").to_arrow_table()
            apart.register("held", held)
            apart.execute(f"CREATE TABLE {table} AS FROM held")
        prices.link_prices(apart)
        assert rows(apart, "FROM drug_prices") == rows(connection, "FROM drug_prices")


def test_shortages_abroad_reach_drug_and_ingredient(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    query = "SELECT country, kind, drug_id, ingredient_key, known_from FROM abroad_reports"
    assert rows(connection, query) == [
        ("CA", "shortage", "niblorate--oral-solid", "niblorate", "2020-01-12"),
        ("CA", "shortage", VELMORIL, "velmoril", "2020-01-12"),
        ("UK", "concession", OSTRUNIDE, "ostrunide", "2020-02-29"),
        ("UK", "concession", OSTRUNIDE, "ostrunide", "2020-11-30"),
    ]


def test_each_join_counts_what_it_reaches_and_what_it_leaves_open(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    query = "SELECT join_name, rows, matched FROM coverage"
    assert rows(connection, query) == [
        ("OAI inspections to makers", 1, 1),
        ("drugs with a retail price", 4, 1),
        ("inspections to makers", 3, 2),
        ("recalls to drugs", 3, 2),
        ("recalls to ingredients or firms", 3, 3),
        ("retail prices to drugs", 2, 1),
        ("shortage companies to firms", 6, 6),
        ("shortage rows to drugs", 5, 4),
        ("shortages abroad to ingredients", 4, 3),
        ("warning letters to makers", 1, 1),
    ]
    shares = connection.sql("SELECT rows, matched, share, floor FROM coverage").fetchall()
    assert all(share == matched / rows_ for rows_, matched, share, _ in shares)
    floors = "SELECT join_name, floor FROM coverage WHERE floor IS NOT NULL"
    assert rows(connection, floors) == [
        ("recalls to drugs", 0.6),
        ("recalls to ingredients or firms", 0.75),
        ("shortage companies to firms", 0.95),
        ("shortage rows to drugs", 0.98),
    ]
