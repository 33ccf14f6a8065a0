"""The e-mail kind as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class EmailConfig(AppConfig):
    """Registers the kind."""

    name = "jobs.kinds.email"
    label = "email"
    verbose_name = gettext_lazy("E-mail")

    def ready(self) -> None:
        """Make the kind known."""
        from jobs.contract import register
        from jobs.kinds.email.kind import EmailKind

        register(EmailKind())
