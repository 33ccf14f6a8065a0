"""The accounts that people connected, and this site's registrations as an app of Mastodon servers."""

import json
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from encrypted_fields.fields import EncryptedTextField

from ...contract import Failed, Job
from .http import host_of


class Network(models.TextChoices):
    """Where a post can go."""

    MASTODON = "mastodon", "Mastodon"
    BLUESKY = "bluesky", "Bluesky"
    WEBHOOK = "webhook", gettext_lazy("Webhook")


LIMITS: dict[str, dict[str, int]] = {
    # Pictures of more pixels are made smaller by Mastodon itself.
    # https://github.com/mastodon/mastodon/blob/main/app/models/media_attachment.rb
    Network.MASTODON: {
        "characters": 500,
        "characters_per_url": 23,
        "media": 4,
        "picture_bytes": 8_000_000,
        "picture_pixels": 3840 * 2160,
        "alt": 1500,
    },
    # https://github.com/bluesky-social/atproto/blob/main/lexicons/app/bsky/feed/post.json and embed/images.json; its
    # app shows no more pixels, and takes no longer descriptions.
    Network.BLUESKY: {
        "characters": 300,
        "bytes": 3000,
        "media": 4,
        "picture_bytes": 1_000_000,
        "picture_pixels": 2000 * 2000,
        "alt": 2000,
    },
    # Four pictures in base64 stay below 1 MB, the largest body that many receivers take.
    Network.WEBHOOK: {"media": 4, "picture_bytes": 150_000, "picture_pixels": 1280 * 960},
}
"""What each network allows where a server says nothing else; the names are those of Account.limits."""
LIMIT_NAMES = tuple(LIMITS["mastodon"] | LIMITS["bluesky"])


class Account(models.Model):
    """A place that its owner may post to.

    instance: origin of the server (`https://mastodon.example`).
    handle: the account's name there (`@ann@mastodon.example`), for a webhook the name that its owner gave it.
    credentials_text: JSON with what the network's module needs, encrypted at rest.
    limits: what one post may hold: characters (as the network counts them), characters_per_url (what a link counts as),
        bytes, media (pictures); of each picture picture_bytes, picture_pixels, and alt (characters of its description).
        What is not there is not limited, or the server did not say; see `Account.limit`.
    limits_read_at: when they were asked for; None if long ago.
    last_error: a sentence about the last post that did not work, "" once one works again.
    needs_reconnect: access was taken away; nothing can be posted until the account is connected again.
    connected_at: when its owner connected it, the last time.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="social_accounts")
    network = models.CharField(max_length=10, choices=Network.choices)
    instance = models.CharField(max_length=300)
    handle = models.CharField(max_length=320)
    display_name = models.CharField(max_length=200, blank=True, default="")
    avatar = models.FileField(upload_to="social/avatars", blank=True)
    credentials_text = EncryptedTextField(editable=False)
    limits = models.JSONField(default=dict, blank=True)
    limits_read_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    needs_reconnect = models.BooleanField(default=False)
    connected_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["network", "handle", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "network", "instance", "handle"], name="social_account_once_for_each_owner"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_network_display()} {self.handle}"

    @property
    def who(self) -> str:
        """The other side in sentences: "Mastodon (mastodon.example)"."""
        return who(self.network, self.instance)

    @property
    def resource(self) -> str:
        """The line in which its posts wait."""
        return f"account:{self.pk}"

    @property
    def waiting(self) -> int:
        """How many posts wait until it is connected again."""
        return Job.objects.unfinished().filter(resource=self.resource).count() if self.needs_reconnect else 0

    def limit(self, name: str) -> int | None:
        """One of its limits, or what the network is known to allow; None for no limit."""
        value: int | None = self.limits.get(name, LIMITS[self.network].get(name))
        return value

    @property
    def credentials(self) -> dict[str, Any]:
        """What opens the account. Raises Failed if it can't be decrypted: the site's secret key was changed."""
        try:
            credentials = json.loads(self.credentials_text)
        except ValueError:
            credentials = None
        if not isinstance(credentials, dict):
            raise Failed(
                "reconnect",
                _("The access to %(who)s can't be read any more. Connect the account again.") % {"who": self.who},
            )
        return credentials

    @credentials.setter
    def credentials(self, value: dict[str, Any]) -> None:
        self.credentials_text = json.dumps(value)


class MastodonApp(models.Model):
    """How a Mastodon server knows this site: registered once for each server and callback address.

    scopes: what it may ask for. credentials_text: JSON with client_id and client_secret, encrypted at rest.
    """

    instance = models.CharField(max_length=300)
    callback_url = models.CharField(max_length=500)
    scopes = models.CharField(max_length=200, blank=True, db_default="")
    credentials_text = EncryptedTextField(editable=False)
    registered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = gettext_lazy("Mastodon app")
        constraints = [
            models.UniqueConstraint(fields=["instance", "callback_url"], name="social_app_once_for_each_callback"),
        ]

    def __str__(self) -> str:
        return self.instance

    @property
    def client(self) -> dict[str, str]:
        """client_id and client_secret, {} if they can't be decrypted any more."""
        try:
            return dict(json.loads(self.credentials_text))
        except ValueError:
            return {}


class Upload(models.Model):
    """A picture that a network has taken for a post that is not published yet.

    job_id: of the post. number: the picture's place in it, from 1. reference: by which the network knows it, JSON.
    """

    job_id = models.UUIDField()
    number = models.PositiveSmallIntegerField()
    reference = models.JSONField()
    uploaded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job_id", "number"], name="social_upload_once_for_each_picture"),
        ]

    def __str__(self) -> str:
        return f"picture {self.number} of {self.job_id}"


def who(network: str, instance: str) -> str:
    """A network and one of its servers in sentences: "Mastodon (mastodon.example)"."""
    return f"{Network(network).label} ({host_of(instance)})"


@receiver(post_delete, sender=Account)
def _remove_avatar(instance: Account, **more: object) -> None:
    """An account's picture goes with it, however the row is deleted."""
    if name := instance.avatar.name:
        transaction.on_commit(lambda: instance.avatar.storage.delete(name))
