"""The true hazard of every drug and month.

The hazard over h months at the start of a month is the probability that a new shortage of the drug
is posted on the list on a day from the first of the month to the last before h months are over,
given the state of the market at that moment and that none is on the list: which makers there are
and what they can make, the quality of their plants, letters and remediation, how long ago an
inspection was classified OAI without a letter so far, prices, lines in trouble, exits that are
decided, surges of demand, and how long ago the last shortage ended.

It does not know of accidents that have happened and wait to be posted, nor whether a letter that
may come will. A shortage that began last week and will be posted next week counts with the
probability that there is one, though reports from abroad may tell of it already: the drug's risks
of the months before, times the part of them that would not have been posted yet (`with_pending`).
So the hazard is a risk, not a verdict: it is never 1 because a shortage is under way. No other
accident outlasts its month (`shortcast.features.simulated.market`).

* The risk of a shortage's begin in the first month is exact: the probability of a gap in supply,
  computed from the whole state before anything is drawn, times the probability that it is listed.
* Over more months it is found in two steps. `foresight` puts the state into one figure: the sum of
  the months' risks if what is planned happens, and nothing else. Then the mechanism itself is run
  on from a sample of states, in futures that the records never see; in each the exact risks of the
  months are summed up until a shortage begins, which estimates the probability without bias. The
  hazard is the mean of these over all states of (nearly) the same foresight: the probability of a
  listed shortage given the foresight. It is right on average over any set of months that the
  foresight defines.
* A drug on the list, or whose stock is being rebuilt, cannot begin a new shortage before it is at
  risk again; the hazard counts the months after that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortcast.features.simulated.calendar import Calendar
from shortcast.features.simulated.design import DEMAND, Bools, Design, Floats, Ints
from shortcast.features.simulated.hazard import CLASS_SURGE, LARGE_SURGE, SMALL_SURGE
from shortcast.features.simulated.listing import LATEST_MONTHS, posted_within
from shortcast.features.simulated.market import (
    Rates,
    advance,
    at_risk,
    failing,
    listed_hazard,
    monthly_rates,
    passing_factors,
    planned_capacity,
)
from shortcast.features.simulated.parameters import Parameters
from shortcast.features.simulated.state import (
    ABROAD,
    AT_RISK,
    DEMAND_SHOCK,
    LISTED,
    MARGIN,
    QUALITY,
    REBUILT_MONTHS,
    State,
)

#: Horizons in months; that of one month needs no futures.
HORIZONS = (1, 3, 6, 12)
LONGER = HORIZONS[1:]
#: Months ahead for which risks are worked out; those between are interpolated.
_LOOKS = (0, 2, 5, 11)
_BINS = 60
#: Months ahead that a drug's main cause is judged by, so that what is planned counts.
_CAUSE_AHEAD = 3


def waits(state: State, pending: Bools) -> Ints:
    """Months until each drug is at risk of a new shortage; 0 if it is now.

    Parameters
    ----------
    state : State
        The market.
    pending : array of bool, shape (drugs,)
        Drugs whose shortage has begun and is not posted yet: nobody knows, so they do not wait.

    Returns
    -------
    array of int, shape (drugs,)
    """
    wait = state.until - state.month + np.where(state.status == LISTED, REBUILT_MONTHS, 0)
    wait = np.where(state.status == AT_RISK, 0, np.maximum(wait, 1))
    return np.where(pending, 0, wait).astype(np.int32)


def foresight(
    parameters: Parameters, design: Design, state: State, rates: Rates, wait: Ints
) -> tuple[Floats, dict[int, Floats]]:
    """Risks of a shortage's begin, if what is planned happens and nothing else.

    Parameters
    ----------
    parameters : Parameters
        Rates.
    design : Design
        Drugs and plants.
    state : State
        The market at the start of a month.
    rates : Rates
        Of this state.
    wait : array of int, shape (drugs,)
        From `waits`.

    Returns
    -------
    now : array of float, shape (drugs,)
        Probability that a shortage that will be listed begins in the month; exact.
    expected : dict
        By horizon of `LONGER`: probability that one is posted, to first order.
    """
    has_makers = (state.plant >= 0).any(axis=1)
    looks = [
        listed_hazard(
            parameters, design, state, rates, np.flatnonzero(has_makers & (wait <= ahead)), ahead
        )
        for ahead in _LOOKS
    ]
    posted = {h: posted_within(parameters, h) for h in LONGER}
    expected = {h: np.zeros(design.drugs, dtype=np.float32) for h in LONGER}
    for month in range(max(LONGER)):
        later = int(np.searchsorted(_LOOKS, month))
        first, last = _LOOKS[max(later - 1, 0)], _LOOKS[later]
        share = np.float32((month - first) / (last - first)) if last > first else np.float32(1)
        # Who waits has no risk yet at the earlier look: that of the later one counts.
        before = np.where(wait <= first, looks[max(later - 1, 0)], looks[later])
        risk = (before + share * (looks[later] - before)) * (wait <= month)
        for h in LONGER:
            if month < h:
                expected[h] += np.float32(posted[h][month]) * risk
    return looks[0], {h: -np.expm1(-total) for h, total in expected.items()}


def with_pending(
    parameters: Parameters,
    hazard: dict[int, NDArray[np.float32]],
    before: Sequence[Floats],
    waiting: NDArray[np.bool_],
) -> None:
    """Add what may have begun already: nobody knows until it is posted.

    Parameters
    ----------
    parameters : Parameters
        Lags of listings.
    hazard : dict
        Horizon to arrays of shape (months, drugs), changed in place: from the probability that
        a shortage begins from the as-of date on and is posted within the horizon (that of one
        month: that it begins in it) to the hazard.
    before : sequence of array of float
        Probabilities that one begins in each of the last months before these, the latest last.
    waiting : array of bool, shape (months, drugs)
        Drugs that are not at risk; their hazard stays.

    Notes
    -----
    Let B(k) be the probability that a shortage began k months ago (and none since those months
    began), F that none did, and W(m) that it is posted before m months are over. Of the drugs with
    none posted, F / (F + sum B(k) (1 - W(k))) have none that waits, and
    sum B(k) (W(k + h) - W(k)) / (the same) one that is posted within h months.
    """
    back = min(LATEST_MONTHS, len(before))
    share = [float(posted_within(parameters, m)[0]) for m in range(1, LATEST_MONTHS + 13)]
    within = np.array([0.0, *share], dtype=np.float32)
    begins = np.concatenate([*(row[None] for row in before[len(before) - back :]), hazard[1]])
    for month in range(len(hazard[1])):
        # begins[back + month] is this month's; that of k months ago stands k before it.
        free = np.ones(begins.shape[1], dtype=np.float32)
        unposted = np.zeros_like(free)
        soon = {h: np.zeros_like(free) for h in hazard}
        for ago in range(min(LATEST_MONTHS, back + month), 0, -1):
            began = free * begins[back + month - ago]
            free = free - began
            unposted += (1 - within[ago]) * began
            for h, total in soon.items():
                total += (within[ago + h] - within[ago]) * began
        none = free + unposted
        for h, values in hazard.items():
            own = values[month] * within[1] if h == 1 else values[month]
            told = (soon[h] + free * own) / none
            values[month] = np.where(waiting[month], own, told)


class Futures:
    """Runs the mechanism on from a sample of states, and learns what foresight comes to.

    Parameters
    ----------
    parameters : Parameters
        Rates, and from how many drugs and months.
    design : Design
        Drugs and plants.
    calendar : Calendar
        Its months.
    rng : Generator
        Source of chance of the futures.
    """

    def __init__(
        self,
        parameters: Parameters,
        design: Design,
        calendar: Calendar,
        rng: np.random.Generator,
    ) -> None:
        self._parameters, self._calendar, self._rng = parameters, calendar, rng
        months = 12 * parameters.years
        # Small markets: several futures from each of half the months; large ones: few months.
        sampled = min(months, max(6, min(months // 2, parameters.futures // parameters.drugs)))
        self._every = max(1, months // sampled)
        self._runs = max(1, round(parameters.futures / (sampled * parameters.drugs)))
        self._one, self._many = design, design.repeated(self._runs)
        self._posted = {h: posted_within(parameters, h).astype(np.float32) for h in LONGER}
        groups = [(h, waiting) for h in LONGER for waiting in (False, True)]
        self._seen: dict[tuple[int, bool], list[Floats]] = {group: [] for group in groups}
        self._came: dict[tuple[int, bool], list[Floats]] = {group: [] for group in groups}

    def watch(
        self, month: int, state: State, pending: Bools, wait: Ints, expected: dict[int, Floats]
    ) -> None:
        """Run the mechanism on from this state, if its month is in the sample.

        Parameters
        ----------
        month : int
            Months since the records began.
        state : State
            The market at the start of the month; left as it is.
        pending : array of bool, shape (drugs,)
            Drugs whose shortage waits to be posted; in the futures there is none.
        wait : array of int, shape (drugs,)
            From `waits`.
        expected : dict
            `foresight` by horizon.
        """
        if month % self._every:
            return
        drugs, longest = self._one.drugs, max(HORIZONS)
        future = state.repeated(self._runs, self._one.plants)
        future.status[np.tile(pending, self._runs)] = AT_RISK
        first = np.empty((longest, drugs), dtype=np.float32)
        still = np.ones(drugs * self._runs, dtype=np.bool_)
        for step in range(longest):
            rates = monthly_rates(self._parameters, self._many, future)
            who = np.flatnonzero(at_risk(future))
            hazard = listed_hazard(self._parameters, self._many, future, rates, who)
            first[step] = (hazard * still).reshape(self._runs, drugs).mean(axis=0)
            if step + 1 < longest:
                still &= ~advance(
                    self._parameters, self._many, self._calendar, future, rates, self._rng
                )
        for horizon in LONGER:
            came = np.tensordot(self._posted[horizon], first[:horizon], axes=1)
            for waiting in (False, True):
                who = ((wait > 0) == waiting) & (expected[horizon] > 0)
                self._seen[horizon, waiting].append(expected[horizon][who])
                self._came[horizon, waiting].append(came[who].astype(np.float32))

    def hazard(self, horizon: int, waiting: bool, expected: Floats) -> Floats:
        """Hazards that foresights come to.

        Parameters
        ----------
        horizon : int
            One of `LONGER`.
        waiting : bool
            Whether they are of drugs that are not at risk yet.
        expected : array of float
            `foresight`.

        Returns
        -------
        array of float
            0 where nothing is expected; as expected where no future was seen at all.
        """
        x, y = self._learnt(horizon, waiting)
        if not len(x):
            return expected
        # Below and above all that was seen, the ratio at the ends holds.
        found = np.interp(expected, np.r_[0.0, x], np.r_[0.0, y])
        found = np.where(expected > x[-1], np.minimum(expected * (y[-1] / x[-1]), 1.0), found)
        return found.astype(np.float32)

    def _learnt(
        self, horizon: int, waiting: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Foresights and hazards between which to interpolate; neither falls."""
        seen = np.concatenate(self._seen[horizon, waiting]).astype(np.float64)
        came = np.concatenate(self._came[horizon, waiting]).astype(np.float64)
        if not len(seen):
            return seen, came
        order = np.argsort(seen, kind="stable")
        seen, came = seen[order], came[order]
        # Bins of as much risk, not of as many rows: most drugs have next to none.
        bins = _BINS if not waiting else _BINS // 6
        edges = np.searchsorted(np.cumsum(seen), np.linspace(0, seen.sum(), bins + 1)[1:-1])
        edges = np.unique(edges[(edges > 0) & (edges < len(seen))])
        parts = np.split(np.arange(len(seen)), edges)
        x = np.array([seen[part].mean() for part in parts])
        y = np.array([came[part].mean() for part in parts])
        return _rising(x, y, np.array([len(part) for part in parts], dtype=np.float64))


