"""The accounts that people connected, and this site's registrations as an app of Mastodon servers."""

import json
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from encrypted_fields.fields import EncryptedTextField

from jobs.contract import Failed
from jobs.kinds.social.http import host_of


class Network(models.TextChoices):
    """Where a post can go."""

    MASTODON = "mastodon", "Mastodon"
    BLUESKY = "bluesky", "Bluesky"
    WEBHOOK = "webhook", "Webhook"


class Account(models.Model):
    """A place that its owner may post to.

    instance: origin of the server (`https://mastodon.example`).
    handle: the account's name there (`@ann@mastodon.example`), for a webhook the name that its owner gave it.
    credentials_text: JSON with what the network's module needs, encrypted at rest.
    limits: what one post may hold: characters (as the network counts them), characters_per_url (what a link counts as),
        bytes, media (files). What is not there is not limited.
    last_error: a sentence about the last post that did not work, "" once one works again.
    needs_reconnect: access was taken away; nothing can be posted until the account is connected again.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="social_accounts")
    network = models.CharField(max_length=10, choices=Network.choices)
    instance = models.CharField(max_length=300)
    handle = models.CharField(max_length=320)
    display_name = models.CharField(max_length=200, blank=True, default="")
    avatar = models.FileField(upload_to="social/avatars", blank=True)
    credentials_text = EncryptedTextField(editable=False)
    limits = models.JSONField(default=dict, blank=True)
    last_error = models.TextField(blank=True, default="")
    needs_reconnect = models.BooleanField(default=False)
    connected_at = models.DateTimeField(auto_now_add=True)

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
    def credentials(self) -> dict[str, Any]:
        """What opens the account. Raises Failed if it can't be decrypted: the site's secret key was changed."""
        try:
            credentials = json.loads(self.credentials_text)
        except ValueError:
            credentials = None
        if not isinstance(credentials, dict):
            raise Failed("reconnect", f"The access to {self.who} can't be read any more. Connect the account again.")
        return credentials

    @credentials.setter
    def credentials(self, value: dict[str, Any]) -> None:
        self.credentials_text = json.dumps(value)


class MastodonApp(models.Model):
    """How a Mastodon server knows this site: registered once for each server and callback address.

    credentials_text: JSON with client_id and client_secret, encrypted at rest.
    """

    instance = models.CharField(max_length=300)
    callback_url = models.CharField(max_length=500)
    credentials_text = EncryptedTextField(editable=False)
    registered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "Mastodon app"
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


def who(network: str, instance: str) -> str:
    """A network and one of its servers in sentences: "Mastodon (mastodon.example)"."""
    return f"{Network(network).label} ({host_of(instance)})"


@receiver(post_delete, sender=Account)
def _remove_avatar(instance: Account, **_: object) -> None:
    """An account's picture goes with it, however the row is deleted."""
    if name := instance.avatar.name:
        transaction.on_commit(lambda: instance.avatar.storage.delete(name))
