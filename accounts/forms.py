"""The forms of sign-up and of the forgotten password (ACCOUNT_FORMS), and those of passkeys (MFA_FORMS)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.account import forms
from allauth.account.models import EmailAddress
from allauth.core.ratelimit import consume
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn import forms as passkeys
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.forms import BooleanField, CharField, HiddenInput, JSONField
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.second_factor import MOST_PASSKEYS
from accounts.unconfirmed import keep_password, wait_anew, waiting_account

LONGEST_NAME = 100
"""Characters of a passkey's name."""
LONGEST_CREDENTIAL = 20_000
"""Characters of what a browser sends of a passkey; some hundred are usual."""


class SignupForm(forms.SignupForm):  # type: ignore[misc]  # allauth comes without types
    """allauth's form, for which an address is taken once it is confirmed.

    It answers the same whether or not the address is taken, and takes as long: hashing the password is what takes time.
    """

    def validate_unique_email(self, value: str) -> str:
        """Note whether the address is taken. Returns it."""
        email: str = super().validate_unique_email(value)
        self.account_already_exists = EmailAddress.objects.is_verified(email)
        return email

    def try_save(self, request: HttpRequest) -> Any:
        """Make the account, or (if the address is taken) hash the password all the same."""
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])
        return super().try_save(request)

    def save(self, request: HttpRequest) -> Any:
        """The account that waits for the address, made if there is none. The password stays with the session."""
        hashed = make_password(self.cleaned_data.pop("password1"))
        user = waiting_account(self.cleaned_data["email"])
        if user is None:
            user = super().save(request)
        else:
            wait_anew(user)
        keep_password(request, user, hashed)
        return user


class ResetPasswordForm(forms.ResetPasswordForm):  # type: ignore[misc]  # allauth comes without types
    """allauth's form, for the accounts that have confirmed the address: to others it opens no way.

    Whoever asks, a mailbox gets no more mails than ACCOUNT_RATE_LIMITS says of `reset_password_mail`.
    """

    def clean_email(self) -> str:
        """Find the accounts. Returns the address."""
        email: str = super().clean_email()
        self.users = [user for user in EmailAddress.objects.get_users_for(email) if user.is_active]
        return email

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Have the mail sent, unless that mailbox had enough of them. Returns the address."""
        email: str = self.cleaned_data["email"]
        if consume(request, action="reset_password_mail", key=email.lower()):
            super().save(request, **kwargs)
        return email


@contextmanager
def _understood() -> Iterator[None]:
    """What a browser sends of a passkey is bytes in a text in JSON: all that can't be read is no right answer."""
    try:
        yield
    except ValidationError:
        raise
    except Exception as error:  # whatever a parser makes of the bytes of a stranger
        raise get_adapter().validation_error("incorrect_code") from error


class CredentialField(JSONField):
    """What the browser's authenticator answered: an object in JSON, which a script fills in."""

    widget = HiddenInput

    def to_python(self, value: Any) -> Any:
        """The object. Raises ValidationError."""
        with _understood():
            if len(str(value)) > LONGEST_CREDENTIAL or not isinstance(found := super().to_python(value) or {}, dict):
                raise ValueError
        return found


class AddPasskeyForm(passkeys.AddWebAuthnForm):  # type: ignore[misc]  # allauth comes without types
    """A new passkey."""

    name = CharField(
        label=gettext_lazy("Name"),
        required=False,
        max_length=LONGEST_NAME,
        help_text=gettext_lazy("By which you know it again: “My telephone”, say."),
    )
    passwordless = BooleanField(
        label=gettext_lazy("Sign in with it alone, without the password"),
        required=False,
        initial=True,
        help_text=gettext_lazy("It then has to ask you for a PIN, a fingerprint or the like. Some small keys can’t."),
    )
    credential = CredentialField()

    def clean(self) -> dict[str, Any]:
        """Check what the authenticator answered."""
        if Authenticator.objects.filter(user=self.user, type=Authenticator.Type.WEBAUTHN).count() >= MOST_PASSKEYS:
            said = _("An account has %(most)s passkeys at most. Remove one that you no longer use.")
            raise ValidationError(said % {"most": MOST_PASSKEYS})
        with _understood():
            return super().clean()  # type: ignore[no-any-return]


class EditPasskeyForm(passkeys.EditWebAuthnForm):  # type: ignore[misc]  # allauth comes without types
    """Another name for a passkey."""

    name = CharField(label=gettext_lazy("Name"), max_length=LONGEST_NAME)


class AuthenticatePasskeyForm(passkeys.AuthenticateWebAuthnForm):  # type: ignore[misc]  # allauth comes without types
    """A passkey as the second factor of a sign-in."""

    credential = CredentialField()

    def clean_credential(self) -> Authenticator:
        """Check what the authenticator answered. Returns the passkey's row."""
        with _understood():
            return super().clean_credential()


class LoginPasskeyForm(passkeys.LoginWebAuthnForm, AuthenticatePasskeyForm):  # type: ignore[misc]  # allauth has no types
    """A passkey alone, which names the account."""


class ReauthenticatePasskeyForm(passkeys.ReauthenticateWebAuthnForm, AuthenticatePasskeyForm):  # type: ignore[misc]
    """A passkey in place of the password that is asked for once more."""
