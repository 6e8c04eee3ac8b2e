"""Which rows a fold is fitted on, and who may use the drugs that are short already."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from shortcast.training.baselines import Logistic
from shortcast.training.calibration import FloatArray
from shortcast.training.estimator import RiskModel
from shortcast.training.fitting import blend, fit, training_rows
from shortcast.training.models import Blend, Factory
from shortcast.training.splits import training_fold


class Recorder(RiskModel):
    """Keeps the drugs that it was fitted on."""

    seen: ClassVar[list[list[float]]] = []

    def fit(self, X: pd.DataFrame, y: FloatArray) -> Self:
        self.seen.append(X["drug"].tolist())
        return self

    def decision_function(self, X: pd.DataFrame) -> FloatArray:
        return np.zeros(len(X))


class Learner(Recorder):
    """Also takes drugs in shortage."""

    learns_from_shortages = True


def market() -> tuple[pd.DataFrame, pd.Series, pd.Series, pd.Series]:
    """Return three drugs in each month of 2015 to 2020; drug 2 is short all the time."""
    months = pd.date_range("2015-01-01", "2020-12-01", freq="MS")
    as_of = pd.Series(np.repeat(months.to_numpy(), 3))
    X = pd.DataFrame({"drug": np.tile([0, 1, 2], len(months))}, dtype=np.float32)
    at_risk = pd.Series(X["drug"].to_numpy() < 2)
    labels = (X["drug"] == 1).astype("boolean").mask(~at_risk)
    return X, as_of, at_risk, labels


FOLD = training_fold(date(2015, 1, 1), date(2020, 7, 1), 6)


def test_drugs_in_shortage_stand_in_the_rows_without_an_outcome() -> None:
    X, as_of, at_risk, labels = market()
    rows = training_rows(X, as_of, at_risk, labels, FOLD)
    assert np.isnan(rows.y).tolist() == (rows.X["drug"] == 2).tolist()
    assert rows.y[rows.X["drug"] == 1].tolist() == [1.0] * 61


def test_no_row_is_later_than_the_last_matured_month() -> None:
    X, as_of, at_risk, labels = market()
    rows = training_rows(X, as_of, at_risk, labels, FOLD)
    assert as_of.loc[rows.X.index].max() == pd.Timestamp("2020-01-01")
    assert as_of.loc[rows.X.index[rows.early]].max() == pd.Timestamp("2018-08-01")


def test_the_calibration_slice_holds_no_drug_in_shortage() -> None:
    X, as_of, at_risk, labels = market()
    rows = training_rows(X, as_of, at_risk, labels, FOLD)
    assert set(rows.X["drug"][rows.late]) == {0.0, 1.0}
    assert rows.late.sum() == 24


def test_only_models_that_ask_for_them_see_drugs_in_shortage() -> None:
    X, as_of, at_risk, labels = market()
    rows = training_rows(X, as_of, at_risk, labels, FOLD)
    for model, drugs in ((Recorder, {0.0, 1.0}), (Learner, {0.0, 1.0, 2.0})):
        Recorder.seen.clear()
        fit(model, rows, 6)
        assert [set(seen) for seen in Recorder.seen] == [drugs, drugs]
        assert [len(seen) for seen in Recorder.seen] == [61 * len(drugs), 44 * len(drugs)]


def test_a_drug_whose_state_is_not_known_is_no_example() -> None:
    X, as_of, at_risk, labels = market()
    unknown = at_risk.astype("boolean").mask(X["drug"] == 2)
    rows = training_rows(X, as_of, unknown, labels, FOLD)
    assert set(rows.X["drug"]) == {0.0, 1.0}


def test_averaging_fitted_models_is_fitting_their_average() -> None:
    X, as_of, at_risk, labels = market()
    generator = np.random.default_rng(0)
    X = X.assign(price=generator.normal(size=len(X)), age=generator.normal(size=len(X)))
    labels = labels.mask(labels.notna(), pd.Series(generator.random(len(X)) < 0.4))
    rows = training_rows(X, as_of, at_risk, labels, FOLD)
    parts: dict[str, Factory] = {
        "price": lambda: Logistic(["price"], {}),
        "age": lambda: Logistic(["age"], {}),
    }
    whole = fit(lambda: Blend(parts), rows, 6)
    average = blend({name: fit(part, rows, 6) for name, part in parts.items()}, rows, 6)
    assert average.platt == whole.platt
    np.testing.assert_array_equal(average.risk(X), whole.risk(X))
    assert np.ptp(whole.risk(X)) > 0
