"""The practice network's own pages."""

import pytest

from jobs.web.styles import CORE
from tests.processes import ROOT

STATIC = ROOT / "jobs" / "static"

pytestmark = [pytest.mark.stack, pytest.mark.apart]


def test_a_post_has_a_page_that_its_url_leads_to(network, ann):
    status = ann.toot("Hello https://example.org/?a=1&copy=2 there").json()
    assert status["url"] == f"{network.url}/@{ann.name}/{status['id']}"
    assert 'href="https://example.org/?a=1&amp;copy=2"' in status["content"]
    page = network.get(status["url"].removeprefix(network.url))
    assert page.status_code == 200
    assert "Hello" in page.text


def test_html_in_a_post_is_escaped_everywhere(network, ann):
    status = ann.toot("<script>alert(1)</script> javascript:alert(2)", spoiler_text="<b>bold</b>").json()
    assert "<script>" not in status["content"]
    page = network.get(status["url"].removeprefix(network.url)).text
    assert "<script>" not in page
    assert "<b>" not in page
    assert 'href="javascript' not in page


def test_the_network_wears_the_cores_style(network):
    answer = network.get("/style.css")
    assert answer.headers["Content-Type"] == "text/css"
    assert [name for name in CORE if (STATIC / name).read_text() not in answer.content.decode()] == []
