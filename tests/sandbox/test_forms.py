"""How the practice network shall behave, as it is asked for."""

import pytest

pytestmark = [pytest.mark.stack, pytest.mark.apart]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"mode": "angry"}, "mode"),
        ({"delay_ms": -1}, "delay_ms"),
        ({"delay_ms": "x"}, "delay_ms"),
        ({"speed": 1}, "speed"),
    ],
)
def test_a_wrong_behaviour_is_refused_at_its_field(network, asked, field):
    response = network.post("/practice/behaviour", json=asked)
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
