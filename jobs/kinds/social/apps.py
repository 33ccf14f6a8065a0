"""The Django app of the social kind."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class SocialConfig(AppConfig):
    """Registers the kinds, and the check of the networks."""

    name = __name__.rpartition(".")[0]
    label = "offload_social"
    verbose_name = gettext_lazy("Social posts")

    def ready(self) -> None:
        """Make the kinds known to the core, and the check to Django."""
        from ...contract import register
        from . import checks  # noqa: F401
        from .kind import SocialKind
        from .pictures import PicturesKind

        register(SocialKind())
        register(PicturesKind())
