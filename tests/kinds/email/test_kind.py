"""What the e-mail kind makes of a mail server's answers, of its silence, and of its own worker's death."""

import signal
import ssl
import threading
from datetime import UTC, datetime

import psutil
import pytest
from django.core.mail import EmailMessage

from jobs.core import lifecycle
from jobs.models import Job, Status
from jobs.sandbox.services import free_port
from jobs.worker.execution import run_attempt
from tests.kinds.email.smtp_server import DROP, HANG, MailServer
from tests.processes import wait_until
from tests.servers.dripping import Dripping


def test_a_mail_arrives_with_its_envelope_and_the_result_says_what_the_server_said(mail, attempt, mail_server):
    job = attempt(mail("ann@example.org", body="Grüße\n.\n..dots"))
    (arrived,) = mail_server.mails
    assert (arrived.sender, arrived.recipient) == ("offload@localhost", "ann@example.org")
    assert arrived.body == "Grüße\n.\n..dots\n"
    assert "BODY=8BITMIME" in arrived.options
    assert job.status == Status.SUCCEEDED
    assert job.result == {
        "to": "ann@example.org",
        "message_id": arrived.message["Message-ID"],
        "server_said": "2.0.0 taken as 4711",
    }


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("answer", ["421 4.3.2 shutting down", "450 4.2.1 greylisted", "452 4.2.2 mailbox full"])
def test_a_temporary_refusal_is_tried_again_with_the_same_message_id(mail, attempt, mail_server, verb, answer):
    mail_server.answers[verb] = [answer]
    job = attempt(mail())
    assert (job.status, job.error_code) == (Status.PENDING, "mail_server_busy")
    assert job.error_text == f"The mail server asked us to come back later: “{answer[4:]}”."
    job = attempt(job)
    assert job.status == Status.SUCCEEDED
    assert {arrived.message["Message-ID"] for arrived in mail_server.mails} == {job.result["message_id"]}


def test_an_address_that_does_not_exist_gets_a_clear_sentence(mail, attempt, mail_server):
    mail_server.answers["RCPT"] = ["550 5.1.1 no such user here"]
    job = attempt(mail())
    assert (job.status, job.error_code) == (Status.FAILED, "address_refused")
    assert job.error_text == "The mail server says that this address does not exist."
    assert mail_server.mails == []


def test_another_refusal_of_the_address_is_given_in_the_servers_words_on_one_line(mail, attempt, mail_server):
    mail_server.answers["RCPT"] = ["550-5.7.1 not\a from\r\n550 5.7.1 your network " + "x" * 300]
    job = attempt(mail())
    assert (job.status, job.error_code) == (Status.FAILED, "address_refused")
    assert job.error_text.startswith("The mail server refused this address: “5.7.1 not from 5.7.1 your network xx")
    assert len(job.error_text) < 260


def test_a_refusal_that_quotes_a_link_of_the_mail_does_not_leak_it(mail, attempt, mail_server):
    mail_server.answers["DATA"] = ["554 5.7.1 blocked link https://example.org/confirm/s3cret/ in body"]
    job = attempt(mail())
    assert (job.status, job.error_code) == (Status.FAILED, "message_refused")
    assert job.error_text == "The mail server refused this mail: “5.7.1 blocked link … in body”."


def test_a_refused_sender_is_told(mail, attempt, mail_server):
    mail_server.answers["MAIL"] = ["553 5.1.8 unknown sender"]
    job = attempt(mail())
    assert (job.status, job.error_code) == (Status.FAILED, "sender_refused")


def test_one_refused_recipient_does_not_touch_the_others(mail, attempt, mail_server):
    mail_server.answers["RCPT"] = ["550 5.1.1 unknown"]
    EmailMessage("Hello", "All", to=["a@example.org"], bcc=["b@example.org"], cc=["c@example.org"]).send()
    first, *others = [attempt(job) for job in Job.objects.order_by("title")]
    assert first.error_code == "address_refused"
    assert [job.status for job in others] == [Status.SUCCEEDED, Status.SUCCEEDED]
    assert mail_server.recipients == ["b@example.org", "c@example.org"]


def test_a_server_that_refuses_connections_is_tried_again(mail, attempt, settings):
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    job = attempt(mail())
    assert (job.status, job.error_code) == (Status.PENDING, "mail_server_unreachable")


@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
@pytest.mark.parametrize("silence", [HANG, DROP])
def test_a_server_that_falls_silent_before_the_data_is_tried_again(mail, attempt, mail_server, settings, verb, silence):
    settings.EMAIL_TIMEOUT = 0.3
    mail_server.answers[verb] = [silence]
    job = attempt(mail())
    assert (job.status, job.error_code) == (Status.PENDING, "mail_server_unreachable")
    assert attempt(job).status == Status.SUCCEEDED
    assert len(mail_server.mails) == 1


