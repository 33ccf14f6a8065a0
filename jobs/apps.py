"""The core as a Django app."""

from django.apps import AppConfig
from django.conf import settings


class JobsConfig(AppConfig):
    """Jobs: rows, lifecycle, dispatch, pages."""

    name = __name__.rpartition(".")[0]
    label = "offload"
    verbose_name = "Offload"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and what happens when a row is deleted or somebody signs in."""
        # The library that encrypts reads this setting and has no default. It need not be secret: SECRET_KEY is.
        settings.SALT_KEY = getattr(settings, "SALT_KEY", "offload")
        from . import checks  # noqa: F401
        from .core import leftovers  # noqa: F401
        from .web import access  # noqa: F401
