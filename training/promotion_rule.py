"""The rule by which a trained model takes the place of the champion (see mlflow/promotion.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from shortcast.training.evaluation import compare, rows_of
from shortcast.training.metrics import drug_draws
from shortcast.training.stability import LIST_SIZE, rank_change

#: Horizon that the rule looks at, in months.
HORIZON = 6
#: Models that a challenger must beat in average precision.
MUST_BEAT = ("past_listings", "points")
#: Latest matured months that challenger and champion are compared on.
MONTHS = 24
#: Onsets without which there is no comparison.
LEAST_ONSETS = 10
#: Share of the champion's average precision that may be lost without its being shown.
TOLERANCE = 0.1
#: Bounds that the intervals of slope and of observed over expected must reach into.
CALIBRATION = (0.8, 1.25)
#: Bounds of what may change among the drugs of the latest month.
LEAST_SPEARMAN = 0.7
MOST_REPLACED = 25
#: Bootstrap resamples of drugs, and their seed.
RESAMPLES, SEED = 1000, 0


@dataclass(frozen=True)
class Check:
    """One part of the rule.

    Attributes
    ----------
    name : str
        'baselines', 'champion', 'calibration', 'ranks' or 'strata'.
    passed : bool
        Whether the challenger passes.
    says : str
        Why, in a sentence with the figures.
    figures : dict
        The figures.
    """

    name: str
    passed: bool
    says: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What the rule says.

    Attributes
    ----------
    compared : bool
        Whether the challenger was held against the champion, not against baselines alone.
    note : str
        On which months and rows, or why not.
    checks : tuple of Check
        In the order of the policy.
    """

    compared: bool
    note: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check is passed."""
        return all(check.passed for check in self.checks)

    @property
    def refusal(self) -> str:
        """Return what the failed checks say, in one line."""
        return " ".join(check.says for check in self.checks if not check.passed)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON knows it.

        Returns
        -------
        dict
            ``passed``, ``horizon_months``, ``compared``, ``note`` and ``checks``.
        """
        return {
            "passed": self.passed,
            "horizon_months": HORIZON,
            "compared": self.compared,
            "note": self.note,
            "checks": [asdict(check) for check in self.checks],
        }


def judge(
    name: str,
    metrics: Mapping[str, Any],
    own: pd.DataFrame | None = None,
    champion: pd.DataFrame | None = None,
    why_not: str = "",
) -> Verdict:
    """Hold a challenger against the baselines and, if there is one, against the champion.

    Parameters
    ----------
    name : str
        Name of the challenger among the models of its backtest.
    metrics : mapping
        The bundle's ``metrics``.
    own, champion : DataFrame, optional
        Walk-forward forecasts of challenger and champion, each from the backtest that its version
        was registered with, as in ``forecasts.parquet``; the challenger's with those of
        'prevalence'.
    why_not : str
        Why there is no comparison with a champion, where forecasts are missing.

    Returns
    -------
    Verdict
        Without forecasts, or with too few onsets in common, that of the baselines alone.
    """
    checks = [_baselines(name, metrics)]
    if own is None or champion is None:
        return Verdict(False, why_not, tuple(checks))
    table = _in_common(own, champion)
    onsets = 0 if table is None else _onsets(table)
    if table is None or onsets < LEAST_ONSETS:
        return Verdict(
            False,
            f"The backtests of both models have {onsets} onsets in common, and fewer than "
            f"{LEAST_ONSETS} tell nothing; judged against the baselines alone.",
            tuple(checks),
        )
    rows, months, drugs = rows_of(table)
    draws = drug_draws(len(drugs), RESAMPLES, SEED)
    found = compare(rows, draws, ("champion",))
    checks += [_against(found["models"]), _calibration(found["models"]["challenger"])]
    latest = rows.where(rows.month == rows.month.max())
    checks.append(
        _ranks(rank_change(latest.scores["champion"], latest.scores["challenger"]), months[-1])
    )
    first = table[table["model"] == "prevalence"].sort_values(["as_of", "drug_id"], kind="stable")
    listed = first["previously_listed"].to_numpy(dtype=bool)
    injected = (first["form_group"] == "injection").to_numpy(dtype=bool)
    parts = {
        "listed before": listed,
        "never listed": ~listed,
        "injections": injected,
        "other forms": ~injected,
    }
    strata = {
        words: compare(rows.where(part), draws, ("champion",)) for words, part in parts.items()
    }
    checks.append(_strata(strata))
    note = (
        f"Compared on {len(months)} as-of dates from {months[0]:%Y-%m} to {months[-1]:%Y-%m}: "
        f"{found['rows']:,} drug-months, {onsets} onsets, forecast by both before they had "
        "learnt from them."
    )
    return Verdict(True, note, tuple(checks))


