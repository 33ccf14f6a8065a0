"""What of a Bluesky post is a link, a mention or a tag.

Bluesky shows a text as it is; what should be clickable is said in facets, whose positions are UTF-8 bytes.
https://docs.bsky.app/docs/advanced-guides/post-richtext
"""

from collections.abc import Callable
from typing import Any

import regex

from ...lengths import LINK, graphemes

URL = regex.compile(LINK)
MENTION = regex.compile(
    r"(?<![\w@/.])@((?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z][a-zA-Z0-9-]*[a-zA-Z0-9])"
)
"""@handle, where a handle is a domain name. https://atproto.com/specs/handle"""
TAG = regex.compile(r"(?<!\S)[##](?=\S*[^\d\s\p{P}])((?:[^\s\p{P}]|[-_'’])+)")
"""#tag with at least one character that is neither digit nor punctuation."""
MAX_TAG = 64
"""Graphemes of a tag."""


def facets(text: str, did_of: Callable[[str], str | None]) -> list[dict[str, Any]]:
    """The facets of a text, in order. did_of: the DID behind a handle, None if nobody has it (it stays plain text)."""
    found = []
    links = [match.span() for match in URL.finditer(text)]
    for match in URL.finditer(text):
        found.append(_facet(text, match.span(), "link", uri=match[0]))
    for match in MENTION.finditer(text):
        if not _inside(match.span(), links) and (did := did_of(match[1].lower())):
            found.append(_facet(text, match.span(), "mention", did=did))
    for match in TAG.finditer(text):
        if not _inside(match.span(), links) and graphemes(match[1]) <= MAX_TAG:
            found.append(_facet(text, match.span(), "tag", tag=match[1]))
    return sorted(found, key=lambda facet: int(facet["index"]["byteStart"]))


def _facet(text: str, span: tuple[int, int], kind: str, **feature: str) -> dict[str, Any]:
    start = len(text[: span[0]].encode())
    return {
        "index": {"byteStart": start, "byteEnd": start + len(text[slice(*span)].encode())},
        "features": [{"$type": f"app.bsky.richtext.facet#{kind}", **feature}],
    }


def _inside(span: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(start <= span[0] < end for start, end in others)
