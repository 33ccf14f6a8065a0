"""What one person's mailbox and password have to bear, and from how many."""

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings as site
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from jobs.core import quotas
from jobs.models import Job
from tests.accounts.conftest import PASSWORD, sign_in, sign_up

pytestmark = pytest.mark.django_db

TAKEN = "taken@example.org"
ATTACKER, OWNER = "192.0.2.1", "198.51.100.7"


def ask(email: str, source: str):
    """Ask for a new password."""
    return Client().post(reverse("account_reset_password"), {"email": email}, REMOTE_ADDR=source)


def guess(times: int, source: str = ATTACKER, password: str = "wrong") -> list[int]:
    """Sign in so many times. Returns the statuses of the answers."""
    return [sign_in(Client(), TAKEN, password, REMOTE_ADDR=source).status_code for _ in range(times)]


def sources(number: int) -> list[str]:
    return [f"203.0.113.{last}" for last in range(1, number + 1)]


# --- Mails -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [TAKEN, "fresh@example.org"])
def test_a_mailbox_gets_three_reset_mails_an_hour_whoever_asks_and_the_answer_is_the_same(confirmed, address):
    answers = [ask(address, source) for source in sources(6)]
    assert {(answer.status_code, answer.url) for answer in answers} == {(302, reverse("account_reset_password_done"))}
    assert [job.title for job in Job.objects.all()] == [f"E-mail to {address}"] * 3


def test_a_mailbox_gets_as_many_reset_mails_a_day_as_the_limit_says(confirmed, settings):
    limits = site.ACCOUNT_RATE_LIMITS
    settings.ACCOUNT_RATE_LIMITS = {**limits, "reset_password_mail": limits["reset_password_mail"].split(",")[1]}
    for source in sources(15):
        ask(TAKEN, source)
    assert Job.objects.count() == 10


@pytest.mark.parametrize("address", [TAKEN, "fresh@example.org"])
@pytest.mark.parametrize(("number", "mails"), [(0, 1), (1, 3), (2, 10)])
def test_a_mailbox_gets_as_many_confirmation_mails_as_the_limits_say(confirmed, settings, address, number, mails):
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": site.ACCOUNT_RATE_LIMITS["confirm_email"].split(",")[number]}
    answers = [sign_up(Client(), address, REMOTE_ADDR=source) for source in sources(12)]
    assert {(answer.status_code, answer.url) for answer in answers} == {
        (302, reverse("account_email_verification_sent"))
    }
    assert Job.objects.count() == mails


@pytest.mark.parametrize("action", ["signup", "reset_password"])
def test_one_source_has_mails_sent_to_so_many_mailboxes_and_no_more(action):
    minute, hour, day = site.ACCOUNT_RATE_LIMITS[action].split(",")
    assert (minute, hour, day) == ("20/m/ip", "100/h/ip", "300/d/ip")
    for person in range(25):
        address = f"person-{person}@example.org"
        if action == "signup":
            sign_up(Client(), address, REMOTE_ADDR=ATTACKER)
        else:
            ask(address, ATTACKER)
    assert Job.objects.count() == 20


def test_mails_that_others_ask_for_keep_no_way_from_the_owner(client, confirmed, newest_link):
    for source in sources(5):
        ask(TAKEN, source)
    assert client.get(newest_link()).status_code == 302
    sign_up(Client(), "fresh@example.org")
    assert "You did not sign up in this browser" in client.get(newest_link()).text


def test_adding_an_address_counts_against_the_same_limit(client, confirmed, settings):
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": "3/h/key"}
    for source in sources(3):
        sign_up(Client(), "fresh@example.org", REMOTE_ADDR=source)
    client.force_login(confirmed)
    EmailAddress.objects.create(user=confirmed, email="fresh@example.org")
    assert client.post(reverse("account_resend"), {"email": "fresh@example.org"}).status_code == 429
    assert Job.objects.count() == 3


def test_the_owner_s_own_pile_of_jobs_keeps_no_mail_back(client, confirmed, offload):
    offload(QUOTA_JOBS=1, QUOTA_PACE=1)
    quotas.meter(confirmed.pk, quotas.PACE, 100)
    client.force_login(confirmed)
    EmailAddress.objects.create(user=confirmed, email="fresh@example.org")
    assert client.post(reverse("account_resend"), {"email": "fresh@example.org"}).status_code == 302
    assert Job.objects.get().owner == confirmed


# --- Guesses ---------------------------------------------------------------------------------------------------------


def test_guesses_from_elsewhere_do_not_keep_the_owner_out(confirmed):
    assert guess(6) == [400] * 6
    assert guess(1, password=PASSWORD) == [400]
    assert guess(1, OWNER, PASSWORD) == [302]


def test_one_source_gets_no_further_by_taking_another_address(confirmed):
    for number in range(10):
        sign_in(Client(), f"somebody-{number}@example.org", "wrong", REMOTE_ADDR=ATTACKER)
    assert guess(1, password=PASSWORD) == [400]
    assert guess(1, OWNER, PASSWORD) == [302]


def test_the_neighbours_in_one_network_of_ipv6_are_one_source(confirmed):
    for last in range(1, 6):
        guess(1, f"2001:db8::{last}")
    assert guess(1, "2001:db8::6", PASSWORD) == [400]
    assert guess(1, "2001:db8:0:1::6", PASSWORD) == [302]


def test_the_source_is_what_the_proxy_says_and_not_what_the_client_says(confirmed, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1

    def through_proxy(said: str, password: str) -> int:
        forwarded = {"HTTP_X_FORWARDED_FOR": f"{said}, {ATTACKER}"}
        return int(sign_in(Client(), TAKEN, password, **forwarded).status_code)

    for source in sources(5):
        through_proxy(source, "wrong")
    assert through_proxy("203.0.113.99", PASSWORD) == 400


def test_many_sources_together_are_stopped_and_a_new_password_ends_that(client, confirmed, settings, newest_link):
    settings.ACCOUNT_RATE_LIMITS = {**site.ACCOUNT_RATE_LIMITS, "login_failed_anywhere": "12/h/key"}
    for source in sources(6):
        guess(3, source)
    assert guess(1, OWNER, PASSWORD) == [400]
    ask(TAKEN, OWNER)
    form = client.get(newest_link())
    client.post(form.url, {"password1": "another long password", "password2": "another long password"})
    assert guess(1, OWNER, "another long password") == [302]


def test_the_sources_together_are_counted_by_what_got_through_to_the_password(confirmed, settings):
    settings.ACCOUNT_RATE_LIMITS = {**site.ACCOUNT_RATE_LIMITS, "login_failed_anywhere": "12/h/key"}
    guess(20)
    assert guess(1, OWNER, PASSWORD) == [302]


def test_signing_in_counts_against_no_limit(confirmed):
    assert guess(25, OWNER, PASSWORD) == [302] * 25


def test_a_crowd_of_addresses_does_not_push_out_what_was_counted(confirmed):
    guess(6)
    for number in range(400):
        cache.set(f"crowd-{number}", [number], 3600)
    assert guess(1, password=PASSWORD) == [400]
