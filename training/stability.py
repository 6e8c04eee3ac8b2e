"""How much a ranking changes, from one month or one model to the next."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from shortcast.training.calibration import FloatArray
from shortcast.training.timing import mean_rank

#: Length of the list whose turnover is counted.
LIST_SIZE = 50


def rank_change(before: FloatArray, after: FloatArray, size: int = LIST_SIZE) -> dict[str, Any]:
    """Compare two rankings of the same drugs.

    Parameters
    ----------
    before, after : ndarray of shape (drugs,)
        Scores.
    size : int
        Length of the list.

    Returns
    -------
    dict
        ``drugs``; ``spearman``, the correlation of the ranks, null where all scores of a
        ranking are equal; ``replaced``, how many of the first ``size`` of the second were not
        among those of the first.
    """
    one = np.zeros(len(before), dtype=np.int64)
    ranks = np.stack([mean_rank(before, one), mean_rank(after, one)])
    flat = not len(before) or bool((np.ptp(ranks, axis=1) == 0).any())
    first, second = (set(np.argsort(-s, kind="stable")[:size].tolist()) for s in (before, after))
    return {
        "drugs": len(before),
        "spearman": None if flat else round(float(np.asarray(np.corrcoef(ranks))[0, 1]), 6),
        "replaced": len(second - first),
    }


def month_to_month(forecasts: pd.DataFrame, size: int = LIST_SIZE) -> list[dict[str, Any]]:
    """Compare the rankings of neighbouring months, on the drugs that stand in both.

    Parameters
    ----------
    forecasts : DataFrame
        ``drug_id``, ``as_of`` and ``score`` of one model and horizon.
    size : int
        Length of the list.

    Returns
    -------
    list of dict
        ``as_of`` of the later month, and what `rank_change` says.
    """
    wide = forecasts.pivot(index="drug_id", columns="as_of", values="score").sort_index(axis=1)
    found = []
    for earlier, later in pairwise(wide.columns):
        both = wide[[earlier, later]].dropna()
        change = rank_change(both[earlier].to_numpy(), both[later].to_numpy(), size)
        found.append({"as_of": pd.Timestamp(later).date().isoformat(), **change})
    return found
