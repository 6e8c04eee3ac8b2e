"""A label exists once the records reach past the horizon; before that it is null."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortcast.errors import ShortcastError
from shortcast.training.outcomes import (
    add_months,
    discontinuation_labels,
    onset_labels,
    resolution_labels,
)

SPELLS = pd.DataFrame(
    {
        "drug_id": ["a", "a", "b"],
        "onset_date": [date(2020, 3, 1), date(2021, 1, 15), date(2020, 2, 29)],
        "end_date_earliest": [date(2020, 5, 10), None, date(2020, 8, 20)],
        "end_date_latest": [date(2020, 5, 20), None, date(2020, 9, 10)],
    }
)


def rows(*keys: tuple[str, str, bool]) -> pd.DataFrame:
    return pd.DataFrame(
        [(drug, pd.Timestamp(day), at_risk) for drug, day, at_risk in keys],
        columns=["drug_id", "as_of", "at_risk"],
    )


def test_onset_lies_in_the_half_open_window() -> None:
    panel = rows(
        ("a", "2019-12-01", True),  # onset on 2020-03-01 is the first day after the window
        ("a", "2020-01-01", True),
        ("a", "2020-03-01", True),  # an onset on the as-of date itself counts
        ("c", "2020-01-01", True),  # a drug that was never listed
    )
    labels = onset_labels(panel, SPELLS, date(2022, 10, 3), [3])
    assert labels["onset_3"].tolist() == [False, True, True, False]
    assert labels["next_onset"].tolist()[:3] == [pd.Timestamp("2020-03-01")] * 3
    assert labels["next_onset"].isna().tolist() == [False, False, False, True]


def test_label_is_null_until_the_records_reach_past_the_horizon() -> None:
    panel = rows(("a", "2021-01-01", True), ("a", "2021-01-01", True))
    for end, known in ((date(2021, 3, 31), False), (date(2021, 4, 1), True)):
        labels = onset_labels(panel, SPELLS, end, [3])
        assert labels["onset_3"].notna().tolist() == [known, known]


def test_drugs_in_shortage_have_no_onset_label() -> None:
    panel = rows(("a", "2020-04-01", False), ("b", "2020-02-01", True))
    labels = onset_labels(panel, SPELLS, date(2022, 1, 1), [12])
    assert labels["onset_12"].isna().tolist() == [True, False]


def test_discontinuation_is_an_outcome_of_its_own_even_in_shortage() -> None:
    panel = rows(("a", "2020-04-01", False), ("a", "2020-05-01", True))
    notices = pd.DataFrame({"drug_id": ["a"], "event_date": [date(2020, 4, 30)]})
    labels = discontinuation_labels(panel, notices, date(2020, 7, 15), [3])
    assert labels["discontinuation_3"].tolist() == [True, pd.NA]


def test_before_notices_are_known_their_absence_says_nothing() -> None:
    """A stray old notice that the list still showed does not vouch for the years after it."""
    panel = rows(
        ("a", "2014-10-01", True),
        ("a", "2017-12-01", True),
        ("a", "2018-02-01", True),
        ("b", "2018-06-01", True),
    )
    notices = pd.DataFrame(
        {
            "drug_id": ["a", "a", "a"],
            "event_date": [date(2014, 10, 8), date(2018, 2, 2), date(2018, 9, 9)],
        }
    )
    labels = discontinuation_labels(panel, notices, date(2020, 1, 1), [3])
    assert labels["discontinuation_3"].tolist() == [pd.NA, pd.NA, True, False]
    late = pd.DataFrame({"drug_id": ["b"], "event_date": [date(2021, 5, 5)]})
    longer = discontinuation_labels(panel, pd.concat([notices, late]), date(2022, 1, 1), [3])
    assert longer["discontinuation_3"].tolist() == [pd.NA, pd.NA, True, False]
    none = discontinuation_labels(panel, notices.iloc[:0], date(2020, 1, 1), [3])
    assert none["discontinuation_3"].isna().all()


def test_resolution_says_nothing_where_the_state_of_the_drug_is_not_known() -> None:
    panel = rows(("b", "2020-07-01", False), ("b", "2020-07-01", True)).astype(
        {"at_risk": "boolean"}
    )
    panel.loc[1, "at_risk"] = pd.NA
    labels = resolution_labels(panel, SPELLS, date(2022, 1, 1), [3])
    assert labels["resolution_3"].tolist() == [True, pd.NA]


def test_resolution_is_null_while_the_end_is_uncertain() -> None:
    panel = rows(
        ("b", "2020-03-01", False),  # by 06-01: the end lies later for certain
        ("b", "2020-06-01", False),  # by 09-01: between 08-20 and 09-10, who knows
        ("b", "2020-07-01", False),  # by 10-01: over for certain
        ("a", "2021-02-01", False),  # goes on
        ("b", "2020-01-01", True),  # at risk, nothing to resolve
        ("b", "2020-12-01", False),  # its only spell is over
    )
    labels = resolution_labels(panel, SPELLS, date(2022, 1, 1), [3])
    assert labels["resolution_3"].tolist() == [False, pd.NA, True, False, pd.NA, pd.NA]


def test_missing_columns_are_named() -> None:
    with pytest.raises(ShortcastError, match="onset_date"):
        onset_labels(rows(("a", "2020-01-01", True)), SPELLS[["drug_id"]], date(2021, 1, 1))


def test_months_are_added_by_the_calendar() -> None:
    days = pd.Series([date(2020, 8, 31), date(2020, 12, 1)])
    added = add_months(days, 6)
    assert added.dt.date.tolist() == [date(2021, 2, 28), date(2021, 6, 1)]


@settings(max_examples=40, deadline=None)
@given(
    onsets=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 1000)), min_size=0, max_size=6),
    months=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.booleans()), max_size=12
    ),
    end=st.integers(0, 1200),
    horizon=st.sampled_from([3, 6, 12]),
)
def test_onset_labels_agree_with_a_naive_reading_of_the_rule(
    onsets: list[tuple[str, int]],
    months: list[tuple[str, int, bool]],
    end: int,
    horizon: int,
) -> None:
    start = date(2019, 1, 1)

    def first(month: int) -> date:
        return date(2019 + month // 12, month % 12 + 1, 1)

    spells = pd.DataFrame(
        {
            "drug_id": pd.Series([drug for drug, _ in onsets], dtype=object),
            "onset_date": pd.Series(
                [start + timedelta(days) for _, days in onsets], dtype="datetime64[s]"
            ),
        }
    )
    panel = pd.DataFrame(
        {
            "drug_id": pd.Series([drug for drug, _, _ in months], dtype=object),
            "as_of": pd.Series([first(m) for _, m, _ in months], dtype="datetime64[s]"),
            "at_risk": pd.Series([risk for _, _, risk in months], dtype=bool),
        }
    )
    records_end = start + timedelta(end)
    labels = onset_labels(panel, spells, records_end, [horizon])[f"onset_{horizon}"]
    for (drug, month, at_risk), label in zip(months, labels, strict=True):
        begin, stop = first(month), first(month + horizon)
        if not at_risk or records_end < stop:
            assert pd.isna(label)
        else:
            assert label == any(
                other == drug and begin <= start + timedelta(days) < stop for other, days in onsets
            )
