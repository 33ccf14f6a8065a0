"""Exact decimal numbers: how they are read, written and calculated with. Nothing is ever rounded."""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...contract import Failed

MAX_DIGITS = 100
"""The most digits that a number may have, before and after the point together."""
MAX_LENGTH = MAX_DIGITS + 2
"""Characters of a number as text: its digits, a sign and a point."""

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
# A product has as many digits as its factors together. A step that would round raises Inexact instead: a bug of ours.
_exact = Context(prec=2 * MAX_DIGITS + 1, traps=[Inexact, InvalidOperation])


class Operation(models.TextChoices):
    """What can be done with a value."""

    ADD = "add", gettext_lazy("+ add")
    SUBTRACT = "subtract", gettext_lazy("− subtract")
    MULTIPLY = "multiply", gettext_lazy("× multiply by")
    SET = "set", gettext_lazy("= set to")

    @property
    def sign(self) -> str:
        """How it is written between two numbers."""
        return str(self.label).partition(" ")[0]


def parse(text: str) -> Decimal:
    """The number that a person wrote: digits, with a point and a sign if they like.

    Raises ValueError with a sentence if it is none, or has more than MAX_DIGITS digits.
    """
    plain = text.strip().replace("\N{MINUS SIGN}", "-")
    if not _NUMBER.fullmatch(plain):
        raise ValueError(_("Please write a number in digits, such as 5, -12 or 0.25."))
    number = Decimal(plain)
    if (digits := digits_of(number)) > MAX_DIGITS:
        text = _("This number has %(digits)s digits. The most that are kept here is %(most)s.")
        raise ValueError(text % {"digits": digits, "most": MAX_DIGITS})
    return number


def written(number: Decimal) -> str:
    """The one way in which a number is written: plain digits, no zeros that say nothing, no `-0`."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def digits_of(number: Decimal) -> int:
    """How many digits it has as it is written."""
    return sum(character.isdigit() for character in written(number))


def apply(operation: str, operand: Decimal, value: Decimal) -> Decimal:
    """What one operation makes of a value. All numbers have at most MAX_DIGITS digits, the result too.

    Raises Failed if the result has more.
    """
    match Operation(operation):
        case Operation.ADD:
            result = _exact.add(value, operand)
        case Operation.SUBTRACT:
            result = _exact.subtract(value, operand)
        case Operation.MULTIPLY:
            result = _exact.multiply(value, operand)
        case Operation.SET:
            result = operand
    if (digits := digits_of(result)) > MAX_DIGITS:
        raise Failed("too_many_digits", can_retry=False, digits=digits, most=MAX_DIGITS)
    return result
