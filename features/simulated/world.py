"""A whole made-up market: what its sources report, and the truth behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shortcast.features.kind import metadata
from shortcast.features.simulated.calendar import Calendar
from shortcast.features.simulated.catalogue import Catalogue, make_catalogue
from shortcast.features.simulated.design import Design, make_design
from shortcast.features.simulated.listing import LATEST_MONTHS
from shortcast.features.simulated.market import Log, advance, monthly_rates
from shortcast.features.simulated.parameters import Parameters
from shortcast.features.simulated.reports import Reports, make_reports
from shortcast.features.simulated.state import (
    CAUSES,
    LISTED,
    NEVER,
    UNLISTED,
    first_state,
)
from shortcast.features.simulated.truth import (
    HORIZONS,
    LONGER,
    Futures,
    foresight,
    main_causes,
    waits,
    with_pending,
)


@dataclass(frozen=True)
class Truth:
    """True hazards; arrays of shape (months, drugs).

    Parameters
    ----------
    as_of : array of datetime64[D], shape (months,)
        First days of the months.
    drug_id : array of str, shape (drugs,)
        Slugs.
    hazard : dict
        Horizon in months to hazards: probability that a new shortage is posted from the as-of
        date on, before so many months are over (`shortcast.features.simulated.truth`).
    in_shortage : array of bool
        Whether a shortage that is or will be listed, or never is, has begun and not ended, or the
        list still shows it.
    is_listed : array of bool
        Whether the list shows the drug as current.
    cause : array of int
        Position in `CAUSES` of the mechanism with the largest part in the hazard; -1 where the
        drug is not at risk.
    """

    as_of: NDArray[np.datetime64]
    drug_id: NDArray[np.object_]
    hazard: dict[int, NDArray[np.float32]]
    in_shortage: NDArray[np.bool_]
    is_listed: NDArray[np.bool_]
    cause: NDArray[np.int8]

    def table(self, first: int = 0, last: int | None = None) -> pa.Table:
        """Rows of some months, in order of month and drug.

        Parameters
        ----------
        first, last : int
            Positions in `as_of`; the last is left out.

        Returns
        -------
        Table
            ``drug_id``, ``as_of``, ``hazard_1m``, ``hazard_3m``, ``hazard_6m``, ``hazard_12m``,
            ``in_shortage``, ``is_listed``, ``cause`` (null where not at risk).
        """
        months = self.as_of[first:last]
        drugs = len(self.drug_id)
        cause = self.cause[first:last].ravel()
        columns = {
            "drug_id": pa.DictionaryArray.from_arrays(
                pa.array(np.tile(np.arange(drugs, dtype=np.int32), len(months))),
                pa.array(self.drug_id, type=pa.string()),
            ),
            "as_of": pa.array(np.repeat(months, drugs), type=pa.date32()),
            **{
                f"hazard_{h}m": pa.array(values[first:last].ravel())
                for h, values in self.hazard.items()
            },
            "in_shortage": pa.array(self.in_shortage[first:last].ravel()),
            "is_listed": pa.array(self.is_listed[first:last].ravel()),
            "cause": pa.DictionaryArray.from_arrays(
                pa.array(np.maximum(cause, 0), mask=cause < 0), pa.array(CAUSES)
            ),
        }
        return pa.table(columns)

    def write(self, path: Path) -> None:
        """Write all rows as Parquet, a year at a time; that they are made up stands inside.

        Parameters
        ----------
        path : Path
            ``truth.parquet``.
        """
        mark = metadata("simulated")
        with pq.ParquetWriter(path, self.table(0, 1).schema.with_metadata(mark)) as writer:
            for first in range(0, len(self.as_of), 12):
                writer.write_table(self.table(first, first + 12).replace_schema_metadata(mark))


@dataclass(frozen=True)
class World:
    """A simulated market. Dates are when something happened and when it was published.

    ``drug``, ``firm``, ``plant``, ``application``, ``product`` are row numbers of the tables of
    these names. Tables go back to before `starts_on`; a market has a past.

    Parameters
    ----------
    parameters : Parameters
        What it was made with.
    starts_on, ends_on : date
        First day of the records, and the first day after them.
    catalogue : Catalogue
        ``ingredients`` (ingredient, salt, ingredient_class), ``drugs`` (drug_id, ingredients,
        form_group, dosage_form, route, form_words, unit, schedule, is_unapproved, drug_class,
        sold_in_canada, sold_in_england), ``firms`` (firm, name, full_name, parent, labeler_code,
        is_repackager, state), ``plants`` (plant, firm, fei, duns, name, city, state, country,
        is_sterile), ``applications`` (application, drug, firm, plant, application_type,
        application_no, approval_date, left_on), ``products`` (product, application, drug, firm,
        product_no, strength, brand, price_factor, is_repackaged, product_ndc, package_ndc,
        start_marketing, end_marketing, package), ``marketing`` (application, status, event_date,
        published_at).
    reports : Reports
        ``shortages`` (shortage, drug, month, cause, outcome, event_date, published_at, ended_on,
        delisted_on: the truth, not a source), ``postings`` (posting, shortage, drug, firm, product,
        event_date, published_at, resolved_on, removed_on, availability, reason, listed_late),
        ``posting_updates`` (posting, event_date, published_at, availability, status, update_type),
        ``discontinuations`` (application, drug, firm, product, event_date, published_at,
        discontinued_on), ``recalls`` (event, recall_number, drug, firm, plant, fei, product,
        reason, classification, event_date, classified_on, published_at, terminated_on),
        ``inspections`` (inspection, plant, firm, fei, classification, event_date, published_at),
        ``warning_letters`` (case, plant, firm, fei, event_date, published_at),
        ``published_483s`` (inspection, plant, firm, fei, event_date, published_at),
        ``compliance_actions`` (as letters, and action_type), ``canada`` (report, drug, firm,
        report_type, event_date, published_at, ended_on), ``england`` (drug, event_date,
        published_at, price_factor).
    price_months : array of datetime64[D]
        First days of the months of `log_price`, the burn-in included.
    log_price : array of float, shape (months, drugs)
        Log of the price in dollars a unit.
    volume : array of float, shape (drugs,)
        Units sold a year.
    truth : Truth
        Hazards from `starts_on` on.
    """

    parameters: Parameters
    starts_on: date
    ends_on: date
    catalogue: Catalogue
    reports: Reports
    price_months: NDArray[np.datetime64]
    log_price: NDArray[np.float32]
    volume: NDArray[np.float64]
    truth: Truth

    def survey_prices(self, year: int) -> pd.DataFrame:
        """Monthly retail survey prices of one year (NADAC covers few injections).

        Parameters
        ----------
        year : int
            Calendar year.

        Returns
        -------
        DataFrame
            ``product``, ``event_date`` (first of the month), ``published_at`` (the Wednesday of
            the following week, about), ``price_usd_per_unit``; products marketed in the month.
        """
        products = self.catalogue.products
        rng = np.random.default_rng([self.parameters.seed, 77])
        injected = (self.catalogue.drugs["form_group"] == "injection").to_numpy()
        surveyed = rng.random(len(injected)) < np.where(injected, 0.2, 0.78)
        some = products[surveyed[products["drug"]] & ~products["is_repackaged"].to_numpy()]
        months = np.flatnonzero(
            self.price_months.astype("datetime64[Y]").astype(int) + 1970 == year
        )
        parts = []
        for month in months:
            day = pd.Timestamp(self.price_months[month])
            sold = some[(some["start_marketing"] <= day) & ~(some["end_marketing"] <= day)]
            price = np.exp(self.log_price[month, sold["drug"]]) * sold["price_factor"]
            parts.append(
                pd.DataFrame(
                    {
                        "product": sold["product"],
                        "event_date": day,
                        "published_at": day + pd.Timedelta(days=7),
                        "price_usd_per_unit": price.round(5),
                    }
                )
            )
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def payment_limits(self) -> pd.DataFrame:
        """Quarterly payment limits of injections: 106 % of the price two quarters before.

        Returns
        -------
        DataFrame
            ``drug``, ``event_date`` (first day of the quarter), ``published_at``,
            ``limit_usd_per_unit``.
        """
        who = np.flatnonzero((self.catalogue.drugs["form_group"] == "injection").to_numpy())
        months = np.arange(6, len(self.price_months))
        # The burn-in and the records both begin with a quarter when whole years are left out.
        months = months[self.price_months[months].astype("datetime64[M]").astype(int) % 3 == 0]
        limits = 1.06 * np.exp(self.log_price[np.ix_(months - 6, who)])
        day = np.repeat(self.price_months[months], len(who)).astype("datetime64[s]")
        return pd.DataFrame(
            {
                "drug": np.tile(who, len(months)),
                "event_date": day,
                "published_at": day - np.timedelta64(14, "D"),
                "limit_usd_per_unit": limits.ravel().round(4),
            }
        )

    def yearly_spending(self) -> pd.DataFrame:
        """Medicare spending: Part B for injections, Part D for other drugs, 17 months later.

        Returns
        -------
        DataFrame
            ``drug``, ``year``, ``part`` (B or D), ``units``, ``spending_usd``,
            ``price_usd_per_unit``, ``makers``, ``event_date`` (31 December), ``published_at``.
        """
        calendar_year = self.price_months.astype("datetime64[Y]").astype(int) + 1970
        injected = (self.catalogue.drugs["form_group"] == "injection").to_numpy()
        applications = self.catalogue.applications
        parts = []
        for year in np.unique(calendar_year):
            months = np.flatnonzero(calendar_year == year)
            if len(months) < 12:
                continue
            price = np.exp(self.log_price[months].astype(np.float64)).mean(axis=0)
            end = pd.Timestamp(year=int(year), month=12, day=31)
            there = (applications["approval_date"] <= end) & ~(applications["left_on"] <= end)
            makers = np.bincount(applications["drug"][there], minlength=len(injected))
            parts.append(
                pd.DataFrame(
                    {
                        "drug": np.arange(len(injected), dtype=np.int32),
                        "year": int(year),
                        "part": np.where(injected, "B", "D"),
                        "units": self.volume.round(),
                        "spending_usd": (price * self.volume).round(2),
                        "price_usd_per_unit": price.round(4),
                        "makers": makers,
                        "event_date": end,
                        "published_at": end + pd.Timedelta(days=520),
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)


def simulate(parameters: Parameters) -> World:
    """Simulate a market month by month.

    Parameters
    ----------
    parameters : Parameters
        Size, seed and rates.

    Returns
    -------
    World
        The same for the same parameters.

    Notes
    -----
    Time and memory grow with drugs times months; of the market's state only one month is kept, of
    prices and truth 40 bytes a drug and month.
    """
    streams = np.random.SeedSequence(parameters.seed).spawn(5)
    drawn, chance, futures_chance, named, told = map(np.random.default_rng, streams)
    calendar = Calendar.of(parameters)
    design = make_design(parameters, drawn)
    state = first_state(parameters, design, drawn)
    volume = np.exp(drawn.normal(13.0, 1.5, design.drugs))
    log = Log()
    rows, slots = np.nonzero(state.plant >= 0)
    log.add("edges", 0, drug=rows.astype(np.int32), plant=state.plant[rows, slots])

    months, before = parameters.months, parameters.burn_in_months
    shape = (months - before, design.drugs)
    hazard = {h: np.zeros(shape, dtype=np.float32) for h in HORIZONS}
    waiting = np.zeros(shape, dtype=np.bool_)
    in_shortage = np.zeros(shape, dtype=np.bool_)
    is_listed = np.zeros(shape, dtype=np.bool_)
    cause = np.full(shape, -1, dtype=np.int8)
    log_price = np.empty((months, design.drugs), dtype=np.float32)
    posted = np.zeros(design.drugs, dtype=np.int32)
    futures = Futures(parameters, design, calendar, futures_chance)
    lately: list[NDArray[np.float32]] = []
    for month in range(months):
        rates = monthly_rates(parameters, design, state)
        log_price[month] = state.log_price
        short = state.status == LISTED
        pending = short & (posted >= calendar.starts[month])
        if month >= before - LATEST_MONTHS:
            wait = waits(state, pending)
            now, expected = foresight(parameters, design, state, rates, wait)
            if month < before:
                lately.append(now)
            else:
                row = month - before
                futures.watch(row, state, pending, wait, expected)
                hazard[1][row] = now
                for h in LONGER:
                    hazard[h][row] = expected[h]
                waiting[row] = wait > 0
                hidden = (state.hidden == UNLISTED) & (state.hidden_until > month)
                in_shortage[row] = short | hidden
                is_listed[row] = short & ~pending
                cause[row] = main_causes(parameters, design, state, rates)
        _note_posted(log, posted, advance(parameters, design, calendar, state, rates, chance, log))

    for h in LONGER:
        for group in (False, True):
            who = waiting == group
            hazard[h][who] = futures.hazard(h, group, hazard[h][who])
    with_pending(parameters, hazard, lately, waiting)
    edges = log.joined("edges")
    catalogue = make_catalogue(
        parameters, design, calendar, edges, _left(log, len(edges["drug"]), months), named
    )
    truth = Truth(
        as_of=calendar.starts[before:months].astype("datetime64[D]"),
        drug_id=catalogue.drugs["drug_id"].to_numpy(dtype=object),
        hazard=hazard,
        in_shortage=in_shortage,
        is_listed=is_listed,
        cause=cause,
    )
    return World(
        parameters=parameters,
        starts_on=date(parameters.first_year, 1, 1),
        ends_on=date(parameters.first_year + parameters.years, 1, 1),
        catalogue=catalogue,
        reports=make_reports(parameters, design, calendar, log, catalogue, told),
        price_months=calendar.starts[:months].astype("datetime64[D]"),
        log_price=log_price,
        volume=volume,
        truth=truth,
    )


def _note_posted(log: Log, posted: NDArray[np.int32], begun: NDArray[np.bool_]) -> None:
    """Keep the posting days of the shortages that have just begun."""
    if begun.any():
        drugs, days = log.rows["gaps"]["drug"][-1], log.rows["gaps"]["posted"][-1]
        listed = begun[drugs]
        posted[drugs[listed]] = days[listed]


def _left(log: Log, makers: int, months: int) -> NDArray[np.int32]:
    """Month in which each maker left; `NEVER` if it is there to the end."""
    leaves = np.full(makers, NEVER, dtype=np.int32)
    exits = log.joined("exits")
    leaves[exits["edge"]] = exits["leaves"]
    leaves[leaves >= months] = NEVER
    return leaves


__all__ = ["Catalogue", "Design", "Reports", "Truth", "World", "simulate"]
