"""An address that nobody has confirmed belongs to nobody, whoever signed up with it first.

Until then its account has no password: what was typed at sign-up is kept, hashed, in the session of that sign-up alone.
Every sign-up with the address waits for the same account. Whoever confirms takes their own password along, or has to
choose one, so no password and no session of anybody else outlives the confirmation.
https://msrc.microsoft.com/blog/2022/05/pre-hijacking-attacks/
"""

from datetime import timedelta
from importlib import import_module
from typing import Any

from allauth.account.utils import has_verified_email
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, make_password
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from accounts.security import tell
from jobs.contract import installed_kinds, options, tidying

SESSION_KEY = "offload_sign_up"
BATCH = 100
"""The most accounts that are deleted in one go."""


def waiting_account(email: str) -> AbstractBaseUser | None:
    """The account that waits for this address (in lower case) and has confirmed no other, or None."""
    users = get_user_model()._default_manager.filter(email=email, is_active=True)
    return users.exclude(emailaddress__verified=True).order_by("pk").first()


def wait_anew(user: Any) -> None:
    """Somebody signed up again for this waiting account: its time begins anew."""
    user.date_joined = timezone.now()
    user.save(update_fields=["date_joined"])


def keep_password(request: HttpRequest, user: AbstractBaseUser, hashed: str) -> None:
    """Keep what this session's sign-up chose until the session confirms the address."""
    request.session[SESSION_KEY] = [str(user.pk), hashed]


def hand_over(request: HttpRequest, user: AbstractBaseUser, *, signed_up_here: bool) -> None:
    """Give the account to whoever confirms its first address.

    signed_up_here: in this session somebody signed up, or signed in with the account's password. They keep theirs. For
    anybody else there is none any more, and a changed password ends all sessions of the account.
    https://docs.djangoproject.com/en/5.2/topics/auth/default/#session-invalidation-on-password-change
    """
    pk, hashed = request.session.pop(SESSION_KEY, ("", ""))
    if not signed_up_here:
        user.password = make_password(None)
    elif pk == str(user.pk):
        user.password = hashed
    user.save(update_fields=["password"])


@receiver(tidying)
def forget_what_has_run_out(**_: Any) -> None:
    """Delete sessions that have run out, and sign-ups that waited for UNCONFIRMED_DAYS, with the jobs of their mails.

    Whoever opens the link of such a mail is told to sign up again.
    """
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    if options.UNCONFIRMED_DAYS:
        before = timezone.now() - timedelta(days=options.UNCONFIRMED_DAYS)
        # An account from the admin or the shell has a password, or no address that would wait.
        waiting = get_user_model()._default_manager.filter(
            date_joined__lt=before,
            last_login=None,
            password__startswith=UNUSABLE_PASSWORD_PREFIX,
            emailaddress__verified=False,
        )
        late = waiting.exclude(emailaddress__verified=True).order_by("date_joined", "pk").values_list("pk", flat=True)
        for pk in list(late[:BATCH]):
            _forget(pk)


@transaction.atomic
def _forget(pk: Any) -> None:
    """Delete the account, unless somebody has just confirmed it."""
    user = get_user_model()._default_manager.select_for_update().filter(pk=pk).first()
    if user is not None and not has_verified_email(user):
        for kind in installed_kinds():
            kind.forget_owner(pk)
        tell("forgotten, as nobody confirmed the address", None, user)
        user.delete()
