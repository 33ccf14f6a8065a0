"""Whatever a kind says or leaves behind, in whichever place: its job reaches an outcome, and every page opens."""

import pytest

from jobs.core import lifecycle
from jobs.kind import Submission, kind_named
from jobs.models import Attempt
from jobs.worker.execution import perform
from tests import hostile

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


@pytest.mark.parametrize("place", hostile.PLACES)
def test_whatever_a_kind_hands_over_its_job_has_an_outcome_that_its_owner_can_read(ann, user, staff, place):
    tell = kind_named("tell")
    assert tell
    given = [Submission({"place": place, "value": value}, value, value) for value in hostile.VALUES]
    jobs = lifecycle.submit(tell, given, owner=user).jobs
    for job in jobs:
        perform(str(job.pk))
        job.refresh_from_db()
        status, code = hostile.expected(place, job.title)
        assert (job.status, job.error_code[: len(code)]) == (status, code), job.title
        assert bool(job.error_text) == (job.error_code != "" or place == "code"), job.title
        assert place != "bug" or "RuntimeError" in job.traceback, job.title
        assert Attempt.objects.get(job=job).error_text == job.error_text
    hostile.look_at(jobs, ann, staff)
    hostile.look_closely_at(next(job for job in jobs if job.title == "names"), ann, staff)
