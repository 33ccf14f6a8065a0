"""The media kind as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class MediaConfig(AppConfig):
    """Pictures, videos and sounds."""

    name = __name__.rpartition(".")[0]
    label = "offload_media"
    verbose_name = gettext_lazy("Media files")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register both kinds, and the check of what confines their decoders."""
        from ...contract import register
        from . import checks  # noqa: F401
        from .kind import EditKind, MediaKind

        register(MediaKind())
        register(EditKind())
