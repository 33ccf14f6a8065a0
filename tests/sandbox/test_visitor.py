"""A person at a browser, as a program: which form of a page it fills in."""

import pytest
import requests

from jobs.sandbox.visitor import Unexpected, form_with

pytestmark = pytest.mark.apart

PAGE = b"""
<form action="/search/"><input name="q"></form>
<form action="/jobs/new/echo/" method="POST">
  <input type="hidden" name="csrfmiddlewaretoken" value="token"><textarea name="text"></textarea>
  <label><input type="checkbox" name="accounts" value="7"> @ann@a.example</label> not a label
</form>
"""


def page() -> requests.Response:
    answer = requests.Response()
    answer.url, answer.status_code, answer.encoding, answer._content = "http://site.example/new/", 200, "utf-8", PAGE
    return answer


def test_the_form_with_all_the_fields_is_filled_in():
    form = form_with({"text", "accounts"}, page())
    assert (form.action, form.method) == ("/jobs/new/echo/", "post")
    assert form.values == {"csrfmiddlewaretoken": "token"}
    assert [(name, value, label.strip()) for name, value, label in form.choices] == [
        ("accounts", "7", "@ann@a.example")
    ]


def test_a_page_without_such_a_form_is_told():
    with pytest.raises(Unexpected, match=r"http://site\.example/new/ has no form with q, text"):
        form_with({"q", "text"}, page())
    with pytest.raises(Unexpected):  # a search is no submit
        form_with({"q"}, page())
