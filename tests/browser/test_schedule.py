"""Jobs for later, in the browser's own time zone."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from jobs.models import Job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TOKYO = ZoneInfo("Asia/Tokyo")


def test_a_job_is_scheduled_in_the_browsers_zone_moved_and_cancelled(open_page, user):
    page = open_page("/", user=user, timezone_id="Asia/Tokyo")
    page.goto("/jobs/new/echo/")
    expect(page.get_by_text("Times: Asia/Tokyo")).to_be_visible()
    moment = (timezone.localtime(timezone=TOKYO) + timedelta(days=1)).replace(second=0, microsecond=0)
    page.get_by_label("Text").fill("Hello")
    page.get_by_text("Later …").click()
    page.get_by_label("Start").fill(moment.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text(f"Starts on {moment.day} {moment:%B} at {moment:%H:%M}:00 JST.")).to_be_visible()
    assert Job.objects.get().run_at == moment
    later = moment + timedelta(days=1)
    page.get_by_label("Start").fill(later.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Change the start").click()
    expect(page.get_by_text(f"Starts on {later.day} {later:%B} at {later:%H:%M}:00 JST.")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("This job was cancelled before it started.")).to_be_visible()


def test_the_zone_that_a_person_chose_stays(open_page, user):
    page = open_page("/jobs/", user=user, timezone_id="Asia/Tokyo")
    page.get_by_role("link", name="change the time zone").click()
    page.get_by_label("Time zone").select_option("Europe/Berlin")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/jobs/")
    page.reload()
    expect(page.get_by_text("Times: Europe/Berlin")).to_be_visible()
