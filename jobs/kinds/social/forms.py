"""The form of a post, and one form for each network on which an account is connected."""

from typing import Any, ClassVar, cast
from uuid import uuid4

from django import forms
from django.conf import settings
from django.conf.locale import LANG_INFO
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import validate_email
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ...contract import JobError, KindForm, Submission
from ..media import library
from . import http
from .lengths import TOO_MANY_BYTES, TOO_MANY_CHARACTERS, too_long
from .models import LIMIT_NAMES, Account, Network
from .networks.bluesky import client as bluesky
from .networks.webhook import client as webhooks
from .pictures import PicturesKind

MAX_TEXT = 10_000
"""Characters of a post to anywhere; each network allows fewer, or sets no limit of its own."""
MAX_WARNING = 200
"""Characters of a content warning."""
MAX_ALT = 2000
"""Characters of a picture's description; some networks allow fewer."""
MAX_PICTURES = 4
TITLE_WORDS = 60
"""Characters of a post that its job's title shows."""
HEAD_BYTES = 4096
"""How much of a file tells what it is."""
VISIBILITIES = [
    ("", _("As the account is set")),
    ("public", _("Everybody")),
    ("unlisted", _("Everybody, but not in public timelines")),
    ("private", _("Followers only")),
    ("direct", _("Only who is mentioned")),
]
"""Mastodon's. https://docs.joinmastodon.org/entities/Status/#visibility"""
NOT_PUBLIC = ("private", "direct")
LANGUAGES = sorted(
    [
        (code, f"{info['name_local']} ({info['name']})")
        for code, info in {**LANG_INFO, "zh": {"name_local": "中文", "name": "Chinese"}}.items()
        if code.isalpha() and "name_local" in info
    ],
    key=lambda language: language[1].casefold(),
)
"""ISO 639 codes, each with its name in the language itself."""


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
        if obj.needs_reconnect:
            return gettext("%(account)s (connect it again first)") % {"account": obj}
        return str(obj)


class PictureField(forms.FileField):
    """A picture that is sent along."""

    default_error_messages = {
        "empty": _("This file is empty (0 bytes). Please choose another."),
        "too_large": _("This file has %(size)s. The largest that is taken has %(limit)s."),
        "no_picture": _("This file is no picture. Please choose a picture (JPEG, PNG, WebP, AVIF, GIF or HEIC)."),
    }
    widget = forms.FileInput(attrs={"accept": "image/*,.heic,.heif,.avif"})

    def clean(self, data: Any, initial: Any = None) -> Any:
        """The upload, if it is not too large and begins as pictures do; the rest its job will tell."""
        upload = super().clean(data, initial)
        if not upload:
            return None
        if upload.size > settings.MEDIA_MAX_BYTES:
            sizes = {"size": filesizeformat(upload.size), "limit": filesizeformat(settings.MEDIA_MAX_BYTES)}
            raise ValidationError(self.error_messages["too_large"], code="too_large", params=sizes)
        upload.seek(0)
        head = upload.read(HEAD_BYTES)
        upload.seek(0)
        if not library.is_picture(head):
            raise ValidationError(self.error_messages["no_picture"], code="no_picture")
        return upload


