"""The app of the kinds that handle all of a person's data."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class PersonalConfig(AppConfig):
    """Registers the kinds."""

    name = "jobs.kinds.personal"
    label = "personal"
    verbose_name = gettext_lazy("Personal data")

    def ready(self) -> None:
        """Make the kinds known."""
        from jobs.contract import register
        from jobs.kinds.personal.erasure import ErasureKind
        from jobs.kinds.personal.export import ExportKind

        register(ExportKind())
        register(ErasureKind())
