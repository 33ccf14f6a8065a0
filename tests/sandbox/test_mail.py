import smtplib
from contextlib import contextmanager
from email.message import EmailMessage
from uuid import uuid4

import pytest
from django.urls import reverse

from jobs.conf import options
from jobs.sandbox import mail

pytestmark = [pytest.mark.stack, pytest.mark.apart]


@contextmanager
def smtp():
    with smtplib.SMTP("127.0.0.1", options.SANDBOX_SMTP_PORT, timeout=20) as client:
        yield client


def letter(to="ann@example.org", body="Hello", subject="Hello"):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Offload <offload@example.org>", to, subject
    message["Message-ID"] = f"<{uuid4().hex}@example.org>"
    message.set_content(body)
    return message


def kept(message):
    """The caught mails with the message's id."""
    return [one for one in mail.caught() if one.header("Message-ID") == message["Message-ID"]]


def test_a_mail_is_delivered_and_can_be_read(sandbox, client):
    message = letter(body="Confirm: https://example.org/confirm/Mg:1a:b_c/ please.", subject="Grüße")
    with smtp() as server:
        assert server.send_message(message) == {}
    (caught,) = kept(message)
    assert (caught.subject, caught.recipients) == ("Grüße", "ann@example.org")
    page = client.get(reverse("sandbox:mail")).content.decode()
    assert reverse("sandbox:mail_detail", args=[caught.key]) in page
    page = client.get(reverse("sandbox:mail_detail", args=[caught.key])).content.decode()
    assert 'href="https://example.org/confirm/Mg:1a:b_c/"' in page
    assert "Grüße" in page


def test_the_newest_mail_stands_first(sandbox):
    messages = [letter(subject=str(number)) for number in range(3)]
    with smtp() as server:
        for message in messages:
            server.send_message(message)
    found = [one.subject for one in mail.caught() if one.header("Message-ID") in {m["Message-ID"] for m in messages}]
    assert found == ["2", "1", "0"]


@pytest.mark.parametrize(
    ("address", "code", "enhanced"), [("nobody@example.org", 550, b"5.1.1"), ("full+test@example.org", 452, b"4.2.2")]
)
def test_an_address_can_ask_to_be_refused(sandbox, address, code, enhanced):
    message = letter(to=address)
    with smtp() as server, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        server.send_message(message)
    assert refused.value.recipients[address][0] == code
    assert refused.value.recipients[address][1].startswith(enhanced)
    assert kept(message) == []


def test_one_refused_recipient_does_not_keep_the_mail_from_the_others(sandbox):
    message = letter(to="nobody@example.org, ann@example.org")
    with smtp() as server:
        assert list(server.send_message(message)) == ["nobody@example.org"]
    assert [one.recipients for one in kept(message)] == ["ann@example.org"]


def test_a_greylisted_mail_is_accepted_at_the_second_try(sandbox):
    message = letter(to="greylist@example.org")
    with smtp() as server, pytest.raises(smtplib.SMTPDataError) as refused:
        server.send_message(message)
    assert (refused.value.smtp_code, refused.value.smtp_error[:5]) == (450, b"4.7.1")
    assert kept(message) == []
    with smtp() as server:
        server.send_message(message)
    assert len(kept(message)) == 1


def test_a_slow_mail_arrives(sandbox):
    message = letter(to="slow@example.org")
    with smtp() as server:
        server.send_message(message)
    assert len(kept(message)) == 1


def test_html_in_a_mail_is_escaped(sandbox, client):
    message = letter(body="<script>alert(1)</script> javascript:alert(2)", subject="<b>bold</b>")
    with smtp() as server:
        server.send_message(message)
    (caught,) = kept(message)
    for name, args in (("sandbox:mail", []), ("sandbox:mail_detail", [caught.key])):
        page = client.get(reverse(name, args=args)).content.decode()
        assert "alert(1)</script>" not in page
        assert "<b>bold" not in page
        assert 'href="javascript' not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"no headers at all\r\n",
        b"Subject: =?nonsense?q?x?=\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xff\xfe",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: image/png\r\n\r\nabc",
        b"From: @@@\r\nTo: <<<\r\nDate: tomorrow\r\nMessage-ID: [\r\n\r\n",
    ],
    ids=["empty", "no headers", "unknown charsets", "only an attachment", "malformed headers"],
)
def test_a_malformed_mail_can_be_read_all_the_same(sandbox, client, source):
    with smtp() as server:
        server.sendmail("a@example.org", ["b@example.org"], source)
    newest = next(mail.caught())
    assert client.get(reverse("sandbox:mail_detail", args=[newest.key])).status_code == 200
    assert client.get(reverse("sandbox:mail")).status_code == 200


def test_a_mail_with_html_alone_shows_its_source(sandbox, client):
    message = letter()
    message.set_content("<p>Hi</p>", subtype="html")
    with smtp() as server:
        server.send_message(message)
    (caught,) = kept(message)
    page = client.get(reverse("sandbox:mail_detail", args=[caught.key])).content.decode()
    assert "&lt;p&gt;Hi&lt;/p&gt;" in page


@pytest.mark.parametrize("key", ["nothing", "..", "1.2.3"])
def test_a_mail_that_does_not_exist_is_404(client, key):
    assert client.get(reverse("sandbox:mail_detail", args=[key])).status_code == 404
