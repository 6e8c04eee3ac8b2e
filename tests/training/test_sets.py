from __future__ import annotations

import numpy as np
import pytest

from shortcast.training.sets import WEIGHTS, weighted_mean


def test_the_sets_count_by_their_weights() -> None:
    margins = {"prone": np.array([4.0, 0.0]), "onset": np.array([0.0, 8.0])}
    assert weighted_mean(margins, WEIGHTS).tolist() == [1.0, 6.0]


def test_a_set_alone_counts_as_the_whole() -> None:
    assert weighted_mean({"onset": np.array([2.0])}, WEIGHTS).tolist() == [2.0]


def test_a_set_without_a_weight_is_an_error() -> None:
    with pytest.raises(KeyError, match="third"):
        weighted_mean({"third": np.array([2.0])}, WEIGHTS)
