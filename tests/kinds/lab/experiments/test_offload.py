"""The third experiment with real workers and the practice network, and without it."""

import psutil
import pytest

from tests.conftest import StartWorker
from tests.kinds.lab.conftest import accepted, found_by, over

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack, pytest.mark.apart]


@pytest.mark.django_db(transaction=True, databases=["default", "sandbox"])
def test_visitors_and_others_are_answered_while_a_queue_does_the_waiting(start_worker: StartWorker, user, sandbox):
    worker = start_worker()
    found = found_by(accepted(user, "offload", 20))
    assert (found["waits"]["count"], found["queues"]["count"], found["queues"]["outcome"]["count"]) == (20, 20, 20)
    assert found["waits"]["median"] >= found["api"]
    assert found["waits"]["others"]["count"] > 0
    assert found["queues"]["others"]["count"] > 0
    programs = [process.cmdline() for process in psutil.Process(worker.pid).children(recursive=True)]
    assert not [program for program in programs if "jobs.kinds.lab.server" in program]


def test_without_the_practice_network_a_run_says_so(start_worker: StartWorker, user):
    start_worker("--role", "network", env={"SANDBOX_URL": "http://127.0.0.1:9"})
    job = over(accepted(user, "offload", 10))
    assert job.error_code == "practice_network"
    assert "The practice network does not answer" in job.error_text
