"""The mechanism: one month of the made-up market after another.

A month goes so. At its start the state is known, and with it the probability that a drug's
supply falls below its demand (`shortcast.features.simulated.hazard`). Then sudden failures and
surges of demand are drawn, and shortages begin. All else that is drawn (inspections, letters,
recalls, outages that stocks put off, disruptions abroad, entries, exits, prices) takes effect
from the next month on. So the hazard of the month is exact, not estimated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortcast.features.simulated import listing
from shortcast.features.simulated.calendar import Calendar
from shortcast.features.simulated.design import DEMAND, Bools, Design, Floats
from shortcast.features.simulated.hazard import (
    CLASS_SURGE,
    LARGE_SURGE,
    SMALL_SURGE,
    gap_probability,
)
from shortcast.features.simulated.parameters import Parameters
from shortcast.features.simulated.state import (
    ABROAD,
    AT_RISK,
    DEMAND_SHOCK,
    LISTED,
    MARGIN,
    NEVER,
    PREVENTED,
    QUALITY,
    REBUILT,
    REBUILT_MONTHS,
    UNLISTED,
    State,
    place_makers,
    share_out,
)

Positions = NDArray[np.int64]

#: Factor (plus one) of sudden failures just after a shortage, and what a month leaves of it.
SCAR, SCAR_FADES = 25.0, 0.98
#: Of a disrupted plant's products for the US, this share is hit.
DISRUPTED_SHARE = 0.9
#: Months, first and last of a range drawn from evenly: from the decision to the outage, while
#: stocks last, for products stopped under a warning letter, recalled ones, and those disrupted
#: abroad; from a maker's decision to its leaving, with and without notice; from an inspection to
#: the warning letter; of a plant's remediation.
STOP_LEAD, RECALL_LEAD, DISRUPTION_LEAD = (1, 1), (2, 6), (2, 5)
EXIT_LEAD_NOTICED, EXIT_LEAD_SILENT = (4, 7), (1, 2)
LETTER_LEAD, REMEDIATION = (3, 6), (7, 11)
NOTICED_SHARE = 0.85
#: Those who stay take up what a maker made that leaves: soon where many are left, else slowly.
_MANY, REACTION_RATES = 3, (0.03, 0.35)
_RECENT_EXIT_MONTHS = 12


@dataclass
class Log:
    """What happened, by kind: one array a column and month, joined at the end.

    Parameters
    ----------
    rows : dict
        Kind to column to the arrays so far.
    """

    rows: dict[str, dict[str, list[NDArray[Any]]]] = field(default_factory=dict)

    def add(self, kind: str, month: int, **columns: NDArray[Any]) -> None:
        """Note events of one kind in one month."""
        size = len(next(iter(columns.values())))
        table = self.rows.setdefault(kind, {})
        for name, values in {**columns, "month": np.full(size, month, np.int32)}.items():
            table.setdefault(name, []).append(values)

    def joined(self, kind: str) -> dict[str, NDArray[Any]]:
        """All events of one kind; empty where there were none."""
        return {name: np.concatenate(parts) for name, parts in self.rows.get(kind, {}).items()}


@dataclass(frozen=True)
class Rates:
    """What may befall the makers in a month, one element an active maker.

    Parameters
    ----------
    rows, slots : array of int
        Where the makers stand in the state's arrays.
    plants : array of int
        Their plants.
    down : array of bool
        Whether they deliver nothing in this month anyway.
    sudden : array of float
        Probability of a failure at once.
    stopped : array of float
        Probability that an outage is decided that begins when stocks have gone: by a plant
        under a warning letter.
    recalled : array of float
        Probability of a recall; a share `Parameters.recall_outage_share` stops the product.
    leaving : array of float
        Probability that the maker decides to leave.
    fragile : array of float
        Factor of the drug's failures.
    """

    rows: Positions
    slots: Positions
    plants: NDArray[np.int32]
    down: Bools
    sudden: Floats
    stopped: Floats
    recalled: Floats
    leaving: Floats
    fragile: Floats


def settled_log_price(parameters: Parameters, design: Design, makers: NDArray[Any]) -> Floats:
    """Log price that a market with so many makers tends to."""
    fall = parameters.price_per_maker * (np.log1p(makers) - np.log(2.0))
    return (design.base_log_price - fall).astype(np.float32)


def monthly_rates(parameters: Parameters, design: Design, state: State) -> Rates:
    """Probabilities of what may befall each maker in the month that begins.

    Parameters
    ----------
    parameters : Parameters
        Rates.
    design : Design
        Drugs and plants.
    state : State
        The market.

    Returns
    -------
    Rates
    """
    rows, slots = np.nonzero(state.plant >= 0)
    plants = state.plant[rows, slots]
    quality = state.quality[plants]
    remediation = state.remediation_until[plants] > state.month
    # Cheap drugs come from older lines (odds of a shortage by price: Dave et al. 2018).
    thin = np.exp(-0.2 * np.clip((state.log_price - 1.0) / 1.5, -2, 2))
    # What has run short before does so more easily, the less long ago the more.
    scar = SCAR * SCAR_FADES ** np.maximum(state.month - state.last_end, 0)
    fragile = design.complexity * thin * np.where(design.sterile, parameters.sterile_factor, 1.0)
    fragile = fragile.astype(np.float32)[rows]
    settled = settled_log_price(parameters, design, design.makers_target)
    margin = np.clip(state.log_price - settled, -1, 1)
    stays = (state.plant >= 0) & (state.exit_at == NEVER)
    may_leave = (state.status == AT_RISK) & (stays.sum(axis=1) >= 2)
    # One at a time: who is left waits and sees.
    may_leave &= ~((state.plant >= 0) & (state.exit_at != NEVER)).any(axis=1)
    leaving = np.where(may_leave, parameters.exit_rate * np.exp(-1.5 * margin), 0.0)
    recalled = parameters.recall_rate * np.exp(-0.6 * quality) * np.where(remediation, 3.0, 1.0)
    return Rates(
        rows=rows,
        slots=slots,
        plants=plants,
        down=state.is_down()[rows, slots],
        sudden=np.minimum(
            parameters.sudden_failure_rate
            * fragile
            * (1 + scar[rows])
            * np.exp(-0.5 * quality)
            * np.where(remediation, 5.0, 1.0),
            0.5,
        ).astype(np.float32),
        stopped=np.where(
            remediation, np.minimum(parameters.remediation_outage_rate * fragile, 0.3), 0.0
        ).astype(np.float32),
        recalled=np.minimum(recalled, 0.3).astype(np.float32),
        leaving=np.minimum(leaving, 0.1).astype(np.float32)[rows],
        fragile=fragile,
    )


def reaction_rates(state: State) -> NDArray[np.floating]:
    """Probability that the makers who stay settle the market anew in the month, by drug."""
    stay = ((state.plant >= 0) & (state.exit_at == NEVER)).sum(axis=1)
    return np.where(stay >= _MANY, REACTION_RATES[1], REACTION_RATES[0])


def at_risk(state: State) -> Bools:
    """Drugs that may fall short in the month that begins."""
    return (state.status == AT_RISK) & (state.plant >= 0).any(axis=1)


def listed_hazard(parameters: Parameters, design: Design, state: State, rates: Rates) -> Floats:
    """Exact probability that a shortage that will be listed begins in this month.

    Parameters
    ----------
    parameters : Parameters
        Rates.
    design : Design
        Drugs and plants.
    state : State
        The market at the start of the month.
    rates : Rates
        Of this state.

    Returns
    -------
    array of float, shape (drugs,)
        0 for drugs that are not at risk.
    """
    failing = np.zeros(state.plant.shape, dtype=np.float32)
    failing[rates.rows, rates.slots] = np.where(rates.down, 1.0, rates.sudden)
    who = np.flatnonzero(at_risk(state))
    hazard = np.zeros(design.drugs, dtype=np.float32)
    hazard[who] = parameters.listed_share * gap_probability(
        state.capacity[who],
        failing[who],
        state.surges(design)[who],
        parameters.small_surge_rate,
        parameters.large_surge_rate,
    )
    return hazard


def advance(
    parameters: Parameters,
    design: Design,
    calendar: Calendar,
    state: State,
    rates: Rates,
    rng: np.random.Generator,
    log: Log | None = None,
) -> Bools:
    """Let one month pass.

    Parameters
    ----------
    parameters : Parameters
        Rates.
    design : Design
        Drugs and plants.
    calendar : Calendar
        Its months.
    state : State
        The market; changed in place to that of the next month.
    rates : Rates
        Of this state.
    rng : Generator
        Source of chance.
    log : Log, optional
        Gets what happened.

    Returns
    -------
    array of bool, shape (drugs,)
        Drugs of which a shortage began that will be listed.
    """
    begun = _supply_and_demand(parameters, design, calendar, state, rates, rng, log)
    _ends(design, state)
    _makers(parameters, design, state, rates, rng, log)
    _plants(parameters, design, state, rng, log)
    _disruptions(parameters, design, state, rates, rng, log)
    _entries(parameters, design, state, rng, log)
    _demand_and_prices(parameters, design, state, rng)
    state.month += 1
    _leave(state)
    return begun


def _supply_and_demand(
    parameters: Parameters,
    design: Design,
    calendar: Calendar,
    state: State,
    rates: Rates,
    rng: np.random.Generator,
    log: Log | None,
) -> Bools:
    """Draw what strikes at once; where supply falls below demand, something begins."""
    month, rows, slots = state.month, rates.rows, rates.slots
    fails = (rng.random(len(rows), dtype=np.float32) < rates.sudden) & ~rates.down
    surge = rng.random(design.drugs)
    need = DEMAND + CLASS_SURGE * state.surges(design)
    need = need + np.where(
        surge < parameters.large_surge_rate,
        LARGE_SURGE,
        np.where(surge < parameters.large_surge_rate + parameters.small_surge_rate, SMALL_SURGE, 0),
    )
    capacity = state.capacity[rows, slots]
    lost = rates.down | fails
    usable = np.bincount(rows, weights=capacity * ~lost, minlength=design.drugs)
    gap = at_risk(state) & (usable < need)

    hit = np.flatnonzero(fails)
    at = rows[hit], slots[hit]
    state.down_from[at] = month
    state.down_until[at] = month + 1 + rng.geometric(0.2, len(hit))
    state.down_cause[at] = QUALITY

    begun = np.zeros(design.drugs, dtype=np.bool_)
    who = np.flatnonzero(gap)
    if not len(who):
        return begun
    outcome = rng.random(len(who))
    unlisted_below = 1 - parameters.listed_share
    status = np.where(
        outcome < parameters.prevented_share,
        PREVENTED,
        np.where(outcome < unlisted_below, UNLISTED, LISTED),
    ).astype(np.int32)
    cause = _causes(state, who, rows[lost], slots[lost])
    begin = calendar.day_in(month, rng.random(len(who)))
    lag = listing.lag_days(parameters, len(who), rng)
    duration = listing.duration_days(parameters, design.injection[who], lag, rng)
    # What the list does not show is sooner over; a prevented gap ends when the import does.
    duration = np.where(status == LISTED, duration, np.maximum(60, duration // 3))
    duration = np.where(status == PREVENTED, np.minimum(duration, 360), duration)
    end = (begin + duration).astype(np.int32)
    # The list learns of an end late.
    delisted = (end + rng.integers(0, 60, len(who))).astype(np.int32)
    over = np.where(status == LISTED, delisted, end).astype(np.int32)
    state.status[who] = status
    state.until[who] = np.maximum(calendar.month_of(over), month) + 1
    begun[who] = status == LISTED
    if log is not None:
        log.add(
            "gaps",
            month,
            drug=who.astype(np.int32),
            status=status,
            cause=cause,
            begin=begin,
            posted=begin + lag,
            end=end,
            delisted=delisted,
        )
        # Who was down when it began, for the listings.
        short = np.flatnonzero(lost & gap[rows])
        log.add(
            "short_makers",
            month,
            drug=rows[short].astype(np.int32),
            edge=state.edge[rows[short], slots[short]],
        )
    return begun


def _causes(state: State, who: Positions, rows: Positions, slots: Positions) -> NDArray[np.int32]:
    """Mechanism that took most capacity from each drug; demand where none did."""
    position = np.full(len(state.status), -1)
    position[who] = np.arange(len(who))
    mine = position[rows] >= 0
    rows, slots = rows[mine], slots[mine]
    taken = (
        np.bincount(
            position[rows] * 4 + state.down_cause[rows, slots],
            weights=state.capacity[rows, slots],
            minlength=4 * len(who),
        )
        .reshape(-1, 4)
        .astype(np.float64)
    )
    taken[state.month - state.last_exit[who] <= _RECENT_EXIT_MONTHS, MARGIN] += DEMAND / 3
    return np.where(taken.any(axis=1), taken.argmax(axis=1), DEMAND_SHOCK).astype(np.int32)


def _ends(design: Design, state: State) -> None:
    """End shortages, prevented gaps and rebuilt stocks that have had their time."""
    over = np.flatnonzero((state.status != AT_RISK) & (state.until <= state.month + 1))
    if not len(over):
        return
    was_listed = state.status[over] == LISTED
    state.status[over] = np.where(was_listed, REBUILT, AT_RISK)
    state.last_end[over[was_listed]] = state.until[over[was_listed]]
    state.until[over] += np.where(was_listed, REBUILT_MONTHS, 0).astype(np.int32)
    # Restored: every maker delivers again, and those who stay cover the market.
    state.down_from[over] = NEVER
    state.down_until[over] = 0
    _settle(design, state, over)


def _settle(design: Design, state: State, who: Positions) -> None:
    """Let the makers who stay take up what the market needs."""
    stays = (state.plant[who] >= 0) & (state.exit_at[who] == NEVER)
    shared = share_out(state.weight[who], stays, design.slack[who])
    state.capacity[who] = np.where(stays, shared, state.capacity[who])


def _makers(
    parameters: Parameters,
    design: Design,
    state: State,
    rates: Rates,
    rng: np.random.Generator,
    log: Log | None,
) -> None:
    """Draw outages decided, recalls and exits; at most one of them a maker and month."""
    month, rows, slots = state.month, rates.rows, rates.slots
    chance = rng.random(len(rows), dtype=np.float32)
    stopped = np.flatnonzero(chance < rates.stopped)
    recalls = np.flatnonzero((chance >= rates.stopped) & (chance < rates.stopped + rates.recalled))
    before = rates.stopped + rates.recalled
    leaves = np.flatnonzero((chance >= before) & (chance < before + rates.leaving))

    recalls_too = stopped[rng.random(len(stopped)) < 0.4]
    halted = recalls[rng.random(len(recalls)) < parameters.recall_outage_share]
    _stop(state, rows, slots, stopped, _between(STOP_LEAD, len(stopped), rng), QUALITY, rng)
    _stop(state, rows, slots, halted, _between(RECALL_LEAD, len(halted), rng), QUALITY, rng)

    # Of several makers of one drug that would leave at once, the first does.
    leaves = leaves[np.unique(rows[leaves], return_index=True)[1]]
    noticed = rng.random(len(leaves)) < NOTICED_SHARE
    wait = np.where(
        noticed,
        _between(EXIT_LEAD_NOTICED, len(leaves), rng),
        _between(EXIT_LEAD_SILENT, len(leaves), rng),
    ).astype(np.int32)
    state.exit_at[rows[leaves], slots[leaves]] = month + wait
    if log is not None:
        recalled = np.sort(np.concatenate([recalls_too, recalls]))
        log.add(
            "recalls",
            month,
            edge=state.edge[rows[recalled], slots[recalled]],
            sterile=design.sterile[rows[recalled]],
            quality=state.quality[rates.plants[recalled]],
        )
        log.add(
            "exits",
            month,
            edge=state.edge[rows[leaves], slots[leaves]],
            noticed=noticed,
            leaves=month + wait,
        )

    reacts = np.flatnonzero(
        (rng.random(design.drugs, dtype=np.float32) < reaction_rates(state))
        & (state.status == AT_RISK)
    )
    _settle(design, state, reacts)


def _between(range_: tuple[int, int], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw whole months from first to last, both included."""
    return rng.integers(range_[0], range_[1] + 1, size)