def _baselines(name: str, metrics: Mapping[str, Any]) -> Check:
    """Ask for a higher average precision than what anyone can count by hand."""
    models = metrics.get("horizons", {}).get(str(HORIZON), {}).get("models", {})
    if name not in models:
        return Check(
            "baselines",
            False,
            f"No backtest of these records says how good {name} is at {HORIZON} months; run "
            "`shortcast backtest`, then `shortcast train`.",
        )
    figures = {model: models[model]["ap"] or 0.0 for model in (name, *MUST_BEAT)}
    beaten = [rival for rival in MUST_BEAT if figures[name] > figures[rival]]
    rivals = " and ".join(f"that of {rival} {figures[rival]:.4f}" for rival in MUST_BEAT)
    return Check(
        "baselines",
        len(beaten) == len(MUST_BEAT),
        f"The average precision of {name} at {HORIZON} months is {figures[name]:.4f}, {rivals}.",
        {f"ap_{model}": value for model, value in figures.items()},
    )


def _in_common(own: pd.DataFrame, champion: pd.DataFrame) -> pd.DataFrame | None:
    """Lay both models out on the latest matured rows that both scored, outcomes as known now."""
    own = own[(own["horizon_months"] == HORIZON) & own["label"].notna()]
    theirs = champion[(champion["horizon_months"] == HORIZON)]
    theirs = theirs[theirs["model"] != "prevalence"][["drug_id", "as_of", "score"]]
    months = sorted(set(own["as_of"]) & set(theirs["as_of"]))[-MONTHS:]
    if not months:
        return None
    own = own[own["as_of"].isin(months)]
    own = own.assign(model=own["model"].where(own["model"] == "prevalence", "challenger"))
    both = own.merge(theirs.rename(columns={"score": "theirs"}), on=["drug_id", "as_of"])
    mine = both[both["model"] == "challenger"]
    rival = mine.assign(model="champion", score=mine["theirs"])
    return pd.concat([both, rival], ignore_index=True).drop(columns="theirs")


def _onsets(table: pd.DataFrame) -> int:
    """Count the onsets within the horizon of any row."""
    positive = table[table["label"].astype(bool)]
    return len(positive[["drug_id", "onset_date"]].drop_duplicates())


def _against(models: Mapping[str, Any]) -> Check:
    """Refuse what is shown to be worse than the champion, or is much worse unshown."""
    found = models["challenger"]["versus"]["champion"]
    worse = [key for key in ("ap", "precision_at_50") if _below(found[key]["interval"])]
    before = models["champion"]["ap"] or 0.0
    lost = found["ap"]["difference"] < -TOLERANCE * before
    low, high = found["ap"]["interval"]
    return Check(
        "champion",
        not worse and not lost,
        f"Average precision {models['challenger']['ap']:.4f} against the champion's {before:.4f}: "
        f"difference {found['ap']['difference']:+.4f} ({low:+.4f} to {high:+.4f}); at 50 a month "
        f"precision {found['precision_at_50']['difference']:+.3f}.",
        {"ap": models["challenger"]["ap"], "ap_champion": before, **found},
    )


def _calibration(figures: Mapping[str, Any]) -> Check:
    """Ask that the intervals of slope and level reach into the bounds."""
    low, high = CALIBRATION
    names = ("calibration_slope", "observed_over_expected")
    within = []
    for name in names:
        ends = figures.get(f"{name}_interval", [None, None])
        within.append(None not in ends and ends[1] >= low and ends[0] <= high)
    values = [f"{figures[name]:.2f}" if figures[name] is not None else "unknown" for name in names]
    return Check(
        "calibration",
        all(within),
        f"Calibration slope {values[0]}, observed over expected {values[1]}; their intervals must "
        f"reach into {low} to {high}.",
        {key: figures.get(key) for n in names for key in (n, f"{n}_interval")},
    )


def _ranks(change: Mapping[str, Any], month: pd.Timestamp) -> Check:
    """Refuse a ranking that its readers would not know again."""
    known = change["spearman"] is not None and change["spearman"] >= LEAST_SPEARMAN
    return Check(
        "ranks",
        known and change["replaced"] <= MOST_REPLACED,
        f"In {month:%Y-%m} the rank correlation with the champion is "
        f"{change['spearman'] or 0:.2f} (at least {LEAST_SPEARMAN}), and {change['replaced']} of "
        f"the first {LIST_SIZE} are others (at most {MOST_REPLACED}).",
        dict(change),
    )


def _strata(strata: Mapping[str, Mapping[str, Any]]) -> Check:
    """Refuse what is shown to be worse in a kind of drug; few onsets show nothing."""
    told = {
        words: {
            "onsets": found["events"],
            **found["models"]["challenger"]["versus"]["champion"]["ap"],
        }
        for words, found in strata.items()
        if found["events"] >= LEAST_ONSETS
    }
    worse = [words for words, figures in told.items() if _below(figures["interval"])]
    said = ", ".join(f"{words} {figures['difference']:+.4f}" for words, figures in told.items())
    said = f"({said})" if told else "(too few onsets to tell)"
    where = f"among {' and among '.join(worse)}" if worse else "nowhere"
    return Check(
        "strata",
        not worse,
        f"Average precision is shown to be worse {where} {said}.",
        told,
    )


def _below(interval: list[float | None]) -> bool:
    """Return whether a whole interval lies below 0."""
    high = interval[1]
    return high is not None and high < 0
