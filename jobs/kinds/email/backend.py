"""The site's e-mail backend (EMAIL_BACKEND): every mail that Django sends becomes a job, and a worker sends it.

https://docs.djangoproject.com/en/5.2/topics/email/#defining-a-custom-email-backend
"""

import logging
from base64 import b64encode
from collections.abc import Sequence
from contextvars import ContextVar
from email.utils import parseaddr
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import sanitize_address
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from ...contract import Job, Submission, submit
from .kind import EmailKind, mailbox

logger = logging.getLogger(__name__)

LONGEST = 254
"""Characters of an address, https://www.rfc-editor.org/errata/eid1690; the accounts' columns have room for as many."""

_accepting: ContextVar[bool] = ContextVar("accepting", default=False)


class JobEmailBackend(BaseEmailBackend):
    """Accepts each message as jobs, one for each recipient, so that one refused address does not touch the others.

    owner, visitor: whose the jobs are; hand them to `get_connection`. Without them they are nobody's: staff see them.
    urgent: somebody sits in front of a page and waits for the mails, so nothing else goes before them.
    jobs: what this instance has accepted, in order.
    """

    def __init__(
        self,
        fail_silently: bool = False,
        *,
        owner: AbstractBaseUser | None = None,
        visitor: str = "",
        urgent: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(fail_silently=fail_silently, **kwargs)
        self.owner = owner
        self.visitor = visitor
        self.urgent = urgent
        self.jobs: list[Job] = []

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Accept the messages. Returns how many were.

        Raises ValueError if a message can't be sent as it is (an address that is none or more than one, a line break in
        a header); with `fail_silently` nothing is raised, whatever happens.
        """
        if _accepting.get():
            # Something below was logged, and the log mails that to the admins. Without this it would go round for ever.
            return 0
        token = _accepting.set(True)
        try:
            return sum(self._accept(message) for message in email_messages)
        finally:
            _accepting.reset(token)

    def _accept(self, message: EmailMessage) -> bool:
        try:
            wanted = _submissions(message, self.urgent)
            if wanted:
                self.jobs += submit(EmailKind(), wanted, owner=self.owner, visitor=self.visitor).jobs
        except Exception:  # fail_silently means every error
            if not self.fail_silently:
                raise
            logger.warning("A mail could not be accepted.", exc_info=True)
            return False
        return bool(wanted)


def _submissions(message: EmailMessage, urgent: bool) -> list[Submission]:
    """One job for each address in To, Cc and Bcc. All carry the same message, with one Message-ID."""
    recipients = list(dict.fromkeys(recipient(text) for text in message.recipients()))
    content = message.message()
    as_sent = content.as_bytes(linesep="\r\n")  # type: ignore[call-arg]  # Django's subclass takes it
    payload = {
        "message": b64encode(as_sent).decode(),
        "message_id": str(content["Message-ID"]),
        "sender": _bare_address(message.from_email),
    }
    return [
        Submission(
            payload={**payload, "to": address},
            title=_("E-mail to %(address)s") % {"address": address},
            resource=mailbox(address, urgent),
            urgent=urgent,
        )
        for address in recipients
    ]


def _bare_address(text: str) -> str:
    """`Ann <ann@example.org>` → `ann@example.org`. Raises ValueError if the text is not exactly one address."""
    return parseaddr(sanitize_address(text, "utf-8"))[1]


def recipient(text: str) -> str:
    """The bare address of a recipient, checked. Raises ValueError if it is none, or more than one."""
    address = _bare_address(text)
    try:
        validate_email(address)
    except ValidationError:
        raise ValueError(f"{address!r} is not an e-mail address.") from None
    if len(address) > LONGEST:
        raise ValueError(f"An e-mail address has {LONGEST} characters at most.")
    if "=?" in address + parseaddr(str(text))[1]:
        # An encoded word. It hides another mailbox, and Django writes so what is not ASCII before the @.
        raise ValueError("The part of an e-mail address before the @ must be plain letters, digits and signs.")
    return address
