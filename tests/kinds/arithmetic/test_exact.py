"""Numbers are exact, whatever is done with them, and written in one way."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Failed
from jobs.kinds.arithmetic.exact import MAX_DIGITS, Operation, apply, digits_of, parse, written

pytestmark = pytest.mark.apart

DIGITS = st.integers(0, 10**MAX_DIGITS - 1)
numbers = st.builds(
    lambda sign, digits, places: parse(f"{sign}{digits // 10**places}.{digits % 10**places:0{places}}"),
    st.sampled_from(["", "-"]),
    DIGITS,
    st.integers(1, MAX_DIGITS - 1),
)


def digits_on_paper(number: Fraction) -> int:
    """How many digits it takes to write a number that has at most 200 of them behind the point."""
    shifted = abs(number) * 10**200
    assert shifted.denominator == 1
    digits = f"{shifted.numerator:0201}"
    return len(digits[:-200].lstrip("0") or "0") + len(digits[-200:].rstrip("0"))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("5", "5"),
        (" 5 ", "5"),
        ("+5", "5"),
        ("-5", "-5"),
        ("−5", "-5"),
        ("007", "7"),
        ("0.50", "0.5"),
        ("-0.00", "0"),
        ("100", "100"),
        ("1" * MAX_DIGITS, "1" * MAX_DIGITS),
    ],
)
def test_a_number_is_kept_in_one_way(text: str, kept: str):
    assert written(parse(text)) == kept


@pytest.mark.parametrize(
    "text", ["", "five", "1e3", "1,5", ".5", "5.", "--5", "0x10", "NaN", "Infinity", "٥", "1_000", "5\n6"]
)
def test_what_is_no_number_is_refused_with_a_sentence(text: str):
    with pytest.raises(ValueError, match="Please write a number"):
        parse(text)


def test_too_many_digits_are_refused_with_a_sentence():
    with pytest.raises(ValueError, match=r"has 101 digits.* is 100\."):
        parse("1" * MAX_DIGITS + ".1")


@given(numbers)
def test_a_written_number_reads_as_the_same_number(number: Decimal):
    assert parse(written(number)) == number
    assert digits_of(number) <= MAX_DIGITS


@given(st.sampled_from(Operation), numbers, numbers)
def test_an_operation_is_exact_or_refused(operation: Operation, operand: Decimal, value: Decimal):
    one, two = Fraction(value), Fraction(operand)
    exact = {"add": one + two, "subtract": one - two, "multiply": one * two, "set": two}[operation]
    if digits_on_paper(exact) > MAX_DIGITS:
        with pytest.raises(Failed, match="too_many_digits"):
            apply(operation, operand, value)
    else:
        assert Fraction(apply(operation, operand, value)) == exact


def test_two_then_five_makes_ten_and_in_the_other_order_two():
    two, five = Decimal(2), Decimal(5)
    assert apply("multiply", five, apply("add", two, Decimal(0))) == 10
    assert apply("add", two, apply("multiply", five, Decimal(0))) == 2


def test_tenths_add_up_as_they_do_on_paper():
    assert written(apply("add", parse("0.2"), parse("0.1"))) == "0.3"
