"""The pages of the accounts: connecting on each network, what goes wrong there, disconnecting, and whose they are."""

import base64
import io
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from PIL import Image

from jobs.kinds.social.kind import SocialKind
from jobs.kinds.social.models import Account, MastodonApp
from jobs.kinds.social.networks.webhook import client as webhooks
from tests.servers.bluesky import REFRESH, SIGN_IN, Pds
from tests.servers.mastodon import CarelessMastodon
from tests.servers.stand_in import DROPPED, Reply, StandIn

pytestmark = pytest.mark.django_db

ACCOUNTS = "/social/accounts/"
MASTODON = "/social/connect/mastodon/"
CALLBACK = "/social/connect/mastodon/callback/"
BLUESKY = "/social/connect/bluesky/"
WEBHOOK = "/social/connect/webhook/"


@pytest.fixture
def page(client, user):
    """A browser in which ann is signed in."""
    client.force_login(user)
    return client


def picture(width: int = 200, height: int = 100) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "JPEG", comment=b"made by somebody")
    return file.getvalue()


def said(response) -> str:
    """The messages of the page that a redirect leads to."""
    return " ".join(str(message) for message in response.context["messages"])


def sent_to(page, server: StandIn) -> dict[str, str]:
    """Begin to connect; the query with which the browser arrives at the server's own page."""
    response = page.post(MASTODON, {"server": server.origin})
    assert response.status_code == 303, response.context["form"].errors
    assert response["Location"].startswith(f"{server.origin}/oauth/authorize?")
    return dict(parse_qsl(urlsplit(response["Location"]).query))


# --- Mastodon ---


def test_a_mastodon_account_is_connected_with_its_name_picture_and_limits(page, user, careless):
    careless.routes["GET /ann.png"] = Reply(picture())
    query = sent_to(page, careless)
    assert query["redirect_uri"] == f"http://testserver{CALLBACK}"
    assert (query["response_type"], query["client_id"], "code_challenge" in query) == ("code", "careless-id", False)
    response = page.get(CALLBACK, {"code": "c0de", "state": query["state"]}, follow=True)
    host = careless.origin.removeprefix("http://")
    assert said(response) == f"Mastodon @ann@{host} is connected."
    account = Account.objects.get()
    assert (account.owner, account.instance, account.handle) == (user, careless.origin, f"@ann@{host}")
    assert account.display_name == "Ann <b>"
    assert "Ann &lt;b&gt;" in response.content.decode()
    assert account.limits == {"characters": 100}
    (call,) = careless.calls("POST /oauth/token")
    assert (call.form["code"], call.form["client_secret"]) == ("c0de", "careless-secret")
    shown = page.get(reverse("social:avatar", args=[account.pk]))
    assert (shown["Content-Type"], shown["X-Content-Type-Options"]) == ("image/png", "nosniff")
    with Image.open(io.BytesIO(b"".join(shown.streaming_content))) as image:
        assert (image.size, image.info) == ((96, 48), {})


def test_tokens_and_client_secrets_are_encrypted_in_the_database(page, careless):
    page.get(CALLBACK, {"code": "c0de", "state": sent_to(page, careless)["state"]})
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


def test_an_app_that_the_server_forgot_is_registered_anew(page, careless):
    sent_to(page, careless)
    careless.misbehave("POST /oauth/token", Reply({"error": "invalid_client"}, 401))
    careless.routes["POST /api/v1/apps"] = Reply({"client_id": "second", "client_secret": "secret"})
    assert sent_to(page, careless)["client_id"] == "second"
    assert MastodonApp.objects.count() == 1


def test_an_app_that_may_not_send_pictures_is_registered_anew(page, careless):
    sent_to(page, careless)
    MastodonApp.objects.update(scopes="read:accounts read:statuses write:statuses")
    assert "write:media" in sent_to(page, careless)["scope"]
    assert len(careless.calls("POST /api/v1/apps")) == 2
    assert MastodonApp.objects.count() == 1


