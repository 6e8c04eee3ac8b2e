"""What the made-up market is made with: its size, its seed, and the rates it is calibrated to."""

from __future__ import annotations

from dataclasses import dataclass

from shortcast.errors import ShortcastError
from shortcast.features.simulated.names import MOST_DRUGS


class BadParameters(ShortcastError):  # noqa: N818  (the name says what it is)
    """The market cannot be simulated with these parameters."""


@dataclass(frozen=True)
class Parameters:
    """Size, seed and rates of a simulated market.

    Rates are per month unless said otherwise. A source stands behind each figure that has one;
    "tuned" means: set so that the figures that have one come out.

    Parameters
    ----------
    drugs, years, seed : int
        Size of the market, years of records, and seed of everything that is drawn.
    last_year : int
        The records end on 31 December of it; the years are counted back from there, so that no
        clock has a part in it.
    burn_in_months : int
        Months simulated before the records begin, so that the market starts in its stride.
    futures : int
        Drugs and months, at the least, from which the mechanism is run on by a year to find how
        likely a shortage is (`shortcast.features.simulated.truth`).
    single_source_share : float
        Drugs with one maker. 38 % (Orange Book of November 2024, prescription products, holders
        by drug, counted).
    makers_geometric : float
        Parameter of the number of makers of the others: 2 + geometric, at most `MAX_MAKERS`;
        median of all 3, as counted in the Orange Book of November 2024 (mean 4.8 there, where the
        number is not capped).
    drugs_per_firm : float
        Drugs for each firm (Orange Book of November 2024, counted: 1.8).
    products_per_plant : float
        Makers' drugs for each plant; tuned.
    foreign_share : float
        Plants outside the United States; about half of the sites that make finished drugs (FDA
        testimony on the drug supply chain, 2019: 53 %).
    quality_persistence : float
        AR(1) coefficient of a plant's quality; tuned: quality halves its distance to the mean in
        four years.
    quality_effect : float
        Log of the factor of failures for each unit of quality below `market.STANDARD`; above it
        all plants are alike. Tuned.
    inspection_rate : float
        Surveillance inspections of a plant, more where quality is low; with those that follow a
        letter a plant is inspected every 7 months. Tuned, on purpose: the record shall tell of
        quality.
    oai_steepness : float
        Log odds, for each unit of quality, that an inspection ends as Official Action Indicated;
        even at `market.SUSPECT`. More than one inspection in four ends so, on purpose: the record
        shall tell of quality (about one in ten in FDA inspection classifications of drug plants).
    warning_letter_share : float
        OAI inspections that a warning letter follows; tuned.
    letter_again_share, letter_again_share_sterile : float
        Firms that get another letter when they have answered one for two years, by the plant of
        the first; tuned: sterile lines are mended more slowly.
    reinspection_rate : float
        Inspections of a plant that answers a warning letter; tuned.
    halted_rate : float
        A line stands still for a month in a plant that answers a warning letter; tuned.
    failure_rate : float
        Failure of one maker's supply in a month in a plant of good quality; tuned.
    recall_rate : float
        Recalls of one maker's drug at good quality; all plants together have some 1,600 a year on
        10,000 makers' drugs, on purpose (about 400 in openFDA enforcement, events of human
        drugs; rounded).
    answer_recall_rate : float
        The least rate of recalls of a drug whose firm answers a warning letter; tuned.
    failure_recall_share : float
        Failures that come with a recall; tuned.
    recall_trouble_share : float
        Recalls after which the maker's line is in trouble; tuned.
    trouble_rate : float
        Failure in a month of a line in trouble, after a recall or a disruption abroad; tuned.
    recall_lag_median_days, recall_lag_sigma : float
        Log-normal lag from a recall's initiation to its report: median 55 days, 10 to 90 % from
        20 to 197 days (openFDA enforcement, counted).
    sterile_factor : float
        Failures of sterile products against others; injections have some 1.3 times their share of
        drugs among new shortages (1.4 in the records of this project, 2016 to 2019).
    disruption_rate : float
        Disruption of a plant abroad, felt at once in Canada and England and after the stocks have
        gone in the United States; tuned.
    exit_rate : float
        A maker leaves a drug; with thin margins counted 0.16 % a month do, half of what the Orange
        Book shows (3,452 of 21,114 products in 52 months, 0.34 % a month: vintages of July 2020
        and November 2024, counted).
    entry_rate : float
        A maker enters, for each that is missing; tuned to balance the exits.
    strain_factor : float
        Factor of failures while a few makers run at full stretch for one that leaves; tuned.
    price_per_maker : float
        Fall of the log price with the log number of makers plus one: two makers 36 % below
        one, six 75 % (FDA, Generic Competition and Drug Prices, 2019: 39 % below with one generic,
        over 95 % with six; the fall with many makers is held back here).
    small_surge_rate, large_surge_rate : float
        A drug's demand rises by a fifth or by three fifths for a month; tuned.
    class_surge_rate : float
        Demand for a whole class rises by a fifth for months; tuned.
    thin_factor : float
        Log of the factor of failures for a price lower by 1.5 (log) than usual for the form: cheap
        drugs come from older lines (odds ratio 0.60 and 0.72 for medium and high prices against
        low: Dave et al. 2018). Beside what letters do it hardly shows.
    prevented_share : float
        Gaps in supply that are closed at once (imports, expedited review). In 2023 the FDA counted
        236 prevented shortages and 55 new ones: 81 %; here it comes to 75 %.
    unlisted_share : float
        Shortages that the list never shows; only 13.7 % of listed ones were followed by a fall in
        purchases of a third (JAMA Netw Open 2024): list and shortage are two things. Tuned.
    listing_lag_median_days, listing_lag_sigma : float
        Log-normal lag from the shortage's begin to its posting, of listings that are not late;
        tuned (no published figure).
    late_listing_share : float
        Listings that come 60 to 150 days after the shortage began; tuned (no published figure).
    late_recall_share : float
        Of the failures behind such a listing, those that begin with a recall of what was delivered;
        stocks elsewhere carry on for a while. Tuned (no published figure).
    duration_median_days, duration_median_days_injection, duration_sigma : float
        Log-normal length of a listed shortage. Mean 1,202 days for those ongoing at the end of
        2023 (USP); injections median 4.6 years, oral drugs 1.6 (ASPE 2018-2023). Ongoing ones are
        longer than all: a log-normal of which those figures hold for the ongoing is shorter.
    """

    drugs: int = 800
    years: int = 12
    seed: int = 1
    last_year: int = 2025
    burn_in_months: int = 48
    futures: int = 60_000
    single_source_share: float = 0.38
    makers_geometric: float = 0.24
    drugs_per_firm: float = 1.8
    products_per_plant: float = 6.0
    foreign_share: float = 0.53
    quality_persistence: float = 0.985
    quality_effect: float = 0.3
    inspection_rate: float = 0.12
    oai_steepness: float = 5.0
    warning_letter_share: float = 0.5
    letter_again_share: float = 0.15
    letter_again_share_sterile: float = 0.5
    reinspection_rate: float = 1 / 4
    halted_rate: float = 0.45
    failure_rate: float = 0.0009
    recall_rate: float = 0.0006
    answer_recall_rate: float = 0.012
    failure_recall_share: float = 0.2
    recall_trouble_share: float = 0.2
    trouble_rate: float = 0.04
    recall_lag_median_days: float = 55.0
    recall_lag_sigma: float = 0.9
    sterile_factor: float = 1.6
    disruption_rate: float = 0.0012
    exit_rate: float = 0.0019
    entry_rate: float = 0.02
    strain_factor: float = 4.0
    price_per_maker: float = 1.1
    thin_factor: float = 0.3
    small_surge_rate: float = 0.003
    large_surge_rate: float = 0.0016
    class_surge_rate: float = 0.001
    prevented_share: float = 0.81
    unlisted_share: float = 0.12
    listing_lag_median_days: float = 6.0
    listing_lag_sigma: float = 1.0
    late_listing_share: float = 0.4
    late_recall_share: float = 0.9
    duration_median_days: float = 200.0
    duration_median_days_injection: float = 520.0
    duration_sigma: float = 0.8

    def __post_init__(self) -> None:
        """Refuse sizes and rates that make no market.

        Raises
        ------
        BadParameters
            Naming the parameter and what it may be.
        """
        bounds = {
            "drugs": (20, MOST_DRUGS),
            "years": (1, 60),
            "seed": (0, 2**32 - 1),
            "last_year": (2010, 2100),
            "burn_in_months": (0, 240),
            "futures": (1000, 10**8),
        }
        for name, (least, most) in bounds.items():
            if not least <= getattr(self, name) <= most:
                raise BadParameters(
                    f"{name} is {getattr(self, name)}: choose one from {least} to {most}."
                )
        for name, value in vars(self).items():
            if name.endswith(("_share", "_rate")) and not 0 <= value <= 1:
                raise BadParameters(f"{name} is {value}: choose a share from 0 to 1.")

    @property
    def first_year(self) -> int:
        """Year on the first day of which the records begin."""
        return self.last_year - self.years + 1

    @property
    def months(self) -> int:
        """Months simulated, those before the records begin included."""
        return self.burn_in_months + 12 * self.years

    @property
    def listed_share(self) -> float:
        """Probability that a gap in supply becomes a listed shortage."""
        return (1 - self.prevented_share) * (1 - self.unlisted_share)
