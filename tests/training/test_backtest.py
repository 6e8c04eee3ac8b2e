"""The backtest forgets nothing, foresees nothing, and says the same thing twice."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from shortcast.errors import ShortcastError
from shortcast.features.kind import MARK
from shortcast.training.backtest import Backtest, run_backtest
from shortcast.training.baselines import Prevalence
from shortcast.training.metrics import ap_and_auc, precision_recall_at
from shortcast.training.outcomes import known_events

SHORT: dict[str, Any] = {
    "horizons": (6,),
    "resamples": 5,
    "track": False,
    "data": "simulated",
    "retrain_every": 3,
}
WINDOW = (date(2020, 1, 1), date(2020, 3, 1))
FILES = ("forecasts.parquet", "events.parquet", "metrics.json", "evaluation.md")


def test_it_writes_the_files_of_the_design(backtest: Backtest) -> None:
    files = {*FILES, "manifest.json", MARK}
    assert {path.name for path in backtest.out.iterdir()} == files
    forecasts = pd.read_parquet(backtest.out / "forecasts.parquet")
    assert list(forecasts.columns) == [
        "drug_id",
        "as_of",
        "horizon_months",
        "model",
        "score",
        "rank",
        "label",
        "onset_date",
        "previously_listed",
        "form_group",
    ]
    events = pd.read_parquet(backtest.out / "events.parquet")
    assert list(events.columns) == [
        "drug_id",
        "onset_date",
        "end_date_earliest",
        "end_date_latest",
    ]
    metrics = json.loads((backtest.out / "metrics.json").read_text())
    assert metrics == backtest.metrics
    assert metrics["champion"] == "blend"
    manifest = json.loads((backtest.out / "manifest.json").read_text())
    assert manifest["records"] == {"fda_shortages/2020-12-31": "abc"}
    assert manifest["seeds"] == {"models": 0, "bootstrap": 0}
    assert manifest["seconds"].keys() == manifest["peak_memory_bytes"].keys()
    for name in FILES:
        digest = hashlib.sha256((backtest.out / name).read_bytes()).hexdigest()
        assert manifest["files"][name] == digest


def test_files_of_simulated_records_say_so_beside_and_inside(backtest: Backtest) -> None:
    assert "SIMULATED" in (backtest.out / MARK).read_text(encoding="utf-8")
    for name in ("forecasts.parquet", "events.parquet"):
        metadata = pq.read_metadata(backtest.out / name).metadata
        assert metadata[b"shortcast.data"] == b"simulated", name


@pytest.mark.slow
def test_a_backtest_of_real_records_takes_the_mark_of_an_earlier_one_away(
    market: Any, tmp_path: Path
) -> None:
    for data in ("simulated", "real"):
        run_backtest(
            market.panel, market.spells, market.records_end, *WINDOW, tmp_path,
            groups=market.groups, **{**SHORT, "data": data},
        )  # fmt: skip
        assert (tmp_path / MARK).exists() == (data == "simulated")
    for name in ("forecasts.parquet", "events.parquet"):
        assert b"shortcast.data" not in pq.read_metadata(tmp_path / name).metadata, name


def test_every_drug_at_risk_has_one_forecast_of_each_model(backtest: Backtest, market: Any) -> None:
    panel = market.panel
    wanted = panel[
        panel["at_risk"] & panel["as_of"].between(pd.Timestamp("2019-10-01"), "2020-09-01")
    ]
    forecasts = backtest.forecasts
    assert len(forecasts) == len(wanted) * 2 * 7
    assert not forecasts.duplicated(["drug_id", "as_of", "horizon_months", "model"]).any()
    for _, part in forecasts.groupby(["horizon_months", "model", "as_of"]):
        assert part["rank"].tolist() == list(range(1, len(part) + 1))
        assert part["score"].is_monotonic_decreasing
    wide = forecasts.pivot(
        index=["drug_id", "as_of", "model"], columns="horizon_months", values="score"
    )
    assert (wide[6] >= wide[3]).all()


def test_labels_are_null_where_the_records_end_too_early(backtest: Backtest, market: Any) -> None:
    forecasts = backtest.forecasts
    matured = forecasts["as_of"] + pd.offsets.DateOffset(months=6) <= pd.Timestamp(
        market.records_end
    )
    six = forecasts["horizon_months"] == 6
    assert forecasts.loc[six, "label"].notna().equals(matured[six])
    assert (forecasts.loc[six, "as_of"].max(), bool(matured[six].all())) == (
        pd.Timestamp("2020-09-01"),
        False,
    )
    positive = forecasts[forecasts["label"] == True]  # noqa: E712
    assert (positive["onset_date"] >= positive["as_of"]).all()
    assert forecasts.loc[forecasts["label"] != True, "onset_date"].isna().all()  # noqa: E712


def test_the_figures_can_be_found_again_in_the_forecasts(backtest: Backtest) -> None:
    found = backtest.metrics["horizons"]["6"]["models"]["blend"]
    rows = backtest.forecasts.query("horizon_months == 6 and model == 'blend'")
    rows = rows[rows["label"].notna()]
    y, score = rows["label"].to_numpy(dtype=float), rows["score"].to_numpy()
    month = pd.factorize(rows["as_of"], sort=True)[0]
    average, area = ap_and_auc(y, score)
    assert found["ap"] == pytest.approx(average[0], abs=1e-6)
    assert found["roc_auc"] == pytest.approx(area[0], abs=1e-6)
    precision, recall, hits = precision_recall_at(y, score, month, 50)
    assert found["precision_at_50"] == pytest.approx(precision, abs=1e-6)
    assert found["recall_at_50"] == pytest.approx(recall, abs=1e-6)
    assert found["hits_at_50"] == hits


def test_the_model_finds_what_is_there_to_be_found(backtest: Backtest) -> None:
    models = backtest.metrics["horizons"]["6"]["models"]
    assert models["prevalence"]["brier_skill"] == 0
    assert models["blend"]["roc_auc"] > 0.75
    assert models["blend"]["ap"] > models["prevalence"]["ap"] * 2
    assert 0.5 < models["blend"]["observed_over_expected"] < 2
    low, high = models["blend"]["roc_auc_interval"]
    assert low < models["blend"]["roc_auc"] < high


def test_the_same_run_twice_gives_the_same_bytes(market: Any, tmp_path: Path) -> None:
    panels = {"one": market.panel, "two": market.panel.copy()}
    for name, panel in panels.items():
        run_backtest(
            panel, market.spells, market.records_end, *WINDOW, tmp_path / name,
            groups=market.groups, **SHORT,
        )  # fmt: skip
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_happens_after_training_does_not_reach_the_forecasts(
    market: Any, tmp_path: Path
) -> None:
    # Every outcome from the day of the retraining on is falsified; the scores must not move.
    day = pd.Timestamp(WINDOW[0])
    falsified = market.spells[market.spells["onset_date"] < day]
    invented = pd.DataFrame(
        {
            "drug_id": market.panel["drug_id"].unique()[:100],
            "onset_date": day + pd.Timedelta(days=20),
            "end_date_earliest": pd.NaT,
            "end_date_latest": pd.NaT,
        }
    )
    runs = [
        run_backtest(
            market.panel, spells, market.records_end, *WINDOW, tmp_path / str(i),
            groups=market.groups, **SHORT,
        )
        for i, spells in enumerate((market.spells, pd.concat([falsified, invented])))
    ]  # fmt: skip
    scores = [
        run.forecasts.set_index(["model", "as_of", "drug_id"])["score"].sort_index() for run in runs
    ]
    pd.testing.assert_series_equal(scores[0], scores[1])
    labels = [run.forecasts["label"].eq(True).sum() for run in runs]
    assert labels[0] != labels[1]


def test_an_onset_posted_late_is_not_known_to_an_earlier_training() -> None:
    spells = pd.DataFrame(
        {
            "drug_id": ["a", "b", "c"],
            "onset_date": pd.to_datetime(["2020-01-01", "2020-01-01", "2020-03-01"]),
            "known_from": pd.to_datetime(["2020-01-02", "2020-02-15", "2020-03-01"]),
        }
    )
    assert known_events(spells, "onset_date", date(2020, 2, 1))["drug_id"].tolist() == ["a"]
    plain = spells.drop(columns="known_from")
    assert known_events(plain, "onset_date", date(2020, 3, 1))["drug_id"].tolist() == ["a", "b"]


def test_a_researcher_can_add_a_model(market: Any, tmp_path: Path) -> None:
    result = run_backtest(
        market.panel, market.spells, market.records_end, *WINDOW, tmp_path,
        groups=market.groups, more_models={"mine": Prevalence}, **SHORT,
    )  # fmt: skip
    models = result.metrics["horizons"]["6"]["models"]
    assert models["mine"]["ap"] == models["prevalence"]["ap"]
    assert "points" in models["mine"]["versus"]


def test_a_panel_of_another_version_is_refused(market: Any, tmp_path: Path) -> None:
    with pytest.raises(ShortcastError, match="price_usd"):
        run_backtest(
            market.panel.drop(columns="price_usd"), market.spells, market.records_end,
            *WINDOW, tmp_path, groups=market.groups, **SHORT,
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_a_window_without_any_matured_label_is_refused(market: Any, tmp_path: Path) -> None:
    with pytest.raises(ShortcastError, match="No label of 6 months has matured"):
        run_backtest(
            market.panel, market.spells, date(2020, 6, 1), *WINDOW, tmp_path,
            groups=market.groups, **SHORT,
        )  # fmt: skip


@pytest.mark.slow
def test_a_random_split_overstates_and_says_so(market: Any, tmp_path: Path) -> None:
    result = run_backtest(
        market.panel, market.spells, market.records_end, *WINDOW, tmp_path,
        groups=market.groups, random_split=True, **SHORT,
    )  # fmt: skip
    leaky = result.metrics["leaky_random_split"]
    honest = result.metrics["horizons"]["6"]
    assert leaky["warning"].startswith("Not a result")
    assert leaky["positives"] == honest["positives"]
    assert leaky["models"]["careless_lightgbm"]["ap"] > 1.2 * honest["models"]["blend"]["ap"]


def test_strata_part_the_rows(backtest: Backtest) -> None:
    found = backtest.metrics["horizons"]["6"]
    for sides in found["models"]["blend"]["strata"].values():
        assert sides["yes"]["rows"] + sides["no"]["rows"] == found["rows"]
        assert sides["yes"]["positives"] + sides["no"]["positives"] == found["positives"]
    assert set(found["models"]["blend"]["strata"]) == {
        "previously_listed",
        "injection",
        "single_source",
    }


def test_events_hold_every_spell_of_the_records(backtest: Backtest, market: Any) -> None:
    events = pq.read_table(backtest.out / "events.parquet").to_pandas()
    assert len(events) == len(market.spells)
    assert np.array_equal(events["onset_date"], np.sort(market.spells["onset_date"].dt.date))
