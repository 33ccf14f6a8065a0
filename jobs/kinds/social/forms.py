"""The form of a post."""

from dataclasses import asdict, fields
from typing import Any
from uuid import uuid4

from django import forms
from django.conf.locale import LANG_INFO
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator, get_text_list
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ...contract import BYTES, COMPUTING, KindForm, Submission, Use, options
from ..media import library
from .lengths import TOO_MANY_BYTES, TOO_MANY_CHARACTERS, WarningPlace, too_long
from .models import Account
from .networks import networks
from .networks.base import Limits, Network
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
        if upload.size > options.MEDIA_MAX_BYTES:
            sizes = {"size": filesizeformat(upload.size), "limit": filesizeformat(options.MEDIA_MAX_BYTES)}
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
    warning = forms.CharField(label=_("Content warning"), max_length=MAX_WARNING, required=False)
    language = forms.ChoiceField(label=_("Language"), choices=[("", _("Not said")), *LANGUAGES], required=False)
    visibility = forms.ChoiceField(label=_("Who can see it"), choices=VISIBILITIES, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._folder = ""
        self._pictures: list[tuple[UploadedFile[Any] | library.LibraryPicture, str]] = []
        mine = Account.objects.filter(owner=self.owner.pk)
        field = self.fields["accounts"]
        field.queryset = mine  # type: ignore[attr-defined]
        before, link = (
            ("", gettext("Connect another account"))
            if mine
            else (gettext("No account is connected yet. "), gettext("Connect one"))
        )
        field.help_text = format_html('{}<a href="{}">{}</a>', before, reverse("social:accounts"), link)
        self.fields["warning"].help_text = _about_warnings()
        self.fields["visibility"].help_text = _about_visibility()
        self.earlier = library.pictures_of(self.owner.pk)
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
                    "label": str(account.network_object),
                    "who": account.who,
                    "handle": account.handle,
                    "name": account.display_name,
                    "avatar": reverse("social:avatar", args=[account.pk]) if account.avatar else "",
                    "limits": {limit.name: account.limit(limit.name) for limit in fields(Limits)},
                    "rules": asdict(account.network_object.rules),
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
        chosen: UploadedFile[Any] | library.LibraryPicture | None = self.cleaned_data[picture]
        words: str = self.cleaned_data[alt].replace("\r\n", "\n")
        if (id := self.cleaned_data[earlier]) is not None:
            if chosen:
                return self.add_error(earlier, gettext("Please choose one of the two: a file, or an earlier picture."))
            chosen = library.picture_of(self.owner.pk, id) if 0 < id < 2**63 else None
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
        if visibility in NOT_PUBLIC and account.network_object.always_public:
            error = gettext("On %(network)s everybody sees a post. Leave %(account)s out, or choose “Everybody”.")
            self.add_error("visibility", error % {"network": account.network_object, "account": account})
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

    def count(self) -> int:
        """One for each account, and one for all pictures."""
        return len(self.cleaned_data["accounts"]) + bool(self._pictures)

    def uses(self) -> list[Use]:
        """Room for the pictures, and the work on them."""
        return [Use(BYTES, self._bytes, "picture_1"), Use(COMPUTING)] if self._pictures else []

    @property
    def _bytes(self) -> int:
        """Of all pictures, as they are chosen."""
        chosen = (picture for picture, _alt in self._pictures)
        return sum(one.bytes if isinstance(one, library.LibraryPicture) else one.size or 0 for one in chosen)

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
        """The job that makes the pictures fit. What is chosen now is stored now, whatever becomes of it elsewhere."""
        self._folder = f"social/sent/{uuid4()}"
        try:
            sources = [
                self._store(picture, f"{self._folder}/{number}")
                for number, (picture, _) in enumerate(self._pictures, 1)
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
            payload=payload,
            title=title % {"number": len(sources), "post": beginning},
            kind=PicturesKind(),
            stored_bytes=self._bytes,
        )

    def _store(self, picture: "UploadedFile[Any] | library.LibraryPicture", path: str) -> str:
        """Copy a picture to its own place in the storage. Returns its name there."""
        if isinstance(picture, library.LibraryPicture):
            with default_storage.open(picture.path) as file:
                return default_storage.save(path, file)
        return default_storage.save(path, picture)

    def discard(self) -> None:
        """Delete what `submissions` stored."""
        if self._folder:
            library.delete_folder(self._folder)


def _about_warnings() -> str:
    """What becomes of a content warning, and where."""
    hiding = [network for network in networks() if network.rules.warning is WarningPlace.HIDES]
    above = [network for network in networks() if network.rules.warning is WarningPlace.ABOVE]
    first = ngettext(
        "Shown first; %(networks)s hides the rest until somebody asks for it.",
        "Shown first; %(networks)s hide the rest until somebody asks for it.",
        len(hiding),
    )
    sentences = [first % {"networks": _listed(hiding)} if hiding else gettext("Shown first.")]
    if above:
        sentences.append(gettext("On %(networks)s it stands above the text.") % {"networks": _listed(above)})
    return " ".join(sentences)


def _about_visibility() -> str:
    """Where nobody can be kept from seeing a post."""
    public = [network for network in networks() if network.always_public]
    return gettext("On %(networks)s everybody always can.") % {"networks": _listed(public)} if public else ""


def _listed(some: list[Network]) -> str:
    return get_text_list([str(network) for network in some], gettext("and"))


def _is_filled(field: forms.BoundField) -> bool:
    return bool(field.errors or field.value())