@pytest.mark.parametrize("silence", [HANG, DROP])
def test_a_reply_lost_after_the_data_is_told_and_only_the_owner_can_have_it_sent_again(
    mail, attempt, mail_server, settings, silence
):
    settings.EMAIL_TIMEOUT = 0.3
    mail_server.answers["DATA"] = [silence]
    job = attempt(mail())
    assert (job.status, job.error_code, job.can_retry) == (Status.FAILED, "outcome_unknown", True)
    assert "before you have it sent again" in job.error_text
    assert len(mail_server.mails) == 1
    assert lifecycle.retry(job.pk)
    settings.EMAIL_TIMEOUT = 20
    assert attempt(job).status == Status.SUCCEEDED
    first, second = mail_server.mails
    assert first.message["Message-ID"] == second.message["Message-ID"]


GREETED = (b"220 mail.example.org ESMTP\r\n", b"250-mail.example.org\r\n250 STARTTLS\r\n")
ACCEPTED = (*GREETED, b"250 sender ok\r\n", b"250 recipient ok\r\n")
TLS = b"\x16\x03\x03\x40\x00"
"""A server's first TLS record, of 16 kB."""
DRIPS = {
    "greeting": ((b"220-",), ""),
    "EHLO": ((GREETED[0], b"250-"), ""),
    "STARTTLS": ((*GREETED, b"220-"), "EMAIL_USE_TLS"),
    "handshake after STARTTLS": ((*GREETED, b"220 go\r\n", TLS), "EMAIL_USE_TLS"),
    "TLS from the beginning": ((b"", TLS), "EMAIL_USE_SSL"),
    "MAIL": ((*GREETED, b"250-"), ""),
    "RCPT": ((*ACCEPTED[:3], b"250-"), ""),
    "DATA": ((*ACCEPTED, b"354-"), ""),
    "after the data": ((*ACCEPTED, b"354 go\r\n", b"250-"), ""),
    "goodbye": ((*ACCEPTED, b"354 go\r\n", b"250 taken\r\n", b"221-"), ""),
}
"""Where a mail server drips: what it said up to there, and the setting that makes us come there."""


@pytest.mark.parametrize("where", DRIPS)
def test_a_mail_server_that_drips_is_left_with_nothing_kept_open(mail, attempt, settings, offload, where):
    pieces, encrypted = DRIPS[where]
    offload(EXCHANGE_SECONDS=0.5)
    settings.EMAIL_TIMEOUT = 60
    if encrypted:
        setattr(settings, encrypted, True)
    job, threads = mail(), threading.active_count()
    with Dripping(*pieces) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        job = attempt(job)
        wait_until(lambda: server.left == 1, seconds=5, what="the connection is gone")
        ours = [one for one in psutil.Process().net_connections("tcp") if one.raddr and one.raddr.port == server.port]
        assert ours == []
    wait_until(lambda: threading.active_count() <= threads, what="its threads are gone")
    match where:
        case "after the data":
            assert (job.status, job.error_code, job.can_retry) == (Status.FAILED, "outcome_unknown", True)
        case "goodbye":
            assert (job.status, job.result["server_said"]) == (Status.SUCCEEDED, "taken")
        case _:
            assert (job.status, job.error_code) == (Status.PENDING, "mail_server_unreachable")
            assert not job.kept.get("sending")


@pytest.mark.parametrize("answer", [b"2", b"25", b"55", b"yes\r\n"])
def test_what_is_left_of_the_last_answer_is_no_answer(mail, attempt, settings, offload, answer):
    """The whole one may have been 250: sent again, the mail would arrive twice."""
    offload(EXCHANGE_SECONDS=0.3)
    with Dripping(*ACCEPTED, b"354 go\r\n", answer, drop=b"") as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        job = attempt(mail())
    assert (job.status, job.error_code) == (Status.FAILED, "outcome_unknown")


@pytest.mark.parametrize("pieces", [(b"22",), (*GREETED, b"25"), (*ACCEPTED[:3], b"55"), (*ACCEPTED, b"35")])
def test_what_is_left_of_an_earlier_answer_is_no_answer_either_and_the_mail_was_not_sent(
    mail, attempt, settings, offload, pieces
):
    offload(EXCHANGE_SECONDS=0.3)
    with Dripping(*pieces, drop=b"") as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        job = attempt(mail())
    assert (job.status, job.error_code) == (Status.PENDING, "mail_server_unreachable")


def _die_in_the_middle(job: Job, **kept: object) -> None:
    """What is left when a worker is killed after `Run.keep(**kept)`."""
    running = lifecycle.start(job.pk, "doomed")
    assert running is not None
    lifecycle.keep(running, kept)
    assert lifecycle.lose(running, lapsed=False)