class PostForm(KindForm):
    """A text, pictures, and the accounts that they go to: one job for each, after one that prepares the pictures.

    The fields of the pictures are numbered: picture_1 (an upload) or earlier_1 (the id of a picture that was converted
    here before), and alt_1, what it shows.
    """

    # A post of pictures needs no text, so the browser must not insist on one.
    use_required_attribute = False
    text = forms.CharField(
        label=_("Text"),
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs={"rows": 6}),
        error_messages={
            "required": _("Please write what to post."),
            "max_length": _("A post can have up to %(limit_value)d characters; this one has %(show_value)d."),
        },
    )
    accounts = AccountsField(
        Account.objects.none(),
        label=_("Post to"),
        error_messages={
            "required": _("Please choose at least one account."),
            **dict.fromkeys(
                ("invalid_choice", "invalid_pk_value"),
                _("One of these accounts is not connected any more. Please choose again."),
            ),
        },
    )
    warning = forms.CharField(
        label=_("Content warning"),
        max_length=MAX_WARNING,
        required=False,
        help_text=_(
            "Shown first; Mastodon hides the rest until somebody asks for it. On Bluesky it stands above the text."
        ),
    )
    language = forms.ChoiceField(label=_("Language"), choices=[("", _("Not said")), *LANGUAGES], required=False)
    visibility = forms.ChoiceField(
        label=_("Who can see it"), choices=VISIBILITIES, required=False, help_text=_("On Bluesky everybody always can.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._folder = ""
        self._pictures: list[tuple[UploadedFile[Any] | library.Picture, str]] = []
        owner_id = cast(int, self.owner.pk)
        mine = Account.objects.filter(owner=owner_id)
        field = self.fields["accounts"]
        field.queryset = mine  # type: ignore[attr-defined]
        before, link = (
            ("", gettext("Connect another account"))
            if mine
            else (gettext("No account is connected yet. "), gettext("Connect one"))
        )
        field.help_text = format_html('{}<a href="{}">{}</a>', before, reverse("social:accounts"), link)
        self.earlier = library.pictures_of(owner_id)
        choices = [("", _("None")), *((picture.id, picture.name) for picture in self.earlier)]
        for number in range(1, MAX_PICTURES + 1):
            self.fields |= {
                f"picture_{number}": PictureField(label=_("From this device"), required=False),
                f"earlier_{number}": forms.IntegerField(
                    label=_("Or one that was converted here"),
                    required=False,
                    widget=forms.Select(choices=choices),
                    error_messages={"invalid": _("Please choose one of your pictures.")},
                ),
                f"alt_{number}": forms.CharField(
                    label=_("What it shows"),
                    max_length=MAX_ALT,
                    required=False,
                    widget=forms.Textarea(attrs={"rows": 2}),
                    help_text=_("For those who can't see it."),
                ),
            }

    @property
    def slots(self) -> list[list[forms.BoundField]]:
        """The fields of each picture."""
        names = ("picture", "earlier", "alt") if self.earlier else ("picture", "alt")
        return [[self[f"{name}_{number}"] for name in names] for number in range(1, MAX_PICTURES + 1)]

    @property
    def has_pictures(self) -> bool:
        """Whether anything was said about pictures."""
        return any(_is_filled(field) for slot in self.slots for field in slot)

    @property
    def has_more(self) -> bool:
        """Whether anything was said beside text and pictures."""
        return any(_is_filled(self[name]) for name in ("warning", "language", "visibility"))

    @property
    def for_script(self) -> dict[str, Any]:
        """What the page's script must know in order to count and show as each account's network does."""
        accounts = self.fields["accounts"].queryset  # type: ignore[attr-defined]
        return {
            "accounts": {
                account.pk: {
                    "network": account.network,
                    "label": account.get_network_display(),
                    "who": account.who,
                    "handle": account.handle,
                    "name": account.display_name,
                    "avatar": reverse("social:avatar", args=[account.pk]) if account.avatar else "",
                    "limits": {name: account.limit(name) for name in LIMIT_NAMES},
                }
                for account in accounts
            },
            "earlier": {picture.id: {"name": picture.name, "thumbnail": picture.thumbnail} for picture in self.earlier},
            "sentences": {
                "characters": gettext(TOO_MANY_CHARACTERS),
                "bytes": gettext(TOO_MANY_BYTES),
                "characters_of": gettext("%(length)s of %(limit)s characters"),
                "bytes_of": gettext("%(length)s of %(limit)s bytes"),
            },
        }

    def clean_text(self) -> str:
        """With the line ends that networks count and show: browsers send two characters for each."""
        text: str = self.cleaned_data["text"]
        return text.replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        """There is something to post, and each chosen account works and takes it."""
        cleaned = super().clean() or self.cleaned_data
        for number in range(1, MAX_PICTURES + 1):
            self._clean_picture(number)
        if self._pictures and self.has_error("text", "required"):
            del self.errors["text"]
            cleaned["text"] = ""
        text = cleaned.get("text", "")
        for account in cleaned.get("accounts", ()):
            self._check(account, text, cleaned.get("warning", ""), cleaned.get("visibility", ""))
        return cleaned

    def _clean_picture(self, number: int) -> None:
        """A picture has one source, and words for those who can't see it."""
        picture, earlier, alt = (f"{name}_{number}" for name in ("picture", "earlier", "alt"))
        if {picture, earlier, alt} & set(self.errors):
            return None
        chosen: UploadedFile[Any] | library.Picture | None = self.cleaned_data[picture]
        words: str = self.cleaned_data[alt].replace("\r\n", "\n")
        if (id := self.cleaned_data[earlier]) is not None:
            if chosen:
                return self.add_error(earlier, gettext("Please choose one of the two: a file, or an earlier picture."))
            chosen = library.picture_of(cast(int, self.owner.pk), id) if 0 < id < 2**63 else None
            if chosen is None:
                return self.add_error(earlier, gettext("This picture is not there any more. Please choose another."))
        if chosen and not words:
            self.add_error(alt, gettext("Please say in words what the picture shows, for those who can't see it."))
        elif chosen:
            self._pictures.append((chosen, words))
        elif words:
            self.add_error(
                picture, gettext("Please choose the picture that you describe here, or empty the description.")
            )
        return None

    def _check(self, account: Account, text: str, warning: str, visibility: str) -> None:
        """The account must work, and take what it shall get."""
        if account.needs_reconnect:
            error = gettext("%(account)s does not accept posts now. Connect it again, or leave it out.")
            self.add_error("accounts", error % {"account": account})
        if error := too_long(text, account, warning):
            self.add_error("text", error)
        if visibility in NOT_PUBLIC and account.network == Network.BLUESKY:
            error = gettext("On Bluesky everybody sees a post. Leave %(account)s out, or choose “Everybody”.")
            self.add_error("visibility", error % {"account": account})
        most = account.limit("media")
        if most is not None and len(self._pictures) > most:
            error = ngettext("%(who)s takes one picture.", "%(who)s takes up to %(most)d pictures.", most)
            self.add_error("picture_1", error % {"who": account.who, "most": most})
        longest = account.limit("alt")
        for number in range(1, MAX_PICTURES + 1):
            length = len(self.cleaned_data.get(f"alt_{number}", ""))
            if longest is not None and length > longest:
                error = gettext("%(who)s takes up to %(limit)d characters here; these are %(length)d.")
                self.add_error(f"alt_{number}", error % {"who": account.who, "limit": longest, "length": length})

    def submissions(self) -> list[Submission]:
        """One job for each account; those of one account run in order. Keeps the pictures, which come first."""
        accounts = list(self.cleaned_data["accounts"])
        said = {name: self.cleaned_data[name] for name in ("warning", "language", "visibility")}
        payload = {"text": self.cleaned_data["text"], **{name: value for name, value in said.items() if value}}
        if self._pictures:
            payload["pictures"] = len(self._pictures)
        first = self.cleaned_data["text"] or self._pictures[0][1]
        beginning = Truncator(" ".join(first.split())).chars(TITLE_WORDS)
        posts = [
            Submission(
                payload={"account": account.pk, **payload},
                title=Truncator(f"{beginning} → {account}").chars(200),
                resource=account.resource,
                after=0 if self._pictures else None,
            )
            for account in accounts
        ]
        return [self._preparation(accounts, beginning), *posts] if self._pictures else posts

    def _preparation(self, accounts: list[Account], beginning: str) -> Submission:
        """The job that makes the pictures fit. What is chosen now is kept now, whatever becomes of it elsewhere."""
        self._folder = f"social/sent/{uuid4()}"
        try:
            sources = [
                self._keep(picture, f"{self._folder}/{number}") for number, (picture, _) in enumerate(self._pictures, 1)
            ]
        except BaseException:
            self.discard()
            raise
        payload = {
            "sources": sources,
            "folder": self._folder,
            "alts": [alt for _picture, alt in self._pictures],
            "accounts": [account.pk for account in accounts],
        }
        title = ngettext("Picture for: %(post)s", "%(number)d pictures for: %(post)s", len(sources))
        return Submission(
            payload=payload, title=title % {"number": len(sources), "post": beginning}, kind=PicturesKind()
        )

    def _keep(self, picture: "UploadedFile[Any] | library.Picture", path: str) -> str:
        """Copy a picture to its own place in the storage. Returns its name there."""
        if isinstance(picture, library.Picture):
            with default_storage.open(picture.path) as file:
                return default_storage.save(path, file)
        return default_storage.save(path, picture)

    def discard(self) -> None:
        """Delete what `submissions` kept."""
        if self._folder:
            library.delete_folder(self._folder)


def _is_filled(field: forms.BoundField) -> bool:
    return bool(field.errors or field.value())


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
        label=_("Server"),
        max_length=200,
        help_text=_("Its address, such as mastodon.social, or your whole handle, such as @ann@mastodon.social."),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
        error_messages={"required": _("Please enter the address of your server.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.SANDBOX:
            hint = gettext("The practice network's address is %(url)s.") % {"url": settings.SANDBOX_URL}
            self.fields["server"].help_text = f"{self.fields['server'].help_text} {hint}"

    def clean_server(self) -> str:
        """The server's origin."""
        typed: str = self.cleaned_data["server"]
        return _origin(typed if "://" in typed else typed.rpartition("@")[2])


class BlueskyForm(ConnectForm):
    """Handle and app password; the password is used once and not kept."""

    address_field = "service"
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
        initial=bluesky.SERVICE,
        help_text=_("Change it only if you use a server of your own."),
    )

    def clean_handle(self) -> str:
        """A handle without its @, or the e-mail address of a sign-in."""
        handle: str = self.cleaned_data["handle"].removeprefix("@").lower()
        if not bluesky.HANDLE.fullmatch(handle):
            try:
                validate_email(handle)
            except ValidationError:
                raise ValidationError(gettext("A handle looks like ann.bsky.social.")) from None
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
        label=_("URL"), max_length=2000, widget=forms.URLInput, help_text=_("Posts are sent there as JSON.")
    )
    name = forms.CharField(
        label=_("Name"), max_length=100, required=False, help_text=_("What you call it here. Empty: its server's name.")
    )
    secret = forms.CharField(
        label=_("Signing secret"),
        max_length=200,
        initial=webhooks.new_secret,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "Copy it into your receiver now, or replace it with yours; it is not shown again. "
            "Requests are signed as Standard Webhooks say."
        ),
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
            raise ValidationError(gettext("A signing secret is whsec_ and then 24 to 64 bytes in base64."))
        return secret


def _origin(typed: str) -> str:
    try:
        return http.origin_of(http.web_address(typed))
    except JobError as error:
        raise ValidationError(error.text) from None
