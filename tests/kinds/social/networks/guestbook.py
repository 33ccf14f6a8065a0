"""A network that only the tests know: all that a further one needs, in one place."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib.auth.models import User
from django.utils.safestring import SafeString

from jobs.contract import Failed, Run, Text
from jobs.kinds.social import http
from jobs.kinds.social import networks as registry
from jobs.kinds.social.lengths import REMOTE_MENTION, Rules, WarningPlace
from jobs.kinds.social.models import Account
from jobs.kinds.social.networks.base import Connected, ConnectForm, Elsewhere, Limits, Network, origin_typed
from jobs.kinds.social.post import Post
from tests.kinds.social.conftest import connected
from tests.servers.stand_in import Asked, Reply, StandIn


class GuestbookForm(ConnectForm):
    address_field = "address"
    address = forms.CharField(label="Address of the book")
    pen_name = forms.CharField(label="Pen name")

    def clean_address(self) -> str:
        return origin_typed(self.cleaned_data["address"])


class Guestbook(Network):
    """A book at an address, into which whoever knows its key writes."""

    name = "guestbook"
    label = "Guestbook"
    noun = "guestbook"
    icon = SafeString('<svg aria-hidden="true" class="book" viewBox="0 0 4 4"><path d="M0 0h4v4z"/></svg>')
    limits = Limits(characters=40, characters_per_url=5, media=1, picture_bytes=100_000, picture_pixels=10_000)
    rules = Rules(WarningPlace.ABOVE, warned="[%(warning)s] %(text)s", short_mentions=REMOTE_MENTION, shown_of_link=10)
    always_public = True
    form: ClassVar[type[ConnectForm]] = GuestbookForm
    connect_text = "Everybody reads what stands in a book."
    connect_button = "Open the book"
    sentences: ClassVar[Mapping[str, Text]] = {"closed": "The book is closed."}

    def connect(self, asked: dict[str, Any]) -> Connected:
        answer = http.request("GET", f"{asked['address']}/key", self.who(asked["address"]))
        if not answer.ok:
            raise Failed("closed")
        return Connected(asked["address"], asked["pen_name"], {"key": answer.fields()["key"]}, display_name="A book")

    def post(self, account: Account, post: Post, run: Run) -> dict[str, Any]:
        entry = {
            "key": account.credentials["key"],
            "text": post.text,
            "warning": post.warning,
            "pictures": [(picture.alt, picture.width * picture.height) for picture in post.pictures],
        }
        http.expect(http.request("POST", f"{account.instance}/entries", account.who, json=entry), account.who)
        return {"url": f"{account.instance}/entries/1"}

    def revoke(self, account: Account) -> None:
        http.request("POST", f"{account.instance}/forget", account.who, json=account.credentials)

    def known(self, account: Account) -> dict[str, str]:
        return {"address": account.instance, "pen_name": account.handle}


class LockedGuestbook(Guestbook):
    """One whose keeper lets people in on a page of their own."""

    name = "locked"
    label = "Locked guestbook"
    noun = "locked guestbook"
    sentences = {**Guestbook.sentences, "stranger": "The keeper does not know you."}

    def leave(self, asked: dict[str, Any], callback_url: str, state: str) -> Elsewhere:
        return Elsewhere(f"{asked['address']}/knock?to={callback_url}&state={state}", asked)

    def come_back(self, pending: dict[str, Any], code: str) -> Connected:
        if code != "friend":
            raise Failed("stranger")
        return Connected(pending["address"], pending["pen_name"], {"key": code}, limits={"characters": 10})


class Book(StandIn):
    """What the guestbooks talk to."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[dict[str, Any]] = []
        self.forgotten: list[str] = []
        self.routes = {
            "GET /key": Reply({"key": "k3y"}),
            "POST /entries": self.write,
            "POST /forget": self.forget,
        }

    def write(self, asked: Asked) -> Reply:
        self.entries.append(asked.json)
        return Reply({})

    def forget(self, asked: Asked) -> Reply:
        self.forgotten.append(asked.json["key"])
        return Reply()


def add(monkeypatch: pytest.MonkeyPatch, *more: Network) -> None:
    """Let the site know further networks, as a line in the registry does."""
    everything = (*registry.networks(), *more)
    monkeypatch.setattr(registry, "_networks", list(everything))


def account_in(book: str, owner: User) -> Account:
    """An account in a guestbook, as connecting it leaves it. book: its origin."""
    return connected(owner, "guestbook", book, "ann", {"key": "k3y"})
