"""The Django app of the arithmetic kind."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class ArithmeticConfig(AppConfig):
    """Registers the kind."""

    name = __name__.rpartition(".")[0]
    label = "offload_arithmetic"
    verbose_name = gettext_lazy("Arithmetic")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the kind known to the core."""
        from ...contract import register
        from .kind import ArithmeticKind

        register(ArithmeticKind())
