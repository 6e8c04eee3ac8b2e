"""What the figures of a backtest say in words."""

from __future__ import annotations

import pytest

from shortcast.serving.quality import Quality, said_of_few


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


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((0.002, 0.03), "rank drugs better than a model that sees only what the drug is."),
        ((-0.03, -0.002), "rank drugs worse than a model that sees only what the drug is."),
        ((-0.01, 0.02), "cannot be told from chance here."),
    ],
)
def test_what_is_better_than_the_traits_alone_is_told_as_far_as_its_interval_carries(
    interval: tuple[float, float], said: str
) -> None:
    quality = Quality.model_construct(
        horizon_months=6, ap_above_traits=0.01, ap_above_traits_interval=interval, events=100
    )
    assert quality.beside_traits.startswith("Within 6 months, the estimates rank drugs ")
    assert quality.beside_traits.endswith(said)


def test_few_new_shortages_are_said_to_be_few() -> None:
    """As a made-up market of a few hundred drugs has them: no interval makes up for that."""
    few, many = (
        Quality.model_construct(
            horizon_months=horizon,
            ap_above_traits=0.01,
            ap_above_traits_interval=(0.002, 0.03),
            events=events,
        )
        for horizon, events in ((3, 6), (12, 100))
    )
    assert said_of_few([many]) == ""
    said = said_of_few([few, many])
    assert said.startswith("These figures rest on few new shortages: 6 within 3 months. With ")
    assert few.beside_traits.endswith("as far as 6 new shortages can show.")
    assert many.beside_traits.endswith("what the drug is.")


def test_without_a_comparison_nothing_is_said_of_the_traits() -> None:
    assert Quality.model_construct(ap_above_traits=None).beside_traits == ""
