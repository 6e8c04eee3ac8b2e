"""What the public records tell of the made-up market, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shortcast.features.simulated.calendar import Calendar, Days
from shortcast.features.simulated.catalogue import Catalogue, days_to_dates
from shortcast.features.simulated.design import Design
from shortcast.features.simulated.market import Log
from shortcast.features.simulated.parameters import Parameters
from shortcast.features.simulated.state import ABROAD, DEMAND_SHOCK, LISTED, MARGIN, PREVENTED

#: Reasons of recalls as they are worded, with the share among sterile and other drugs.
RECALL_REASONS = (
    ("Lack of Assurance of Sterility", 0.45, 0.0),
    ("Presence of Particulate Matter", 0.25, 0.0),
    ("CGMP Deviations", 0.18, 0.5),
    ("Failed Impurities/Degradation Specifications", 0.12, 0.3),
    ("Failed Dissolution Specifications", 0.0, 0.2),
)
#: Reasons of the shortage list (section 506C) by mechanism.
LISTED_REASONS = {
    0: "Requirements related to complying with good manufacturing practices",
    MARGIN: "Discontinuation of the manufacture of the drug",
    DEMAND_SHOCK: "Demand increase for the drug",
    ABROAD: "Shipping delay of the drug",
}
CLASSIFICATIONS = ("NAI", "VAI", "OAI")
_PREMATURE_SHARE = 0.05
#: Recalls of what a failure that empties the market had delivered, that are of Class I.
_GRAVE_CLASS_1_SHARE = 0.8
_CANADA_NOISE, _ENGLAND_NOISE = 0.0008, 0.001


@dataclass(frozen=True)
class Reports:
    """Tables of the sources; see `World` for their columns."""

    shortages: pd.DataFrame
    postings: pd.DataFrame
    posting_updates: pd.DataFrame
    discontinuations: pd.DataFrame
    recalls: pd.DataFrame
    inspections: pd.DataFrame
    warning_letters: pd.DataFrame
    published_483s: pd.DataFrame
    compliance_actions: pd.DataFrame
    canada: pd.DataFrame
    england: pd.DataFrame


def make_reports(
    parameters: Parameters,
    design: Design,
    calendar: Calendar,
    log: Log,
    catalogue: Catalogue,
    rng: np.random.Generator,
) -> Reports:
    """Turn what happened into what was published.

    Parameters
    ----------
    parameters : Parameters
        Lags.
    design : Design
        Drugs and plants.
    calendar : Calendar
        Days of the months.
    log : Log
        What happened.
    catalogue : Catalogue
        Names and products.
    rng : Generator
        Source of chance.

    Returns
    -------
    Reports
    """
    shortages = _shortages(log)
    postings, updates = _postings(log, shortages, catalogue, rng)
    inspections = _inspections(calendar, log, catalogue, rng)
    letters = _letters(calendar, log, catalogue, rng)
    actions = pd.concat(
        [letters.assign(action_type="Warning Letter"), _injunctions(letters, rng)],
        ignore_index=True,
    )
    actions = actions.drop(columns=["published_at"]).assign(
        published_at=actions["event_date"] + pd.Timedelta(days=30)
    )
    canada, england = _abroad(parameters, design, calendar, log, catalogue, shortages, rng)
    return Reports(
        shortages=shortages,
        postings=postings,
        posting_updates=updates,
        discontinuations=_discontinuations(calendar, log, catalogue, rng),
        recalls=_recalls(parameters, calendar, log, catalogue, rng),
        inspections=inspections,
        warning_letters=letters,
        published_483s=_published_483s(inspections, rng),
        compliance_actions=actions,
        canada=canada,
        england=england,
    )


def _spread(calendar: Calendar, months: NDArray[np.int32], rng: np.random.Generator) -> Days:
    """Draw a day of each month, all alike."""
    length = calendar.starts[months + 1] - calendar.starts[months]
    return (calendar.starts[months] + (rng.random(len(months)) * length)).astype(np.int32)


def _shortages(log: Log) -> pd.DataFrame:
    gaps = log.joined("gaps")
    listed = gaps["status"] == LISTED
    table = pd.DataFrame(
        {
            "shortage": np.arange(len(listed), dtype=np.int32),
            "drug": gaps["drug"],
            "month": gaps["month"],
            "cause": gaps["cause"].astype(np.int8),
            "outcome": np.where(
                listed, "listed", np.where(gaps["status"] == PREVENTED, "prevented", "unlisted")
            ),
            "event_date": days_to_dates(gaps["begin"]),
            "published_at": days_to_dates(gaps["posted"], listed),
            "ended_on": days_to_dates(gaps["end"]),
            "delisted_on": days_to_dates(gaps["delisted"], listed),
        }
    )
    # What the list did not show is over when it shows the next one.
    order = table.sort_values(["drug", "event_date"], kind="stable")
    next_one = order.groupby("drug")["event_date"].shift(-1).reindex(table.index)
    table["ended_on"] = table["ended_on"].where(listed | ~(next_one < table["ended_on"]), next_one)
    return table


def _postings(
    log: Log, shortages: pd.DataFrame, catalogue: Catalogue, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row a product of a maker that sells the drug when it is posted."""
    listed = shortages[shortages["outcome"] == "listed"]
    own = catalogue.products[~catalogue.products["is_repackaged"]]
    rows = listed.merge(
        own[["drug", "product", "firm", "application", "start_marketing", "end_marketing"]],
        on="drug",
    )
    there = (rows["start_marketing"] <= rows["published_at"]) & ~(
        rows["end_marketing"] <= rows["published_at"]
    )
    rows = rows[there].reset_index(drop=True)
    down = log.joined("short_makers")
    key = pd.MultiIndex.from_arrays([down["drug"], down["month"], down["edge"]])
    is_down = pd.MultiIndex.from_frame(rows[["drug", "month", "application"]]).isin(key)
    # Makers that cannot deliver are posted at once, and so is the first of all; others follow.
    first = ~rows["shortage"].duplicated() | is_down
    wait = np.where(first, 0, rng.integers(0, 120, len(rows)))
    posted = rows["published_at"] + pd.to_timedelta(wait, unit="D")
    delisted = rows["delisted_on"]
    posted = posted.where(posted < delisted - pd.Timedelta(days=5), rows["published_at"])
    chance = rng.random(len(rows))
    availability = np.where(
        is_down,
        np.where(chance < 0.75, "Unavailable", "Limited Availability"),
        np.where(chance < 0.7, "Available", "Limited Availability"),
    )
    reason = rows["cause"].map(LISTED_REASONS).where(rng.random(len(rows)) > 0.45, "")
    late = (rows["published_at"] - rows["event_date"]).dt.days >= 60
    postings = pd.DataFrame(
        {
            "posting": np.arange(len(rows), dtype=np.int32),
            "shortage": rows["shortage"],
            "drug": rows["drug"],
            "firm": rows["firm"],
            "product": rows["product"],
            "event_date": rows["event_date"],
            "published_at": posted,
            "resolved_on": delisted,
            "removed_on": delisted + pd.to_timedelta(rng.integers(0, 180, len(rows)), unit="D"),
            "availability": pd.Series(availability, dtype="str"),
            "reason": reason.astype("str"),
            "listed_late": late,
        }
    )
    return postings, _updates(postings, rng)


