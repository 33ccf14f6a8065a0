"""A real SMTP server on loopback that answers as a test tells it to."""

import asyncio
import ssl
from collections import defaultdict
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from jobs.sandbox.services import free_port

HANG = "hang"
DROP = "drop"


@dataclass
class Mail:
    """A mail whose data arrived, whether or not the server then said so."""

    sender: str
    recipient: str
    options: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def body(self) -> str:
        part = self.message.get_body(("plain",))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")


@dataclass
class MailServer:
    """`answers["RCPT"] = ["450 later"]`: the next RCPT gets that answer, and those after it are accepted.

    HANG and DROP in place of an answer: none ever comes, or the connection is closed instead.
    """

    answers: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    mails: list[Mail] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    password: str = ""
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        options: dict[str, Any] = {"tls_context": self.tls, "require_starttls": bool(self.tls)}
        if self.password:
            options |= {"authenticator": self._sign_in, "auth_required": True, "auth_require_tls": False}
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    @property
    def recipients(self) -> list[str]:
        return [mail.recipient for mail in self.mails]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return await self._answer("MAIL", server, "250 2.1.0 sender ok")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self._answer("RCPT", server, "250 2.1.5 recipient ok")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert envelope.mail_from is not None
        assert isinstance(envelope.content, bytes)
        (recipient,) = envelope.rcpt_tos
        self.mails.append(Mail(envelope.mail_from, recipient, list(envelope.mail_options), envelope.content))
        return await self._answer("DATA", server, "250 2.0.0 taken as 4711")

    async def _answer(self, verb: str, server: SMTP, accept: str) -> str:
        self.seen.append(verb)
        answer = self.answers[verb].pop(0) if self.answers[verb] else accept
        if answer == HANG:
            await asyncio.Event().wait()
        if answer == DROP:
            assert server.transport is not None
            server.transport.close()
        return answer

    def _sign_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and data.password == self.password.encode()
        return AuthResult(success=right, handled=False)
