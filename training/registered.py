"""How MLflow loads the registered model: the very bundle that the service answers with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from shortcast.training.bundle import Bundle


class RegisteredModel:
    """A bundle as MLflow's ``pyfunc`` expects it.

    Parameters
    ----------
    bundle : Bundle
        The exported model.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        """Score panel rows.

        Parameters
        ----------
        model_input : DataFrame
            Panel rows; see `Bundle.score`.
        params : dict, optional
            Unused; part of MLflow's interface.

        Returns
        -------
        DataFrame
            See `Bundle.score`.
        """
        return self.bundle.score(model_input)


def _load_pyfunc(path: str) -> RegisteredModel:
    """Load what ``mlflow.pyfunc.load_model`` was pointed at."""
    return RegisteredModel(Bundle.load(Path(path)))
