from __future__ import annotations

import pytest

from shortcast.serving.words import day, drug_name, odds, one_in, percent, times


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"),
        (0.0, "0 %"),
        (0.00004, "under 0.01 %"),
        (0.0071, "0.71 %"),
        (0.0824, "8.2 %"),
        (0.456, "46 %"),
        (0.9999, "over 99 %"),
        (1.0, "100 %"),
    ],
)
def test_percent_claims_two_digits_and_no_certainty(share: float | None, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"),
        (0.0, "none"),
        (0.0071, "about 1 in 140"),
        (0.00031, "about 1 in 3,200"),
        (0.082, "about 1 in 12"),
        (0.03, "about 1 in 35"),
        (0.45, "about 45 in 100"),
    ],
)
def test_one_in_is_a_round_natural_frequency(share: float | None, text: str) -> None:
    assert one_in(share) == text


@pytest.mark.parametrize(
    ("score", "base_rate", "text"),
    [
        (0.07, 0.007, "10 times the average"),
        (0.0035, 0.007, "0.5 times the average"),
        (0.0071, 0.007, "the average"),
        (0.0001, 0.007, "under a tenth of the average"),
        (0.07, None, ""),
        (0.07, 0.0, ""),
    ],
)
def test_times_compares_with_the_average(score: float, base_rate: float | None, text: str) -> None:
    assert times(score, base_rate) == text


def test_a_contribution_multiplies_or_divides_the_odds() -> None:
    assert odds(1.0) == "× 2.7"
    assert odds(-1.0) == "÷ 2.7"


def test_a_day_is_written_out_and_what_is_none_stands_as_it_is() -> None:
    assert day("2022-05-01T04:00:00+00:00") == "1 May 2022"
    assert day(None) == "–"
    assert day("spring") == "spring"


def test_a_heading_does_not_say_the_form_twice() -> None:
    assert drug_name("magnesium sulfate, injection", "injection") == "Magnesium sulfate"
    assert drug_name("amoxicillin, oral solid", "oral-solid") == "Amoxicillin"
    assert drug_name("Velorane", "injection") == "Velorane"
    assert drug_name("", "other") == ""
