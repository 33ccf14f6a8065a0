"""The e-mail kind as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class EmailConfig(AppConfig):
    """Registers the kind."""

    name = __name__.rpartition(".")[0]
    label = "offload_email"
    verbose_name = gettext_lazy("E-mail")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the kind known."""
        from ...contract import register
        from .kind import EmailKind

        register(EmailKind())
