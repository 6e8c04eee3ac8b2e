"""The true hazard of every drug and month.

The hazard over h months at the start of a month is the probability, given the state of the
market at that moment, that a new shortage of the drug is posted on the list on a day from the
first of the month to the last before h months are over.

* A shortage that has begun and will be listed, but is not yet posted: its posting day is part of
  the state, so the hazard is 0 or 1. The drug is in shortage (``in_shortage``).
* Else the hazard of the first month is exact: the probability of a gap in supply, computed
  from the whole state before anything is drawn, times the probabilities that it is listed and
  that it is posted within the month.
* Over more months it is found in two steps. `foresight` puts the state into one figure: the
  probability of a gap if what is planned happens, what is not yet drawn strikes each maker at its
  rate, and outages last. Then the mechanism itself is run on from a sample of states, in futures
  that the records never see; in each the exact hazards of the months are summed up until a
  shortage begins, which estimates the probability without bias. The hazard is the mean of
  these over all states of (nearly) the same foresight: the probability of a listed shortage given
  the foresight. It is right on average over any set of months that the foresight defines.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortcast.features.simulated.calendar import Calendar
from shortcast.features.simulated.design import DEMAND, Bools, Design, Floats
from shortcast.features.simulated.hazard import (
    CLASS_SURGE,
    LARGE_SURGE,
    SMALL_SURGE,
    gap_probability,
)
from shortcast.features.simulated.listing import posted_within
from shortcast.features.simulated.market import (
    DISRUPTED_SHARE,
    DISRUPTION_LEAD,
    EXIT_LEAD_NOTICED,
    EXIT_LEAD_SILENT,
    LETTER_LEAD,
    NOTICED_SHARE,
    RECALL_LEAD,
    STOP_LEAD,
    Rates,
    advance,
    at_risk,
    inspection_rates,
    listed_hazard,
    monthly_rates,
    oai_log_odds,
    reaction_rates,
)
from shortcast.features.simulated.parameters import Parameters
from shortcast.features.simulated.state import (
    ABROAD,
    AT_RISK,
    DEMAND_SHOCK,
    LISTED,
    MARGIN,
    NEVER,
    QUALITY,
    REBUILT_MONTHS,
    State,
)

#: Horizons in months; that of one month needs no futures.
HORIZONS = (1, 3, 6, 12)
LONGER = HORIZONS[1:]
#: Of a small surge in some month, how much meets an outage in the same month.
_MEETING = 0.5
_BINS = 60


def _chances(lead: tuple[int, int], horizon: int, wait: NDArray[np.int32] | int = 0) -> Floats:
    """Months in which a decision may fall so that it takes effect within the horizon, mean."""
    leads = np.arange(lead[0], lead[1] + 1)
    left = horizon - np.asarray(wait)[..., None] - leads
    return np.maximum(left, 0).mean(axis=-1).astype(np.float32)


def foresight(
    parameters: Parameters, design: Design, state: State, rates: Rates, horizon: int
) -> Floats:
    """Probability of a listed gap within a horizon, to first order.

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
    horizon : int
        Months.

    Returns
    -------
    array of float, shape (drugs,)
        For drugs that are not at risk yet, what is left of the horizon when they are.
    """
    month, at, plants = state.month, (rates.rows, rates.slots), rates.plants
    fragile = parameters.remediation_outage_rate * rates.fragile
    letter_at, remediation = state.letter_at[plants], state.remediation_until[plants]
    # Months under a letter in which a stop that matters may be decided.
    now = np.minimum(_chances(STOP_LEAD, horizon), np.maximum(remediation - month, 0))
    soon = _chances(STOP_LEAD, horizon, np.minimum(letter_at - month + 1, horizon))
    oai = 1 / (1 + np.exp(-oai_log_odds(parameters, state.quality)))
    letter = inspection_rates(parameters, state.quality) * oai * parameters.warning_letter_share
    spare = horizon - (sum(LETTER_LEAD) + sum(STOP_LEAD)) / 2 - 1
    later = max(spare, 0.0) * (max(spare, 0.0) + 1) / 2 * letter[plants]
    later = np.where((letter_at == NEVER) & (remediation <= month), later, 0.0)
    recalled = parameters.recall_outage_share * rates.recalled * _chances(RECALL_LEAD, horizon)
    slow = 1 - reaction_rates(state)[rates.rows]
    hidden = slow ** (sum(EXIT_LEAD_NOTICED) / 2)
    leaving = rates.leaving * (
        NOTICED_SHARE * _chances(EXIT_LEAD_NOTICED, horizon) * hidden
        + (1 - NOTICED_SHARE) * _chances(EXIT_LEAD_SILENT, horizon)
    )
    abroad = np.where(
        design.plant_foreign[plants],
        parameters.disruption_rate * DISRUPTED_SHARE * _chances(DISRUPTION_LEAD, horizon),
        0.0,
    )
    expected = fragile * (now + soon + later) + recalled + leaving + abroad
    lost = 1 - np.exp(-expected - horizon * rates.sudden)
    planned = (state.down_until[at] > month) & (state.down_from[at] < month + horizon)
    exit_at = state.exit_at[at]
    leaves = exit_at < month + horizon
    # Those who stay may take up what a leaving maker made before it has gone.
    left = slow ** np.where(leaves, exit_at - month, 0)
    lost = np.where(leaves, 1 - (1 - lost) * (1 - left), lost)
    failing = np.zeros(state.plant.shape, dtype=np.float32)
    wait = waits(state)
    # When a drug comes to be at risk again, its makers deliver again.
    failing[at] = np.where((planned | rates.down) & (wait[rates.rows] == 0), 1.0, lost)
    who = np.flatnonzero((wait < horizon) & (state.plant >= 0).any(axis=1))
    risk = np.zeros(design.drugs, dtype=np.float32)
    small = parameters.small_surge_rate * _MEETING + parameters.class_surge_rate
    risk[who] = parameters.listed_share * gap_probability(
        state.capacity[who],
        failing[who],
        state.surges(design)[who],
        min(horizon * small, 0.5),
        min(horizon * parameters.large_surge_rate, 0.4),
    )
    return risk * np.maximum(1 - wait / horizon, 0).astype(np.float32)


def waits(state: State) -> NDArray[np.int32]:
    """Months until each drug is at risk of a new shortage; 0 if it is now."""
    wait = state.until - state.month + np.where(state.status == LISTED, REBUILT_MONTHS, 0)
    return np.where(state.status == AT_RISK, 0, np.maximum(wait, 1)).astype(np.int32)


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
        self._posted = {h: posted_within(parameters, h).astype(np.float32) for h in HORIZONS}
        groups = [(h, waiting) for h in LONGER for waiting in (False, True)]
        self._seen: dict[tuple[int, bool], list[Floats]] = {group: [] for group in groups}
        self._came: dict[tuple[int, bool], list[Floats]] = {group: [] for group in groups}

    def watch(self, month: int, state: State, expected: dict[int, Floats]) -> None:
        """Run the mechanism on from this state, if its month is in the sample.

        Parameters
        ----------
        month : int
            Months since the records began.
        state : State
            The market at the start of the month; left as it is.
        expected : dict
            `foresight` by horizon.
        """
        if month % self._every:
            return
        drugs, longest = self._one.drugs, max(HORIZONS)
        future = state.repeated(self._runs, self._one.plants)
        first = np.empty((longest, drugs), dtype=np.float32)
        still = np.ones(drugs * self._runs, dtype=np.bool_)
        for step in range(longest):
            rates = monthly_rates(self._parameters, self._many, future)
            hazard = listed_hazard(self._parameters, self._many, future, rates)
            first[step] = (hazard * still).reshape(self._runs, drugs).mean(axis=0)
            if step + 1 < longest:
                still &= ~advance(
                    self._parameters, self._many, self._calendar, future, rates, self._rng
                )
        wait = waits(state)
        for horizon in LONGER:
            came = np.tensordot(self._posted[horizon], first[:horizon], axes=1)
            for waiting in (False, True):
                who = ((wait > 0) == waiting) & (expected[horizon] > 0)
                self._seen[horizon, waiting].append(expected[horizon][who])
                self._came[horizon, waiting].append(came[who].astype(np.float32))

    def first_month(self, hazard: Floats) -> Floats:
        """Exact hazard of one month, from that of a shortage's begin."""
        return hazard * self._posted[1][0]

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
    """Mechanism with the largest part in each drug's hazard over six months.

    To first order: each maker's probability of dropping out within six months, by mechanism,
    counts in full where the others could not cover demand without it, and a little where they
    could; demand counts by the surges that capacity could not cover.

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
    months = 6
    rows, at = rates.rows, (rates.rows, rates.slots)
    capacity = state.capacity[at]
    up = capacity * ~rates.down
    usable = np.bincount(rows, weights=up, minlength=design.drugs)
    counts = np.where(usable[rows] - up < DEMAND, 1.0, 0.03 * capacity / DEMAND)
    planned = ~rates.down & (state.down_from[at] < state.month + months)
    planned &= state.down_until[at] > state.month
    stopped = rates.stopped + parameters.recall_outage_share * rates.recalled
    drop = 1 - (1 - rates.sudden - stopped) ** months
    disrupted = months / 2 * parameters.disruption_rate * DISRUPTED_SHARE
    by_cause = {
        QUALITY: np.where(planned & (state.down_cause[at] == QUALITY), 1.0, drop),
        MARGIN: np.where(state.exit_at[at] != NEVER, 1.0, rates.leaving),
        ABROAD: np.where(
            planned & (state.down_cause[at] == ABROAD),
            1.0,
            np.where(design.plant_foreign[rates.plants], disrupted, 0.0),
        ),
    }
    parts = np.zeros((4, design.drugs))
    for cause, chance in by_cause.items():
        parts[cause] = np.bincount(rows, weights=chance * counts, minlength=design.drugs)
    need = DEMAND + CLASS_SURGE * state.surges(design)
    parts[DEMAND_SHOCK] = months * (
        parameters.small_surge_rate * (usable < need + SMALL_SURGE)
        + parameters.large_surge_rate * (usable < need + LARGE_SURGE)
        + parameters.class_surge_rate * (usable < DEMAND + CLASS_SURGE)
    )
    # Makers that are down already take their part too: without them nothing else would matter.
    down = np.flatnonzero(rates.down)
    np.add.at(parts, (state.down_cause[rows[down], rates.slots[down]], rows[down]), 0.05)
    risk: Bools = at_risk(state)
    return np.where(risk, parts.argmax(axis=0), -1).astype(np.int8)
