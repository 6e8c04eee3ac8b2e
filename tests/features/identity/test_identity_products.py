"""National Drug Codes in every notation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcast.errors import ShortcastError
from shortcast.features.identity.products import (
    AmbiguousNdc,
    InvalidNdc,
    Ndc,
    find_ndcs,
    parse_ndc,
)


def _digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


def _codes(*shape: int) -> st.SearchStrategy[str]:
    return st.tuples(*map(_digits, shape)).map("-".join)


NOTATIONS = st.one_of(
    *(_codes(*shape) for shape in [(4, 4, 2), (5, 3, 2), (5, 4, 1), (5, 4, 2), (6, 4, 2)]),
    *(_codes(*shape) for shape in [(4, 4), (5, 3), (5, 4), (6, 4)]),
)


@pytest.mark.parametrize(
    "text",
    [
        "0093-5382-01",
        "00093-5382-01",
        "000093-5382-01",
        "00093538201",
        "000093538201",
        "NDC 0093-5382-01",
        "NDC: 0093-5382-01 ",
        "0093–5382–01",
        "0093--5382-01",
    ],
)
def test_one_package_in_every_notation(text: str) -> None:
    code = parse_ndc(text)
    assert code.product_key == "00093-5382"
    assert code.package_key == "00093-5382-01"
    assert code.ndc11 == "00093538201"


@pytest.mark.parametrize("text", ["0093-5382", "00093-5382", "000093-5382", "000935382"])
def test_one_product_without_package(text: str) -> None:
    code = parse_ndc(text)
    assert (code.product_key, code.package, code.ndc11) == ("00093-5382", None, None)


def test_short_segments_are_padded_where_they_are_short() -> None:
    assert parse_ndc("12345-678-90").ndc11 == "12345067890"
    assert parse_ndc("12345-6789-0").ndc11 == "12345678900"
    assert parse_ndc("1234-5678-90").ndc11 == "01234567890"


def test_a_labeler_of_six_digits_has_no_eleven_digit_form() -> None:
    code = parse_ndc("123456-7890-12")
    assert code.product_key == "123456-7890"
    assert code.ndc11 is None
    assert parse_ndc("123456789012") == code


def test_the_segments_stay_as_written() -> None:
    assert parse_ndc("12345-678-90") == Ndc("12345", "678", "90")


def test_ten_digits_without_hyphens_are_refused_and_the_candidates_named() -> None:
    with pytest.raises(AmbiguousNdc) as caught:
        parse_ndc("1234567890")
    assert [code.hyphenated for code in caught.value.candidates] == [
        "1234-5678-90",
        "12345-678-90",
        "12345-6789-0",
    ]
    assert "1234-5678-90, 12345-678-90, 12345-6789-0" in str(caught.value)
    assert len({code.product_key for code in caught.value.candidates}) == 3


def test_eight_digits_are_ambiguous_too() -> None:
    with pytest.raises(AmbiguousNdc, match="1234-5678, 12345-678"):
        parse_ndc("12345678")


@pytest.mark.parametrize(
    "text", ["", "NDC", "123-4567-89", "0338-954-005", "12345", "abc", "1234-5678-9", "1-800-5551"]
)
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(InvalidNdc, match="is no National Drug Code"):
        parse_ndc(text)


@given(NOTATIONS)
def test_a_hyphenated_code_comes_back_as_written(text: str) -> None:
    assert parse_ndc(text).hyphenated == text


@given(_codes(5, 4, 2))
def test_eleven_digits_and_hyphens_name_the_same_package(text: str) -> None:
    code = parse_ndc(text)
    bare = parse_ndc(text.replace("-", ""))
    assert (bare.product_key, bare.ndc11) == (code.product_key, code.ndc11)
    assert code.ndc11 is not None
    assert parse_ndc(code.ndc11) == parse_ndc(parse_ndc(code.ndc11).ndc11 or "")


@given(_codes(4, 4, 2))
def test_padding_a_short_labeler_names_the_same_product(text: str) -> None:
    code = parse_ndc(text)
    assert parse_ndc("0" + text).product_key == code.product_key
    assert parse_ndc("00" + text).product_key == code.product_key


@given(st.text())
def test_any_text_is_a_code_or_refused_in_our_own_words(text: str) -> None:
    try:
        found = parse_ndc(text)
    except ShortcastError:
        return
    assert parse_ndc(found.hyphenated) == found


@given(st.text())
def test_any_text_can_be_searched(text: str) -> None:
    assert all(isinstance(code, Ndc) for code in find_ndcs(text))


@given(st.lists(NOTATIONS, min_size=1, max_size=4, unique=True))
def test_codes_after_the_word_are_all_found(texts: list[str]) -> None:
    found = find_ndcs("; ".join(f"(NDC {text})" for text in texts))
    assert [code.hyphenated for code in found] == texts


def test_codes_in_a_recall() -> None:
    text = (
        "a) 30 Count Bottles (NDC: 12345-315-30) and b) 90 Count Bottles (NDC 12345-315-90), "
        "Bigtown, NJ 07901-1234, call 1-800-555-0199 or 888-658-6200, UPC 3 12345 31530 7, "
        "lot 12345-6789, NDC 00591312001, NDC 0264-7850-\n20"
    )
    assert [code.hyphenated for code in find_ndcs(text)] == [
        "12345-315-30",
        "12345-315-90",
        "00591-3120-01",
        "0264-7850-20",
    ]


def test_each_code_is_found_once() -> None:
    assert len(find_ndcs("NDC 12345-315-30; NDC 12345-315-30")) == 1
