"""How long a post is, as the networks count, and the sentence for one that is too long."""

import regex

from jobs.kinds.social.models import Account, Network

URL = regex.compile(r"https?://[^\s<>\"]*[^\s<>\"'.,;:!?)\]}…]")
"""A link in a text, without the punctuation that follows it."""
REMOTE_MENTION = regex.compile(r"(?<![\w/])@(\w[\w.-]*)@\w+(?:[.:-]\w+)*")
"""@ann@mastodon.example; group 1 is the name without the server."""


def graphemes(text: str) -> int:
    """What people see as characters: a family emoji is one (UAX 29, https://unicode.org/reports/tr29/)."""
    return len(regex.findall(r"\X", text))


def mastodon_length(text: str, per_url: int) -> int:
    """Length as Mastodon counts: graphemes, each link as `per_url`, remote mentions without their server.

    https://docs.joinmastodon.org/user/posting/#text
    """
    text = URL.sub("x" * per_url, text)
    return graphemes(REMOTE_MENTION.sub(r"@\1", text))


def too_long(text: str, account: Account) -> str:
    """The sentence that tells by how much the text is over the account's limits, "" if it fits."""
    limits = account.limits
    if limit := limits.get("characters"):
        mastodon = account.network == Network.MASTODON
        length = mastodon_length(text, limits["characters_per_url"]) if mastodon else graphemes(text)
        if length > limit:
            return _sentence(account, length, limit, "characters")
    if (limit := limits.get("bytes")) and (length := len(text.encode())) > limit:
        return _sentence(account, length, limit, "bytes")
    return ""


def _sentence(account: Account, length: int, limit: int, unit: str) -> str:
    return (
        f"{account.who} takes posts of up to {limit:,} {unit}; this one has {length:,}, "
        f"which is {length - limit:,} too many."
    )
