"""The lab as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class LabConfig(AppConfig):
    """Registers the lab's runs and the steps that they are made of."""

    name = __name__.rpartition(".")[0]
    label = "offload_lab"
    verbose_name = gettext_lazy("Lab")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the kinds known to the core."""
        from ...contract import register
        from . import steps
        from .kind import LabKind

        for kind in (LabKind(), steps.Operation(), steps.Addition(), steps.Comparison(), steps.Call()):
            register(kind)
