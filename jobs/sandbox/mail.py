"""The mail catcher: an SMTP server that keeps every mail in a Maildir, and the reading of that folder.

Some addresses ask for a failure, at any domain and also as `nobody+anything@…`:
nobody (550 5.1.1, no such address), full (452 4.2.2, mailbox full), greylist (450 4.7.1 at a message's first try,
accepted afterwards), slow (accepted after a few seconds). https://www.rfc-editor.org/rfc/rfc3463
"""

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from mailbox import Maildir
from pathlib import Path
from socket import socket

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, Envelope, Session

from ..conf import options

SLOW_SECONDS = 3
REFUSED = {
    "nobody": "550 5.1.1 No such address here",
    "full": "452 4.2.2 The mailbox is full",
}
GREYLISTED = "450 4.7.1 Greylisted: try again later"


def folder() -> Path:
    """The Maildir."""
    return options.VAR_DIR / "mail"


def _wish(address: str) -> str:
    """What an address asks for: its local part in lower case, without what follows a plus sign."""
    return address.rpartition("@")[0].partition("+")[0].lower()


class Catcher(Mailbox):
    """aiosmtpd's handler that delivers into a Maildir, with the addresses that ask for a failure.

    https://aiosmtpd.aio-libs.org/en/latest/handlers.html
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._seen: set[tuple[str, str]] = set()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept or refuse one recipient."""
        if refusal := REFUSED.get(_wish(address)):
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep one message. Greylisting waits for this step, since only here it is known which message it is."""
        wishes = {_wish(address) for address in envelope.rcpt_tos}
        if "greylist" in wishes:
            message_id = str(message_from_bytes(envelope.original_content or b"").get("Message-ID", ""))
            tries = {(message_id, address) for address in envelope.rcpt_tos}
            if not tries <= self._seen:
                self._seen |= tries
                return GREYLISTED
        if "slow" in wishes:
            await asyncio.sleep(SLOW_SECONDS)
        answer: str = await super().handle_DATA(server, session, envelope)
        return answer


async def serve(listener: socket) -> None:
    """Catch the mail that comes to a listening socket, until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    catcher = Catcher(folder())
    server = await loop.create_server(
        lambda: SMTP(catcher, hostname="sandbox.localhost", ident="mail catcher", enable_SMTPUTF8=True, loop=loop),
        sock=listener,
    )
    ended = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, ended.set)
    await ended.wait()
    server.close()


@dataclass(frozen=True)
class Mail:
    """A caught mail. `key` names it in the Maildir."""

    key: str
    caught_at: datetime
    message: EmailMessage

    @property
    def subject(self) -> str:
        """Its subject, or a stand-in."""
        return self.header("Subject") or "(no subject)"

    @property
    def sender(self) -> str:
        """The From header."""
        return self.header("From")

    @property
    def recipients(self) -> str:
        """The addresses it was really sent to (the envelope's), which may differ from the To header."""
        return self.header("X-RcptTo")

    def header(self, name: str) -> str:
        """A decoded header, "" where it is missing or can't be read."""
        return dict(self.headers).get(name, "")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All headers, decoded. What can't be decoded is shown as it came."""
        return [(name, _decoded(name, value)) for name, value in self.message.raw_items()]

    @property
    def text(self) -> str:
        """The text to show: the plain part, else the source of the HTML part, else ""."""
        part = self.message.get_body(("plain", "html"))
        if part is None:
            return ""
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes):
            return ""
        try:
            return payload.decode(part.get_content_charset("utf-8"), errors="replace")
        except LookupError:
            return payload.decode("utf-8", errors="replace")

    @property
    def attachments(self) -> list[str]:
        """Names of the attached files."""
        return [part.get_filename() or part.get_content_type() for part in self.message.iter_attachments()]


def _decoded(name: str, value: object) -> str:
    """A header's value in words."""
    try:
        return str(policy.default.header_fetch_parse(name, str(value)))
    except (ValueError, LookupError, IndexError, TypeError):  # the parser gives up on some malformed headers
        return str(value)


def caught(limit: int = 200) -> Iterator[Mail]:
    """The newest mails, newest first, at most `limit`."""
    box = Maildir(folder())
    times = {key: (folder() / "new" / key).stat().st_mtime_ns for key in box.keys()}  # noqa: SIM118 (no dict)
    for key in sorted(times, key=times.__getitem__, reverse=True)[:limit]:
        yield _read(box, key)


def find(key: str) -> Mail | None:
    """The mail of that key, or None."""
    box = Maildir(folder())
    return _read(box, key) if key in box else None


def _read(box: Maildir, key: str) -> Mail:
    """Parse one mail of the box, which is known to be there."""
    written = (folder() / "new" / key).stat().st_mtime
    message = message_from_bytes(box.get_bytes(key), policy=policy.default)
    return Mail(key, datetime.fromtimestamp(written, UTC), message)
