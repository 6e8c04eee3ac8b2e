"""Drift: how far what the model sees now has moved from what it was trained on.

`reference` sums the training window up in a few numbers a feature, small enough to travel
with the model as JSON; `compare` holds the drugs of today against it.

The measure is the population stability index over bins i of the training window,

    PSI = sum_i (a_i - e_i) * ln(a_i / e_i),

with ``a`` the shares now and ``e`` the shares then: the symmetrised Kullback-Leibler
divergence (Jeffreys, "An invariant form for the prior probability in estimation problems",
Proc. R. Soc. A 186, 1946). The rule of thumb, below 0.10 no shift, 0.10 to 0.25 some, above
0.25 a large one, is that of credit scoring (Siddiqi, "Credit Risk Scorecards", Wiley 2006).
It knows nothing of sample size: without any shift, PSI is distributed about as
``(1/n + 1/m) * chi-square(bins - 1)`` (Yurdakul, "Statistical Properties of Population
Stability Index", Western Michigan University 2018). In a small market that alone passes
0.10, so a shift also has to be above the 99.9th percentile of that noise.
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
from shortcast.monitoring.findings import Finding, Severity

#: Raised whenever a reference of an earlier layout could no longer be read.
FORMAT = 1

#: Bounds of the index (Siddiqi 2006) for a warning and for an alarm.
PSI_WARNING = 0.10
PSI_ALARM = 0.25

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
        Bound above which it is reported: the larger of 0.10 and the noise.
    missing_then, missing_now : float
        Share of missing values.
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
        ``drug_id``, ``as_of`` and the features, as trained on.
    scores : DataFrame, optional
        ``drug_id``, ``as_of``, ``horizon_months``, ``score``: what the model gives in that
        window, out of sample where there is a choice.

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
    columns = {name: _summary(panel[name]) for name in _features(panel)}
    made: dict[str, Any] = {
        "format": FORMAT,
        "from": str(pd.Timestamp(panel["as_of"].min()).date()),
        "through": str(pd.Timestamp(panel["as_of"].max()).date()),
        "rows": len(panel),
        # A drug's months resemble one another: drugs, not rows, are what was sampled.
        "drugs": int(panel["drug_id"].nunique()),
        "features": columns,
        "scores": {},
    }
    if scores is not None:
        wide = _wide(scores)
        made["scores"] = {name: _summary(wide[name]) for name in wide.columns}
    return made


def compare(
    reference: Mapping[str, Any],
    current: pd.DataFrame,
    scores: pd.DataFrame | None = None,
) -> list[Drift]:
    """Hold the drugs of one as-of date against the training window.

    Parameters
    ----------
    reference : mapping
        What `reference` returned.
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
        If the reference has another layout or there is no current row.
    """
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


def _numbers(values: pd.Series) -> np.ndarray:
    """Return the values that are there as floats; infinities count as missing."""
    if not _is_numeric(values):
        values = pd.to_numeric(values, errors="coerce")
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    return numbers[np.isfinite(numbers)]


def _texts(values: pd.Series) -> pd.Series:
    """Return the values that are there as text."""
    return values.dropna().astype(str)


def _summary(values: pd.Series) -> dict[str, Any]:
    """Return bins, shares and the share missing of one column."""
    if _is_numeric(values):
        numbers = _numbers(values)
        missing = 1 - len(numbers) / len(values)
        distinct, counts = np.unique(numbers, return_counts=True)
        if len(distinct) > MAX_VALUES:
            edges = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1]))
            shares = _shares(_cut(numbers, edges), len(edges) + 1)
            return {
                "type": "number",
                "edges": edges.tolist(),
                "shares": shares,
                "missing": missing,
            }
        bins = {f"{value:g}": int(count) for value, count in zip(distinct, counts, strict=True)}
        total = len(numbers)
        kind = "values"
    else:
        texts = _texts(values)
        missing = 1 - len(texts) / len(values)
        bins = {str(k): int(v) for k, v in texts.value_counts().sort_index().items()}
        total = len(texts)
        kind = "category"
    return {
        "type": kind,
        "bins": list(bins),
        "shares": [count / total for count in bins.values()] if total else [],
        "missing": missing,
    }


def _cut(numbers: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the bin of each number; bin i reaches from above edge i-1 to edge i."""
    return np.searchsorted(edges, numbers, side="left")


def _shares(bins: np.ndarray, count: int) -> list[float]:
    return (np.bincount(bins, minlength=count) / max(len(bins), 1)).tolist()


