"""Frozen scores and timing within drugs, each against a naive reading of its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortcast.training import timing

#: Rows (outcome, score, month, drug); coarse scores make ties likely.
ROWS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row[2:],
)
Row = tuple[bool, int, int, int]


def columns(rows: list[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    table = np.array(rows, dtype=np.int64)
    return table[:, 0].astype(float), table[:, 1] / 5.0, table[:, 2], table[:, 3]


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_a_frozen_score_is_that_of_the_first_month(rows: list[Row]) -> None:
    _, score, month, drug = columns(rows)
    frozen = timing.frozen_scores(score, month, drug)
    for i in range(len(rows)):
        first = min((j for j in range(len(rows)) if drug[j] == drug[i]), key=lambda j: month[j])
        assert frozen[i] == score[first]


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_timing_is_the_share_of_pairs_of_months_of_one_drug(rows: list[Row]) -> None:
    y, score, _, drug = columns(rows)
    counted, area = timing.timing_of_drugs(y, score, drug, 5)
    for one in range(5):
        own = drug == one
        pairs = [
            1.0 if a > b else 0.5 if a == b else 0.0
            for a in score[own & (y > 0)]
            for b in score[own & (y == 0)]
        ]
        assert counted[one] == bool(pairs)
        assert area[one] == pytest.approx(np.mean(pairs) if pairs else 0.0)


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_a_place_is_the_share_of_the_other_drugs_that_score_lower(rows: list[Row]) -> None:
    _, score, month, _ = columns(rows)
    share = timing.share_of_month(score, month)
    for i in range(len(rows)):
        others = [score[j] for j in range(len(rows)) if month[j] == month[i] and j != i]
        beaten = [1.0 if s < score[i] else 0.5 if s == score[i] else 0.0 for s in others]
        assert share[i] == pytest.approx(np.mean(beaten) if beaten else 0.5)


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_a_change_is_held_against_those_of_drugs_without_an_onset(rows: list[Row]) -> None:
    y, score, month, drug = columns(rows)
    counted, area = timing.timing_of_changes(y, score, month, drug, 5)
    at = {(d, m): i for i, (d, m) in enumerate(zip(drug, month, strict=True))}
    calm = [d for d in set(drug) if not y[drug == d].any()]
    for one in range(5):
        own = np.flatnonzero(drug == one)
        before = [i for i in own if y[i]]
        shares = []
        for i in before:
            for j in own:
                if y[j] or month[j] > max(month[before]):
                    continue
                changes = [
                    score[at[d, month[i]]] - score[at[d, month[j]]]
                    for d in calm
                    if (d, month[i]) in at and (d, month[j]) in at
                ]
                mine = score[i] - score[j]
                less = [1.0 if c < mine else 0.5 if c == mine else 0.0 for c in changes]
                shares += [np.mean(less)] if less else []
        assert counted[one] == bool(shares)
        assert area[one] == pytest.approx(np.mean(shares) if shares else 0.0)


def test_what_moves_all_scores_at_once_is_timing_by_score_alone() -> None:
    # Five drugs over four months; the scores of all rise, and one has its onset at the end.
    drug, month = np.repeat(np.arange(5), 4), np.tile(np.arange(4), 5)
    y = ((drug == 0) & (month >= 2)).astype(float)
    level = month / 10.0
    assert timing.timing_of_drugs(y, level, drug, 5)[1][0] == 1.0
    assert timing.timing_of_changes(y, level, month, drug, 5)[1][0] == 0.5
    rising = level + 0.05 * ((drug == 0) & (month == 3))
    assert timing.timing_of_changes(y, rising, month, drug, 5)[1][0] == 0.75