def test_a_server_that_offers_pkce_gets_a_challenge_and_its_verifier(page, careless):
    careless.routes["GET /.well-known/oauth-authorization-server"] = Reply(
        {"code_challenge_methods_supported": ["S256"]}
    )
    query = sent_to(page, careless)
    assert query["code_challenge_method"] == "S256"
    page.get(CALLBACK, {"code": "c0de", "state": query["state"]})
    verifier = careless.calls("POST /oauth/token")[-1].form["code_verifier"]
    challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert (challenge, len(verifier) >= 43) == (query["code_challenge"], True)


@pytest.mark.parametrize("state", [None, "", "wrong", "ünï"])
def test_an_answer_with_another_state_connects_nothing(page, careless, state):
    sent_to(page, careless)
    response = page.get(CALLBACK, {"code": "c0de", **({} if state is None else {"state": state})}, follow=True)
    assert "does not answer an authorisation that you began here" in said(response)
    assert not Account.objects.exists()
    assert careless.calls("POST /oauth/token") == []


def test_a_state_is_good_for_one_answer(page, careless):
    query = sent_to(page, careless)
    page.get(CALLBACK, {"code": "c0de", "state": query["state"]})
    response = page.get(CALLBACK, {"code": "c0de", "state": query["state"]}, follow=True)
    assert "does not answer an authorisation that you began here" in said(response)


def test_a_state_is_good_in_its_own_session_only(page, careless, other_user):
    query = sent_to(page, careless)
    other = Client()
    other.force_login(other_user)
    other.get(CALLBACK, {"code": "c0de", "state": query["state"]})
    assert not Account.objects.exists()


def test_an_authorisation_that_was_denied_is_told_plainly(page, careless):
    query = sent_to(page, careless)
    response = page.get(CALLBACK, {"error": "access_denied", "state": query["state"]}, follow=True)
    assert said(response) == "You did not allow it, so no account was connected."
    assert not Account.objects.exists()


def test_a_code_that_the_server_refuses_is_told_plainly(page, careless):
    query = sent_to(page, careless)
    careless.routes["POST /oauth/token"] = Reply({"error": "invalid_grant"}, 400)
    response = page.get(CALLBACK, {"code": "c0de", "state": query["state"]}, follow=True)
    assert "did not accept the authorisation. Please connect once more." in said(response)


@pytest.mark.parametrize("token", [None, "", 7, "two\r\nlines", "ünï"])
def test_a_token_that_is_none_is_not_kept(page, careless, token):
    query = sent_to(page, careless)
    careless.routes["POST /oauth/token"] = Reply({"access_token": token})
    response = page.get(CALLBACK, {"code": "c0de", "state": query["state"]}, follow=True)
    assert "answered something that we can't read" in said(response)


@pytest.mark.parametrize("fields", [{}, {"id": 7, "username": "ann"}, {"id": "../7", "username": "ann"}, {"id": "7"}])
def test_a_profile_that_is_none_connects_nothing(page, careless, fields):
    query = sent_to(page, careless)
    careless.routes["GET /api/v1/accounts/verify_credentials"] = Reply(fields)
    response = page.get(CALLBACK, {"code": "c0de", "state": query["state"]}, follow=True)
    assert "answered something that we can't read" in said(response)
    assert not Account.objects.exists()


def endless():
    while True:
        yield b"{" * 65536


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Reply("<h1>My blog</h1>"), "There is no Mastodon server at"),
        (Reply(""), "There is no Mastodon server at"),
        (Reply(["version"]), "There is no Mastodon server at"),
        (Reply({"version": 4}), "There is no Mastodon server at"),
        (Reply("", 404), "There is no Mastodon server at"),
        (lambda _: Reply(endless()), "There is no Mastodon server at"),
        (Reply("", 301, {"Location": "https://elsewhere.example/"}), "sends us on to another address"),
        (Reply("", 302, {"Location": "http://[not an address"}), "sends us on to another address"),
        (Reply("", 429), "asked us to slow down"),
        (DROPPED, "did not answer"),
    ],
    ids=["HTML", "empty", "list", "wrong type", "404", "endless", "redirect", "bad redirect", "429", "dropped"],
)
def test_what_is_no_mastodon_server_gets_a_clear_sentence_at_its_field(page, start, answer, sentence):
    server = start(StandIn)
    server.routes = {"GET /api/v1/instance": answer, "GET /api/v2/instance": answer}
    response = page.post(MASTODON, {"server": server.origin})
    assert response.status_code == 400
    (error,) = response.context["form"].errors["server"]
    assert sentence in error
    assert not MastodonApp.objects.exists()


