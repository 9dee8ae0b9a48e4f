"""Answers in one form."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.problem import canonical_answer, number_in


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("51.0", "51"), ("1,234", "1234"), ("1,234,567.50", "1234567.5"), ("-7", "-7"), ("−7", "-7"), ("$18", "18"),
        ("3/4", "0.75"), ("1/3", "1/3"), ("-1/3", "-1/3"), ("9 (apples)", "9"), ("12 km", "12"), (" 5. ", "5"),
        (".5", "0.5"), ("10%", "10"), ("0.50", "0.5"), ("-0.25", "-0.25"), ("0", "0"), ("007", "7"), ("6/3", "2"),
        ("€ 3.20", "3.2"), ("12,34", "12,34"), ("5 - 3", "5 - 3"), ("7/0", "7/0"), (" Paris ", "Paris"), ("", ""),
        ("1e5", "1e5"), ("-", "-"),
    ],
)  # fmt: skip
def test_one_form_for_one_answer(text, expected):
    assert canonical_answer(text) == expected


@given(st.fractions(max_denominator=10_000))
def test_the_form_is_the_number_and_stays_as_it_is(number):
    text = canonical_answer(f"{number.numerator}/{number.denominator}")
    assert number_in(text) == number
    assert canonical_answer(text) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_decimals(number):
    assert number_in(canonical_answer(f"{number:f}")) == Fraction(number)


@given(st.text(max_size=80))
def test_any_text_has_a_form(text):
    assert canonical_answer(canonical_answer(text)) == canonical_answer(text)
