"""The Django app of the social kind."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class SocialConfig(AppConfig):
    """Registers the kinds."""

    name = "jobs.kinds.social"
    label = "social"
    verbose_name = gettext_lazy("Social posts")

    def ready(self) -> None:
        """Make the kinds known to the core."""
        from jobs.contract import register
        from jobs.kinds.social.kind import SocialKind
        from jobs.kinds.social.pictures import PicturesKind

        register(SocialKind())
        register(PicturesKind())
