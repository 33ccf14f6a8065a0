"""An address that nobody has confirmed belongs to nobody, whoever signed up with it first.

Until then its account has no password: what was typed at sign-up is kept, hashed, in the session of that sign-up alone.
Every sign-up with the address waits for the same account. Whoever confirms takes their own password along, or has to
choose one, so no password and no session of anybody else outlives the confirmation.
https://msrc.microsoft.com/blog/2022/05/pre-hijacking-attacks/
"""

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest

SESSION_KEY = "offload_sign_up"


def waiting_account(email: str) -> AbstractBaseUser | None:
    """The account that waits for this address (in lower case) and has confirmed no other, or None."""
    users = get_user_model()._default_manager.filter(email=email, is_active=True)
    return users.exclude(emailaddress__verified=True).order_by("pk").first()


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
