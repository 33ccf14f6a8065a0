"""Sign-up and sign-in as a Django app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Brings the account pages' templates and tags."""

    name = "accounts"
    label = "offload_accounts"

    def ready(self) -> None:
        """Listen to allauth's signals, and register the system checks."""
        from accounts import checks, notices, security, unconfirmed  # noqa: F401
