"""Posts to a webhook: signed, repeated as they were, and what the receiver answers."""

import json

import pytest
from standardwebhooks import Webhook

from jobs.models import Status
from tests.kinds.social.conftest import attempted, posted
from tests.servers.stand_in import DROPPED, Reply

pytestmark = pytest.mark.django_db


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
