from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from standardwebhooks.webhooks import Webhook

from jobs.sandbox.webhooks import webhook_secret

pytestmark = [pytest.mark.stack, pytest.mark.apart]
BODY = '{"type": "test"}'


def signed(inbox, webhook_id, at=None, secret=None):
    at = at or datetime.now(UTC)
    signature = Webhook(secret or webhook_secret(inbox)).sign(webhook_id, at, BODY)
    return {"webhook-id": webhook_id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def test_a_signed_delivery_is_taken_and_its_repetition_marked(network):
    headers = signed("box", f"msg_{uuid4().hex}")
    first, second = (network.post("/webhooks/box/", data=BODY, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()) == (200, {"received": True, "repeated": False})
    assert (second.status_code, second.json()) == (200, {"received": True, "repeated": True})
    calls = [(call["key"], call["effect"], call["status"]) for call in network.calls("/webhooks/box/")]
    assert calls == [(headers["webhook-id"], True, 200), (headers["webhook-id"], False, 200)]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed("box", "msg_1", secret=webhook_secret("other")),
        signed("box", "msg_1", at=datetime.now(UTC) - timedelta(minutes=10)),
        {**signed("box", "msg_1"), "webhook-id": "msg_2"},
        {**signed("box", "msg_1"), "webhook-signature": "nonsense"},
        {**signed("box", "msg_1"), "webhook-signature": "v1,%%%"},
        {**signed("box", "msg_1"), "webhook-timestamp": "soon"},
    ],
    ids=["none", "other secret", "too old", "other id", "no version", "no base64", "no time"],
)
def test_a_delivery_without_a_good_signature_is_refused(network, headers):
    response = network.post("/webhooks/box/", data=BODY, headers=headers)
    assert response.status_code == 401
    assert [call["effect"] for call in network.calls("/webhooks/box/")] == [False]


def test_a_body_that_is_no_text_is_refused(network):
    response = network.post("/webhooks/box/", data=b"\xff\x00", headers=signed("box", "msg_1"))
    assert response.status_code == 401


def test_each_inbox_has_a_secret_of_its_own():
    assert webhook_secret("a") == webhook_secret("a") != webhook_secret("b")
