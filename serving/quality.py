"""How good earlier forecasts were: the champion's own backtest, read for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, Field

from shortcast.serving.fields import HorizonMonths
from shortcast.serving.words import day, months
from shortcast.training.bundle import Bundle

#: The simplest forecast that a model has to beat.
YARDSTICK = "past_listings"
#: The forecast from what a drug is alone: what happens to drugs and makers must add to it.
TRAITS = "traits"
#: Below so many events the figures of a risk model are imprecise (Collins, Ogundimu and Altman,
#: "Sample size considerations for the external validation of a multivariable prognostic model",
#: Statistics in Medicine 35, 2016: at least 100).
FEW_EVENTS = 100

Interval = Annotated[
    tuple[float, float] | None,
    Field(description="Middle 95 % of a bootstrap by drug; null where none was worked out"),
]


class Quality(BaseModel):
    """Figures of one horizon, from the walk-forward backtest of the champion."""

    horizon_months: HorizonMonths
    as_of_first: Annotated[date | None, Field(description="First day that was forecast")]
    as_of_last: Annotated[date | None, Field(description="Last day that was forecast")]
    rows: Annotated[int | None, Field(description="Drug-months that were forecast")]
    positives: Annotated[
        int | None, Field(description="Those followed by a new shortage within the horizon")
    ]
    prevalence: Annotated[
        float | None, Field(description="Their share, 0 to 1; what chance would reach")
    ]
    precision_at_50: Annotated[
        float | None,
        Field(
            description="Share, 0 to 1, of the 50 drugs ranked first each month that went into a "
            "new shortage within the horizon"
        ),
    ]
    precision_at_50_interval: Interval
    yardstick_precision_at_50: Annotated[
        float | None,
        Field(description="The same where the 50 are picked by a mere count of past listings"),
    ]
    yardstick_precision_at_50_interval: Interval
    traits_precision_at_50: Annotated[
        float | None,
        Field(description="The same where a model sees only what the drug is: form, class, age"),
    ] = None
    traits_precision_at_50_interval: Interval = None
    ap_above_traits: Annotated[
        float | None,
        Field(description="Average precision (0 to 1) above that of the same model of traits"),
    ] = None
    ap_above_traits_interval: Interval = None
    events: Annotated[int | None, Field(description="New shortages of drugs that were ranked")]
    caught: Annotated[
        int | None,
        Field(description="Those that stood among the first 50 within the horizon before them"),
    ]
    caught_share: Annotated[float | None, Field(description="Their share, 0 to 1")]
    caught_share_interval: Interval
    roc_auc: Annotated[
        float | None,
        Field(
            description="Probability that a drug that goes short is ranked above one that does "
            "not: 0.5 is chance, 1 is perfect"
        ),
    ]
    roc_auc_interval: Interval
    ap_over_prevalence: Annotated[
        float | None,
        Field(description="Average precision as a multiple of the prevalence: 1 is chance"),
    ]
    ap_over_prevalence_interval: Interval
    calibration_slope: Annotated[
        float | None,
        Field(
            description="Of outcomes on the log-odds of the scores: 1 is right, below 1 the "
            "scores are too far apart"
        ),
    ]
    calibration_slope_interval: Interval
    observed_over_expected: Annotated[
        float | None,
        Field(
            description="New shortages that came for each that the scores added up to: 1 is "
            "right, below 1 the scores were too high"
        ),
    ]
    observed_over_expected_interval: Interval
    brier_skill: Annotated[
        float | None,
        Field(
            description="Share of the squared error of the prevalence known at training that the "
            "model avoids: 1 is perfect, 0 no better"
        ),
    ]
    brier_skill_interval: Interval

    @property
    def level(self) -> str:
        """How many shortages came beside what the scores added up to, in words; '' if unknown."""
        if self.observed_over_expected is None:
            return ""
        side = "fewer" if self.observed_over_expected < 1 else "more"
        low, high = self.observed_over_expected_interval or (-math.inf, math.inf)
        if low <= 1 <= high:
            return f"{side}, but no more than chance may explain"
        return f"{side} than the estimates said"

    @property
    def beside_traits(self) -> str:
        """Whether it ranks better than what the drug is alone would, in words; '' if unknown."""
        if self.ap_above_traits is None or self.ap_above_traits_interval is None:
            return ""
        low, high = self.ap_above_traits_interval
        within = f"Within {months(self.horizon_months)}, the estimates rank drugs"
        shown = f", as far as {self.events:,} new shortages can show" if self.is_few else ""
        if low > 0:
            return f"{within} better than a model that sees only what the drug is{shown}."
        if high < 0:
            return f"{within} worse than a model that sees only what the drug is{shown}."
        return (
            f"{within} about as well as a model that sees only what the drug is: what is added by "
            "recalls, inspections, makers and prices cannot be told from chance here."
        )

    @property
    def is_few(self) -> bool:
        """Whether the figures rest on so few new shortages that chance has a large part in them."""
        return self.events is not None and self.events < FEW_EVENTS

    @property
    def span(self) -> str:
        """As-of dates that were forecast, in words."""
        return f"{day(self.as_of_first)} to {day(self.as_of_last)}"


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
    yardstick: Mapping[str, Any] = models.get(YARDSTICK, {})
    traits: Mapping[str, Any] = models.get(TRAITS, {})
    above: Mapping[str, Any] = own.get("versus", {}).get(TRAITS, {}).get("ap", {})
    events: Mapping[str, Any] = own.get("events_at_50", {})
    return Quality(
        horizon_months=horizon,
        as_of_first=entry.get("as_of_first"),
        as_of_last=entry.get("as_of_last"),
        rows=entry.get("rows"),
        positives=entry.get("positives"),
        prevalence=entry.get("prevalence"),
        precision_at_50=own.get("precision_at_50"),
        precision_at_50_interval=_interval(own, "precision_at_50"),
        yardstick_precision_at_50=yardstick.get("precision_at_50"),
        yardstick_precision_at_50_interval=_interval(yardstick, "precision_at_50"),
        traits_precision_at_50=traits.get("precision_at_50"),
        traits_precision_at_50_interval=_interval(traits, "precision_at_50"),
        ap_above_traits=above.get("difference"),
        ap_above_traits_interval=_ends(above.get("interval")),
        events=events.get("events"),
        caught=events.get("caught"),
        caught_share=events.get("recall"),
        caught_share_interval=_interval(events, "recall"),
        roc_auc=own.get("roc_auc"),
        roc_auc_interval=_interval(own, "roc_auc"),
        ap_over_prevalence=own.get("ap_over_prevalence"),
        ap_over_prevalence_interval=_interval(own, "ap_over_prevalence"),
        calibration_slope=own.get("calibration_slope"),
        calibration_slope_interval=_interval(own, "calibration_slope"),
        observed_over_expected=own.get("observed_over_expected"),
        observed_over_expected_interval=_interval(own, "observed_over_expected"),
        brier_skill=own.get("brier_skill"),
        brier_skill_interval=_interval(own, "brier_skill"),
    )


def of_all_horizons(bundle: Bundle | None) -> list[Quality]:
    """Return the figures of every horizon that has some.

    Parameters
    ----------
    bundle : Bundle or None
        The champion, if there is one.

    Returns
    -------
    list of Quality
        By horizon; empty without a champion or a backtest.
    """
    if bundle is None:
        return []
    found = (of_horizon(bundle, horizon) for horizon in bundle.horizons)
    return [quality for quality in found if quality is not None]


def said_of_few(items: Sequence[Quality]) -> str:
    """Return a warning if the figures rest on few new shortages, '' if they do not.

    Parameters
    ----------
    items : sequence of Quality
        Figures by horizon.

    Returns
    -------
    str
    """
    few = [f"{item.events:,} within {months(item.horizon_months)}" for item in items if item.is_few]
    if not few:
        return ""
    return (
        f"These figures rest on few new shortages: {', '.join(few)}. With fewer than {FEW_EVENTS} "
        "chance has a large part in them, and the intervals, which are drawn from the same few, "
        "may be too narrow."
    )


def _interval(figures: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    """Return the interval of a figure; a bound that could not be worked out leaves none."""
    return _ends(figures.get(f"{name}_interval"))


def _ends(interval: Sequence[float | None] | None) -> tuple[float, float] | None:
    """Return both ends of an interval; None if one could not be worked out."""
    low, high = interval or (None, None)
    return None if low is None or high is None else (low, high)
