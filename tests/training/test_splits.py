"""Training never sees a label that had not matured."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortcast.errors import ShortcastError
from shortcast.training.splits import (
    Fold,
    months_later,
    training_fold,
    validate_no_overlap,
    walk_forward,
)

MONTHS = [months_later(date(2015, 1, 1), i) for i in range(94)]


def test_the_worked_example_of_the_module() -> None:
    folds = walk_forward(MONTHS, date(2020, 7, 1), date(2022, 3, 1), horizon=6)
    assert folds[0] == Fold(
        horizon=6,
        retrain=date(2020, 7, 1),
        fit_from=date(2015, 1, 1),
        fit_through=date(2018, 8, 1),
        calibrate_from=date(2019, 2, 1),
        train_through=date(2020, 1, 1),
        test=(date(2020, 7, 1), date(2020, 8, 1), date(2020, 9, 1)),
    )
    assert folds[1].retrain == date(2020, 10, 1)


@settings(max_examples=40, deadline=None)
@given(
    horizon=st.sampled_from([1, 3, 6, 12]),
    every=st.integers(1, 7),
    slice_=st.integers(1, 18),
    start=st.integers(48, 70),
    length=st.integers(0, 20),
)
def test_every_month_is_tested_once_by_a_model_that_could_not_know(
    horizon: int, every: int, slice_: int, start: int, length: int
) -> None:
    first, last = MONTHS[start], MONTHS[start + length]
    folds = walk_forward(MONTHS, first, last, horizon, every, slice_)
    assert [day for fold in folds for day in fold.test] == MONTHS[start : start + length + 1]
    for fold in folds:
        assert months_later(fold.train_through, horizon) <= fold.retrain <= min(fold.test)
        assert months_later(fold.fit_through, horizon) <= fold.calibrate_from
        assert months_later(fold.calibrate_from, slice_ - 1) == fold.train_through
        validate_no_overlap(fold, used(fold))


def used(fold: Fold) -> pd.DataFrame:
    """The rows that a fold uses, as a table."""
    days = {
        "fit": [day for day in MONTHS if day <= fold.fit_through],
        "calibrate": [d for d in MONTHS if fold.calibrate_from <= d <= fold.train_through],
        "test": list(fold.test),
    }
    return pd.DataFrame([(day, use) for use, known in days.items() for day in known],
                        columns=["as_of", "use"])  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"fit_through": date(2018, 9, 1)},  # its labels reach into the calibration slice
        {"train_through": date(2020, 2, 1)},  # its labels reach into the test
        {"test": (date(2020, 6, 1),)},  # the test begins before the labels had matured
    ],
)
def test_an_overlap_is_found_whoever_made_it(wrong: dict[str, object]) -> None:
    fold = walk_forward(MONTHS, date(2020, 7, 1), date(2020, 9, 1), horizon=6)[0]
    with pytest.raises(ShortcastError, match="leaks the future"):
        validate_no_overlap(fold, used(replace(fold, **wrong)))  # pyright: ignore[reportArgumentType]


def test_labels_that_mature_after_training_are_found_without_any_test_rows() -> None:
    fold = training_fold(date(2015, 1, 1), date(2020, 7, 1), horizon=6)
    rows = pd.DataFrame({"as_of": [date(2020, 2, 1)], "use": ["calibrate"]})
    with pytest.raises(ShortcastError, match="2020-08-01"):
        validate_no_overlap(fold, rows)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (date(2017, 1, 1), date(2017, 3, 1), "must begin by"),
        (date(2022, 9, 1), date(2022, 12, 1), "no rows for 2022-11"),
        (date(2021, 2, 1), date(2021, 1, 1), "before it starts"),
        (date(2021, 2, 2), date(2021, 3, 1), "not the first day"),
    ],
)
def test_windows_that_cannot_be_tested_are_refused(start: date, end: date, message: str) -> None:
    with pytest.raises(ShortcastError, match=message):
        walk_forward(MONTHS, start, end, horizon=12)


def test_lengths_must_be_positive() -> None:
    with pytest.raises(ShortcastError, match="at least 1 month"):
        walk_forward(MONTHS, date(2020, 7, 1), date(2020, 9, 1), horizon=6, retrain_every=0)
