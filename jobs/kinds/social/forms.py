"""The form of a post, and one form for each network on which an account is connected."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator

from jobs.contract import JobError, KindForm, Submission
from jobs.kinds.social import bluesky, http, webhooks
from jobs.kinds.social.lengths import too_long
from jobs.kinds.social.models import Account

MAX_TEXT = 10_000
"""Characters of a post to anywhere; each network allows fewer, or sets no limit of its own."""
TITLE_WORDS = 60
"""Characters of a post that its job's title shows."""


class AccountsField(forms.ModelMultipleChoiceField):
    """Which of the owner's accounts to post to."""

    widget = forms.CheckboxSelectMultiple

    def clean(self, value: Any) -> Any:
        """The accounts. SQLite can't even look for a number that is too large for it."""
        try:
            return super().clean(value)
        except OverflowError:
            raise ValidationError(self.error_messages["invalid_choice"], code="invalid_choice") from None

    def label_from_instance(self, obj: Account) -> str:
        """Network and handle, and whether it can't be used now."""
        return f"{obj} (connect it again first)" if obj.needs_reconnect else str(obj)


class PostForm(KindForm):
    """A text and the accounts it goes to: one job for each."""

    text = forms.CharField(
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs={"rows": 6}),
        error_messages={
            "required": "Please write what to post.",
            "max_length": "A post can have up to %(limit_value)d characters; this one has %(show_value)d.",
        },
    )
    accounts = AccountsField(
        Account.objects.none(),
        label="Post to",
        error_messages={
            "required": "Please choose at least one account.",
            "invalid_choice": "One of these accounts is not connected any more. Please choose again.",
            "invalid_pk_value": "One of these accounts is not connected any more. Please choose again.",
        },
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = Account.objects.filter(owner=self.owner.pk)
        field = self.fields["accounts"]
        field.queryset = mine  # type: ignore[attr-defined]
        before, link = ("", "Connect another account") if mine else ("No account is connected yet. ", "Connect one")
        field.help_text = format_html('{}<a href="{}">{}</a>', before, reverse("social:accounts"), link)

    def clean_text(self) -> str:
        """With the line ends that networks count and show: browsers send two characters for each."""
        text: str = self.cleaned_data["text"]
        return text.replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        """Each chosen account must work and take a text as long as this."""
        cleaned = super().clean() or self.cleaned_data
        text = cleaned.get("text", "")
        for account in cleaned.get("accounts", ()):
            if account.needs_reconnect:
                self.add_error("accounts", f"{account} does not accept posts now. Connect it again, or leave it out.")
            if error := too_long(text, account):
                self.add_error("text", error)
        return cleaned

    def submissions(self) -> list[Submission]:
        """One job for each account; those of one account run in order."""
        text = self.cleaned_data["text"]
        beginning = Truncator(" ".join(text.split())).chars(TITLE_WORDS)
        return [
            Submission(
                payload={"account": account.pk, "text": text},
                title=Truncator(f"{beginning} → {account}").chars(200),
                resource=f"account:{account.pk}",
            )
            for account in self.cleaned_data["accounts"]
        ]


class ConnectForm(forms.Form):
    """Base of the forms that connect an account."""

    address_field: ClassVar[str]
    """Where errors about the other side are shown."""

    def refuse(self, error: JobError) -> None:
        """Show why the other side could not be connected."""
        self.add_error(self.address_field, error.text)


class MastodonForm(ConnectForm):
    """Which server; the rest happens on its own page."""

    address_field = "server"
    server = forms.CharField(
        max_length=200,
        help_text="Its address, such as mastodon.social, or your whole handle, such as @ann@mastodon.social.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
        error_messages={"required": "Please enter the address of your server."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.SANDBOX:
            self.fields["server"].help_text += f" The practice network's address is {settings.SANDBOX_URL}."

    def clean_server(self) -> str:
        """The server's origin."""
        typed: str = self.cleaned_data["server"]
        return _origin(typed if "://" in typed else typed.rpartition("@")[2])


class BlueskyForm(ConnectForm):
    """Handle and app password; the password is used once and not kept."""

    address_field = "service"
    handle = forms.CharField(
        max_length=253,
        help_text="Such as ann.bsky.social.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    app_password = forms.CharField(
        max_length=256,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="From Bluesky's Settings, Privacy and security, App passwords. It is used once and not kept.",
    )
    service = forms.CharField(
        label="Server",
        max_length=200,
        initial=bluesky.SERVICE,
        help_text="Change it only if you use a server of your own.",
    )

    def clean_handle(self) -> str:
        """A handle without its @, or the e-mail address of a sign-in."""
        handle: str = self.cleaned_data["handle"].removeprefix("@").lower()
        if not bluesky.HANDLE.fullmatch(handle):
            try:
                validate_email(handle)
            except ValidationError:
                raise ValidationError("A handle looks like ann.bsky.social.") from None
        return handle

    def clean_service(self) -> str:
        """The server's origin."""
        return _origin(self.cleaned_data["service"])

    def refuse(self, error: JobError) -> None:
        """A refused sign-in belongs to the password."""
        self.add_error("app_password" if error.code == "login_refused" else self.address_field, error.text)


class WebhookForm(ConnectForm):
    """An address that receives signed posts."""

    address_field = "url"
    url = forms.CharField(
        label="URL", max_length=2000, widget=forms.URLInput, help_text="Posts are sent there as JSON."
    )
    name = forms.CharField(max_length=100, required=False, help_text="What you call it here. Empty: its server's name.")
    secret = forms.CharField(
        label="Signing secret",
        max_length=200,
        initial=webhooks.new_secret,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Copy it into your receiver now, or replace it with yours; it is not shown again. "
        "Requests are signed as Standard Webhooks say.",
    )

    def clean_url(self) -> str:
        """A public address."""
        try:
            url = http.web_address(self.cleaned_data["url"])
            http.check_public(url)
        except JobError as error:
            raise ValidationError(error.text) from None
        return url

    def clean_secret(self) -> str:
        """A secret as Standard Webhooks define it."""
        secret: str = self.cleaned_data["secret"]
        if not webhooks.is_secret(secret):
            raise ValidationError("A signing secret is whsec_ and then 24 to 64 bytes in base64.")
        return secret


def _origin(typed: str) -> str:
    try:
        return http.origin_of(http.web_address(typed))
    except JobError as error:
        raise ValidationError(error.text) from None
