"""Connecting a Mastodon account: what its server is asked, what a person reads when that goes wrong."""

import base64
import io
from hashlib import sha256

import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from jobs.kinds.social.models import Account
from jobs.kinds.social.networks.mastodon.models import MastodonApp
from tests.kinds.social.connecting import CALLBACK, MASTODON, picture, said, sent_to
from tests.servers.stand_in import DROPPED, Reply, StandIn

pytestmark = pytest.mark.django_db


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
