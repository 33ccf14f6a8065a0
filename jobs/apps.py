"""The core as a Django app."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Jobs: rows, lifecycle, dispatch, pages."""

    name = __name__.rpartition(".")[0]
    label = "offload"
    verbose_name = "Offload"

    def ready(self) -> None:
        """Register the system checks, and what happens when a row is deleted or somebody signs in."""
        from . import checks  # noqa: F401
        from .core import leftovers  # noqa: F401
        from .web import access  # noqa: F401
