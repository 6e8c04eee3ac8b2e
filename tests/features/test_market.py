"""Who makes what, as known at a date: the newest list that was visible decides."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortcast.features.asof import AsOf
from shortcast.features.market import make_market

Row = dict[str, Any]
Facts = dict[str, list[Row]]

TIMES = "known_from DATE, known_until DATE, withdrawn BOOLEAN, source VARCHAR, occurrence BIGINT"
#: The columns of the link tables that the market rests on.
COLUMNS = {
    "drug_products": "drug_id VARCHAR, application_no VARCHAR, product_no VARCHAR, "
    "application_type VARCHAR, firm_id VARCHAR, status VARCHAR, left_on DATE, observed_at DATE",
    "drug_approvals": "drug_id VARCHAR, application_no VARCHAR, product_no VARCHAR, "
    "application_type VARCHAR, approval_date DATE",
    "drug_ndcs": "drug_id VARCHAR",
    "drug_postings": "drug_id VARCHAR",
    "drug_html_spells": "drug_id VARCHAR",
}
DAY = date(2020, 1, 1)


def on(number: int) -> date:
    return DAY + timedelta(days=30 * number)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as made:
        for table, columns in COLUMNS.items():
            made.execute(f"CREATE TABLE {table} ({columns}, {TIMES})")
        made.execute("CREATE TABLE drugs AS SELECT unnest(['a', 'b', 'c']) AS drug_id")
        yield made


def product(number: str, known_from: int, **more: Any) -> Row:
    return {
        "drug_id": "a",
        "application_no": number,
        "product_no": "001",
        "application_type": "ANDA",
        "firm_id": f"firm {number}",
        "status": "prescription",
        "observed_at": on(known_from),
        "known_from": on(known_from),
        "withdrawn": False,
        "source": "list",
        "occurrence": 1,
        **more,
    }


def approval(number: str, approved: int, **more: Any) -> Row:
    return {
        "drug_id": "a",
        "application_no": number,
        "product_no": "001",
        "application_type": "ANDA",
        "approval_date": on(approved),
        "known_from": on(approved),
        "withdrawn": False,
        "source": "list",
        "occurrence": 1,
        **more,
    }


def market(
    connection: duckdb.DuckDBPyConnection, facts: Facts, *dates: date
) -> dict[str, list[Row]]:
    """The three tables of the market at these dates, from these facts."""
    for table in COLUMNS:
        connection.execute(f"DELETE FROM {table}")
        if rows := facts.get(table):
            names = [c for c, *_ in connection.execute(f"DESCRIBE {table}").fetchall()]
            whole = [{name: row.get(name) for name in names} for row in rows]
            connection.register("made", pa.Table.from_pylist(whole))
            connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM made")
            connection.unregister("made")
    make_market(AsOf(connection, dates))
    return {
        name: connection.sql(f"SELECT * FROM {name} ORDER BY ALL").to_arrow_table().to_pylist()
        for name in ("market_products", "market_makers", "market_drugs")
    }


def marketed(connection: duckdb.DuckDBPyConnection, facts: Facts, t: date) -> dict[str, str]:
    """The marketed products at a date, by application, with their holder."""
    products = market(connection, facts, t)["market_products"]
    return {p["application_no"]: p["holder"] for p in products if p["is_marketed"]}


def test_a_product_is_marketed_as_long_as_the_newest_visible_list_says_so(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    gone = {"status": "discontinued", "left_on": on(5)}
    facts = {
        "drug_products": [product("1", 1, known_until=on(5)), product("1", 5, **gone)],
    }
    assert marketed(connection, facts, on(3)) == {"1": "firm 1"}
    assert marketed(connection, facts, on(5)) == {"1": "firm 1"}
    assert marketed(connection, facts, on(6)) == {}
    (left,) = market(connection, facts, on(6))["market_products"]
    assert (left["has_left"], left["left_on"]) == (True, on(5))


def test_where_two_lists_differ_the_later_decides(connection: duckdb.DuckDBPyConnection) -> None:
    facts = {
        "drug_products": [
            product("1", 1, source="older", firm_id="first holder"),
            product("1", 4, source="newer", firm_id="second holder"),
        ]
    }
    assert marketed(connection, facts, on(2)) == {"1": "first holder"}
    assert marketed(connection, facts, on(6)) == {"1": "second holder"}


def test_a_product_that_a_list_no_longer_shows_is_not_marketed(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    facts = {"drug_products": [product("1", 1, known_until=on(4)), product("1", 4, withdrawn=True)]}
    assert marketed(connection, facts, on(5)) == {}


def test_an_approval_younger_than_the_newest_list_counts_until_a_list_speaks(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Its holder is not known yet: the application stands in for it, and no maker is named."""
    facts = {
        "drug_products": [product("1", 1), product("3", 9, status="discontinued")],
        "drug_approvals": [approval("2", 0), approval("3", 5)],
    }
    assert marketed(connection, facts, on(5)) == {"1": "firm 1"}
    assert marketed(connection, facts, on(7)) == {"1": "firm 1", "3": "3"}
    assert [m["firm_id"] for m in market(connection, facts, on(7))["market_makers"]] == ["firm 1"]
    # The list of day 9 discontinues it; an approval that no list ever showed is not marketed.
    assert marketed(connection, facts, on(10)) == {"1": "firm 1"}


