"""Whoever reads the log finds no link in it that they could use."""

import logging
import re
from collections.abc import Iterator
from io import StringIO

import pytest
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the site's own handler writes."""
    (handler,) = [one for one in logging.getLogger().handlers if type(one) is logging.StreamHandler]
    written = StringIO()
    before = handler.setStream(written)
    yield written
    handler.setStream(before or handler.stream)


def test_a_used_confirmation_link_is_logged_without_its_key(client, confirm_path, log):
    client.post(confirm_path)
    assert Client().get(confirm_path).status_code == 410
    assert Client(enforce_csrf_checks=True).post(confirm_path).status_code == 403
    said = log.getvalue()
    assert said.count("/accounts/confirm-email/…/") == 2
    assert confirm_path.split("/")[-2] not in said


def test_a_reset_link_is_logged_without_its_key(client, confirmed, newest_link, log):
    client.post(reverse("account_reset_password"), {"email": confirmed.email})
    path = newest_link()
    key = path.split("/")[-2].partition("-")[2]
    assert Client().get(f"{path}more/").status_code == 410
    assert Client().get(f"/nowhere{path}").status_code == 404
    said = log.getvalue()
    assert said.count("/accounts/password/reset/key/") == 2
    assert key not in said


def test_other_addresses_are_logged_as_they_are(client, log):
    client.get("/accounts/confirm-email/again/")
    client.get("/nowhere/?a=%s")
    assert "Method Not Allowed: /accounts/confirm-email/again/" in log.getvalue().replace(" (GET)", "")
    assert "Not Found: /nowhere/" in log.getvalue()


def test_each_line_says_when_it_was_in_which_zone(log):
    Client().get("/nowhere/")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4} WARNING django.request .+\n", log.getvalue())