def oai_log_odds(parameters: Parameters, quality: Floats) -> NDArray[np.floating]:
    """Log odds that an inspection of a plant of this quality ends as OAI."""
    share = parameters.oai_share
    return np.log(share / (1 - share)) - 0.6 - 1.2 * quality


def inspection_rates(parameters: Parameters, quality: Floats) -> NDArray[np.floating]:
    """Probability of an inspection in the month; bad plants are looked at more often."""
    return parameters.inspection_rate * np.where(quality < -1, 2.5, 1.0)


def _stop(
    state: State,
    rows: Positions,
    slots: Positions,
    which: Positions,
    lead: Positions,
    cause: int,
    rng: np.random.Generator,
) -> None:
    """Plan outages that begin when the stocks have gone, for makers without one."""
    free = state.down_until[rows[which], slots[which]] <= state.month + 1
    at = rows[which[free]], slots[which[free]]
    begin = state.month + lead[free]
    state.down_from[at] = begin
    state.down_until[at] = begin + 2 + rng.geometric(1 / 6, len(begin))
    state.down_cause[at] = cause


def _plants(
    parameters: Parameters,
    design: Design,
    state: State,
    rng: np.random.Generator,
    log: Log | None,
) -> None:
    """Let quality drift, inspect, write letters."""
    month, plants = state.month, design.plants
    inspected = np.flatnonzero(rng.random(plants) < inspection_rates(parameters, state.quality))
    quality = state.quality[inspected]
    worst = rng.random(len(inspected)) < 1 / (1 + np.exp(-oai_log_odds(parameters, quality)))
    milder = rng.random(len(inspected)) < 1 / (1 + np.exp(0.3 + 0.8 * quality))
    warned = rng.random(len(inspected)) < parameters.warning_letter_share
    warned &= worst & (state.letter_at[inspected] == NEVER)
    warned &= state.remediation_until[inspected] <= month
    state.letter_at[inspected[warned]] = month + _between(LETTER_LEAD, int(warned.sum()), rng)

    letters = np.flatnonzero(state.letter_at == month)
    state.letter_at[letters] = NEVER
    state.remediation_until[letters] = month + 1 + _between(REMEDIATION, len(letters), rng)
    mending = state.remediation_until > month
    keep = parameters.quality_persistence
    noise = rng.standard_normal(plants, dtype=np.float32) * np.sqrt(1 - keep**2)
    state.quality += (
        (1 - keep) * (design.plant_mean - state.quality) + noise + np.where(mending, 0.06, 0.0)
    ).astype(np.float32)
    if log is not None:
        log.add(
            "inspections",
            month,
            plant=inspected.astype(np.int32),
            result=np.where(worst, 2, np.where(milder, 1, 0)).astype(np.int8),
        )
        log.add("letters", month, plant=letters.astype(np.int32))


