"""Panel rows become numbers in one way only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from shortcast.errors import ShortcastError
from shortcast.features.groups.contract import Feature
from shortcast.training.matrix import categories_of, encode


def test_every_kind_of_column_becomes_a_number_or_nan() -> None:
    panel = pd.DataFrame(
        {
            "count": [0, 3, 7],
            "price": [1.5, None, 2.0],
            "flag": pd.array([True, None, False], dtype="boolean"),
            "object_flag": pd.Series([True, None, False], dtype=object),
            "form": ["oral-solid", None, "injection"],
        }
    )
    features = [Feature("form", "VARCHAR", "form"), Feature("count", "BIGINT", "count")]
    categories = categories_of(panel, features)
    assert categories == {"form": ("injection", "oral-solid")}
    encoded = encode(panel, list(panel.columns), categories)
    assert (encoded.dtypes == np.float32).all()
    expected = [[0, 1.5, 1, 1, 1], [3, np.nan, np.nan, np.nan, np.nan], [7, 2, 0, 0, 0]]
    np.testing.assert_array_equal(encoded.to_numpy(), np.array(expected, dtype=np.float32))


def test_a_category_unknown_to_the_model_is_missing() -> None:
    panel = pd.DataFrame({"form": ["gas", "injection"]})
    encoded = encode(panel, ["form"], {"form": ("injection",)})
    np.testing.assert_array_equal(encoded["form"], [np.nan, 0])


def test_a_panel_without_a_feature_is_refused_by_name() -> None:
    with pytest.raises(ShortcastError, match=r"lacks 1 column.*price_usd"):
        encode(pd.DataFrame({"a": [1]}), ["a", "price_usd"], {})


def test_text_where_a_number_belongs_is_refused_by_name() -> None:
    with pytest.raises(ShortcastError, match="'a' is not a number"):
        encode(pd.DataFrame({"a": ["x"]}), ["a"], {})
