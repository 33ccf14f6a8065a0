"""Sending one mail to one address over SMTP, and telling apart what may pass, what will not, and what nobody can know.

A server that takes a message answers once, after the last line of its data. If that answer is lost the mail may or may
not have been sent, and SMTP has no way to ask (RFC 1047). Such a job fails with the code `outcome_unknown` instead of
sending twice; only its owner, having been told, can have it sent again.

The whole exchange has one deadline: whatever is under way then ends as if the connection had broken.

https://www.rfc-editor.org/rfc/rfc5321 (SMTP), https://www.rfc-editor.org/rfc/rfc1047 (lost replies),
https://www.rfc-editor.org/rfc/rfc3463 (what 5.1.1 means), https://www.rfc-editor.org/rfc/rfc4954 (sign-in).
"""

import logging
import re
import smtplib
import socket
import ssl
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from hashlib import sha256
from typing import Any

from allauth.account.models import EmailAddress
from django.apps import apps
from django.conf import settings
from django.core.mail.utils import DNS_NAME
from django.utils.translation import gettext_lazy

from ...contract import (
    Failed,
    Job,
    JobError,
    Kind,
    OwnerKey,
    Run,
    Sentence,
    TryAgain,
    cancel,
    connect,
    delete,
    exchange,
    options,
)
from .sentences import SENTENCES

logger = logging.getLogger(__name__)

OUTCOME_UNKNOWN = "outcome_unknown"


class EmailKind(Kind):
    """One mail to one address. Made by `JobEmailBackend`, never by a form."""

    name = "email"
    label = gettext_lazy("E-mail")
    # Seven pauses, 10 minutes together on average: longer than the five minutes for which greylisting usually refuses.
    max_attempts = 8
    time_limit = timedelta(minutes=1)
    backoff = timedelta(seconds=10)
    # One of them tells that the account is being deleted.
    ends_before_erasure = True
    nav = ((gettext_lazy("E-mail and password"), "account_email"),)
    summary_template = "email/_result.html"
    sentences = SENTENCES

    def run(self, run: Run) -> dict[str, Any]:
        """Send the mail, unless an earlier attempt did. Message and Message-ID are the same in all attempts."""
        if "server_said" not in run.kept:
            if _may_have_been_sent(run):
                raise _outcome_unknown()
            run.progress(0, "talking")
            try:
                with exchange(options.EXCHANGE_SECONDS), _mail_server() as smtp:
                    _send(smtp, run)
            except OSError as error:
                raise _problem(error) from error
        return {
            "to": run.payload["to"],
            "message_id": run.payload["message_id"],
            "server_said": run.kept["server_said"],
        }

    def belongings(self, owner_id: OwnerKey) -> Iterable[tuple[str, Iterable[Mapping[str, Any]]]]:
        """The addresses of the account, and its sessions and second factors if the site keeps such."""
        addresses = EmailAddress.objects.filter(user=owner_id).order_by("pk")
        yield "addresses", addresses.values("email", "verified", "primary").iterator()
        if apps.is_installed("allauth.usersessions"):
            sessions = apps.get_model("usersessions", "UserSession")._default_manager.filter(user=owner_id)
            yield "sessions", sessions.order_by("pk").values("created_at", "ip", "user_agent").iterator()
        if apps.is_installed("allauth.mfa"):
            factors = apps.get_model("mfa", "Authenticator")._default_manager.filter(user=owner_id)
            yield "second_factors", factors.order_by("pk").values("type", "created_at", "last_used_at").iterator()

    def forget_owner(self, owner_id: OwnerKey) -> None:
        """Delete the mails to this person that are nobody's: those that were asked for without being signed in."""
        addresses = EmailAddress.objects.filter(user=owner_id).values_list("email", flat=True)
        lines = [mailbox(address, urgent) for address in addresses for urgent in (True, False)]
        mails = Job.objects.filter(kind=self.name, owner=None, resource__in=lines)
        for mail in mails.unfinished():
            cancel(mail.pk)
        delete(mails.values_list("pk", flat=True))


def mailbox(address: str, urgent: bool = False) -> str:
    """The resource of an address: mails to it are sent in the order in which they were accepted, urgent ones and others
    each in a line of their own.
    """
    name = f"{'urgent ' if urgent else ''}mailbox:{address.lower()}"
    return name if len(name) <= 200 else f"mailbox:{sha256(name.encode()).hexdigest()}"


def _may_have_been_sent(run: Run) -> bool:
    """Whether an earlier attempt stopped between handing the mail over and the answer, and nobody was told yet."""
    attempt = run.kept.get("sending")
    if not attempt:
        return False
    told = Job.objects.filter(
        pk=run.job_id, attempts__number__gte=attempt, attempts__error_code=OUTCOME_UNKNOWN
    ).exists()
    return not told


