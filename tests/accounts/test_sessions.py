"""People see where somebody is signed in to their account, and end what they do not know."""

import json
import re

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client
from django.urls import reverse

from jobs.core import lifecycle
from jobs.kind import Submission
from tests.accounts.conftest import sign_in
from tests.kind_app.kind import Echo
from tests.kinds.personal.conftest import copy, opened

pytestmark = pytest.mark.django_db

PAGE = "/accounts/sessions/"


@pytest.fixture
def stranger(confirmed) -> Client:
    """Somebody elsewhere who knows the password."""
    client = Client(headers={"user-agent": "Unheard-of/1.0"})
    sign_in(client, confirmed.email, REMOTE_ADDR="192.0.2.66")
    return client


def test_a_stranger_is_seen_and_signed_out(client, confirmed, stranger):
    sign_in(client, confirmed.email, headers={"user-agent": "Known/1.0"})
    page = client.get(PAGE).text
    assert '<main id="content"' in page
    assert [said in page for said in ("Unheard-of/1.0", "192.0.2.66", "Known/1.0", "this browser")] == [True] * 4
    assert client.post(PAGE).url == PAGE
    page = client.get(PAGE).text
    assert "Unheard-of/1.0" not in page
    assert "Known/1.0" in page
    assert "You are signed out everywhere else." in page
    assert stranger.get(reverse("account_email")).status_code == 302
    assert client.get(reverse("account_email")).status_code == 200


def end(client: Client, page: str) -> str:
    """Press the button that ends the one other session on the page. Returns where that leads."""
    (action,) = re.findall(r'action="(/accounts/sessions/\d+/end/)"', page)
    return str(client.post(action)["Location"])


def test_one_session_is_ended_and_the_others_go_on(client, confirmed, stranger):
    third = Client(headers={"user-agent": "Third/1.0"})
    for each in (client, third):
        sign_in(each, confirmed.email)
    ends = re.findall(r'action="(/accounts/sessions/\d+/end/)"', client.get(PAGE).text)
    assert len(ends) == 2
    assert client.post(ends[0], follow=True).redirect_chain == [(PAGE, 302)]
    page = client.get(PAGE).text
    assert ["Unheard-of/1.0" in page, "Third/1.0" in page] == [False, True]
    assert [each.get(reverse("account_email")).status_code for each in (stranger, third, client)] == [302, 200, 200]


def test_a_session_that_was_ended_follows_its_jobs_no_more(client, confirmed, stranger, redis):
    (job,) = lifecycle.submit(Echo(), [Submission({}, "Hello")], owner=confirmed).jobs
    follow = {"id": str(job.pk)}
    for _ in range(2):
        assert stranger.get(reverse("offload:statuses"), follow).json()["gone"] == []
    sign_in(client, confirmed.email)
    assert end(client, client.get(PAGE).text) == PAGE
    assert stranger.get(reverse("offload:statuses"), follow).json()["gone"] == [str(job.pk)]


def test_the_sessions_of_others_are_not_shown_and_not_ended(stranger, ann):
    assert "Unheard-of/1.0" not in ann.get(PAGE).text
    ann.post(PAGE)
    row = UserSession.objects.get(user_agent="Unheard-of/1.0")
    assert ann.post(f"{PAGE}{row.pk}/end/").status_code == 404
    assert Client().post(f"{PAGE}{row.pk}/end/")["Location"].startswith(reverse("account_login"))
    assert stranger.get(f"{PAGE}{row.pk}/end/").status_code == 405
    assert stranger.get(PAGE).status_code == 200
    assert Client().get(PAGE)["Location"].startswith(reverse("account_login"))


def test_the_page_of_the_account_leads_there(stranger):
    assert PAGE in stranger.get(reverse("account_email")).text


def test_a_copy_of_ones_data_has_them_without_their_keys(stranger, redis):
    with opened(stranger, copy(stranger)) as archive:
        (session,) = json.loads(archive.read("email/sessions.json"))
    assert (session["ip"], session["user_agent"]) == ("192.0.2.66", "Unheard-of/1.0")
    assert set(session) == {"created_at", "ip", "user_agent"}
