"""The sign-up form (ACCOUNT_FORMS)."""

from typing import Any

from allauth.account import forms
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest


class SignupForm(forms.SignupForm):  # type: ignore[misc]  # allauth comes without types
    """allauth's form, which answers the same whether or not the address is taken; this one takes as long, too."""

    def try_save(self, request: HttpRequest) -> Any:
        """Make the account, or (if the address has one) hash the password all the same: that is what takes time."""
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])
        return super().try_save(request)
