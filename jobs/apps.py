"""The core as a Django app."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Jobs: rows, lifecycle, dispatch, pages."""

    name = "jobs"
    verbose_name = "Offload"

    def ready(self) -> None:
        """Register the system checks."""
        from jobs import checks  # noqa: F401