def _disruptions(
    parameters: Parameters,
    design: Design,
    state: State,
    rates: Rates,
    rng: np.random.Generator,
    log: Log | None,
) -> None:
    """Disrupt plants abroad: other countries feel it at once, the US when stocks have gone."""
    strikes = rng.random(design.plants) < np.where(
        design.plant_foreign, parameters.disruption_rate, 0.0
    )
    struck = np.flatnonzero(strikes[rates.plants])
    here = struck[rng.random(len(struck)) < DISRUPTED_SHARE]
    _stop(
        state, rates.rows, rates.slots, here, _between(DISRUPTION_LEAD, len(here), rng), ABROAD, rng
    )
    if log is not None:
        log.add(
            "disruptions",
            state.month,
            edge=state.edge[rates.rows[struck], rates.slots[struck]],
        )


def _entries(
    parameters: Parameters,
    design: Design,
    state: State,
    rng: np.random.Generator,
    log: Log | None,
) -> None:
    """Let makers enter where some are missing, the sooner the higher the price."""
    stays = (state.plant >= 0) & (state.exit_at == NEVER)
    missing = np.maximum(design.makers_target - stays.sum(axis=1), 0)
    margin = state.log_price - settled_log_price(parameters, design, design.makers_target)
    rate = parameters.entry_rate * (missing + 0.05 * (design.makers_target > 1))
    rate = rate * np.exp(0.5 * np.clip(margin, -1, 1))
    vacant = state.plant < 0
    who = np.flatnonzero((rng.random(design.drugs) < rate) & vacant.any(axis=1))
    slots = vacant[who].argmax(axis=1)
    filled = place_makers(design, state.plant, who, slots, rng)
    at = who[filled], slots[filled]
    state.weight[at] = np.exp(rng.normal(-0.4, 0.5, len(filled)))
    share = state.weight[at] / state.weight[at[0]].sum(axis=1)
    units = np.maximum(np.rint(share * DEMAND * design.slack[at[0]]), 1)
    state.capacity[at] = units.astype(np.int32)
    state.down_from[at], state.down_until[at], state.exit_at[at] = NEVER, 0, NEVER
    if log is not None:
        first = log_edges(log)
        state.edge[at] = first + np.arange(len(filled), dtype=np.int32)
        log.add("edges", state.month, drug=at[0].astype(np.int32), plant=state.plant[at])


