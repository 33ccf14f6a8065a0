"""The forms of sign-up and of the forgotten password (ACCOUNT_FORMS)."""

from typing import Any

from allauth.account import forms
from allauth.account.models import EmailAddress
from allauth.core.ratelimit import consume
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from accounts.unconfirmed import keep_password, waiting_account


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
        user = waiting_account(self.cleaned_data["email"]) or super().save(request)
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
