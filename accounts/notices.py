"""The mail about a change of which allauth tells nobody by itself: a new address."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.account.signals import email_added
from django.contrib.auth.models import AbstractBaseUser
from django.dispatch import receiver
from django.http import HttpRequest


@receiver(email_added)
def _tell_of_a_new_address(request: HttpRequest, user: AbstractBaseUser, email_address: EmailAddress, **_: Any) -> None:
    """Tell the main address, before the new one is confirmed."""
    get_adapter().send_notification_mail("account/email/email_added", user, {"added_email": email_address.email})