def _rising(
    x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pool neighbours until y rises with x (pool adjacent violators)."""
    pools: list[list[float]] = []
    for point in zip(x, y, weight, strict=True):
        pools.append([float(value) for value in point])
        while len(pools) > 1 and pools[-2][1] >= pools[-1][1]:
            x2, y2, w2 = pools.pop()
            x1, y1, w1 = pools[-1]
            w = w1 + w2
            pools[-1] = [(x1 * w1 + x2 * w2) / w, (y1 * w1 + y2 * w2) / w, w]
    merged = np.array(pools)
    return merged[:, 0], merged[:, 1]


def main_causes(
    parameters: Parameters, design: Design, state: State, rates: Rates
) -> NDArray[np.int8]:
    """Mechanism with the largest part in each drug's risk, a few months ahead.

    To first order: each maker's probability of failing, by mechanism, counts by the part of demand
    that the others could not cover without it; demand counts by the part of the surges that
    capacity could not cover.

    Parameters
    ----------
    parameters : Parameters
        Rates.
    design : Design
        Drugs and plants.
    state : State
        The market at the start of a month.
    rates : Rates
        Of this state.

    Returns
    -------
    array of int, shape (drugs,)
        Positions in `shortcast.features.simulated.state.CAUSES`; -1 where not at risk.
    """
    rows, at = rates.rows, (rates.rows, rates.slots)
    capacity = planned_capacity(design, state, _CAUSE_AHEAD)
    usable = capacity.sum(axis=1)
    without = usable[rows] - capacity[at]
    counts = np.clip(DEMAND - without, 0.3, DEMAND) / DEMAND * (capacity[at] > 0)
    chance = failing(parameters, design, state, rates, _CAUSE_AHEAD)
    strain = passing_factors(parameters, state, _CAUSE_AHEAD)[1][rows]
    abroad = state.in_trouble(_CAUSE_AHEAD)[at] & (state.trouble_cause[at] == ABROAD)
    by_cause = {
        QUALITY: chance / strain * ~abroad,
        MARGIN: chance * (1 - 1 / strain),
        ABROAD: chance / strain * abroad,
    }
    parts = np.zeros((4, design.drugs))
    for cause, part in by_cause.items():
        parts[cause] = np.bincount(rows, weights=part * counts, minlength=design.drugs)
    surging = state.surges(design)
    need = DEMAND + CLASS_SURGE * surging
    parts[DEMAND_SHOCK] = (
        parameters.small_surge_rate * np.maximum(need + SMALL_SURGE - usable, 0)
        + parameters.large_surge_rate * np.maximum(need + LARGE_SURGE - usable, 0)
        + np.maximum(need - usable, 0)
    ) / DEMAND
    return np.where(at_risk(state), parts.argmax(axis=0), -1).astype(np.int8)
