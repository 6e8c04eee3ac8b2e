"""The mechanism: one month of the made-up market after another.

A month goes so. At its start the state is known, and with it the probability that a drug's
supply falls below its demand (`shortcast.features.simulated.hazard`). Then failures of makers and
surges of demand are drawn, and shortages begin. All else that is drawn (inspections, letters,
recalls, disruptions abroad, entries, exits, prices) takes effect from the next month on. So the
hazard of the month is exact, not estimated.

A failure by itself leaves no trace in the state: where the other makers cover demand, or the gap
is closed at once or never listed, next month's risk is what it would have been. What lasts is what
made the failure likely: a plant of poor quality, a line in trouble, a market at full stretch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortcast.features.simulated import listing
from shortcast.features.simulated.calendar import Calendar
from shortcast.features.simulated.design import (
    DEMAND,
    PRICE_SPREAD,
    QUALITY_SPREAD,
    Bools,
    Design,
    Floats,
)
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
    Slots,
    State,
    place_makers,
    share_out,
)

Positions = NDArray[np.int64]

#: Quality above which all plants are alike, and that at which an inspection is as likely as not
#: to end as Official Action Indicated.
STANDARD, SUSPECT = -0.2, -1.2
#: As `Parameters.quality_effect`, of recalls.
RECALL_EFFECT = 1.0
#: Factor (plus one) of failures just after a shortage, and what a month leaves of it.
SCAR, SCAR_FADES = 6.0, 0.98
#: Most that a maker fails in a month.
_MOST_FAILING = 0.8
#: Of a disrupted plant's products for the US, this share is hit.
DISRUPTED_SHARE = 0.9
#: Months, first and last of a range drawn from evenly: until a line is in trouble after a recall
#: and, while stocks last, after a disruption abroad, and how long it is; from a maker's decision to
#: its leaving, with and without notice; from an inspection to the warning letter. Then months: from
#: the letter until a firm changes its lines to answer it, and how long it does so; and the most
#: letters of one row.
RECALL_LEAD, RECALL_TROUBLE = (1, 3), (12, 18)
DISRUPTION_LEAD, DISRUPTION_TROUBLE = (2, 4), (12, 18)
EXIT_LEAD_NOTICED, EXIT_LEAD_SILENT = (4, 7), (1, 2)
LETTER_LEAD, ANSWER_LEAD, REMEDIATION, MOST_LETTERS = (3, 8), 1, 24, 5
NOTICED_SHARE = 0.85
#: So many makers take up at once what one made that leaves; fewer run at full stretch for some
#: months, with capacity for demand and a tenth, before they have built what the market needs.
_MANY, STRAIN_MONTHS, LEAST_SLACK = 3, 18, 1.1


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
    steady : array of float
        Probability of a failure by what lasts: form, class, price, quality of the plant.
    recalled : array of float
        Probability of a recall without a failure.
    leaving : array of float
        Probability that the maker decides to leave.
    """

    rows: Positions
    slots: Positions
    plants: NDArray[np.int32]
    steady: Floats
    recalled: Floats
    leaving: Floats


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
    poor = np.maximum(STANDARD - state.quality, 0.0)
    level = np.clip((state.log_price - design.usual_log_price) / PRICE_SPREAD, -2.0, 2.0)
    fragile = design.complexity * np.exp(-parameters.thin_factor * level)
    plain = parameters.failure_rate * np.exp(parameters.quality_effect * poor)
    settled = settled_log_price(parameters, design, design.makers_target)
    margin = np.clip(state.log_price - settled, -1, 1)
    stays = (state.plant >= 0) & (state.exit_at == NEVER)
    may_leave = stays.sum(axis=1) >= 2
    # One at a time: who is left waits and sees.
    may_leave &= ~((state.plant >= 0) & (state.exit_at != NEVER)).any(axis=1)
    leaving = np.where(may_leave, parameters.exit_rate * np.exp(-1.5 * margin), 0.0)
    recalled = parameters.recall_rate * np.exp(RECALL_EFFECT * poor)
    # Who goes through all of its lines to answer a letter finds what must be recalled.
    found = parameters.answer_recall_rate * state.remediating()[design.plant_firm]
    recalled = np.maximum(recalled, found)
    return Rates(
        rows=rows,
        slots=slots,
        plants=plants,
        steady=fragile.astype(np.float32)[rows] * plain.astype(np.float32)[plants],
        recalled=np.minimum(recalled, 0.3).astype(np.float32)[plants],
        leaving=np.minimum(leaving, 0.1).astype(np.float32)[rows],
    )


