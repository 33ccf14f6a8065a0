"""The account pages: sign-up with a mail that is a job, its link, the forgotten password, and what they give away."""

import logging
import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.core import mail as django_mail
from django.test import Client
from django.urls import reverse

from jobs.models import Job, Status
from tests.accounts.conftest import PASSWORD, link_in, sign_in, sign_up
from tests.processes import wait_until

# --- Sign-up ---------------------------------------------------------------------------------------------------------


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_a_sign_up_from_the_form_to_the_first_sign_in_with_a_real_worker(client, mail_server, start_worker):
    start_worker("--role", "network", env={"EMAIL_URL": f"smtp://127.0.0.1:{mail_server.port}"})
    answer = sign_up(client)
    assert (answer.status_code, answer.url) == (302, reverse("account_email_verification_sent"))
    page = client.get(answer.url)
    job = Job.objects.get()
    assert f'data-id="{job.pk}"' in page.text or "Sent to ann@example.org" in page.text
    wait_until(lambda: client.get(reverse("offload:status", args=[job.pk])).json()["status"] == "succeeded")
    assert "Sent to ann@example.org" in client.get(answer.url).text
    (arrived,) = mail_server.mails
    path = link_in(arrived.body)
    assert "ann@example.org" in client.get(path).text
    answer = client.post(path)
    assert (answer.status_code, answer.url) == (302, reverse("offload:list"))
    assert client.get(reverse("offload:list")).status_code == 200
    assert client.get(job.get_absolute_url()).status_code == 200


def test_the_page_after_sign_up_shows_the_mails_job_and_nobody_else_can(client, other_client):
    answer = sign_up(client)
    job = Job.objects.get()
    assert job.queue == "urgent"
    page = client.get(answer.url)
    assert f'data-id="{job.pk}"' in page.text
    assert "E-mail to ann@example.org" in page.text
    for name in ("detail", "status"):
        assert client.get(reverse(f"offload:{name}", args=[job.pk])).status_code == 200
        assert other_client.get(reverse(f"offload:{name}", args=[job.pk])).status_code == 404
    followed = reverse("offload:statuses"), {"id": job.pk}
    assert [one["id"] for one in client.get(*followed).json()["jobs"]] == [str(job.pk)]
    assert other_client.get(*followed).json()["jobs"] == []


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.org, evil@example.net",
        "ann",
        "ann@",
        "a\r\nb@example.org",
        "=?utf-8?q?ann?=@example.org",
        f"{'a' * 243}@example.org",
    ],
)
def test_a_bad_address_gets_a_sentence_at_its_field_and_400(client, address):
    answer = sign_up(client, address)
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == ["email"]
    assert not User.objects.exists()
    assert not Job.objects.exists()


def test_the_page_about_the_mail_is_plain_for_somebody_who_asked_for_none(client):
    answer = client.get(reverse("account_email_verification_sent"))
    assert answer.status_code == 200
    assert "data-poll" not in answer.text


# --- The link --------------------------------------------------------------------------------------------------------


def test_a_used_link_says_what_to_do(client, confirm_path):
    assert client.post(confirm_path).status_code == 302
    answer = client.get(confirm_path)
    assert answer.status_code == 410
    assert "This link does not work any more" in answer.text
    assert reverse("account_signup") in answer.text
    again = client.post(confirm_path)
    assert (again.status_code, again.url) == (302, confirm_path)


def test_an_expired_link_says_what_to_do_and_signing_up_again_sends_a_new_one(client, confirm_path, settings):
    settings.ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = -1
    assert client.get(confirm_path).status_code == 410
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": None}
    answer = sign_up(client)
    assert answer.url == reverse("account_email_verification_sent")
    assert Job.objects.count() == 2
    assert User.objects.count() == 1


def test_a_mangled_link_says_what_to_do(client, confirm_path):
    assert client.get(confirm_path[:-5] + "/").status_code == 410
    assert not EmailAddress.objects.get().verified


def test_a_link_that_is_only_opened_confirms_nothing(client, confirm_path):
    assert client.get(confirm_path).status_code == 200
    assert not EmailAddress.objects.get().verified


