"""What of a Bluesky post can be clicked."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.kinds.social.networks.bluesky.facets import facets

pytestmark = pytest.mark.apart


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
