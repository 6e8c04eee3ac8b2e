"""How complete a drug's data are, and why not more so."""

from __future__ import annotations

import pandas as pd
import pytest

from shortcast.features import groups
from shortcast.features.completeness import completeness
from shortcast.features.groups.contract import Feature, Group


def group(name: str, *features: Feature) -> Group:
    return Group(name, name.title(), features, query=lambda _: "", defaults={})


@pytest.fixture(autouse=True)
def made_up_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    made = (
        group(
            "prices",
            Feature("price_usd", "DOUBLE", "price", missing="not covered by the survey"),
            Feature("trend", "DOUBLE", "trend", missing="no price a year earlier"),
            Feature("peers", "BIGINT", "peers"),
        ),
        group("visits", Feature("oai", "BIGINT", "visits", missing="not covered by the survey")),
        group("traits", Feature("form_group", "VARCHAR", "form")),
    )
    monkeypatch.setattr(groups, "registry", lambda: {g.name: g for g in made})


def test_a_group_is_known_if_any_feature_that_may_be_missing_is_there() -> None:
    rows = pd.DataFrame(
        {
            "price_usd": [1.5, None, None],
            "trend": [None, None, None],
            "peers": [3, 3, 3],
            "oai": pd.array([0, 2, None], dtype="Int64"),
            "form_group": ["injection"] * 3,
        },
        index=["a", "b", "c"],
    )
    found = completeness(rows)
    assert found.index.tolist() == ["a", "b", "c"]
    assert [one["share"] for one in found] == [1.0, 0.667, 0.333]
    assert found["b"]["groups"] == [
        {
            "group": "prices",
            "title": "Prices",
            "known": False,
            "why": "not covered by the survey; no price a year earlier",
        },
        {"group": "visits", "title": "Visits", "known": True, "why": ""},
        {"group": "traits", "title": "Traits", "known": True, "why": ""},
    ]


def test_what_it_says_can_be_stored_as_json() -> None:
    row = pd.DataFrame({"price_usd": [1.0], "trend": [1.0], "oai": [1], "form_group": ["x"]})
    (one,) = completeness(row)
    assert all(type(entry["known"]) is bool for entry in one["groups"])
    assert type(one["share"]) is float


def test_a_panel_without_rows_has_nothing_to_say() -> None:
    empty = pd.DataFrame({"price_usd": [], "trend": [], "oai": [], "form_group": []})
    assert completeness(empty).empty
