"""From a trained model to the one that is served."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from shortcast.errors import ShortcastError
from shortcast.features.archive import Archive
from shortcast.settings import settings
from shortcast.training.backtest import Backtest
from shortcast.training.bundle import Bundle
from shortcast.training.linear import LinearPart
from shortcast.training.promotion import RefusedError, export, promote
from shortcast.training.promotion_rule import (
    CALIBRATION,
    HORIZON,
    LEAST_ONSETS,
    LEAST_SPEARMAN,
    MONTHS,
    MOST_REPLACED,
    MUST_BEAT,
    TOLERANCE,
    judge,
)
from shortcast.training.train import train


def test_a_challenger_must_beat_what_anyone_can_count(bundle: Bundle) -> None:
    assert judge("blend", bundle.metrics).passed
    for rival in ("past_listings", "points"):
        metrics = deepcopy(bundle.metrics)
        models = metrics["horizons"]["6"]["models"]
        models[rival]["ap"] = models["blend"]["ap"]
        verdict = judge("blend", metrics)
        assert not verdict.passed
        assert f"that of {rival} {models['blend']['ap']:.4f}" in verdict.refusal


def test_a_challenger_without_a_backtest_is_refused() -> None:
    assert "shortcast backtest" in judge("blend", {}).refusal


def test_the_written_policy_is_the_one_that_is_applied(repo_root: Path) -> None:
    policy = (repo_root / "mlflow" / "promotion.md").read_text()
    assert all(f"**{rival}**" in policy for rival in MUST_BEAT)
    assert f"**{HORIZON} months**" in policy
    assert f"**{MONTHS} months**" in policy
    assert f"**{LEAST_ONSETS} onsets**" in policy
    assert f"**{TOLERANCE:.0%}**".replace("%", " %") in policy
    assert f"**{CALIBRATION[0]} to {CALIBRATION[1]}**" in policy
    assert f"**{LEAST_SPEARMAN}**" in policy
    assert f"**{MOST_REPLACED}**" in policy


def test_an_export_that_is_there_already_is_kept(bundle: Bundle, tmp_path: Path) -> None:
    named = replace(bundle, version="4")
    folder = export(named, tmp_path / "models")
    assert Bundle.load(folder) == named
    assert "version 4" in (folder / "MODEL_CARD.md").read_text()
    before = folder.stat()
    assert export(named, tmp_path / "models") == folder
    assert (folder.stat().st_ino, folder.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["blend-4"]


@pytest.mark.parametrize(
    "file", ["onset_6_months.txt", "linear_6_months.json", "bundle.json", "MODEL_CARD.md"]
)
def test_an_export_never_takes_away_what_the_champion_may_point_to(
    bundle: Bundle, tmp_path: Path, file: str
) -> None:
    named = replace(bundle, version="4")
    folder = export(named, tmp_path / "models")
    (folder / file).write_text("{}")
    again = export(named, tmp_path / "models")
    assert (folder / file).read_text() == "{}"
    assert again != folder
    assert Bundle.load(again) == named
    assert export(named, tmp_path / "models") == again


@pytest.mark.slow
def test_train_register_promote_and_answer(
    market: Any, backtest: Backtest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shortcast.training import tracking

    key = "kEy-in-n0-run-27182818"
    monkeypatch.setenv("SHORTCAST_OPENFDA_KEY", key)
    settings.cache_clear()
    with pytest.raises(ShortcastError, match="shortcast train"):
        tracking.latest_version()
    arguments: dict[str, Any] = {
        "horizons": (6,),
        "groups": market.groups,
        "records_checksum": "checksum-of-the-market",
        "data": "simulated",
    }
    unproven = train(market.panel, market.spells, market.records_end, **arguments)
    with pytest.raises(RefusedError, match="No backtest of these records") as refused:
        promote()
    assert not settings().champion.exists()
    assert not refused.value.verdict["passed"]
    forced = promote(force="a first look")
    assert forced.bundle.version == unproven.version == "1"
    assert forced.verdict["forced"] == "a first look"
    store = tracking.client()
    found = store.get_experiment_by_name(tracking.PROMOTIONS)
    assert found is not None
    logged_runs = store.search_runs([found.experiment_id], order_by=["start_time"])
    said = [(run.data.tags["verdict"], run.data.tags["reason"]) for run in logged_runs]
    assert said == [("refused", ""), ("forced", "a first look")]

    run_id = tracking.log_backtest(backtest)
    run = tracking.client().get_run(run_id)
    assert str(run.info.run_name).startswith("SIMULATED-backtest ")
    roc_auc = backtest.metrics["horizons"]["6"]["models"]["blend"]["roc_auc"]
    assert run.data.metrics["blend/6/roc_auc"] == roc_auc
    assert run.data.tags["records_checksum"] == "checksum-of-the-market"
    logged = {file.path for file in tracking.client().list_artifacts(run_id)}
    assert {"metrics.json", "manifest.json", "records.json", "reliability.png"} <= logged
    assert tracking.FORECASTS in logged

    unproven_run = tracking.client().get_run(unproven.run_id)
    assert "backtest_run" not in unproven_run.data.tags
    proven = train(market.panel, market.spells, market.records_end, **arguments)
    proven_run = tracking.client().get_run(proven.run_id)
    assert proven_run.data.tags["backtest_run"] == run_id
    assert str(proven_run.info.run_name).startswith("SIMULATED-train to ")
    assert proven_run.data.metrics["blend/6/roc_auc"] == roc_auc
    logged = {file.path for file in tracking.client().list_artifacts(proven.run_id)}
    assert {"reliability.png", "linear-6-months.json"} <= logged
    assert {"lightgbm.rounds", "logistic.strength"} <= proven_run.data.params.keys()
    champion, verdict = promote(proven.version)
    assert champion.version == "2"
    # The first champion has no backtest to be held against.
    assert (verdict["champion"], verdict["compared"], verdict["passed"]) == ("1", False, True)
    served = Bundle.load(settings().champion)
    assert served == champion
    assert served.metrics["horizons"]["6"]["models"]["blend"]["roc_auc"] == roc_auc
    assert (settings().champion / "MODEL_CARD.md").is_file()

    # What the registry calls champion answers exactly as what the service reads.
    month = market.panel[market.panel["as_of"] == pd.Timestamp("2020-12-01")]
    version = tracking.client().get_model_version_by_alias(tracking.REGISTERED, tracking.ALIAS)
    assert version.tags["data"] == "simulated"
    assert str(version.description).startswith("SIMULATED")
    registered = tracking.mlflow.pyfunc.load_model("models:/shortcast-risk@champion")
    pd.testing.assert_frame_equal(registered.predict(month), served.score(month))
    regression = tracking.artifacts.load_text(f"runs:/{proven.run_id}/linear-6-months.json")
    assert LinearPart.from_text(regression) == served.linear[6]

    # The same settings again: nothing is lost, and both are compared on what they forecast.
    again = promote(train(market.panel, market.spells, market.records_end, **arguments).version)
    assert again.verdict["compared"]
    assert [check["passed"] for check in again.verdict["checks"]] == [True] * 5
    (last, *_) = store.search_runs([found.experiment_id], order_by=["start_time DESC"])
    assert last.data.metrics["champion/ap/difference"] == 0.0
    assert last.data.params == {"version": "3", "champion": "2"}

    # Back to the first version: the link moves, all exports stay.
    back = promote("1", force="back to the first")
    assert back.bundle.version == Bundle.load(settings().champion).version == "1"
    with pytest.raises(ShortcastError, match="no version 9"):
        promote("9")

    # A key that is set is in no run, no artifact and no export.
    assert settings().keys == {"openfda_key": key}
    written = [path for path in settings().home.rglob("*") if path.is_file()]
    assert settings().home / "mlflow" / "mlflow.db" in written
    assert [path for path in written if key.encode() in path.read_bytes()] == []


def test_a_model_of_the_other_kind_of_records_is_not_promoted(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One MLflow server may know the models of two homes."""
    from shortcast.training import tracking

    moved: list[str] = []
    monkeypatch.setattr(tracking, "download_bundle", lambda version, folder: bundle)
    monkeypatch.setattr(tracking, "set_champion", moved.append)
    monkeypatch.setattr(Archive, "data", lambda self: "real")
    with pytest.raises(ShortcastError, match=r"trained on simulated records .* holds real ones"):
        promote("1", force="all the same")
    assert moved == []
    assert not settings().champion.exists()


def test_a_folder_in_the_place_of_the_link_is_left_alone(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shortcast.training import tracking

    settings().champion.mkdir(parents=True)
    (settings().champion / "mine").write_text("kept")
    moved: list[str] = []
    monkeypatch.setattr(tracking, "download_bundle", lambda version, folder: bundle)
    monkeypatch.setattr(tracking, "set_champion", moved.append)
    with pytest.raises(ShortcastError, match="not the link"):
        promote("1")
    assert (settings().champion / "mine").read_text() == "kept"
    assert moved == []
