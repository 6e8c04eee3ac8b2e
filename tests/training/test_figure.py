"""The reliability figure shows what the numbers say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shortcast.training.backtest import Backtest
from shortcast.training.figure import draw_reliability, reliability


def test_groups_are_equal_and_keep_every_row() -> None:
    score = np.linspace(0, 1, 23)
    label = (score > 0.5).astype(float)
    table = reliability(score, label, bins=5)
    assert table["rows"].tolist() == [5, 5, 5, 4, 4]
    assert table["positives"].sum() == label.sum()
    assert table["expected"].is_monotonic_increasing
    assert (table["expected"] * table["rows"]).sum() == pytest.approx(score.sum())
    assert table["observed"].tolist()[::4] == [0.0, 1.0]


@pytest.mark.parametrize(("data", "says"), [("real", False), ("simulated", True)])
def test_a_figure_of_simulated_records_says_so(
    backtest: Backtest, tmp_path: Path, data: str, says: bool
) -> None:
    path = tmp_path / "reliability.svg"
    draw_reliability(backtest.forecasts, {**backtest.metrics, "data": data}, path)
    # Letters are drawn as outlines, each text with itself as a comment.
    assert ("SIMULATED: " in path.read_text(encoding="utf-8")) == says


def test_the_figure_is_a_picture(backtest: Backtest, tmp_path: Path) -> None:
    path = tmp_path / "reliability.png"
    draw_reliability(backtest.forecasts, backtest.metrics, path)
    assert path.read_bytes().startswith(b"\x89PNG")
