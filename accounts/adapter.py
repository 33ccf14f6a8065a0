"""How django-allauth sends its mails here: as jobs of whoever asked for them.

A mail's job tells nobody whether its address has an account. It belongs to the session (or to the user who is signed
in), never to the account that the address may have; its title, states and result are the same either way.
https://docs.allauth.org/en/latest/account/advanced.html#admin
"""

from datetime import datetime, timedelta
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.password_reset import get_reset_password_url
from allauth.core.internal import ratelimit
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ValidationError
from django.core.mail import get_connection
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.security import tell_of_guess
from jobs.contract import Job, jobs_of, visitor_of
from jobs.kinds.email.backend import JobEmailBackend, recipient
from jobs.kinds.email.kind import mailbox

SESSION_KEY = "offload_newest_mail"
NOTICE = "is_notice"
"""In the context of a mail that only tells of a change."""
ALLAUTH = "allauth.account"
GUESSES_FROM_SOURCE, GUESSES_ANYWHERE = "login_failed_from_source", "login_failed_anywhere"
"""Limits in ACCOUNT_RATE_LIMITS."""


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth comes without types
    """Remembers the newest mail of a session, so that its pages can show the job; and counts guesses by their source.

    allauth counts wrong passwords for an address wherever they come from (`login_failed`), so that a few from anywhere
    keep its owner out. Here that limit is for an address and a source together, and GUESSES_ANYWHERE for the address.
    What a source may guess has a limit of its own, which a right code of some account's second factor does not clear.
    """

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
        """Render the mail and hand it over as a job of this request's user or session.

        Somebody waits for it in front of the page, unless it only tells of a change.
        """
        request: HttpRequest = self.request
        message = self.render_mail(
            template_prefix,
            email,
            {"request": request, "email": email, "current_site": get_current_site(request), **context},
        )
        mine = {"owner": request.user} if request.user.is_authenticated else {"visitor": visitor_of(request)}
        waited_for = NOTICE not in context
        message.connection = get_connection(urgent=waited_for, **mine)
        message.send()
        if waited_for and isinstance(message.connection, JobEmailBackend):
            request.session[SESSION_KEY] = str(message.connection.jobs[-1].pk)

    def send_notification_mail(
        self,
        template_prefix: str,
        user: AbstractBaseUser,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Tell somebody of a change to their account, and what to do if it was not theirs."""
        told = {NOTICE: True, "password_reset_url": get_reset_password_url(self.request), **(context or {})}
        super().send_notification_mail(template_prefix, user, told, email)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count a guess, which success takes back. Raises ValidationError after too many."""
        try:
            super().pre_authenticate(request, **credentials)
            # Only after its own limits have let it through: one source alone must not use up what all have together.
            address = super()._get_login_attempts_cache_key(request, **credentials)
            for action in (GUESSES_FROM_SOURCE, GUESSES_ANYWHERE):
                counted = ratelimit.consume(request, app=ALLAUTH, action=action, key=address)
                if not counted:
                    raise self.validation_error("too_many_login_attempts")
                self._login_failed_rl_usage.usage += counted.usage
        except ValidationError:
            tell_of_guess("too many guesses", request, credentials)
            raise

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        return f"{super()._get_login_attempts_cache_key(request, **credentials)} {ratelimit.get_ip(request)}"

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """Whoever set a new password with the link of a mail may sign in, whatever others have guessed."""
        super()._delete_login_attempts_cached_email(request, **credentials)
        address = super()._get_login_attempts_cache_key(request, **credentials)
        ratelimit.clear(request, app=ALLAUTH, action=GUESSES_ANYWHERE, key=address)


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
    rates = ratelimit.parse_rates(app_settings.RATE_LIMITS.get("confirm_email"))
    pause = min((rate.duration for rate in rates), default=0)
    moment = mail.created_at + timedelta(seconds=pause)
    return moment if moment > timezone.now() else None
