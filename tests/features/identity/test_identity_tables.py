"""The reviewed tables: every row says why and from where, and the rules can rely on them."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import pytest

from shortcast.features.identity import _tables
from shortcast.features.identity._tables import IdentityError, read_table
from shortcast.features.identity.firms import normalise_firm
from shortcast.features.identity.forms import FORM_GROUPS
from shortcast.features.identity.substances import ingredients

NAMES = sorted(
    entry.name.removesuffix(".csv")
    for entry in files("shortcast.features.identity").iterdir()
    if entry.name.endswith(".csv")
)


@pytest.mark.parametrize("name", NAMES)
def test_every_row_has_a_reason_and_a_source(name: str) -> None:
    rows = read_table(name, ())
    assert rows
    assert len(rows) == len({tuple(row.values()) for row in rows})


@pytest.mark.parametrize("table", ["synonyms", "brands"])
def test_a_synonym_leads_to_a_name_that_stays(table: str) -> None:
    for row in read_table(table, ("ingredients",)):
        names = tuple(sorted(row["ingredients"].split("+")))
        assert ingredients(" and ".join(names)) == names, row


def test_known_ingredients_read_as_themselves() -> None:
    for row in read_table("ingredient_names", ("name",)):
        assert ingredients(row["name"]) == (row["name"],)


@pytest.mark.parametrize("table", ["aliases", "kits"])
def test_form_groups_of_the_tables_exist(table: str) -> None:
    for row in read_table(table, ("form_group",)):
        assert row["form_group"] in {*FORM_GROUPS, ""}, row


def test_no_firm_is_its_own_ancestor() -> None:
    parents: dict[str, set[str]] = {}
    for row in read_table("firm_parents", ("alias", "parent", "valid_from")):
        alias, parent = normalise_firm(row["alias"]), normalise_firm(row["parent"])
        assert alias != parent, row
        parents.setdefault(alias, set()).add(parent)
    for firm in parents:
        above, reached = {firm}, set()
        while above:
            above = set().union(*(parents.get(name, set()) for name in above))
            assert firm not in above, firm
            above -= reached
            reached |= above


def test_later_parents_stand_below_earlier_ones() -> None:
    # Of several rows that hold on a day, the last decides.
    last: dict[str, str] = {}
    for row in read_table("firm_parents", ("alias", "parent", "valid_from")):
        alias = normalise_firm(row["alias"])
        assert last.get(alias, "") <= row["valid_from"], row
        last[alias] = row["valid_from"]


def test_a_table_without_reasons_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "broken.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([["word", "reason", "source"], ["x", "", "somewhere"]])
    with (tmp_path / "short.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([["word"], ["x"]])
    monkeypatch.setattr(_tables, "files", lambda _: tmp_path)
    with pytest.raises(IdentityError, match=r"broken.csv, line 2: a row needs a reason"):
        read_table("broken", ("word",))
    with pytest.raises(IdentityError, match=r"short.csv lacks the column\(s\) reason, source"):
        read_table("short", ("word",))
