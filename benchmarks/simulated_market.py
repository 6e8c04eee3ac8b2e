"""The made-up market's rates beside the published ones: writes docs/simulated-market.md.

``python -m benchmarks.simulated_market`` takes a minute on two cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from shortcast.features.simulated.listing import LATE
from shortcast.features.simulated.parameters import Parameters
from shortcast.features.simulated.world import World, simulate

PAGE = Path(__file__).resolve().parent.parent / "docs" / "simulated-market.md"
HORIZON = 6

#: Figure, how it is put, what is published, and where.
ROWS: tuple[tuple[str, str, str, str], ...] = (
    ("drugs with one maker", "share", "38 %", "Orange Book of November 2024, counted"),
    ("makers of a drug, mean", "number", "4.8", "the same; the simulation stops at ten"),
    ("drugs for each firm", "number", "1.8", "the same"),
    ("injections among drugs", "share", "25 %", "the same"),
    (
        "makers' drugs given up in a month",
        "rate",
        "0.34 %",
        "Orange Book vintages of July 2020 and November 2024, counted",
    ),
    (
        "drugs at risk that are listed within six months",
        "rate",
        "0.75 %; 2.2 %",
        "records of this project, 2016 to 2019 (docs/features.md); Drug-Shortage-Radar 2026",
    ),
    (
        "new shortages a year for 100 drugs",
        "number",
        "1.0; 4.8",
        "55 (2023) and 251 (2011) counted by the FDA, for the 5,261 drugs of Drug-Shortage-Radar",
    ),
    (
        "injections: share among new shortages against share among drugs",
        "number",
        "1.4",
        "records of this project, 2016 to 2019 (docs/features.md)",
    ),
    ("injections among drugs in shortage", "share", "63 %", "FDA 2019, root causes"),
    (
        "median length of shortages of injections that lasted into the last six years",
        "years",
        "4.6 years",
        "ASPE, 2018 to 2023",
    ),
    (
        "the same, tablets, capsules and other oral drugs",
        "years",
        "1.6 years",
        "ASPE, 2018 to 2023",
    ),
    ("mean age of the shortages that go on at the end", "days", "1,202 days", "USP, end of 2023"),
    ("gaps in supply that were prevented", "share", "81 %", "FDA 2023: 236 prevented, 55 new"),
    ("other gaps that the list never shows", "share", "", "no figure published"),
    ("days from a shortage's begin to its posting, median", "days", "", "no figure published"),
    ("listings posted 60 days or more after the begin", "share", "", "no figure published"),
    (
        "recalls a year for 10,000 makers' drugs",
        "number",
        "about 400",
        "openFDA enforcement, events of human drugs, rounded",
    ),
    ("recalls of Class I", "share", "14 %", "the same, counted"),
    ("days from a recall's begin to its report, median", "days", "55 days", "the same, counted"),
    ("the same, tenth percentile", "days", "20 days", "the same"),
    ("the same, ninetieth percentile", "days", "197 days", "the same"),
    ("months between inspections of a plant", "number", "", "no figure published"),
    ("inspections classified OAI", "share", "about 10 %", "FDA inspection classifications"),
    (
        "odds of a listing, middle third of prices against the lowest",
        "number",
        "0.60",
        "Dave et al. 2018",
    ),
    ("the same, highest third", "number", "0.72", "Dave et al. 2018"),
    ("listed shortages by cause: quality", "share", "62 %", "FDA 2019; 18 % unknown"),
    ("a rise in demand", "share", "12 %", "FDA 2019"),
    ("makers who left", "share", "3 %", "FDA 2019: discontinuation"),
    ("failures abroad", "share", "5 %", "FDA 2019: natural disaster"),
    (
        "average precision of the true hazard, six months",
        "score",
        "",
        "what the public records could tell at best is less",
    ),
    (
        "average precision of the count of past listings",
        "score",
        "0.147 at 2.2 %",
        "the files of Drug-Shortage-Radar, scored again",
    ),
)

_SAID: dict[str, Callable[[float], str]] = {
    "share": lambda x: f"{100 * x:.0f} %",
    "rate": lambda x: f"{100 * x:.2f} %",
    "number": lambda x: f"{x:.2f}" if x < 10 else f"{x:,.0f}",
    "years": lambda x: f"{x:.1f} years",
    "days": lambda x: f"{x:,.0f} days",
    "score": lambda x: f"{x:.3f}",
}


def figures(world: World) -> list[float]:
    """Work out the figures of `ROWS`, in their order.

    Parameters
    ----------
    world : World
        The market.

    Returns
    -------
    list of float
        Shares and rates from 0 to 1.
    """
    drugs, reports = world.catalogue.drugs, world.reports
    injected = (drugs["form_group"] == "injection").to_numpy()
    oral = drugs["form_group"].isin(["oral-solid", "oral-liquid"]).to_numpy()
    begin, end = pd.Timestamp(world.starts_on), pd.Timestamp(world.ends_on)
    years = world.parameters.years

    held = world.catalogue.applications
    lasts = held["left_on"].where(held["left_on"] < end, end)
    there = held[(held["approval_date"] < end) & (lasts >= end)]
    makers = np.bincount(there["drug"], minlength=len(drugs))
    makers = makers[makers > 0]
    since = held["approval_date"].where(held["approval_date"] > begin, begin)
    held_months = ((lasts - since).dt.days.clip(lower=0) / 30.4375).sum()
    given_up = held["left_on"].between(begin, end, inclusive="left").sum()

    gaps = reports.shortages[reports.shortages["event_date"].between(begin, end, inclusive="left")]
    listed = reports.shortages[reports.shortages["outcome"] == "listed"]
    new = listed[listed["published_at"].between(begin, end, inclusive="left")]
    active = listed[
        (listed["delisted_on"] > end - pd.DateOffset(years=6)) & (listed["published_at"] < end)
    ]
    length = (active["delisted_on"] - active["event_date"]).dt.days / 365.25
    active_injected = injected[active["drug"]]
    ongoing = active[active["delisted_on"] >= end]
    in_shortage = injected[listed["drug"][listed["delisted_on"] > begin]]
    until = listed["delisted_on"].where(listed["delisted_on"] < end, end)
    since = listed["published_at"].where(listed["published_at"] > begin, begin)
    short_days = (until - since).dt.days.clip(lower=0)[listed["delisted_on"] > begin]
    outcome = gaps["outcome"].value_counts()
    lag = (new["published_at"] - new["event_date"]).dt.days

    recalls = reports.recalls.drop_duplicates("event")
    recent = recalls[recalls["event_date"].between(begin, end, inclusive="left")]
    report = (recalls["published_at"] - recalls["event_date"]).dt.days
    seen = reports.inspections["event_date"].between(begin, end, inclusive="left")
    cause = new["cause"].value_counts(normalize=True).reindex(range(4), fill_value=0.0)

    label, at_risk = _listed_within(world, listed)
    hazard = world.truth.hazard[HORIZON][: len(label)]
    past = _past_listings(world, listed)[: len(label)]
    third = _price_thirds(world)
    odds = []
    for which in range(3):
        rate = label[:, third == which][at_risk[:, third == which]].mean()
        odds.append(rate / (1 - rate))
    return [
        float((makers == 1).mean()),
        float(makers.mean()),
        len(drugs) / held["firm"].nunique(),
        float(injected.mean()),
        given_up / held_months,
        float(label[at_risk].mean()),
        100 * len(new) / len(drugs) / years,
        float(injected[new["drug"]].mean() / injected.mean()),
        float(short_days[in_shortage].sum() / short_days.sum()),
        float(length[active_injected].median()),
        float(length[oral[active["drug"]]].median()),
        float((end - ongoing["event_date"]).dt.days.mean()),
        outcome["prevented"] / outcome.sum(),
        outcome["unlisted"] / (outcome["unlisted"] + outcome["listed"]),
        float(lag.median()),
        float((lag >= LATE).mean()),
        12 * 10_000 * len(recent) / held_months,
        float((recalls["classification"] == "Class I").mean()),
        float(report.median()),
        float(report.quantile(0.1)),
        float(report.quantile(0.9)),
        12 * years * len(world.catalogue.plants) / seen.sum(),
        float((reports.inspections["classification"] == "OAI").mean()),
        odds[1] / odds[0],
        odds[2] / odds[0],
        *(float(cause[code]) for code in (0, 2, 1, 3)),
        float(average_precision_score(label[at_risk], hazard[at_risk])),
        float(average_precision_score(label[at_risk], past[at_risk])),
    ]


def _month_of(world: World, days: pd.Series) -> np.ndarray:
    """Months since the records began in which days lie."""
    return ((days.dt.year - world.starts_on.year) * 12 + days.dt.month - 1).to_numpy()


def _listed_within(world: World, listed: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Whether each drug was listed within the horizon, and whether it was at risk, by month."""
    months, drugs = world.truth.is_listed.shape
    came = np.zeros((months + 1, drugs), dtype=np.int64)
    month = _month_of(world, listed["published_at"])
    inside = (month >= 0) & (month < months)
    np.add.at(came, (month[inside] + 1, listed["drug"].to_numpy()[inside]), 1)
    total = came.cumsum(axis=0)
    label = total[HORIZON:] > total[:-HORIZON]
    return label, ~world.truth.is_listed[: len(label)]