@pytest.mark.parametrize(
    ("statuses", "characters"),
    [({"max_characters": 5000}, 5000), ({"max_characters": "many"}, 500), ({"max_characters": -1}, 500), ([], 500)],
)
def test_limits_are_believed_only_if_they_are_numbers(page, careless, statuses, characters):
    answer = Reply({"version": "4.3", "configuration": {"statuses": statuses}})
    careless.routes["GET /api/v2/instance"] = answer
    page.get(CALLBACK, {"code": "c0de", "state": sent_to(page, careless)["state"]})
    assert Account.objects.get().limit("characters") == characters


@pytest.mark.parametrize(
    "typed",
    ["", "not an address", "http://mastodon.example", "https://127.0.0.1", "https://10.0.0.1", "@ann@localhost"],
)
def test_an_address_that_can_not_be_called_is_told_at_its_field(page, typed):
    response = page.post(MASTODON, {"server": typed})
    assert response.status_code == 400
    assert len(response.context["form"].errors["server"]) == 1


# --- Bluesky ---


def signed_in(page, pds, **more: str):
    form = {"handle": "@Ann.test", "app_password": Pds.PASSWORD, "service": pds.origin}
    return page.post(BLUESKY, form | more, follow=True)


def test_a_bluesky_account_is_connected_without_keeping_its_password(page, user, pds):
    pds.routes["GET /ann.png"] = Reply(picture())
    assert said(signed_in(page, pds)) == "Bluesky @ann.test is connected."
    account = Account.objects.get()
    assert (account.owner, account.display_name, bool(account.avatar)) == (user, "Ann", True)
    assert account.limit("characters") == 300
    assert account.credentials == {
        "did": Pds.DID,
        "pds": pds.origin,
        "access": "access-1",
        "refresh": "refresh-1",
    }


def test_posts_go_to_the_server_that_the_sign_in_names(page, pds, start):
    home = start(Pds)
    pds.home = home.origin
    signed_in(page, pds)
    account = Account.objects.get()
    assert (account.instance, account.credentials["pds"]) == (pds.origin, home.origin)


def test_a_wrong_app_password_is_told_at_its_field_and_not_shown_again(page, pds):
    response = signed_in(page, pds, app_password="wr0ng-passw0rd")
    assert response.status_code == 400
    (error,) = response.context["form"].errors["app_password"]
    assert error == f"Bluesky ({pds.origin[7:]}) does not accept this handle and app password."
    assert "wr0ng-passw0rd" not in response.content.decode()


def test_a_password_with_a_second_factor_asks_for_an_app_password(page, pds):
    pds.routes[SIGN_IN] = Reply({"error": "AuthFactorTokenRequired", "message": "A sign in code has been sent"}, 401)
    assert "Please use an app password" in signed_in(page, pds).context["form"].errors["app_password"][0]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Reply("<h1>Hi</h1>"), "There is no Bluesky server"),
        (Reply("", 404), "There is no Bluesky server"),
        (Reply({"did": "x", "handle": "ann.test"}), "answered something that we can't read"),
        (Reply({"error": "RateLimitExceeded"}, 429, {"RateLimit-Reset": "60"}), "asked us to wait until"),
        (Reply("", 500), "has a problem"),
    ],
)
def test_what_is_no_bluesky_server_is_told_at_its_field(page, pds, answer, sentence):
    pds.routes[SIGN_IN] = answer
    response = signed_in(page, pds)
    assert response.status_code == 400
    assert sentence in response.context["form"].errors["service"][0]


