"""Mastodon as an object: what its servers take, and how an account there is connected and posted to."""

import base64
import secrets
from hashlib import sha256
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .....contract import Run, options
from ...lengths import REMOTE_MENTION, Rules, WarningPlace
from ...models import Account
from ...post import Post
from ..base import Connected, ConnectForm, Elsewhere, Limits, Network, origin_typed
from . import client
from .models import MastodonApp
from .sentences import SENTENCES


class MastodonForm(ConnectForm):
    """Which server; the rest happens on its own page."""

    address_field = "server"
    shown_again = ("server",)
    server = forms.CharField(
        label=_("Server"),
        max_length=200,
        help_text=_("Its address, such as mastodon.social, or your whole handle, such as @ann@mastodon.social."),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
        error_messages={"required": _("Please enter the address of your server.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if options.SANDBOX:
            hint = gettext("The practice network's address is %(url)s.") % {"url": options.SANDBOX_URL}
            self.fields["server"].help_text = f"{self.fields['server'].help_text} {hint}"

    def clean_server(self) -> str:
        """The server's origin."""
        typed: str = self.cleaned_data["server"]
        return origin_typed(typed if "://" in typed else typed.rpartition("@")[2])


class Mastodon(Network):
    """People allow this site to post on their server's own page."""

    name = "mastodon"
    label = client.LABEL
    limits = Limits(
        characters=500,
        # https://docs.joinmastodon.org/user/posting/#text
        characters_per_url=23,
        media=4,
        picture_bytes=8_000_000,
        # Pictures of more pixels are made smaller by Mastodon itself.
        # https://github.com/mastodon/mastodon/blob/main/app/models/media_attachment.rb
        picture_pixels=3840 * 2160,
        alt=1500,
    )
    rules = Rules(WarningPlace.HIDES, short_mentions=REMOTE_MENTION, shown_of_link=30)
    form = MastodonForm
    connect_text = _("Your server will ask you whether Offload may post for you. We never see your password.")
    connect_button = _("Continue on your server")
    sentences = SENTENCES

    def leave(self, asked: dict[str, Any], callback_url: str, state: str) -> Elsewhere:
        """Register this site if need be. The code verifier ties the token to this server (RFC 7636)."""
        instance = asked["server"]
        limits = client.read_limits(instance)
        app = client.app_of(instance, callback_url)
        verifier = secrets.token_urlsafe(48) if client.offers_pkce(instance) else ""
        digest = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        url = client.authorize_url(app, state, digest if verifier else "")
        return Elsewhere(url, {"app": app.pk, "verifier": verifier, "limits": limits})

    def come_back(self, pending: dict[str, Any], code: str) -> Connected:
        """Exchange the code for a token, and ask whose it is."""
        app = MastodonApp.objects.get(pk=pending["app"])
        token = client.token_for(app, code, pending["verifier"])
        profile = client.profile(app.instance, token)
        return Connected(
            app.instance,
            profile.handle,
            {"token": token, "account_id": profile.id, "callback_url": app.callback_url},
            limits=pending["limits"],
            display_name=profile.name,
            picture=profile.avatar,
        )

    def post(self, account: Account, post: Post, run: Run) -> dict[str, Any]:
        """Publish a status."""
        return client.post(account, post, run)

    def revoke(self, account: Account) -> None:
        """Give the token back."""
        client.revoke(account)

    def read_limits(self, instance: str) -> dict[str, int]:
        """Each server has its own."""
        return client.read_limits(instance)

    def known(self, account: Account) -> dict[str, str]:
        """Its server."""
        return {"server": account.instance}
