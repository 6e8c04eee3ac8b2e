"""What each feature group is worth: the served model without it, and with it alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from shortcast.features.groups.contract import Group
from shortcast.training.evaluation import compare, rows_of
from shortcast.training.metrics import drug_draws
from shortcast.training.models import CHAMPION, Factory, standing_models

#: The two ways, in the order of the page.
WAYS = ("without", "only")


def group_models(
    groups: Mapping[str, Group], categories: Mapping[str, Sequence[str]], seed: int
) -> dict[str, Factory]:
    """Return the served model on other sets of groups.

    Parameters
    ----------
    groups : mapping of str to Group
        All feature groups.
    categories : mapping of str to sequence of str
        Values of the categorical features.
    seed : int
        For the boosted trees.

    Returns
    -------
    dict of str to callable
        'without prices', 'only prices' ...; each as the champion is, with the same parameters.
    """
    found: dict[str, Factory] = {}
    for name in groups:
        rest = {other: group for other, group in groups.items() if other != name}
        for way, kept in zip(WAYS, (rest, {name: groups[name]}), strict=True):
            if kept:
                found[f"{way} {name}"] = standing_models(kept, categories, seed)[CHAMPION]
    return found


def group_worth(
    forecasts: pd.DataFrame, groups: Mapping[str, Group], resamples: int, seed: int
) -> dict[str, Any]:
    """Compare the models of `group_models` with the champion on the same rows.

    Parameters
    ----------
    forecasts : DataFrame
        Rows of one horizon with known labels (see `~shortcast.training.evaluation.evaluate`):
        those of the champion, of 'prevalence' and of the models of `group_models`.
    groups : mapping of str to Group
        All feature groups.
    resamples : int
        Bootstrap resamples of drugs.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    dict
        ``horizon_months``, and under ``without`` and ``only`` by group its ``title``, how many
        ``features`` it has, the figures, and under ``versus`` the differences to the champion.
    """
    rows, _, drugs = rows_of(forecasts)
    models = compare(rows, drug_draws(len(drugs), resamples, seed), (CHAMPION,))["models"]
    return {
        "horizon_months": int(forecasts["horizon_months"].iloc[0]),
        **{
            way: {
                name: {
                    "title": group.title,
                    "features": len(group.features),
                    **models[f"{way} {name}"],
                }
                for name, group in groups.items()
                if f"{way} {name}" in models
            }
            for way in WAYS
        },
    }
