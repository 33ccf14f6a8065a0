"""The practice network's behaviour: how long it holds."""

import pytest

pytestmark = [pytest.mark.stack, pytest.mark.apart]


def test_a_mode_holds_for_as_many_requests_as_asked(network, ann):
    network.behave(mode="500", remaining=2)
    assert [ann.toot("x").status_code for _ in range(3)] == [500, 500, 200]


def test_a_mode_without_a_count_holds_until_changed(network, ann):
    network.behave(mode="500", remaining=0)
    assert [ann.toot("x").status_code for _ in range(3)] == [500, 500, 500]
    assert ann.me().status_code == 200
    network.behave(mode="normal")
    assert ann.toot("x").status_code == 200
