"""What browsers may do with an answer of the site: nothing of it is ever shown in a frame."""

from pathlib import Path

import pytest
from django.test import Client

from jobs.web.access import COOKIE
from tests.web.conftest import job_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]

POLICY = "Content-Security-Policy"


@pytest.mark.parametrize("address", ["/", "/accounts/login/", "/nowhere/", "/jobs/", "/healthz", "/static/one.css"])
def test_no_answer_is_shown_in_a_frame(settings, tmp_path: Path, address: str) -> None:
    settings.STATIC_ROOT = tmp_path
    (tmp_path / "one.css").write_text("p {}")
    answer = Client().get(address)
    answer.close()
    assert "frame-ancestors 'none'" in answer[POLICY]


def test_the_quick_answer_to_a_poll_is_not_either(ann):
    job = job_of(ann)
    for _ in range(2):
        answer = ann.get("/jobs/status.json", {"id": job.pk})
        assert "frame-ancestors 'none'" in answer[POLICY]
    assert COOKIE in ann.cookies
