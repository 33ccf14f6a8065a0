"""Posts to Mastodon: each appears once, whatever becomes of the replies."""

import pytest

from jobs.models import Status
from tests.kinds.social.conftest import attempted, posted, result_of
from tests.servers.mastodon import STATUSES
from tests.servers.stand_in import DROPPED, Reply

pytestmark = pytest.mark.django_db

ALICE = "Hello https://example.org/a/very/long/path?x=1&y=2, dear @bob@other.example.\n\n2 < 3 & “quotes” 👨‍👩‍👧"


def test_a_post_to_mastodon_ends_with_its_link(careless, mastodon_account):
    job = posted(mastodon_account, "Hello")
    assert job.status == Status.SUCCEEDED, job.error_text
    assert job.result == {
        "network": "Mastodon",
        "account": "@ann@careless.test",
        "url": f"{careless.origin}/@ann/1",
    }
    (call,) = careless.calls(STATUSES)
    assert call.headers["Idempotency-Key"] == str(job.pk)


def test_a_reply_lost_after_the_post_was_made_leaves_one_status(careless, mastodon_account):
    careless.misbehave(STATUSES, careless.publish_without_answer)
    job = posted(mastodon_account, ALICE)
    assert (job.status, job.error_code) == (Status.PENDING, "no_answer")
    job = attempted(job)
    assert (job.status, len(careless.statuses)) == (Status.SUCCEEDED, 1)
    assert result_of(job)["url"] == f"{careless.origin}/@ann/1"


def test_a_reply_lost_before_the_post_was_made_is_sent_again_with_the_same_key(careless, mastodon_account):
    careless.misbehave(STATUSES, DROPPED)
    job = attempted(posted(mastodon_account, "Hello"))
    assert (job.status, len(careless.statuses)) == (Status.SUCCEEDED, 1)
    assert len({call.headers["Idempotency-Key"] for call in careless.calls(STATUSES)}) == 1


def test_an_older_post_with_the_same_text_is_not_taken_for_the_lost_one(careless, mastodon_account):
    posted(mastodon_account, "Good morning")
    careless.misbehave(STATUSES, DROPPED)
    job = attempted(posted(mastodon_account, "Good morning"))
    assert (job.status, len(careless.statuses)) == (Status.SUCCEEDED, 2)
    assert result_of(job)["url"].endswith("/2")


def test_another_post_made_meanwhile_is_not_taken_for_the_lost_one(careless, mastodon_account):
    def somebody_posts_elsewhere(asked):
        careless.statuses.append({"id": "by-hand", "url": f"{careless.origin}/x", "content": "<p>Something else</p>"})
        return DROPPED

    careless.misbehave(STATUSES, somebody_posts_elsewhere)
    job = attempted(posted(mastodon_account, "Hello"))
    assert job.status == Status.SUCCEEDED
    assert [status["content"] for status in careless.statuses] == ["<p>Something else</p>", "<p>Hello</p>"]


def test_a_link_that_is_none_is_not_shown(careless, mastodon_account):
    careless.routes[STATUSES] = Reply({"id": "1", "url": "javascript:alert(1)"})
    assert result_of(posted(mastodon_account, "Hello"))["url"] == f"{careless.origin}/@ann"
