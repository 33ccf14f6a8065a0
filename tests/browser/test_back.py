"""The back button, in a browser that keeps pages whole where it may, as that of a person does."""

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


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Playwright turns the back/forward cache off, which every browser of a person has."""
    browser = launched(playwright, ignore_default_args=["--disable-back-forward-cache"])
    yield browser
    browser.close()


def back(page: Page, path: str) -> None:
    """Press the back button."""
    page.evaluate("history.back()")
    page.wait_for_url(path, wait_until="commit")


def submit(page: Page) -> None:
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/*-*/")


@pytest.fixture
def submitted(open_page, user: User) -> Page:
    """The page of a job, which was submitted with a form just now."""
    page: Page = open_page("/jobs/new/echo/", user=user)
    page.get_by_label("Text").fill("Hello")
    submit(page)
    return page


def test_going_back_and_submitting_the_same_again_makes_no_second_job(submitted: Page) -> None:
    first = submitted.url
    back(submitted, "**/jobs/new/echo/")
    expect(submitted.get_by_label("Text")).to_have_value("Hello")
    submit(submitted)
    assert submitted.url == first
    assert Job.objects.count() == 1


def test_going_back_and_submitting_something_else_makes_another_job(submitted: Page) -> None:
    back(submitted, "**/jobs/new/echo/")
    submitted.get_by_label("Text").fill("Good evening")
    submit(submitted)
    expect(submitted.get_by_role("heading", name="Good evening")).to_be_visible()
    assert Job.objects.count() == 2


def test_a_page_that_the_back_button_brings_polls_on(open_page, user: User) -> None:
    (job,) = lifecycle.submit(Echo(), [Submission({"text": "Hello"}, "Hello")], owner=user).jobs
    page = open_page(job.get_absolute_url(), user=user)
    page.get_by_role("link", name="Sandbox").click()
    page.wait_for_url("**/sandbox/")
    back(page, f"**{job.get_absolute_url()}")
    expect(page.get_by_text("Waiting", exact=True)).to_be_visible()
    running = lifecycle.start(job.pk, "a worker")
    assert running
    lifecycle.succeed(running, {"text": "Hello"})
    expect(page.get_by_text("Done", exact=True)).to_be_visible()


def test_after_the_sign_out_the_back_button_shows_nothing(open_page, user: User) -> None:
    (job,) = lifecycle.submit(Echo(), [Submission({"text": "Hello"}, "A secret title")], owner=user).jobs
    page = open_page("/jobs/", user=user)
    page.goto(job.get_absolute_url())
    expect(page.get_by_role("heading", name="A secret title")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("navigation").get_by_role("link", name="Sign up")).to_be_visible()
    back(page, f"**{job.get_absolute_url()}")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    back(page, "**/accounts/login/**")
    assert "secret" not in page.content()
