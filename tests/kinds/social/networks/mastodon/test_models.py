"""The registrations of this site at servers, and what of them can be read in the database."""

import pytest
from django.db import connection

from jobs.kinds.social.models import Account
from jobs.kinds.social.networks.mastodon.models import MastodonApp
from tests.kinds.social.connecting import came_back, sent_to
from tests.servers.mastodon import CarelessMastodon

pytestmark = pytest.mark.django_db


def test_tokens_and_client_secrets_are_encrypted_in_the_database(page, careless):
    came_back(page, sent_to(page, careless))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT credentials_text FROM offload_social_account "
            "UNION SELECT credentials_text FROM offload_social_mastodonapp"
        )
        stored = str(cursor.fetchall())
    assert "careless" not in stored
    assert Account.objects.get().credentials["token"] == CarelessMastodon.TOKEN
    assert MastodonApp.objects.get().client == {"client_id": "careless-id", "client_secret": "careless-secret"}


def test_a_server_is_asked_to_register_the_app_once(page, careless):
    sent_to(page, careless)
    sent_to(page, careless)
    assert len(careless.calls("POST /api/v1/apps")) == 1
