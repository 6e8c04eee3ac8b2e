"""What the figures of a backtest say in words."""

from __future__ import annotations

import pytest

from shortcast.serving.quality import Quality


@pytest.mark.parametrize(
    ("observed", "interval", "said"),
    [
        (0.78, (0.66, 0.93), "fewer than the estimates said"),
        (0.82, (0.61, 1.06), "fewer, but no more than chance may explain"),
        (1.3, (1.1, 1.6), "more than the estimates said"),
        (1.1, None, "more, but no more than chance may explain"),
        (None, None, ""),
    ],
)
def test_the_level_is_told_as_far_as_its_interval_carries(
    observed: float | None, interval: tuple[float, float] | None, said: str
) -> None:
    quality = Quality.model_construct(
        observed_over_expected=observed, observed_over_expected_interval=interval
    )
    assert quality.level == said
