"""Connecting a Bluesky account: a sign-in whose password is not kept."""

import pytest

from jobs.kinds.social.models import Account
from jobs.models import Status
from tests.kinds.social.conftest import result_of
from tests.kinds.social.connecting import BLUESKY, picture, shown, signed_in
from tests.servers.bluesky import SIGN_IN, Pds
from tests.servers.stand_in import Reply

pytestmark = pytest.mark.django_db


def test_a_bluesky_account_is_connected_without_keeping_its_password(page, user, pds):
    pds.routes["GET /ann.png"] = Reply(picture())
    assert result_of(signed_in(page, pds)) == {"account": "Bluesky @ann.test", "new": True}
    account = shown()
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


def test_a_wrong_app_password_is_told_and_not_shown_again(page, pds):
    job = signed_in(page, pds, app_password="wr0ng-passw0rd")
    assert (job.status, job.error_code, job.can_retry) == (Status.FAILED, "login_refused", False)
    assert job.error_text == f"Bluesky ({pds.origin[7:]}) does not accept this handle and app password."
    assert "wr0ng-passw0rd" not in page.get(job.get_absolute_url()).content.decode()


def test_a_password_with_a_second_factor_asks_for_an_app_password(page, pds):
    pds.routes[SIGN_IN] = Reply({"error": "AuthFactorTokenRequired", "message": "A sign in code has been sent"}, 401)
    assert "Please use an app password" in signed_in(page, pds).error_text


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
def test_what_is_no_bluesky_server_is_told(page, pds, answer, sentence):
    pds.routes[SIGN_IN] = answer
    job = signed_in(page, pds)
    assert job.status == Status.FAILED
    assert sentence in job.error_text


def test_a_handle_that_is_none_is_told_at_its_field(page, pds):
    response = page.post(BLUESKY, {"handle": "ann", "app_password": Pds.PASSWORD, "service": pds.origin})
    assert (response.status_code, list(response.context["form"].errors)) == (400, ["handle"])
    assert pds.asked == []
