"""Who may keep what a page shows."""

import pytest
from django.test import Client

from jobs.core import lifecycle
from jobs.kind import Submission
from tests.kind_app.kind import Echo

pytestmark = pytest.mark.django_db

NO_STORE = {"private", "no-store"}


def kept(client: Client, address: str) -> set[str]:
    return set(client.get(address).get("Cache-Control", "").split(", ")) - {"no-cache"}


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/jobs/",
        "/jobs/?status=failed",
        "/jobs/new/echo/",
        "/jobs/delete/",
        "/nowhere/",
        "/time-zone/",
        "/accounts/email/",
        "/accounts/sessions/",
        "/accounts/second-factor/",
        "/accounts/password/change/",
        "/export/",
        "/erasure/",
        "/media/",
        "/social/accounts/",
        "/arithmetic/",
    ],
)
def test_a_page_that_somebody_sees_is_stored_nowhere(ann, redis, address):
    assert kept(ann, address) >= NO_STORE


def test_the_page_of_a_job_is_stored_nowhere_and_its_status_may_be_asked_for_again(ann, user, redis):
    (job,) = lifecycle.submit(Echo(), [Submission({}, "Hello")], owner=user).jobs
    page, status = (ann.get(f"{job.get_absolute_url()}{name}") for name in ("", "status.json"))
    assert set(page["Cache-Control"].split(", ")) >= NO_STORE
    assert status["Cache-Control"] == "private, no-cache"


def test_the_admin_is_stored_nowhere(staff):
    assert kept(staff, "/admin/") >= NO_STORE
    assert kept(staff, "/admin/offload/job/") >= NO_STORE


@pytest.mark.parametrize("address", ["/accounts/logout/", "/admin/logout/"])
def test_with_the_sign_out_the_browser_drops_what_it_kept(staff, address):
    assert "Clear-Site-Data" not in staff.get("/")
    assert staff.post(address)["Clear-Site-Data"] == '"cache"'
    assert "Clear-Site-Data" not in staff.post("/accounts/logout/")
