"""From panel rows to the numbers that a model reads.

Every estimator and the exported bundle encode the panel here and nowhere else, so what is
served is what was trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from shortcast.errors import ShortcastError
from shortcast.features.groups.contract import Feature


def require_columns(frame: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """Refuse a table that lacks columns.

    Parameters
    ----------
    frame : DataFrame
        The table to check.
    columns : iterable of str
        Columns that must be there.
    what : str
        What the table is, for the message: 'panel'.

    Raises
    ------
    ShortcastError
        If a column is missing; the message names at most five.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        named = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise ShortcastError(
            f"The {what} lacks {len(missing)} column(s): {named}. "
            "It was made by another version; make it again with `shortcast panel`."
        )


def categories_of(panel: pd.DataFrame, features: Iterable[Feature]) -> dict[str, tuple[str, ...]]:
    """List the values of each categorical feature, in alphabetical order.

    Parameters
    ----------
    panel : DataFrame
        Panel rows.
    features : iterable of Feature
        Features to look at; only those of type VARCHAR are categories.

    Returns
    -------
    dict of str to tuple of str
        Values by feature name.
    """
    return {
        feature.name: tuple(sorted(panel[feature.name].dropna().astype(str).unique()))
        for feature in features
        if feature.type == "VARCHAR"
    }


def encode(
    panel: pd.DataFrame, names: Sequence[str], categories: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Turn features into numbers, one float32 column each.

    Booleans become 0 and 1, categories their position in ``categories``, and whatever is
    null, or a category never seen in training, becomes NaN.

    Parameters
    ----------
    panel : DataFrame
        Panel rows, shape (rows, any).
    names : sequence of str
        Features wanted, in model order.
    categories : mapping of str to sequence of str
        Values of each categorical feature.

    Returns
    -------
    DataFrame
        float32, shape (rows, len(names)), with the panel's index.

    Raises
    ------
    ShortcastError
        If the panel lacks a feature, or a feature holds text where a number belongs.
    """
    require_columns(panel, names, "panel")
    values = np.empty((len(panel), len(names)), dtype=np.float32, order="F")
    for position, name in enumerate(names):
        column = panel[name]
        if name in categories:
            known = pd.Index(list(categories[name]), dtype=object)
            codes = known.get_indexer(pd.Index(column.astype(object)))
            values[:, position] = np.where(codes < 0, np.nan, codes)
            continue
        try:
            if column.dtype == object or isinstance(column.dtype, pd.api.extensions.ExtensionDtype):
                column = column.astype("Float64")
            values[:, position] = column.to_numpy(dtype=np.float32, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise ShortcastError(
                f"The panel's feature {name!r} is not a number ({error}); "
                "declare it as VARCHAR in its feature group if it is a category."
            ) from error
    return pd.DataFrame(values, index=panel.index, columns=pd.Index(names), copy=False)
