"""The state of the made-up market at the start of a month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shortcast.features.simulated.design import (
    DEMAND,
    MAX_MAKERS,
    QUALITY_SPREAD,
    Bools,
    Design,
    Floats,
    Ints,
)
from shortcast.features.simulated.parameters import Parameters

#: A month that never comes.
NEVER: Final = np.int32(1 << 20)

#: States of a drug: at risk; in a shortage that is listed, or will be; the stock rebuilt after it,
#: in which no new one is possible. A gap may also be one that the list never shows, or be
#: prevented: neither keeps a later one off the list.
AT_RISK, LISTED, UNLISTED, PREVENTED, REBUILT = range(5)
#: Months after the one in which a listing ends before the drug is at risk again. A new listing is
#: an onset only after six months without one (`shortcast.features.spells.QUIET_MONTHS`), counted
#: from the capture that no longer shows the old one.
REBUILT_MONTHS = 7

#: Mechanisms behind a shortage.
CAUSES = ("quality", "margin", "demand", "abroad")
QUALITY, MARGIN, DEMAND_SHOCK, ABROAD = range(4)

Slots = NDArray[np.int32]


@dataclass
class State:
    """All that the future depends on.

    Arrays of shape (drugs, MAX_MAKERS) have one element a maker of a drug, or a vacant place.

    Parameters
    ----------
    month : int
        The month that is about to begin.
    log_price : array of float
        By drug.
    status, until : array of int
        By drug: one of `AT_RISK` ..., and the first month in which it no longer holds.
    hidden, hidden_until : array of int
        By drug: `UNLISTED` or `PREVENTED`, the kind of the last gap that the list does not show,
        and the first month in which it is over.
    strained_from, strained_until : array of int
        By drug: months in which those who stay make up for a maker that leaves or has left.
    last_end : array of int
        By drug: the month in which its last listed shortage ended.
    class_until : array of int
        By class: the first month after a surge of demand.
    plant : array of int
        Plant of each maker, -1 where vacant.
    weight : array of float
        Share of each maker in the market, up to a factor.
    capacity : array of int
        Units a month; `DEMAND` of them are ordinary demand. 0 where vacant.
    trouble_from, trouble_until, trouble_cause : array of int
        Months in which each maker's line is in trouble, and the mechanism.
    exit_at : array of int
        First month in which the maker has left.
    edge : array of int
        Number of the maker among all that ever were, for the records.
    quality : array of float
        By plant; low is bad.
    oai_at : array of int
        By plant: when it was last inspected and classified OAI.
    letter_at : array of int
        By plant: when a warning letter comes. Nobody knows it before, and it is in no hazard; that
        one may follow an inspection is.
    remediation_from, remediation_until : array of int
        By firm: the first of the months in which it answers a warning letter, in all of its
        plants, and the first month after them.
    answered_at : array of int
        By firm: the first month after it has answered the last of a row of letters. Nobody knows
        it before, and it is in no hazard.
    """

    month: int
    log_price: Floats
    status: Ints
    until: Ints
    hidden: Ints
    hidden_until: Ints
    strained_from: Ints
    strained_until: Ints
    last_end: Ints
    class_until: Ints
    plant: Slots
    weight: Floats
    capacity: Slots
    trouble_from: Slots
    trouble_until: Slots
    trouble_cause: Slots
    exit_at: Slots
    edge: Slots
    quality: Floats
    oai_at: Ints
    letter_at: Ints
    remediation_from: Ints
    remediation_until: Ints
    answered_at: Ints

    def repeated(self, worlds: int, plants: int) -> State:
        """Return the same state several times over, for `Design.repeated`.

        Parameters
        ----------
        worlds : int
            How many copies.
        plants : int
            Plants of one copy.

        Returns
        -------
        State
            Independent of this one.
        """
        copies = {
            name: np.tile(value, (worlds,) + (1,) * (value.ndim - 1))
            for name, value in vars(self).items()
            if isinstance(value, np.ndarray)
        }
        offset = np.repeat(np.arange(worlds, dtype=np.int32) * plants, len(self.plant))[:, None]
        copies["plant"] = np.where(copies["plant"] >= 0, copies["plant"] + offset, -1)
        return State(month=self.month, **copies)

    def in_trouble(self, ahead: int = 0) -> Bools:
        """Makers whose line is in trouble so many months after the one that begins."""
        month = self.month + ahead
        return (self.trouble_from <= month) & (month < self.trouble_until)

    def remediating(self, ahead: int = 0) -> Bools:
        """Firms that answer a warning letter so many months after the one that begins."""
        month = self.month + ahead
        return (self.remediation_from <= month) & (month < self.remediation_until)

    def strained(self, ahead: int = 0) -> Bools:
        """Drugs whose makers run at full stretch so many months after the one that begins."""
        month = self.month + ahead
        return (self.strained_from <= month) & (month < self.strained_until)

    def surges(self, design: Design, ahead: int = 0) -> Bools:
        """Drugs whose class has a surge of demand so many months after the one that begins."""
        return self.class_until[design.drug_class] > self.month + ahead


def share_out(weight: Floats, stays: Bools, slack: Floats) -> Slots:
    """Capacities that cover demand with a drug's slack, by the weights of its makers.

    Parameters
    ----------
    weight : array of float, shape (drugs, MAX_MAKERS)
        Shares up to a factor.
    stays : array of bool, shape (drugs, MAX_MAKERS)
        Makers among whom it is shared.
    slack : array of float, shape (drugs,)
        Capacity against ordinary demand.

    Returns
    -------
    array of int
        At least 1 for a maker that stays, 0 for others.
    """
    shares = np.where(stays, weight, 0.0)
    total = np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)
    units = np.rint(shares / total * (DEMAND * slack)[:, None])
    capacity = np.where(stays, np.maximum(units, 1), 0).astype(np.int32)
    # Rounding must not leave a market short by itself: its largest maker makes up for it.
    missing = np.maximum(DEMAND + 1 - capacity.sum(axis=1), 0)
    missing[~stays.any(axis=1)] = 0
    rows = np.arange(len(capacity))
    largest = np.where(stays, weight, -1.0).argmax(axis=1)
    capacity[rows, largest] += missing.astype(np.int32)
    return capacity


def first_state(parameters: Parameters, design: Design, rng: np.random.Generator) -> State:
    """Draw the market's first state: everyone delivers.

    Parameters
    ----------
    parameters : Parameters
        Rates.
    design : Design
        Drugs and plants.
    rng : Generator
        Source of chance.

    Returns
    -------
    State
    """
    drugs, plants = design.drugs, design.plants
    shape = (drugs, MAX_MAKERS)
    plant = np.full(shape, -1, dtype=np.int32)
    for slot in range(MAX_MAKERS):
        for _ in range(4):
            open_ = np.flatnonzero((design.makers_target > slot) & (plant[:, slot] < 0))
            place_makers(design, plant, open_, np.full(len(open_), slot), rng)
    active = plant >= 0
    weight = np.where(active, np.exp(rng.normal(0.0, 0.05, shape)), 0.0).astype(np.float32)
    edge = np.full(shape, -1, dtype=np.int32)
    edge[active] = np.arange(active.sum(), dtype=np.int32)
    makers = active.sum(axis=1)

    def months(size: int | tuple[int, int], value: int) -> Ints:
        return np.full(size, value, dtype=np.int32)

    return State(
        month=0,
        log_price=(
            design.base_log_price - parameters.price_per_maker * (np.log1p(makers) - np.log(2.0))
        ).astype(np.float32),
        status=months(drugs, AT_RISK),
        until=months(drugs, 0),
        hidden=months(drugs, PREVENTED),
        hidden_until=months(drugs, 0),
        strained_from=months(drugs, int(NEVER)),
        strained_until=months(drugs, 0),
        last_end=months(drugs, -1000),
        class_until=months(design.classes, 0),
        plant=plant,
        weight=weight,
        capacity=share_out(weight, active, design.slack),
        trouble_from=months(shape, int(NEVER)),
        trouble_until=months(shape, 0),
        trouble_cause=months(shape, 0),
        exit_at=months(shape, int(NEVER)),
        edge=edge,
        quality=(design.plant_mean + rng.normal(0.0, QUALITY_SPREAD, plants)).astype(np.float32),
        oai_at=months(plants, -1000),
        letter_at=months(plants, int(NEVER)),
        remediation_from=months(design.firms, int(NEVER)),
        remediation_until=months(design.firms, 0),
        answered_at=months(design.firms, 0),
    )


def place_makers(
    design: Design,
    plant: Slots,
    rows: NDArray[np.int64],
    slots: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Put a maker into one place of each of some drugs, unless its firm makes the drug already.

    Parameters
    ----------
    design : Design
        Drugs and plants.
    plant : array of int, shape (drugs, MAX_MAKERS)
        Changed in place.
    rows, slots : array of int
        Drugs, each at most once, and the place in each.
    rng : Generator
        Source of chance.

    Returns
    -------
    array of int
        Positions in ``rows`` that were filled.
    """
    if not len(rows):
        return rows
    chance = rng.random(len(rows))
    chosen = np.empty(len(rows), dtype=np.int32)
    for kind, pool in enumerate(design.pools):
        mine = design.sterile[rows] == bool(kind)
        chosen[mine] = pool[(chance[mine] * len(pool)).astype(np.int64)]
    # Each copy of the market has its own plants.
    chosen += (rows // (design.drugs // design.worlds) * (design.plants // design.worlds)).astype(
        np.int32
    )
    there = np.where(plant[rows] >= 0, design.plant_firm[plant[rows]], -1)
    filled = np.flatnonzero(~(there == design.plant_firm[chosen][:, None]).any(axis=1))
    plant[rows[filled], slots[filled]] = chosen[filled]
    return filled
