"""Bluesky as an object: what it takes, and how an account there is connected and posted to."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .....contract import Run
from ...lengths import Rules, WarningPlace
from ...models import Account
from ...post import Post
from ..base import Connected, ConnectForm, Limits, Network, origin_typed
from . import client
from .sentences import SENTENCES


class BlueskyForm(ConnectForm):
    """Handle and app password; the password is used once and not kept."""

    address_field = "service"
    shown_again = ("handle", "service")
    handle = forms.CharField(
        label=_("Handle"),
        max_length=253,
        help_text=_("Such as ann.bsky.social."),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    app_password = forms.CharField(
        label=_("App password"),
        max_length=256,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("From Bluesky's Settings, Privacy and security, App passwords. It is used once and not kept."),
    )
    service = forms.CharField(
        label=_("Server"),
        max_length=200,
        initial=client.SERVICE,
        help_text=_("Change it only if you use a server of your own."),
    )

    def clean_handle(self) -> str:
        """A handle without its @, or the e-mail address of a sign-in."""
        handle: str = self.cleaned_data["handle"].removeprefix("@").lower()
        if not client.HANDLE.fullmatch(handle):
            try:
                validate_email(handle)
            except ValidationError:
                raise ValidationError(gettext("A handle looks like ann.bsky.social.")) from None
        return handle

    def clean_service(self) -> str:
        """The server's origin."""
        return origin_typed(self.cleaned_data["service"])


class Bluesky(Network):
    """People sign in with an app password, here."""

    name = "bluesky"
    label = client.LABEL
    # https://github.com/bluesky-social/atproto/blob/main/lexicons/app/bsky/feed/post.json and embed/images.json; its
    # app shows no more pixels, and takes no longer descriptions.
    limits = Limits(characters=300, bytes=3000, media=4, picture_bytes=1_000_000, picture_pixels=2000 * 2000, alt=2000)
    rules = Rules(WarningPlace.ABOVE)
    always_public = True
    form = BlueskyForm
    sentences = SENTENCES

    def connect(self, asked: dict[str, Any]) -> Connected:
        """Sign in."""
        session = client.sign_in(asked["service"], asked["handle"], asked["app_password"])
        picture, name = client.picture_and_name(session)
        handle = f"@{session.handle}"
        return Connected(asked["service"], handle, session.credentials(), display_name=name, picture=picture)

    def post(self, account: Account, post: Post, run: Run) -> dict[str, Any]:
        """Write a record."""
        return client.post(account, post, run)

    def revoke(self, account: Account) -> None:
        """End the session."""
        client.revoke(account)

    def known(self, account: Account) -> dict[str, str]:
        """All but the password."""
        return {"service": account.instance, "handle": account.handle.removeprefix("@")}
