"""How mails become jobs: whose they are, what is refused at once, and what nobody must be able to read."""

import logging

import pytest
from django.core.mail import BadHeaderError, EmailMessage, get_connection, mail_admins, send_mail
from django.db import connection
from django.utils.log import AdminEmailHandler

from jobs.models import Job
from jobs.web.access import jobs_of


def test_each_recipient_gets_a_job_with_the_same_message_and_the_blind_copy_stays_blind(db):
    message = EmailMessage(
        "Hello",
        "Body",
        "Offload <o@example.org>",
        to=["Ann <ann@example.org>"],
        bcc=["bob@example.org"],
        cc=["cy@example.org"],
    )
    assert message.send() == 1
    jobs = list(Job.objects.order_by("title"))
    assert [job.title for job in jobs] == [f"E-mail to {name}@example.org" for name in ("ann", "bob", "cy")]
    assert len({job.payload["message"] for job in jobs}) == 1
    assert len({job.payload["message_id"] for job in jobs}) == 1
    assert {job.payload["sender"] for job in jobs} == {"o@example.org"}


def test_the_blind_copy_is_in_no_header(mail_server, attempt):
    EmailMessage("Hello", "Body", to=["ann@example.org"], bcc=["bob@example.org"]).send()
    for job in Job.objects.all():
        attempt(job)
    assert [b"bob@" in arrived.content for arrived in mail_server.mails] == [False, False]


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.org, evil@example.net",
        "ann@example.org,evil@example.net",
        "ann@example.org\r\nBcc: evil@example.net",
        "ann@example.org\nRCPT TO:<evil@example.net>",
        "ann@example.org evil@example.net",
        "ann",
        "@example.org",
        "ann@",
        "änn@example.org",
        "=?utf-8?q?ann?=@example.org",
        "Ann <=?utf-8?q?ann=40evil.example?=@example.org>",
        "ann@example.org>",
        "a" * 400 + "@example.org",
    ],
)
@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
def test_an_address_that_is_not_exactly_one_is_refused_at_once(db, address, field):
    message = EmailMessage("Hello", "Body")
    setattr(message, field, [address])
    with pytest.raises(ValueError):  # noqa: PT011 (Django's own errors for bad headers and addresses are of this type)
        message.send()
    assert not Job.objects.exists()


def test_a_line_break_in_the_subject_is_refused_at_once(db):
    with pytest.raises(BadHeaderError):
        EmailMessage("Hello\nBcc: evil@example.net", "Body", None, ["ann@example.org"]).send()


def test_an_international_domain_is_sent_to_in_its_ascii_form(db, mail):
    assert mail("ann@exämple.org").payload["to"] == "ann@xn--exmple-cua.org"


def test_a_very_long_address_fits_title_and_resource(db, mail):
    job = mail("a" * 60 + "@" + ".".join(["b" * 60] * 3) + ".org")
    assert len(job.title) == 200
    assert job.resource.startswith("mailbox:")


def test_fail_silently_raises_nothing(db):
    assert send_mail("Hello", "Body", None, ["no address"], fail_silently=True) == 0
    assert not Job.objects.exists()


def test_a_mail_of_the_site_itself_is_nobodys(db, settings, rf, user):
    settings.ADMINS = [("Staff", "staff@example.org"), ("More staff", "more@example.org")]
    mail_admins("Something broke", "A traceback")
    assert [(job.owner, job.visitor) for job in Job.objects.all()] == [(None, ""), (None, "")]
    request = rf.get("/")
    request.user, request.session = user, {}
    assert not jobs_of(request).exists()


def test_an_error_while_accepting_a_mail_about_an_error_ends_there(db, settings, monkeypatch):
    settings.ADMINS = [("Staff", "no address")]
    calls = []

    class Loud(AdminEmailHandler):
        def emit(self, record: logging.LogRecord) -> None:
            calls.append(record)
            super().emit(record)

    handler = Loud()
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        logging.getLogger("somewhere").error("It broke")
    finally:
        logging.getLogger().removeHandler(handler)
    assert len(calls) < 5
    assert not Job.objects.exists()


def test_owner_and_visitor_come_with_the_connection(db, user):
    for whose in ({"owner": user}, {"visitor": "v1"}):
        send_mail("Hello", "Body", None, ["ann@example.org"], connection=get_connection(**whose))
    assert {(job.owner, job.visitor) for job in Job.objects.all()} == {(user, ""), (None, "v1")}


def test_subject_and_body_are_kept_encrypted(mail):
    job = mail(subject="s3cret subject", body="s3cret body")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM offload_job")
        assert "s3cret" not in str(cursor.fetchall())
        assert str(job.payload["message"]) not in str(cursor.fetchall())
    assert "s3cret" not in f"{job.title} {job.resource} {job.kept}"
