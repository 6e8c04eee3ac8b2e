"""The boosted trees, their mean with the regression, and the models of every backtest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import pandas as pd

from shortcast.features.groups.contract import Feature, Group
from shortcast.training import sets
from shortcast.training.baselines import Logistic, PastListings, Points, Prevalence
from shortcast.training.calibration import FloatArray
from shortcast.training.estimator import KEEP_NEGATIVES, RiskModel, thin_negatives
from shortcast.training.sets import EQUAL_WEIGHTS, WEIGHTS

#: Makes a fresh, unfitted model.
Factory = Callable[[], RiskModel]

#: The model that is served, and the standing models that it is the mean of.
CHAMPION = "blend"
PARTS = ("lightgbm", "logistic")

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

    Two sets of trees, whose log-odds are averaged. One learns which drugs come into shortage
    within the horizon: few events. The other learns which drugs are in shortage, against those
    that are not: some ten times as many, and what makes a drug prone does not change once it is
    short. It does without ``hidden`` features, which would tell it the answer. Its level means
    nothing for onsets; the recalibration sets it.

    Parameters
    ----------
    features : sequence of Feature
        Columns to use, in order; their declared sign is a monotone constraint and those of
        type VARCHAR are categories.
    hidden : sequence of str
        Features that the second set does without: those that tell of the drug's shortages.
    rounds : int
        Trees of each set.
    keep_negatives : float
        Share of the rows without onset that are used, see `thin_negatives`.
    seed : int
        Seed of all draws.
    threads : int
        Threads; the fitted trees do not depend on it. On tables of this size two fits side
        by side take half the time of two fits with two threads each.
    parameters : mapping of str to object
        LightGBM parameters over `PARAMETERS`.
    weights : mapping of str to float
        How much each set counts in the mean.

    Attributes
    ----------
    boosters_ : dict of str to Booster
        ``onset`` and, if `fit` was given drugs in shortage, ``prone``.
    """

    learns_from_shortages = True

    def __init__(
        self,
        features: Sequence[Feature],
        hidden: Sequence[str] = (),
        rounds: int = ROUNDS,
        keep_negatives: float = KEEP_NEGATIVES,
        seed: int = 0,
        threads: int = 1,
        parameters: Mapping[str, Any] | None = None,
        weights: Mapping[str, float] = WEIGHTS,
    ) -> None:
        self.features = features
        self.hidden = hidden
        self.rounds = rounds
        self.keep_negatives = keep_negatives
        self.seed = seed
        self.threads = threads
        self.parameters = parameters
        self.weights = weights

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
            # A tree looks at few of the columns; the trees are the same either way.
            "force_col_wise": True,
            "num_threads": self.threads,
            "seed": self.seed,
            "verbosity": -1,
        }

    def description(self) -> dict[str, Any]:
        """Return what makes the fit, for the log of a run.

        Returns
        -------
        dict of str to object
            LightGBM's parameters, with the signs by feature in place of their list, and the
            model's own.
        """
        return {
            **{k: v for k, v in self.settings().items() if k != "monotone_constraints"},
            "rounds": self.rounds,
            "weights": dict(self.weights),
            "keep_negatives": self.keep_negatives,
            "features": len(self.features),
            "hidden_from_prone": list(self.hidden),
            "signs": {f.name: f.monotone for f in self.features if f.monotone},
        }

    def fit(self, X: pd.DataFrame, y: FloatArray) -> Self:
        """Grow the trees. See `RiskModel.fit`."""
        values = X[[feature.name for feature in self.features]].to_numpy(dtype=np.float32)
        short = np.isnan(y)
        self.boosters_ = {"onset": self._grow(values[~short], y[~short])}
        if short.any():
            # A column without a value is never split on, and so never read.
            hidden = np.array([feature.name in self.hidden for feature in self.features])
            blind = np.where(hidden, np.float32(np.nan), values)
            self.boosters_["prone"] = self._grow(blind, short.astype(np.float64))
        return self

    def _grow(self, values: np.ndarray, y: FloatArray) -> lgb.Booster:
        """Grow one set of trees."""
        kept, weight = thin_negatives(y, self.keep_negatives, self.seed)
        data = lgb.Dataset(
            values[kept],
            label=y[kept],
            weight=weight,
            feature_name=[feature.name for feature in self.features],
            categorical_feature=[f.name for f in self.features if f.type == "VARCHAR"],
            free_raw_data=True,
        )
        return lgb.train(self.settings(), data, num_boost_round=self.rounds)

    def decision_function(self, X: pd.DataFrame) -> FloatArray:
        """Return the weighted mean of the sets' log-odds. See `RiskModel.decision_function`."""
        values = X[[feature.name for feature in self.features]].to_numpy(dtype=np.float32)
        return sets.predict(self.boosters_, self.weights, values, self.threads, raw_score=True)


