"""The media kind as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class MediaConfig(AppConfig):
    """Pictures, videos and sounds."""

    name = "jobs.kinds.media"
    label = "media"
    verbose_name = gettext_lazy("Media files")

    def ready(self) -> None:
        """Register both kinds."""
        from jobs.contract import register
        from jobs.kinds.media.kind import EditKind, MediaKind

        register(MediaKind())
        register(EditKind())
