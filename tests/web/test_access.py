"""The cookie that vouches for who follows jobs, in place of session and user."""

from datetime import timedelta

import pytest
from django.core import signing
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Job
from jobs.web import access
from jobs.web.access import COOKIE, SESSION_KEY
from tests.kind_app.kind import Echo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]

MANY = "/jobs/status.json"


@pytest.fixture
def job(user) -> Job:
    (job,) = lifecycle.submit(Echo(), [Submission({}, "Hello")], owner=user).jobs
    return job


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def sees(client: Client, job: Job) -> bool:
    """Whether a page may follow the job."""
    answer = client.get(MANY, {"id": str(job.pk)}).json()
    return [one["id"] for one in answer["jobs"]] == [str(job.pk)] and answer["gone"] == []


def tables(client: Client, job: Job) -> set[str]:
    """Which tables one look at the job's status reads."""
    with CaptureQueriesContext(connection) as captured:
        client.get(MANY, {"id": str(job.pk)})
    names = ("django_session", "auth_user", "offload_job")
    return {name for name in names for query in captured if f"FROM {name}" in query["sql"].replace('"', "")}


def forget_session(client: Client) -> None:
    """End the session on the server alone, as a sign-out in another browser or a new password does."""
    client.session.flush()


def test_only_the_first_look_reads_session_and_user(ann, job):
    assert tables(ann, job) == {"django_session", "auth_user", "offload_job"}
    assert tables(ann, job) == {"offload_job"}


def test_the_cookie_is_for_one_address_and_no_script_reads_it(ann, job):
    cookie = ann.get(MANY, {"id": str(job.pk)}).cookies[COOKIE]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (MANY, True, "Strict")
    assert access.VOUCHED // 2 <= int(cookie["max-age"]) <= access.VOUCHED
    assert ann.post(MANY, {"id": str(job.pk)}).status_code == 405


def test_it_belongs_to_the_session_also_under_the_name_that_its_cookie_has_over_https(settings, user, other_user, job):
    settings.SESSION_COOKIE_NAME = "__Host-sessionid"
    ann, bob = signed_in(user), signed_in(other_user)
    assert tables(ann, job) == {"django_session", "auth_user", "offload_job"}
    assert tables(ann, job) == {"offload_job"}
    bob.cookies[COOKIE] = ann.cookies[COOKIE].value
    assert not sees(bob, job)


def test_whoever_may_see_nothing_gets_none(client, job):
    assert COOKIE not in client.get(MANY, {"id": str(job.pk)}).cookies


def test_it_does_not_show_the_jobs_of_somebody_else(ann, bob, job, other_user):
    (his,) = lifecycle.submit(Echo(), [Submission({}, "Hello")], owner=other_user).jobs
    assert sees(bob, his)
    assert not sees(bob, job)
    both = bob.get(MANY, {"id": [his.pk, job.pk]}).json()
    assert ([one["id"] for one in both["jobs"]], both["gone"]) == ([str(his.pk)], [str(job.pk)])


def test_it_is_worth_nothing_in_another_session(ann, bob, client, job):
    sees(ann, job)
    for stranger in (bob, client):
        stranger.cookies[COOKIE] = ann.cookies[COOKIE].value
        assert not sees(stranger, job)


def test_a_forged_one_is_worth_nothing(bob, job, user, other_user):
    session_key = bob.cookies["sessionid"].value
    own = signing.get_cookie_signer(salt=COOKIE + session_key).sign(f"{other_user.pk}.")
    signature = own.split(":", 1)[1]
    without_key = signing.TimestampSigner(key="guessed", salt=COOKIE + session_key).sign(f"{user.pk}.")
    for forged in (f"{user.pk}.", f"{user.pk}.:{signature}", without_key, "x" * 4000, "::", "1.:a:b"):
        bob.cookies[COOKIE] = forged
        assert not sees(bob, job)


def test_it_ends_with_the_sign_out(ann, job):
    assert sees(ann, job)
    cookie = ann.cookies[COOKIE].value
    ann.post("/accounts/logout/")
    ann.cookies[COOKIE] = cookie
    assert not sees(ann, job)


def test_a_session_that_was_ended_elsewhere_follows_its_jobs_until_the_cookie_is_old(ann, job, monkeypatch):
    assert sees(ann, job)
    cookie = ann.cookies[COOKIE].value
    forget_session(ann)
    assert sees(ann, job)
    monkeypatch.setattr(access, "VOUCHED", timedelta(0))
    ann.cookies[COOKIE] = cookie
    assert not sees(ann, job)


def test_a_deleted_job_is_gone_at_once(ann, job):
    assert sees(ann, job)
    Job.objects.filter(pk=job.pk).delete()
    assert not sees(ann, job)


def test_a_job_that_changes_hands_is_gone_at_once(ann, job, other_user):
    assert sees(ann, job)
    Job.objects.filter(pk=job.pk).update(owner=other_user)
    assert not sees(ann, job)


def test_a_visitor_follows_the_jobs_of_the_session_and_no_others(client, job):
    session = client.session
    session[SESSION_KEY] = "v" * 32
    session.save()
    Job.objects.filter(pk=job.pk).update(owner=None, visitor="v" * 32)
    assert sees(client, job)
    assert tables(client, job) == {"offload_job"}
    Job.objects.filter(pk=job.pk).update(visitor="")
    assert not sees(client, job)


def test_a_session_that_becomes_a_visitors_sees_the_new_jobs_at_once(ann, job, user):
    assert sees(ann, job)
    session = ann.session
    session[SESSION_KEY] = "v" * 32
    session.save()
    Job.objects.filter(pk=job.pk).update(owner=None, visitor="v" * 32)
    assert sees(ann, job)
