"""What a network is. docs/adding-a-network.md walks through making one."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ....contract import JobError, Run, Text
from .. import http
from ..lengths import Rules
from ..models import Account
from ..post import Post
from ..sentences import in_words

LONGEST_NAME = Account._meta.get_field("network").max_length or 0
"""Characters that a row has for its network's name."""


@dataclass(frozen=True)
class Limits:
    """What one post may hold where a server says nothing else; what it says is in Account.limits, by the same names.

    media: pictures. picture_bytes, picture_pixels: of each picture; more pixels are of no use there, whatever a server
    takes. characters: as the network's rules count them. characters_per_url: what a link counts as, however long it is.
    bytes: of the text in UTF-8. alt: characters of a picture's description. None: not limited, or it counts as it is.
    """

    media: int
    picture_bytes: int
    picture_pixels: int
    characters: int | None = None
    characters_per_url: int | None = None
    bytes: int | None = None
    alt: int | None = None


@dataclass(frozen=True)
class Connected:
    """An account that may be posted to from now on, as its network told of it.

    instance: origin of the server (`https://mastodon.example`).
    handle: the account's name there. Both together find it again when it is connected once more.
    credentials: JSON with what `Network.post` and `Network.revoke` need; encrypted at rest.
    limits: what its server says, by the names of Limits.
    display_name: "" for none.
    picture: its URL, unchecked; None for none.
    """

    instance: str
    handle: str
    credentials: Mapping[str, Any]
    limits: Mapping[str, int] = field(default_factory=dict)
    display_name: str = ""
    picture: object = None


@dataclass(frozen=True)
class Elsewhere:
    """A page of the network's own, on which a person allows this site to post.

    url: its address. pending: JSON that `Network.come_back` needs when they return; encrypted at rest.
    """

    url: str
    pending: Mapping[str, Any]


class ConnectForm(forms.Form):
    """Base of the forms with which an account is connected. It asks nobody: jobs do. Its cleaned data are JSON."""

    address_field: ClassVar[str]
    """Which of its fields has an address of the other side, cleaned to a URL."""
    shown_again: ClassVar[tuple[str, ...]] = ()
    """The fields that are filled in again when the account could not be connected: none with a secret in it."""


