"""How values of features are said: amounts, shares and ages as a pharmacist says them."""

from __future__ import annotations

import math

import pytest

from shortcast.features.groups import Feature
from shortcast.features.groups.units import UNITS, UnitName, in_words


@pytest.mark.parametrize(
    ("unit", "value", "said"),
    [
        ("count", 3, "3"),
        ("count", 1234, "1,234"),
        ("count", 94.5, "94.5"),
        ("share", 0, "0 %"),
        ("share", 0.0042, "0.42 %"),
        ("share", 0.0994, "9.9 %"),
        ("share", 0.0996, "10 %"),
        ("share", 0.175, "18 %"),
        ("share", 1.0, "100 %"),
        ("months", 0.3, "under 1 month"),
        ("months", 1.2, "1 month"),
        ("months", 24.4, "24 months"),
        ("months", 25, "2 years 1 month"),
        ("months", 36, "3 years"),
        ("months", 119, "9 years 11 months"),
        ("months", 500, "42 years"),
        ("years", 0.5, "6 months"),
        ("years", 3.04, "3 years"),
        ("years", 36.1, "36 years"),
        ("index", 0.325, "0.33 on a scale from 0 to 1"),
        ("schedule", 0, "not controlled"),
        ("schedule", 2, "Schedule II"),
        ("schedule", 5, "Schedule V"),
        ("log_usd_per_unit", math.log(0.0715), "$0.0715 per piece, mL or g"),
        ("log_usd_per_unit", math.log(0.00002), "$0.0000200 per piece, mL or g"),
        ("log_usd_per_unit", math.log(0.9996), "$1.00 per piece, mL or g"),
        ("log_usd_per_unit", math.log(12.3), "$12.30 per piece, mL or g"),
        ("log_usd_per_billing_unit", math.log(2.0232), "$2.02 per billing unit"),
        ("log_usd_per_unit", math.log(999.7), "$1,000 per piece, mL or g"),
        ("log_usd_per_year", math.log(161_234), "$161,000 a year"),
        ("log_usd_per_year", math.log(999_600), "$1.00 million a year"),
        ("log_usd_per_year", math.log(4.52e6), "$4.52 million a year"),
        ("log_usd_per_year", math.log(1.3e9), "$1.30 billion a year"),
        ("log_ratio", math.log(1.12), "up 12 %"),
        ("log_ratio", math.log(0.7), "down 30 %"),
        ("log_ratio", math.log(1.002), "up less than 1 %"),
        ("log_ratio", math.log(0.998), "down less than 1 %"),
        ("log_ratio", 0.0, "unchanged"),
        ("log_ratio", math.log(40), "up to 40 times"),
        ("", True, "yes"),
        ("", False, "no"),
        ("", "oral-solid", "oral solid"),
        ("count", None, "not known"),
        ("share", math.nan, "not known"),
    ],
)
def test_a_value_is_said_with_its_unit(unit: UnitName, value: object, said: str) -> None:
    assert in_words(value, unit) == said


@pytest.mark.parametrize("unit", UNITS)
def test_no_unit_shows_a_power_of_ten_or_a_bare_logarithm(unit: UnitName) -> None:
    for value in (0.0, 1.0, 2.0):
        assert "e-" not in in_words(value, unit)
    assert UNITS[unit].title


def test_a_fact_is_said_with_its_label_and_the_reason_for_a_gap() -> None:
    price = Feature(
        "log_price_usd", "DOUBLE", "price of it", missing="not surveyed", unit="log_usd_per_unit"
    )
    assert price.phrase(math.log(2.5)) == "price of it: $2.50 per piece, mL or g"
    assert price.phrase(None) == price.phrase(math.nan) == "price of it: not known (not surveyed)"
