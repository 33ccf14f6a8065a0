"""Connecting a webhook: a secret that is shown once, and an address that is public."""

import pytest

from jobs.kinds.social.models import Account
from jobs.kinds.social.networks.webhook import client as webhooks
from jobs.models import Status
from tests.kinds.social.conftest import result_of
from tests.kinds.social.connecting import ACCOUNTS, WEBHOOK, asked

pytestmark = pytest.mark.django_db


def test_a_webhook_is_connected_with_a_secret_that_was_shown_once(page, receiver):
    secret = page.get(WEBHOOK).context["form"]["secret"].value()
    assert webhooks.is_secret(secret)
    job = asked(page, WEBHOOK, {"url": f"{receiver.origin}/hook?key=s3cret", "secret": secret})
    host = receiver.origin.removeprefix("http://")
    assert result_of(job) == {"account": f"Webhook {host}", "new": True}
    assert Account.objects.get().credentials == {"url": f"{receiver.origin}/hook?key=s3cret", "secret": secret}
    for address in (ACCOUNTS, job.get_absolute_url()):
        text = page.get(address).content.decode()
        assert (secret in text, "s3cret" in text) == (False, False)
    assert page.get(WEBHOOK).context["form"]["secret"].value() != secret


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_" + "QUJD" * 30, "QUJD" * 10, "whsec_" + "ü" * 40]
)
def test_a_signing_secret_that_is_none_is_told_at_its_field(page, receiver, secret):
    response = page.post(WEBHOOK, {"url": f"{receiver.origin}/hook", "secret": secret})
    assert (response.status_code, list(response.context["form"].errors)) == (400, ["secret"])


@pytest.mark.parametrize("url", ["https://127.0.0.1/hook", "https://[::ffff:10.0.0.1]/", "https://nowhere.invalid/"])
def test_a_webhook_to_a_private_or_missing_server_is_told_by_its_job(page, url):
    job = asked(page, WEBHOOK, {"url": url, "secret": webhooks.new_secret()})
    assert (job.status, job.error_code) == (Status.FAILED, "not_public")


def test_what_is_no_web_address_is_told_at_its_field(page):
    response = page.post(WEBHOOK, {"url": "x y", "secret": webhooks.new_secret()})
    assert (response.status_code, list(response.context["form"].errors)) == (400, ["url"])
