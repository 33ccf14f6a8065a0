"""The lab as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class LabConfig(AppConfig):
    """Registers the lab's runs and the steps that they are made of."""

    name = "jobs.kinds.lab"
    label = "lab"
    verbose_name = gettext_lazy("Lab")

    def ready(self) -> None:
        """Make the kinds known to the core."""
        from jobs.contract import register
        from jobs.kinds.lab import steps
        from jobs.kinds.lab.kind import LabKind

        for kind in (LabKind(), steps.Operation(), steps.Addition(), steps.Comparison(), steps.Call()):
            register(kind)