def log_edges(log: Log) -> int:
    """Makers of drugs noted so far; the number of the next one."""
    return sum(len(part) for part in log.rows.get("edges", {}).get("drug", []))


def _demand_and_prices(
    parameters: Parameters, design: Design, state: State, rng: np.random.Generator
) -> None:
    """Begin surges of classes; let prices go towards what the makers that are left allow."""
    month = state.month
    surges = (rng.random(design.classes) < parameters.class_surge_rate) & (
        state.class_until <= month
    )
    state.class_until[surges] = month + 1 + rng.integers(4, 10, int(surges.sum()))
    makers = (state.plant >= 0).sum(axis=1)
    short = (state.status == LISTED) | (state.status == UNLISTED)
    aim = settled_log_price(parameters, design, makers) + np.where(short, 0.25, 0.0)
    noise = 0.02 * rng.standard_normal(design.drugs, dtype=np.float32)
    state.log_price += (0.06 * (aim - state.log_price) + noise).astype(np.float32)


def _leave(state: State) -> None:
    """Vacate the places of makers whose last month is over."""
    gone = (state.plant >= 0) & (state.exit_at <= state.month)
    rows = np.flatnonzero(gone.any(axis=1))
    if not len(rows):
        return
    state.last_exit[rows] = state.month
    state.plant[gone] = -1
    state.weight[gone], state.capacity[gone], state.edge[gone] = 0.0, 0, -1
    state.down_from[gone], state.down_until[gone], state.exit_at[gone] = NEVER, 0, NEVER
