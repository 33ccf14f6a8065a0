"""Posts through the real core to stand-ins of the networks: outcomes, refusals, and what is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from jobs.core.waiting import Wait, wait_of
from jobs.kind import WaitReason
from jobs.kinds.social.models import Account
from jobs.models import Status
from jobs.sentences import Sentence
from jobs.wording import moment_in_words
from tests.kinds.social.conftest import attempted, posted, submitted
from tests.servers.mastodon import STATUSES
from tests.servers.stand_in import DROPPED, Reply

pytestmark = pytest.mark.django_db


def test_a_revoked_account_says_so_and_waits_to_be_connected_again(careless, mastodon_account):
    careless.revoked = True
    job = posted(mastodon_account, "Hello")
    mastodon_account.refresh_from_db()
    assert (job.status, job.error_code) == (Status.PENDING, "reconnect")
    problem = (
        f"Mastodon ({careless.origin[7:]}) does not accept our access any more: “The access token was revoked”. "
        "Connect the account again."
    )
    assert wait_of(job) == Wait(WaitReason.ON_HOLD, f"{problem} This post waits for that.", ahead=0)
    assert (mastodon_account.needs_reconnect, mastodon_account.last_error_text) == (True, problem)


def test_an_account_that_works_again_forgets_its_error(careless, mastodon_account):
    Account.objects.update(last_error=Sentence("account_gone").as_data(), needs_reconnect=False)
    mastodon_account.refresh_from_db()
    posted(mastodon_account, "Hello")
    mastodon_account.refresh_from_db()
    assert (mastodon_account.last_error, mastodon_account.last_error_text) == (None, "")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Retry-After", "%a, %d %b %Y %H:%M:%S GMT"),
        ("X-RateLimit-Reset", "%Y-%m-%dT%H:%M:%S.000Z"),
        ("RateLimit-Reset", "%s"),
    ],
)
def test_a_moment_that_a_rate_limit_names_is_waited_for(careless, mastodon_account, name, written):
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    text = str(int(moment.timestamp())) if written == "%s" else moment.strftime(written)
    careless.misbehave(STATUSES, Reply({"error": "Too many requests"}, 429, {name: text}))
    job = posted(mastodon_account, "Hello")
    assert (job.status, job.run_at) == (Status.PENDING, moment)
    assert f"asked us to wait until {moment_in_words(moment)}." in job.attempts.get().error_text


@pytest.mark.parametrize(("asked", "waited"), [(90, 90), (9_999_999, 86_400)])
def test_a_rate_limit_is_waited_for_and_named(careless, mastodon_account, asked, waited):
    careless.misbehave(STATUSES, Reply({"error": "Too many requests"}, 429, {"Retry-After": str(asked)}))
    before = timezone.now()
    job = posted(mastodon_account, "Hello")
    assert job.status == Status.PENDING
    assert before <= job.run_at - timedelta(seconds=waited) <= timezone.now()
    (attempt,) = job.attempts.all()
    assert attempt.error_code == "rate_limited"
    assert attempt.error_text.startswith(f"Mastodon ({careless.origin[7:]}) asked us to wait until ")
    assert attempted(job).status == Status.SUCCEEDED
    assert len(careless.statuses) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        Reply({"error": "Too many requests"}, 429),
        Reply("<h1>Bad gateway</h1>", 502),
        Reply("", 500),
        DROPPED,
        Reply("<html>Welcome</html>"),
        Reply(b"{", headers={"Content-Length": "5000"}),
    ],
    ids=["429 without a moment", "502 as HTML", "500 empty", "no answer", "200 as HTML", "cut off mid-body"],
)
def test_a_server_in_trouble_is_tried_again(careless, mastodon_account, trouble):
    careless.misbehave(STATUSES, trouble)
    job = posted(mastodon_account, "Hello")
    assert job.status == Status.PENDING
    assert job.attempts.get().error_text.startswith("Mastodon (")
    assert attempted(job).status == Status.SUCCEEDED
    assert len(careless.statuses) == 1


def test_a_server_that_stays_in_trouble_ends_the_job_with_the_reason(careless, mastodon_account):
    careless.routes[STATUSES] = Reply("<h1>Bad gateway</h1>", 502)
    job = submitted(mastodon_account, "Hello")
    for _ in range(5):
        job = attempted(job)
    assert (job.status, job.error_code, job.attempt) == (Status.FAILED, "unavailable", 5)
    assert "has a problem (HTTP 502)." in job.error_text


def test_a_refused_post_fails_with_the_words_of_the_server(careless, mastodon_account):
    careless.misbehave(STATUSES, Reply({"error": "Validation failed:\n\x1b[31m Text \u202eis bad " + "x" * 500}, 422))
    job = posted(mastodon_account, "Hello")
    assert (job.status, job.error_code) == (Status.FAILED, "refused")
    assert "refused this: “Validation failed: [31m Text is bad xxx" in job.error_text
    assert len(job.error_text) < 300


def test_an_account_disconnected_meanwhile_fails_the_post_for_good(mastodon_account):
    job = submitted(mastodon_account, "Hello")
    mastodon_account.delete()
    job = attempted(job)
    assert (job.status, job.error_code, job.can_retry) == (Status.FAILED, "account_gone", False)
