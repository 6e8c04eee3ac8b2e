"""What holds for every feature group, whatever it counts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any, cast

import pytest

from shortcast.features import groups, panel
from shortcast.features.asof import AsOf, first_of_months
from shortcast.features.groups import Feature

T = date(2019, 6, 1)
BEFORE = first_of_months("2019-03", "2019-06")

#: What a group may read beside facts that the view shows it.
SHARED = {
    "as_of_dates",
    "drugs",
    "known_listings",
    "market_drugs",
    "market_makers",
    "market_products",
    "panel_drugs",
}
#: Tables that look back from the end of the records.
HINDSIGHT = r"\b(shortage_spells|records_reach|(from|join)\s+discontinuations)\b"


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", groups.registry())
def test_what_becomes_known_later_changes_nothing(
    name: str,
    seed: int,
    random_world: Callable[[int], Any],
    falsified: Callable[[int, date], Any],
) -> None:
    world, other = random_world(seed), falsified(seed, T)
    assert other.facts != world.facts
    assert other.panel(name, BEFORE) == world.panel(name, BEFORE)


@pytest.mark.parametrize("name", groups.registry())
def test_months_worked_out_together_or_alone_are_the_same(
    name: str, random_world: Callable[[int], Any]
) -> None:
    world = random_world(1)
    together = world.panel(name, BEFORE)
    alone = {key: row for day in BEFORE for key, row in world.panel(name, [day]).items()}
    assert together == alone


@pytest.mark.parametrize("name", [n for n, g in groups.registry().items() if g.evidence])
def test_evidence_was_public(name: str, random_world: Callable[[int], Any]) -> None:
    rows = random_world(0).evidence(name, T)
    assert rows, "the made-up market holds rows for every group"
    assert all(row["known_from"] < T for row in rows)
    assert all(row["summary"] and row["source"] for row in rows)
    assert {"drug_id", "as_of", "event_date", "source_file", "source_row"} <= rows[0].keys()


@pytest.mark.parametrize("name", [n for n, g in groups.registry().items() if g.evidence])
def test_no_two_rows_of_evidence_look_alike(
    name: str, random_world: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = random_world(0)
    view = AsOf(world.connection, [T])
    panel.prepare(view)
    chosen = {name: groups.registry()[name]}
    monkeypatch.setattr(groups, "registry", lambda: chosen)
    rows = [
        (drug, row["event_date"], row["summary"])
        for (drug,) in world.connection.execute("SELECT drug_id FROM drugs").fetchall()
        for row in panel.evidence(world.connection, drug, T, view=view, limit=100)
    ]
    assert rows
    assert len(rows) == len(set(rows))


class _Told:
    """Stands for a view; notes what it is asked for."""

    def __init__(self) -> None:
        self.tables: set[str] = set()
        self.said: list[str] = []
        self.connection = self
        self.dates = (T,)

    def known(self, table: str, where: str = "TRUE", columns: str = "f.*") -> str:
        self.tables.add(table)
        self.said += [where, columns]
        return "(known)"

    def moments(self, table: str, where: str = "TRUE", *more: str) -> str:
        return self.known(table, where, " ".join(more))

    def execute(self, sql: str, *_: object) -> _Told:
        self.said.append(sql)
        return self


@pytest.mark.parametrize("name", groups.registry())
def test_facts_come_only_through_the_view(name: str) -> None:
    group = groups.registry()[name]
    told = _Told()
    view = cast("AsOf", told)
    if group.prepare is not None:
        group.prepare(view)
    told.said.append(group.query(view))
    if group.evidence is not None:
        told.said.append(group.evidence(view))
    assert all(re.fullmatch(r"\w+", table) for table in told.tables)
    sql = re.sub(r"--[^\n]*", "", "\n".join(told.said)).lower()
    assert not re.search(HINDSIGHT, sql)
    assert not {"shortage_spells", "discontinuations", "records_reach"} & told.tables
    made = set(re.findall(r"\b(\w+)\s*(?:\([^()]*\)\s*)?as\s+(?:materialized\s+)?\(", sql))
    made |= set(re.findall(r"create or replace temp(?:orary)? table (\w+)", sql))
    read = set(re.findall(r"\b(?:from|join)\s+(\w+)", sql))
    assert read - made - {"unnest", "range", "known"} <= SHARED


@pytest.mark.parametrize("feature", groups.features().values(), ids=groups.features())
def test_every_number_has_a_unit_and_its_label_leaves_it_to_the_value(feature: Feature) -> None:
    assert bool(feature.unit) is (feature.type in ("DOUBLE", "BIGINT"))
    assert not re.search(r"logarithm|US dollars|\w_\w|^(months|years) since", feature.label)


@pytest.mark.parametrize("name", groups.registry())
def test_every_group_names_its_public_source_and_no_cause(name: str) -> None:
    group = groups.registry()[name]
    assert group.source
    said = " ".join(f"{f.label} {f.missing}" for f in group.features)
    assert not re.search(r"\b(cause|because|due to|leads to|results in)", said)
    assert not re.search(r"\w_\w", said), "names of columns are not for readers"


def test_no_two_groups_share_a_feature() -> None:
    names = [f.name for g in groups.registry().values() for f in g.features]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", groups.registry())
def test_a_feature_that_may_be_missing_says_why(
    name: str, random_world: Callable[[int], Any]
) -> None:
    group = groups.registry()[name]
    assert group.defaults.keys() <= {f.name for f in group.features}
    assert all(f.label for f in group.features)
    rows = random_world(2).panel(name, BEFORE).values()
    missing = {f.name for f in group.features for row in rows if row[f.name] is None}
    assert missing <= {f.name for f in group.features if f.missing}
