"""The monitor in a browser: it keeps itself fresh, says so when it can't, and fits a narrow screen."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Route, expect

from jobs.models import Worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def staff(transactional_db: None) -> User:
    return User.objects.create_superuser("staff", "staff@example.org", "a-long-password")


def test_the_monitor_shows_new_numbers_without_a_reload(open_page, staff: User) -> None:
    page = open_page("/admin/monitor/", user=staff)
    expect(page.locator("#monitor")).to_contain_text("No worker is running")
    Worker.objects.create(name="host:1:abc", role="media", concurrency=2)
    expect(page.locator("#monitor")).to_contain_text("host:1:abc")
    expect(page.locator("#monitor-stale")).to_be_hidden()


def test_the_monitor_says_when_its_numbers_are_old(open_page, staff: User) -> None:
    page = open_page("/admin/monitor/", user=staff)
    expect(page.locator("#monitor-stale")).to_be_hidden()

    def refuse(route: Route) -> None:
        route.fulfill(status=503)

    page.route("**/data.json", refuse)
    expect(page.locator("#monitor-stale")).to_be_visible()


def test_the_monitor_shows_its_numbers_without_javascript(open_page, staff: User) -> None:
    Worker.objects.create(name="host:1:abc", role="media", concurrency=2)
    page = open_page("/admin/monitor/", user=staff, java_script_enabled=False)
    expect(page.locator("#monitor")).to_contain_text("host:1:abc")


def test_the_monitor_does_not_scroll_sideways_on_a_narrow_screen(open_page, staff: User) -> None:
    Worker.objects.create(name="host:1:abc", role="media", concurrency=2)
    page = open_page("/admin/monitor/", user=staff, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
