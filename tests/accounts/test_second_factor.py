"""A second factor keeps out whoever knows the password, and the owner gets in."""

import base64
import hashlib
import hmac
import json
import logging
import re
import struct
import time
from html import unescape
from typing import Any
from urllib.parse import unquote

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.test import Client
from django.urls import reverse

from accounts.second_factor import MOST_PASSKEYS
from jobs.models import Job, Status
from tests.accounts.conftest import PASSWORD, sign_in, signed_in_to
from tests.kinds.personal.conftest import copy, opened

pytestmark = pytest.mark.django_db(transaction=True)

TAKEN = "taken@example.org"
INDEX, AUTHENTICATE = "/accounts/second-factor/", "/accounts/second-factor/authenticate/"
ADMIN = "/admin/"


def code_of(key: str, settings: Any) -> str:
    """What an app shows now. https://datatracker.ietf.org/doc/html/rfc6238"""
    counter = struct.pack(">Q", int(time.time()) // settings.MFA_TOTP_PERIOD)
    digest = hmac.digest(base64.b32decode(key), counter, hashlib.sha1)
    (number,) = struct.unpack_from(">I", digest, digest[-1] & 15)
    return f"{(number & 0x7FFFFFFF) % 10**6:06}"


@pytest.fixture(autouse=True)
def _long_periods(settings) -> None:
    """No code runs out while a test runs."""
    settings.MFA_TOTP_PERIOD = 900_000_000


def next_period(settings: Any) -> None:
    """From now on apps show another code."""
    settings.MFA_TOTP_PERIOD //= 2


@pytest.fixture
def owner(client: Client, confirmed: User) -> Client:
    """A session of the owner, who gave the password just now."""
    sign_in(client, TAKEN)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return client


@pytest.fixture
def key(owner, settings) -> str:
    """The key of the app that the owner has set up."""
    page = owner.get(reverse("mfa_activate_totp"))
    (key,) = re.findall(r'id="totp-key">(\w+)<', page.text)
    answer = owner.post(reverse("mfa_activate_totp"), {"code": code_of(key, settings)})
    assert answer.url == reverse("mfa_view_recovery_codes")
    return str(key)


@pytest.fixture
def codes(owner, key) -> list[str]:
    """The owner's recovery codes."""
    (shown,) = re.findall(r"<pre.*?</pre>", owner.get(reverse("mfa_view_recovery_codes")).text, re.S)
    return re.findall(r"\b\d{8}\b", shown)


def mails(attempt: Any, mail_server: Any) -> list[tuple[str, str]]:
    """Send all mails that wait. Returns each as its recipient and subject."""
    mail_server.mails.clear()
    for job in Job.objects.filter(kind="email", status=Status.PENDING).order_by("created_at"):
        attempt(job)
    return [(mail.recipient, str(mail.message["Subject"])) for mail in mail_server.mails]


def enter(client: Any, code: str, **extra: Any):
    """The password, then the code."""
    assert sign_in(client, TAKEN, **extra).url == AUTHENTICATE
    assert signed_in_to(client) == ""
    return client.post(AUTHENTICATE, {"code": code}, **extra)


# --- An authenticator app --------------------------------------------------------------------------------------------


def test_the_password_alone_is_no_longer_enough_and_the_apps_code_is(key, settings):
    client: Any = Client()
    assert enter(client, "000000").status_code == 400
    assert signed_in_to(client) == ""
    assert client.post(AUTHENTICATE, {"code": code_of(key, settings)}).url == reverse("offload:list")
    assert signed_in_to(client) == TAKEN


def test_a_code_counts_once(key, settings):
    code = code_of(key, settings)
    assert enter(Client(), code).status_code == 302
    assert enter(Client(), code).status_code == 400
    next_period(settings)
    assert enter(Client(), code).status_code == 400
    assert enter(Client(), code_of(key, settings)).status_code == 302


def test_setting_it_up_needs_a_code_of_it_and_a_fresh_sign_in(client, confirmed):
    sign_in(client, TAKEN)
    assert client.get(reverse("mfa_activate_totp")).url.startswith(reverse("account_reauthenticate"))
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    assert client.get(reverse("mfa_activate_totp")).status_code == 200
    assert client.post(reverse("mfa_activate_totp"), {"code": "000000"}).status_code == 400
    assert not Authenticator.objects.exists()


def test_each_change_is_told_by_mail(owner, key, attempt, mail_server):
    assert mails(attempt, mail_server) == [(TAKEN, "An authenticator app was set up for your account")]
    owner.post(reverse("mfa_generate_recovery_codes"))
    owner.post(reverse("mfa_deactivate_totp"))
    assert mails(attempt, mail_server) == [
        (TAKEN, "New recovery codes were made for your account"),
        (TAKEN, "The authenticator app of your account was removed"),
    ]
    assert not Authenticator.objects.exists()


def test_taking_it_away_needs_a_fresh_sign_in(owner, key, settings):
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    for page in ("mfa_deactivate_totp", "mfa_generate_recovery_codes", "mfa_add_webauthn"):
        for answer in (owner.get(reverse(page)), owner.post(reverse(page))):
            assert answer.url.startswith(reverse("account_reauthenticate"))
    assert owner.get(reverse("mfa_view_recovery_codes")).url.startswith(reverse("account_reauthenticate"))
    assert Authenticator.objects.count() == 2


def test_sessions_elsewhere_end_when_it_is_set_up(client, confirmed, owner, settings, request):
    elsewhere = Client()
    sign_in(elsewhere, TAKEN)
    assert signed_in_to(elsewhere) == TAKEN
    request.getfixturevalue("key")
    assert signed_in_to(elsewhere) == ""
    assert signed_in_to(owner) == TAKEN


def test_a_session_elsewhere_that_waits_for_its_code_gains_nothing_by_one_here(key, settings):
    waiting = Client()
    sign_in(waiting, TAKEN)
    assert enter(Client(), code_of(key, settings)).status_code == 302
    assert signed_in_to(waiting) == ""
    assert waiting.get(reverse("offload:list")).status_code == 302


def test_secrets_are_encrypted_in_the_database_and_never_in_the_session(owner, key, codes):
    kept = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert [secret in kept for secret in (key, *codes)] == [False] * 11
    assert key not in json.dumps(dict(owner.session.items()))


def test_what_was_encrypted_with_another_key_fits_no_code(key, codes, settings, monkeypatch):
    from cryptography.fernet import Fernet

    from accounts import second_factor

    monkeypatch.setattr(second_factor._FIELD, "f", Fernet(Fernet.generate_key()))
    for code in (code_of(key, settings), codes[0], ""):
        assert enter(Client(), code).status_code == 400


def test_the_picture_is_for_the_app_of_this_account(owner, settings):
    del settings.MFA_TOTP_PERIOD
    page = owner.get(reverse("mfa_activate_totp"))
    (address,) = re.findall(r'href="(otpauth://[^"]+)"', page.text)
    (key,) = re.findall(r'id="totp-key">(\w+)<', page.text)
    assert unquote(unescape(address)) == f"otpauth://totp/{TAKEN}?secret={key}&issuer=testserver"
    assert 'src="data:image/svg+xml;base64,' in page.text


# --- Recovery codes --------------------------------------------------------------------------------------------------


def test_recovery_codes_are_shown_once_and_can_be_kept(owner, key, codes):
    assert len(set(codes)) == 10
    again = owner.get(reverse("mfa_view_recovery_codes")).text
    assert "were shown already" in again
    assert not [code for code in codes if code in again]
    owner.post(reverse("mfa_generate_recovery_codes"))
    page = owner.get(reverse("mfa_view_recovery_codes"))
    (kept,) = re.findall(r'href="data:text/plain;charset=utf-8,([^"]+)"', page.text)
    assert len(unquote(kept).split()) == 10
    assert not set(codes) & set(unquote(kept).split())
    assert "no-store" in page["Cache-Control"]


def test_a_recovery_code_signs_in_once_and_that_is_told(codes, attempt, mail_server):
    mails(attempt, mail_server)
    assert enter(Client(), codes[3]).status_code == 302
    assert mails(attempt, mail_server) == [(TAKEN, "A recovery code was used for your account")]
    assert "Codes that are left: 9." in mail_server.mails[0].body
    assert enter(Client(), codes[3]).status_code == 400
    assert enter(Client(), codes[4]).status_code == 302


# --- Guesses ---------------------------------------------------------------------------------------------------------


def test_codes_can_not_be_guessed_from_any_number_of_sources(key, settings):
    for number in range(5):
        assert enter(Client(), "000000", REMOTE_ADDR=f"192.0.2.{number}").status_code == 400
    assert enter(Client(), code_of(key, settings), REMOTE_ADDR="192.0.2.99").status_code == 400


def test_a_new_password_lets_the_owner_in_after_others_have_guessed(key, settings, newest_link):
    for _ in range(6):
        enter(Client(), "000000", REMOTE_ADDR="192.0.2.1")
    client: Any = Client()
    client.post(reverse("account_reset_password"), {"email": TAKEN})
    form = client.get(newest_link())
    client.post(form.url, {"password1": "another long password", "password2": "another long password"})
    assert signed_in_to(client) == ""
    assert sign_in(client, TAKEN, "another long password").url == AUTHENTICATE
    assert client.post(AUTHENTICATE, {"code": code_of(key, settings)}).status_code == 302


def test_a_right_code_gives_the_guesses_of_a_source_not_back(codes):
    for number in range(10):
        sign_in(Client(), f"somebody-{number}@example.org", "wrong", REMOTE_ADDR="192.0.2.1")
    client = Client()
    sign_in(client, TAKEN, REMOTE_ADDR="192.0.2.2")
    assert client.post(AUTHENTICATE, {"code": codes[0]}, REMOTE_ADDR="192.0.2.1").status_code == 302
    assert sign_in(Client(), "somebody@example.org", "wrong", REMOTE_ADDR="192.0.2.1").status_code == 400
    assert "Too many failed" in sign_in(Client(), TAKEN, REMOTE_ADDR="192.0.2.1").text


def test_the_log_tells_of_factors_and_of_wrong_codes(key, confirmed, settings, caplog):
    caplog.set_level(logging.INFO, "accounts.security")
    client = Client()
    enter(client, "000000")
    client.post(AUTHENTICATE, {"code": code_of(key, settings)})
    said = [record.getMessage() for record in caplog.records if record.name == "accounts.security"]
    who = f"user={confirmed.pk} source=127.0.0.1"
    assert said == [f"wrong code: {who}", f"signed in: {who} by=password+totp"]


# --- Passkeys, as far as they need no browser (tests/browser/test_passkeys.py has one) --------------------------------

RUBBISH = [
    "",
    "{",
    "null",
    "[]",
    "7",
    "{}",
    '{"id": "a", "rawId": "a", "type": "public-key", "response": {}}',
    '{"id": "a", "rawId": "!", "type": "public-key", "response": {"clientDataJSON": "e30", "userHandle": 7}}',
    '{"id": "YQ", "rawId": "YQ", "type": "public-key", "response": {"clientDataJSON": "e30", "attestationObject": "_w",'
    ' "authenticatorData": "YQ", "signature": "YQ", "userHandle": "_w"}}',
    '{"response": {"userHandle": "' + "A" * 25_000 + '"}}',
]


@pytest.mark.parametrize("credential", RUBBISH)
def test_what_is_no_passkey_is_refused_with_a_sentence(owner, key, credential):
    owner.get(reverse("mfa_add_webauthn"))
    answer = owner.post(reverse("mfa_add_webauthn"), {"name": "x", "credential": credential})
    assert answer.status_code == 400
    stranger: Any = Client()
    stranger.get(reverse("mfa_login_webauthn"), headers={"accept": "application/json"})
    assert stranger.post(reverse("mfa_login_webauthn"), {"credential": credential}).url == reverse("account_login")
    assert signed_in_to(stranger) == ""
    sign_in(stranger, TAKEN)
    assert stranger.post(AUTHENTICATE, {"credential": credential}).status_code == 400
    assert signed_in_to(stranger) == ""


def test_an_account_has_so_many_passkeys_and_no_more(owner, confirmed):
    row = Authenticator(user=confirmed, type=Authenticator.Type.WEBAUTHN, data={"name": "x", "credential": {}})
    Authenticator.objects.bulk_create([row] * MOST_PASSKEYS)
    form = owner.get(INDEX)
    assert form.status_code == 200
    from accounts.forms import AddPasskeyForm

    refused = AddPasskeyForm({"credential": "{}"}, user=confirmed)
    assert "20 passkeys at most" in str(refused.errors)


@pytest.mark.parametrize(
    ("host", "secure", "possible"),
    [
        ("127.0.0.1:8000", False, False),
        ("[::1]:8000", False, False),
        ("[::1]", True, False),
        ("localhost:8000", False, True),
        ("offload.example", False, False),
        ("offload.example", True, True),
        ("192.0.2.1", True, False),
    ],
)
def test_where_browsers_have_no_passkeys_the_page_says_so(owner, settings, host, secure, possible):
    settings.ALLOWED_HOSTS = ["*"]
    page = owner.get(INDEX, headers={"host": host}, secure=secure).text
    assert ("Add a passkey" in page) is possible
    assert ("Passkeys work where" in page) is not possible


# --- Fresh sign-ins --------------------------------------------------------------------------------------------------


def test_what_was_asked_for_is_done_after_a_code_in_place_of_the_password(owner, key, settings):
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    answer = owner.post(reverse("account_email"), {"action_add": "", "email": "second@example.org"})
    (way,) = re.findall(r'href="([^"]+)">Use a code', owner.get(answer.url).text)
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
    next_period(settings)
    wanted = {"code": code_of(key, settings), "next": reverse("account_email")}
    assert owner.post(way, wanted).url == reverse("account_email")
    assert "second@example.org" in owner.get(reverse("account_email")).text


# --- Addresses, copies, erasure --------------------------------------------------------------------------------------


def test_an_address_can_be_added_to_an_account_that_has_one(owner, key):
    answer = owner.post(reverse("account_email"), {"action_add": "", "email": "second@example.org"})
    assert (answer.status_code, answer.url) == (302, reverse("account_email"))
    assert "second@example.org" in owner.get(reverse("account_email")).text


def test_a_copy_of_ones_data_names_them_without_their_secrets(owner, key, codes, redis):
    with opened(owner, copy(owner)) as archive:
        text = archive.read("email/second_factors.json").decode()
    assert [one["type"] for one in json.loads(text)] == ["totp", "recovery_codes"]
    assert set(json.loads(text)[0]) == {"type", "created_at", "last_used_at"}


def test_they_go_with_the_account(key, confirmed):
    confirmed.delete()
    assert not Authenticator.objects.exists()


# --- Staff -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def chief(confirmed: User) -> User:
    """The owner as a member of staff."""
    confirmed.is_staff = confirmed.is_superuser = True
    confirmed.save()
    return confirmed


def test_the_admin_has_no_sign_in_of_its_own_that_would_pass_the_second_factor_by(chief, key):
    values = {"username": chief.username, "password": PASSWORD, "next": ADMIN}
    client: Any = Client()
    assert client.post("/admin/login/", values).url.startswith(reverse("account_login"))
    assert client.get(ADMIN).status_code == 302
    assert sign_in(client, TAKEN).url == AUTHENTICATE
    assert client.post("/admin/login/", values).url.startswith(reverse("account_login"))
    assert client.get(ADMIN).status_code == 302


def test_staff_can_not_sign_in_as_somebody_else_there(chief, owner, other_user):
    other_user.is_staff = True
    other_user.save()
    answer = owner.post("/admin/login/", {"username": "bob", "password": "a-long-password"})
    assert answer.status_code == 302
    assert signed_in_to(owner) == TAKEN


def test_staff_need_one_where_the_site_demands_it(chief, owner, offload):
    assert owner.get(ADMIN).status_code == 200
    offload(STAFF_SECOND_FACTOR=True)
    for page in (ADMIN, "/admin/monitor/", "/admin/offload/job/"):
        answer = owner.get(page, follow=True)
        assert answer.redirect_chain[-1][0] == INDEX
        assert "you need a second factor" in answer.text


def test_staff_who_have_one_show_it_in_this_session(chief, owner, key, settings, offload):
    offload(STAFF_SECOND_FACTOR=True)
    next_period(settings)
    answer = owner.get(ADMIN, follow=True)
    page, _ = answer.redirect_chain[-1]
    assert page.startswith(reverse("mfa_reauthenticate"))
    assert owner.post(page, {"code": "000000"}).status_code == 400
    assert owner.get(ADMIN).status_code == 302
    assert owner.post(page, {"code": code_of(key, settings), "next": ADMIN}).url == ADMIN
    assert owner.get(ADMIN).status_code == 200
    assert owner.get("/admin/login/").url == ADMIN


def test_check_deploy_asks_for_it(offload):
    def told() -> list[str]:
        return [str(message.id) for message in run_checks(include_deployment_checks=True)]

    assert "accounts.W001" in told()
    offload(STAFF_SECOND_FACTOR=True)
    assert "accounts.W001" not in told()


def test_staff_see_and_take_away_second_factors_and_never_their_secrets(staff, key, confirmed):
    app, _ = Authenticator.objects.order_by("-type")
    page = staff.get(f"/admin/mfa/authenticator/{app.pk}/change/").text
    assert "TOTP" in page
    assert "gAAAA" not in page
    assert staff.get("/admin/mfa/authenticator/add/").status_code == 403
    assert staff.post(f"/admin/mfa/authenticator/{app.pk}/delete/", {"post": "yes"}).status_code == 302
    assert sign_in(Client(), TAKEN).url == reverse("offload:list")


def test_staff_end_a_session_by_removing_it_and_never_see_its_key(staff, owner):
    session_key = owner.session.session_key
    page = staff.get("/admin/usersessions/usersession/")
    assert session_key not in page.text
    (row,) = re.findall(r"/admin/usersessions/usersession/(\d+)/change/", page.text)
    assert session_key not in staff.get(f"/admin/usersessions/usersession/{row}/change/").text
    staff.post(f"/admin/usersessions/usersession/{row}/delete/", {"post": "yes"})
    assert signed_in_to(owner) == ""
