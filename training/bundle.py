"""The exported model: a folder that scores and explains without any training code.

The folder holds for each horizon the LightGBM text files and the regression
(``linear_6_months.json`` ...), ``bundle.json`` (features, categories, recalibration, labels and
titles for readers) and ``MODEL_CARD.md``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd

from shortcast.errors import ShortcastError
from shortcast.settings import settings
from shortcast.training import sets
from shortcast.training.calibration import FloatArray, Platt, coherent
from shortcast.training.linear import LinearPart
from shortcast.training.matrix import encode, require_columns

#: Raised whenever a bundle of an earlier layout could no longer be read.
FORMAT = 4


@dataclass(frozen=True)
class BundleFeature:
    """A feature as the bundle knows it.

    Attributes
    ----------
    name, label, group : str
        Column, phrase for readers, and the group that it belongs to.
    """

    name: str
    label: str
    group: str


@dataclass(frozen=True)
class Bundle:
    """A trained model, ready to score.

    Attributes
    ----------
    name : str
        Name of the model: 'blend'.
    version : str
        Version in the model registry; empty before it is registered.
    data : str
        'real' or 'simulated'.
    horizons : tuple of int
        Months, ascending.
    catalogue : tuple of BundleFeature
        Features in model order.
    groups : dict of str to str
        Title of each feature group.
    categories : dict of str to tuple of str
        Values of each categorical feature.
    platt : dict of int to Platt
        Recalibration by horizon.
    models : dict of int to dict of str to str
        LightGBM model texts by horizon and name (see `~shortcast.training.models.BoostedTrees`);
        their log-odds are averaged.
    weights : dict of str to float
        How much each of these counts in the mean, by name.
    linear : dict of int to LinearPart
        Regression by horizon; the log-odds of the model are the mean of its and the trees'.
    trained_at : str
        ISO time of training.
    trained_from, trained_through : date
        First and last as-of date of the training rows (of the shortest horizon).
    records_end : date
        Last day that the shortage records reached.
    records_checksum, code_version : str
        What the model was made from and by.
    metrics : dict
        How good it was in its backtest; empty if none was run.
    """

    name: str
    version: str
    data: str
    horizons: tuple[int, ...]
    catalogue: tuple[BundleFeature, ...]
    groups: dict[str, str]
    categories: dict[str, tuple[str, ...]]
    platt: dict[int, Platt]
    models: dict[int, dict[str, str]]
    weights: dict[str, float]
    linear: dict[int, LinearPart]
    trained_at: str
    trained_from: date
    trained_through: date
    records_end: date
    records_checksum: str
    code_version: str
    metrics: dict[str, Any] = field(default_factory=dict)
    _boosters: dict[int, dict[str, lgb.Booster]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, in model order."""
        return tuple(feature.name for feature in self.catalogue)

    def boosters(self, horizon_months: int) -> dict[str, lgb.Booster]:
        """Return the LightGBM models of one horizon by name.

        Parameters
        ----------
        horizon_months : int
            One of ``horizons``.

        Returns
        -------
        dict of str to Booster

        Raises
        ------
        ShortcastError
            If the bundle has no such horizon.
        """
        if horizon_months not in self.models:
            raise ShortcastError(
                f"This model has no horizon of {horizon_months} months; "
                f"ask for one of {', '.join(map(str, self.horizons))}."
            )
        if horizon_months not in self._boosters:
            self._boosters[horizon_months] = {
                name: lgb.Booster(model_str=text)
                for name, text in self.models[horizon_months].items()
            }
        return self._boosters[horizon_months]

    def score(self, panel: pd.DataFrame) -> pd.DataFrame:
        """Score the drugs that are at risk.

        Parameters
        ----------
        panel : DataFrame
            ``drug_id``, ``as_of``, ``at_risk`` and the features.

        Returns
        -------
        DataFrame
            ``drug_id``, ``as_of``, ``horizon_months``, ``score`` (calibrated probability,
            never lower at a longer horizon) and ``rank`` (1 = highest of its as-of date and
            horizon, ties by ``drug_id``), sorted by date, horizon and rank. Rows not at
            risk are left out.

        Raises
        ------
        ShortcastError
            If the panel lacks a column.
        """
        rows, values = self._at_risk(panel)
        scores = coherent(
            np.column_stack([self.platt[h].apply(self._log_odds(h, values)) for h in self.horizons])
        )
        frames = [
            rows[["drug_id", "as_of"]].assign(horizon_months=h, score=scores[:, i])
            for i, h in enumerate(self.horizons)
        ]
        return rank_scores(pd.concat(frames, ignore_index=True))

    def reasons(self, panel: pd.DataFrame, horizon_months: int = 6) -> pd.DataFrame:
        """Explain scores by feature group.

        The contributions are LightGBM's own (``pred_contrib``) and those of the regression
        (each value against its mean in training), averaged, times the slope of the
        recalibration: with the model's base value they add up to the log-odds of the score
        of this horizon (before it is raised to that of a shorter one). They say what moved
        the estimate, not what causes shortages.

        Parameters
        ----------
        panel : DataFrame
            As for `score`.
        horizon_months : int
            One of ``horizons``.

        Returns
        -------
        DataFrame
            ``drug_id``, ``as_of``, ``group``, ``contribution`` (log-odds) and ``features``
            (list of dict with ``name``, ``label``, ``value``, ``contribution``; those that
            contribute nothing are left out), by drug and date, strongest group first.

        Raises
        ------
        ShortcastError
            If the panel lacks a column or the bundle the horizon.
        """
        rows, values = self._at_risk(panel)
        trees = self._trees(horizon_months, values, pred_contrib=True)[:, : len(self.catalogue)]
        linear = self.linear[horizon_months].contributions(values, self.features)
        parts = (trees + linear) / 2 * self.platt[horizon_months].slope
        group_names = list(self.groups)
        member = np.array([group_names.index(f.group) for f in self.catalogue])
        membership = np.equal.outer(member, np.arange(len(group_names))).astype(np.float64)
        sums = parts @ membership
        # Features of a row in the order of their weight, once for all groups.
        order = np.argsort(-np.abs(parts), axis=1, kind="stable")
        raw_values = {name: rows[name].tolist() for name in self.features}
        details = [
            _details(self.catalogue, member, len(group_names), order[i], parts[i], raw_values, i)
            for i in range(len(rows))
        ]
        count = len(group_names)
        table = pd.DataFrame(
            {
                "drug_id": np.repeat(rows["drug_id"].to_numpy(), count),
                "as_of": np.repeat(rows["as_of"].to_numpy(), count),
                "group": np.tile(np.array(group_names, dtype=object), len(rows)),
                "contribution": sums.ravel(),
                "features": [detail for row in details for detail in row],
            }
        )
        table["_strength"] = -table["contribution"].abs()
        return (
            table.sort_values(["as_of", "drug_id", "_strength", "group"], kind="stable")
            .drop(columns="_strength")
            .reset_index(drop=True)
        )

    def _at_risk(self, panel: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
        """Return the rows at risk and their encoded features."""
        require_columns(panel, ("drug_id", "as_of", "at_risk", *self.features), "panel")
        rows = panel[panel["at_risk"].astype("boolean").fillna(False).astype(bool)]
        return rows, encode(rows, self.features, self.categories).to_numpy()

    def _log_odds(self, horizon_months: int, values: np.ndarray) -> FloatArray:
        """Return the mean of the trees' log-odds and the regression's, before recalibration."""
        linear = self.linear[horizon_months].log_odds(values, self.features)
        return (self._trees(horizon_months, values, raw_score=True) + linear) / 2

    def _trees(self, horizon_months: int, values: np.ndarray, **wanted: bool) -> np.ndarray:
        """Return the weighted mean of what the boosters of a horizon predict."""
        boosters = self.boosters(horizon_months)
        return sets.predict(boosters, self.weights, values, settings().threads, **wanted)

    def save(self, folder: Path) -> None:
        """Write the bundle into an empty or new folder.

        Parameters
        ----------
        folder : Path
            Made if it does not exist.
        """
        folder.mkdir(parents=True, exist_ok=True)
        files, regressions = [], []
        for horizon in self.horizons:
            for name, text in self.models[horizon].items():
                file = f"{name}_{horizon}_months.txt"
                (folder / file).write_text(text, encoding="utf-8", newline="\n")
                files.append(
                    {"horizon": horizon, "name": name, "file": file, "sha256": _checksum(text)}
                )
            text, file = self.linear[horizon].to_text(), f"linear_{horizon}_months.json"
            (folder / file).write_text(text, encoding="utf-8", newline="\n")
            regressions.append({"horizon": horizon, "file": file, "sha256": _checksum(text)})
        content = {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "data": self.data,
            "horizons": list(self.horizons),
            "trained_at": self.trained_at,
            "trained_from": self.trained_from.isoformat(),
            "trained_through": self.trained_through.isoformat(),
            "records_end": self.records_end.isoformat(),
            "records_checksum": self.records_checksum,
            "code_version": self.code_version,
            "platt": {str(h): asdict(self.platt[h]) for h in self.horizons},
            "models": files,
            "weights": self.weights,
            "linear": regressions,
            "groups": self.groups,
            "features": [asdict(feature) for feature in self.catalogue],
            "categories": {name: list(values) for name, values in self.categories.items()},
            "metrics": self.metrics,
        }
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / "bundle.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Read a bundle.

        Parameters
        ----------
        folder : Path
            A folder that `save` wrote.

        Returns
        -------
        Bundle

        Raises
        ------
        ShortcastError
            If the folder holds no bundle, one of another format, or a damaged one.
        """
        # The champion is a link that may move meanwhile: read one version through and through.
        folder = folder.resolve()
        path = folder / "bundle.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ShortcastError(
                f"No model at {folder}; run `shortcast train` and `shortcast promote`."
            ) from error
        except ValueError as error:
            raise ShortcastError(
                f"{path} is not readable as JSON ({error}); run `shortcast promote` again."
            ) from error
        if content.get("format") != FORMAT:
            raise ShortcastError(
                f"The model at {folder} has format {content.get('format')}, this version reads "
                f"format {FORMAT}; run `shortcast train` and `shortcast promote` again."
            )
        models: dict[int, dict[str, str]] = {}
        for entry in content["models"]:
            models.setdefault(entry["horizon"], {})[entry["name"]] = _whole(folder, entry)
        linear = {
            entry["horizon"]: LinearPart.from_text(_whole(folder, entry))
            for entry in content["linear"]
        }
        return cls(
            name=content["name"],
            version=content["version"],
            data=content["data"],
            horizons=tuple(content["horizons"]),
            catalogue=tuple(BundleFeature(**feature) for feature in content["features"]),
            groups=content["groups"],
            categories={name: tuple(v) for name, v in content["categories"].items()},
            platt={int(h): Platt(**line) for h, line in content["platt"].items()},
            models=models,
            weights=content["weights"],
            linear=linear,
            trained_at=content["trained_at"],
            trained_from=date.fromisoformat(content["trained_from"]),
            trained_through=date.fromisoformat(content["trained_through"]),
            records_end=date.fromisoformat(content["records_end"]),
            records_checksum=content["records_checksum"],
            code_version=content["code_version"],
            metrics=content["metrics"],
        )


def rank_scores(
    scores: pd.DataFrame, by: tuple[str, ...] = ("as_of", "horizon_months")
) -> pd.DataFrame:
    """Rank scores within each list, highest first, ties by ``drug_id``.

    Parameters
    ----------
    scores : DataFrame
        ``drug_id``, ``score`` and the columns ``by``.
    by : tuple of str
        What makes a list.

    Returns
    -------
    DataFrame
        Sorted by ``by`` and rank, with ``rank`` (BIGINT, from 1) and a fresh index.
    """
    keys = list(by)
    ordered = scores.assign(_descending=-scores["score"]).sort_values(
        [*keys, "_descending", "drug_id"], kind="stable", ignore_index=True
    )
    ordered["rank"] = ordered.groupby(keys, sort=False).cumcount() + 1
    return ordered.drop(columns="_descending")


def _details(
    catalogue: tuple[BundleFeature, ...],
    member: np.ndarray,
    groups: int,
    order: np.ndarray,
    parts: np.ndarray,
    values: Mapping[str, list[Any]],
    row: int,
) -> list[list[dict[str, Any]]]:
    """List the contributing features of one row, for each group, strongest first."""
    found: list[list[dict[str, Any]]] = [[] for _ in range(groups)]
    for position in order:
        contribution = float(parts[position])
        if contribution == 0.0:
            break
        feature = catalogue[position]
        value = values[feature.name][row]
        found[member[position]].append(
            {
                "name": feature.name,
                "label": feature.label,
                "value": None if pd.isna(value) else value,
                "contribution": contribution,
            }
        )
    return found


def _whole(folder: Path, entry: Mapping[str, Any]) -> str:
    """Read a file of the bundle; refuse one that is missing or not as it was written."""
    file = folder / entry["file"]
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    if _checksum(text) != entry["sha256"]:
        raise ShortcastError(f"{file} is missing or damaged; run `shortcast promote` again.")
    return text


def _checksum(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
