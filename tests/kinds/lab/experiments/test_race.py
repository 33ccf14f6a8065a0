"""The first experiment with real workers."""

import pytest

from tests.conftest import StartWorker
from tests.kinds.lab.conftest import accepted, found_by

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack, pytest.mark.apart]


def test_the_race_is_lost_without_protection_and_never_with_it(start_worker: StartWorker, user):
    start_worker()
    found = found_by(accepted(user, "race", 10))
    assert found["on"]["counts"] == {"4": 0, "10": 0, "12": 0, "20": 10}
    assert sum(found["off"]["counts"].values()) == 10
    assert found["off"]["counts"]["20"] < 10
    first, second = found["on"]["example"]
    assert (first["task"], second["task"]) == ("+2", "×5")
    assert first["wrote_at"] <= second["read_at"]
    assert (first["read"], first["wrote"], second["read"], second["wrote"]) == (2, 4, 4, 20)
    first, second = found["off"]["example"]
    assert max(first["read_at"], second["read_at"]) < min(first["wrote_at"], second["wrote_at"])
