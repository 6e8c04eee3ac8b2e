"""A small made-up market: the link tables, filled with random facts of invented drugs and firms.

The tables have the columns that the links give them (they are made by the links themselves, from
no records at all), so a column that changes its name fails here and not only on real records.
"""

from __future__ import annotations

import calendar
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from functools import cache
from typing import Any
from unittest import mock

import duckdb
import pyarrow as pa
import pytest
from scratch import scratch

from shortcast.features import groups, sources
from shortcast.features.asof import AsOf
from shortcast.features.facts import make_facts
from shortcast.features.links import make_links
from shortcast.features.panel import make_panel, prepare
from shortcast.features.steps import Steps

Row = dict[str, Any]

#: Invented drugs: name, ingredients, form group.
DRUGS = (
    ("abelum--injection", ["abelum"], "injection"),
    ("abelum--oral-solid", ["abelum"], "oral-solid"),
    ("abelum+corvine--injection", ["abelum", "corvine"], "injection"),
    ("corvine--ophthalmic", ["corvine"], "ophthalmic"),
    ("dastol--injection", ["dastol"], "injection"),
    ("dastol--inhalation", ["dastol"], "inhalation"),
    ("effenil--topical", ["effenil"], "topical"),
    ("gorrane--oral-solid", ["gorrane"], "oral-solid"),
)
FIRMS = ("arden", "brook", "cedar", "dune")

#: Rows of each table in a random market.
FACTS_EACH = 60

_FIRST, _LAST = date(2013, 1, 1), date(2021, 12, 31)

#: What a column may hold; a column not named here holds one of three made-up words or numbers.
_POOLS: dict[str, tuple[Any, ...]] = {
    "drug_id": tuple(d for d, _, _ in DRUGS),
    "ingredient_key": tuple(dict.fromkeys("+".join(i) for _, i, _ in DRUGS)),
    "form_group": ("injection", "oral-solid", "topical", None),
    "firm_id": (*FIRMS, *FIRMS, None),
    "status": ("Current", "Current", "Resolved", "To Be Discontinued"),
    "posted_as": ("Current", "Current", "Current", "To Be Discontinued"),
    "availability": ("Available", "Unavailable", "Limited Availability", None),
    "presentation": ("vial", "bag"),
    "application_type": ("NDA", "ANDA", "ANDA", "BLA", None),
    "product_no": ("001", "002"),
    "marketing_category": (
        "NDA",
        "ANDA",
        "BLA",
        "UNAPPROVED DRUG OTHER",
        "UNAPPROVED DRUG FOR USE IN DRUG SHORTAGE",
    ),
    "dea_schedule": (None, None, "CII", "CIV"),
    "route": ("ORAL", "INTRAVENOUS", "INTRAMUSCULAR; INTRAVENOUS", None),
    "pharm_classes": (
        None,
        "Moonlight Agonist [EPC],Moons [MoA]",
        "Tides [PE],Tidal Blocker, Second Kind [EPC]",
        "Moonlight Agonist [EPC],Tidal Blocker, Second Kind [EPC]",
        "Moons [MoA]",
    ),
    "classification": ("OAI", "VAI", "NAI", "Class I", "Class II", "Class III"),
    "reasons": (["sterility"], ["cgmp"], ["particulate", "sterility"], ["labelling"], [], None),
    "country": ("CA", "UK"),
    "kind": ("shortage", "discontinuation", "concession"),
    "is_drug": (True, True, False, None),
    "approved_before_1982": (True, False, False, False),
    "source": ("made-up",),
    "source_file": ("made-up.csv",),
}


class MarketWorld:
    """Link tables in memory, and the same rows as Python sees them.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to an empty database.
    ddl : sequence of str
        Statements that create the tables.
    tables : dict of str to dict of str to str
        Names and DuckDB types of the columns of each table.
    facts : dict of str to list of dict
        Rows by table; columns left out are null.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        ddl: Sequence[str],
        tables: dict[str, dict[str, str]],
        facts: dict[str, list[Row]],
    ) -> None:
        self.facts = facts
        self.tables = tables
        self.connection = connection
        self.connection.execute(";".join(ddl))
        drugs = [
            {
                "drug_id": name,
                "name": name,
                "ingredients": ingredients,
                "ingredient_key": "+".join(ingredients),
                "form_group": form,
            }
            for name, ingredients, form in DRUGS
        ]
        for table, rows in {"drugs": drugs, **facts}.items():
            self._fill(table, rows)

    def _fill(self, table: str, rows: list[Row]) -> None:
        if not rows:
            return
        columns = self.tables[table]
        assert {name for row in rows for name in row} <= columns.keys(), table
        whole = [{name: row.get(name) for name in columns} for row in rows]
        self.connection.register("rows_to_add", pa.Table.from_pylist(whole))
        self.connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM rows_to_add")
        self.connection.unregister("rows_to_add")

    def known(self, table: str, t: date) -> list[Row]:
        """Rows of a table that were visible at ``t``, by the design's rule."""
        columns = self.tables[table]
        return [
            {name: row.get(name) for name in columns}
            for row in self.facts.get(table, [])
            if row["known_from"] < t and (row.get("known_until") is None or t <= row["known_until"])
        ]

    def panel(self, group: str, dates: Sequence[date]) -> dict[tuple[date, str], Row]:
        """Rows of the panel with the features of one group, by date and drug."""
        with _only(group):
            table = make_panel(self.connection, dates)
        return {(row["as_of"], row["drug_id"]): row for row in table.to_pylist()}

    def shared(self, name: str) -> list[Row]:
        """Rows of a table that the panel prepares for its groups; after `panel`."""
        return self.connection.sql(f"SELECT * FROM {name}").to_arrow_table().to_pylist()

    def evidence(self, group: str, t: date) -> list[Row]:
        """All evidence rows of one group at ``t``."""
        made = groups.registry()[group]
        assert made.evidence is not None
        with _only(group):
            view = AsOf(self.connection, [t])
            prepare(view)
        return self.connection.sql(made.evidence(view)).to_arrow_table().to_pylist()


