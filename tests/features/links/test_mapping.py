"""Mapping distinct texts through an identity rule, once each."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from shortcast.features.identity.drugs import Drug
from shortcast.features.links.mapping import map_drugs, map_firms, map_texts


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute(
            "CREATE TABLE names AS SELECT * FROM (VALUES ('Velmoril', 'vial'), ('Velmoril', 'vial')"
            ", ('Ostrunide', NULL), (NULL, NULL)) AS t(name, form)"
        )
        yield made


def test_each_text_is_asked_about_once_and_blank_stands_for_null(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    asked: list[tuple[str, str]] = []

    def rule(name: str, form: str) -> Drug | None:
        asked.append((name, form))
        return Drug("velmoril--injection", ("a", "b"), "injection") if form == "vial" else None

    map_drugs(connection, "found", "SELECT name, form FROM names", rule)
    assert sorted(asked) == [("", ""), ("Ostrunide", ""), ("Velmoril", "vial")]
    # What the rule leaves open is left out; the text columns keep their nulls and their type.
    assert connection.sql("FROM found").fetchall() == [
        ("Velmoril", "vial", "velmoril--injection", ["a", "b"], "a+b", "injection")
    ]


def test_a_mapping_may_be_empty_and_still_has_its_columns(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    map_drugs(connection, "found", "SELECT name FROM names", lambda name: None)
    assert connection.sql("FROM found").columns == [
        *("name", "drug_id", "ingredients", "ingredient_key", "form_group"),
    ]
    assert connection.sql("SELECT * FROM names JOIN found USING (name)").fetchall() == []


def test_texts_keep_a_blank_answer_and_lose_a_missing_one(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    answers = {"Velmoril": "", "Ostrunide": "out", "": None}
    map_texts(connection, "found", "SELECT name FROM names", "why", lambda name: answers[name])
    assert sorted(connection.sql("FROM found").fetchall()) == [
        ("Ostrunide", "out"),
        ("Velmoril", ""),
    ]


def test_a_name_that_says_nothing_is_no_firm(connection: duckdb.DuckDBPyConnection) -> None:
    map_firms(connection, "found", "SELECT unnest(['Velmora Labs, Inc.', '--', NULL]) AS name")
    assert connection.sql("FROM found").fetchall() == [("Velmora Labs, Inc.", "velmora")]