def test_a_worker_that_died_while_sending_leaves_the_outcome_unknown_and_nothing_is_sent_twice(
    mail, attempt, mail_server
):
    job = mail()
    _die_in_the_middle(job, sending=1)
    job = attempt(job)
    assert (job.status, job.error_code) == (Status.FAILED, "outcome_unknown")
    assert mail_server.mails == []
    assert lifecycle.retry(job.pk)
    assert attempt(job).status == Status.SUCCEEDED
    assert len(mail_server.mails) == 1


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_before_the_servers_answer_sends_one_mail_and_says_so(mail, mail_server, start_worker):
    mail_server.answers["DATA"] = [HANG]
    env = {"EMAIL_URL": f"smtp://127.0.0.1:{mail_server.port}"}
    worker = start_worker("--role", "network", env=env)
    job = mail()
    wait_until(lambda: mail_server.mails, what="the mail's data arrives")
    worker.signal(signal.SIGKILL, group=True)
    start_worker("--role", "network", env=env)
    wait_until(lambda: Job.objects.filter(pk=job.pk, status=Status.FAILED).exists(), what="the job fails")
    job.refresh_from_db()
    assert (job.error_code, job.can_retry, job.attempt) == ("outcome_unknown", True, 2)
    assert len(mail_server.mails) == 1


def test_a_time_limit_that_ended_the_sending_does_not_count_as_having_told_the_owner(mail, attempt, mail_server):
    job = mail()
    running = lifecycle.start(job.pk, "slow")
    assert running is not None
    lifecycle.keep(running, {"sending": 1})
    Job.objects.filter(pk=job.pk).update(deadline=datetime(2000, 1, 1, tzinfo=UTC))
    assert lifecycle.expire(running)
    assert lifecycle.retry(job.pk)
    assert attempt(job).error_code == "outcome_unknown"
    assert mail_server.mails == []


def test_a_worker_that_died_after_the_servers_yes_does_not_send_again(mail, attempt, mail_server):
    job = mail()
    _die_in_the_middle(job, sending=1, server_said="2.0.0 taken as 4711")
    job = attempt(job)
    assert job.status == Status.SUCCEEDED
    assert job.result["server_said"] == "2.0.0 taken as 4711"
    assert mail_server.mails == []


def test_an_attempt_that_was_given_up_sends_nothing(mail, mail_server):
    job = mail()
    stale = lifecycle.start(job.pk, "stalled")
    assert stale is not None
    assert lifecycle.lose(stale, lapsed=False)
    run_attempt(stale)
    assert mail_server.mails == []
    job.refresh_from_db()
    assert job.status == Status.PENDING


def test_mails_to_one_address_keep_their_order_through_a_retry(mail, attempt, mail_server):
    mail_server.answers["RCPT"] = ["450 4.2.1 later"]
    first, second = mail("ann@example.org", "one"), mail("Ann@Example.org", "two")
    other = mail("bob@example.org", "three")
    assert attempt(first).status == Status.PENDING
    assert attempt(second).attempt == 0
    assert attempt(other).status == Status.SUCCEEDED
    attempt(first)
    attempt(second)
    assert [str(arrived.message["Subject"]) for arrived in mail_server.mails] == ["three", "one", "two"]


# --- Sign-in and encryption ------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("password", ["right", "wrong"])
def test_a_refused_sign_in_fails_and_is_in_the_log_for_staff(mail, attempt, settings, caplog, password):
    server = MailServer(password="right")
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "offload", password
    try:
        job = attempt(mail())
    finally:
        server.stop()
    if password == "right":
        assert job.status == Status.SUCCEEDED
    else:
        assert (job.status, job.error_code) == (Status.FAILED, "mail_sign_in_refused")
        assert "mail_sign_in_refused; look at EMAIL_URL" in caplog.text
        assert "wrong" not in caplog.text + job.error_text
        assert server.mails == []


def test_a_server_without_sign_in_gets_no_password(mail, attempt, mail_server, settings):
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "offload", "s3cret"
    job = attempt(mail())
    assert (job.status, job.error_code) == (Status.FAILED, "mail_server_refused")
    assert mail_server.seen == []


@pytest.mark.parametrize("trusted", [True, False])
def test_a_mail_goes_only_to_a_server_whose_certificate_is_trusted(
    mail, attempt, settings, certificate, monkeypatch, trusted
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = MailServer(tls=context)
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", server.port, True
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    try:
        job = attempt(mail())
    finally:
        server.stop()
    if trusted:
        assert job.status == Status.SUCCEEDED
    else:
        assert (job.status, job.error_code) == (Status.FAILED, "mail_server_not_trusted")
        assert server.mails == []
