"""How much of the true hazard of made-up markets a backtest finds: docs/simulated-skill.md.

``python -m benchmarks.simulated_skill`` takes five markets of 800 drugs and 12 years from records
to backtest, each of them once more with a deliberate leak (`benchmarks.lags_off`), and has the
leak of the first audited: ten backtests of some minutes each. In each market the reasons of a
trained model are held against the true causes (`benchmarks.simulated_reasons`). ``--folder`` keeps
the markets, and goes on where a run was broken off.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from benchmarks.simulated_reasons import LIST_SIZE, MECHANISM, agreement
from shortcast.training.metrics import ap_and_auc_draws, calibration_slope, drug_draws
from shortcast.training.models import CHAMPION

PAGE = Path(__file__).resolve().parent.parent / "docs" / "simulated-skill.md"
HORIZON = 6
#: Of the drugs, for the interval of what the leak brings.
RESAMPLES = 1_000
#: Months whose outcomes the records still show; before them is enough to learn from.
FROM, TO = "2019-01", "2025-05"
#: A month in the middle, for the audit of the leak.
AT = "2022-05"

PROPER = ("-c", "from shortcast.cli import main; main()")
LEAKY = ("-m", "benchmarks.lags_off")

Figures = dict[str, dict[str, float]]


class Market(NamedTuple):
    """What was found in one market.

    Attributes
    ----------
    seed : int
        Its seed.
    rows, onsets : int
        Drug-months that were scored, and onsets among their outcomes.
    prevalence : float
        Share of drug-months with an onset within the horizon.
    models : dict of str to dict of str to float
        By model, and ``oracle``: ``ap`` and ``slope``.
    """

    seed: int
    rows: int
    onsets: int
    prevalence: float
    models: Figures


def figures(seed: int, forecasts: pd.DataFrame, truth: pd.DataFrame) -> Market:
    """Compare the scores of a backtest with the true hazard.

    Parameters
    ----------
    seed : int
        The market's seed.
    forecasts : DataFrame
        ``forecasts.parquet`` of a backtest.
    truth : DataFrame
        ``SIMULATED-truth.parquet`` of the market.

    Returns
    -------
    Market

    Raises
    ------
    ValueError
        If a scored drug-month has no true hazard: the two are of different markets.
    """
    column = f"hazard_{HORIZON}m"
    hazard = truth.set_index([truth["drug_id"].astype(str), pd.to_datetime(truth["as_of"])])[column]
    chosen = forecasts[(forecasts["horizon_months"] == HORIZON) & forecasts["label"].notna()]
    models: Figures = {}
    rows = chosen[chosen["model"] == CHAMPION]
    for name, scored in chosen.groupby("model"):
        models[str(name)] = _figures(scored["label"], scored["score"])
    true = hazard.reindex(
        pd.MultiIndex.from_arrays([rows["drug_id"].astype(str), pd.to_datetime(rows["as_of"])])
    )
    if true.isna().any():
        missing = int(true.isna().sum())
        raise ValueError(f"{missing:,} drug-months have no true hazard; is this their market?")
    models["oracle"] = _figures(rows["label"], pd.Series(true.to_numpy(), rows.index))
    onsets = rows.loc[rows["label"].astype(bool), ["drug_id", "onset_date"]].drop_duplicates()
    return Market(seed, len(rows), len(onsets), float(rows["label"].astype(float).mean()), models)


def _figures(label: pd.Series, score: pd.Series) -> dict[str, float]:
    """Average precision and calibration slope of one model."""
    y, p = label.to_numpy(dtype=float), score.to_numpy(dtype=float)
    return {"ap": float(average_precision_score(y, p)), "slope": calibration_slope(y, p)}


def take(
    folder: Path, drugs: int, years: int, seed: int, command: Sequence[str], records: Path
) -> Market:
    """Take one market from records to backtest, each step as a user would.

    Parameters
    ----------
    folder : Path
        Gets the home and the backtest.
    drugs, years, seed : int
        The market.
    command : sequence of str
        What Python runs as ``shortcast``.
    records : Path
        Folder of its records; made if it is not there.

    Returns
    -------
    Market
    """
    backtest = folder / "backtest"
    size = ["--drugs", str(drugs), "--years", str(years), "--seed", str(seed)]
    if not records.exists():
        _run(folder, PROPER, "simulate", *size, "--out", str(records))
    if not (backtest / "forecasts.parquet").exists():
        _run(folder, command, "import", str(records))
        _run(folder, command, "build")
        _run(folder, command, "backtest", "--from", FROM, "--to", TO, "--out", str(backtest))
    return figures(
        seed,
        pd.read_parquet(backtest / "forecasts.parquet"),
        pd.read_parquet(records / "SIMULATED-truth.parquet"),
    )


def _run(folder: Path, command: Sequence[str], *arguments: str, may_fail: bool = False) -> str:
    """Run one command in a home inside the folder, and return what it printed."""
    print(f"{folder.name}: {' '.join(arguments)}", flush=True)
    done = subprocess.run(
        [sys.executable, *command, *arguments],
        env={**os.environ, "SHORTCAST_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and not may_fail:
        raise SystemExit(f"{' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout + done.stderr


def rises(folder: Path, leaky: Path) -> np.ndarray:
    """Resample the drugs of a market for the rise of average precision that the leak brings.

    Parameters
    ----------
    folder, leaky : Path
        Hold the backtests without and with the leak.

    Returns
    -------
    ndarray of shape (resamples,)
        As a share of the average precision without it, over the drug-months that both scored.
    """
    keys = ["drug_id", "as_of"]
    proper, with_leak = (
        table.loc[(table["model"] == CHAMPION) & (table["horizon_months"] == HORIZON)]
        .dropna(subset=["label"])
        .set_index(keys)
        for table in (
            pd.read_parquet(f / "backtest" / "forecasts.parquet") for f in (folder, leaky)
        )
    )
    both = proper[["label", "score"]].join(with_leak["score"].rename("leaky"), how="inner")
    y = both["label"].to_numpy(dtype=float)
    codes, drugs = pd.factorize(both.index.get_level_values("drug_id"))
    draws = drug_draws(len(drugs), RESAMPLES, seed=0)
    before, after = (
        ap_and_auc_draws(y, both[name].to_numpy(dtype=float), codes, draws)[0]
        for name in ("score", "leaky")
    )
    return after / before - 1


def audited(folder: Path, command: Sequence[str], records: Path) -> int:
    """Have a home's way of building audited.

    Parameters
    ----------
    folder : Path
        Holds the home; keeps what the audit said.
    command : sequence of str
        What Python runs as ``shortcast``.
    records : Path
        Records to falsify a copy of.

    Returns
    -------
    int
        Columns of the panel in which a row up to the month shows what became known later.
    """
    kept = folder / "audit.txt"
    if not kept.exists():
        said = _run(folder, command, "audit", "--records", str(records), "--at", AT, may_fail=True)
        kept.write_text(said, encoding="utf-8")
    lines = kept.read_text(encoding="utf-8").splitlines()
    found = sum(line.startswith(f"T = {AT}: ") and " differs in " in line for line in lines)
    if not found and not any("Not one cell" in line for line in lines):
        raise SystemExit(f"The audit did not come to an end: {lines[-1]}")
    return found


def reasons(folder: Path, records: Path) -> pd.DataFrame:
    """Train a model in a market's home and hold its reasons against the truth.

    Parameters
    ----------
    folder : Path
        Holds the home; keeps what was found.
    records : Path
        The market's records.

    Returns
    -------
    DataFrame
        From `benchmarks.simulated_reasons.agreement`.
    """
    kept = folder / "reasons.csv"
    if not kept.exists():
        _run(folder, PROPER, "train")
        truth = pd.read_parquet(records / "SIMULATED-truth.parquet")
        agreement(folder, truth, HORIZON).to_csv(kept, index=False)
    return pd.read_csv(kept)


def _reasons_table(found: pd.DataFrame) -> tuple[str, float]:
    """Table of true causes by what was named, and the share of all that agrees."""
    counts = found.pivot_table(
        index="cause", columns="named", values="drug_months", aggfunc="sum", fill_value=0
    )
    names = [*dict.fromkeys(MECHANISM.values()), "none"]
    counts = counts.reindex(columns=names, fill_value=0)
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False).index]
    lines = [
        "| true main cause | " + " | ".join(f"named {name}" for name in names) + " | agree |",
        "| --- " * (len(names) + 2) + "|",
    ]
    right = 0
    for cause, row in counts.iterrows():
        agree = int(row.get(str(cause), 0))
        right += agree
        cells = [str(cause), *(f"{int(count):,}" for count in row), f"{agree / row.sum():.0%}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines), right / int(counts.to_numpy().sum())


def page(
    size: tuple[int, int],
    markets: Sequence[Market],
    leaks: Sequence[Market],
    rise: Sequence[np.ndarray],
    columns: tuple[int, int],
    causes: pd.DataFrame,
) -> str:
    """Put the figures into words.

    Parameters
    ----------
    size : tuple of int
        Drugs and years of each market.
    markets : sequence of Market
        Without a leak.
    leaks : sequence of Market
        The same again, with the lags switched off.
    rise : sequence of ndarray
        From `rises`, of each market.
    columns : tuple of int
        What the audit found in the first without and with the leak.
    causes : DataFrame
        From `reasons`, of all markets.

    Returns
    -------
    str
        Markdown.
    """
    names = [name for name in markets[0].models if name not in ("oracle", "prevalence")]
    names.sort(key=lambda name: markets[0].models[name]["ap"])
    head = "| seed | drug-months | onsets | prevalence | oracle | " + " | ".join(names)
    lines = [
        f"{head} | {CHAMPION} / oracle | slope of {CHAMPION} | slope of the oracle |",
        "| --- " * (len(names) + 8) + "|",
    ]
    lines += [_line(str(market.seed), market, names) for market in markets]
    leaked, gain = _leak_table(markets, leaks, rise)
    ratios = [m.models[CHAMPION]["ap"] / m.models["oracle"]["ap"] for m in markets]
    table, agree = _reasons_table(causes)
    said = {
        "causes": table,
        "agree": f"{agree:.0%}",
        "list": LIST_SIZE,
        "drugs": f"{size[0]:,}",
        "years": size[1],
        "seeds": ", ".join(str(market.seed) for market in markets),
        "table": "\n".join(lines),
        "mean": f"{sum(ratios) / len(ratios):.2f}",
        "least": f"{min(ratios):.2f}",
        "leaked": leaked,
        "gain": gain,
        "resamples": f"{RESAMPLES:,}",
        "seed": markets[0].seed,
        "clean": columns[0],
        "caught": columns[1],
    }
    return TEXT.format(**said, champion=CHAMPION, start=FROM, end=TO, at=AT, horizon=HORIZON)


def _leak_table(
    markets: Sequence[Market], leaks: Sequence[Market], rise: Sequence[np.ndarray]
) -> tuple[str, str]:
    """Table of the average precision without and with the leak, and its mean rise in words."""
    head = f"| seed | {CHAMPION} | with the leak | rise (95 %) | oracle |"
    lines = [head, "| --- " * 5 + "|"]
    gains = []
    for market, leak, draws in zip(markets, leaks, rise, strict=True):
        proper, leaky = market.models[CHAMPION]["ap"], leak.models[CHAMPION]["ap"]
        gains.append(leaky / proper - 1)
        oracle = market.models["oracle"]["ap"]
        said = f"{gains[-1]:+.0%} {_span(draws)}"
        lines.append(f"| {market.seed} | {proper:.3f} | {leaky:.3f} | {said} | {oracle:.3f} |")
    return "\n".join(lines), f"{np.mean(gains):.0%} {_span(np.mean(rise, axis=0))}"


def _span(draws: np.ndarray) -> str:
    """Middle 95 % of resampled shares."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"({low:+.0%} to {high:+.0%})"