def test_a_handle_that_is_none_is_told_at_its_field(page, pds):
    assert "handle" in signed_in(page, pds, handle="ann").context["form"].errors
    assert pds.asked == []


# --- Webhook ---


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


# --- Connected accounts ---


def test_connecting_again_renews_the_account_instead_of_adding_one(page, pds):
    signed_in(page, pds)
    Account.objects.update(needs_reconnect=True, last_error="The sign-in is over.")
    assert "The sign-in is over." in page.get(ACCOUNTS).content.decode()
    account = Account.objects.get()
    form = page.get(f"{BLUESKY}?account={account.pk}").context["form"]
    assert (form["handle"].value(), form["service"].value()) == ("ann.test", pds.origin)
    assert said(signed_in(page, pds)) == "Bluesky @ann.test is connected again."
    account.refresh_from_db()
    assert (account.needs_reconnect, account.last_error) == (False, "")


def test_a_new_picture_replaces_the_file_of_the_old_one(page, pds):
    pds.routes["GET /ann.png"] = Reply(picture())
    signed_in(page, pds)
    before = Account.objects.get().avatar
    signed_in(page, pds)
    after = Account.objects.get().avatar
    assert (before.storage.exists(str(before.name)), after.storage.exists(str(after.name))) == (False, True)


def bomb() -> bytes:
    """A small file of a picture with too many pixels."""
    file = io.BytesIO()
    Image.new("1", (8000, 8000)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "answer",
    [Reply("<svg onload='alert(1)'/>"), Reply(b""), Reply(picture()[:400]), Reply(bomb()), Reply("", 404), DROPPED],
    ids=["SVG", "empty", "truncated", "too many pixels", "404", "no answer"],
)
def test_an_account_whose_picture_is_none_is_connected_without_one(page, pds, answer):
    pds.routes["GET /ann.png"] = answer
    signed_in(page, pds)
    account = Account.objects.get()
    assert not account.avatar
    assert page.get(reverse("social:avatar", args=[account.pk])).status_code == 404


def test_a_picture_at_a_private_address_is_not_fetched(page, pds):
    with StandIn() as local:
        pds.routes["GET /xrpc/app.bsky.actor.getProfile"] = Reply({"avatar": f"{local.origin}/ann.png"})
        signed_in(page, pds)
        assert local.asked == []


def test_disconnecting_gives_the_token_back_and_removes_account_and_picture(
    page, careless, django_capture_on_commit_callbacks
):
    careless.routes["GET /ann.png"] = Reply(picture())
    page.get(CALLBACK, {"code": "c0de", "state": sent_to(page, careless)["state"]})
    account = Account.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        response = page.post(reverse("social:disconnect", args=[account.pk]), follow=True)
    assert said(response).endswith(f"{account} is disconnected.")
    assert careless.revoked
    assert not Account.objects.exists()
    assert not account.avatar.storage.exists(str(account.avatar.name))


def test_disconnecting_from_bluesky_ends_the_session(page, pds):
    signed_in(page, pds)
    page.post(reverse("social:disconnect", args=[Account.objects.get().pk]))
    assert not pds.refresh_valid
    assert pds.calls(REFRESH) == []


def test_an_account_of_a_server_that_is_away_is_disconnected_all_the_same(page, mastodon_account, careless):
    careless.routes["POST /oauth/revoke"] = DROPPED
    response = page.post(reverse("social:disconnect", args=[mastodon_account.pk]), follow=True)
    assert "could not be told" in said(response)
    assert not Account.objects.exists()


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
    for url in (ACCOUNTS, MASTODON, BLUESKY, WEBHOOK, CALLBACK, reverse("social:avatar", args=[pk])):
        response = client.get(url)
        assert (response.status_code, response["Location"].partition("?")[0]) == (302, "/accounts/login/")
    assert client.post(reverse("social:disconnect", args=[pk])).status_code == 302
    assert Account.objects.exists()


def test_an_unknown_network_does_not_exist(page):
    assert page.get("/social/connect/myspace/").status_code == 404


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