def _only(group: str) -> Any:
    """Let the panel consist of one group."""
    one = {group: groups.registry()[group]}
    return mock.patch.object(groups, "registry", return_value=one)


@pytest.fixture(scope="session")
def link_ddl() -> list[str]:
    """Statements that create the link tables, as the links themselves make them."""
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        steps = Steps(connection)
        connection.execute(
            "CREATE TABLE snapshots (source VARCHAR, as_of DATE, files VARCHAR, bytes BIGINT, "
            "state VARCHAR)"
        )
        tables = {t.name: t for s in sources.registry().values() for t in s.tables}
        for table in tables.values():
            make_facts(connection, table, [])
        for name in ("snapshots", *tables):
            steps.stamp(name, "")
        make_links(connection, steps=steps)
        found = connection.sql(
            "SELECT table_name, sql FROM duckdb_tables() WHERE NOT temporary ORDER BY table_name"
        ).fetchall()
    return [sql for name, sql in found if name not in tables]


@pytest.fixture(scope="session")
def link_columns(link_ddl: list[str]) -> dict[str, dict[str, str]]:
    """Names and DuckDB types of the columns of each link table."""
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        connection.execute(";".join(link_ddl))
        tables: dict[str, dict[str, str]] = {}
        for table, name, kind in connection.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() "
            "ORDER BY table_name, column_index"
        ).fetchall():
            tables.setdefault(table, {})[name] = kind
    return tables


@pytest.fixture(scope="session")
def make_world(
    link_ddl: list[str], link_columns: dict[str, dict[str, str]]
) -> Iterator[Callable[[dict[str, list[Row]]], MarketWorld]]:
    """``make_world({table: rows})``: a market of just these facts."""
    with ExitStack() as stack:
        yield lambda facts: MarketWorld(
            stack.enter_context(scratch()), link_ddl, link_columns, facts
        )