def _line(name: str, market: Market, models: Sequence[str]) -> str:
    """One row of the table."""
    found = market.models
    cells = [name, f"{market.rows:,}", f"{market.onsets:,}", f"{100 * market.prevalence:.1f} %"]
    cells += [f"{found[model]['ap']:.3f}" for model in ("oracle", *models)]
    cells.append(f"{found[CHAMPION]['ap'] / found['oracle']['ap']:.2f}")
    cells += [f"{found[model]['slope']:.2f}" for model in (CHAMPION, "oracle")]
    return f"| {' | '.join(cells)} |"


TEXT = """# What the method finds where the truth is known

SIMULATED. Made by `python -m benchmarks.simulated_skill`; the figures are not typed by hand.

The [made-up market](simulated-market.md) has a true hazard for each drug and month. An oracle
ranks by it and sees nothing else. This page holds the models of `shortcast backtest` against that
oracle, on records in the official formats, taken through import, build and panel as any records
are. It says that the method finds what there is to find in such records, and that its
probabilities hold; it says nothing of the real world, where the records tell less.

## The models and the oracle

Average precision of onsets within {horizon} months, as-of dates {start} to {end}; {drugs} drugs
and {years} years, seeds {seeds}. The calibration slope is 1 where scores are neither too extreme
nor too timid.

{table}

`{champion}` reaches {mean} of the oracle's average precision in the mean, {least} at least. It can
exceed the oracle where the records show accidents that have happened and wait to be posted, of
which the true hazard does not know, and by chance.

## A deliberate leak

In each market once more every row was known from the day that it is about: a recall from the day
it began, an inspection from its last day, a letter from its date (`benchmarks/lags_off.py`).

{leaked}

Average precision rises by {gain} in the mean; in brackets the middle 95 % of {resamples}
resamples of the drugs. The audit at {at} in the market of seed {seed}, which falsifies what became
known from then on and looks for it in the rows before, names {caught} columns of the panel with the
leak, and {clean} without it.

## Named and true causes

A reason names what moved a score, and no cause. Here the truth has one: the mechanism with the
largest part in a drug's risk. Held against it is the group that raises a score most among those
that speak of a mechanism: inspections and recalls of quality, prices and discontinuation notices
of margins, reports abroad of failures abroad. The {list} highest scores of each month after those
that the model was trained on, all markets; drug-months:

{causes}

They agree in {agree}. Nearly all high risks of these markets are of quality, so that alone is
easily done: the lines below the first say whether the reasons tell causes apart.
"""


