"""How django-allauth sends its mails here: as jobs of whoever asked for them.

A mail's job tells nobody whether its address has an account. It belongs to the session (or to the user who is signed
in), never to the account that the address may have; its title, states and result are the same either way.
https://docs.allauth.org/en/latest/account/advanced.html#admin
"""

from datetime import datetime, timedelta
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal.ratelimit import parse_rates
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ValidationError
from django.core.mail import get_connection
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs.contract import Job, jobs_of, visitor_of
from jobs.kinds.email.backend import JobEmailBackend, recipient
from jobs.kinds.email.kind import mailbox

SESSION_KEY = "offload_newest_mail"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth comes without types
    """Remembers the newest mail of a session, so that its pages can show the job."""

    def clean_email(self, email: str) -> str:
        """Refuse at the form's field what the backend would refuse. Raises ValidationError."""
        cleaned: str = super().clean_email(email)
        try:
            recipient(cleaned)
        except ValueError:
            text = _("We can't send mail to this address. Please check it, or use another one.")
            raise ValidationError(text) from None
        return cleaned

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Render the mail and hand it over as a job of this request's user or session."""
        request: HttpRequest = self.request
        message = self.render_mail(
            template_prefix,
            email,
            {"request": request, "email": email, "current_site": get_current_site(request), **context},
        )
        mine = {"owner": request.user} if request.user.is_authenticated else {"visitor": visitor_of(request)}
        message.connection = get_connection(urgent=True, **mine)
        message.send()
        if isinstance(message.connection, JobEmailBackend):
            request.session[SESSION_KEY] = str(message.connection.jobs[-1].pk)


def newest_mail(request: HttpRequest) -> Job | None:
    """The job of the mail that this session asked for last, or None."""
    if job_id := request.session.get(SESSION_KEY):
        return jobs_of(request).filter(pk=job_id).first()
    return None


def next_mail_from(request: HttpRequest, address: str = "") -> datetime | None:
    """From when on the newest mail of this session may be sent again (allauth's limit); None if it may now.

    address: only if it went there.
    """
    mail = newest_mail(request)
    if mail is None or (address and mail.resource != mailbox(address, urgent=True)):
        return None
    pause = max((rate.duration for rate in parse_rates(app_settings.RATE_LIMITS.get("confirm_email"))), default=0)
    moment = mail.created_at + timedelta(seconds=pause)
    return moment if moment > timezone.now() else None
