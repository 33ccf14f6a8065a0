"""The Django app of the social kind."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class SocialConfig(AppConfig):
    """Registers the kinds, the networks, and the check of the networks."""

    name = __name__.rpartition(".")[0]
    label = "offload_social"
    verbose_name = gettext_lazy("Social posts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the kinds known to the core, the networks to the kind, and the check to Django."""
        from ...contract import register
        from . import checks, networks  # noqa: F401
        from .avatars import AvatarKind
        from .connecting import ConnectKind, DisconnectKind
        from .kind import SocialKind
        from .networks.bluesky.network import Bluesky
        from .networks.mastodon.network import Mastodon
        from .networks.webhook.network import Webhook
        from .pictures import PicturesKind

        for network in (Mastodon(), Bluesky(), Webhook()):
            networks.register(network)

        for kind in (SocialKind(), PicturesKind(), ConnectKind(), DisconnectKind(), AvatarKind()):
            register(kind)