def _current_counts(values: pd.Series, summary: Mapping[str, Any]) -> tuple[np.ndarray, int]:
    """Count the current values in the bins of the reference.

    Returns
    -------
    counts : ndarray of int
        One a bin; for values and categories a last bin takes those never seen in training.
    missing : int
        Values that are not there.
    """
    if summary["type"] == "number":
        numbers = _numbers(values)
        edges = np.asarray(summary["edges"])
        counts = np.bincount(_cut(numbers, edges), minlength=len(edges) + 1)
        return counts, len(values) - len(numbers)
    if summary["type"] == "values":
        distinct, found = np.unique(_numbers(values), return_counts=True)
        tally = {f"{v:g}": int(c) for v, c in zip(distinct, found, strict=True)}
    else:
        tally = {str(k): int(v) for k, v in _texts(values).value_counts().items()}
    counts = np.array([tally.pop(name, 0) for name in summary["bins"]] + [sum(tally.values())])
    return counts, len(values) - int(counts.sum())


def _compare(
    kind: Literal["feature", "score"],
    summaries: Mapping[str, Mapping[str, Any]],
    current: pd.DataFrame,
    drugs_then: int,
) -> list[Drift]:
    drifts = []
    drugs_now = len(current)
    for column, summary in summaries.items():
        missing_then = float(summary["missing"])
        if column not in current.columns:
            drifts.append(
                Drift(kind, column, None, PSI_WARNING, missing_then, 1.0, MISSING_WARNING)
            )
            continue
        counts, missing = _current_counts(current[column], summary)
        shares = np.asarray(summary["shares"], dtype=float)
        if summary["type"] != "number":
            shares = np.append(shares, 0.0)
        names = _bin_names(summary)
        missing_now = missing / drugs_now
        present_then = drugs_then * (1 - missing_then)
        present_now = int(counts.sum())
        psi, bound, moved = 0.0, PSI_WARNING, ""
        if present_then >= 1 and present_now >= 1:
            # Half a drug in every bin keeps the logarithm finite where a bin is empty.
            then = (shares * present_then + 0.5) / (present_then + 0.5 * len(shares))
            now = (counts + 0.5) / (present_now + 0.5 * len(shares))
            psi = float(np.sum((now - then) * np.log(now / then)))
            noise = (1 / present_then + 1 / present_now) * _chi_square(len(shares) - 1)
            bound = max(PSI_WARNING, noise)
            most = int(np.argmax(np.abs(counts / present_now - shares)))
            moved = f"{names[most]}: {shares[most]:.0%} then, {counts[most] / present_now:.0%} now"
        spread = math.sqrt(
            max(missing_then * (1 - missing_then), 0) * (1 / drugs_then + 1 / drugs_now)
        )
        drifts.append(
            Drift(
                kind,
                column,
                psi,
                bound,
                missing_then,
                missing_now,
                max(MISSING_WARNING, _Z * spread),
                moved,
            )
        )
    return drifts


def _bin_names(summary: Mapping[str, Any]) -> list[str]:
    if summary["type"] != "number":
        return [*summary["bins"], _OTHER]
    edges = summary["edges"]
    names = [f"up to {edges[0]:g}"]
    names += [f"{a:g} to {b:g}" for a, b in pairwise(edges)]
    return [*names, f"above {edges[-1]:g}"]


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
    if drift.psi is None:
        return Finding(
            drift.kind,
            drift.column,
            "alarm",
            f"{what} {drift.column} was there in the training window and is absent now.",
        )
    change = drift.missing_now - drift.missing_then
    if abs(change) > drift.missing_bound:
        severity: Severity = "alarm" if abs(change) > MISSING_ALARM else "warning"
        return Finding(
            drift.kind,
            drift.column,
            severity,
            f"{what} {drift.column} is missing for {drift.missing_now:.0%} of drugs; in the "
            f"training window it was {drift.missing_then:.0%}.",
            value=change,
            threshold=drift.missing_bound,
        )
    if drift.psi > drift.psi_bound:
        return Finding(
            drift.kind,
            drift.column,
            "alarm" if drift.psi > max(PSI_ALARM, drift.psi_bound) else "warning",
            f"{what} {drift.column} has moved away from the training window (PSI "
            f"{drift.psi:.2f}; {drift.moved}).",
            value=drift.psi,
            threshold=drift.psi_bound,
        )
    return None