def test_a_new_approval_of_a_drug_sold_without_prescription_is_no_prescription_product(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    facts = {
        "drug_products": [product("1", 1, status="otc"), product("3", 9, status="prescription")],
        "drug_approvals": [approval("2", 5)],
    }
    assert marketed(connection, facts, on(7)) == {}
    # What a later list says of the drug does not reach back.
    assert market(connection, facts, on(7))["market_drugs"] == []
    facts["drug_products"][0]["status"] = "prescription"
    assert marketed(connection, facts, on(7)) == {"1": "firm 1", "2": "2"}


def test_before_any_list_every_approval_counts(connection: duckdb.DuckDBPyConnection) -> None:
    facts = {"drug_approvals": [approval("1", 0)], "drug_products": [product("2", 5)]}
    assert marketed(connection, facts, on(2)) == {"1": "1"}
    assert marketed(connection, facts, on(6)) == {"2": "firm 2"}


def test_a_maker_holds_as_many_products_as_are_marketed(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    facts = {
        "drug_products": [
            product("1", 1, firm_id="f"),
            product("1", 1, firm_id="f", product_no="002"),
            product("2", 1, firm_id="f", status="discontinued"),
            product("3", 1, firm_id=None),
        ]
    }
    assert market(connection, facts, on(2))["market_makers"] == [
        {"as_of": on(2), "drug_id": "a", "firm_id": "f", "products": 2}
    ]


@pytest.mark.parametrize("table", ["drug_ndcs", "drug_postings", "drug_html_spells"])
def test_a_drug_is_in_the_universe_once_a_listing_or_a_posting_is_known(
    connection: duckdb.DuckDBPyConnection, table: str
) -> None:
    row = {"drug_id": "b", "known_from": on(3), "withdrawn": False}
    unknown = {**row, "drug_id": "not a drug of the universe"}
    facts = {table: [row, row, unknown]}
    assert market(connection, facts, on(3))["market_drugs"] == []
    assert market(connection, facts, on(4))["market_drugs"] == [{"as_of": on(4), "drug_id": "b"}]


# --- The same once more, row by row. --------------------------------------------------------------


def naive_products(facts: Facts, t: date) -> list[Row]:
    def visible(table: str) -> list[Row]:
        return [
            row
            for row in facts.get(table, [])
            if row["known_from"] < t and (row["known_until"] is None or t <= row["known_until"])
        ]

    lists, approvals = visible("drug_products"), visible("drug_approvals")
    newest = max((row["observed_at"] for row in lists), default=None)
    names = ("drug_id", "application_no", "product_no")
    found = []
    for key in {tuple(row[n] for n in names) for row in [*lists, *approvals]}:
        mine = [row for row in lists if tuple(row[n] for n in names) == key]
        own = [row for row in approvals if tuple(row[n] for n in names) == key]
        state = None
        for row in sorted(mine, key=lambda r: (r["source"], r["occurrence"])):
            newer = state and (row["known_from"], row["observed_at"]) > (
                state["known_from"],
                state["observed_at"],
            )
            if state is None or newer:
                state = row
        dates = [row["approval_date"] for row in own if row["approval_date"]]
        first = min(own, key=lambda r: (r["known_from"], r["source"]), default=None)
        approved = min(dates, default=None)
        if state is not None:
            is_marketed = state["status"] == "prescription" and not state["withdrawn"]
        else:
            kinds = [
                row["status"] for row in lists if row["drug_id"] == key[0] and not row["withdrawn"]
            ]
            is_otc = bool(kinds) and set(kinds) == {"otc"}
            is_new = newest is None or (approved is not None and approved > newest)
            is_marketed = is_new and not is_otc
        firm = state["firm_id"] if state else None
        kind = (state or {}).get("application_type") or (first or {}).get("application_type")
        found.append(
            {
                "as_of": t,
                **dict(zip(names, key, strict=True)),
                "application_type": kind,
                "firm_id": firm,
                "holder": firm or key[1],
                "is_marketed": is_marketed,
                "approval_date": approved,
                "has_left": bool(state and state["left_on"]),
                "left_on": state["left_on"] if state else None,
            }
        )
    return found


def random_facts(seed: int) -> Facts:
    chance = random.Random(seed)

    def times(row: Row, number: int) -> Row:
        known_from = on(chance.randrange(10))
        until = chance.choice([None, None, known_from + timedelta(days=chance.randrange(1, 200))])
        return {
            **row,
            "drug_id": chance.choice("abcd"),
            "known_from": known_from,
            "known_until": until,
            "withdrawn": chance.random() < 0.2,
            "source": chance.choice(["drugsatfda", "orange_book"]),
            "occurrence": number,
        }

    def one_product(number: int) -> Row:
        row = product(chance.choice("123"), 0, product_no=chance.choice(["001", "002"]))
        row = times(row, number)
        row["status"] = chance.choice(["prescription", "prescription", "discontinued", "otc"])
        row["firm_id"] = chance.choice(["f", "g", None])
        row["left_on"] = chance.choice([None, on(3)])
        row["observed_at"] = row["known_from"] + timedelta(days=chance.choice([0, 15]))
        return row

    def one_approval(number: int) -> Row:
        row = times(approval(chance.choice("1234"), chance.randrange(10)), number)
        # One type an application and source: which of two would be told first is not the point.
        row["application_type"] = {"1": "NDA", "2": None}.get(row["application_no"], "ANDA")
        row["approval_date"] = chance.choice([None, row["approval_date"]])
        return row

    return {
        "drug_products": [one_product(n) for n in range(8)],
        "drug_approvals": [one_approval(n) for n in range(5)],
        "drug_ndcs": [times({}, n) for n in range(2)],
        "drug_postings": [times({}, n) for n in range(1)],
        "drug_html_spells": [],
    }


DATES: Sequence[date] = [on(n) for n in (0, 2, 5, 8, 12)]


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_market_agrees_with_a_plain_reading_of_the_rows(
    connection: duckdb.DuckDBPyConnection, seed: int
) -> None:
    facts = random_facts(seed)
    found = market(connection, facts, *DATES)
    expected = [row for t in DATES for row in naive_products(facts, t)]
    assert sorted(found["market_products"], key=repr) == sorted(expected, key=repr)

    made = [p for p in expected if p["is_marketed"]]
    makers = {(p["as_of"], p["drug_id"], p["firm_id"]) for p in made if p["firm_id"]}
    assert [(m["as_of"], m["drug_id"], m["firm_id"]) for m in found["market_makers"]] == sorted(
        makers
    )
    assert sum(m["products"] for m in found["market_makers"]) == len(
        [p for p in made if p["firm_id"]]
    )
    drugs = {(p["as_of"], p["drug_id"]) for p in made} | {
        (t, row["drug_id"])
        for t in DATES
        for table in ("drug_ndcs", "drug_postings")
        for row in facts[table]
        if row["known_from"] < t
        and (row["known_until"] is None or t <= row["known_until"])
        and not (table == "drug_ndcs" and row["withdrawn"])
    }
    assert [(d["as_of"], d["drug_id"]) for d in found["market_drugs"]] == sorted(
        (t, drug) for t, drug in drugs if drug in "abc"
    )


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), number=st.integers(0, 10))
def test_facts_that_became_known_at_t_or_later_change_nothing_at_t(
    connection: duckdb.DuckDBPyConnection, seed: int, number: int
) -> None:
    t = on(number)
    facts, others = random_facts(seed), random_facts(seed + 1)
    poison = {
        table: [
            {**row, "known_from": max(t, row["known_from"]), "known_until": None} for row in rows
        ]
        for table, rows in others.items()
    }
    both = {table: facts[table] + poison[table] for table in facts}
    assert market(connection, both, t) == market(connection, facts, t)