class Network:
    """A network that posts can go to: all that this site knows of it.

    Subclass it, fill the attributes that have no value here, write `post`, `revoke`, and `connect` (or, where people
    allow it on a page of the network's own, `leave` and `come_back`), and add an instance to the registry. What is
    missing `manage.py check` names.
    """

    name: ClassVar[str]
    """One word, part of URLs. Never change it: rows carry it."""
    label: ClassVar[Text]
    """What people call it: "Mastodon"."""
    noun: ClassVar[Text] = ""
    """The same inside a sentence, where it is another word there ("webhook")."""
    icon: ClassVar[SafeString] = SafeString("")
    """A drawing that stands before its label where an account is connected: an <svg> with aria-hidden; "" for none."""
    limits: ClassVar[Limits]
    rules: ClassVar[Rules]
    """How its posts are counted and shown, here and in the browser."""
    always_public: ClassVar[bool] = False
    """Whether everybody sees each post; one for fewer people is then refused before it is sent."""
    form: ClassVar[type[ConnectForm]]
    """What a person says in order to connect an account."""
    connect_text: ClassVar[Text] = ""
    """A paragraph above that form."""
    connect_button: ClassVar[Text] = _("Connect")
    sentences: ClassVar[Mapping[str, Text]] = {}
    """What its posts, and connecting an account, say beside the sentences that all networks share (`..sentences`): by
    code, with placeholders (`%(name)s`) for values. Only networks that share a sentence may share its code."""

    def connect(self, asked: dict[str, Any]) -> Connected:
        """Connect the account that a valid form asks for. asked: the form's cleaned data. Called by a job.

        Raises JobError.
        """
        raise NotImplementedError

    def leave(self, asked: dict[str, Any], callback_url: str, state: str) -> Elsewhere:
        """Where the browser goes instead, for networks that let a person allow it on a page of their own.

        asked: the form's cleaned data. callback_url: where that page sends the browser back to, with `code` or `error`
        in its query (RFC 6749, section 4.1.2): each server has one of its own, and no other may be registered there.
        state: what it has to bring along unchanged as `state`. Called by a job. Raises JobError.
        """
        raise NotImplementedError

    def come_back(self, pending: dict[str, Any], code: str) -> Connected:
        """Connect the account for which somebody came back. pending: as `leave` gave it. code: as the page sent it.

        Called by a job. Raises JobError.
        """
        raise NotImplementedError

    def post(self, account: Account, post: Post, run: Run) -> dict[str, Any]:
        """Publish the post, once over all attempts of the job (docs/adding-a-kind.md).

        Returns what the job's page shows: `url`, where it can be seen, and `missing`, how many pictures are missing
        there if any are; or, where nothing can be seen, `status` and `answer` of the receiver.
        Raises Failed("reconnect", say=…) if the account must be connected again, and what else the contract has.
        """
        raise NotImplementedError

    def revoke(self, account: Account) -> None:
        """Give the access to the account back, if the network knows such a thing. Called by a job.

        account: its row may be gone already. Raises JobError if the other side could not be told.
        """
        raise NotImplementedError

    def read_limits(self, instance: str) -> dict[str, int] | None:
        """Ask a server for its limits, by the names of Limits; None where all servers have those of the network.

        Called once a day at most. Raises JobError.
        """
        return None

    def known(self, account: Account) -> dict[str, str]:
        """What the form starts with, by field, when the account is to be connected again."""
        return {}

    def who(self, instance: str) -> str:
        """One of its servers in sentences: "Mastodon (mastodon.example)"."""
        return http.named(self.label, instance)

    @property
    def leaves(self) -> bool:
        """Whether an account is connected on a page of the network's own."""
        return self._has("leave")

    def problems(self) -> Iterator[str]:
        """What is missing or can't be right, a sentence each."""
        name = str(getattr(self, "name", ""))
        if not (name.isidentifier() and name.islower() and len(name) <= LONGEST_NAME):
            yield f"its name must be one word of lower-case letters, digits and _, {LONGEST_NAME} characters at most."
        if not getattr(self, "label", ""):
            yield "its label is missing: what people call it."
        limits = getattr(self, "limits", None)
        if not isinstance(limits, Limits):
            yield "its limits are missing: what a post may hold."
        elif wrong := [each for each, most in asdict(limits).items() if most is not None and most < 1]:
            yield f"its limits must be 1 at least: {', '.join(wrong)}."
        if not isinstance(getattr(self, "rules", None), Rules):
            yield "its rules are missing: how a post is counted and shown."
        form = getattr(self, "form", None)
        if not (isinstance(form, type) and issubclass(form, ConnectForm)):
            yield "its form is missing, a ConnectForm: what a person says in order to connect an account."
        elif getattr(form, "address_field", "") not in form.base_fields:
            yield "its form does not say in address_field which of its fields has an address of the other side."
        if not (self._has("connect") or self._has("leave") or self._has("come_back")):
            yield "it can't be connected: connect is missing (or leave and come_back)."
        for one, other in (("leave", "come_back"), ("come_back", "leave")):
            if self._has(one) and not self._has(other):
                yield f"it can't be connected: it has {one}, and {other} is missing."
        if not self._has("post"):
            yield "it can't be posted to: post is missing."
        if not self._has("revoke"):
            yield "no access to it can be given back: revoke is missing (it may do nothing, but has to say so)."

    def _has(self, method: str) -> bool:
        """Whether a method of this class was written for the network."""
        return getattr(type(self), method) is not getattr(Network, method)

    def __str__(self) -> str:
        return str(self.label)


def origin_typed(address: str) -> str:
    """The origin of a server whose address a person typed, for forms. Raises ValidationError with a sentence."""
    try:
        return http.origin_of(http.web_address(address))
    except JobError as error:
        raise ValidationError(in_words(error)) from None
