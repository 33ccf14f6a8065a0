"""Whoever finds an open browser can't take the account with it, and its owner is told what was changed."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs.models import Job, Status
from tests.accounts.conftest import PASSWORD, sign_in
from tests.processes import ROOT

pytestmark = pytest.mark.django_db

NEW = "another long password"
SECOND = "second@example.org"


@pytest.fixture
def mails(attempt, mail_server):
    """Send all mails that wait. Returns each as its recipient, subject and text, oldest first."""

    def mails() -> list[tuple[str, str, str]]:
        mail_server.mails.clear()
        for job in Job.objects.filter(kind="email", status=Status.PENDING).order_by("created_at"):
            attempt(job)
        return [(mail.recipient, str(mail.message["Subject"]), mail.body) for mail in mail_server.mails]

    return mails


@pytest.fixture
def hijacked(client: Client, confirmed: User) -> Client:
    """A session of somebody who signed in a while ago."""
    sign_in(client, confirmed.email)
    EmailAddress.objects.create(user=confirmed, email="old@example.org", verified=True)
    return client


def confirm_password(client: Client, answer, password: str = PASSWORD):
    """Fill in the page that asks for the password; it then does what was asked for before."""
    page = reverse("account_reauthenticate")
    assert answer.url.startswith(page)
    return client.post(page, {"password": password, "next": reverse("account_email")})


@pytest.mark.parametrize(
    ("action", "address"),
    [("action_add", SECOND), ("action_primary", "old@example.org"), ("action_remove", "old@example.org")],
)
def test_addresses_are_changed_by_whoever_knows_the_password(hijacked, confirmed, mails, action, address):
    def stand() -> set[tuple[str, bool]]:
        return set(EmailAddress.objects.values_list("email", "primary"))

    before = stand()
    answer = hijacked.post(reverse("account_email"), {action: "", "email": address})
    assert confirm_password(hijacked, answer, "wrong").status_code == 400
    assert stand() == before
    assert not Job.objects.exists()
    assert confirm_password(hijacked, answer).url == reverse("account_email")
    assert stand() != before
    subjects = {
        "action_add": "An address was added to your account",
        "action_primary": "Your account has another main address",
        "action_remove": "An address was removed from your account",
    }
    told = {(to, subject): text for to, subject, text in mails()}
    text = told[confirmed.email, subjects[action]]
    assert address in text
    assert "from the address 127.0.0.1" in text
    assert reverse("account_reset_password") in text


def test_an_address_that_was_typed_is_added_after_a_wrong_and_a_right_password(hijacked):
    """With what the pages' own forms hold, and wherever the page was opened from."""
    page = hijacked.get(f"{reverse('account_email')}?from=elsewhere").text
    (form,) = [form for form in page.split("<form")[1:] if "action_add" in form]
    (action,) = re.findall(r'action="([^"]+)"', form)
    answer = hijacked.post(action, {"action_add": "", "email": SECOND})
    for password in ("wrong", PASSWORD):
        (target,) = re.findall(r'name="next" value="([^"]+)"', hijacked.get(answer.url).text)
        done = hijacked.post(answer.url, {"password": password, "next": target})
    assert done.url == reverse("account_email")
    assert EmailAddress.objects.filter(email=SECOND).exists()


FORMS = (
    "account/email",
    "mfa/totp/*_form",
    "mfa/recovery_codes/generate",
    "mfa/webauthn/*_form",
    "mfa/webauthn/*_delete",
)


@pytest.mark.parametrize("pages", FORMS)
def test_every_form_that_may_be_shown_in_place_of_the_password_page_says_where_it_goes(pages):
    for path in (ROOT / "accounts" / "templates").glob(f"{pages}.html"):
        forms = re.findall(r"<form[^>]*>", path.read_text())
        assert forms
        assert [form for form in forms if " action=" not in form] == []


def test_the_password_is_asked_for_again_after_five_minutes(hijacked, settings):
    def add(email: str):
        return hijacked.post(reverse("account_email"), {"action_add": "", "email": email})

    confirm_password(hijacked, add(SECOND))
    assert add("third@example.org").url == reverse("account_email")
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    answer = add("fourth@example.org")
    assert answer.url.startswith(reverse("account_reauthenticate"))
    assert not EmailAddress.objects.filter(email="fourth@example.org").exists()


def test_a_changed_password_is_told_and_ends_the_other_sessions(hijacked, confirmed, mails):
    elsewhere = Client()
    sign_in(elsewhere, confirmed.email)
    values = {"oldpassword": "wrong", "password1": NEW, "password2": NEW}
    assert hijacked.post(reverse("account_change_password"), values).status_code == 400
    assert mails() == []
    assert hijacked.post(reverse("account_change_password"), {**values, "oldpassword": PASSWORD}).status_code == 302
    ((to, subject, text),) = mails()
    assert (to, subject) == (confirmed.email, "Your password was changed")
    assert "most likely you, changed the password" in text
    assert elsewhere.get(reverse("account_email")).status_code == 302
    assert hijacked.get(reverse("account_email")).status_code == 200


def test_the_old_password_can_not_be_guessed_in_the_form_that_changes_it(hijacked):
    values = {"oldpassword": "wrong", "password1": NEW, "password2": NEW}
    answers = [hijacked.post(reverse("account_change_password"), values).status_code for _ in range(6)]
    assert answers == [400] * 5 + [429]


def test_a_password_that_was_set_by_mail_is_told(client, confirmed, newest_link, mails):
    client.post(reverse("account_reset_password"), {"email": confirmed.email})
    form = client.get(newest_link())
    client.post(form.url, {"password1": NEW, "password2": NEW})
    ((to, subject, _),) = mails()
    assert (to, subject) == (confirmed.email, "A new password was set for your account")


def test_deleting_the_account_needs_the_password_and_is_told(hijacked, confirmed, mails):
    assert hijacked.post("/erasure/", {"password": "wrong"}).status_code == 400
    assert mails() == []
    assert hijacked.post("/erasure/", {"password": PASSWORD}).status_code == 302
    ((to, subject, text),) = mails()
    assert (to, subject) == (confirmed.email, "Your account is being deleted")
    assert "asked for the deletion of your account" in text
    assert User.objects.filter(pk=confirmed.pk).exists()


def test_a_notice_does_not_take_the_place_of_the_mail_that_somebody_waits_for(hijacked):
    confirm_password(hijacked, hijacked.post(reverse("account_email"), {"action_add": "", "email": SECOND}))
    assert dict(Job.objects.values_list("title", "queue")) == {
        f"E-mail to {SECOND}": "urgent",
        "E-mail to taken@example.org": "network",
    }
    waited_for = Job.objects.get(queue="urgent")
    assert f'data-id="{waited_for.pk}"' in hijacked.get(reverse("account_email")).text
