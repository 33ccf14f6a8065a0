"""How long a post is on each network."""

import json
from pathlib import Path

import pytest

from jobs.kinds.social.lengths import characters, graphemes, text_on, too_long
from jobs.kinds.social.models import Account
from jobs.kinds.social.networks import network_named

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
