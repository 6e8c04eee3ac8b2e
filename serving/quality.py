"""How good earlier forecasts were: the champion's own backtest, read for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shortcast.serving.words import day
from shortcast.training.bundle import Bundle

#: The simplest forecast that a model has to beat.
YARDSTICK = "past_listings"


@dataclass(frozen=True)
class Quality:
    """Figures of one horizon, from a walk-forward backtest.

    Attributes
    ----------
    horizon_months : int
        The horizon.
    span : str
        As-of dates that were forecast, in words.
    prevalence : float or None
        Share of drug-months followed by an onset.
    positives, rows : int or None
        The counts behind it.
    roc_auc, ap_over_prevalence, precision_at_50, calibration_slope : float or None
        Of the champion; the average precision as a multiple of the prevalence.
    precision_at_50_interval : tuple of float or None
        Middle 95 % of a bootstrap by drug.
    yardstick_precision_at_50 : float or None
        Of a mere count of past listings.
    events, caught : int or None
        Onsets, and those that stood among the monthly first 50 before they came.
    """

    horizon_months: int
    span: str
    prevalence: float | None
    positives: int | None
    rows: int | None
    roc_auc: float | None
    ap_over_prevalence: float | None
    precision_at_50: float | None
    precision_at_50_interval: tuple[float, float] | None
    calibration_slope: float | None
    yardstick_precision_at_50: float | None
    events: int | None
    caught: int | None


def of_horizon(bundle: Bundle, horizon: int) -> Quality | None:
    """Return the figures of one horizon; None if the bundle was promoted without a backtest.

    Parameters
    ----------
    bundle : Bundle
        The champion; its ``metrics`` are those of ``metrics.json``.
    horizon : int
        Months.
    """
    by_horizon = bundle.metrics.get("horizons", bundle.metrics)
    entry = by_horizon.get(str(horizon)) if isinstance(by_horizon, Mapping) else None
    if not isinstance(entry, Mapping):
        return None
    models = entry.get("models", {})
    own: Mapping[str, Any] = models.get(bundle.name, {})
    events: Mapping[str, Any] = own.get("events_at_50", {})
    low, high = own.get("precision_at_50_interval") or (None, None)
    return Quality(
        horizon_months=horizon,
        span=f"{day(entry.get('as_of_first'))} to {day(entry.get('as_of_last'))}",
        prevalence=entry.get("prevalence"),
        positives=entry.get("positives"),
        rows=entry.get("rows"),
        roc_auc=own.get("roc_auc"),
        ap_over_prevalence=own.get("ap_over_prevalence"),
        precision_at_50=own.get("precision_at_50"),
        precision_at_50_interval=None if low is None or high is None else (low, high),
        calibration_slope=own.get("calibration_slope"),
        yardstick_precision_at_50=models.get(YARDSTICK, {}).get("precision_at_50"),
        events=events.get("events"),
        caught=events.get("caught"),
    )


def of_all_horizons(bundle: Bundle | None) -> list[Quality]:
    """Return the figures of every horizon that has some."""
    if bundle is None:
        return []
    found = (of_horizon(bundle, horizon) for horizon in bundle.horizons)
    return [quality for quality in found if quality is not None]
