"""A job's page keeps itself up to date, with and without JavaScript."""

from datetime import timedelta

import pytest
from django.test import Client
from playwright.sync_api import expect

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Job, Status
from jobs.sentences import Sentence
from tests.kind_app.kind import Echo
from tests.processes import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def a_job(user, **payload) -> Job:
    (job,) = lifecycle.submit(Echo(), [Submission({"text": "Hello", **payload}, "Hello")], owner=user).jobs
    return job


def start(job: Job) -> Job:
    running = lifecycle.start(job.pk, "a worker")
    assert running
    return running


def turn_tab(page, *, hidden: bool) -> None:
    """What the browser does when its tab goes to the back: without a window there is none to cover it with."""
    page.evaluate("hidden => Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })", hidden)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def requests_for_status(page) -> list[str]:
    """The requests of the polling script from now on, as they come."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "status.json" in request.url else None)
    return asked


def badge(page):
    return page.locator(".badge")


def test_a_pending_job_reaches_its_outcome_on_the_page_without_a_reload(open_page, user, start_worker):
    page = open_page("/jobs/new/echo/", user=user)
    page.get_by_label("Text").fill("Hello")
    page.get_by_label("Seconds").fill("1")
    page.get_by_label("Steps").fill("4")
    page.get_by_role("button", name="Submit").click()
    expect(badge(page)).to_have_text("Waiting")
    page.evaluate("window.notReloaded = true")
    start_worker()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(badge(page)).to_have_text("Done")
    expect(page.locator("dd", has_text="Hello")).to_be_visible()
    assert page.evaluate("window.notReloaded")


def test_the_outcome_is_announced_to_screen_readers_once(open_page, user):
    job = a_job(user)
    page = open_page(job.get_absolute_url(), user=user)
    region = page.get_by_role("status")
    expect(region).to_have_text("")
    running = start(job)
    expect(region).to_have_text("Hello: Running")
    lifecycle.progress(running, 50, Sentence("text", text="Half"))
    expect(page.get_by_text("Half")).to_be_visible()
    expect(region).to_have_text("Hello: Running")
    lifecycle.succeed(running, {})
    expect(region).to_have_text("Hello: Done")


def test_without_javascript_the_page_loads_itself_again_until_the_outcome(open_page, user):
    job = a_job(user)
    page = open_page(job.get_absolute_url(), user=user, java_script_enabled=False)
    expect(badge(page)).to_have_text("Waiting")
    lifecycle.succeed(start(job), {"text": "Hello"})
    expect(badge(page)).to_have_text("Done", timeout=15_000)


def test_a_failed_job_can_be_tried_again_from_its_card_without_javascript(open_page, user):
    job = a_job(user)
    lifecycle.fail(start(job), "told_to_fail")
    page = open_page(job.get_absolute_url(), user=user, java_script_enabled=False)
    expect(page.get_by_text("The job was told to fail.")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(badge(page)).to_have_text("Waiting")


def test_a_button_that_arrived_by_polling_works(open_page, user):
    job = a_job(user)
    page = open_page(job.get_absolute_url(), user=user)
    lifecycle.fail(start(job), "told_to_fail")
    page.get_by_role("button", name="Try again").click()
    expect(badge(page)).to_have_text("Waiting")
    job.refresh_from_db()
    assert job.status == Status.PENDING


def test_a_lost_connection_is_told_and_the_page_catches_up_by_itself(open_page, user):
    job = a_job(user)
    page = open_page(job.get_absolute_url(), user=user)
    page.route("**/status.json*", lambda route: route.abort())
    expect(page.get_by_text("Connection lost, trying again.").first).to_be_visible()
    lifecycle.succeed(start(job), {})
    page.unroute("**/status.json*")
    expect(badge(page)).to_have_text("Done")
    expect(page.locator("[data-trouble]")).to_be_hidden()


def test_an_offline_page_asks_nothing_and_catches_up_at_once_when_back(open_page, user):
    job = a_job(user)
    page = open_page(job.get_absolute_url(), user=user, frozen=True)
    asked = requests_for_status(page)
    page.context.set_offline(True)
    page.clock.fast_forward("01:00")
    lifecycle.succeed(start(job), {})
    page.clock.fast_forward("01:00")
    assert asked == []
    page.context.set_offline(False)
    page.clock.run_for(1)
    expect(badge(page)).to_have_text("Done")


def test_a_running_job_can_be_cancelled_and_says_that_it_is_stopping(open_page, user):
    job = a_job(user)
    running = start(job)
    page = open_page(job.get_absolute_url(), user=user)
    page.get_by_role("button", name="Cancel").click()
    expect(badge(page)).to_have_text("Stopping …")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    lifecycle.stop(running)
    expect(badge(page)).to_have_text("Cancelled")
    expect(page.get_by_text("This job was cancelled before it was done.")).to_be_visible()


def test_an_opened_history_stays_open_while_the_card_changes(open_page, user):
    job = a_job(user)
    lifecycle.try_again(start(job), "away", pause=timedelta(0))
    page = open_page(job.get_absolute_url(), user=user)
    page.get_by_text("1 attempt").click()
    expect(page.get_by_text("Failed, another attempt followed")).to_be_visible()
    lifecycle.succeed(start(job), {})
    expect(badge(page)).to_have_text("Done")
    expect(page.get_by_text("Attempt 2: Done")).to_be_visible()


def test_a_hidden_tab_asks_seldom_and_catches_up_at_once_when_shown(open_page, user):
    job = a_job(user)
    page = open_page(job.get_absolute_url(), user=user, frozen=True)
    asked = requests_for_status(page)
    turn_tab(page, hidden=True)
    page.clock.run_for(29_000)
    assert asked == []
    with page.expect_response("**/status.json*"):
        page.clock.run_for(1_000)
    lifecycle.succeed(start(job), {})
    turn_tab(page, hidden=False)
    page.clock.run_for(1)
    expect(badge(page)).to_have_text("Done")


def test_several_jobs_of_the_list_are_kept_up_to_date_with_one_request(open_page, user):
    first, second, _ = (a_job(user) for _ in range(3))
    page = open_page("/jobs/", user=user, frozen=True)
    asked = requests_for_status(page)
    lifecycle.progress(start(first), 40, Sentence("text", text="Frame 4 of 10"))
    lifecycle.succeed(start(second), {})
    with page.expect_response("**/status.json*"):
        page.clock.run_for(300)
    expect(page.get_by_text("Frame 4 of 10")).to_be_visible()
    expect(page.locator(".badge.succeeded")).to_have_count(1)
    assert len(asked) == 1
    assert asked[0].count("id=") == 3


def test_the_tabs_title_counts_what_is_unfinished(open_page, user):
    first, second = (a_job(user) for _ in range(2))
    page = open_page("/jobs/", user=user)
    expect(page).to_have_title("(2) My jobs · Offload")
    lifecycle.succeed(start(first), {})
    expect(page).to_have_title("(1) My jobs · Offload")
    lifecycle.succeed(start(second), {})
    expect(page).to_have_title("My jobs · Offload")


def test_the_title_of_a_hidden_tab_tells_what_was_done_until_somebody_looks(open_page, user):
    job = a_job(user)
    page = open_page("/jobs/", user=user, frozen=True)
    turn_tab(page, hidden=True)
    lifecycle.succeed(start(job), {})
    page.clock.run_for(30_000)
    expect(page).to_have_title("Hello: Done")
    turn_tab(page, hidden=False)
    expect(page).to_have_title("My jobs · Offload")


# Chromium shows no notifications without a window: this stands in for the desktop that would.
DESKTOP = """
window.shown = [];
window.Notification = class {
  static permission = "default";
  static async requestPermission() { return (this.permission = "granted"); }
  constructor(text) { window.shown.push(text); }
};
"""


def test_a_notification_comes_only_after_the_person_has_asked_for_it(open_page, user):
    first, second = (a_job(user) for _ in range(2))
    page = open_page("/jobs/", user=user, frozen=True)
    page.context.add_init_script(DESKTOP)
    page.reload()
    turn_tab(page, hidden=True)
    lifecycle.succeed(start(first), {})
    page.clock.run_for(30_000)
    expect(page).to_have_title("(1) Hello: Done")
    turn_tab(page, hidden=False)
    assert page.evaluate("window.shown") == []
    page.get_by_role("button", name="Notify me when a job is done").click()
    expect(page.locator("[data-notify]")).to_be_hidden()
    turn_tab(page, hidden=True)
    lifecycle.succeed(start(second), {})
    page.clock.run_for(30_000)
    expect(page).to_have_title("Hello: Done")
    assert page.evaluate("window.shown") == ["Hello: Done"]


def test_a_list_can_be_filtered_by_keyboard_without_javascript(open_page, user):
    a_job(user)
    failed = a_job(user)
    lifecycle.fail(start(failed), "told_to_fail")
    page = open_page("/jobs/", user=user, java_script_enabled=False)
    page.get_by_label("Status").select_option("Failed")
    page.get_by_label("Title contains").press("Enter")
    expect(page.locator(".line")).to_have_count(1)
    expect(page.get_by_text("The job was told to fail.")).to_be_visible()


def test_the_focus_stays_on_its_button_while_the_card_changes(open_page, user):
    job = a_job(user)
    page = open_page(job.get_absolute_url(), user=user)
    button = page.get_by_role("button", name="Cancel")
    button.focus()
    Job.objects.filter(pk=job.pk).update(title="Another title")
    expect(page.get_by_role("heading", name="Another title")).to_be_visible()
    expect(button).to_be_focused()


def test_what_did_not_change_stays_the_same_element_so_that_a_video_would_play_on(open_page, user):
    job = a_job(user)
    page = open_page(job.get_absolute_url(), user=user)
    page.evaluate("document.querySelector('.card dl').sameAsBefore = true")
    lifecycle.progress(start(job), 50, Sentence("text", text="Half"))
    expect(page.get_by_role("progressbar")).to_be_visible()
    lifecycle.succeed(Job.objects.get(pk=job.pk), {"text": "Hello"})
    expect(badge(page)).to_have_text("Done")
    assert page.evaluate("[...document.querySelectorAll('.card dl')].some((list) => list.sameAsBefore)")


def test_the_focus_goes_to_the_card_when_its_button_is_gone(open_page, user):
    job = a_job(user)
    page = open_page(job.get_absolute_url(), user=user)
    page.get_by_role("button", name="Cancel").focus()
    lifecycle.succeed(start(job), {})
    expect(badge(page)).to_have_text("Done")
    expect(page.locator("[data-card]")).to_be_focused()


def test_after_signing_out_elsewhere_the_page_says_that_it_can_not_follow(open_page, user):
    job = a_job(user)
    page = open_page(job.get_absolute_url(), user=user)
    page.context.clear_cookies()
    expect(page.locator("[data-gone]")).to_be_visible()


def test_pressing_submit_twice_makes_one_job(open_page, user):
    page = open_page("/jobs/new/echo/", user=user)
    page.get_by_label("Text").fill("Hello")
    page.get_by_role("button", name="Submit").dblclick()
    page.wait_for_url("**/jobs/*-*/")
    wait_until(Job.objects.exists, what="the job is there")
    assert Job.objects.count() == 1


def test_several_jobs_of_one_submit_end_on_one_page(open_page, user, start_worker):
    page = open_page("/jobs/new/echo/", user=user)
    page.get_by_label("Text").fill("Hello")
    page.get_by_label("Copies").fill("3")
    page.get_by_role("button", name="Submit").click()
    start_worker()
    expect(page.locator(".badge.succeeded")).to_have_count(3)


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_scrolls_sideways(open_page, user, width):
    word = "Donaudampfschifffahrtsgesellschaftskapitän" * 4
    job = a_job(user)
    Job.objects.filter(pk=job.pk).update(title=word)
    failed = a_job(user)
    lifecycle.fail(start(failed), "told_to_fail", Sentence("text", text=word))
    page = open_page("/", user=user, width=width)
    addresses = ["/", "/jobs/", "/jobs/new/echo/", job.get_absolute_url(), failed.get_absolute_url(), "/nowhere/"]
    for address in addresses:
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address


def test_the_keyboard_reaches_the_content_first(open_page, user):
    page = open_page("/jobs/", user=user)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_signing_out_works_from_every_page(open_page, user):
    page = open_page("/jobs/", user=user)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in", exact=True).first).to_be_visible()
    assert Client().get("/jobs/").status_code == 302
