"""Accounts: what they say when their credentials can't be read any more."""

import pytest

from jobs.kinds.social.models import Account
from tests.kinds.social.conftest import attempted, submitted

pytestmark = pytest.mark.django_db


def test_credentials_that_can_not_be_decrypted_ask_for_a_new_connection(careless, mastodon_account, settings):
    job = submitted(mastodon_account, "Hello")
    Account.objects.update(credentials_text="null")
    assert attempted(job).error_code == "reconnect"
    assert careless.asked == []
