"""What a feature group is worth, on the made-up market whose truth is known."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from shortcast.training.ablation import group_models
from shortcast.training.backtest import run_backtest
from shortcast.training.models import Blend
from shortcast.training.report.page import report_page


def test_each_group_is_left_out_and_stands_alone(market: Any) -> None:
    models = group_models(market.groups, {"form_group": ("injection",)}, seed=0)
    assert len(models) == 2 * len(market.groups)

    def columns(name: str) -> list[str]:
        model = models[name]()
        assert isinstance(model, Blend)
        return [f.name for f in model.parts["lightgbm"]().features]  # pyright: ignore[reportAttributeAccessIssue]

    assert columns("only prices") == ["price_usd", "noise_share"]
    assert columns("without prices") == [
        "listings_before",
        "months_since_shortage_end",
        "form_group",
        "single_source",
    ]


@pytest.mark.slow
def test_the_group_that_tells_most_is_missed_most(market: Any, tmp_path: Path) -> None:
    metrics = run_backtest(
        market.panel, market.spells, market.records_end, date(2019, 10, 1), date(2020, 3, 1),
        tmp_path, horizons=(6,), retrain_every=6, resamples=40, groups=market.groups,
        data="simulated", track=False, report=True, by_group=True,
    ).metrics  # fmt: skip
    groups, found = metrics["groups"], metrics["horizons"]["6"]["models"]["blend"]
    auc = {name: entry["roc_auc"] for name, entry in groups["without"].items()}
    # Form and single source weigh most in the made-up hazard, the price least.
    assert auc["traits"] < auc["prices"]
    assert auc["traits"] < found["roc_auc"]
    assert groups["only"]["prices"]["roc_auc"] < groups["only"]["traits"]["roc_auc"]
    difference = groups["without"]["prices"]["versus"]["blend"]["roc_auc"]["difference"]
    assert difference == pytest.approx(auc["prices"] - found["roc_auc"], abs=1e-5)
    (page,) = tmp_path.glob("*report.html")
    assert page.name == "SIMULATED-report.html"
    assert page.read_text() == report_page(metrics)
    assert "Without one group, 6 months" in page.read_text()
