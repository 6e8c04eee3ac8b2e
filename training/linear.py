"""A regression as a table of its columns, and what it takes to apply and explain it.

Needs numpy alone, so that the exported model can be served without training code.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from shortcast.training.calibration import FloatArray

#: Values further from the training mean than this many standard deviations would rule the sum.
FARTHEST = 5.0


@dataclass(frozen=True)
class Column:
    """A column of the regression, made from one feature.

    Attributes
    ----------
    feature : str
        The feature.
    kind : {'value', 'missing', 'category'}
        Its value on a log scale, standardised, with a missing one at the mean; whether it is
        missing; whether it is one certain category.
    centre, spread : float
        Of a value: mean and standard deviation in training, on the log scale.
    category : int
        Of a category: its code, see `~shortcast.training.matrix.encode`.
    mean : float
        Mean of the column in training.
    coefficient : float
        What one unit of the column adds to the log-odds.
    """

    feature: str
    kind: Literal["value", "missing", "category"]
    centre: float = 0.0
    spread: float = 1.0
    category: int = -1
    mean: float = 0.0
    coefficient: float = 0.0

    def of(self, values: FloatArray) -> FloatArray:
        """Work the column out.

        Parameters
        ----------
        values : ndarray of shape (rows,)
            The feature, encoded.

        Returns
        -------
        ndarray of shape (rows,)
        """
        if self.kind == "missing":
            return np.isnan(values).astype(np.float64)
        if self.kind == "category":
            return (values == self.category).astype(np.float64)
        standard = (signed_log(values) - self.centre) / self.spread
        return np.clip(np.where(np.isnan(values), 0.0, standard), -FARTHEST, FARTHEST)


@dataclass(frozen=True)
class LinearPart:
    """A fitted regression.

    Attributes
    ----------
    intercept : float
        Log-odds where every column is 0.
    columns : tuple of Column
        What is added up.
    """

    intercept: float
    columns: tuple[Column, ...]

    def log_odds(self, values: np.ndarray, names: Sequence[str]) -> FloatArray:
        """Return the linear predictor.

        Parameters
        ----------
        values : ndarray of shape (rows, features)
            Encoded features.
        names : sequence of str
            Names of the features, in order; those that the regression does not use are passed
            over.

        Returns
        -------
        ndarray of shape (rows,)
        """
        coefficients = np.array([column.coefficient for column in self.columns])
        # Summed row by row: a matrix product may round a row differently among other rows.
        return self.intercept + (design(self.columns, values, names) * coefficients).sum(axis=1)

    def contributions(self, values: np.ndarray, names: Sequence[str]) -> FloatArray:
        """Return what each feature adds to the linear predictor, against its mean in training.

        All columns of a feature count to it. What is left of the linear predictor is the same
        for every row.

        Parameters
        ----------
        values, names
            As for `log_odds`.

        Returns
        -------
        ndarray of shape (rows, features)
        """
        coefficients = np.array([column.coefficient for column in self.columns])
        means = np.array([column.mean for column in self.columns])
        added = (design(self.columns, values, names) - means) * coefficients
        position = {name: i for i, name in enumerate(names)}
        parts = np.zeros((len(values), len(names)))
        for i, column in enumerate(self.columns):
            parts[:, position[column.feature]] += added[:, i]
        return parts

    def to_text(self) -> str:
        """Write the regression.

        Returns
        -------
        str
            JSON, one column a line; numbers read back as they were.
        """
        lines = ",\n".join(
            f"  {json.dumps(asdict(column), allow_nan=False)}" for column in self.columns
        )
        intercept = json.dumps(self.intercept, allow_nan=False)
        return f'{{\n "intercept": {intercept},\n "columns": [\n{lines}\n ]\n}}\n'

    @classmethod
    def from_text(cls, text: str) -> LinearPart:
        """Read what `to_text` wrote.

        Parameters
        ----------
        text : str
            JSON.

        Returns
        -------
        LinearPart
        """
        content = json.loads(text)
        return cls(content["intercept"], tuple(Column(**column) for column in content["columns"]))


def design(columns: Sequence[Column], values: np.ndarray, names: Sequence[str]) -> FloatArray:
    """Work out the columns of a regression.

    Parameters
    ----------
    columns : sequence of Column
        What is wanted.
    values : ndarray of shape (rows, features)
        Encoded features.
    names : sequence of str
        Names of the features, in order.

    Returns
    -------
    ndarray of shape (rows, columns)
    """
    position = {name: i for i, name in enumerate(names)}
    found = np.empty((len(values), len(columns)))
    for i, column in enumerate(columns):
        found[:, i] = column.of(values[:, position[column.feature]].astype(np.float64))
    return found


def fitted(
    columns: Sequence[Column], means: FloatArray, coefficients: FloatArray, intercept: float
) -> LinearPart:
    """Join columns with what was learnt for them.

    Parameters
    ----------
    columns : sequence of Column
        Columns of the design.
    means, coefficients : ndarray of shape (columns,)
        Mean of each in training, and its coefficient.
    intercept : float
        The rest.

    Returns
    -------
    LinearPart
    """
    learnt = zip(columns, means.tolist(), coefficients.tolist(), strict=True)
    return LinearPart(
        intercept, tuple(replace(column, mean=m, coefficient=c) for column, m, c in learnt)
    )


def signed_log(values: FloatArray) -> FloatArray:
    """Compress counts and prices; the sign is kept.

    Parameters
    ----------
    values : ndarray
        Any shape.

    Returns
    -------
    ndarray
        Same shape.
    """
    return np.sign(values) * np.log1p(np.abs(values))
