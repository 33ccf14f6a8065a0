"""What can be asked for, and what happens to the value when it is."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from jobs.kinds.arithmetic.forms import SUGGESTED, ArithmeticForm
from jobs.kinds.arithmetic.models import MAX_NAME, Value
from jobs.models import Job
from tests.kinds.arithmetic.conftest import accepted, form

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def test_a_new_name_makes_a_value_that_starts_at_zero(user):
    accepted(user, "Budget", "+2")
    value = Value.objects.get()
    assert (value.owner, value.name, value.number) == (user, "Budget", "0")


def test_a_known_name_is_the_same_value(user):
    first, second = accepted(user, "Budget", "+2"), accepted(user, "  Budget ", "*5")
    assert Value.objects.count() == 1
    assert first.resource == second.resource == Value.objects.get().resource
    assert (first.position, second.position) == (1, 2)


def test_names_that_look_the_same_are_the_same(user):
    accepted(user, "Caf\u00e9  money", "+2")
    accepted(user, "Cafe\u0301 money", "+2")
    assert Value.objects.count() == 1


def test_the_same_name_of_somebody_else_is_another_value(user, other_user):
    assert accepted(user, "Budget", "+2").resource != accepted(other_user, "Budget", "+2").resource


def test_the_title_says_the_operation(user):
    assert [accepted(user, "Budget", change).title for change in ("+2", "-2.50", "*-5", "=0.1")] == [
        "Budget + 2",
        "Budget − 2.5",
        "Budget × -5",
        "Budget = 0.1",
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"value": ""}, "value"),
        ({"value": "x" * (MAX_NAME + 1)}, "value"),
        ({"value": "e\u0301\u0323" * 30}, "value"),
        ({"value": "a\u202eb"}, "value"),
        ({"value": "a\x00b"}, "value"),
        ({"operation": "divide"}, "operation"),
        ({"operation": ""}, "operation"),
        ({"operand": ""}, "operand"),
        ({"operand": "two"}, "operand"),
        ({"operand": "1" * 101}, "operand"),
        ({"operand": "1" * 501}, "operand"),
        ({"delay": -1}, "delay"),
        ({"delay": 10.5}, "delay"),
        ({"delay": "nan"}, "delay"),
        ({"delay": "soon"}, "delay"),
    ],
)
def test_bad_input_is_refused_at_its_field_and_makes_nothing(user, fields, field):
    filled = form(user, "Budget", "+2", **fields)
    assert not filled.is_valid()
    assert list(filled.errors) == [field]
    assert not Value.objects.exists()


def test_the_delay_may_be_left_out(user):
    filled = form(user, "Budget", "+2", delay="")  # type: ignore[arg-type]
    assert filled.is_valid()
    assert filled.submissions()[0].payload["delay"] == 0


def test_the_form_suggests_names_of_mine_alone(user, other_user):
    Value.objects.create(owner=user, name='"Budget"')
    Value.objects.create(owner=other_user, name="Secret")
    html = ArithmeticForm(owner=user).as_div()
    assert '<option value="&quot;Budget&quot;">' in html
    assert "Secret" not in html
    assert 'list="value-names"' in html
    assert '<datalist id="value-names">' in html


def test_the_form_suggests_the_newest_names_only(user, django_assert_num_queries):
    Value.objects.bulk_create([Value(owner=user, name=f"n{index}") for index in range(SUGGESTED + 50)])
    with django_assert_num_queries(1):
        html = ArithmeticForm(owner=user).as_div()
    assert html.count('<option value="n') == SUGGESTED


@pytest.mark.django_db(transaction=True)
def test_submits_that_race_for_a_new_name_make_one_value_and_lose_no_operation(user):
    def submit(index: int) -> None:
        accepted(user, f"Value {index % 3}", f"+{index}")
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(submit, range(24)))
    assert Value.objects.count() == 3
    assert Job.objects.count() == 24
    for value in Value.objects.all():
        places = Job.objects.filter(resource=value.resource).order_by("position").values_list("position", flat=True)
        assert list(places) == list(range(1, 9))
