"""The probability that a month's supply falls below its demand, before anything is drawn."""

from __future__ import annotations

import numpy as np

from shortcast.features.simulated.design import DEMAND, MAX_MAKERS, Bools, Floats, Ints
from shortcast.features.simulated.state import Slots

#: Units by which demand rises in a small and a large surge of one drug, and of a whole class.
SMALL_SURGE, LARGE_SURGE, CLASS_SURGE = 2, 6, 2
_MOST = DEMAND + CLASS_SURGE + LARGE_SURGE


def gap_probability(
    capacity: Slots, failing: Floats, surging: Bools, small: float, large: float
) -> Floats:
    """Probability that usable capacity and stocks are less than demand.

    Makers fail independently of one another and of demand, which is ordinary or one of two
    surges. Stocks at hand make up for any number of units from none to one less than ordinary
    demand, all alike: so of a failure, the larger the maker's share, the likelier a gap. The
    probability is exact: makers are taken one after another, and for each demand that may remain
    the probability that the makers so far leave it open is kept.

    Parameters
    ----------
    capacity : array of int, shape (drugs, makers)
        Units of each maker; 0 where there is none.
    failing : array of float, shape (drugs, makers)
        Probability that the maker delivers nothing.
    surging : array of bool, shape (drugs,)
        Whether demand for the drug's class has risen.
    small, large : float
        Probabilities of a small and of a large surge of the drug's own demand.

    Returns
    -------
    array of float, shape (drugs,)
    """
    drugs = len(capacity)
    # still_open[r, d]: probability that a demand of r units is not met by the makers so far.
    still_open = np.ones((_MOST + 1, drugs), dtype=np.float32)
    still_open[0] = 0.0
    demand = np.arange(_MOST + 1, dtype=np.int64)[:, None]
    for slot in range(MAX_MAKERS):
        (rows,) = np.nonzero(capacity[:, slot])
        if not len(rows):
            continue
        mine = still_open if len(rows) == drugs else still_open[:, rows]
        left = np.maximum(demand - capacity[rows, slot], 0)
        met = np.take(mine, left * len(rows) + np.arange(len(rows)))
        fails = failing[rows, slot]
        met += fails * (mine - met)
        if len(rows) == drugs:
            still_open = met
        else:
            still_open[:, rows] = met
    # Over all stocks: the mean over as many demands as there are stocks.
    total = np.cumsum(still_open, axis=0)
    column = np.arange(drugs)
    need: Ints = (DEMAND + CLASS_SURGE * surging).astype(np.int32)

    def short(units: Ints) -> Floats:
        return (total[units, column] - total[units - DEMAND, column]) / np.float32(DEMAND)

    return (
        (1 - small - large) * short(need)
        + small * short(need + SMALL_SURGE)
        + large * short(need + LARGE_SURGE)
    ).astype(np.float32)
