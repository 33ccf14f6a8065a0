"""Connecting a Bluesky account: a sign-in whose password is not kept."""

import pytest

from jobs.kinds.social.models import Account
from tests.kinds.social.connecting import picture, said, signed_in
from tests.servers.bluesky import SIGN_IN, Pds
from tests.servers.stand_in import Reply

pytestmark = pytest.mark.django_db


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
