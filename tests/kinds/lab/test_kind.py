"""A run begins with a clean table."""

import pytest

from jobs.kinds.lab.models import Value
from tests.conftest import StartWorker
from tests.kinds.lab.conftest import accepted, found_by

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack, pytest.mark.apart]


def test_a_new_run_clears_what_was_left_behind(start_worker: StartWorker, user):
    left = Value.objects.create(number=7)
    start_worker("--role", "network")
    found_by(accepted(user, "race", 1))
    assert not Value.objects.filter(pk=left.pk).exists()
