"""The reliability figure: what was forecast against what came to pass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from shortcast.features.kind import warning
from shortcast.training.metrics import tenths

#: Groups of equal size, from the lowest to the highest scores.
BINS = 10
#: Models drawn, with their colours (Okabe and Ito, safe for colour-blind readers).
DRAWN = {
    "blend": "#0072B2",
    "lightgbm": "#009E73",
    "logistic": "#D55E00",
    "points": "#999999",
}


def reliability(score: np.ndarray, label: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """Compare scores with outcomes in groups of equal size.

    Parameters
    ----------
    score, label : ndarray of shape (rows,)
        Probabilities and outcomes.
    bins : int
        Number of groups.

    Returns
    -------
    DataFrame
        ``expected`` and ``observed`` (mean score and rate of outcomes), ``rows`` and
        ``positives`` of each group, lowest scores first.
    """
    groups = tenths(score, bins)
    return pd.DataFrame(
        {
            "expected": [float(score[part].mean()) for part in groups],
            "observed": [float(label[part].mean()) for part in groups],
            "rows": [len(part) for part in groups],
            "positives": [int(label[part].sum()) for part in groups],
        }
    )


def draw_reliability(forecasts: pd.DataFrame, metrics: Mapping[str, Any], path: Path) -> None:
    """Draw the reliability of the main models at each horizon.

    Parameters
    ----------
    forecasts : DataFrame
        As in ``forecasts.parquet``; rows without a label are left out.
    metrics : mapping
        As in ``metrics.json``.
    path : Path
        Where the picture goes; its ending names the format (png or svg).
    """
    horizons = [int(h) for h in metrics["horizons"]]
    figure, panels = plt.subplots(
        1, len(horizons), figsize=(4.2 * len(horizons), 4.2), squeeze=False, layout="constrained"
    )
    known = forecasts[forecasts["label"].notna()]
    for axes, horizon in zip(panels[0], horizons, strict=True):
        rows = known[known["horizon_months"] == horizon]
        top = 0.0
        for model, colour in DRAWN.items():
            part = rows[rows["model"] == model]
            if part.empty:
                continue
            table = reliability(
                part["score"].to_numpy(dtype=float), part["label"].to_numpy(dtype=float)
            )
            slope = metrics["horizons"][str(horizon)]["models"][model]["calibration_slope"]
            legend = model if slope is None else f"{model} (slope {slope:.2f})"
            axes.plot(table["expected"], table["observed"], "o-", color=colour, label=legend)
            top = max(top, float(table[["expected", "observed"]].to_numpy().max()))
        axes.plot([0, top * 1.05], [0, top * 1.05], color="black", linewidth=0.8)
        axes.set(
            title=f"{horizon} months",
            xlabel="forecast risk, tenths of the drugs",
            ylabel="share with a new shortage",
        )
        axes.legend(frameon=False, fontsize=8)
    if said := warning(metrics["data"]):
        figure.suptitle(said, color="#B00020", fontweight="bold")
    figure.savefig(path, dpi=110)
    plt.close(figure)
