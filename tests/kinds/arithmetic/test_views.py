"""The pages of the values, and who may see them."""

import pytest
from django.urls import reverse

from jobs.kinds.arithmetic.models import Change, Value
from jobs.kinds.arithmetic.views import LINE, PAGE
from tests.kinds.arithmetic.conftest import accepted, done

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def text_of(response) -> str:
    assert response.status_code == 200
    text: str = response.content.decode()
    return text


def test_the_list_shows_my_values_and_nobody_elses(ann, bob, user):
    done(user, "Budget", "=41.5")
    text = text_of(ann.get("/arithmetic/"))
    assert "Budget" in text
    assert "41.5" in text
    assert "Budget" not in text_of(bob.get("/arithmetic/"))


def test_without_values_the_list_leads_to_the_form(ann):
    assert reverse("offload:new", args=["arithmetic"]) in text_of(ann.get("/arithmetic/"))


def test_many_values_come_in_pages(ann, user):
    Value.objects.bulk_create([Value(owner=user, name=f"value {index:03}") for index in range(PAGE + 1)])
    first, second = text_of(ann.get("/arithmetic/")), text_of(ann.get("/arithmetic/?page=2"))
    assert ("value 000" in first, f"value {PAGE:03}" in first) == (True, False)
    assert ("value 000" in second, f"value {PAGE:03}" in second) == (False, True)
    assert "Page 2 of 2" in second


def test_a_value_shows_what_each_job_read_and_wrote_newest_first(ann, user):
    jobs = [done(user, "O", change) for change in ("=2", "+2", "*5")]
    text = text_of(ann.get(Value.objects.get().get_absolute_url()))
    assert "Now: <strong>20</strong>" in text
    links = [text.index(f'href="{job.get_absolute_url()}"') for job in reversed(jobs)]
    assert links == sorted(links)
    for change in Change.objects.all():
        assert f'<td class="number">{change.read}</td>' in text
        assert f'<td class="number">{change.wrote}</td>' in text


def test_a_long_history_comes_in_pages(ann, user):
    value = Value.objects.create(owner=user, name="O", number="51", changes_made=PAGE + 1)
    Change.objects.bulk_create(
        Change(value=value, place=place, operation="add", operand="1", read=str(place - 1), wrote=str(place))
        for place in range(1, PAGE + 2)
    )
    first, second = (text_of(ann.get(f"/arithmetic/{value.pk}/?page={page}")) for page in (1, 2))
    assert '<th scope="row">51</th>' in first
    assert '<th scope="row">1</th>' not in first
    assert '<th scope="row">1</th>' in second


def test_operations_in_line_have_live_cards_in_their_order(ann, user):
    jobs = [accepted(user, "O", f"+{number}") for number in range(1, LINE + 2)]
    text = text_of(ann.get(Value.objects.get().get_absolute_url()))
    places = [text.find(f'id="title-{job.pk}"') for job in jobs]
    assert -1 not in places[:LINE]
    assert places[:LINE] == sorted(places[:LINE])
    assert places[LINE] == -1
    assert text.count("data-poll=") == LINE
    assert f"These are the first {LINE}." in text


def test_a_failed_operation_that_holds_the_line_is_shown_in_it(ann, user):
    done(user, "O", f"={'9' * 100}")
    failed = done(user, "O", "*10")
    behind = accepted(user, "O", "=1")
    text = text_of(ann.get(Value.objects.get().get_absolute_url()))
    assert text.index(failed.error_text) < text.index(f"title-{behind.pk}")
    assert "Held: " in text


def test_somebody_elses_value_does_not_exist(bob, user):
    done(user, "O", "=2")
    mine, none = Value.objects.get().get_absolute_url(), "/arithmetic/999999/"
    assert bob.get(mine).status_code == bob.get(none).status_code == 404


def test_a_number_that_is_too_large_for_a_key_is_no_value(ann):
    assert ann.get(f"/arithmetic/{10**30}/").status_code == 404


@pytest.mark.parametrize("address", ["/arithmetic/", "/arithmetic/1/"])
def test_who_is_not_signed_in_is_led_to_the_sign_in_page(client, address):
    response = client.get(address)
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next={address}"


def test_the_outcome_leads_to_the_value(ann, user):
    job = done(user, "O", "+2")
    text = text_of(ann.get(job.get_absolute_url()))
    assert "Read 0, wrote <strong>2</strong>" in text
    assert Value.objects.get().get_absolute_url() in text


def test_names_are_shown_as_text(ann, user):
    done(user, "<b>O</b>", "+2")
    assert "&lt;b&gt;O&lt;/b&gt;" in text_of(ann.get("/arithmetic/"))