def main() -> None:
    """Take the markets through, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulated_skill")
    parser.add_argument("--drugs", type=int, default=800)
    parser.add_argument("--years", type=int, default=12)
    parser.add_argument("--seeds", default="1,2,3,4,5", help="seeds, parted by commas")
    parser.add_argument("--folder", type=Path, help="keeps the markets; a run goes on from there")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    with tempfile.TemporaryDirectory(prefix="shortcast-skill-") as scratch:
        folder = (options.folder or Path(scratch)).resolve()
        markets, leaks, rise = [], [], []
        for seed in seeds:
            here = folder / f"seed-{seed}"
            here.mkdir(parents=True, exist_ok=True)
            made = here / "records"
            markets.append(take(here, options.drugs, options.years, seed, PROPER, made))
            print(markets[-1], flush=True)
            leaky = folder / f"leaky-{seed}"
            leaky.mkdir(exist_ok=True)
            leaks.append(take(leaky, options.drugs, options.years, seed, LEAKY, made))
            print(leaks[-1], flush=True)
            rise.append(rises(here, leaky))
        found = [reasons(folder / f"seed-{s}", folder / f"seed-{s}" / "records") for s in seeds]
        first, records = seeds[0], folder / f"seed-{seeds[0]}" / "records"
        clean = audited(folder / f"seed-{first}", PROPER, records)
        columns = (clean, audited(folder / f"leaky-{first}", LEAKY, records))
        size = (options.drugs, options.years)
        text = page(size, markets, leaks, rise, columns, pd.concat(found))
    options.out.write_text(text, encoding="utf-8")
    print(f"{options.out}: {len(markets)} markets, with and without a leak")


if __name__ == "__main__":
    main()
