"""The practice network's slow API."""

import time

import pytest

pytestmark = [pytest.mark.stack, pytest.mark.apart]


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