def passing_factors(parameters: Parameters, state: State, ahead: int = 0) -> tuple[Floats, Floats]:
    """Factors of failures that pass: after a shortage, and while makers run at full stretch.

    Parameters
    ----------
    parameters : Parameters
        Rates.
    state : State
        The market.
    ahead : int
        Months after the one that begins.

    Returns
    -------
    scar, strain : array of float, shape (drugs,)
    """
    since = np.maximum(state.month + ahead - state.last_end, 0)
    scar = 1 + SCAR * SCAR_FADES**since
    stay = ((state.plant >= 0) & (state.exit_at == NEVER)).sum(axis=1)
    few = state.strained(ahead) & (stay < _MANY)
    strain = np.where(few, parameters.strain_factor, 1.0)
    return scar.astype(np.float32), strain.astype(np.float32)


def failing(
    parameters: Parameters, design: Design, state: State, rates: Rates, ahead: int = 0
) -> Floats:
    """Probability that each maker delivers nothing in a month, given what is planned.

    Parameters
    ----------
    parameters : Parameters
        Rates.
    design : Design
        Drugs and plants.
    state : State
        The market.
    rates : Rates
        Of this state.
    ahead : int
        Months after the one that begins; what is not decided yet is left out.

    Returns
    -------
    array of float
        One element an active maker.
    """
    scar, strain = passing_factors(parameters, state, ahead)
    # After two years a firm may be found to have more to answer: until then nobody knows.
    undecided = state.remediating() & (state.remediation_until > state.month + ANSWER_LEAD)
    more = letter_again_shares(parameters, design) * undecided[design.plant_firm]
    first = letter_to_come(parameters, design, state, ahead)[design.plant_firm]
    answers = np.where(
        state.remediating(ahead)[design.plant_firm], 1.0, 1 - (1 - more) * (1 - first)
    )
    halted = (parameters.halted_rate * answers).astype(np.float32)[rates.plants]
    chance = rates.steady * (strain * scar)[rates.rows] + halted
    chance += parameters.trouble_rate * state.in_trouble(ahead)[rates.rows, rates.slots]
    return np.minimum(chance, _MOST_FAILING).astype(np.float32)


def letter_to_come(
    parameters: Parameters, design: Design, state: State, ahead: int
) -> NDArray[np.floating]:
    """Probability that a firm answers a letter that follows its last inspections, by firm.

    An inspection classified OAI is followed by a letter or not, after a time that is drawn; who
    looks at the market knows how long none has come.

    Parameters
    ----------
    parameters : Parameters
        Share of inspections that a letter follows.
    design : Design
        Plants of the firms.
    state : State
        The market.
    ahead : int
        Months after the one that begins, in which the firm answers.

    Returns
    -------
    array of float
        Firms that answer one already are not left out.
    """
    since = state.month - state.oai_at
    first, last = LETTER_LEAD
    each = parameters.warning_letter_share / (last - first + 1)
    passed = np.clip(since - first, 0, last - first + 1)
    # It is answered from the month after the letter on.
    by_then = np.clip(since + ahead - ANSWER_LEAD + 1 - first, 0, last - first + 1)
    chance = each * np.maximum(by_then - passed, 0) / (1 - each * passed)
    none = np.bincount(design.plant_firm, np.log1p(-chance), minlength=design.firms)
    return -np.expm1(none)


