"""What a model has to beat: prevalence, past listings, a points rule, logistic regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from shortcast.training.calibration import FloatArray, logistic_line, logit
from shortcast.training.estimator import KEEP_NEGATIVES, RiskModel, thin_negatives
from shortcast.training.linear import Column, design, fitted, signed_log

#: The feature that counts a drug's earlier shortages.
PAST_LISTINGS = "listings_before"


class Prevalence(RiskModel):
    """The rate of onsets in training, for every drug alike.

    Attributes
    ----------
    rate_ : float
        The rate, smoothed by half an event so that it is never 0.
    """

    recalibrate = False

    def fit(self, X: pd.DataFrame, y: FloatArray) -> Self:
        """Count. See `RiskModel.fit`."""
        self.rate_ = (float(y.sum()) + 0.5) / (len(y) + 1.0)
        return self

    def decision_function(self, X: pd.DataFrame) -> FloatArray:
        """Return the same log-odds for every row. See `RiskModel.decision_function`."""
        return np.full(len(X), float(logit(np.array(self.rate_))))


class _OneNumber(RiskModel):
    """A logistic line on one number for each row, in which more is never less risk."""

    recalibrate = False

    def number(self, X: pd.DataFrame) -> FloatArray:
        """Return the number that rows are ranked by."""
        raise NotImplementedError

    def fit(self, X: pd.DataFrame, y: FloatArray) -> Self:
        """Fit the line from the number to the risk. See `RiskModel.fit`.

        The order of the rows is the number's own, whatever the fit: a slope that training
        would make flat or falling is held at a small positive value.
        """
        x = self.number(X)
        if not 0 < float(y.sum()) < len(y) or x.std() == 0.0:
            self.slope_, self.intercept_ = 0.0, Prevalence().fit(X, y).decision_function(X[:1])[0]
            return self
        self.slope_, self.intercept_ = logistic_line(x, y)
        if self.slope_ <= 1e-3:
            self.slope_, self.intercept_ = 1e-3, float(logit(np.array(y.mean())))
        return self

    def decision_function(self, X: pd.DataFrame) -> FloatArray:
        """Return the line's log-odds. See `RiskModel.decision_function`."""
        return self.slope_ * self.number(X) + self.intercept_


class PastListings(_OneNumber):
    """The count of a drug's past shortages: the strongest single signal there is."""

    def number(self, X: pd.DataFrame) -> FloatArray:
        """Return the count; a drug without records counts 0.

        Parameters
        ----------
        X : DataFrame of shape (rows, features)
            Encoded features.

        Returns
        -------
        ndarray of shape (rows,)
        """
        return np.nan_to_num(X[PAST_LISTINGS].to_numpy(dtype=np.float64))


@dataclass(frozen=True)
class Rule:
    """One line of the points rule.

    Attributes
    ----------
    feature : str
        Feature that it looks at; a rule whose feature the panel lacks is skipped.
    test : {'at least', 'at most', 'is'}
        How the value is compared; a missing value earns no points.
    value : float or str
        What it is compared with; text for a category.
    points : int
        Points earned.
    why : str
        Where the rule comes from.
    """

    feature: str
    test: Literal["at least", "at most", "is"]
    value: float | str
    points: int
    why: str


#: The points rule: what a pharmacist could add up on paper. Each rule follows a published
#: association, rounded to whole points; none was fitted to the shortage list here.
RULES = (
    Rule(PAST_LISTINGS, "at least", 1, 2, "drugs listed before are listed again"),
    Rule(PAST_LISTINGS, "at least", 2, 1, "the more so, the more often"),
    Rule("is_injection", "at least", 1, 2, "63 % of drugs in shortage were injectable (FDA 2019)"),
    Rule("generics_marketed", "at least", 1, 1, "67 % had a generic on the market (FDA 2019)"),
    Rule("single_source", "at least", 1, 1, "nobody else can step in"),
    Rule(
        "partb_below_5_usd", "at least", 1, 1, "most short injectables cost under 5 dollars (ASPE)"
    ),
    Rule(
        "price_rank_form_group_share",
        "at most",
        1 / 3,
        1,
        "low price: odds ratio 0.60 for medium, 0.72 for high (Dave et al. 2018)",
    ),
    Rule("recalls_12m", "at least", 1, 1, "a recall takes stock away"),
    Rule("firm_oai_24m", "at least", 1, 1, "more shortages after OAI (GAO 2016; disputed)"),
    Rule("canada_reports_6m", "at least", 1, 1, "short elsewhere from the same makers"),
)


