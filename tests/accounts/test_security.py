"""Whoever watches over the site reads who signed in, who tried to, and what was changed; and no secret."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.accounts.conftest import PASSWORD, sign_in, sign_up

pytestmark = pytest.mark.django_db

TAKEN, SOURCE = "taken@example.org", {"REMOTE_ADDR": "192.0.2.7"}
NEW = "another long password"


@pytest.fixture
def said(caplog) -> Callable[[], list[str]]:
    """The lines since the last look, each with its level."""
    caplog.set_level(logging.INFO, "accounts.security")

    def said() -> list[str]:
        records = [record for record in caplog.records if record.name == "accounts.security"]
        caplog.clear()
        return [f"{record.levelname} {record.getMessage()}" for record in records]

    return said


def test_sign_ins_and_sign_outs(client, confirmed, said):
    sign_in(client, TAKEN, **SOURCE)
    client.post(reverse("account_logout"), **SOURCE)
    assert said() == [
        f"INFO signed in: user={confirmed.pk} source=192.0.2.7 by=password",
        f"INFO signed out: user={confirmed.pk} source=192.0.2.7",
    ]


def test_refused_sign_ins_with_the_address_as_it_was_typed(confirmed, said):
    for _ in range(6):
        sign_in(Client(), TAKEN, "wrong guess", **SOURCE)
    sign_in(Client(), "nobody@example.org", "wrong guess", **SOURCE)
    lines = said()
    assert lines == [
        *[f"WARNING wrong password: user=- source=192.0.2.7 address='{TAKEN}'"] * 5,
        f"WARNING too many guesses: user=- source=192.0.2.7 address='{TAKEN}'",
        "WARNING wrong password: user=- source=192.0.2.7 address='nobody@example.org'",
    ]
    assert not [line for line in lines if "wrong guess" in line]


@pytest.mark.parametrize("typed", ["a@example.org\nINFO signed in: user=1", "a\x1b[2J@example.org", "ä" * 300])
def test_what_somebody_types_begins_no_line_of_its_own(client, said, typed, rf):
    from django.contrib.auth import authenticate

    authenticate(rf.post("/", **SOURCE), email=typed, password="x")
    (line,) = said()
    assert line.startswith("WARNING wrong password: user=- source=192.0.2.7 address='")
    assert line.isprintable()
    assert len(line) < 2000


def test_what_is_changed(client, confirmed, said):
    sign_in(client, TAKEN, **SOURCE)
    said()
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD}, **SOURCE)
    client.post(reverse("account_email"), {"action_add": "", "email": "second@example.org"}, **SOURCE)
    values = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    client.post(reverse("account_change_password"), values, **SOURCE)
    lines = said()
    assert lines == [
        f"INFO addresses changed: user={confirmed.pk} source=192.0.2.7",
        f"INFO new password: user={confirmed.pk} source=192.0.2.7",
    ]
    assert not [line for line in lines if NEW in line or PASSWORD in line]


def test_a_sign_up_from_the_form_to_the_confirmed_address(client, said, newest_link):
    sign_up(client, **SOURCE)
    client.post(newest_link(), **SOURCE)
    whats = [line.split(":")[0] for line in said()]
    assert whats == ["INFO signed up", "INFO address confirmed", "INFO signed in"]


def test_without_a_source_there_is_still_a_line(client, confirmed, said, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    answer: Any = Client(raise_request_exception=False).post(
        reverse("account_login"), {"login": TAKEN, "password": PASSWORD}
    )
    assert answer.status_code in {302, 403}
    assert all("source=" in line for line in said())
