"""The made-up market: its truth is calibrated, its records late, its rates the published ones."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from shortcast.features.identity.drugs import from_product
from shortcast.features.identity.products import parse_ndc
from shortcast.features.simulated.design import DEMAND, MAX_MAKERS
from shortcast.features.simulated.hazard import LARGE_SURGE, SMALL_SURGE, gap_probability
from shortcast.features.simulated.listing import LATE
from shortcast.features.simulated.parameters import BadParameters, Parameters
from shortcast.features.simulated.world import World, simulate

SMALL = Parameters(drugs=150, years=2, seed=5, futures=1_000)


@pytest.fixture(scope="module")
def small() -> World:
    return simulate(SMALL)


@pytest.fixture(scope="module")
def wide() -> World:
    """Large enough for rates to be told from chance."""
    return simulate(Parameters(drugs=3000, years=4, seed=3, futures=20_000))


def tables(world: World) -> dict[str, pd.DataFrame]:
    found: dict[str, pd.DataFrame] = {**vars(world.catalogue), **vars(world.reports)}
    return found


def posted(world: World, horizon: int) -> np.ndarray:
    """Whether a shortage of each drug was posted within the horizon, by month and drug."""
    months, drugs = world.truth.in_shortage.shape
    listed = world.reports.shortages.query("outcome == 'listed'")
    day = listed["published_at"]
    month = ((day.dt.year - world.starts_on.year) * 12 + day.dt.month - 1).to_numpy()
    inside = (month >= 0) & (month < months)
    came = np.zeros((months + 1, drugs), dtype=np.int64)
    np.add.at(came, (month[inside] + 1, listed["drug"].to_numpy()[inside]), 1)
    total = came.cumsum(axis=0)
    return total[horizon:] > total[:-horizon]


def outcomes(world: World, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Hazards and what came of them, for drugs that are not on the list."""
    label = posted(world, horizon)
    free = ~world.truth.is_listed[: len(label)]
    return world.truth.hazard[horizon][: len(label)][free].astype(float), label[free]


def test_one_seed_gives_one_world(small: World) -> None:
    again, other = simulate(SMALL), simulate(replace(SMALL, seed=6))
    for name, table in tables(small).items():
        pd.testing.assert_frame_equal(table, tables(again)[name])
    assert small.truth.table().equals(again.truth.table())
    assert not small.truth.table().equals(other.truth.table())


def test_more_futures_leave_the_records_as_they_are(small: World) -> None:
    more = simulate(replace(SMALL, futures=2_000))
    for name, table in tables(small).items():
        pd.testing.assert_frame_equal(table, tables(more)[name])


def test_gap_probability_is_exact() -> None:
    capacity = np.zeros((2, MAX_MAKERS), dtype=np.int32)
    capacity[0, :3], capacity[1, 0] = (6, 5, 4), DEMAND
    failing = np.zeros((2, MAX_MAKERS), dtype=np.float32)
    failing[0, :3], failing[1, 0] = (0.1, 0.2, 0.3), 0.25
    surging = np.array([False, False])
    found = gap_probability(capacity, failing, surging, 0.2, 0.05)

    def by_hand(makers: tuple[tuple[int, float], ...]) -> float | np.floating:
        total = 0.0
        for fails in product((False, True), repeat=len(makers)):
            chance = np.prod([p if f else 1 - p for (_, p), f in zip(makers, fails, strict=True)])
            usable = sum(c for (c, _), f in zip(makers, fails, strict=True) if not f)
            for more, share in ((0, 0.75), (SMALL_SURGE, 0.2), (LARGE_SURGE, 0.05)):
                short = [usable + stock < DEMAND + more for stock in range(DEMAND)]
                total += chance * share * np.mean(short)
        return total

    assert found[0] == pytest.approx(by_hand(((6, 0.1), (5, 0.2), (4, 0.3))), abs=1e-6)
    assert found[1] == pytest.approx(by_hand(((DEMAND, 0.25),)), abs=1e-6)


