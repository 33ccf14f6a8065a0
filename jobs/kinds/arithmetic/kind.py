"""The arithmetic kind: read a value, wait, write what the operation makes of it."""

import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy

from ...contract import Kind, OwnerKey, Role, Run
from . import exact
from .forms import ArithmeticForm
from .models import Change, Value
from .sentences import SENTENCES

STEP_SECONDS = 0.2
"""How often a waiting operation tells how far it is, and learns that it was given up."""


class ArithmeticKind(Kind):
    """Operations on one value run one at a time, in the order in which they were submitted.

    The line holds behind an operation that failed for good: whoever asked for "+ 2" and then "× 5" counted on both, and
    × 5 on a value that lacks the 2 gives a number that nobody asked for. The owner decides whether it is tried again,
    skipped or cancelled; until then the value stays as it was.
    """

    name = "arithmetic"
    label = gettext_lazy("Arithmetic")
    invitation = gettext_lazy(
        "Change exact numbers of yours, as many changes at once as you like: none gets lost, all stay in order."
    )
    role = Role.NETWORK  # it waits far longer than it computes
    form = ArithmeticForm
    max_attempts = 5
    time_limit = timedelta(minutes=1)
    holds_line = True
    urls = f"{__package__}.urls"
    nav = ((gettext_lazy("Values"), "arithmetic:values"),)
    summary_template = "arithmetic/_result.html"
    sentences = SENTENCES
    stylesheet = "arithmetic/arithmetic.css"

    def run(self, run: Run) -> dict[str, Any]:
        """Change the value once, however often it is attempted. Result: value, value_id, place, read and wrote."""
        value = Value.objects.get(pk=run.payload["value"])
        # An attempt may end after its change was written and before its outcome was.
        change = Change.objects.filter(job=run.job_id).first() or _change(value, run)
        return {
            "value": value.name,
            "value_id": value.pk,
            "place": change.place,
            "operation": f"{change.sign} {change.operand}",
            "read": change.read,
            "wrote": change.wrote,
        }

    def belongings(self, owner_id: OwnerKey) -> Iterable[tuple[str, Iterable[Mapping[str, Any]]]]:
        """The values and their histories. (A deleted job leaves its change: it is a part of the value.)"""
        yield "values", Value.objects.filter(owner=owner_id).values("pk", "name", "number", "created_at").iterator()
        changes = Change.objects.filter(value__owner=owner_id).order_by("value", "place")
        yield "changes", changes.values("value", "place", "operation", "operand", "read", "wrote", "made_at").iterator()


def _change(value: Value, run: Run) -> Change:
    """Read, wait, write. Raises Failed if the result is too long."""
    asked = run.payload
    _wait(asked["delay"], value, run)
    wrote = exact.apply(asked["operation"], Decimal(asked["operand"]), Decimal(value.number))
    with run.transaction():
        change = Change.objects.create(
            value=value,
            job_id=run.job_id,
            place=value.changes_made + 1,
            operation=asked["operation"],
            operand=asked["operand"],
            read=value.number,
            wrote=exact.written(wrote),
        )
        Value.objects.filter(pk=value.pk).update(number=change.wrote, changes_made=change.place)
    return change


def _wait(seconds: float, value: Value, run: Run) -> None:
    """Spend the time between reading and writing. Raises ClaimLost if the attempt is given up meanwhile."""
    began = time.monotonic()
    while (spent := time.monotonic() - began) < seconds:
        run.progress(100 * spent / seconds, "waiting", number=value.number, seconds=seconds - spent)
        time.sleep(min(STEP_SECONDS, seconds - spent))