class _SMTP(smtplib.SMTP):
    # smtplib has no public way to give it a connection.
    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        return connect(host, port, timeout)

    def getreply(self) -> tuple[int, bytes]:
        """An answer, with a code. smtplib makes 25 of a 250 in whose midst the connection ended."""
        code, reply = super().getreply()
        if not 200 <= code < 600:
            self.close()
            raise smtplib.SMTPServerDisconnected("The answer has no code")
        return code, reply


class _SMTPOverTLS(smtplib.SMTP_SSL, _SMTP):
    pass


@contextmanager
def _mail_server() -> Iterator[smtplib.SMTP]:
    """A session with the server of EMAIL_URL: encrypted and signed in, if the settings say so. Raises OSError."""
    host, port, timeout = settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT
    if settings.EMAIL_USE_SSL:
        smtp: smtplib.SMTP = _SMTPOverTLS(
            host, port, DNS_NAME.get_fqdn(), timeout=timeout, context=ssl.create_default_context()
        )
    else:
        smtp = _SMTP(host, port, DNS_NAME.get_fqdn(), timeout=timeout)
    try:
        if settings.EMAIL_USE_TLS:
            smtp.starttls(context=ssl.create_default_context())
        smtp.ehlo_or_helo_if_needed()
        if settings.EMAIL_HOST_USER:
            smtp.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
        yield smtp
    finally:
        with suppress(OSError):
            smtp.quit()
        smtp.close()


def _send(smtp: smtplib.SMTP, run: Run) -> None:
    """One mail transaction, RFC 5321 section 3.3. Returns once the server has taken the mail."""
    message = b64decode(run.payload["message"])
    parameters = [f"SIZE={len(message)}"] if smtp.has_extn("size") else []
    if smtp.has_extn("8bitmime") and not message.isascii():
        parameters.append("BODY=8BITMIME")
    _expect(2, smtp.mail(run.payload["sender"], parameters), "sender_refused")
    _expect(2, smtp.rcpt(run.payload["to"]), "address_refused")

    run.keep(sending=run.attempt)
    try:
        _expect(3, smtp.docmd("DATA"), "message_refused")
        # A line that begins with a dot gets another one; a dot alone ends the data (section 4.5.2).
        smtp.send(re.sub(rb"(?m)^\.", b"..", message).removesuffix(b"\r\n") + b"\r\n.\r\n")
    except (OSError, JobError):
        # The line that ends the data never left, so the server has taken nothing (section 4.1.1.4).
        run.keep(sending=None)
        raise
    try:
        reply = _expect(2, smtp.getreply(), "message_refused")
    except OSError as error:
        raise _outcome_unknown() from error
    except JobError:
        run.keep(sending=None)
        raise
    run.keep(server_said=_one_line(reply))


def _expect(first_digit: int, answer: tuple[int, bytes], error_code: str) -> bytes:
    """The words of an answer whose code begins with `first_digit` (section 4.2.1). Raises JobError for any other."""
    code, reply = answer
    if code // 100 != first_digit:
        raise _refusal(code, reply, error_code)
    return reply


def _refusal(code: int, reply: bytes | str, error_code: str) -> JobError:
    """What a negative reply means: 5yz is for good, anything else may pass (section 4.2.1)."""
    words = _one_line(reply)
    said = Sentence("said", words=words.rstrip(".")) if words else "."
    if not 500 <= code < 600:
        return TryAgain("mail_server_busy", said=said)
    if error_code == "address_refused" and words.startswith("5.1.1"):
        return Failed(error_code, say="address_unknown")
    return Failed(error_code, said=said)


def _problem(error: OSError) -> JobError:
    """What it means that there was no session, or no end to it. smtplib's errors are OSErrors, too."""
    if isinstance(error, smtplib.SMTPResponseException):
        if not 500 <= error.smtp_code < 600:
            return _refusal(error.smtp_code, error.smtp_error, "")
    elif isinstance(error, smtplib.SMTPServerDisconnected) or not isinstance(
        error, smtplib.SMTPException | ssl.SSLCertVerificationError
    ):
        return TryAgain("mail_server_unreachable")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        code = "mail_sign_in_refused"
    elif isinstance(error, ssl.SSLError):
        code = "mail_server_not_trusted"
    else:
        code = "mail_server_refused"
    logger.error("%s; look at EMAIL_URL: %s", code, error)
    return Failed(code)


def _outcome_unknown() -> Failed:
    return Failed(OUTCOME_UNKNOWN)


def _one_line(reply: bytes | str) -> str:
    """A server's reply as one short line, without links: a filter may quote one from the mail, and that is a secret."""
    text = reply.decode(errors="replace") if isinstance(reply, bytes) else reply
    text = re.sub(r"\b\w+://\S+", "…", text)
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text if len(text) <= 200 else text[:199] + "…"
