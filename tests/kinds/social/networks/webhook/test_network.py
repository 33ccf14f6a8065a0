"""Connecting a webhook: a secret that is shown once, and an address that is public."""

import pytest

from jobs.kinds.social.models import Account
from jobs.kinds.social.networks.webhook import client as webhooks
from tests.kinds.social.connecting import WEBHOOK, said

pytestmark = pytest.mark.django_db


def test_a_webhook_is_connected_with_a_secret_that_was_shown_once(page, receiver):
    secret = page.get(WEBHOOK).context["form"]["secret"].value()
    assert webhooks.is_secret(secret)
    response = page.post(WEBHOOK, {"url": f"{receiver.origin}/hook?key=s3cret", "secret": secret}, follow=True)
    host = receiver.origin.removeprefix("http://")
    assert said(response) == f"Webhook {host} is connected."
    assert Account.objects.get().credentials == {"url": f"{receiver.origin}/hook?key=s3cret", "secret": secret}
    assert secret not in response.content.decode()
    assert "s3cret" not in response.content.decode()
    assert page.get(WEBHOOK).context["form"]["secret"].value() != secret


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_" + "QUJD" * 30, "QUJD" * 10, "whsec_" + "ü" * 40]
)
def test_a_signing_secret_that_is_none_is_told_at_its_field(page, receiver, secret):
    response = page.post(WEBHOOK, {"url": f"{receiver.origin}/hook", "secret": secret})
    assert (response.status_code, list(response.context["form"].errors)) == (400, ["secret"])


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/hook", "https://[::ffff:10.0.0.1]/", "https://nowhere.invalid/", "x y"]
)
def test_a_webhook_to_a_private_or_missing_server_is_told_at_its_field(page, url):
    response = page.post(WEBHOOK, {"url": url, "secret": webhooks.new_secret()})
    assert (response.status_code, list(response.context["form"].errors)) == (400, ["url"])
