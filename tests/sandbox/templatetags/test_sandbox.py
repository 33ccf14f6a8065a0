"""How text from outside is shown."""

import pytest

from jobs.sandbox.templatetags.sandbox import links

pytestmark = pytest.mark.apart


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>&copy</b>", "&lt;b&gt;&amp;copy&lt;/b&gt;"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("(see http://a.example).", '(see <a href="http://a.example" rel="nofollow noopener">http://a.example</a>).'),
        (
            "https://a.example/?b=1&copy=2",
            '<a href="https://a.example/?b=1&amp;copy=2" rel="nofollow noopener">https://a.example/?b=1&amp;copy=2</a>',
        ),
    ],
)
def test_addresses_of_the_web_become_links_and_all_else_is_text(text, shown):
    assert links(text) == shown
