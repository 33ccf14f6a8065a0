"""The Django app of the arithmetic kind."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class ArithmeticConfig(AppConfig):
    """Registers the kind."""

    name = "jobs.kinds.arithmetic"
    label = "arithmetic"
    verbose_name = gettext_lazy("Arithmetic")

    def ready(self) -> None:
        """Make the kind known to the core."""
        from jobs.contract import register
        from jobs.kinds.arithmetic.kind import ArithmeticKind

        register(ArithmeticKind())
