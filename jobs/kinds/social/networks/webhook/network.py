"""A webhook as an object: what its receiver is sent, and how it is connected."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .....contract import JobError, Run
from ... import http
from ...lengths import Rules, WarningPlace
from ...models import Account
from ...post import Post
from ...sentences import in_words
from ..base import Connected, ConnectForm, Limits, Network
from . import client
from .sentences import SENTENCES


class WebhookForm(ConnectForm):
    """An address that receives signed posts."""

    address_field = "url"
    # The address itself may hold a secret.
    shown_again = ("name",)
    url = forms.CharField(
        label=_("URL"), max_length=2000, widget=forms.URLInput, help_text=_("Posts are sent there as JSON.")
    )
    name = forms.CharField(
        label=_("Name"), max_length=100, required=False, help_text=_("What you call it here. Empty: its server's name.")
    )
    secret = forms.CharField(
        label=_("Signing secret"),
        max_length=200,
        initial=client.new_secret,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "Copy it into your receiver now, or replace it with yours; it is not shown again. "
            "Requests are signed as Standard Webhooks say."
        ),
    )

    def clean_url(self) -> str:
        """A web address."""
        try:
            return http.web_address(self.cleaned_data["url"])
        except JobError as error:
            raise ValidationError(in_words(error)) from None

    def clean_secret(self) -> str:
        """A secret as Standard Webhooks define it."""
        secret: str = self.cleaned_data["secret"]
        if not client.is_secret(secret):
            raise ValidationError(gettext("A signing secret is whsec_ and then 24 to 64 bytes in base64."))
        return secret


class Webhook(Network):
    """People name an address of their own."""

    name = "webhook"
    label = _("Webhook")
    noun = _("webhook")
    # Four pictures in base64 stay below 1 MB, the largest body that many receivers take.
    limits = Limits(media=4, picture_bytes=150_000, picture_pixels=1280 * 960)
    rules = Rules(WarningPlace.APART)
    form = WebhookForm
    sentences = SENTENCES

    def connect(self, asked: dict[str, Any]) -> Connected:
        """Nobody has to be asked."""
        instance = http.origin_of(asked["url"])
        handle = http.clean(asked["name"]) or http.host_of(instance)
        return Connected(instance, handle, {"url": asked["url"], "secret": asked["secret"]})

    def post(self, account: Account, post: Post, run: Run) -> dict[str, Any]:
        """Deliver a signed request."""
        return client.post(account, post, run)

    def revoke(self, account: Account) -> None:
        """Nothing: the address and its secret are the owner's own."""

    def known(self, account: Account) -> dict[str, str]:
        """Its name; address and secret are not shown again."""
        return {"name": account.handle}
