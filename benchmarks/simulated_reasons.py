"""Whether the main reason of a high score names the mechanism behind a drug's true risk.

Part of `benchmarks.simulated_skill`. In a made-up market each drug and month has a true main
cause: the mechanism with the largest part in its risk. A score's reasons are contributions of
feature groups; some of these speak of a mechanism, others only of how exposed a drug is.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pandas as pd

from shortcast.features.warehouse import open_warehouse
from shortcast.jobs import cached_panel, first_month, last_month, read_records
from shortcast.settings import settings
from shortcast.training import tracking
from shortcast.training.bundle import Bundle

#: What feature groups tell of; history, makers and traits tell how exposed a drug is, not why.
MECHANISM = {
    "inspections": "quality",
    "recalls": "quality",
    "prices": "margin",
    "discontinuations": "margin",
    "abroad": "abroad",
}
#: Drugs of each month that count as of high risk: as many as the daily list has.
LIST_SIZE = 50


def named(bundle: Bundle, panel: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Name the mechanism that each high score is put down to.

    Parameters
    ----------
    bundle : Bundle
        The model.
    panel : DataFrame
        Months that it was not trained on.
    horizon : int
        Months ahead.

    Returns
    -------
    DataFrame
        ``drug_id``, ``as_of`` and ``named``: the mechanism of the group that raises the score
        most among those that speak of one, ``none`` where no such group raises it; one row for
        each of the first `LIST_SIZE` drugs of each month.
    """
    scores = bundle.score(panel)
    top = scores[(scores["horizon_months"] == horizon) & (scores["rank"] <= LIST_SIZE)]
    rows = panel.merge(top[["drug_id", "as_of"]], on=["drug_id", "as_of"])
    reasons = bundle.reasons(rows, horizon)
    reasons["mechanism"] = reasons["group"].map(MECHANISM)
    raising = reasons[(reasons["contribution"] > 0) & reasons["mechanism"].notna()]
    first = raising.sort_values("contribution", ascending=False, kind="stable")
    first = first.drop_duplicates(["drug_id", "as_of"])[["drug_id", "as_of", "mechanism"]]
    found = rows[["drug_id", "as_of"]].merge(first, on=["drug_id", "as_of"], how="left")
    return found.rename(columns={"mechanism": "named"}).fillna({"named": "none"})


def agreement(folder: Path, truth: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Hold the reasons of a home's newest model against the truth.

    Parameters
    ----------
    folder : Path
        Holds the home, in which a model has been trained.
    truth : DataFrame
        ``SIMULATED-truth.parquet`` of the market.
    horizon : int
        Months ahead.

    Returns
    -------
    DataFrame
        ``cause``, ``named`` and ``drug_months``: how often which true cause was named how, among
        the highest scores of the months after those that the model was trained on.
    """
    os.environ["SHORTCAST_HOME"] = str(folder / "home")
    settings.cache_clear()
    with tempfile.TemporaryDirectory() as scratch:
        bundle = tracking.download_bundle(tracking.latest_version(), Path(scratch))
    with open_warehouse() as connection:
        records = read_records(connection)
    path = cached_panel(first_month(records), last_month(records))
    later = pd.read_parquet(path, filters=[("as_of", ">", bundle.trained_through)])
    found = named(bundle, later, horizon)
    found["drug_id"], found["as_of"] = found["drug_id"].astype(str), pd.to_datetime(found["as_of"])
    true = truth[["drug_id", "as_of", "cause"]].astype({"drug_id": str, "cause": str})
    true["as_of"] = pd.to_datetime(true["as_of"])
    both = found.merge(true, on=["drug_id", "as_of"])
    counted = both.groupby(["cause", "named"], as_index=False).size()
    return counted.rename(columns={"size": "drug_months"})
