"""Whether a score says *when*: live against frozen scores, and months of the same drug.

A score can rank drugs well by what they are and never move. Two figures tell: how much is lost
if every drug keeps its first score of the window, and whether the score of a drug is higher in the
months before its onset than in its other months. The latter is misleading by itself: whatever moves
all scores at once, as a new prevalence does, counts as timing. So it is also taken among the drugs
of each month, and against how the scores of drugs without an onset changed meanwhile.
"""

from __future__ import annotations

import numpy as np

from shortcast.training.calibration import FloatArray
from shortcast.training.metrics import IntArray


def frozen_scores(score: FloatArray, month: IntArray, drug: IntArray) -> FloatArray:
    """Give each row the score of its drug's first month in the window.

    Parameters
    ----------
    score : ndarray of shape (rows,)
        Scores.
    month, drug : ndarray of shape (rows,)
        Codes of the as-of date, ascending in time, and of the drug.

    Returns
    -------
    ndarray of shape (rows,)
        A drug that was in shortage when the window begins keeps the score of the first month
        in which it is scored.
    """
    order = np.lexsort((month, drug))
    codes, first = np.unique(drug[order], return_index=True)
    return score[order[first]][np.searchsorted(codes, drug)]


def share_of_month(score: FloatArray, month: IntArray) -> FloatArray:
    """Return the share of the month's other drugs that score lower, a tie counting half.

    Parameters
    ----------
    score : ndarray of shape (rows,)
        Scores.
    month : ndarray of shape (rows,)
        Code of the as-of date.

    Returns
    -------
    ndarray of shape (rows,)
        From 0 to 1; one half for a drug alone in its month.
    """
    others = np.bincount(month)[month] - 1
    return np.where(
        others > 0, (mean_rank(score, month) - 1.0) / np.maximum(others, 1), np.float64(0.5)
    )


def mean_rank(score: FloatArray, part: IntArray) -> FloatArray:
    """Rank scores within their part, lowest first, equal ones by the mean of their places.

    Parameters
    ----------
    score : ndarray of shape (rows,)
        Scores.
    part : ndarray of shape (rows,)
        Code of the part.

    Returns
    -------
    ndarray of shape (rows,)
        From 1.
    """
    if not len(score):
        return np.empty(0)
    order = np.lexsort((score, part))
    parts, scores = part[order], score[order]
    place = np.arange(len(order)) - np.searchsorted(parts, parts, side="left") + 1.0
    tie = np.cumsum(np.append(True, (np.diff(parts) != 0) | (np.diff(scores) != 0))) - 1
    mean = np.bincount(tie, weights=place) / np.bincount(tie)
    ranks = np.empty(len(order))
    ranks[order] = mean[tie]
    return ranks


def timing_of_drugs(
    y: FloatArray, score: FloatArray, drug: IntArray, drugs: int
) -> tuple[FloatArray, FloatArray]:
    """Work out, for each drug, the chance that a month before an onset scores above another.

    This is the area under the ROC curve of the months of one drug. It is defined for drugs
    with months of both kinds.

    Parameters
    ----------
    y, score : ndarray of shape (rows,)
        Outcomes (0 or 1) and scores.
    drug : ndarray of shape (rows,)
        Code of the drug.
    drugs : int
        Number of drugs.

    Returns
    -------
    counted, area : ndarray of shape (drugs,)
        1 for a drug with months of both kinds, else 0; and its area, 0 where there is none.
    """
    before = np.bincount(drug, weights=y, minlength=drugs)
    other = np.bincount(drug, minlength=drugs) - before
    won = np.bincount(drug, weights=y * mean_rank(score, drug), minlength=drugs)
    counted = (before > 0) & (other > 0)
    pairs = np.where(counted, before * other, 1.0)
    area = np.where(counted, (won - before * (before + 1.0) / 2.0) / pairs, 0.0)
    return counted.astype(np.float64), area


def timing_of_changes(
    y: FloatArray, score: FloatArray, month: IntArray, drug: IntArray, drugs: int
) -> tuple[FloatArray, FloatArray]:
    """Work out, for each drug, whether it rose towards its onset more than others did.

    Of a drug's months before an onset and its other, earlier or later, months every pair is taken,
    and the change of its score from the other month to the one before the onset is compared with
    the changes, from the same month to the same, of all drugs without an onset. What all
    scores do together, as at a new level of risk, thus plays no role; what only those of prone
    drugs do, as when injections are held to be safer for a while, does. Months after a drug's
    last onset are left out: by then it is rightly held to be prone.

    Parameters
    ----------
    y, score : ndarray of shape (rows,)
        Outcomes (0 or 1) and scores, on the scale on which changes are to be compared.
    month, drug : ndarray of shape (rows,)
        Codes of the as-of date, ascending in time, and of the drug; each pair once at most.
    drugs : int
        Number of drugs.

    Returns
    -------
    counted, area : ndarray of shape (drugs,)
        1 for a drug with a pair that can be compared, else 0; and the mean share of the other
        drugs that rose less, a tie counting half; 0 where there is none.
    """
    shape = (drugs, int(month.max(initial=-1)) + 1)
    scores, outcomes = np.full(shape, np.nan), np.full(shape, np.nan)
    scores[drug, month], outcomes[drug, month] = score, y
    onset = (outcomes == 1).any(axis=1)
    controls = scores[~onset & ~np.isnan(scores).all(axis=1)]
    last = np.where(outcomes == 1, np.arange(shape[1]), -1).max(axis=1, initial=-1)
    won, pairs = np.zeros(drugs), np.zeros(drugs)
    for before in range(shape[1]):
        for other in range(shape[1]):
            cases = np.flatnonzero(
                (outcomes[:, before] == 1) & (outcomes[:, other] == 0) & (other <= last)
            )
            if not len(cases):
                continue
            changes = controls[:, before] - controls[:, other]
            changes = np.sort(changes[~np.isnan(changes)])
            if not len(changes):
                continue
            own = scores[cases, before] - scores[cases, other]
            below, not_above = (np.searchsorted(changes, own, side) for side in ("left", "right"))
            won[cases] += (below + not_above) / (2.0 * len(changes))
            pairs[cases] += 1
    counted = pairs > 0
    return counted.astype(np.float64), np.where(counted, won / np.maximum(pairs, 1), 0.0)