def _past_listings(world: World, listed: pd.DataFrame) -> np.ndarray:
    """Count listings of each drug before each month."""
    months, drugs = world.truth.is_listed.shape
    came = np.zeros((months + 1, drugs), dtype=np.int64)
    month = np.clip(_month_of(world, listed["published_at"]) + 1, 0, months)
    np.add.at(came, (month, listed["drug"].to_numpy()), 1)
    return came.cumsum(axis=0)[:-1]


def _price_thirds(world: World) -> np.ndarray:
    """Third of its form group that each drug's price lies in, 0 the lowest."""
    level = pd.Series(world.log_price.mean(axis=0))
    rank = level.groupby(world.catalogue.drugs["form_group"].to_numpy()).rank(pct=True)
    return np.minimum((3 * rank).to_numpy(), 2.999).astype(np.int64)


def page(drugs: int, years: int, seeds: list[int], found: np.ndarray) -> str:
    """Put the figures beside the published ones.

    Parameters
    ----------
    drugs, years : int
        Size of the markets.
    seeds : list of int
        Their seeds.
    found : array of shape (seeds, rows)
        From `figures`.

    Returns
    -------
    str
        Markdown.
    """
    lines = []
    for (name, how, published, source), values in zip(ROWS, found.T, strict=True):
        say = _SAID[how]
        span = f"{say(values.mean())} ({say(values.min())} to {say(values.max())})"
        lines.append(f"| {name} | {span} | {published or '-'} | {source} |")
    size = f"{drugs:,} drugs, {years} years, seeds {', '.join(map(str, seeds))}"
    return TEXT.replace("{size}", size).replace("{table}", "\n".join(lines))


