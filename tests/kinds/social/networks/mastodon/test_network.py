"""Connecting a Mastodon account: what its server is asked, what a person reads when that goes wrong."""

import base64
import io
from hashlib import sha256

import pytest
from django.urls import reverse
from PIL import Image

from jobs.kinds.social.models import Account
from jobs.kinds.social.networks.mastodon.models import MastodonApp
from jobs.models import Status
from tests.kinds.social.conftest import result_of
from tests.kinds.social.connecting import ACCOUNTS, MASTODON, asked, came_back, picture, sent_to, shown
from tests.servers.stand_in import DROPPED, Reply, StandIn

pytestmark = pytest.mark.django_db


def test_a_mastodon_account_is_connected_with_its_name_picture_and_limits(page, user, careless):
    careless.routes["GET /ann.png"] = Reply(picture())
    query = sent_to(page, careless)
    assert (query["response_type"], query["client_id"], "code_challenge" in query) == ("code", "careless-id", False)
    host = careless.origin.removeprefix("http://")
    assert result_of(came_back(page, query)) == {"account": f"Mastodon @ann@{host}", "new": True}
    account = shown()
    assert (account.owner, account.instance, account.handle) == (user, careless.origin, f"@ann@{host}")
    assert account.display_name == "Ann <b>"
    assert "Ann &lt;b&gt;" in page.get(ACCOUNTS).content.decode()
    assert account.limits == {"characters": 100}
    (call,) = careless.calls("POST /oauth/token")
    assert (call.form["code"], call.form["client_secret"]) == ("c0de", "careless-secret")
    assert call.form["redirect_uri"] == query["redirect_uri"]
    avatar = page.get(reverse("social:avatar", args=[account.pk]))
    assert (avatar["Content-Type"], avatar["X-Content-Type-Options"]) == ("image/png", "nosniff")
    with Image.open(io.BytesIO(b"".join(avatar.streaming_content))) as image:
        assert (image.size, image.info) == ((134, 67), {})


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
    came_back(page, query)
    verifier = careless.calls("POST /oauth/token")[-1].form["code_verifier"]
    challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert (challenge, len(verifier) >= 43) == (query["code_challenge"], True)


def test_a_code_that_the_server_refuses_is_told_plainly(page, careless):
    query = sent_to(page, careless)
    careless.routes["POST /oauth/token"] = Reply({"error": "invalid_grant"}, 400)
    job = came_back(page, query)
    assert (job.status, job.error_code, job.can_retry) == (Status.FAILED, "code_refused", False)
    assert "did not accept the authorisation. Please connect once more." in job.error_text


@pytest.mark.parametrize("token", [None, "", 7, "two\r\nlines", "ünï"])
def test_a_token_that_is_none_is_not_kept(page, careless, token):
    query = sent_to(page, careless)
    careless.routes["POST /oauth/token"] = Reply({"access_token": token})
    assert "answered something that we can't read" in came_back(page, query).error_text


@pytest.mark.parametrize("fields", [{}, {"id": 7, "username": "ann"}, {"id": "../7", "username": "ann"}, {"id": "7"}])
def test_a_profile_that_is_none_connects_nothing(page, careless, fields):
    query = sent_to(page, careless)
    careless.routes["GET /api/v1/accounts/verify_credentials"] = Reply(fields)
    assert "answered something that we can't read" in came_back(page, query).error_text
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
def test_what_is_no_mastodon_server_gets_a_clear_sentence(page, start, answer, sentence):
    server = start(StandIn)
    server.routes = {"GET /api/v1/instance": answer, "GET /api/v2/instance": answer}
    job = asked(page, MASTODON, {"server": server.origin})
    assert (job.status, job.can_retry) == (Status.FAILED, False)
    assert sentence in job.error_text
    assert not MastodonApp.objects.exists()


@pytest.mark.parametrize(
    ("statuses", "characters"),
    [({"max_characters": 5000}, 5000), ({"max_characters": "many"}, 500), ({"max_characters": -1}, 500), ([], 500)],
)
def test_limits_are_believed_only_if_they_are_numbers(page, careless, statuses, characters):
    answer = Reply({"version": "4.3", "configuration": {"statuses": statuses}})
    careless.routes["GET /api/v2/instance"] = answer
    came_back(page, sent_to(page, careless))
    assert Account.objects.get().limit("characters") == characters


@pytest.mark.parametrize("typed", ["", "not an address", "http://mastodon.example"])
def test_what_is_no_address_is_told_at_its_field(page, typed):
    response = page.post(MASTODON, {"server": typed})
    assert response.status_code == 400
    assert len(response.context["form"].errors["server"]) == 1


@pytest.mark.parametrize("typed", ["https://127.0.0.1", "https://10.0.0.1", "@ann@nowhere.invalid"])
def test_an_address_that_can_not_be_called_is_told_by_its_job(page, typed):
    assert asked(page, MASTODON, {"server": typed}).error_code == "not_public"
