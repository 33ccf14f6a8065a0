"""Posts through the real core to stand-ins of the networks: outcomes, refusals, and effects that happen once."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from standardwebhooks import Webhook

from jobs.core.waiting import Wait, wait_of
from jobs.kind import WaitReason
from jobs.kinds.social.models import Account
from jobs.models import Status
from tests.kinds.social.conftest import attempted, posted, result_of, submitted
from tests.servers.bluesky import PUT, REFRESH
from tests.servers.stand_in import DROPPED, Reply

pytestmark = pytest.mark.django_db

STATUSES = "POST /api/v1/statuses"
ALICE = "Hello https://example.org/a/very/long/path?x=1&y=2, dear @bob@other.example.\n\n2 < 3 & “quotes” 👨‍👩‍👧"


# --- Mastodon ---


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
    assert (mastodon_account.needs_reconnect, mastodon_account.last_error) == (True, problem)


def test_an_account_that_works_again_forgets_its_error(careless, mastodon_account):
    Account.objects.update(last_error="Something.", needs_reconnect=False)
    mastodon_account.refresh_from_db()
    posted(mastodon_account, "Hello")
    mastodon_account.refresh_from_db()
    assert mastodon_account.last_error == ""


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
    assert f"asked us to wait until {moment:%H:%M} UTC." in job.attempts.get().error_text


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


def test_a_link_that_is_none_is_not_shown(careless, mastodon_account):
    careless.routes[STATUSES] = Reply({"id": "1", "url": "javascript:alert(1)"})
    assert result_of(posted(mastodon_account, "Hello"))["url"] == f"{careless.origin}/@ann"


def test_an_account_disconnected_meanwhile_fails_the_post_for_good(mastodon_account):
    job = submitted(mastodon_account, "Hello")
    mastodon_account.delete()
    job = attempted(job)
    assert (job.status, job.error_code, job.can_retry) == (Status.FAILED, "account_gone", False)


def test_credentials_that_can_not_be_decrypted_ask_for_a_new_connection(careless, mastodon_account, settings):
    job = submitted(mastodon_account, "Hello")
    Account.objects.update(credentials_text="null")
    assert attempted(job).error_code == "reconnect"
    assert careless.asked == []


# --- Bluesky ---


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


# --- Webhook ---


def test_a_webhook_gets_a_signed_post_and_its_answer_is_shown(receiver, webhook_account):
    receiver.routes["POST /hook"] = Reply("Thank you\n", 202)
    job = posted(webhook_account, "Hello Ünï")
    assert job.result == {"network": "Webhook", "account": "My receiver", "status": 202, "answer": "Thank you"}
    (call,) = receiver.asked
    body = Webhook(webhook_account.credentials["secret"]).verify(call.body, dict(call.headers))
    assert (body["type"], body["data"]) == ("post.created", {"id": str(job.pk), "text": "Hello Ünï"})
    assert call.headers["Webhook-Id"] == str(job.pk)


def test_all_attempts_on_a_webhook_carry_one_id_and_one_body(receiver, webhook_account):
    receiver.routes["POST /hook"] = Reply()
    receiver.misbehave("POST /hook", DROPPED)
    assert attempted(posted(webhook_account, "Hello")).status == Status.SUCCEEDED
    first, second = receiver.asked
    assert (first.body, first.headers["Webhook-Id"]) == (second.body, second.headers["Webhook-Id"])


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (Reply("no", 401), "refused", "the same signing secret"),
        (Reply("", 302, {"Location": "http://127.0.0.1/"}), "redirect", "sends us on to another address"),
        (Reply({"message": "No such inbox"}, 404), "refused", "“No such inbox”."),
    ],
)
def test_a_webhook_that_refuses_fails_with_a_sentence(receiver, webhook_account, reply, code, words):
    receiver.routes["POST /hook"] = reply
    job = posted(webhook_account, "Hello")
    assert (job.status, job.error_code) == (Status.FAILED, code)
    assert words in job.error_text
    assert "s3cret" not in json.dumps([job.error_text, job.kept, job.title])


def test_a_webhook_that_is_gone_is_waited_for(receiver, webhook_account):
    receiver.routes["POST /hook"] = Reply("", 410)
    job = posted(webhook_account, "Hello")
    assert (job.status, job.error_code) == (Status.PENDING, "reconnect")
    assert "says that it is gone" in job.error_text
