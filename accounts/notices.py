"""What follows from changes to an account of which allauth does nothing by itself: mails, and the end of sessions."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.account.signals import email_added, password_reset
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_used
from allauth.usersessions.internal.flows.sessions import end_other_sessions
from django.contrib.auth.models import AbstractBaseUser
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.second_factor import forget_guesses


@receiver(email_added)
def _tell_of_a_new_address(request: HttpRequest, user: AbstractBaseUser, email_address: EmailAddress, **_: Any) -> None:
    """Tell the main address, before the new one is confirmed."""
    get_adapter().send_notification_mail("account/email/email_added", user, {"added_email": email_address.email})


@receiver(authenticator_added)
def _end_sessions_without_it(
    request: HttpRequest, user: AbstractBaseUser, authenticator: Authenticator, **_: Any
) -> None:
    """No session goes on that began without the new factor. (Recovery codes come with another one.)"""
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        end_other_sessions(request, user)


@receiver(authenticator_used)
def _tell_of_a_recovery_code(
    request: HttpRequest, user: AbstractBaseUser, authenticator: Authenticator, **_: Any
) -> None:
    """Tell that a code was used, and how many are left."""
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        authenticator.refresh_from_db()
        left = {"left": len(authenticator.wrap().get_unused_codes())}
        get_adapter().send_notification_mail("mfa/email/recovery_code_used", user, left)


@receiver(password_reset)
def _let_the_owner_in(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    """The second factor can't be guessed at any more by those who knew the old password."""
    forget_guesses(request, user)