@pytest.fixture(scope="session")
def random_world(
    make_world: Callable[[dict[str, list[Row]]], MarketWorld],
    link_columns: dict[str, dict[str, str]],
) -> Callable[[int], MarketWorld]:
    """``random_world(seed)``: random facts in every link table, the same for the same seed."""

    @cache
    def make(seed: int) -> MarketWorld:
        chance = random.Random(seed)
        facts = {
            table: [_fact(chance, table, columns, i) for i in range(FACTS_EACH)]
            for table, columns in link_columns.items()
            if "known_from" in columns
        }
        # most listings end: without this nearly every drug would always be in shortage
        facts["drug_postings"] = facts["drug_postings"][: FACTS_EACH // 3]
        for state in facts["drug_listing_states"]:
            posting = chance.choice(facts["drug_postings"])
            for name in ("drug_id", "firm_id", "generic_name", "company_name", "presentation"):
                state[name] = posting[name]
            state["status"] = chance.choice(("Resolved", "Resolved", "Current"))
            state["initial_posting_date"] = posting["event_date"]
            state["known_from"] = posting["known_from"] + timedelta(days=chance.randrange(900))
            state["known_until"] = None
            state["change_date"] = chance.choice((None, state["known_from"]))
        return make_world(facts)

    return make


@pytest.fixture(scope="session")
def falsified(
    make_world: Callable[[dict[str, list[Row]]], MarketWorld],
    random_world: Callable[[int], MarketWorld],
) -> Callable[[int, date], MarketWorld]:
    """``falsified(seed, t)``: the random market of that seed in which all that became known at
    ``t`` or later is false; before ``t`` nobody can tell the two apart.
    """

    @cache
    def make(seed: int, t: date) -> MarketWorld:
        world = random_world(seed)
        chance = random.Random(-seed - 1)
        facts: dict[str, list[Row]] = {}
        for table, rows in world.facts.items():
            kept = [dict(row) for row in rows if row["known_from"] < t]
            for row in kept:
                until = row.get("known_until")
                if until is None or until >= t:
                    row["known_until"] = chance.choice(
                        (None, t + timedelta(days=chance.randrange(900)))
                    )
            later = [
                _fact(chance, table, world.tables[table], 10_000 + i)
                for i in range(FACTS_EACH // 2)
            ]
            for row in later:
                row["known_from"] = t + timedelta(days=chance.randrange(400))
                row["known_until"] = None
            facts[table] = [*kept, *later]
        return make_world(facts)

    return make


def _fact(chance: random.Random, table: str, columns: dict[str, str], number: int) -> Row:
    """One random fact that obeys the order of times."""
    row: Row = {name: _value(chance, name, kind) for name, kind in columns.items()}
    happened = _day(chance, _FIRST, _LAST)
    row["event_date"] = happened
    row["known_from"] = happened + timedelta(days=chance.choice((0, 0, 1, 30, 200)))
    row["known_until"] = (
        row["known_from"] + timedelta(days=chance.randrange(1, 900))
        if chance.random() < 0.3
        else None
    )
    row["source_row"] = number
    if "withdrawn" in columns:
        row["withdrawn"] = chance.random() < 0.15
    if "observed_at" in columns:
        row["observed_at"] = row["known_from"]
    if "company_name" in columns:
        # a firm has one name on the list
        row["firm_id"] = chance.choice(FIRMS)
        row["company_name"] = row["firm_id"].title() + " Inc."
        row["generic_name"] = row["drug_id"]
    if table == "drug_listing_states":
        row["initial_posting_date"] = chance.choice((None, _day(chance, _FIRST, happened)))
        row["change_date"] = chance.choice((None, _day(chance, _FIRST, happened)))
    if table == "drug_postings":
        row["known_from"] = happened + timedelta(days=chance.choice((0, 1)))
        row["known_until"] = None
        row["withdrawn"] = False
        if chance.random() < 0.05:
            row["event_date"] = None
    if table == "drug_html_spells":
        row["first_seen"] = happened
        row["withdrawn"] = chance.random() < 0.8
        row["known_until"] = None
    if table == "drug_products":
        row["status"] = chance.choice(("prescription", "prescription", "discontinued", "otc"))
        row["application_no"] = f"{row['drug_id'][:2]}{chance.randrange(4)}"
        row["occurrence"] = number
        off = row["status"] != "prescription" or row["withdrawn"]
        if not off or chance.random() < 0.4:
            row["left_on"] = None
        else:
            row["left_on"] = _day(chance, _FIRST, row["known_from"])
    if table == "drug_approvals":
        row["application_no"] = f"{row['drug_id'][:2]}{chance.randrange(5)}"
        row["approval_date"] = chance.choice((None, happened, happened))
    return row


def _value(chance: random.Random, name: str, kind: str) -> Any:
    if name in _POOLS:
        return chance.choice(_POOLS[name])
    if kind == "DATE":
        return _day(chance, _FIRST, _LAST)
    if kind == "BOOLEAN":
        return chance.random() < 0.5
    if kind == "BIGINT":
        return chance.randrange(1, 6)
    if kind == "DOUBLE":
        return chance.choice((None, round(chance.uniform(-2, 5), 2)))
    if kind == "VARCHAR":
        return chance.choice((f"{name} a", f"{name} b", f"{name} c"))
    return None


def _day(chance: random.Random, first: date, last: date) -> date:
    return first + timedelta(days=chance.randrange(max((last - first).days, 1)))


@pytest.fixture(scope="session")
def assert_agrees() -> Callable[[MarketWorld, str, Callable[[MarketWorld, date], Any]], None]:
    """``assert_agrees(world, group, reference)``: the panel says what plain loops say.

    ``reference(world, t)`` returns ``{drug_id: {feature: value}}``, not rounded.
    """

    def check(
        world: MarketWorld, group: str, reference: Callable[[MarketWorld, date], dict[str, Row]]
    ) -> None:
        features = groups.registry()[group].features
        dates = [date(2015, 3, 1), date(2017, 8, 1), date(2019, 5, 1), date(2020, 2, 1)]
        panel = world.panel(group, dates)
        assert len(panel) > 20
        for t in dates:
            expected = reference(world, t)
            assert expected.keys() == {drug for day, drug in panel if day == t}
            for drug, row in expected.items():
                assert row.keys() == {f.name for f in features}
                for name, value in row.items():
                    found = panel[t, drug][name]
                    near = 0.006 if "months" in name or "years" in name else 1e-6
                    if isinstance(value, float) and found is not None:
                        assert found == pytest.approx(value, abs=near), (t, drug, name)
                    else:
                        assert found == value, (t, drug, name)

    return check


@pytest.fixture(scope="session")
def months_before() -> Callable[[date, int], date]:
    """``months_before(day, n)``: the same day of the month n months earlier (n may be < 0)."""

    def shift(day: date, months: int) -> date:
        number = day.year * 12 + day.month - 1 - months
        year, month = divmod(number, 12)
        return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))

    return shift
