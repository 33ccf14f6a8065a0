"""Somebody else's job does not exist."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import User

from jobs.core import lifecycle
from jobs.kind import Submission, kind_named
from jobs.models import Job, Status
from tests.faults.conftest import Figure
from tests.faults.stage import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]


@pytest.mark.fault(29)
def test_somebody_elses_job_is_answered_like_one_that_never_was(web: Web, user: User, other_user: User, figure: Figure):
    echo = kind_named("echo")
    assert echo
    submissions = [Submission({"text": "secret"}, "a secret title")] * 2
    theirs = lifecycle.submit(echo, submissions, owner=other_user)
    visitors = lifecycle.submit(echo, submissions, owner=None, visitor="f" * 32)
    mine = lifecycle.submit(echo, submissions, owner=user)
    assert theirs.submit
    assert mine.submit

    def answers(job_id: object, submit_id: object) -> list[tuple[str, int, str]]:
        paths = [
            *((method, f"/jobs/{job_id}/{page}") for page in ("", "status.json") for method in ("GET", "HEAD")),
            *((method, f"/jobs/{job_id}/{verb}/") for verb in ("retry", "cancel") for method in ("POST", "GET")),
            ("GET", f"/jobs/submits/{submit_id}/"),
        ]
        got = []
        for accept in ("text/html", "application/json"):
            for method, path in paths:
                answer = web.session.request(
                    method, web.url + path, headers={"Accept": accept}, allow_redirects=False, timeout=20
                )
                body = answer.text.replace(str(job_id), "ID").replace(str(submit_id), "ID")
                got.append((f"{method} {path.rsplit('/', 2)[-2:]}", answer.status_code, body))
        return got

    nobodys = answers(uuid4(), uuid4())
    asked = 0
    for accepted in (theirs, visitors):
        for job in accepted.jobs:
            submit_id = accepted.submit.pk if accepted.submit else uuid4()
            got = answers(job.pk, submit_id)
            asked += len(got)
            assert {status for verb, status, _ in got if not (verb.startswith("GET") and status == 405)} == {404}
            assert not [body for _, _, body in got if "secret" in body]
            assert [status for _, status, _ in got] == [status for _, status, _ in nobodys]
    assert answers(mine.jobs[0].pk, mine.submit.pk)[0][1] == 200
    untouched = Job.objects.exclude(owner=user)
    assert set(untouched.values_list("status", flat=True)) == {Status.PENDING}
    figure(f"{asked} requests, all 404")
