"""What must never be true of values and their changes: the database refuses it."""

import pytest
from django.db import IntegrityError

from jobs.kinds.arithmetic.models import Change, Value

pytestmark = pytest.mark.django_db


def test_a_person_has_a_name_once(user, other_user):
    Value.objects.create(owner=user, name="apples")
    Value.objects.create(owner=other_user, name="apples")
    with pytest.raises(IntegrityError):
        Value.objects.create(owner=user, name="apples")


def test_two_changes_of_a_value_that_read_the_same_number_can_not_both_be_kept(user):
    value = Value.objects.create(owner=user, name="apples")
    change = {"value": value, "place": 1, "operation": "add", "operand": "2", "read": "0"}
    first = Change.objects.create(**change, wrote="2")
    assert str(first) == "+ 2: 0 → 2"
    with pytest.raises(IntegrityError):
        Change.objects.create(**change, wrote="2")
