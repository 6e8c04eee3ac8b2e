"""Drift: how far what the model sees now has moved from what it was trained on.

`reference` sums the training window up in a few numbers a feature, small enough to travel
with the model as JSON; `compare` holds the drugs of today against it.

The measure is the population stability index over bins i of the training window,

    PSI = sum_i (a_i - e_i) * ln(a_i / e_i),

with ``a`` the shares now and ``e`` the shares then: the symmetrised Kullback-Leibler
divergence (Jeffreys, "An invariant form for the prior probability in estimation problems",
Proc. R. Soc. A 186, 1946). The rule of thumb, below 0.10 no shift, 0.10 to 0.25 some, above
0.25 a large one, is that of credit scoring (Siddiqi, "Credit Risk Scorecards", Wiley 2006).
It is too strict here in two ways, so a shift also has to be

* above the 99.9th percentile of chance: without any shift, PSI is distributed about as
  ``(1/n + 1/m) * chi-square(bins - 1)`` (Yurdakul, "Statistical Properties of Population
  Stability Index", Western Michigan University 2018), which alone passes 0.10 in a small
  market;
* above the largest index of any single month of the training window against the whole
  window. Features that are one for a class of drugs, or that follow the calendar, differ
  from month to month by nature; the model has seen that.

The share of missing values is held against the last year of the training window: sources
began at different times, and what was missing at first says nothing of today.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd

from shortcast.errors import ShortcastError
from shortcast.features import groups
from shortcast.monitoring.findings import Finding, Severity

#: Raised whenever a reference of an earlier layout could no longer be read.
FORMAT = 2

#: Bounds of the index (Siddiqi 2006) for a warning and for an alarm. Where the bound for a
#: warning is higher, that for an alarm is as far above it.
PSI_WARNING = 0.10
PSI_ALARM = 0.25

#: Months at the end of the training window that the share of missing values is held against.
RECENT_MONTHS = 12

#: Change of the share of missing values for a warning and for an alarm. Our choice: a tenth
#: of the drugs losing a value is more than any change of the market from month to month.
MISSING_WARNING = 0.10
MISSING_ALARM = 0.25

#: Numeric columns with more distinct values than this are cut at quantiles of the training
#: window; others, such as counts, are compared value by value.
MAX_VALUES = 12
BINS = 10

#: Columns of a panel that are no features.
NOT_FEATURES = ("drug_id", "as_of", "at_risk")

#: 99.9th percentile of the standard normal distribution.
_Z = 3.0902

_OTHER = "(other)"


@dataclass(frozen=True)
class Drift:
    """How far one column has moved.

    Attributes
    ----------
    kind : {'feature', 'score'}
        What the column is.
    column : str
        Its name; for scores ``score_6``: at 6 months.
    psi : float or None
        Population stability index; None if the column is absent now.
    psi_bound : float
        Bound above which it is reported: the largest of 0.10, chance, and what single
        months of the training window showed.
    missing_then, missing_now : float
        Share of missing values, in the last year of the training window and now.
    missing_bound : float
        Bound above which a change of that share is reported.
    moved : str
        The bin whose share changed most, with both shares; '' if none changed.
    """

    kind: Literal["feature", "score"]
    column: str
    psi: float | None
    psi_bound: float
    missing_then: float
    missing_now: float
    missing_bound: float
    moved: str = ""


def reference(panel: pd.DataFrame, scores: pd.DataFrame | None = None) -> dict[str, Any]:
    """Sum up the training window.

    Parameters
    ----------
    panel : DataFrame
        ``drug_id``, ``as_of`` and the features, at the as-of dates that were trained on and
        no others. Drugs in shortage are in it too: what is held against it, all drugs of a
        day, has them as well.
    scores : DataFrame, optional
        ``drug_id``, ``as_of``, ``horizon_months``, ``score``: what the model gives in that
        window. It has learnt from these very rows, so the scores of new ones may lie a
        little closer together for that alone.

    Returns
    -------
    dict
        Plain values, for JSON: for each column its bins, the share of each among the
        values that are there, and the share of missing values.

    Raises
    ------
    ShortcastError
        If the panel has no row.
    """
    if panel.empty:
        raise ShortcastError("The training window has no row, so drift has nothing to refer to.")
    months = _months(panel["as_of"])
    # A drug's months resemble one another: drugs, not rows, are what was sampled.
    drugs = int(panel["drug_id"].nunique())
    made: dict[str, Any] = {
        "format": FORMAT,
        "from": str(pd.Timestamp(panel["as_of"].min()).date()),
        "through": str(pd.Timestamp(panel["as_of"].max()).date()),
        "rows": len(panel),
        "drugs": drugs,
        "features": {name: _summary(panel[name], months, drugs) for name in _features(panel)},
        "scores": {},
    }
    if scores is not None:
        wide = _wide(scores)
        months = _months(wide.index.get_level_values("as_of"))
        made["scores"] = {str(name): _summary(wide[name], months, drugs) for name in wide.columns}
    return made


def compare(
    reference: Mapping[str, Any] | None,
    current: pd.DataFrame,
    scores: pd.DataFrame | None = None,
) -> list[Drift]:
    """Hold the drugs of one as-of date against the training window.

    Parameters
    ----------
    reference : mapping or None
        What `reference` returned; None if it was not kept.
    current : DataFrame
        ``drug_id`` and the features at one as-of date.
    scores : DataFrame, optional
        ``drug_id``, ``horizon_months``, ``score`` at that date.

    Returns
    -------
    list of Drift
        One for each column of the reference, the largest index first; columns that are
        absent now come before all others.

    Raises
    ------
    ShortcastError
        If there is no reference, it has another layout, or there is no current row.
    """
    if reference is None:
        raise ShortcastError(
            "The training window of the model that scored is not kept or cannot be read, so drift "
            "was not looked for; train and promote again."
        )
    if reference.get("format") != FORMAT:
        raise ShortcastError(
            "The reference of the training window was written by another version of shortcast; "
            "train and promote again."
        )
    if current.empty:
        raise ShortcastError("There is no current row to hold against the training window.")
    drifts = _compare("feature", reference["features"], current, reference["drugs"])
    if scores is not None and reference["scores"]:
        drifts += _compare("score", reference["scores"], _wide(scores), reference["drugs"])
    return sorted(drifts, key=lambda d: -math.inf if d.psi is None else -d.psi)


def findings(drifts: Sequence[Drift]) -> list[Finding]:
    """Return a finding for each column that moved beyond a bound.

    Parameters
    ----------
    drifts : sequence of Drift
        What `compare` returned.

    Returns
    -------
    list of Finding
        Of kinds ``feature`` and ``score``, in the order given.
    """
    return [found for drift in drifts if (found := _finding(drift)) is not None]


def _features(panel: pd.DataFrame) -> list[str]:
    return [str(name) for name in panel.columns if name not in NOT_FEATURES]


def _wide(scores: pd.DataFrame) -> pd.DataFrame:
    """Turn scores into one column a horizon: ``score_3``, ``score_6`` ..."""
    index = [name for name in ("as_of", "drug_id") if name in scores.columns]
    wide = scores.pivot(index=index, columns="horizon_months", values="score")
    return wide.rename(columns=lambda horizon: f"score_{horizon}")


def _is_numeric(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _months(days: pd.Series | pd.Index) -> np.ndarray:
    """Return the position of each as-of date among those that occur, from 0 on."""
    return np.unique(pd.to_datetime(days).to_numpy(), return_inverse=True)[1]


def _numbers(values: pd.Series) -> np.ndarray:
    """Return the values as floats; text becomes NaN."""
    if not _is_numeric(values):
        values = pd.to_numeric(values, errors="coerce")
    return values.to_numpy(dtype=float, na_value=np.nan)


def _layout(values: pd.Series) -> dict[str, Any]:
    """Choose the bins of a column: edges for many numbers, else the values themselves."""
    if not _is_numeric(values):
        return {"type": "category", "values": sorted(values.dropna().astype(str).unique())}
    numbers = _numbers(values)
    numbers = numbers[np.isfinite(numbers)]
    distinct = np.unique(numbers)
    if len(distinct) <= MAX_VALUES:
        return {"type": "values", "values": distinct.tolist()}
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1]))
    return {"type": "number", "edges": edges.tolist()}


def _place(values: pd.Series, layout: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Put each value into its bin.

    Returns
    -------
    present : ndarray of bool
        False for values that are missing; infinities count as such.
    bins : ndarray of int
        For each value that is there. Bin i of numbers reaches from above edge i-1 to edge
        i; the last bin of values and categories takes what was never seen in training.
    """
    if layout["type"] == "category":
        present = values.notna().to_numpy()
        known = pd.Index(layout["values"], dtype=object)
        bins = known.get_indexer(pd.Index(values[present].astype(str), dtype=object))
        return present, np.where(bins < 0, len(known), bins)
    numbers = _numbers(values)
    present = np.isfinite(numbers)
    numbers = numbers[present]
    if layout["type"] == "number":
        return present, np.searchsorted(np.asarray(layout["edges"]), numbers, side="left")
    known = np.append(np.asarray(layout["values"], dtype=float), np.inf)
    bins = np.searchsorted(known, numbers, side="left")
    return present, np.where(known[bins] == numbers, bins, len(known) - 1)


