"""The core as a Django app."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Jobs: rows, lifecycle, dispatch, pages."""

    name = "jobs"
    verbose_name = "Offload"

    def ready(self) -> None:
        """Register the system checks, and what happens when a row is deleted or somebody signs in."""
        from jobs import checks, leftovers, owners  # noqa: F401
