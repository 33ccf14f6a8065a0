"""The Django app of the social kind."""

from django.apps import AppConfig


class SocialConfig(AppConfig):
    """Registers the kind."""

    name = "jobs.kinds.social"
    label = "social"
    verbose_name = "Social posts"

    def ready(self) -> None:
        """Make the kind known to the core."""
        from jobs.contract import register
        from jobs.kinds.social.kind import SocialKind

        register(SocialKind())
