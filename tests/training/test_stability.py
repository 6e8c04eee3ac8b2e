"""How rankings change, counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from shortcast.training.stability import month_to_month, rank_change


def test_a_change_of_ranks_is_a_correlation_and_a_turnover() -> None:
    before = np.array([0.9, 0.8, 0.7, 0.1])
    assert rank_change(before, before * 2, 2) == {"drugs": 4, "spearman": 1.0, "replaced": 0}
    swapped = rank_change(before, np.array([0.9, 0.1, 0.7, 0.8]), 2)
    # Ranks 4 3 2 1 and 4 1 2 3: squared differences 0 4 0 4; 1 - 6 * 8 / (4 * 15).
    assert swapped == {"drugs": 4, "spearman": pytest.approx(0.2), "replaced": 1}


def test_equal_scores_have_no_correlation() -> None:
    assert rank_change(np.zeros(3), np.arange(3.0), 1)["spearman"] is None


def test_months_are_compared_on_the_drugs_of_both() -> None:
    table = pd.DataFrame(
        [
            ("a", "2020-01-01", 0.9),
            ("b", "2020-01-01", 0.5),
            ("c", "2020-01-01", 0.1),
            ("a", "2020-02-01", 0.1),
            ("b", "2020-02-01", 0.5),
            ("d", "2020-02-01", 0.9),
        ],
        columns=["drug_id", "as_of", "score"],
    ).assign(as_of=lambda t: pd.to_datetime(t["as_of"]))
    (change,) = month_to_month(table, size=1)
    assert change == {"as_of": "2020-02-01", "drugs": 2, "spearman": -1.0, "replaced": 1}
