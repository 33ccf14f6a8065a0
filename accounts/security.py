"""What happens to accounts, as lines of the log `accounts.security`: who, from where, and what.

Whoever watches over the site filters by that name: INFO is what worked, WARNING what was refused. No line holds a
password, a code or a key. An address stands as it was typed, quoted, since anybody can type anything.
"""

import logging
from typing import Any

from allauth.account import signals
from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.account.models import EmailAddress
from allauth.mfa import signals as mfa_signals
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest

logger = logging.getLogger(__name__)

LONGEST = 254
"""Characters of what was typed as an address that a line shows."""


def tell(what: str, request: HttpRequest | None, user: Any = None, *, level: int = logging.INFO, **more: Any) -> None:
    """Write a line. user: whose account it is, if that is known. more: further facts, none of them a secret."""
    facts = {"user": getattr(user, "pk", None) or "-", "source": _source(request), **more}
    logger.log(level, "%s: %s", what, " ".join(f"{name}={value}" for name, value in facts.items()))


def tell_of_guess(what: str, request: HttpRequest | None, credentials: dict[str, Any]) -> None:
    """Write a line about a sign-in that was refused, for whichever address."""
    typed = str(credentials.get("email") or credentials.get("username") or "")
    tell(what, request, level=logging.WARNING, address=ascii(typed[:LONGEST]))


def _source(request: HttpRequest | None) -> str:
    if request is None:
        return "-"
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:  # behind a proxy that names no client
        return "-"


@receiver(user_logged_in)
def _signed_in(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    records = get_authentication_records(request, user) if hasattr(request, "session") else []
    tell("signed in", request, user, by="+".join(_way(record) for record in records) or "-")


def _way(record: dict[str, Any]) -> str:
    return str(record.get("type") or record["method"])


@receiver(user_logged_out)
def _signed_out(request: HttpRequest, user: AbstractBaseUser | None, **_: Any) -> None:
    if user is not None:
        tell("signed out", request, user)


@receiver(user_login_failed)
def _refused(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    tell_of_guess("wrong password", request, credentials)


@receiver(mfa_signals.authentication_failed)
def _wrong_code(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    tell("wrong code", request, user, level=logging.WARNING)


@receiver(signals.user_signed_up)
def _signed_up(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    tell("signed up", request, user)


@receiver(signals.password_changed)
@receiver(signals.password_reset)
def _new_password(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    tell("new password", request, user)


@receiver(signals.email_confirmed)
def _confirmed(request: HttpRequest, email_address: EmailAddress, **_: Any) -> None:
    tell("address confirmed", request, email_address.user)


@receiver(signals.email_added)
@receiver(signals.email_removed)
@receiver(signals.email_changed)
def _addresses(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    tell("addresses changed", request, user)


@receiver(mfa_signals.authenticator_added)
@receiver(mfa_signals.authenticator_reset)
def _factor_added(request: HttpRequest, user: AbstractBaseUser, authenticator: Authenticator, **_: Any) -> None:
    tell("second factor added", request, user, type=authenticator.type)


@receiver(mfa_signals.authenticator_removed)
def _factor_removed(request: HttpRequest, user: AbstractBaseUser, authenticator: Authenticator, **_: Any) -> None:
    tell("second factor removed", request, user, type=authenticator.type)