def letter_again_shares(parameters: Parameters, design: Design) -> NDArray[np.floating]:
    """Probability that another letter follows one that was answered for two years, by plant."""
    return np.where(
        design.plant_sterile,
        parameters.letter_again_share_sterile,
        parameters.letter_again_share,
    )


def planned_capacity(design: Design, state: State, ahead: int) -> Slots:
    """Capacities so many months after the one that begins, when what is planned has happened.

    Parameters
    ----------
    design : Design
        Drugs and plants.
    state : State
        The market.
    ahead : int
        Months.

    Returns
    -------
    array of int, shape (drugs, MAX_MAKERS)
    """
    month = state.month + ahead
    gone = (state.plant >= 0) & (state.exit_at <= month)
    left = np.flatnonzero(gone.any(axis=1))
    eased = np.flatnonzero((state.strained_until > state.month) & (state.strained_until <= month))
    capacity = state.capacity.copy()
    capacity[left] = capacity_without(design, state, left, gone[left])
    capacity[eased] = share_out(
        state.weight[eased], (state.plant[eased] >= 0) & ~gone[eased], design.slack[eased]
    )
    return capacity


def capacity_without(design: Design, state: State, rows: Positions, gone: Bools) -> Slots:
    """Capacities of those who stay, who make up for those who leave as far as they must."""
    stays = (state.plant[rows] >= 0) & ~gone
    slack = np.where(stays.sum(axis=1) >= _MANY, design.slack[rows], LEAST_SLACK)
    return share_out(state.weight[rows], stays, slack.astype(np.float32))


def at_risk(state: State) -> Bools:
    """Drugs that may fall short in the month that begins."""
    return (state.status == AT_RISK) & (state.plant >= 0).any(axis=1)


