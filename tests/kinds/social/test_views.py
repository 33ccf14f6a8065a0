"""The pages of the accounts: connecting again, pictures, disconnecting, and whose they are."""

from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.urls import reverse

from jobs.kinds.social.kind import SocialKind
from jobs.kinds.social.models import Account
from jobs.kinds.social.networks import networks
from jobs.kinds.social.networks.mastodon.models import MastodonApp
from jobs.models import Status
from jobs.sentences import Sentence
from tests.kinds.social.conftest import result_of
from tests.kinds.social.connecting import (
    ACCOUNTS,
    BLUESKY,
    MASTODON,
    WEBHOOK,
    came_back,
    disconnected,
    picture,
    sent_to,
    shown,
    signed_in,
)
from tests.servers.bluesky import REFRESH
from tests.servers.mastodon import CarelessMastodon
from tests.servers.stand_in import Reply

pytestmark = pytest.mark.django_db


def test_connecting_again_renews_the_account_instead_of_adding_one(page, pds):
    signed_in(page, pds)
    Account.objects.update(needs_reconnect=True, last_error=Sentence("session_over", who="Bluesky").as_data())
    assert "The sign-in to Bluesky is over." in page.get(ACCOUNTS).content.decode()
    account = Account.objects.get()
    form = page.get(f"{BLUESKY}?account={account.pk}").context["form"]
    assert (form["handle"].value(), form["service"].value()) == ("ann.test", pds.origin)
    job = signed_in(page, pds)
    assert result_of(job) == {"account": "Bluesky @ann.test", "new": False}
    assert "Bluesky @ann.test is connected again." in page.get(job.get_absolute_url()).content.decode()
    account.refresh_from_db()
    assert (account.needs_reconnect, account.last_error) == (False, None)


def test_disconnecting_gives_the_token_back_and_removes_account_and_picture(
    page, careless, django_capture_on_commit_callbacks
):
    careless.routes["GET /ann.png"] = Reply(picture())
    came_back(page, sent_to(page, careless))
    account = shown()
    assert account.avatar.storage.exists(str(account.avatar.name))
    with django_capture_on_commit_callbacks(execute=True):
        assert disconnected(page, account).status == Status.SUCCEEDED
    assert careless.revoked
    assert not Account.objects.exists()
    assert not account.avatar.storage.exists(str(account.avatar.name))


def test_disconnecting_from_bluesky_ends_the_session(page, pds):
    signed_in(page, pds)
    assert disconnected(page, Account.objects.get()).status == Status.SUCCEEDED
    assert not pds.refresh_valid
    assert pds.calls(REFRESH) == []


def test_disconnecting_needs_a_post(page, mastodon_account):
    assert page.get(reverse("social:disconnect", args=[mastodon_account.pk])).status_code == 405


def test_accounts_of_others_do_not_exist(client, other_user, mastodon_account, webhook_account):
    mastodon_account.avatar.save("ann.png", ContentFile(picture()))
    client.force_login(other_user)
    pk = mastodon_account.pk
    assert mastodon_account.handle not in client.get(ACCOUNTS).content.decode()
    assert client.get(reverse("social:avatar", args=[pk])).status_code == 404
    assert client.post(reverse("social:disconnect", args=[pk])).status_code == 404
    for account in (str(pk), "0", "x", "9" * 40, "²"):
        assert client.get(f"{MASTODON}?account={account}").status_code == 404
    assert Account.objects.count() == 2
    mastodon_account.avatar.delete()


def test_without_signing_in_there_are_no_account_pages(client, mastodon_account):
    pk = mastodon_account.pk
    of_jobs = (reverse("social:again", args=[UUID(int=0)]), f"{MASTODON}callback/key/")
    for url in (ACCOUNTS, MASTODON, BLUESKY, WEBHOOK, *of_jobs, reverse("social:avatar", args=[pk])):
        response = client.get(url)
        assert (response.status_code, response["Location"].partition("?")[0]) == (302, "/accounts/login/")
    assert client.post(reverse("social:disconnect", args=[pk])).status_code == 302
    assert Account.objects.exists()


def test_an_unknown_network_does_not_exist(page):
    assert page.get("/social/connect/myspace/").status_code == 404


def test_only_a_job_that_connects_leads_back_to_a_form(page, webhook_account):
    for job in (disconnected(page, webhook_account).pk, UUID(int=0)):
        assert page.get(reverse("social:again", args=[job])).status_code == 404


def test_a_form_leads_to_this_site_alone(page):
    assert "form-action 'self';" in f"{page.get(MASTODON)['Content-Security-Policy']};"


def test_staff_see_accounts_without_credentials_and_can_not_change_them(client, mastodon_account):
    client.force_login(User.objects.create_superuser("root", "root@example.org", "a-long-password"))
    app = MastodonApp(instance=mastodon_account.instance, callback_url="http://testserver/callback")
    app.credentials_text = '{"client_id": "client-id", "client_secret": "client-secret"}'
    app.save()
    for row in (mastodon_account, app):
        listing = reverse(f"admin:offload_social_{row._meta.model_name}_changelist")
        one = reverse(f"admin:offload_social_{row._meta.model_name}_change", args=[row.pk])
        for text in (client.get(listing).content.decode(), client.get(one).content.decode()):
            assert mastodon_account.instance in text
            assert CarelessMastodon.TOKEN not in text
            assert "client-secret" not in text
        assert client.post(one, {"handle": "x"}).status_code == 403


def test_staff_find_accounts_by_what_people_call_their_network(client, mastodon_account, webhook_account):
    client.force_login(User.objects.create_superuser("root", "root@example.org", "a-long-password"))
    listing = reverse("admin:offload_social_account_changelist")
    page = client.get(listing).content.decode()
    for network in networks():
        assert f'<a href="?network__exact={network.name}">{network}</a>' in page
    assert page.count(">Mastodon</td>") == page.count(">Webhook</td>") == 1
    page = client.get(listing, {"network__exact": "webhook"}).content.decode()
    assert (mastodon_account.handle in page, webhook_account.handle in page) == (False, True)


def test_when_their_owner_goes_the_accesses_are_given_back(
    careless, pds, mastodon_account, bluesky_account, webhook_account
):
    for _ in range(2):
        SocialKind().forget_owner(mastodon_account.owner_id)
    assert not Account.objects.exists()
    assert careless.revoked
    assert not pds.refresh_valid


def test_an_account_whose_server_is_away_is_forgotten_all_the_same(careless, mastodon_account):
    careless.misbehave("POST /oauth/revoke", Reply("", 502))
    SocialKind().forget_owner(mastodon_account.owner_id)
    assert not Account.objects.exists()
