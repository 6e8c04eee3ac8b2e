"""A made-up drug market with known hazards, as a panel: small, quick, and its truth is known."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shortcast.features.groups.contract import Feature, Group
from shortcast.settings import settings
from shortcast.training.backtest import Backtest, run_backtest
from shortcast.training.bundle import Bundle
from shortcast.training.train import fit_bundle, summary

SYNTHETIC_GROUPS = {
    group.name: group
    for group in (
        Group(
            "history",
            "Shortage history",
            (
                Feature("listings_before", "BIGINT", "earlier shortages", monotone=1),
                Feature(
                    "months_since_shortage_end",
                    "DOUBLE",
                    "months since the last shortage",
                    missing="never listed",
                ),
            ),
            lambda view: "",
            {},
        ),
        Group(
            "prices",
            "Prices",
            (
                Feature("price_usd", "DOUBLE", "price of a unit", missing="not published"),
                Feature("noise_share", "DOUBLE", "a number that means nothing"),
            ),
            lambda view: "",
            {},
        ),
        Group(
            "traits",
            "What the drug is",
            (
                Feature("form_group", "VARCHAR", "form"),
                Feature("single_source", "BOOLEAN", "one maker only", monotone=1),
            ),
            lambda view: "",
            {},
        ),
    )
}


@dataclass(frozen=True)
class Market:
    """A synthetic panel with its spells.

    ``true_risk`` is the probability of an onset within 6 months, drawn afresh for a drug
    that is at risk, without its own later history.
    """

    panel: pd.DataFrame
    spells: pd.DataFrame
    records_end: date
    true_risk: pd.Series
    groups: dict[str, Group]


def make_market(drugs: int, months: int, seed: int, scale: float = 1.0) -> Market:
    """Simulate ``drugs`` month by month from 2015-01; all drugs live through all months."""
    generator = np.random.default_rng(seed)
    start = pd.Timestamp("2015-01-01")
    dates = [start + pd.DateOffset(months=i) for i in range(months)]
    names = np.array([f"drug{i:04d}--x" for i in range(drugs)], dtype=object)
    form = generator.choice(["injection", "oral-solid", "topical"], drugs, p=[0.3, 0.5, 0.2])
    single = generator.random(drugs) < 0.3
    price = np.exp(generator.normal(1.0, 1.0, drugs))
    unpriced = generator.random(drugs) < 0.2
    count = np.zeros(drugs)
    left = np.zeros(drugs, dtype=int)
    ended = np.full(drugs, -1)
    began = np.full(drugs, -1)
    panel, spells, risks = [], [], []
    for i, day in enumerate(dates):
        finished = (left == 0) & (began >= 0)
        for drug in np.flatnonzero(finished):
            spells.append((names[drug], dates[began[drug]], day))
        ended[finished] = i
        began[finished] = -1
        log_odds = (
            -5.7
            + 1.0 * np.minimum(count, 3)
            + 1.3 * (form == "injection")
            + 0.9 * single
            - 0.4 * (np.log(price) - 1.0)
        )
        hazard = scale / (1.0 + np.exp(-log_odds))
        at_risk = left == 0
        panel.append(
            pd.DataFrame(
                {
                    "drug_id": names,
                    "as_of": day,
                    "at_risk": at_risk,
                    "listings_before": count.astype(int),
                    "months_since_shortage_end": np.where(ended >= 0, i - ended, np.nan),
                    "price_usd": np.where(unpriced, np.nan, price),
                    "noise_share": generator.random(drugs),
                    "form_group": form.astype(object),
                    "single_source": single,
                }
            )
        )
        risks.append(1.0 - (1.0 - hazard) ** 6)
        # At least 6 months without a listing lie between two onsets.
        rested = (ended < 0) | (i - ended >= 6)
        onset = at_risk & rested & (generator.random(drugs) < hazard)
        left = np.where(onset, generator.integers(2, 10, drugs), np.maximum(left - 1, 0))
        began[onset] = i
        count += onset
    for drug in np.flatnonzero(began >= 0):
        spells.append((names[drug], dates[began[drug]], pd.NaT))
    spell = pd.DataFrame(spells, columns=["drug_id", "onset_date", "end_date_latest"])
    spell["onset_date"] = spell["onset_date"] + pd.Timedelta(days=10)
    spell["end_date_earliest"] = spell["end_date_latest"] - pd.Timedelta(days=20)
    end = (dates[-1] + pd.DateOffset(months=1)).date()
    table = pd.concat(panel, ignore_index=True)
    return Market(table, spell, end, pd.Series(np.concatenate(risks)), SYNTHETIC_GROUPS)


@pytest.fixture(autouse=True)
def _fresh_settings(shortcast_home: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Read the settings of this test's own home; one thread is quickest on little data."""
    monkeypatch.setenv("SHORTCAST_THREADS", "1")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def market() -> Market:
    """300 drugs from 2015-01 to 2020-12; read it, never change it."""
    return make_market(300, 72, seed=7)


@pytest.fixture(scope="session")
def market_maker() -> Callable[..., Market]:
    """Makes other markets."""
    return make_market


@pytest.fixture(scope="session")
def backtest(market: Market, made_once: Callable[[str, Callable[[Path], None]], Path]) -> Backtest:
    """A backtest of that market at 3 and 6 months, 2019-10 to 2020-09."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SHORTCAST_THREADS", "1")
            settings.cache_clear()
            made = run_backtest(
                market.panel,
                market.spells,
                market.records_end,
                date(2019, 10, 1),
                date(2020, 9, 1),
                folder / "out",
                horizons=(3, 6),
                retrain_every=6,
                resamples=40,
                groups=market.groups,
                records={"fda_shortages/2020-12-31": "abc"},
                records_checksum="checksum-of-the-market",
                data="simulated",
                track=False,
            )
        (folder / "backtest").write_bytes(pickle.dumps(made))

    return pickle.loads((made_once("backtest", make) / "backtest").read_bytes())


@pytest.fixture(scope="session")
def bundle(
    market: Market,
    backtest: Backtest,
    made_once: Callable[[str, Callable[[Path], None]], Path],
) -> Bundle:
    """A model of that market at 3 and 6 months."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SHORTCAST_THREADS", "1")
            settings.cache_clear()
            made = fit_bundle(
                market.panel,
                market.spells,
                market.records_end,
                horizons=(3, 6),
                calibration_months=12,
                seed=0,
                groups=market.groups,
                records_checksum="checksum-of-the-market",
                data="simulated",
                code_version="0",
                metrics=summary(backtest.metrics),
            )
        (folder / "bundle").write_bytes(pickle.dumps(made))

    return pickle.loads((made_once("bundle", make) / "bundle").read_bytes())


@pytest.fixture(scope="session")
def champion_folder(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That model, exported."""
    folder = tmp_path_factory.mktemp("models") / "champion"
    bundle.save(folder)
    return folder
