"""The registrations of this site as an app of Mastodon servers."""

import json

from django.db import models
from django.utils.translation import gettext_lazy
from encrypted_fields.fields import EncryptedTextField


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
