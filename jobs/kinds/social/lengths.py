"""How long a post is, as the networks count, and the sentence for one that is too long."""

import regex
from django.utils.translation import gettext, gettext_noop

from .models import Account, Network

URL = regex.compile(r"https?://[^\s<>\"]*[^\s<>\"'.,;:!?)\]}…]")
"""A link in a text, without the punctuation that follows it."""
REMOTE_MENTION = regex.compile(r"(?<![\w/])@(\w[\w.-]*)@\w+(?:[.:-]\w+)*")
"""@ann@mastodon.example; group 1 is the name without the server."""

TOO_MANY_CHARACTERS = gettext_noop(
    "%(who)s takes posts of up to %(limit)s characters; this one has %(length)s, which is %(surplus)s too many."
)
TOO_MANY_BYTES = gettext_noop(
    "%(who)s takes posts of up to %(limit)s bytes; this one has %(length)s, which is %(surplus)s too many."
)


def graphemes(text: str) -> int:
    """What people see as characters: a family emoji is one (UAX 29, https://unicode.org/reports/tr29/)."""
    return len(regex.findall(r"\X", text))


def mastodon_length(text: str, per_url: int) -> int:
    """Length as Mastodon counts: graphemes, each link as `per_url`, remote mentions without their server.

    https://docs.joinmastodon.org/user/posting/#text
    """
    text = URL.sub("x" * per_url, text)
    return graphemes(REMOTE_MENTION.sub(r"@\1", text))


def text_on(network: str, text: str, warning: str) -> str:
    """The text as it is posted. Bluesky knows no warnings in words, so there such a one stands above the text."""
    return f"CW: {warning}\n\n{text}".rstrip() if warning and network == Network.BLUESKY else text


def too_long(text: str, account: Account, warning: str = "") -> str:
    """The sentence that tells by how much a post is over the account's limits, "" if it fits."""
    text = text_on(account.network, text, warning)
    if limit := account.limit("characters"):
        if per_url := account.limit("characters_per_url"):
            length = graphemes(warning) + mastodon_length(text, per_url)
        else:
            length = graphemes(text)
        if length > limit:
            return _sentence(TOO_MANY_CHARACTERS, account, length, limit)
    if (limit := account.limit("bytes")) and (length := len(text.encode())) > limit:
        return _sentence(TOO_MANY_BYTES, account, length, limit)
    return ""


def _sentence(template: str, account: Account, length: int, limit: int) -> str:
    numbers = {"length": length, "limit": limit, "surplus": length - limit}
    return gettext(template) % {"who": account.who, **{name: f"{number:,}" for name, number in numbers.items()}}
