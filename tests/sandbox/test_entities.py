"""How the practice network's rows look in the API."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from jobs.sandbox import entities
from jobs.sandbox.models import App

pytestmark = pytest.mark.apart


def test_a_time_is_written_as_mastodon_does():
    assert entities.moment(datetime(2026, 11, 22, 15, 4, 5, 678_999, UTC)) == "2026-11-22T15:04:05.678Z"
    east = timezone(timedelta(hours=9))
    assert entities.moment(datetime(2026, 11, 22, 0, 30, tzinfo=east)) == "2026-11-21T15:30:00.000Z"


def test_an_app_has_its_scopes_and_addresses_as_lists():
    app = App(name="Offload", scopes="read write", redirect_uris="https://a.example\nhttps://b.example")
    told = entities.application(app)
    assert told["scopes"] == ["read", "write"]
    assert told["redirect_uris"] == ["https://a.example", "https://b.example"]
    assert told["website"] is None
