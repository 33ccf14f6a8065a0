"""How long a post is, as the networks count, and the sentence for one that is too long.

compose.js counts in the same way, by the same rules; tests/kinds/social/lengths.json holds both to one table of
examples. So patterns are written in what Python's `regex` and JavaScript (with its flag u) have in common.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import regex
from django.utils.translation import gettext, gettext_noop

from .models import Account

LINK = r"""https?://[^\s<>"]*[^\s<>"'.,;:!?)\]}…]"""
"""A link in a text, without the punctuation that follows it."""
_WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}"
REMOTE_MENTION = rf"(?<![{_WORD}/])@([{_WORD}][{_WORD}.-]*)@[{_WORD}]+(?:[.:-][{_WORD}]+)*"
"""@ann@mastodon.example; group 1 is the name without the server."""

TOO_MANY_CHARACTERS = gettext_noop(
    "%(who)s takes posts of up to %(limit)s characters; this one has %(length)s, which is %(surplus)s too many."
)
TOO_MANY_BYTES = gettext_noop(
    "%(who)s takes posts of up to %(limit)s bytes; this one has %(length)s, which is %(surplus)s too many."
)


class WarningPlace(StrEnum):
    """What a network does with a content warning in words."""

    HIDES = "hides"
    """It is shown first, and the rest when somebody asks for it. It counts as characters."""
    ABOVE = "above"
    """The network knows none, so it stands above the text, as part of it."""
    APART = "apart"
    """It is handed over beside the text, and does not count."""


@dataclass(frozen=True)
class Rules:
    """How a network counts and shows a post. The page's script is handed the same, as JSON.

    warning: what becomes of a content warning.
    warned: how a text with its warning above it reads.
    links: pattern of a link; what each counts as is a limit of the account (characters_per_url).
    short_mentions: pattern of the mentions that count and are shown as "@" and their group 1; "" for none.
    shown_of_link: how many characters of a link are shown, without its scheme and "www."; None: the whole link.
    """

    warning: WarningPlace
    warned: str = "CW: %(warning)s\n\n%(text)s"
    links: str = LINK
    short_mentions: str = ""
    shown_of_link: int | None = None


@dataclass(frozen=True)
class Count:
    """How long a post is and how long it may be. unit: "characters" or "bytes"."""

    unit: str
    length: int
    limit: int


def graphemes(text: str) -> int:
    """What people see as characters: a family emoji is one (UAX 29, https://unicode.org/reports/tr29/)."""
    return len(regex.findall(r"\X", text))


def characters(rules: Rules, text: str, per_url: int | None) -> int:
    """Length of a text in graphemes, as a network counts them. per_url: what a link counts as; None: as it is."""
    if per_url:
        text = regex.sub(rules.links, "x" * per_url, text)
    if rules.short_mentions:
        text = regex.sub(rules.short_mentions, r"@\1", text)
    return graphemes(text)


def text_on(rules: Rules, text: str, warning: str) -> str:
    """The text as it is posted: with its warning above it, where the network knows no warnings."""
    if not warning or rules.warning is not WarningPlace.ABOVE:
        return text
    return (rules.warned % {"warning": warning, "text": text}).rstrip()


def counts(account: Account, text: str, warning: str = "") -> Iterator[Count]:
    """How long a post is for an account, in each unit that is limited."""
    rules = account.network_object.rules
    text = text_on(rules, text, warning)
    if limit := account.limit("characters"):
        beside = graphemes(warning) if rules.warning is WarningPlace.HIDES else 0
        yield Count("characters", beside + characters(rules, text, account.limit("characters_per_url")), limit)
    if limit := account.limit("bytes"):
        yield Count("bytes", len(text.encode()), limit)


def too_long(text: str, account: Account, warning: str = "") -> str:
    """The sentence that tells by how much a post is over the account's limits, "" if it fits."""
    for count in counts(account, text, warning):
        if (surplus := count.length - count.limit) > 0:
            sentence = TOO_MANY_CHARACTERS if count.unit == "characters" else TOO_MANY_BYTES
            numbers = {"length": count.length, "limit": count.limit, "surplus": surplus}
            shown = {name: f"{number:,}" for name, number in numbers.items()}
            return gettext(sentence) % {"who": account.who, **shown}
    return ""