# --- Once more, please -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["ann@example.org", "taken@example.org"])
def test_asking_again_too_soon_gets_a_clear_429_and_later_a_new_mail(client, confirmed, settings, address):
    sign_up(client, address)
    answer = client.post(reverse("account_resend"))
    assert answer.status_code == 429
    assert "You can ask for the next one from" in answer.text
    assert "You can ask for the next one from" in client.get(reverse("account_email_verification_sent")).text
    assert Job.objects.count() == 1
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": None}
    answer = client.post(reverse("account_resend"))
    assert (answer.status_code, answer.url) == (302, reverse("account_email_verification_sent"))
    assert {job.title for job in Job.objects.all()} == {f"E-mail to {address}"}
    assert Job.objects.count() == 2


def test_asking_again_without_a_sign_up_leads_to_sign_in(client):
    assert client.post(reverse("account_resend")).url == reverse("account_login")
    assert not Job.objects.exists()


def test_asking_again_after_having_confirmed_leads_to_sign_in(client, settings):
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": None}
    sign_up(client)
    EmailAddress.objects.update(verified=True)
    assert client.post(reverse("account_resend")).url == reverse("account_login")
    assert Job.objects.count() == 1


# --- Addresses of an account -----------------------------------------------------------------------------------------


def test_a_new_address_is_confirmed_by_a_mail_that_belongs_to_its_user(client, confirmed):
    client.force_login(confirmed)
    page = reverse("account_email")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    assert client.post(page, {"action_add": "", "email": "second@example.org"}).url == page
    job = Job.objects.get(queue="urgent")
    assert (job.owner, job.visitor, job.title) == (confirmed, "", "E-mail to second@example.org")
    assert "data-poll" in client.get(page).text
    assert client.post(reverse("account_resend"), {"email": "second@example.org"}).status_code == 429
    assert client.post(reverse("account_resend"), {"email": "bob@example.org"}).status_code == 404
    assert client.post(page, {"action_add": "", "email": "no address"}).status_code == 400


@pytest.mark.parametrize(
    "name",
    [
        "account_signup",
        "account_login",
        "account_reset_password",
        "account_reset_password_done",
        "account_reset_password_from_key_done",
        "account_inactive",
    ],
)
def test_the_pages_for_visitors_stand_inside_the_sites_page(client, name):
    answer = client.get(reverse(name))
    assert answer.status_code == 200
    assert '<main id="content"' in answer.text
    assert answer.context["site"]["sandbox"] is True


@pytest.mark.parametrize(
    "name", ["account_email", "account_change_password", "account_logout", "account_reauthenticate"]
)
def test_the_pages_for_users_stand_inside_the_sites_page(client, confirmed, name):
    client.force_login(confirmed)
    answer = client.get(reverse(name))
    assert answer.status_code == 200
    assert '<main id="content"' in answer.text


def test_a_password_is_changed(client, confirmed):
    client.force_login(confirmed)
    page = reverse("account_change_password")
    new = "another long password"
    wrong = client.post(page, {"oldpassword": "wrong", "password1": new, "password2": new})
    assert wrong.status_code == 400
    assert client.post(page, {"oldpassword": PASSWORD, "password1": new, "password2": new}).status_code == 302
    client.logout()
    assert sign_in(client, "taken@example.org", new).url == reverse("offload:list")


# --- The forgotten password ------------------------------------------------------------------------------------------


def test_a_forgotten_password_is_set_anew_with_the_link_from_the_mail(client, confirmed, attempt, mail_server):
    answer = client.post(reverse("account_reset_password"), {"email": "taken@example.org"})
    assert answer.url == reverse("account_reset_password_done")
    assert "data-poll" in client.get(answer.url).text
    attempt(Job.objects.get())
    path = link_in(mail_server.mails[0].body)
    form = client.get(path)
    new = "another long password"
    short = client.post(form.url, {"password1": "x", "password2": "x"})
    assert short.status_code == 400
    assert client.post(form.url, {"password1": new, "password2": new}).status_code == 302
    assert sign_in(client, "taken@example.org", new).url == reverse("offload:list")
    client.logout()
    used = client.get(path)
    assert used.status_code == 410
    assert reverse("account_reset_password") in used.text


# --- What an answer gives away ---------------------------------------------------------------------------------------


def _comparable(text: str, job: Job, address: str) -> str:
    """A page or status without what differs from one job to the next anyhow."""
    differing = r'<time.*?</time>|\d{4}-\d\d-\d\dT[^"]*|name="csrfmiddlewaretoken" value="\w+"|version"?[=:] ?"[\w-]+"'
    text = re.sub(differing, "", text)
    for value, name in ((str(job.pk), "ID"), (address, "ADDRESS"), (job.payload["message_id"], "MESSAGE-ID")):
        text = text.replace(value, name)
    return text


