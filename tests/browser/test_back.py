"""The back button, for pages that the browser has kept whole and for those that it has to make anew."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, Playwright, expect

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Job
from tests.browser.conftest import launched
from tests.kind_app.kind import Echo

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

KEPT, ANEW = "kept whole", "made anew"


@pytest.fixture(scope="module", params=[KEPT, ANEW])
def chromium(request: pytest.FixtureRequest, playwright: Playwright) -> Iterator[Browser]:
    """Playwright turns the back/forward cache off, which every browser of a person has."""
    browser = launched(playwright, ignore_default_args=["--disable-back-forward-cache"] * (request.param == KEPT))
    yield browser
    browser.close()


@pytest.fixture
def is_kept(request: pytest.FixtureRequest, chromium: Browser) -> bool:
    """Whether this browser keeps pages whole."""
    return bool(request.node.callspec.params["chromium"] == KEPT)


def back(page: Page, path: str, *, is_kept: bool) -> None:
    """Press the back button, and see that the page came back the way that is looked at here."""
    page.evaluate("history.back()")
    page.wait_for_url(path, wait_until="commit")
    assert bool(page.evaluate("window.isKept")) is is_kept


def submit(page: Page) -> None:
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/*-*/")


@pytest.fixture
def submitted(open_page, user: User) -> Page:
    """The page of a job, which was submitted with a form just now."""
    page: Page = open_page("/jobs/new/echo/", user=user)
    page.evaluate("window.isKept = true")
    page.get_by_label("Text").fill("Hello")
    submit(page)
    return page


def test_going_back_and_submitting_the_same_again_makes_no_second_job(submitted: Page, is_kept: bool) -> None:
    first = submitted.url
    back(submitted, "**/jobs/new/echo/", is_kept=is_kept)
    expect(submitted.get_by_label("Text")).to_have_value("Hello")
    submit(submitted)
    assert submitted.url == first
    assert Job.objects.count() == 1


def test_going_back_and_submitting_something_else_makes_another_job(submitted: Page, is_kept: bool) -> None:
    back(submitted, "**/jobs/new/echo/", is_kept=is_kept)
    submitted.get_by_label("Text").fill("Good evening")
    submit(submitted)
    expect(submitted.get_by_role("heading", name="Good evening")).to_be_visible()
    assert Job.objects.count() == 2


def test_a_page_that_the_back_button_brings_polls_on(open_page, user: User, is_kept: bool) -> None:
    (job,) = lifecycle.submit(Echo(), [Submission({"text": "Hello"}, "Hello")], owner=user).jobs
    page = open_page(job.get_absolute_url(), user=user)
    page.evaluate("window.isKept = true")
    page.get_by_role("link", name="Sandbox").click()
    page.wait_for_url("**/sandbox/")
    back(page, f"**{job.get_absolute_url()}", is_kept=is_kept)
    expect(page.get_by_text("Waiting", exact=True)).to_be_visible()
    running = lifecycle.start(job.pk, "a worker")
    assert running
    lifecycle.succeed(running, {"text": "Hello"})
    expect(page.get_by_text("Done", exact=True)).to_be_visible()
