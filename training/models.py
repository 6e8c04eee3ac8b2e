"""The boosted trees, and the models that stand in every backtest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import pandas as pd

from shortcast.features.groups.contract import Feature, Group
from shortcast.training.baselines import Logistic, PastListings, Points, Prevalence
from shortcast.training.calibration import FloatArray
from shortcast.training.estimator import KEEP_NEGATIVES, RiskModel, thin_negatives

#: Makes a fresh, unfitted model.
Factory = Callable[[], RiskModel]

#: The boosted model that is served.
CHAMPION = "lightgbm"

#: Chosen by walk-forward on as-of dates 2017-07 to 2019-12, whose outcomes all lie before
#: the reported window (see docs/decisions.md).
PARAMETERS: dict[str, Any] = {
    "num_leaves": 4,
    "learning_rate": 0.03,
    "lambda_l2": 10.0,
    "min_data_in_leaf": 400,
    "feature_fraction": 0.3,
    "extra_trees": True,
    "path_smooth": 10.0,
    "max_bin": 63,
}
#: Trees.
ROUNDS = 250


class BoostedTrees(RiskModel):
    """LightGBM with few leaves, strong regularisation and monotone constraints.

    Parameters
    ----------
    features : sequence of Feature
        Columns to use, in order; their declared sign is a monotone constraint and those of
        type VARCHAR are categories.
    rounds : int
        Trees.
    keep_negatives : float
        Share of the rows without onset that are used, see `thin_negatives`.
    seed : int
        Seed of all draws.
    threads : int
        Threads; the fitted trees do not depend on it.
    parameters : mapping of str to object
        LightGBM parameters over `PARAMETERS`.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        rounds: int = 250,
        keep_negatives: float = KEEP_NEGATIVES,
        seed: int = 0,
        threads: int = 2,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.features = features
        self.rounds = rounds
        self.keep_negatives = keep_negatives
        self.seed = seed
        self.threads = threads
        self.parameters = parameters

    def settings(self) -> dict[str, Any]:
        """Return all LightGBM parameters of the fit.

        Returns
        -------
        dict of str to object
        """
        return {
            **PARAMETERS,
            **(self.parameters or {}),
            "objective": "binary",
            "monotone_constraints": [
                0 if feature.type == "VARCHAR" else feature.monotone for feature in self.features
            ],
            "monotone_constraints_method": "advanced",
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.threads,
            "seed": self.seed,
            "verbosity": -1,
        }

    def fit(self, X: pd.DataFrame, y: FloatArray) -> Self:
        """Grow the trees. See `RiskModel.fit`."""
        names = [feature.name for feature in self.features]
        kept, weight = thin_negatives(y, self.keep_negatives, self.seed)
        data = lgb.Dataset(
            X.loc[kept, names].to_numpy(dtype=np.float32),
            label=y[kept],
            weight=weight,
            feature_name=names,
            categorical_feature=[f.name for f in self.features if f.type == "VARCHAR"],
            free_raw_data=True,
        )
        self.booster_ = lgb.train(self.settings(), data, num_boost_round=self.rounds)
        return self

    def decision_function(self, X: pd.DataFrame) -> FloatArray:
        """Return the trees' sum. See `RiskModel.decision_function`."""
        names = [feature.name for feature in self.features]
        raw = self.booster_.predict(
            X[names].to_numpy(dtype=np.float32), raw_score=True, num_threads=self.threads
        )
        return np.asarray(raw, dtype=np.float64)


def standing_models(
    groups: Mapping[str, Group],
    categories: Mapping[str, Sequence[str]],
    seed: int = 0,
    threads: int = 2,
) -> dict[str, Factory]:
    """Return the models that stand in every backtest.

    Parameters
    ----------
    groups : mapping of str to Group
        Feature groups in panel order.
    categories : mapping of str to sequence of str
        Values of the categorical features.
    seed, threads : int
        For the boosted trees.

    Returns
    -------
    dict of str to callable
        ``prevalence``, ``past_listings``, ``points``, ``traits`` (boosted trees on what a
        drug is, without any event), ``logistic`` and ``lightgbm``.
    """
    catalogue = [feature for group in groups.values() for feature in group.features]
    traits = list(groups["traits"].features) if "traits" in groups else []

    def boosted(features: Sequence[Feature]) -> Factory:
        return lambda: BoostedTrees(features, seed=seed, threads=threads)

    return {
        "prevalence": Prevalence,
        "past_listings": PastListings,
        "points": lambda: Points(categories),
        "traits": boosted(traits),
        "logistic": lambda: Logistic([feature.name for feature in catalogue], categories),
        CHAMPION: boosted(catalogue),
    }
