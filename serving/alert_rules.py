"""When an alert opens and when it closes: pure rules over two forecast runs in a row.

======================  =====================================  ==============================
kind                    opens                                  closes
======================  =====================================  ==============================
``top_50``              the drug enters the 50 highest ranks   its rank is beyond 75
                        at 6 months
``risk_rise``           its 6-month risk is at least twice     its risk is below twice the
                        that of the run before, and above      base rate
                        three times the base rate
``discontinuation``     a maker's notice that was not known    a year after it opened
                        at the run before
``shortage``            the drug is listed as in shortage      it no longer is
                        and was not at the run before
======================  =====================================  ==============================

Between the mark at which an alert opens and the one at which it closes lies a gap
(hysteresis), so that a drug at the edge does not open and close it from run to run. A drug
that enters a shortage or leaves the universe closes its forecast alerts: there is no score
any more that could fall. Scores of two different models are not compared, for a jump between
them says nothing about the drug.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from datetime import date, timedelta

from shortcast.serving.words import one_in, percent

#: Ranks, at 6 months, that open and that close a ``top_50`` alert.
TOP = 50
TOP_LEAVE = 75
#: Factor to the run before, and multiples of the base rate, of a ``risk_rise`` alert.
RISE = 2.0
RISE_ABOVE = 3.0
RISE_LEAVE = 2.0
#: How long a ``discontinuation`` alert stands.
NOTICE_STANDS = timedelta(days=365)

KINDS = {
    "top_50": f"Entered the {TOP} highest ranks",
    "risk_rise": "Risk rose sharply",
    "discontinuation": "Discontinuation notice",
    "shortage": "Newly in shortage",
}


@dataclass(frozen=True)
class Notice:
    """A maker's notice that it discontinues a product of the drug."""

    event_date: date
    firm: str


@dataclass(frozen=True)
class Sight:
    """What one run says of one drug.

    Attributes
    ----------
    score, rank : float, int or None
        At 6 months; None while it is in shortage.
    in_shortage : bool
        As known at the run's as-of date.
    notices : frozenset of Notice
        Discontinuation notices known then.
    """

    score: float | None = None
    rank: int | None = None
    in_shortage: bool = False
    notices: frozenset[Notice] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Step:
    """What holds for all drugs between two runs.

    Attributes
    ----------
    as_of : date
        Of the run at hand.
    base_rate : float or None
        Share of drugs with an onset in 6 months; None where it is not known, and then no
        ``risk_rise`` opens.
    first : bool
        True if no run came before; only ``top_50`` opens then.
    same_model : bool
        Whether both runs are of one model version.
    """

    as_of: date
    base_rate: float | None
    first: bool = False
    same_model: bool = True


@dataclass(frozen=True)
class Opening:
    """An alert that opens, with the sentence that says why."""

    kind: str
    message: str


def openings(before: Sight | None, now: Sight, standing: Set[str], step: Step) -> list[Opening]:
    """Return the alerts that a run opens for one drug.

    Parameters
    ----------
    before : Sight or None
        The drug in the run before; None if it was not in it.
    now : Sight
        The drug in the run at hand.
    standing : set of str
        Kinds of the drug's alerts that are open; none of them opens again.
    step : Step
        What holds for all drugs.

    Returns
    -------
    list of Opening
        At most one of each kind.
    """
    earlier = before or Sight()
    found: list[Opening] = []
    if (
        now.rank is not None
        and now.rank <= TOP
        and (step.first or earlier.rank is None or earlier.rank > TOP)
    ):
        found.append(Opening("top_50", _entered(earlier, now, step)))
    if (
        now.score is not None
        and earlier.score is not None
        and step.same_model
        and step.base_rate is not None
        and now.score >= RISE * earlier.score
        and now.score > RISE_ABOVE * step.base_rate
    ):
        found.append(
            Opening(
                "risk_rise",
                f"The estimated risk of a new shortage in 6 months rose from "
                f"{percent(earlier.score)} to {percent(now.score)} ({one_in(now.score)}).",
            )
        )
    new = sorted(now.notices - earlier.notices, key=lambda n: (n.event_date, n.firm))
    if new and before is not None:
        makers = ", ".join(sorted({n.firm for n in new}))
        found.append(
            Opening(
                "discontinuation",
                f"Discontinuation notice by {makers} (last dated {new[-1].event_date:%Y-%m-%d}).",
            )
        )
    if now.in_shortage and before is not None and not before.in_shortage:
        found.append(Opening("shortage", "Newly listed as in shortage; not scored while it lasts."))
    return [opening for opening in found if opening.kind not in standing]


def closings(now: Sight | None, standing: Iterable[tuple[str, date]], step: Step) -> set[str]:
    """Return the kinds of open alerts that a run closes for one drug.

    Parameters
    ----------
    now : Sight or None
        The drug in the run at hand; None if it is no longer in it.
    standing : iterable of (str, date)
        Kinds of its open alerts, with the dates on which they opened.
    step : Step
        What holds for all drugs.
    """
    sight = now or Sight()
    return {kind for kind, opened_on in standing if _over(kind, opened_on, sight, step)}


def _over(kind: str, opened_on: date, now: Sight, step: Step) -> bool:
    if kind == "top_50":
        return now.rank is None or now.rank > TOP_LEAVE
    if kind == "risk_rise":
        if now.score is None:
            return True
        return step.base_rate is not None and now.score < RISE_LEAVE * step.base_rate
    if kind == "discontinuation":
        return step.as_of - opened_on >= NOTICE_STANDS
    return not now.in_shortage


def _entered(earlier: Sight, now: Sight, step: Step) -> str:
    """Return the sentence of a ``top_50`` alert."""
    text = (
        f"Rank {now.rank} at 6 months, with an estimated risk of {percent(now.score)} "
        f"({one_in(now.score)})"
    )
    if earlier.rank is not None:
        text += f"; before, rank {earlier.rank:,} and {percent(earlier.score)}"
    elif earlier.in_shortage:
        text += "; before, in shortage"
    if not step.same_model:
        text += ". The model changed in between, so the ranks compare only roughly"
    return text + "."
