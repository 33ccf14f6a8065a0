"""A run that goes on until it is killed; tests/test_killed_run.py starts it."""

import pytest

from tests.conftest import StartWorker
from tests.processes import wait_until


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_there_and_the_run_goes_on(start_worker: StartWorker):
    start_worker()
    wait_until(lambda: False, seconds=60)
