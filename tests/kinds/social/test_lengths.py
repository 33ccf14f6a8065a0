"""How long a post is on each network, and what of a Bluesky post can be clicked."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.kinds.social.lengths import characters, graphemes, text_on, too_long
from jobs.kinds.social.models import Account
from jobs.kinds.social.networks import network_named
from jobs.kinds.social.networks.bluesky.client import tid
from jobs.kinds.social.networks.bluesky.facets import facets

pytestmark = pytest.mark.apart

MASTODON, BLUESKY = network_named("mastodon").rules, network_named("bluesky").rules
FAMILY = "👨‍👩‍👧‍👦"
EXAMPLES = json.loads(Path(__file__).with_name("lengths.json").read_text())
"""The page's script is held to the same: tests/js/compose.test.js."""


def account(network: str, **limits: int) -> Account:
    return Account(network=network, instance="https://social.example", handle="@ann", limits=limits)


def test_a_family_emoji_is_one_character():
    assert (graphemes(FAMILY), graphemes("e\u0301"), graphemes("🇩🇪🇫🇷"), graphemes("👍🏽")) == (1, 1, 2, 1)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_each_network_counts_in_its_own_way(example):
    text = example["text"]
    assert characters(MASTODON, text, 23) == example["mastodon"]
    assert characters(BLUESKY, text, None) == graphemes(text) == example["graphemes"]
    assert len(text.encode()) == example["bytes"]


def test_a_warning_counts_on_mastodon_and_stands_above_the_text_on_bluesky():
    mastodon = account("mastodon", characters=500)
    assert too_long("x" * 490, mastodon, "y" * 10) == ""
    assert "this one has 501" in too_long("x" * 490, mastodon, "y" * 11)
    assert text_on(BLUESKY, "Hello", "Food") == "CW: Food\n\nHello"
    assert text_on(BLUESKY, "", "Food") == "CW: Food"
    assert text_on(MASTODON, "Hello", "Food") == "Hello"
    assert "this one has 301" in too_long("x" * 291, account("bluesky"), "Food")


def test_a_text_that_is_too_long_is_told_by_how_much_and_where():
    mastodon = account("mastodon", characters=500, characters_per_url=23)
    assert too_long("x" * 500, mastodon) == ""
    assert too_long("x" * 512, mastodon) == (
        "Mastodon (social.example) takes posts of up to 500 characters; this one has 512, which is 12 too many."
    )
    bluesky = account("bluesky", characters=300, bytes=3000)
    assert too_long(FAMILY * 100, bluesky) == ""
    assert "up to 300 characters; this one has 301, which is 1 too many" in too_long(FAMILY * 301, bluesky)
    assert "up to 3,000 bytes; this one has 3,025, which is 25 too many" in too_long(FAMILY * 121, bluesky)
    assert too_long("x" * 9000, account("webhook")) == ""


def clickable(text: str) -> list[tuple[str, str]]:
    """The clickable parts of a text, with what they lead to."""
    return [
        (text.encode()[slice(*facet["index"].values())].decode(), list(facet["features"][0].values())[1])
        for facet in facets(text, {"bob.test": "did:plc:bob"}.get)
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("(https://example.org/a_b?c=d#e).", [("https://example.org/a_b?c=d#e", "https://example.org/a_b?c=d#e")]),
        ("é @bob.test, @Bob.Test! @nobody.test", [("@bob.test", "did:plc:bob"), ("@Bob.Test", "did:plc:bob")]),
        ("ann@bob.test https://x.example/@bob.test", [("https://x.example/@bob.test",) * 2]),
        ("#one #2 #3d, #a-b! x#no # #!", [("#one", "one"), ("#3d", "3d"), ("#a-b", "a-b")]),
        ("https://x.example/#part #" + "y" * 65, [("https://x.example/#part",) * 2]),
    ],
)
def test_links_mentions_and_tags_are_found_with_their_bytes(text, parts):
    assert clickable(text) == parts


@given(st.text())
def test_facets_lie_inside_the_text_in_order_and_apart(text):
    ends = [tuple(facet["index"].values()) for facet in facets(text, lambda handle: f"did:plc:{handle}")]
    size = len(text.encode(errors="surrogatepass"))
    assert ends == sorted(ends)
    assert all(0 <= start < end <= size for start, end in ends)
    assert all(one[1] <= other[0] for one, other in pairwise(ends))


def test_record_keys_sort_by_time_and_have_the_form_of_a_tid():
    now = datetime(2026, 11, 22, 15, tzinfo=UTC)
    keys = [tid(now + timedelta(microseconds=step), clock=1023 - step) for step in range(50)]
    assert keys == sorted(keys)
    assert all(len(key) == 13 and key[0] in "234567abcdefghij" for key in keys)
    assert tid(datetime(1970, 1, 1, tzinfo=UTC), 0) == "2" * 13