@pytest.mark.parametrize("horizon", [1, 3, 6, 12])
def test_hazards_come_true_on_average(wide: World, horizon: int) -> None:
    hazard, label = outcomes(wide, horizon)
    # Windows overlap: a shortage counts in as many months as the horizon is long, and plants
    # strike several drugs at once.
    allowed = 4.5 * np.sqrt(hazard.mean() * horizon / len(label))
    assert abs(hazard.mean() - label.mean()) < allowed


@pytest.mark.parametrize("horizon", [1, 6])
def test_hazards_come_true_in_each_tenth(wide: World, horizon: int) -> None:
    hazard, label = outcomes(wide, horizon)
    order = np.argsort(hazard, kind="stable")
    for part in np.array_split(order, 10):
        expected = hazard[part].mean()
        allowed = 4.5 * np.sqrt(expected * horizon / len(part)) + 2 * horizon / len(part)
        assert abs(expected - label[part].mean()) < allowed


def test_hazards_come_true_whatever_inspections_and_letters_say(wide: World) -> None:
    """An inspection without a letter so far raises the risk by the letter that may come."""
    label = posted(wide, 6)
    hazard, free = wide.truth.hazard[6][: len(label)], ~wide.truth.is_listed[: len(label)]
    inspections, letters = wide.reports.inspections, wide.reports.warning_letters
    bad = inspections[inspections["classification"] == "OAI"]
    held = wide.catalogue.applications
    letter, waiting = np.zeros_like(label), np.zeros_like(label)
    for month, begin in enumerate(pd.to_datetime(wide.truth.as_of[: len(label)])):
        sold = held[(held["approval_date"] < begin) & ~(held["left_on"] < begin)]
        for firms, months, found in ((letters, 27, letter), (bad, 8, waiting)):
            recent = firms["event_date"].between(begin - pd.DateOffset(months=months), begin)
            found[month, sold.loc[sold["firm"].isin(firms.loc[recent, "firm"]), "drug"]] = True
    for group in (letter, waiting & ~letter, ~waiting & ~letter):
        expected, came = hazard[group & free].mean(), label[group & free].mean()
        assert came == pytest.approx(expected, rel=0.3)