TEXT = """# The made-up market

Made by `python -m benchmarks.simulated_market`; the figures are not typed by hand.

`shortcast simulate` makes up a drug market and writes what public bodies would have published
of it. It serves two ends: to see shortcast at work without any records, and to test it where
the true risks are known. Nothing in it is real, and no figure measured on it says how well
shortcast does on real records: here the public record was made to tell what there is to tell.

## How it works

One month follows another (`features/simulated/market.py`).

- **Firms, plants, drugs.** Firms own plants, plants make several drugs, a drug has one maker or
  several. Capacity is shared among the makers, with a fifth to spare.
- **Quality.** Each plant has a quality of its own to which it returns slowly. Low quality means
  more failures and more recalls, and inspections that end as Official Action Indicated; some of
  these are followed by a warning letter. A firm that answers a letter does so for two years, in
  all of its plants, and its lines stand still in a part of the months; it may then get another
  letter, which sterile plants do more often.
- **Prices and exits.** Prices fall with the number of makers. Thin margins make makers leave,
  mostly with a notice; where few are left, those run at full stretch for a year and a half and
  fail more often. High prices bring makers in. Cheap drugs come from older lines and fail more
  often.
- **Demand.** It surges now and then, of one drug or of a class.
- **Abroad.** Plants outside the United States are disrupted; Canada and England feel it at
  once, the United States when stocks have gone.
- **Gaps.** When makers fail, the others and what is in stock make up for some of it: the larger
  the share that fails, the likelier a gap. Most gaps are prevented, some are never listed, the
  others begin a shortage, which is posted late. What has run short before does so more easily
  for some years.
- **Reports.** Inspections, letters, recalls, notices and reports abroad become public with
  lags.

A failure by itself changes nothing of the next month's risk. What lasts is what made it likely.

## The true hazard

The truth file holds, for every drug and the first of every month, the probability that a new
shortage is posted within 1, 3, 6 and 12 months, given the state of the market: makers,
capacities, quality, letters, prices, lines in trouble, exits that are decided, surges under
way, and how long ago the last shortage ended. It is right on average and in each tenth of the
drugs (tested).

It does not know of accidents that have happened and wait to be posted: a shortage that began
last week and will be on the list next week counts with the probability that there is one. An
oracle that ranks by this hazard therefore foresees risks, not accidents. How it is worked out
stands in `features/simulated/truth.py`.

## Simulated and published figures

{size}; mean over the seeds, and the range.

| figure | simulated | published | source |
| --- | --- | --- | --- |
{table}

## Where it is not like the world

- The signals are stronger than in the real records: a warning letter tells more of the next two
  years than it does in truth; letters, inspections, those classified OAI among them, and recalls
  are more frequent. This is on purpose: the market is there to prove that a method finds what
  there is to find.
- Nearly all shortages are of quality; demand, exits and failures abroad have a smaller part
  than in the FDA's count. A low price tells next to nothing here. Past listings tell less than
  in truth.
- Two listings in five come two to five months after the shortage began, and most of these
  shortages begin with a recall, mostly of Class I. This is on purpose, too: a reader that lets
  recalls be known too early foresees what nobody could have, and it shows.
- Makers share a drug's market alike, up to some chance; a drug has ten makers at most, and
  makers give up drugs half as often as the Orange Book's vintages show.
- Listings of a drug end for all of its makers on one day.
"""


def main() -> None:
    """Simulate, work out the figures, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulated_market")
    parser.add_argument("--drugs", type=int, default=800)
    parser.add_argument("--years", type=int, default=12)
    parser.add_argument("--seeds", default="1,2,3,4,5", help="seeds, parted by commas")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    found = [
        figures(simulate(Parameters(drugs=options.drugs, years=options.years, seed=seed)))
        for seed in seeds
    ]
    text = page(options.drugs, options.years, seeds, np.array(found))
    options.out.write_text(text, encoding="utf-8")
    print(f"{options.out}: {len(ROWS)} figures of {len(seeds)} markets")


if __name__ == "__main__":
    main()
