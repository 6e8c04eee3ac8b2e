"""Recalibration of scores on a later slice, and what it takes to apply it.

Needs numpy alone, so that the exported model can be served without training code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortcast.errors import ShortcastError

FloatArray = NDArray[np.float64]

#: Standard deviation of the prior of the slope around 1. With few positives the slope stays
#: near 1 and only the intercept moves.
SLOPE_SPREAD = 0.25
#: Recalibration never flattens scores beyond this.
LEAST_SLOPE = 0.05


def sigmoid(log_odds: FloatArray) -> FloatArray:
    """Return the probability of log-odds, without overflow.

    Parameters
    ----------
    log_odds : ndarray
        Any shape.

    Returns
    -------
    ndarray
        Same shape, in (0, 1).
    """
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(log_odds, dtype=np.float64)))


def logit(probability: FloatArray) -> FloatArray:
    """Return the log-odds of probabilities, which are kept off 0 and 1 by 1e-9.

    Parameters
    ----------
    probability : ndarray
        Any shape.

    Returns
    -------
    ndarray
        Same shape.
    """
    clipped = np.clip(np.asarray(probability, dtype=np.float64), 1e-9, 1 - 1e-9)
    return np.log(clipped) - np.log1p(-clipped)


def logistic_line(
    x: FloatArray,
    y: FloatArray,
    weight: float = 1.0,
    slope_mean: float = 1.0,
    slope_spread: float = np.inf,
) -> tuple[float, float]:
    """Fit ``P(y) = sigmoid(slope * x + intercept)`` by Newton's method.

    Parameters
    ----------
    x, y : ndarray of shape (rows,)
        Predictor and outcome (0 or 1).
    weight : float
        Weight of each row against the prior.
    slope_mean, slope_spread : float
        Normal prior of the slope; without a prior (infinite spread) it is plain maximum
        likelihood.

    Returns
    -------
    slope, intercept : float

    Raises
    ------
    ShortcastError
        If ``y`` holds only one outcome, which no line can be fitted to.
    """
    positives = float(y.sum())
    if not 0 < positives < len(y):
        raise ShortcastError(
            f"Calibration needs both outcomes; of {len(y)} rows {positives:.0f} are positive. "
            "Use a longer period."
        )
    precision = 0.0 if np.isinf(slope_spread) else 1.0 / slope_spread**2
    centre = float(x.mean())
    spread = float(x.std()) or 1.0
    z = (x - centre) / spread
    # In standardised units the slope is slope * spread.
    slope, base = slope_mean * spread, float(logit(np.array(positives / len(y))))
    penalty = precision / spread**2

    def loss(slope: float, base: float) -> float:
        eta = slope * z + base
        fit = np.logaddexp(0.0, eta).sum() - float(y @ eta)
        return weight * float(fit) + 0.5 * penalty * (slope - slope_mean * spread) ** 2

    current = loss(slope, base)
    for _ in range(100):
        p = sigmoid(slope * z + base)
        residual = p - y
        v = p * (1.0 - p)
        gradient = np.array(
            [
                weight * float(residual @ z) + penalty * (slope - slope_mean * spread),
                weight * float(residual.sum()),
            ]
        )
        hessian = weight * np.array(
            [[float(v @ (z * z)), float(v @ z)], [float(v @ z), float(v.sum())]]
        )
        hessian[0, 0] += penalty + 1e-12
        hessian[1, 1] += 1e-12
        step = np.linalg.solve(hessian, gradient)
        scale = 1.0
        while scale > 1e-6 and loss(slope - scale * step[0], base - scale * step[1]) > current:
            scale /= 2
        slope, base = slope - scale * float(step[0]), base - scale * float(step[1])
        updated = loss(slope, base)
        if abs(current - updated) <= 1e-10 * (1.0 + abs(updated)):
            break
        current = updated
    return slope / spread, base - slope * centre / spread


@dataclass(frozen=True)
class Platt:
    """Platt's recalibration: a logistic line on the log-odds of a score.

    Attributes
    ----------
    slope, intercept : float
        ``calibrated log-odds = slope * log-odds + intercept``; 1 and 0 change nothing.
    """

    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def fit(cls, log_odds: FloatArray, y: FloatArray, horizon_months: int = 1) -> Platt:
        """Fit the recalibration on rows that the model has not seen.

        Consecutive months of a drug share their outcome: an onset makes up to
        ``horizon_months`` rows positive. Each row therefore weighs ``1 / horizon_months``
        against the prior that holds the slope near 1, so that an event counts once.

        Parameters
        ----------
        log_odds : ndarray of shape (rows,)
            The model's scores.
        y : ndarray of shape (rows,)
            Outcomes, 0 or 1.
        horizon_months : int
            Horizon of the labels.

        Returns
        -------
        Platt
            With a positive slope, so the order of the scores never changes. A slice
            with one outcome only leaves the scores as they are.
        """
        if not 0 < float(y.sum()) < len(y):
            return cls()
        slope, intercept = logistic_line(
            np.asarray(log_odds, dtype=np.float64),
            np.asarray(y, dtype=np.float64),
            weight=1.0 / horizon_months,
            slope_spread=SLOPE_SPREAD,
        )
        if slope < LEAST_SLOPE:
            # The slice contradicts the model; shrinking every score to one would hide that.
            return cls(LEAST_SLOPE).levelled(log_odds, y)
        return cls(slope, intercept)

    def levelled(self, log_odds: FloatArray, y: FloatArray) -> Platt:
        """Keep the slope and set the level so that expected onsets equal the observed.

        Parameters
        ----------
        log_odds : ndarray of shape (rows,)
            Scores.
        y : ndarray of shape (rows,)
            Outcomes, 0 or 1. Half an onset is added, so that a slice without any does not
            promise that there never will be one.

        Returns
        -------
        Platt
        """
        steep = self.slope * np.asarray(log_odds, dtype=np.float64)
        wanted = (float(y.sum()) + 0.5) / (len(y) + 1.0)
        low, high = -50.0 - float(np.abs(steep).max()), 50.0 + float(np.abs(steep).max())
        # The mean risk rises with the intercept: halving finds it, without derivatives.
        for _ in range(80):
            middle = (low + high) / 2
            if float(sigmoid(steep + middle).mean()) < wanted:
                low = middle
            else:
                high = middle
        return Platt(self.slope, (low + high) / 2)

    def apply(self, log_odds: FloatArray) -> FloatArray:
        """Return calibrated probabilities.

        Parameters
        ----------
        log_odds : ndarray
            Any shape.

        Returns
        -------
        ndarray
            Same shape.
        """
        return sigmoid(self.slope * np.asarray(log_odds, dtype=np.float64) + self.intercept)


def coherent(probabilities: FloatArray) -> FloatArray:
    """Make the risks of longer horizons at least those of shorter ones.

    Parameters
    ----------
    probabilities : ndarray of shape (rows, horizons)
        Horizons ascending.

    Returns
    -------
    ndarray of shape (rows, horizons)
        The running maximum along the horizons.
    """
    return np.maximum.accumulate(probabilities, axis=1)
