"""The app of the kinds that handle all of a person's data."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class PersonalConfig(AppConfig):
    """Registers the kinds."""

    name = __name__.rpartition(".")[0]
    label = "offload_personal"
    verbose_name = gettext_lazy("Personal data")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the kinds known."""
        from ...contract import register
        from .erasure import ErasureKind
        from .export import ExportKind

        register(ExportKind())
        register(ErasureKind())
