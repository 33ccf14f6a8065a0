"""Whoever signs up with the address of a stranger gets nothing by it, and keeps nothing from the stranger."""

from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.models import Job
from jobs.worker import sweep
from tests.accounts.conftest import PASSWORD, sign_in, sign_up, signed_in_to

pytestmark = pytest.mark.django_db

ANN = "ann@example.org"
THEIRS = "password of the attacker"
CHOSEN = "another long password"


@pytest.fixture
def attacker() -> Client:
    return Client()


@pytest.fixture(autouse=True)
def _no_pauses(settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": None}


def choose(client: Client, path: str, password: str = CHOSEN):
    return client.post(path, {"password1": password, "password2": password})


def test_the_session_that_signed_up_confirms_and_is_signed_in_with_the_password_it_chose(client, confirm_path):
    assert "You did not sign up in this browser" not in client.get(confirm_path).text
    assert client.post(confirm_path).url == reverse("offload:list")
    assert signed_in_to(client) == ANN
    client.logout()
    assert sign_in(client).url == reverse("offload:list")


def test_a_stranger_who_confirms_chooses_a_password_and_that_of_the_sign_up_is_gone(client, attacker, newest_link):
    sign_up(attacker, password=THEIRS)
    path = newest_link()
    assert "You did not sign up in this browser" in client.get(path).text
    form = client.post(path)
    assert signed_in_to(client) == ""
    assert "Set a new password" in client.get(form.url).text
    for other in (attacker, Client()):
        assert sign_in(other, password=THEIRS).status_code == 400
        assert signed_in_to(other) == ""
    assert choose(client, form.url).url == reverse("account_reset_password_from_key_done")
    assert sign_in(client, password=CHOSEN).url == reverse("offload:list")
    assert sign_in(attacker, password=THEIRS).status_code == 400


def test_until_it_is_confirmed_the_password_of_a_sign_up_is_worth_nothing(attacker):
    sign_up(attacker, password=THEIRS)
    assert not User.objects.get().has_usable_password()
    assert sign_in(Client(), password=THEIRS).status_code == 400


def test_the_session_of_the_first_sign_up_gains_nothing_when_a_stranger_confirms(client, attacker, newest_link):
    sign_up(attacker, password=THEIRS)
    path = newest_link()
    client.post(path)
    assert attacker.post(reverse("account_resend")).url == reverse("account_login")
    assert attacker.get(path).status_code == 410
    assert attacker.get(attacker.post(path).url).status_code == 410
    assert signed_in_to(attacker) == ""


def test_sessions_and_passwords_of_before_end_when_a_stranger_confirms(client, attacker, newest_link):
    user = User.objects.create_user("old", ANN, THEIRS)
    attacker.force_login(user)
    assert signed_in_to(attacker) == ANN
    sign_up(Client())
    client.post(newest_link())
    assert signed_in_to(attacker) == ""
    assert sign_in(Client(), password=THEIRS).status_code == 400


def test_signing_up_again_works_for_the_owner_whoever_did_so_first(client, attacker, newest_link):
    sign_up(attacker, password=THEIRS)
    sign_up(client)
    assert client.post(newest_link()).url == reverse("offload:list")
    assert signed_in_to(client) == ANN
    assert User.objects.count() == 1
    assert sign_in(attacker, password=THEIRS).status_code == 400
    assert sign_in(Client()).url == reverse("offload:list")


def test_signing_up_after_the_owner_changes_nothing_for_the_owner(client, attacker, newest_link):
    sign_up(client)
    path = newest_link()
    sign_up(attacker, password=THEIRS)
    assert client.post(path).url == reverse("offload:list")
    assert sign_in(attacker, password=THEIRS).status_code == 400
    assert sign_in(Client()).url == reverse("offload:list")


def test_a_first_and_a_second_sign_up_are_answered_the_same(attacker, confirmed):
    answers = []
    for address in ("fresh@example.org", "fresh@example.org", confirmed.email):
        client = Client()
        answer = sign_up(client, address)
        mail = Job.objects.latest("created_at")
        answers.append((answer.status_code, answer.url, mail.title.replace(address, ""), mail.owner))
        assert client.get(answer.url).status_code == 200
    assert answers[0] == answers[1] == answers[2]


def test_the_session_waits_for_an_hour_and_later_chooses_a_password(client, confirm_path, settings):
    settings.ACCOUNT_LOGIN_TIMEOUT = -1
    form = client.post(confirm_path)
    assert signed_in_to(client) == ""
    choose(client, form.url)
    assert sign_in(client, password=CHOSEN).url == reverse("offload:list")


def test_whoever_confirmed_and_chose_no_password_asks_for_a_new_one(client, attacker, newest_link):
    sign_up(attacker, password=THEIRS)
    client.post(newest_link())
    later = Client()
    later.post(reverse("account_reset_password"), {"email": ANN})
    form: Any = later.get(newest_link())
    choose(later, form.url)
    assert sign_in(later, password=CHOSEN).url == reverse("offload:list")


# --- Nobody confirms -------------------------------------------------------------------------------------------------


def later(days: float) -> None:
    """Let so many days pass, and a worker tidy up."""
    User.objects.update(date_joined=F("date_joined") - timedelta(days=days))
    sweep.tidy()


def test_a_sign_up_that_nobody_confirms_goes_with_its_mails_after_a_week(client, attempt, mail_server):
    sign_up(client)
    attempt(Job.objects.get())
    sign_up(Client())
    later(6.9)
    assert (User.objects.count(), Job.objects.count()) == (1, 2)
    later(0.2)
    assert not User.objects.exists()
    assert not EmailAddress.objects.exists()
    assert not Job.objects.exists()


def test_whoever_confirms_too_late_is_told_and_can_sign_up_again(client, confirm_path, newest_link, settings):
    later(8)
    settings.ACCOUNT_LOGIN_TIMEOUT = -1  # the session waited for an hour only
    for answer in (client.get(confirm_path), Client().get(client.post(confirm_path).url)):
        assert answer.status_code == 410
        assert "A sign-up that nobody confirms is deleted after some days." in answer.text
    assert client.get(reverse("account_email_verification_sent")).status_code == 200
    assert client.post(reverse("account_resend")).url == reverse("account_login")
    settings.ACCOUNT_LOGIN_TIMEOUT = 3600
    sign_up(client)
    assert client.post(newest_link()).url == reverse("offload:list")


def test_a_second_sign_up_has_the_whole_time(client, newest_link):
    sign_up(client)
    later(6)
    sign_up(client)
    later(6)
    assert client.post(newest_link()).url == reverse("offload:list")


def test_nobody_else_is_deleted(client, confirmed, staff, newest_link, offload):
    User.objects.create_user("shell", "shell@example.org", PASSWORD)
    User.objects.create_user("admin", "admin@example.org", None)
    sign_up(client)
    client.post(newest_link())
    EmailAddress.objects.create(user=confirmed, email="second@example.org")
    later(100)
    assert set(User.objects.values_list("username", flat=True)) == {"ann", "taken", "staff", "shell", "admin"}
    sign_up(Client(), "late@example.org")
    offload(UNCONFIRMED_DAYS=0)
    later(100)
    assert User.objects.filter(email="late@example.org").exists()


def test_sessions_that_have_run_out_are_deleted(client, attacker, confirmed):
    for one in (client, attacker):
        one.force_login(confirmed)
    Session.objects.filter(pk=client.session.session_key).update(expire_date=timezone.now() - timedelta(seconds=1))
    sweep.tidy()
    assert Session.objects.get().pk == attacker.session.session_key


# --- Accounts that others made ---------------------------------------------------------------------------------------


def test_who_signs_in_with_the_password_of_an_account_from_the_shell_keeps_it(client, newest_link):
    User.objects.create_superuser("root", "root@example.org", PASSWORD)
    assert sign_in(client, "root@example.org").url == reverse("account_email_verification_sent")
    assert client.post(newest_link()).url == reverse("offload:list")
    assert sign_in(Client(), "root@example.org").url == reverse("offload:list")


def test_an_address_added_to_an_account_is_no_way_into_it_for_anybody_and_keeps_it_from_nobody(
    client, attacker, confirmed, newest_link
):
    attacker.force_login(confirmed)
    EmailAddress.objects.add_email(None, confirmed, ANN)
    attacker.post(reverse("account_resend"), {"email": ANN})
    path = newest_link()
    for answer in (client.get(path), client.post(path)):
        assert unquote(answer.url) == f"{reverse('account_login')}?next={path}"
    assert not EmailAddress.objects.get(email=ANN).verified
    client.post(reverse("account_reset_password"), {"email": ANN})
    assert newest_link() == reverse("account_signup")
    sign_up(client)
    assert client.post(newest_link()).url == reverse("offload:list")
    assert signed_in_to(client) == ANN
    assert EmailAddress.objects.get(email=ANN, verified=True).user != confirmed
    assert "Another account has confirmed" in attacker.get(path).text
    attacker.post(path)
    assert not EmailAddress.objects.get(user=confirmed, email=ANN).verified


def test_an_added_address_is_confirmed_after_its_owner_signed_in(client, confirmed, newest_link):
    EmailAddress.objects.add_email(None, confirmed, ANN)
    elsewhere = Client()
    elsewhere.force_login(confirmed)
    elsewhere.post(reverse("account_resend"), {"email": ANN})
    path = newest_link()
    answer = client.post(client.get(path).url, {"login": confirmed.email, "password": PASSWORD})
    assert answer.url == path
    client.post(path)
    assert EmailAddress.objects.get(email=ANN).verified
    assert signed_in_to(elsewhere) == confirmed.email