def _bin_names(layout: Mapping[str, Any]) -> list[str]:
    if layout["type"] == "category":
        return [*layout["values"], _OTHER]
    if layout["type"] == "values":
        return [*(f"{value:g}" for value in layout["values"]), _OTHER]
    edges = layout["edges"]
    names = [f"up to {edges[0]:g}", *(f"{a:g} to {b:g}" for a, b in pairwise(edges))]
    return [*names, f"above {edges[-1]:g}"]


def _psi(shares: np.ndarray, present_then: float, counts: np.ndarray) -> np.ndarray:
    """Return the index of each row of counts against the shares of the training window.

    Half a drug is added to every bin, so that the logarithm stays finite where one is empty.
    """
    bins = counts.shape[-1]
    then = (shares * present_then + 0.5) / (present_then + 0.5 * bins)
    now = (counts + 0.5) / (counts.sum(axis=-1, keepdims=True) + 0.5 * bins)
    return np.sum((now - then) * np.log(now / then), axis=-1)


def _summary(values: pd.Series, months: np.ndarray, drugs: int) -> dict[str, Any]:
    """Return bins, shares, share missing and usual index of one column."""
    layout = _layout(values)
    size = len(_bin_names(layout))
    present, bins = _place(values, layout)
    rows = np.bincount(months)
    table = np.bincount(months[present] * size + bins, minlength=len(rows) * size)
    table = table.reshape(len(rows), size)
    total = int(table.sum())
    missing = 1 - total / len(values)
    shares = table.sum(axis=0) / max(total, 1)
    filled = table[table.sum(axis=1) > 0]
    usual = _psi(shares, drugs * (1 - missing), filled).max() if len(filled) > 1 else 0.0
    recent = slice(-RECENT_MONTHS, None)
    return {
        **layout,
        "shares": shares.tolist(),
        "missing": missing,
        "missing_lately": 1 - int(table[recent].sum()) / int(rows[recent].sum()),
        "usual_psi": float(usual),
    }


