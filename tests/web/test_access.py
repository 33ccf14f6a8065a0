"""The cookie that vouches for who follows jobs, in place of session and user."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import signing
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

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


def statements(client: Client, job: Job) -> int:
    """How many statements one look at the job's status asks of jobs, sessions and users."""
    with CaptureQueriesContext(connection) as captured:
        client.get(MANY, {"id": str(job.pk)})
    names = ("django_session", "auth_user", "offload_job")
    return sum(any(f"FROM {name}" in query["sql"].replace('"', "") for name in names) for query in captured)


def test_only_the_first_look_loads_session_and_user(ann, job):
    assert statements(ann, job) > 1
    assert statements(ann, job) == 1


def test_the_cookie_is_for_one_address_and_no_script_reads_it(ann, job):
    cookie = ann.get(MANY, {"id": str(job.pk)}).cookies[COOKIE]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (MANY, True, "Strict")
    assert access.VOUCHED // 2 <= int(cookie["max-age"]) <= access.VOUCHED
    assert ann.post(MANY, {"id": str(job.pk)}).status_code == 405


def test_it_belongs_to_the_session_also_under_the_name_that_its_cookie_has_over_https(settings, user, other_user, job):
    settings.SESSION_COOKIE_NAME = "__Host-sessionid"
    ann, bob = signed_in(user), signed_in(other_user)
    assert (statements(ann, job) > 1, statements(ann, job)) == (True, 1)
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


ENDINGS: dict[str, Callable[[User, Client], object]] = {
    "the session was ended elsewhere": lambda user, client: client.session.delete(client.cookies["sessionid"].value),
    "the session has run out": lambda user, client: Session.objects.update(
        expire_date=timezone.now() - timedelta(seconds=1)
    ),
    "the password was changed": lambda user, client: User.objects.filter(pk=user.pk).update(
        password=make_password("another long password")
    ),
    "staff closed the account": lambda user, client: User.objects.filter(pk=user.pk).update(is_active=False),
    "the account was deleted": lambda user, client: (Job.objects.update(owner=None), user.delete()),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_it_is_worth_nothing_as_soon_as(ann, job, user, ending):
    assert sees(ann, job)
    copied = Client()
    copied.cookies.load({name: ann.cookies[name].value for name in ("sessionid", COOKIE)})
    assert statements(copied, job) == 1
    ENDINGS[ending](user, ann)
    assert not sees(copied, job)
    copied.cookies[COOKIE] = ann.cookies[COOKIE].value
    assert not sees(copied, job)


def test_a_visitors_is_worth_nothing_as_soon_as_the_session_was_ended(client, job):
    session = client.session
    session[SESSION_KEY] = "v" * 32
    session.save()
    Job.objects.filter(pk=job.pk).update(owner=None, visitor="v" * 32)
    assert sees(client, job)
    assert statements(client, job) == 1
    session.delete()
    assert not sees(client, job)


@pytest.mark.parametrize("engine", ["cache", "cached_db", "file"])
def test_wherever_the_site_keeps_its_sessions(settings, tmp_path, user, job, engine):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = tmp_path
    ann = signed_in(user)
    assert sees(ann, job)
    cookie = ann.cookies[COOKIE].value
    assert sees(ann, job)
    session_key = ann.cookies["sessionid"].value
    ann.session.delete(session_key)
    assert not sees(ann, job)
    ann.cookies["sessionid"], ann.cookies[COOKIE] = session_key, cookie
    assert not sees(ann, job)


def test_sessions_in_the_browser_alone_are_looked_up_each_time(settings, user, job):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    ann = signed_in(user)
    assert sees(ann, job)
    assert statements(ann, job) == 2


def test_it_is_looked_up_anew_after_a_while(ann, job, monkeypatch):
    assert sees(ann, job)
    monkeypatch.setattr(access, "VOUCHED", timedelta(0))
    assert statements(ann, job) > 1


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
    assert statements(client, job) == 1
    Job.objects.filter(pk=job.pk).update(visitor="")
    assert not sees(client, job)


def test_a_session_that_becomes_a_visitors_sees_the_new_jobs_at_once(ann, job, user):
    assert sees(ann, job)
    session = ann.session
    session[SESSION_KEY] = "v" * 32
    session.save()
    Job.objects.filter(pk=job.pk).update(owner=None, visitor="v" * 32)
    assert sees(ann, job)
