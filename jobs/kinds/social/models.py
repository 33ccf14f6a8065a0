"""The accounts that people connected, and the pictures that wait for their posts."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone
from encrypted_fields.fields import EncryptedTextField

from ...contract import Failed, Job, worded
from .networks import network_named

# Rows of a network's own: Django looks for an app's models here.
from .networks.mastodon.models import MastodonApp as MastodonApp
from .sentences import KIND

if TYPE_CHECKING:
    from .networks.base import Network

HOLDS = timedelta(hours=1)
"""How long somebody who connects an account may take."""


class Account(models.Model):
    """A place that its owner may post to.

    network: name of its network.
    instance: origin of the server (`https://mastodon.example`).
    handle: the account's name there (`@ann@mastodon.example`), for a webhook the name that its owner gave it.
    credentials_text: JSON with what the network's code needs, encrypted at rest.
    limits: what its server says of what one post may hold, by the names of networks.base.Limits. Of what is not there
        the server said nothing; see `Account.limit`.
    limits_read_at: when they were asked for; None if long ago.
    last_error: the sentence about the last post that did not work, None once one works again.
    needs_reconnect: access was taken away; nothing can be posted until the account is connected again.
    connected_at: when its owner connected it, the last time.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    network = models.CharField(max_length=30)
    instance = models.CharField(max_length=300)
    handle = models.CharField(max_length=320)
    display_name = models.CharField(max_length=200, blank=True, default="")
    avatar = models.FileField(upload_to="social/avatars", blank=True)
    credentials_text = EncryptedTextField(editable=False)
    limits = models.JSONField(default=dict, blank=True)
    limits_read_at = models.DateTimeField(null=True, blank=True)
    last_error = models.JSONField(null=True, blank=True)
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
        return f"{self.network_object} {self.handle}"

    @property
    def network_object(self) -> "Network":
        """Its network. Raises LookupError if this site does not know it any more."""
        return network_named(self.network)

    @property
    def who(self) -> str:
        """The other side in sentences: "Mastodon (mastodon.example)"."""
        return self.network_object.who(self.instance)

    @property
    def last_error_text(self) -> str:
        """Why the last post did not work, in words; "" if it did."""
        return worded(self.last_error, KIND)

    @property
    def resource(self) -> str:
        """The line in which its posts wait."""
        return f"account:{self.pk}"

    @property
    def waiting(self) -> int:
        """How many posts wait until it is connected again."""
        return Job.objects.in_line(self.resource).count() if self.needs_reconnect else 0

    def limit(self, name: str) -> int | None:
        """One of its limits, or what the network is known to allow; None for no limit. name: a field of Limits."""
        value: int | None = self.limits.get(name, getattr(self.network_object.limits, name))
        return value

    @property
    def credentials(self) -> dict[str, Any]:
        """What opens the account. Raises Failed if it can't be decrypted: the site's secret key was changed."""
        try:
            credentials = json.loads(self.credentials_text)
        except ValueError:
            credentials = None
        if not isinstance(credentials, dict):
            raise Failed("reconnect", say="credentials_unreadable", who=self.who)
        return credentials

    @credentials.setter
    def credentials(self, value: dict[str, Any]) -> None:
        self.credentials_text = json.dumps(value)


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


class Secret(models.Model):
    """What a job has to know and nobody may keep: the job deletes it at its end.

    job_id: of the job that it is for; while a person is on a network's own page, of the one that sent them there.
    text: JSON, encrypted at rest. bound: hash of all that the answer of such a page must fit; "" if none is awaited.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    job_id = models.UUIDField(unique=True)
    text = EncryptedTextField(editable=False)
    bound = models.CharField(max_length=64, blank=True, default="", db_index=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"for {self.job_id}"

    @property
    def told(self) -> dict[str, Any]:
        """What it says, {} if it can't be decrypted any more."""
        try:
            return dict(json.loads(self.text))
        except ValueError:
            return {}

    @property
    def is_old(self) -> bool:
        """Whether whoever connects an account has taken too long."""
        return self.created_at < timezone.now() - HOLDS


@receiver(post_delete, sender=Account)
def _remove_avatar(instance: Account, **more: object) -> None:
    """An account's picture goes with it, however the row is deleted."""
    if name := instance.avatar.name:
        transaction.on_commit(lambda: instance.avatar.storage.delete(name), robust=True)