def _compare(
    kind: Literal["feature", "score"],
    summaries: Mapping[str, Mapping[str, Any]],
    current: pd.DataFrame,
    drugs_then: int,
) -> list[Drift]:
    drifts = []
    drugs_now = len(current)
    for column, summary in summaries.items():
        lately = float(summary["missing_lately"])
        if column not in current.columns:
            drifts.append(Drift(kind, column, None, PSI_WARNING, lately, 1.0, MISSING_WARNING))
            continue
        names = _bin_names(summary)
        shares = np.asarray(summary["shares"], dtype=float)
        present, bins = _place(current[column], summary)
        counts = np.bincount(bins, minlength=len(names))
        present_then = drugs_then * (1 - float(summary["missing"]))
        present_now = int(present.sum())
        psi, bound, moved = 0.0, PSI_WARNING, ""
        if present_then >= 1 and present_now >= 1:
            psi = float(_psi(shares, present_then, counts))
            chance = (1 / present_then + 1 / present_now) * _chi_square(len(names) - 1)
            bound = max(PSI_WARNING, chance, float(summary["usual_psi"]))
            most = int(np.argmax(np.abs(counts / present_now - shares)))
            moved = f"{names[most]}: {shares[most]:.0%} then, {counts[most] / present_now:.0%} now"
        spread = math.sqrt(lately * (1 - lately) * (1 / drugs_then + 1 / drugs_now))
        drifts.append(
            Drift(
                kind,
                column,
                psi,
                bound,
                lately,
                1 - present_now / drugs_now,
                max(MISSING_WARNING, _Z * spread),
                moved,
            )
        )
    return drifts


def _chi_square(freedom: int) -> float:
    """Return the 99.9th percentile of chi-square.

    By the cube-root approximation of Wilson and Hilferty ("The distribution of chi-square",
    PNAS 17, 1931), at most 3 % too high here, so that no scipy is needed at run time.
    """
    if freedom < 1:
        return 0.0
    part = 2 / (9 * freedom)
    return freedom * (1 - part + _Z * math.sqrt(part)) ** 3


def _finding(drift: Drift) -> Finding | None:
    what = "Feature" if drift.kind == "feature" else "Column"
    declared = groups.features().get(drift.column)
    column = f"{drift.column} ({declared.label})" if declared else drift.column
    if drift.psi is None:
        return Finding(
            drift.kind,
            drift.column,
            "alarm",
            f"{what} {column} was there in the training window and is absent now.",
        )
    change = drift.missing_now - drift.missing_then
    if abs(change) > drift.missing_bound:
        severity: Severity = "alarm" if abs(change) > MISSING_ALARM else "warning"
        return Finding(
            drift.kind,
            drift.column,
            severity,
            f"{what} {column} is missing for {drift.missing_now:.0%} of drugs; in the "
            f"last year of the training window it was {drift.missing_then:.0%}.",
            value=change,
            threshold=drift.missing_bound,
        )
    if drift.psi > drift.psi_bound:
        return Finding(
            drift.kind,
            drift.column,
            "alarm" if drift.psi > drift.psi_bound + PSI_ALARM - PSI_WARNING else "warning",
            f"{what} {column} has moved away from the training window: {drift.moved} "
            f"(population stability index {drift.psi:.2f}; up to {drift.psi_bound:.2f} is usual).",
            value=drift.psi,
            threshold=drift.psi_bound,
        )
    return None
