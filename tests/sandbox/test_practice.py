"""How the practice network misbehaves, and its slow API."""

import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import requests

pytestmark = [pytest.mark.stack, pytest.mark.apart]


def test_a_dropped_reply_leaves_exactly_one_post(network, ann):
    key = str(uuid4())
    network.behave(mode="drop", remaining=1)
    with pytest.raises(requests.ConnectionError):
        ann.toot("did it work?", key)
    assert len(ann.statuses()) == 1
    again = ann.toot("did it work?", key)
    assert again.json()["id"] == ann.statuses()[0]["id"]
    assert len(ann.statuses()) == 1
    calls = [(call["effect"], call["status"], call["key"]) for call in network.calls("/api/v1/statuses")]
    assert calls == [(True, None, key), (False, 200, key)]


def test_a_reset_connection_leaves_nothing(network, ann):
    network.behave(mode="reset", remaining=1)
    with pytest.raises(requests.ConnectionError):
        ann.toot("lost")
    assert ann.statuses() == []
    assert [(call["effect"], call["status"]) for call in network.calls("/api/v1/statuses")] == [(False, None)]


def test_too_many_requests_say_when_to_come_back(network, ann):
    network.behave(mode="429", remaining=1)
    response = ann.toot("wait")
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0
    assert response.headers["X-RateLimit-Remaining"] == "0"
    assert datetime.fromisoformat(response.headers["X-RateLimit-Reset"]) > datetime.now(UTC)
    assert ann.toot("now").status_code == 200


def test_too_many_requests_without_retry_after(network, ann):
    network.behave(mode="429_bare", remaining=1)
    response = ann.toot("wait")
    assert response.status_code == 429
    assert "Retry-After" not in response.headers


def test_an_internal_error_is_no_json_and_does_nothing(network, ann):
    network.behave(mode="500", remaining=1)
    response = ann.toot("oops")
    assert (response.status_code, response.headers["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert ann.statuses() == []


def test_each_answer_counts_down_the_rate_limit(ann):
    before, after = (int(ann.me().headers["X-RateLimit-Remaining"]) for _ in range(2))
    assert after == before - 1 or after > before  # a new window may begin in between


def test_the_delay_is_kept(network, ann):
    network.behave(delay_ms=300)
    assert ann.toot("slowly").elapsed.total_seconds() >= 0.3


def test_another_website_can_not_change_the_behaviour(network):
    response = network.post("/practice/behaviour", data='{"mode": "500"}', headers={"Content-Type": "text/plain"})
    assert response.status_code == 415


def test_a_request_under_a_foreign_host_name_is_refused(network):
    assert network.get("/practice/log", headers={"Host": "evil.example"}).status_code == 400


def test_it_answers_after_the_time_that_was_asked_for(network):
    start = time.monotonic()
    answer = network.get("/practice/slow", params={"ms": 200})
    assert time.monotonic() - start >= 0.2
    assert answer.json() == {"ms": 200}


@pytest.mark.parametrize("ms", ["", "-1", "1.5", "a", "5001", "9" * 50, "²"])
def test_it_is_never_slower_than_its_bound(network, ms):
    answer = network.get("/practice/slow", params={"ms": ms})
    assert answer.status_code == 400
    assert answer.json() == {"errors": {"ms": ["Send a whole number from 0 to 5000."]}}
