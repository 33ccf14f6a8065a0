"""The second experiment with real workers."""

import pytest

from tests.conftest import StartWorker
from tests.kinds.lab.conftest import accepted, found_by

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack, pytest.mark.apart]


def test_locks_keep_values_right_and_one_for_each_lets_jobs_run_together(start_worker: StartWorker, user):
    start_worker("--concurrency", "2")
    found = found_by(accepted(user, "locks", 2))
    facts = {
        mode: (found[mode]["right"], found[mode]["together"], found[mode]["on_one"]) for mode in ("global", "each")
    }
    assert facts == {"global": (2, 1, 1), "each": (2, 2, 1)}
    assert found["none"]["on_one"] == 2
    assert found["none"]["right"] < 2
    assert all(found[mode]["cpu"] > 0 for mode in ("global", "each", "none"))
    assert all(found["comparison"][way]["wall"] > 0 for way in ("sequence", "threads", "processes"))
