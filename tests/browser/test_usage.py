"""The page of what one uses, on a narrow screen, by keyboard, and the form that says there is no room."""

import pytest

from jobs.core import lifecycle
from jobs.kind import Submission
from tests.kind_app.kind import Echo

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_what_is_used_is_told_in_words_beside_its_name_and_fits_a_narrow_screen(open_page, user):
    lifecycle.submit(Echo(), [Submission({"text": "Hello"}, "Hello")] * 12, owner=user)
    page = open_page("/export/", user=user, width=360)
    page.get_by_role("link", name="What I use").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/usage/")
    lines = page.locator("main li p").all_inner_texts()
    assert lines[0] == "Jobs that wait or run: 12 of 1,000"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("meter").count() == len(lines)


def test_who_has_no_room_keeps_what_was_typed(open_page, user, offload):
    offload(QUOTA_JOBS=1)
    lifecycle.submit(Echo(), [Submission({"text": "Hello"}, "Hello")], owner=user)
    page = open_page("/jobs/new/echo/", user=user, width=360)
    page.get_by_label("Text").fill("a long letter")
    page.get_by_role("button", name="Submit").click()
    page.get_by_text("There is no room: of at most 1 jobs, 1 wait or run already.").wait_for()
    assert page.get_by_label("Text").input_value() == "a long letter"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
