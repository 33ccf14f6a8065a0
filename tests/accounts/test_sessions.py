"""People see where somebody is signed in to their account, and end what they do not know."""

import json

import pytest
from django.test import Client
from django.urls import reverse

from tests.accounts.conftest import sign_in
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


def test_the_sessions_of_others_are_not_shown_and_not_ended(stranger, ann):
    assert "Unheard-of/1.0" not in ann.get(PAGE).text
    ann.post(PAGE)
    assert stranger.get(PAGE).status_code == 200
    assert Client().get(PAGE)["Location"].startswith(reverse("account_login"))


def test_the_page_of_the_account_leads_there(stranger):
    assert PAGE in stranger.get(reverse("account_email")).text


def test_a_copy_of_ones_data_has_them_without_their_keys(stranger, redis):
    with opened(stranger, copy(stranger)) as archive:
        (session,) = json.loads(archive.read("email/sessions.json"))
    assert (session["ip"], session["user_agent"]) == ("192.0.2.66", "Unheard-of/1.0")
    assert set(session) == {"created_at", "ip", "user_agent"}