class Blend(RiskModel):
    """The mean of several models, on the scale of log-odds.

    Parameters
    ----------
    parts : mapping of str to callable
        What makes the models, by their names.

    Attributes
    ----------
    parts_ : dict of str to RiskModel
        The fitted models.
    """

    learns_from_shortages = True

    def __init__(self, parts: Mapping[str, Factory]) -> None:
        self.parts = parts

    @classmethod
    def of(cls, fitted: Mapping[str, RiskModel]) -> Blend:
        """Average models that are fitted already.

        Parameters
        ----------
        fitted : mapping of str to RiskModel
            The models by their names.

        Returns
        -------
        Blend
            Fitted, too.
        """
        blend = cls({})
        blend.parts_ = dict(fitted)
        return blend

    def description(self) -> dict[str, Any]:
        """Return what makes the fit, for the log of a run.

        Returns
        -------
        dict of str to object
            Those of the parts: 'lightgbm.rounds' ...
        """
        return {
            f"{name}.{key}": value
            for name, part in self.parts.items()
            for key, value in part().description().items()
        }

    def fit(self, X: pd.DataFrame, y: FloatArray) -> Self:
        """Fit each part on the rows that it can use. See `RiskModel.fit`."""
        self.parts_: dict[str, RiskModel] = {}
        for name, part in self.parts.items():
            model = part()
            rows = model.usable(y)
            self.parts_[name] = model.fit(X[rows], y[rows])
        return self

    def decision_function(self, X: pd.DataFrame) -> FloatArray:
        """Return the mean of the parts' log-odds. See `RiskModel.decision_function`."""
        return np.mean([part.decision_function(X) for part in self.parts_.values()], axis=0)


def standing_models(
    groups: Mapping[str, Group],
    categories: Mapping[str, Sequence[str]],
    seed: int = 0,
) -> dict[str, Factory]:
    """Return the models that stand in every backtest.

    Parameters
    ----------
    groups : mapping of str to Group
        Feature groups in panel order.
    categories : mapping of str to sequence of str
        Values of the categorical features.
    seed : int
        For the boosted trees.

    Returns
    -------
    dict of str to callable
        ``prevalence``, ``past_listings``, ``points``, ``traits`` (boosted trees on what a
        drug is, without any event), ``logistic``, ``lightgbm`` and ``blend``, the mean of
        the last two.
    """
    catalogue = [feature for group in groups.values() for feature in group.features]
    traits = list(groups["traits"].features) if "traits" in groups else []
    history = [f.name for f in groups["history"].features] if "history" in groups else []

    def boosted(features: Sequence[Feature], weights: Mapping[str, float] = WEIGHTS) -> Factory:
        return lambda: BoostedTrees(features, hidden=history, seed=seed, weights=weights)

    models: dict[str, Factory] = {
        "prevalence": Prevalence,
        "past_listings": PastListings,
        "points": lambda: Points(categories),
        "traits": boosted(traits, EQUAL_WEIGHTS),
        "logistic": lambda: Logistic([feature.name for feature in catalogue], categories),
        "lightgbm": boosted(catalogue),
    }
    parts = {name: models[name] for name in PARTS}
    return {**models, CHAMPION: lambda: Blend(parts)}
