"""`manage.py check` refuses a network that is half added, and says what is missing."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from jobs.kinds.social.checks import check_networks
from jobs.kinds.social.networks.base import ConnectForm, Limits, Network
from tests.kinds.social.networks.guestbook import Guestbook, LockedGuestbook, add

pytestmark = pytest.mark.apart

NAME = "its name must be one word of lower-case letters, digits and _, 30 characters at most."
LABEL = "its label is missing: what people call it."
LIMITS = "its limits are missing: what a post may hold."
RULES = "its rules are missing: how a post is counted and shown."
FORM = "its form is missing, a ConnectForm: what a person says in order to connect an account."
CONNECT = "it can't be connected: connect is missing (or leave and come_back)."
POST = "it can't be posted to: post is missing."
REVOKE = "no access to it can be given back: revoke is missing (it may do nothing, but has to say so)."


def half(*missing: str, of: type[Network] = Guestbook, **other: Any) -> Network:
    """A network like a complete one without some of its parts, or with others."""
    whole: dict[str, Any] = {}
    for each in reversed(of.__mro__[: of.__mro__.index(Network)]):
        whole |= vars(each)
    parts = {name: part for name, part in whole.items() if name not in {*missing, "__dict__", "__weakref__"}}
    network: Network = type("Half", (Network,), parts | other)()
    return network


def found(monkeypatch: pytest.MonkeyPatch, *more: Network) -> list[str]:
    add(monkeypatch, *more)
    return [f"{error.id} {error.msg}" for error in check_networks(None)]


def test_the_networks_of_this_site_are_complete():
    assert check_networks(None) == []


@pytest.mark.parametrize("whole", [Guestbook, LockedGuestbook])
def test_a_complete_network_is_no_problem(monkeypatch, whole):
    assert found(monkeypatch, whole(), half(of=whole, name="other")) == []


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("name", NAME),
        ("label", LABEL),
        ("limits", LIMITS),
        ("rules", RULES),
        ("form", FORM),
        ("connect", CONNECT),
        ("post", POST),
        ("revoke", REVOKE),
    ],
)
def test_each_part_that_is_missing_is_named(monkeypatch, part, sentence):
    assert found(monkeypatch, half(part)) == [f"offload.E006 Network Half: {sentence}"]


@pytest.mark.parametrize(
    ("part", "other"), [("leave", "come_back"), ("come_back", "leave")], ids=["no way out", "no way back"]
)
def test_a_page_elsewhere_needs_the_way_there_and_the_way_back(monkeypatch, part, other):
    sentence = f"it can't be connected: it has {other}, and {part} is missing."
    assert found(monkeypatch, half(part, of=LockedGuestbook)) == [f"offload.E006 Network Half: {sentence}"]


class Wordless(ConnectForm):
    pass


@pytest.mark.parametrize(
    ("part", "value", "sentence"),
    [
        ("name", "Guest Book", NAME),
        ("name", "x" * 31, NAME),
        ("name", 7, NAME),
        ("label", "", LABEL),
        ("limits", {"characters": 40}, LIMITS),
        (
            "limits",
            Limits(media=0, picture_bytes=-1, picture_pixels=1),
            "its limits must be 1 at least: media, picture_bytes.",
        ),
        ("rules", "hides", RULES),
        ("form", object, FORM),
        ("form", "GuestbookForm", FORM),
        (
            "form",
            Wordless,
            "its form does not say in address_field which of its fields has an address of the other side.",
        ),
    ],
)
def test_a_part_that_can_not_be_right_is_named(monkeypatch, part, value, sentence):
    assert found(monkeypatch, half(**{part: value})) == [f"offload.E006 Network Half: {sentence}"]


def test_two_networks_of_one_name_are_refused(monkeypatch):
    sentence = "offload.E006 Network Guestbook: another network has the name 'guestbook' already."
    assert found(monkeypatch, half(), Guestbook()) == [sentence]


@pytest.mark.parametrize(
    ("code", "whose"),
    [("no_answer", "SocialKind"), ("code_refused", "network Mastodon"), ("closed", "network Guestbook")],
)
def test_a_code_that_has_other_words_already_is_named(monkeypatch, code, whose):
    other = half(name="other", sentences={code: "Nobody is at home.", "rain": "It rains on the book."})
    sentence = f"its sentences use the code '{code}', which {whose} uses already for other words."
    assert found(monkeypatch, Guestbook(), other) == [f"offload.E006 Network Half: {sentence}"]


def test_the_command_refuses_a_network_of_which_only_the_name_is_there(monkeypatch):
    add(monkeypatch, type("Nostr", (Network,), {"name": "nostr", "label": "Nostr"})())
    with pytest.raises(CommandError) as refused:
        call_command("check")
    said = str(refused.value)
    for sentence in (LIMITS, RULES, FORM, CONNECT, POST, REVOKE):
        assert f"(offload.E006) Network Nostr: {sentence}" in said
