"""Second factors (django-allauth's MFA) as this site keeps, asks for and demands them.

https://docs.allauth.org/en/latest/mfa/index.html
"""

import ipaddress
import logging
from urllib.parse import urlsplit

import qrcode
from allauth.account.authentication import get_authentication_records
from allauth.core.internal import ratelimit
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from cryptography.fernet import InvalidToken
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.utils.translation import gettext as _
from encrypted_fields.fields import EncryptedTextField
from qrcode.image.svg import SvgPathFillImage

from accounts.adapter import ALLAUTH
from jobs.contract import options

logger = logging.getLogger(__name__)

_FIELD = EncryptedTextField()
"""Encrypts as the columns of jobs do. One for all: deriving its keys takes a while."""
MOST_PASSKEYS = 20
"""Of one account."""


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth comes without types
    """Keeps secrets encrypted, and gives passkeys their names and apps a picture that is seen on a dark page, too."""

    def encrypt(self, text: str) -> str:
        """A secret (of an authenticator app, or that of which recovery codes are made) as the database keeps it."""
        return str(_FIELD.get_prep_value(text))

    def decrypt(self, encrypted_text: str) -> str:
        """The secret. One that can't be read any more becomes another, of which no code is known."""
        try:
            return str(_FIELD.f.decrypt(encrypted_text.encode()).decode())
        except InvalidToken:
            logger.warning("A second factor can't be read: SECRET_KEY or SALT_KEY was changed since it was set up.")
            return generate_totp_secret()  # type: ignore[no-any-return]

    def build_totp_svg(self, url: str) -> str:
        """The QR code of an app's address, on a ground of its own."""
        picture: bytes = qrcode.make(url, image_factory=SvgPathFillImage).to_string()
        return picture.decode()

    def generate_authenticator_name(self, user: AbstractBaseUser, type: Authenticator.Type) -> str:
        """What a new passkey is called if nobody names it."""
        return _("Passkey %(number)s") % {"number": Authenticator.objects.filter(user=user, type=type).count() + 1}


def are_passkeys_possible(request: HttpRequest) -> bool:
    """Whether browsers have passkeys under the address of this page: over HTTPS or on localhost, and under a name.

    https://www.w3.org/TR/webauthn-3/#rp-id
    """
    host = urlsplit(f"//{request.get_host()}").hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return request.is_secure() or host == "localhost" or host.endswith(".localhost")
    return False


def used_in(request: HttpRequest) -> bool:
    """Whether whoever is signed in has shown a second factor in this session."""
    return any(record["method"] == "mfa" for record in get_authentication_records(request, request.user))


def may_enter_admin(request: HttpRequest) -> bool:
    """Whether the admin, and what else is for staff, is open: `AdminSite.has_permission` of this site."""
    user = request.user
    is_staff = bool(user.is_active and getattr(user, "is_staff", False))
    return is_staff and (used_in(request) or not options.STAFF_SECOND_FACTOR)


def forget_guesses(request: HttpRequest, user: AbstractBaseUser) -> None:
    """Let the owner in again, whatever codes others have tried with the password that is no more."""
    ratelimit.clear(request, app=ALLAUTH, action="login_failed", key=f"mfa-auth-user-{user.pk}")
