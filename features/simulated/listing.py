"""When a shortage is posted on the list, and how long it lasts."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from shortcast.features.simulated.calendar import Days
from shortcast.features.simulated.design import Bools
from shortcast.features.simulated.parameters import Parameters

#: Days from which on a listing is called late, and the most.
LATE, _LATEST = 60, 150
#: Within so many months after it began every shortage that is listed at all is posted.
LATEST_MONTHS = 7
#: Longest lag of a listing that is not called late, and shortest and longest shortage, in days.
_LONGEST_LAG = LATE - 1
SHORTEST, _LONGEST = 75, 15 * 365
_MONTH_DAYS = 30.4375


def lag_days(parameters: Parameters, size: int, rng: np.random.Generator) -> Days:
    """Draw days from a shortage's begin to its posting.

    Parameters
    ----------
    parameters : Parameters
        ``listing_lag_median_days``, ``listing_lag_sigma``, ``late_listing_share``.
    size : int
        How many.
    rng : Generator
        Source of chance.

    Returns
    -------
    array of int
        0 to 59 days, or 60 to 150 where the listing comes late.
    """
    usual = parameters.listing_lag_median_days * np.exp(
        parameters.listing_lag_sigma * rng.standard_normal(size)
    )
    late = rng.integers(LATE, _LATEST + 1, size)
    is_late = rng.random(size) < parameters.late_listing_share
    return np.where(is_late, late, np.minimum(usual, _LONGEST_LAG)).astype(np.int32)


def posted_within(parameters: Parameters, horizon: int) -> NDArray[np.float64]:
    """Probability that a shortage is posted before a horizon is over.

    Parameters
    ----------
    parameters : Parameters
        As in `lag_days`.
    horizon : int
        Months.

    Returns
    -------
    array of float, shape (horizon,)
        By the month in which it begins, on any day of it alike; months of 30.4375 days.
    """
    quantiles = (np.arange(400) + 0.5) / 400
    normal = np.array([NormalDist().inv_cdf(q) for q in quantiles])
    usual = np.floor(
        np.minimum(
            parameters.listing_lag_median_days * np.exp(parameters.listing_lag_sigma * normal),
            _LONGEST_LAG,
        )
    )
    late = np.arange(LATE, _LATEST + 1)
    begun = np.floor((np.arange(200) + 0.5) / 200 * _MONTH_DAYS)

    def share(lags: NDArray[np.floating], left: float) -> float:
        return float((begun[:, None] + lags[None, :] < left).mean())

    return np.array(
        [
            (1 - parameters.late_listing_share) * share(usual, left)
            + parameters.late_listing_share * share(late.astype(float), left)
            for left in (_MONTH_DAYS * (horizon - month) for month in range(horizon))
        ]
    )


def duration_days(
    parameters: Parameters, injection: Bools, lag: Days, rng: np.random.Generator
) -> Days:
    """Draw days from a listed shortage's begin to its end.

    Parameters
    ----------
    parameters : Parameters
        ``duration_median_days``, ``duration_median_days_injection``, ``duration_sigma``.
    injection : array of bool
        Whether the drug is injected.
    lag : array of int
        Days to its posting; a shortage lasts at least two months longer.
    rng : Generator
        Source of chance.

    Returns
    -------
    array of int
        75 days to 15 years.
    """
    median = np.where(
        injection, parameters.duration_median_days_injection, parameters.duration_median_days
    )
    days = median * np.exp(parameters.duration_sigma * rng.standard_normal(len(injection)))
    return np.maximum(np.clip(days, SHORTEST, _LONGEST), lag + 60).astype(np.int32)