def test_true_hazard_ranks_far_above_chance(wide: World) -> None:
    hazard, label = outcomes(wide, 6)
    hits = label[np.argsort(-hazard, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    assert (precision * hits).sum() / hits.sum() > 10 * label.mean()


def test_rates_are_those_published(wide: World) -> None:
    _, label = outcomes(wide, 6)
    # Between that of the years 2016 to 2019 and the highest that was published.
    assert 0.0075 < label.mean() < 0.022
    drugs = wide.catalogue.drugs
    assert (drugs["form_group"] == "injection").mean() == pytest.approx(0.25, abs=0.03)
    listed = wide.reports.shortages.query("outcome == 'listed'")
    injected = (drugs["form_group"] == "injection").to_numpy()[listed["drug"]]
    days = (listed["ended_on"] - listed["event_date"]).dt.days
    assert days[injected].median() > 1.4 * days[~injected].median()
    recalls = wide.reports.recalls.drop_duplicates("event")
    lag = (recalls["published_at"] - recalls["event_date"]).dt.days
    assert lag.median() == pytest.approx(55, abs=5)
    assert 12 < lag.quantile(0.1) < 25
    assert 150 < lag.quantile(0.9) < 220


def test_a_new_shortage_is_posted_six_months_after_the_last_at_the_earliest(wide: World) -> None:
    listed = wide.reports.shortages.query("outcome == 'listed'")
    listed = listed.sort_values(["drug", "published_at"])
    before = listed.groupby("drug")["delisted_on"].shift()
    again = before.notna()
    assert again.any()
    months = before[again] + pd.DateOffset(months=6)
    assert (listed.loc[again, "published_at"] >= months).all()
    assert (listed["published_at"] < listed["ended_on"]).all()


def test_nothing_is_public_before_it_happened(small: World) -> None:
    for name, table in tables(small).items():
        if {"event_date", "published_at"} <= set(table.columns):
            known = table.dropna(subset=["published_at"])
            assert len(known), name
            assert (known["published_at"] >= known["event_date"]).all(), name


def test_most_shortages_that_are_posted_late_begin_with_a_grave_recall(wide: World) -> None:
    listed = wide.reports.shortages.query("outcome == 'listed'")
    late = (listed["published_at"] - listed["event_date"]).dt.days >= LATE
    assert 0.3 < late.mean() < 0.5
    grave = wide.reports.recalls.query("classification == 'Class I'")
    recalled = set(zip(grave["drug"], grave["event_date"].dt.to_period("M"), strict=True))
    months = zip(listed["drug"], listed["event_date"].dt.to_period("M"), strict=True)
    began_so = np.array([month in recalled for month in months])
    assert began_so[late].mean() > 0.5
    assert began_so[~late].mean() < 0.1


def test_postings_are_of_listed_shortages_and_have_a_history(small: World) -> None:
    postings, shortages = small.reports.postings, small.reports.shortages
    outcome = shortages.set_index("shortage")["outcome"]
    assert set(postings["shortage"].map(outcome)) == {"listed"}
    assert set(outcome) == {"listed", "unlisted", "prevented"}
    first = small.reports.posting_updates.drop_duplicates("posting")
    assert (first["status"] == "Current").all()
    last = small.reports.posting_updates.drop_duplicates("posting", keep="last")
    assert (last["status"] == "Resolved").all()


def test_no_two_drugs_or_packages_share_a_name(wide: World) -> None:
    assert wide.catalogue.drugs["drug_id"].is_unique
    assert wide.catalogue.products["package_ndc"].is_unique
    names = wide.catalogue.drugs["ingredients"].str.split("; ").explode()
    assert set(names) == set(wide.catalogue.ingredients["ingredient"])


def test_drugs_and_products_read_back_as_they_are(small: World) -> None:
    drugs = small.catalogue.drugs
    for row in drugs.itertuples():
        read = from_product(str(row.ingredients), "", str(row.dosage_form), str(row.route))
        assert read is not None
        assert (read.drug_id, read.form_group) == (row.drug_id, row.form_group)
    products = small.catalogue.products
    assert [parse_ndc(code).hyphenated for code in products["package_ndc"]] == list(
        products["package_ndc"]
    )


def test_prices_and_spending_follow_the_market(small: World) -> None:
    survey = small.survey_prices(2025)
    assert set(survey["event_date"].dt.month) == set(range(1, 13))
    assert (survey["price_usd_per_unit"] > 0).all()
    limits = small.payment_limits()
    at = int(np.flatnonzero(small.price_months == np.datetime64("2025-04-01"))[0])
    some = limits[limits["event_date"] == "2025-04-01"]
    expected = 1.06 * np.exp(small.log_price[at - 6, some["drug"]])
    np.testing.assert_allclose(some["limit_usd_per_unit"], expected, atol=1e-4)
    spending = small.yearly_spending()
    assert (spending["published_at"] - spending["event_date"]).dt.days.min() > 365


def test_truth_is_written_as_it_is_computed(small: World, tmp_path: Path) -> None:
    small.truth.write(tmp_path / "truth.parquet")
    table = pq.read_table(tmp_path / "truth.parquet")
    assert table.schema.metadata[b"shortcast.data"] == b"simulated"
    assert table.num_rows == SMALL.drugs * SMALL.years * 12
    assert table.column_names == [
        "drug_id", "as_of", "hazard_1m", "hazard_3m", "hazard_6m", "hazard_12m", "in_shortage",
        "is_listed", "cause",
    ]  # fmt: skip
    frame = table.to_pandas()
    waits = frame["in_shortage"] & ~frame["is_listed"]
    growing = frame.loc[~waits, ["hazard_1m", "hazard_3m", "hazard_6m", "hazard_12m"]]
    assert ((growing >= 0) & (growing <= 1)).all(axis=None)
    assert set(frame["cause"].dropna()) == {"quality", "margin", "demand", "abroad"}


@pytest.mark.parametrize("wrong", [{"drugs": 3}, {"years": 0}, {"prevented_share": 1.5}])
def test_sizes_and_rates_that_make_no_market_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadParameters, match=next(iter(wrong))):
        replace(SMALL, **wrong)  # pyright: ignore[reportArgumentType]
