"""Scores of a forecast, each with its counts, and their bootstrap by drug.

The bootstrap never draws rows: a resample of drugs gives each row the number of times its
drug was drawn, as a weight, so rows are sorted once and sums by drug are made once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortcast.training.calibration import FloatArray, logistic_line, logit, sigmoid

IntArray = NDArray[np.int64]

#: Resamples of the lists weighed at once, which bounds memory.
CHUNK = 50


def drug_draws(drugs: int, resamples: int, seed: int) -> FloatArray:
    """Draw drugs with replacement, as many as there are, many times over.

    Parameters
    ----------
    drugs : int
        Number of drugs.
    resamples : int
        Number of resamples.
    seed : int
        Seed of the draws.

    Returns
    -------
    ndarray of shape (resamples, drugs)
        How often each drug was drawn; each row sums to ``drugs``.
    """
    generator = np.random.default_rng(seed)
    draws = np.empty((resamples, drugs), dtype=np.float64)
    for i in range(resamples):
        draws[i] = np.bincount(generator.integers(0, drugs, drugs), minlength=drugs)
    return draws


def ap_and_auc(
    y: FloatArray, score: FloatArray, weight: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Average precision and area under the ROC curve, from one pass over the sorted rows.

    Average precision is the mean precision over the positives, with ties taken together;
    the area is the chance that a positive scores above a negative, a tie counting half.

    Parameters
    ----------
    y, score : ndarray of shape (rows,)
        Outcomes (0 or 1) and scores.
    weight : ndarray of shape (resamples, rows), optional
        Weights; one resample of ones by default.

    Returns
    -------
    average_precision, roc_auc : ndarray of shape (resamples,)
        NaN where a resample holds no positive or, for the area, no negative.
    """
    weight = np.ones((1, len(y))) if weight is None else weight
    if not len(y):
        return np.full(len(weight), np.nan), np.full(len(weight), np.nan)
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    ordered = weight[:, order]
    rows = np.cumsum(ordered, axis=1)[:, last]
    positive = np.flatnonzero(y[order])
    # Positives are rare: count them alone and spread the counts over the distinct scores.
    counted = np.zeros((len(weight), len(positive) + 1))
    np.cumsum(ordered[:, positive], axis=1, out=counted[:, 1:])
    hits = counted[:, np.searchsorted(positive, last, side="right")]
    total, everything = hits[:, -1], rows[:, -1]
    gained = np.diff(hits, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(rows > 0, hits / rows, 0.0)
        average = (precision * gained).sum(axis=1) / total
        misses = np.diff(rows - hits, axis=1, prepend=0.0)
        area = (misses * (hits - gained / 2.0)).sum(axis=1) / (total * (everything - total))
    return average, area


def ap_and_auc_draws(
    y: FloatArray, score: FloatArray, drug: IntArray, draws: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Bootstrap `ap_and_auc`, by matrix products.

    Onsets are rare, so it is enough to know, at the score of each, how many rows of each drug
    score as high: weighing those counts by the draws gives every resample at once.

    Parameters
    ----------
    y, score : ndarray of shape (rows,)
        Outcomes (0 or 1) and scores.
    drug : ndarray of shape (rows,)
        Code of the drug.
    draws : ndarray of shape (resamples, drugs)
        From `drug_draws`.

    Returns
    -------
    average_precision, roc_auc : ndarray of shape (resamples,)
        NaN where a resample holds no positive or, for the area, no negative.
    """
    positive = y > 0
    levels = np.unique(score[positive])[::-1]
    if not len(levels):
        return np.full(len(draws), np.nan), np.full(len(draws), np.nan)
    # The highest level that a row reaches; rows below all levels play no role but in the total.
    level = np.searchsorted(-levels, -score, side="left")
    reached = level < len(levels)
    tied = reached & ~positive
    tied[tied] = levels[level[tied]] == score[tied]

    def weighed(chosen: np.ndarray) -> FloatArray:
        found, place = np.unique(drug[chosen], return_inverse=True)
        counts = np.bincount(
            place * len(levels) + level[chosen], minlength=len(found) * len(levels)
        ).reshape(len(found), len(levels))
        return draws[:, found] @ counts.astype(np.float64)

    rows = np.cumsum(weighed(reached), axis=1)
    gained = weighed(positive)
    hits = np.cumsum(gained, axis=1)
    total, everything = hits[:, -1], sum_draws(np.ones(len(y)), drug, draws)
    misses = everything - total
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(rows > 0, hits / rows, 0.0)
        average = (precision * gained).sum(axis=1) / total
        below = misses[:, None] - (rows - hits) + weighed(tied) / 2.0
        area = (gained * below).sum(axis=1) / (total * misses)
    return average, area


def list_order(y: FloatArray, score: FloatArray, month: IntArray) -> IntArray:
    """Order rows by month and score, ties in the worst order.

    Parameters
    ----------
    y, score : ndarray of shape (rows,)
        Outcomes (0 or 1) and scores; among equal scores the negatives come first, so no
        list profits from the order in which ties happen to stand.
    month : ndarray of shape (rows,)
        Code of the as-of date.

    Returns
    -------
    ndarray of shape (rows,)
        Positions; further ties stay in the order of the rows.
    """
    return np.lexsort((y, -score, month))


def listed(
    order: IntArray, month: IntArray, size: int, weight: FloatArray | None = None
) -> FloatArray:
    """Say how much of each row stands on its month's list.

    Parameters
    ----------
    order : ndarray of shape (listed rows,)
        From `list_order`, or the head of each of its months.
    month : ndarray of shape (rows,)
        Code of the as-of date.
    size : int
        Length of the list of each month.
    weight : ndarray of shape (resamples, listed rows), optional
        Weights in the order of ``order``; one resample of ones by default. A row drawn
        three times takes three places.

    Returns
    -------
    ndarray of shape (resamples, listed rows)
        In the order of ``order``; between 0 and the row's weight.
    """
    weight = np.ones((1, len(order))) if weight is None else weight
    before = np.cumsum(weight, axis=1) - weight
    months = month[order]
    first = np.flatnonzero(np.append(True, np.diff(months) != 0))[: len(months)]
    # Places taken in earlier months do not count.
    start = np.repeat(before[:, first], np.diff(np.append(first, len(months))), axis=1)
    return np.clip(size - (before - start), 0.0, weight)


def on_list(y: FloatArray, score: FloatArray, month: IntArray, size: int) -> NDArray[np.bool_]:
    """Say which rows stand on their month's list.

    Parameters
    ----------
    y, score : ndarray of shape (rows,)
        Outcomes (0 or 1) and scores; ties in the worst order.
    month : ndarray of shape (rows,)
        Code of the as-of date.
    size : int
        Length of the list of each month.

    Returns
    -------
    ndarray of shape (rows,)
        Booleans.
    """
    order = list_order(y, score, month)
    on = np.empty(len(y), dtype=np.bool_)
    on[order] = listed(order, month, size)[0] > 0
    return on


def head(order: IntArray, month: IntArray, depth: int) -> IntArray:
    """Keep the first rows of each month.

    Parameters
    ----------
    order : ndarray of shape (rows,)
        From `list_order`.
    month : ndarray of shape (rows,)
        Code of the as-of date.
    depth : int
        Rows kept of each month.

    Returns
    -------
    ndarray
        The part of ``order`` kept.
    """
    months = month[order]
    first = np.searchsorted(months, months, side="left")
    return order[np.arange(len(order)) - first < depth]


def precision_recall_at(
    y: FloatArray, score: FloatArray, month: IntArray, size: int
) -> tuple[float, float, int]:
    """Precision and recall of a list of ``size`` drugs each month, all months pooled.

    Parameters
    ----------
    y, score : ndarray of shape (rows,)
        Outcomes (0 or 1) and scores.
    month : ndarray of shape (rows,)
        Code of the as-of date.
    size : int
        Length of the list.

    Returns
    -------
    precision, recall : float
        Ties in the worst order. NaN where nothing is listed or nothing is positive.
    hits : int
        Positives listed.
    """
    order = list_order(y, score, month)
    places = listed(order, month, size)[0]
    hits = float(places @ y[order])
    rows, positives = float(places.sum()), float(y.sum())
    return (
        hits / rows if rows else float("nan"),
        hits / positives if positives else float("nan"),
        round(hits),
    )


def ceilings_at(y: FloatArray, month: IntArray, size: int) -> tuple[float, float]:
    """Precision and recall that the best possible list of ``size`` drugs a month would have.

    Where fewer drugs go into shortage than the list has places, no list is all hits; where
    more do, none holds them all.

    Parameters
    ----------
    y : ndarray of shape (rows,)
        Outcomes (0 or 1).
    month : ndarray of shape (rows,)
        Code of the as-of date.
    size : int
        Length of the list.

    Returns
    -------
    precision, recall : float
        NaN where nothing is listed or nothing is positive.
    """
    rows, positives = np.bincount(month), np.bincount(month, weights=y)
    hits = float(np.minimum(positives, size).sum())
    places, wanted = float(np.minimum(rows, size).sum()), float(positives.sum())
    return hits / places if places else float("nan"), hits / wanted if wanted else float("nan")


def precision_recall_draws(
    y: FloatArray,
    score: FloatArray,
    month: IntArray,
    sizes: Sequence[int],
    drug: IntArray,
    draws: FloatArray,
) -> dict[int, tuple[FloatArray, FloatArray]]:
    """Bootstrap `precision_recall_at`.

    Only the head of each month is weighed: a list of k places is filled from the first
    2 k + 60 rows in nearly every resample, and where it is not, all rows are weighed.

    Parameters
    ----------
    y, score : ndarray of shape (rows,)
        Outcomes (0 or 1) and scores.
    month, drug : ndarray of shape (rows,)
        Codes of the as-of date and the drug.
    sizes : sequence of int
        Lengths of the list.
    draws : ndarray of shape (resamples, drugs)
        From `drug_draws`.

    Returns
    -------
    dict of int to (ndarray, ndarray)
        Precision and recall of each resample, by length of the list.
    """
    full, places_of = list_order(y, score, month), np.bincount(month)
    positives = sum_draws(y, drug, draws)
    found = {}
    for size in sizes:
        depth = 2 * size + 60
        order = head(full, month, depth)
        months = month[order]
        first = np.flatnonzero(np.append(True, np.diff(months) != 0))[: len(months)]
        cut = places_of[months[first]] > depth
        hits, filled = np.empty(len(draws)), np.empty(len(draws))
        for i in range(0, len(draws), CHUNK):
            some, chosen = draws[i : i + CHUNK], order
            weight = some[:, drug[order]]
            if bool(((np.add.reduceat(weight, first, axis=1) < size) & cut).any()):
                chosen, weight = full, some[:, drug[full]]
            places = listed(chosen, month, size, weight)
            hits[i : i + CHUNK] = places @ y[chosen]
            filled[i : i + CHUNK] = places.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[size] = (hits / filled, hits / positives)
    return found


def brier(y: FloatArray, score: FloatArray) -> float:
    """Brier score: the mean squared error of the probabilities.

    Parameters
    ----------
    y, score : ndarray of shape (rows,)
        Outcomes and probabilities.

    Returns
    -------
    float
        0 is perfect.
    """
    return float(np.mean((score - y) ** 2))


def brier_skill(y: FloatArray, score: FloatArray, reference: FloatArray) -> float:
    """Brier skill: the share of the reference's squared error that the model avoids.

    Parameters
    ----------
    y, score, reference : ndarray of shape (rows,)
        Outcomes, probabilities, and the probabilities of the reference (the prevalence of
        training).

    Returns
    -------
    float
        1 is perfect, 0 no better than the reference, NaN if the reference has no error.
    """
    error = brier(y, reference)
    return 1.0 - brier(y, score) / error if error else float("nan")


def observed_expected(y: FloatArray, score: FloatArray) -> float:
    """Onsets observed over onsets expected; 1 is calibrated in the large.

    Parameters
    ----------
    y, score : ndarray of shape (rows,)
        Outcomes and probabilities.

    Returns
    -------
    float
    """
    return float(y.sum() / score.sum())


def tenths(score: FloatArray, parts: int = 10) -> list[IntArray]:
    """Part rows into groups of equal size by their scores.

    Parameters
    ----------
    score : ndarray of shape (rows,)
        Scores; equal ones stay in the order of the rows.
    parts : int
        Number of groups.

    Returns
    -------
    list of ndarray
        Positions of each group that is not empty, lowest scores first.
    """
    order = np.argsort(score, kind="stable")
    return [part for part in np.array_split(order, parts) if len(part)]


def sum_draws(values: FloatArray, drug: IntArray, draws: FloatArray) -> FloatArray:
    """Bootstrap the sum of a value over the rows.

    Parameters
    ----------
    values : ndarray of shape (rows,)
        What is summed.
    drug : ndarray of shape (rows,)
        Code of the drug.
    draws : ndarray of shape (resamples, drugs)
        From `drug_draws`.

    Returns
    -------
    ndarray of shape (resamples,)
    """
    return draws @ np.bincount(drug, weights=values, minlength=draws.shape[1])


def calibration_slope(y: FloatArray, score: FloatArray) -> float:
    """Slope of the logistic regression of the outcome on the log-odds of the score.

    1 is right; below 1 the scores are too extreme. (Cox 1958; Steyerberg, Clinical
    Prediction Models.)

    Parameters
    ----------
    y, score : ndarray of shape (rows,)
        Outcomes and probabilities.

    Returns
    -------
    float
        NaN if all scores are equal or there is one outcome only.
    """
    x = logit(score)
    if not 0 < float(y.sum()) < len(y) or float(np.ptp(x)) == 0.0:
        return float("nan")
    return logistic_line(x, y)[0]


def calibration_slope_draws(
    y: FloatArray, score: FloatArray, drug: IntArray, draws: FloatArray
) -> FloatArray:
    """Bootstrap the calibration slope by one Newton step from the estimate.

    The step needs only sums by drug, so it costs a matrix product instead of a fit for
    each resample; near the estimate it is what the fit would give.

    Parameters
    ----------
    y, score : ndarray of shape (rows,)
        Outcomes and probabilities.
    drug : ndarray of shape (rows,)
        Code of the drug.
    draws : ndarray of shape (resamples, drugs)
        From `drug_draws`.

    Returns
    -------
    ndarray of shape (resamples,)
        NaN where `calibration_slope` is.
    """
    x = logit(score)
    if not 0 < float(y.sum()) < len(y) or float(np.ptp(x)) == 0.0:
        return np.full(len(draws), np.nan)
    slope, intercept = logistic_line(x, y)
    p = sigmoid(slope * x + intercept)
    v = p * (1.0 - p)
    g1, g0 = (sum_draws(part, drug, draws) for part in ((y - p) * x, y - p))
    h11, h10, h00 = (sum_draws(part, drug, draws) for part in (v * x * x, v * x, v))
    return slope + (h00 * g1 - h10 * g0) / (h11 * h00 - h10**2)
