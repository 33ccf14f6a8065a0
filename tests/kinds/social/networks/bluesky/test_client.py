"""Posts to Bluesky: records that are written once, and sessions that end."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from jobs.kinds.social.networks.bluesky.client import tid
from jobs.models import Status
from tests.kinds.social.conftest import attempted, posted, result_of
from tests.servers.bluesky import PUT, REFRESH
from tests.servers.stand_in import Reply

pytestmark = pytest.mark.django_db


def test_a_post_to_bluesky_ends_with_its_link_and_marks_links_mentions_and_tags(pds, bluesky_account):
    text = "Ünï 👨‍👩‍👧 https://example.org/x. @bob.test and @nobody.test #größe"
    job = posted(bluesky_account, text)
    assert job.status == Status.SUCCEEDED, job.error_text
    ((rkey, record),) = pds.records.items()
    assert result_of(job)["url"] == f"https://bsky.app/profile/did:plc:ann/post/{rkey}"
    assert (record["$type"], record["text"], len(rkey)) == ("app.bsky.feed.post", text, 13)
    features = [
        (text.encode()[slice(*facet["index"].values())].decode(), facet["features"][0]) for facet in record["facets"]
    ]
    assert features == [
        ("https://example.org/x", {"$type": "app.bsky.richtext.facet#link", "uri": "https://example.org/x"}),
        ("@bob.test", {"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:bob"}),
        ("#größe", {"$type": "app.bsky.richtext.facet#tag", "tag": "größe"}),
    ]


def test_a_lost_reply_of_bluesky_is_repeated_with_the_same_record(pds, bluesky_account):
    pds.misbehave(PUT, pds.put_record_without_answer)
    job = attempted(posted(bluesky_account, "Hello"))
    assert (job.status, len(pds.records)) == (Status.SUCCEEDED, 1)
    first, second = pds.calls(PUT)
    assert first.json == second.json


def test_an_expired_session_is_refreshed_and_kept(pds, bluesky_account):
    pds.expire()
    assert posted(bluesky_account, "Hello").status == Status.SUCCEEDED
    bluesky_account.refresh_from_db()
    assert bluesky_account.credentials["refresh"] == "refresh-2"
    assert posted(bluesky_account, "Hello again").status == Status.SUCCEEDED
    assert len(pds.calls(REFRESH)) == 1


def test_a_session_that_is_over_asks_for_a_new_connection(pds, bluesky_account):
    pds.expire(refresh=True)
    job = posted(bluesky_account, "Hello")
    bluesky_account.refresh_from_db()
    assert (job.status, job.error_code, bluesky_account.needs_reconnect) == (Status.PENDING, "reconnect", True)


def test_a_rate_limit_of_bluesky_is_waited_for(pds, bluesky_account):
    reset = int((timezone.now() + timedelta(minutes=30)).timestamp())
    pds.misbehave(PUT, Reply({"error": "RateLimitExceeded"}, 429, {"RateLimit-Reset": str(reset)}))
    job = posted(bluesky_account, "Hello")
    assert job.status == Status.PENDING
    assert int(job.run_at.timestamp()) == reset


def test_record_keys_sort_by_time_and_have_the_form_of_a_tid():
    now = datetime(2026, 11, 22, 15, tzinfo=UTC)
    keys = [tid(now + timedelta(microseconds=step), clock=1023 - step) for step in range(50)]
    assert keys == sorted(keys)
    assert all(len(key) == 13 and key[0] in "234567abcdefghij" for key in keys)
    assert tid(datetime(1970, 1, 1, tzinfo=UTC), 0) == "2" * 13