def _updates(postings: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Status history: posted, revised, taken off too early and listed again, resolved."""
    # Whoever revises does not know how long it will last: no date hangs on that of the end.
    revised = postings["published_at"] + _days(30 * 10 ** rng.random(len(postings)))
    begin = postings[["posting", "published_at", "availability"]].rename(
        columns={"published_at": "event_date"}
    )
    parts = [
        begin.assign(status="Current", update_type="New"),
        begin.assign(
            event_date=revised,
            availability="Limited Availability",
            status="Current",
            update_type="Revised",
        )[revised < postings["resolved_on"]],
        begin.assign(
            event_date=postings["resolved_on"],
            availability="Available",
            status="Resolved",
            update_type="Revised",
        ),
    ]
    # Whole shortages are taken off the list too early, and come back within five months.
    shortage, chance = postings["shortage"], rng.random(postings["shortage"].nunique())
    chosen = chance[pd.factorize(shortage)[0]] / _PREMATURE_SHARE
    gone = postings.groupby("shortage")["published_at"].transform("max") + _days(60 + 300 * chosen)
    back = gone + pd.Timedelta(days=100)
    early = (chosen < 1) & (back + pd.Timedelta(days=30) < postings["resolved_on"])
    parts += [
        begin.assign(
            event_date=gone, availability="Available", status="Resolved", update_type="Revised"
        )[early],
        begin.assign(event_date=back, status="Current", update_type="Revised")[early],
    ]
    updates = pd.concat(parts, ignore_index=True)
    updates["published_at"] = updates["event_date"]
    return updates.sort_values(["posting", "event_date"], kind="stable", ignore_index=True)


def _days(number: NDArray[np.floating]) -> pd.Series:
    """Whole days as lengths of time."""
    return pd.Series(pd.to_timedelta(number.astype(np.int64), unit="D"))


def _discontinuations(
    calendar: Calendar, log: Log, catalogue: Catalogue, rng: np.random.Generator
) -> pd.DataFrame:
    """Makers' notices, posted as To Be Discontinued within days; one row a product."""
    exits = log.joined("exits")
    told = exits["noticed"]
    day = _spread(calendar, exits["month"][told], rng)
    notices = pd.DataFrame(
        {
            "application": exits["edge"][told],
            "event_date": days_to_dates(day),
            "published_at": days_to_dates(day + rng.integers(2, 15, len(day))),
            "discontinued_on": days_to_dates(calendar.starts[exits["leaves"][told]]),
        }
    )
    own = catalogue.products[~catalogue.products["is_repackaged"]]
    return notices.merge(own[["application", "drug", "firm", "product"]], on="application")


def _recalls(
    parameters: Parameters,
    calendar: Calendar,
    log: Log,
    catalogue: Catalogue,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Recall events, one row a product of the maker."""
    found = log.joined("recalls")
    size = len(found["month"])
    begun = _spread(calendar, found["month"], rng)
    lag = parameters.recall_lag_median_days * np.exp(
        parameters.recall_lag_sigma * rng.standard_normal(size)
    )
    lag = np.clip(lag, 3, 600).astype(np.int32)
    chance = rng.random(size)
    shares = np.array([[row[2], row[1]] for row in RECALL_REASONS]).cumsum(axis=0)
    which = (chance[:, None] >= shares[:-1, found["sterile"].astype(np.int64)].T).sum(axis=1)
    severity = rng.random(size) + 0.1 * found["sterile"]
    severity[found["grave"] & (rng.random(size) < _GRAVE_CLASS_1_SHARE)] = 1.0
    events = pd.DataFrame(
        {
            "event": 90_001 + np.arange(size, dtype=np.int32),
            "application": found["edge"],
            "reason": pd.Series([row[0] for row in RECALL_REASONS], dtype="str")
            .take(which)
            .to_numpy(),
            "classification": np.where(
                severity > 0.97, "Class I", np.where(severity > 0.2, "Class II", "Class III")
            ),
            "event_date": days_to_dates(begun),
            "classified_on": days_to_dates(begun + np.maximum(lag - 7, 1)),
            "published_at": days_to_dates(begun + lag),
        }
    )
    events["terminated_on"] = events["published_at"] + pd.to_timedelta(
        rng.integers(90, 700, size), unit="D"
    )
    own = catalogue.products[~catalogue.products["is_repackaged"]]
    rows = events.merge(own[["application", "drug", "firm", "product"]], on="application")
    plant = catalogue.applications["plant"].to_numpy()[rows["application"]]
    rows["plant"] = plant
    rows["fei"] = catalogue.plants["fei"].to_numpy()[plant]
    # Sorted by event; the number of a product within it makes its recall number.
    year = rows["published_at"].dt.year.astype("str")
    serial = (np.arange(len(rows)) + 1).astype(str)
    rows["recall_number"] = "D-S" + pd.Series(serial, dtype="str").str.zfill(6) + "-" + year
    return rows.drop(columns="application")


def _inspections(
    calendar: Calendar, log: Log, catalogue: Catalogue, rng: np.random.Generator
) -> pd.DataFrame:
    found = log.joined("inspections")
    day = _spread(calendar, found["month"], rng)
    plants = catalogue.plants
    return pd.DataFrame(
        {
            "inspection": 1_900_001 + np.arange(len(day), dtype=np.int32),
            "plant": found["plant"],
            "firm": plants["firm"].to_numpy()[found["plant"]],
            "fei": plants["fei"].to_numpy()[found["plant"]],
            "classification": np.array(CLASSIFICATIONS, dtype=object)[found["result"]],
            "event_date": days_to_dates(day),
            "published_at": days_to_dates(day + rng.integers(60, 91, len(day))),
        }
    )


def _letters(
    calendar: Calendar, log: Log, catalogue: Catalogue, rng: np.random.Generator
) -> pd.DataFrame:
    found = log.joined("letters")
    # Early in the month before lines change, so that most letters are seen before their effect.
    day = calendar.starts[found["month"]] + rng.integers(0, 10, len(found["month"]))
    lag = np.minimum(3 + rng.geometric(0.12, len(day)), 90)
    plants = catalogue.plants
    return pd.DataFrame(
        {
            "case": 690_001 + np.arange(len(day), dtype=np.int32),
            "plant": found["plant"],
            "firm": plants["firm"].to_numpy()[found["plant"]],
            "fei": plants["fei"].to_numpy()[found["plant"]],
            "event_date": days_to_dates(day),
            "published_at": days_to_dates(day + lag),
        }
    )


def _injunctions(letters: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Enjoin a few plants with a letter a year later."""
    few = letters[rng.random(len(letters)) < 0.04]
    return few.assign(
        case=few["case"] + 100_000,
        event_date=few["event_date"] + pd.Timedelta(days=365),
        action_type="Injunction",
    )


def _published_483s(inspections: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Publish some observations years later (median 2,459 days, counted)."""
    some = inspections[
        (inspections["classification"] != "NAI") & (rng.random(len(inspections)) < 0.15)
    ]
    lag = np.clip(2459 * np.exp(0.6 * rng.standard_normal(len(some))), 20, 7000).astype(np.int64)
    return some[["inspection", "plant", "firm", "fei", "event_date"]].assign(
        published_at=some["event_date"] + pd.to_timedelta(lag, unit="D")
    )


def _abroad(
    parameters: Parameters,
    design: Design,
    calendar: Calendar,
    log: Log,
    catalogue: Catalogue,
    shortages: pd.DataFrame,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Report in Canada and concede prices in England: after disruptions, gaps, or nothing."""
    found = log.joined("disruptions")
    drug = catalogue.applications["drug"].to_numpy()[found["edge"]]
    firm = catalogue.applications["firm"].to_numpy()[found["edge"]]
    gap_drug = shortages["drug"].to_numpy()
    gap_month = shortages["month"].to_numpy()
    gap_day = shortages["event_date"].to_numpy().astype("datetime64[D]").astype(np.int32)
    shared = rng.random(len(gap_drug)) < 0.25

    def noise(rate: float, sold: NDArray[np.bool_]) -> tuple[NDArray[np.int32], ...]:
        count = rng.poisson(rate * sold.sum() * parameters.months)
        who = rng.choice(np.flatnonzero(sold), count) if sold.any() else np.zeros(0, np.int64)
        return who.astype(np.int32), rng.integers(parameters.months, size=count, dtype=np.int32)

    def gathered(
        rate: float, sold: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        own_drug, own_month = noise(rate, sold)
        drugs = np.concatenate([drug, gap_drug[shared], own_drug]).astype(np.int32)
        months = np.concatenate([found["month"], gap_month[shared], own_month]).astype(np.int32)
        firms = np.concatenate([firm, np.full(int(shared.sum()) + len(own_drug), -1)]).astype(
            np.int32
        )
        # A gap is felt abroad when it has begun here, not before.
        earliest = np.zeros(len(drugs), dtype=np.int32)
        earliest[len(drug) : len(drug) + int(shared.sum())] = gap_day[shared]
        seen = sold[drugs] & (rng.random(len(drugs)) < 0.95)
        order = np.argsort(months[seen], kind="stable")
        return drugs[seen][order], months[seen][order], firms[seen][order], earliest[seen][order]

    drugs, months, firms, earliest = gathered(_CANADA_NOISE, design.sold_in_canada)
    makers = rng.integers(design.firms, size=len(drugs))
    day = np.maximum(_spread(calendar, months, rng), earliest)
    lasts = np.clip(90 * np.exp(0.8 * rng.standard_normal(len(day))), 14, 1500).astype(np.int32)
    canada = pd.DataFrame(
        {
            "report": 100_001 + np.arange(len(day), dtype=np.int32),
            "drug": drugs,
            "firm": np.where(firms >= 0, firms, makers).astype(np.int32),
            "report_type": np.where(rng.random(len(day)) < 0.9, "Shortage", "Discontinuation"),
            "event_date": days_to_dates(day),
            "published_at": days_to_dates(day + np.minimum(rng.geometric(0.2, len(day)) - 1, 40)),
            "ended_on": days_to_dates(day + lasts),
        }
    )
    drugs, months, _, earliest = gathered(_ENGLAND_NOISE, design.sold_in_england)
    # Concessions are of whole months: that of a gap begins with the next.
    months = months + (calendar.starts[months] < earliest)
    runs = rng.geometric(0.4, len(drugs))
    each = np.repeat(np.arange(len(drugs)), runs)
    step = np.arange(len(each)) - np.repeat(np.cumsum(runs) - runs, runs)
    when = months[each] + step
    keep = when < parameters.months
    day = calendar.starts[when[keep]]
    england = pd.DataFrame(
        {
            "drug": drugs[each][keep],
            "event_date": days_to_dates(day),
            "published_at": days_to_dates(day + rng.integers(5, 28, len(day))),
            "price_factor": (1.3 + rng.random(len(day))).astype(np.float32),
        }
    ).drop_duplicates(["drug", "event_date"], ignore_index=True)
    return canada, england.sort_values(["event_date", "drug"], ignore_index=True)