class Points(_OneNumber):
    """A sum of whole points.

    Parameters
    ----------
    categories : mapping of str to sequence of str
        Values of the categorical features, as the panel was encoded.
    rules : sequence of Rule
        The rules to add up.
    """

    def __init__(
        self, categories: Mapping[str, Sequence[str]], rules: Sequence[Rule] = RULES
    ) -> None:
        self.categories = categories
        self.rules = rules

    def number(self, X: pd.DataFrame) -> FloatArray:
        """Return the points of each row.

        Parameters
        ----------
        X : DataFrame of shape (rows, features)
            Encoded features.

        Returns
        -------
        ndarray of shape (rows,)
        """
        total = np.zeros(len(X))
        for rule in self.rules:
            if rule.feature not in X.columns:
                continue
            column = X[rule.feature].to_numpy(dtype=np.float64)
            # A comparison with NaN is False, so what is missing earns nothing.
            if rule.test == "at least":
                earned = column >= float(rule.value)
            elif rule.test == "at most":
                earned = column <= float(rule.value)
            else:
                known = list(self.categories.get(rule.feature, ()))
                earned = column == (known.index(str(rule.value)) if rule.value in known else -1)
            total += rule.points * earned
        return total


class Logistic(RiskModel):
    """Logistic regression: numbers on a log scale, standardised, with missing indicators.

    Parameters
    ----------
    features : sequence of str
        Columns to use; those that training never varies are dropped.
    categories : mapping of str to sequence of str
        Values of the categorical features among them; each becomes a 0/1 column.
    strength : float
        Inverse strength of the L2 penalty: scikit-learn's ``C`` times the rows, in
        thousands, so that it means the same however long the training period is.
    keep_negatives : float
        Share of the rows without onset that are used, see `thin_negatives`.
    seed : int
        Seed of that choice.

    Attributes
    ----------
    linear_ : LinearPart
        The fitted regression, as it is exported.
    """

    def __init__(
        self,
        features: Sequence[str],
        categories: Mapping[str, Sequence[str]],
        strength: float = 0.1,
        keep_negatives: float = KEEP_NEGATIVES,
        seed: int = 0,
    ) -> None:
        self.features = features
        self.categories = categories
        self.strength = strength
        self.keep_negatives = keep_negatives
        self.seed = seed

    def description(self) -> dict[str, Any]:
        """Return what makes the fit, for the log of a run.

        Returns
        -------
        dict of str to object
            The parameters by name; of the features their number.
        """
        return {
            "strength": self.strength,
            "keep_negatives": self.keep_negatives,
            "seed": self.seed,
            "features": len(self.features),
        }

    def fit(self, X: pd.DataFrame, y: FloatArray) -> Self:
        """Fit by L-BFGS. See `RiskModel.fit`."""
        numeric = [name for name in self.features if name not in self.categories]
        kept, weight = thin_negatives(y, self.keep_negatives, self.seed)
        names, X, y = list(X.columns), X.loc[kept], y[kept]
        values = signed_log(X[numeric].to_numpy(dtype=np.float64))
        known = ~np.isnan(values)
        counts = np.maximum(known.sum(axis=0), 1)
        filled = np.where(known, values, 0.0)
        centre = filled.sum(axis=0) / counts
        spread = np.sqrt((np.where(known, values - centre, 0.0) ** 2).sum(axis=0) / counts)
        gaps = 1.0 - known.mean(axis=0)
        columns = [
            *(
                Column(name, "value", centre=float(centre[i]), spread=float(spread[i]))
                for i, name in enumerate(numeric)
                if spread[i] > 1e-9
            ),
            *(
                Column(name, "missing")
                for name, gap in zip(numeric, gaps, strict=True)
                if 0.001 < gap < 0.999
            ),
            *(
                Column(name, "category", category=code)
                for name in self.features
                if name in self.categories
                for code in range(len(self.categories[name]))
            ),
        ]
        table = design(columns, X.to_numpy(), names)
        scale = self.strength * 1000.0 / float(weight.sum())
        model = LogisticRegression(C=scale, max_iter=500, tol=1e-6)
        model.fit(table, y, sample_weight=weight)
        self.linear_ = fitted(
            columns,
            np.average(table, axis=0, weights=weight),
            np.asarray(model.coef_, dtype=np.float64).ravel(),
            np.asarray(model.intercept_, dtype=np.float64).item(),
        )
        return self

    def decision_function(self, X: pd.DataFrame) -> FloatArray:
        """Return the linear predictor. See `RiskModel.decision_function`."""
        return self.linear_.log_odds(X.to_numpy(), list(X.columns))