def listed_hazard(
    parameters: Parameters,
    design: Design,
    state: State,
    rates: Rates,
    who: Positions,
    ahead: int = 0,
) -> Floats:
    """Probability that a shortage that will be listed begins in a month, in drugs at risk.

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
    who : array of int
        Drugs.
    ahead : int
        Months after the one that begins. 0: exact. Else given what is planned, and without what
        is not decided yet.

    Returns
    -------
    array of float, shape (drugs,)
        0 for all but ``who``.
    """
    fails = np.zeros(state.plant.shape, dtype=np.float32)
    fails[rates.rows, rates.slots] = failing(parameters, design, state, rates, ahead)
    capacity = planned_capacity(design, state, ahead) if ahead else state.capacity
    hazard = np.zeros(design.drugs, dtype=np.float32)
    hazard[who] = parameters.listed_share * gap_probability(
        capacity[who],
        fails[who],
        state.surges(design, ahead)[who],
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
    failed, recalled, begun = _supply_and_demand(
        parameters, design, calendar, state, rates, rng, log
    )
    _ends(design, state)
    _makers(parameters, design, state, rates, failed, recalled, rng, log)
    _plants(parameters, design, state, rng, log)
    _disruptions(parameters, design, state, rates, rng, log)
    _entries(parameters, design, state, rng, log)
    _demand_and_prices(parameters, design, state, rng)
    state.month += 1
    _leave(design, state)
    return begun


def _supply_and_demand(
    parameters: Parameters,
    design: Design,
    calendar: Calendar,
    state: State,
    rates: Rates,
    rng: np.random.Generator,
    log: Log | None,
) -> tuple[Positions, Positions, Bools]:
    """Draw failures and surges; where supply falls below demand, something begins.

    Returns the makers that failed, those of them that recall what they had delivered, and the
    drugs of which a shortage that will be listed began.
    """
    month, rows, slots = state.month, rates.rows, rates.slots
    fails = rng.random(len(rows), dtype=np.float32) < failing(parameters, design, state, rates)
    surge = rng.random(design.drugs)
    need = DEMAND + CLASS_SURGE * state.surges(design)
    need = need + np.where(
        surge < parameters.large_surge_rate,
        LARGE_SURGE,
        np.where(surge < parameters.large_surge_rate + parameters.small_surge_rate, SMALL_SURGE, 0),
    )
    # Stocks at hand make up for some of it.
    need = need - rng.integers(0, DEMAND, design.drugs)
    usable = np.bincount(rows, weights=state.capacity[rows, slots] * ~fails, minlength=design.drugs)
    gap = at_risk(state) & (usable < need)
    hit = np.flatnonzero(fails)

    begun = np.zeros(design.drugs, dtype=np.bool_)
    who = np.flatnonzero(gap)
    if not len(who) and log is None:
        return hit, hit[:0], begun
    outcome = rng.random(len(who))
    unlisted_below = 1 - parameters.listed_share
    status = np.where(
        outcome < parameters.prevented_share,
        PREVENTED,
        np.where(outcome < unlisted_below, UNLISTED, LISTED),
    ).astype(np.int32)
    cause = _causes(parameters, state, who, rows[hit], slots[hit], rng)
    begin = calendar.day_in(month, rng.random(len(who)))
    lag = listing.lag_days(parameters, len(who), rng)
    is_listed = status == LISTED
    # What is posted late is so because stocks carry on for a while after a recall.
    slow = np.zeros(design.drugs, dtype=np.bool_)
    slow[who[is_listed & (lag >= listing.LATE)]] = True
    recalled = hit[slow[rows[hit]]]
    recalled = recalled[rng.random(len(recalled)) < parameters.late_recall_share]
    duration = listing.duration_days(parameters, design.injection[who], lag, rng)
    # What the list does not show is sooner over; a prevented gap ends when the import does.
    duration = np.where(is_listed, duration, np.maximum(60, duration // 3))
    duration = np.where(status == PREVENTED, np.minimum(duration, 120), duration)
    end = (begin + duration).astype(np.int32)
    # Lines that stand still do so until their firm has answered.
    answered = np.zeros(design.drugs, dtype=np.int32)
    np.maximum.at(answered, rows[hit], state.answered_at[design.plant_firm[rates.plants[hit]]])
    back = calendar.starts[answered[who]] + rng.integers(0, 60, len(who))
    halted = is_listed & (answered[who] > month)
    end = np.where(halted, np.maximum(back, begin + lag + listing.SHORTEST), end).astype(np.int32)
    # The list learns of an end late.
    delisted = (end + rng.integers(0, 60, len(who))).astype(np.int32)
    over = calendar.month_of(np.where(is_listed, delisted, end).astype(np.int32)) + 1
    # A gap within one that is not listed, or is prevented, is the same one.
    new = is_listed | (state.hidden_until[who] <= month)
    listed, other = who[is_listed], who[~is_listed & new]
    state.status[listed], state.until[listed] = LISTED, over[is_listed]
    state.hidden_until[listed] = 0
    state.hidden[other], state.hidden_until[other] = (
        status[~is_listed & new],
        over[~is_listed & new],
    )
    begun[listed] = True
    if log is not None:
        log.add(
            "gaps",
            month,
            drug=who[new].astype(np.int32),
            status=status[new],
            cause=cause[new],
            begin=begin[new],
            posted=(begin + lag)[new],
            end=end[new],
            delisted=delisted[new],
        )
        # Who failed when it began, for the listings.
        short = hit[gap[rows[hit]]]
        log.add(
            "short_makers",
            month,
            drug=rows[short].astype(np.int32),
            edge=state.edge[rows[short], slots[short]],
        )
    return hit, recalled, begun


def _causes(
    parameters: Parameters,
    state: State,
    who: Positions,
    rows: Positions,
    slots: Positions,
    rng: np.random.Generator,
) -> NDArray[np.int32]:
    """Mechanism that took most capacity from each drug; demand where no maker failed."""
    position = np.full(len(state.status), -1)
    position[who] = np.arange(len(who))
    mine = position[rows] >= 0
    rows, slots = rows[mine], slots[mine]
    causes = np.where(
        state.in_trouble()[rows, slots], state.trouble_cause[rows, slots], QUALITY
    ).astype(np.int64)
    taken = np.bincount(
        position[rows] * 4 + causes,
        weights=state.capacity[rows, slots],
        minlength=4 * len(who),
    ).reshape(-1, 4)
    found = np.where(taken.any(axis=1), taken.argmax(axis=1), DEMAND_SHOCK)
    # Of the failures at full stretch, those that there would not have been without it.
    strain = passing_factors(parameters, state)[1][who]
    stretched = (found == QUALITY) & (rng.random(len(who)) < 1 - 1 / strain)
    return np.where(stretched, MARGIN, found).astype(np.int32)


def _ends(design: Design, state: State) -> None:
    """End shortages, rebuilt stocks and strains that have had their time."""
    eased = np.flatnonzero(state.strained_until == state.month + 1)
    _settle(design, state, eased)
    over = np.flatnonzero((state.status != AT_RISK) & (state.until <= state.month + 1))
    if not len(over):
        return
    was_listed = state.status[over] == LISTED
    state.status[over] = np.where(was_listed, REBUILT, AT_RISK)
    state.last_end[over[was_listed]] = state.until[over[was_listed]]
    state.until[over] += np.where(was_listed, REBUILT_MONTHS, 0).astype(np.int32)


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
    failed: Positions,
    recalled: Positions,
    rng: np.random.Generator,
    log: Log | None,
) -> None:
    """Draw recalls and exits; at most one of them a maker and month."""
    month, rows, slots = state.month, rates.rows, rates.slots
    chance = rng.random(len(rows), dtype=np.float32)
    recalls = np.flatnonzero(chance < rates.recalled)
    leaves = np.flatnonzero((chance >= rates.recalled) & (chance < rates.recalled + rates.leaving))
    recalls_too = failed[rng.random(len(failed)) < parameters.failure_recall_share]
    recalls = np.union1d(np.union1d(recalls, recalls_too), recalled)
    halted = recalls[rng.random(len(recalls)) < parameters.recall_trouble_share]
    _trouble(state, rows[halted], slots[halted], RECALL_LEAD, RECALL_TROUBLE, QUALITY, rng)

    # Of several makers of one drug that would leave at once, the first does.
    leaves = leaves[np.unique(rows[leaves], return_index=True)[1]]
    noticed = rng.random(len(leaves)) < NOTICED_SHARE
    wait = np.where(
        noticed,
        _between(EXIT_LEAD_NOTICED, len(leaves), rng),
        _between(EXIT_LEAD_SILENT, len(leaves), rng),
    ).astype(np.int32)
    state.exit_at[rows[leaves], slots[leaves]] = month + wait
    # It winds down from its decision on.
    state.strained_from[rows[leaves]] = np.where(
        state.strained_until[rows[leaves]] > month, state.strained_from[rows[leaves]], month + 1
    )
    state.strained_until[rows[leaves]] = month + wait + STRAIN_MONTHS
    if log is not None:
        log.add(
            "recalls",
            month,
            edge=state.edge[rows[recalls], slots[recalls]],
            sterile=design.sterile[rows[recalls]],
            quality=state.quality[rates.plants[recalls]],
            grave=np.isin(recalls, recalled),
        )
        log.add(
            "exits",
            month,
            edge=state.edge[rows[leaves], slots[leaves]],
            noticed=noticed,
            leaves=month + wait,
        )


def _between(range_: tuple[int, int], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw whole months from first to last, both included."""
    return rng.integers(range_[0], range_[1] + 1, size)


def _sigmoid(log_odds: NDArray[np.floating]) -> NDArray[np.floating]:
    return 0.5 * (1.0 + np.tanh(0.5 * log_odds))


def _trouble(
    state: State,
    rows: Positions,
    slots: Positions,
    lead: tuple[int, int],
    length: tuple[int, int],
    cause: int,
    rng: np.random.Generator,
) -> None:
    """Plan trouble of the lines that are in none."""
    begin = state.month + _between(lead, len(rows), rng)
    end = begin + _between(length, len(rows), rng)
    free = state.trouble_until[rows, slots] <= state.month + 1
    at = rows[free], slots[free]
    state.trouble_from[at], state.trouble_until[at] = begin[free], end[free]
    state.trouble_cause[at] = cause


def _plants(
    parameters: Parameters,
    design: Design,
    state: State,
    rng: np.random.Generator,
    log: Log | None,
) -> None:
    """Let quality drift, inspect, write letters."""
    month, plants = state.month, design.plants
    firm = design.plant_firm
    remediating = state.remediating()[firm]
    inspected = np.flatnonzero(
        rng.random(plants)
        < np.where(remediating, parameters.reinspection_rate, parameters.inspection_rate)
    )
    quality = state.quality[inspected]
    # Who answers a letter is found wanting again until it has done so.
    worst = remediating[inspected] | (
        rng.random(len(inspected)) < _sigmoid(parameters.oai_steepness * (SUSPECT - quality))
    )
    state.oai_at[inspected[worst]] = month
    milder = rng.random(len(inspected)) < _sigmoid(-0.3 - 0.8 * quality)
    has_letter = (state.remediation_until > month)[firm]
    warned = rng.random(len(inspected)) < parameters.warning_letter_share
    warned &= worst & (state.letter_at[inspected] == NEVER) & ~has_letter[inspected]

    # A firm that was closed out is as good as others.
    done = (state.remediation_until == month + 1)[firm]
    state.quality[done] = np.maximum(state.quality[done], STANDARD)
    first_answered = month + ANSWER_LEAD
    again = (state.remediation_until == first_answered) & (state.answered_at > first_answered)
    due = state.letter_at == month
    state.letter_at[due] = NEVER
    due = np.flatnonzero(due & ~has_letter)
    rounds = rng.geometric(1 - letter_again_shares(parameters, design)[due])
    state.answered_at[firm[due]] = first_answered + REMEDIATION * np.minimum(rounds, MOST_LETTERS)
    state.remediation_from[firm[due]] = first_answered
    # The first plants are one of each firm.
    letters = np.union1d(due, np.flatnonzero(again))
    state.remediation_until[firm[letters]] = first_answered + REMEDIATION
    state.letter_at[inspected[warned]] = month + _between(LETTER_LEAD, int(warned.sum()), rng)
    keep = parameters.quality_persistence
    noise = rng.standard_normal(plants, dtype=np.float32) * QUALITY_SPREAD * np.sqrt(1 - keep**2)
    state.quality += ((1 - keep) * (design.plant_mean - state.quality) + noise).astype(np.float32)
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
    at = rates.rows[here], rates.slots[here]
    _trouble(state, *at, DISRUPTION_LEAD, DISRUPTION_TROUBLE, ABROAD, rng)
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
    state.weight[at] = np.exp(rng.normal(0.0, 0.1, len(filled)))
    share = state.weight[at] / state.weight[at[0]].sum(axis=1)
    units = np.maximum(np.rint(share * DEMAND * design.slack[at[0]]), 1)
    state.capacity[at] = units.astype(np.int32)
    state.trouble_from[at], state.trouble_until[at], state.exit_at[at] = NEVER, 0, NEVER
    calm = state.strained_until[at[0]] <= state.month + 1
    _settle(design, state, at[0][calm])
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
    aim = settled_log_price(parameters, design, makers)
    noise = 0.02 * rng.standard_normal(design.drugs, dtype=np.float32)
    state.log_price += (0.06 * (aim - state.log_price) + noise).astype(np.float32)


def _leave(design: Design, state: State) -> None:
    """Vacate the places of makers whose last month is over; those who stay make up for them."""
    gone = (state.plant >= 0) & (state.exit_at <= state.month)
    rows = np.flatnonzero(gone.any(axis=1))
    if not len(rows):
        return
    state.capacity[rows] = capacity_without(design, state, rows, gone[rows])
    state.plant[gone] = -1
    state.weight[gone], state.capacity[gone], state.edge[gone] = 0.0, 0, -1
    state.trouble_from[gone], state.trouble_until[gone], state.exit_at[gone] = NEVER, 0, NEVER