@pytest.mark.parametrize("page", ["account_signup", "account_reset_password"])
def test_an_answer_does_not_tell_whether_the_address_has_an_account(confirmed, attempt, mail_server, page):
    seen = []
    for address in ("fresh@example.org", "taken@example.org"):
        client = Client()
        answer: Any = client.post(reverse(page), {"email": address, "password1": PASSWORD, "password2": PASSWORD})
        job = Job.objects.latest("created_at")
        assert (job.owner, job.title) == (None, f"E-mail to {address}")
        urls = [answer.url, job.get_absolute_url(), reverse("offload:status", args=[job.pk])]
        pending = [_comparable(client.get(url).text, job, address) for url in urls]
        assert attempt(job).status == Status.SUCCEEDED
        done = [_comparable(client.get(url).text, job, address) for url in urls]
        seen.append((answer.status_code, answer.url, pending, done))
    assert seen[0] == seen[1]


class CountingHasher(MD5PasswordHasher):
    """The real hasher, with a count of its work."""

    calls = 0

    def encode(self, password: str, salt: str) -> str:
        CountingHasher.calls += 1
        return super().encode(password, salt)


def test_a_sign_up_with_a_taken_or_waiting_address_takes_the_same_work(confirmed, settings):
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    counts = []
    for address in ("fresh@example.org", "taken@example.org", "fresh@example.org"):
        before = CountingHasher.calls
        sign_up(Client(), address)
        counts.append(CountingHasher.calls - before)
    assert counts == [1, 1, 1]


@pytest.mark.parametrize("page", ["account_signup", "account_reset_password"])
def test_the_link_of_a_mail_is_nowhere_but_in_the_mail(client, confirmed, attempt, mail_server, staff, caplog, page):
    caplog.set_level(logging.DEBUG)
    mail_server.answers["RCPT"] = ["450 4.2.1 later"]
    email = "fresh@example.org" if page == "account_signup" else "taken@example.org"
    client.post(reverse(page), {"email": email, "password1": PASSWORD, "password2": PASSWORD})
    job = attempt(attempt(Job.objects.get()))
    assert job.status == Status.SUCCEEDED
    secret = link_in(mail_server.mails[0].body).rstrip("/").rpartition("/")[2]
    ours = "".join(
        f"{record.name} {record.getMessage()}" for record in caplog.records if record.name != "django.db.backends"
    )
    everything = [
        ours,
        client.get(reverse("offload:status", args=[job.pk])).text,
        client.get(job.get_absolute_url()).text,
        staff.get(reverse("admin:offload_job_changelist")).text,
        staff.get(reverse("admin:offload_job_change", args=[job.pk])).text,
        *(str(values) for values in Job.objects.values_list("title", "resource", "kept", "result", "error_said")),
    ]
    assert len(secret) > 10
    assert [secret in text for text in everything] == [False] * len(everything)


def test_allauth_with_another_backend_works_as_well(client, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    answer = sign_up(client)
    assert client.get(answer.url).status_code == 200
    assert [message.to for message in django_mail.outbox] == [["ann@example.org"]]


def test_a_failed_mail_can_be_sent_again_by_the_visitor_whose_it_is(client, other_client, attempt, mail_server):
    mail_server.answers["RCPT"] = ["550 5.7.1 not today"]
    sign_up(client)
    job = attempt(Job.objects.get())
    assert job.status == Status.FAILED
    assert other_client.post(reverse("offload:retry", args=[job.pk])).status_code == 404
    assert client.post(reverse("offload:retry", args=[job.pk])).status_code in (302, 303)
    assert attempt(job).status == Status.SUCCEEDED


def test_a_visitors_mail_is_listed_among_their_jobs_after_they_have_signed_in(client, other_client, confirmed):
    client.post(reverse("account_reset_password"), {"email": confirmed.email})
    job = Job.objects.get()
    assert (job.owner, bool(job.visitor)) == (None, True)
    other_client.force_login(confirmed)
    assert job.title not in other_client.get("/jobs/").content.decode()
    client.force_login(confirmed)
    assert job.title in client.get("/jobs/").content.decode()
    job.refresh_from_db()
    assert (job.owner, job.visitor) == (confirmed, "")
