"""Sending a file: how far it is, and what happens when the line breaks."""

import pytest
from playwright.sync_api import expect

from jobs.models import Job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FILE = {"name": "large.bin", "mimeType": "application/octet-stream", "buffer": b"x" * 2_000_000}


def filled_in(page):
    page.get_by_label("Text").fill("Hello")
    page.get_by_label("Attachment").set_input_files(FILE)
    return page.get_by_role("button", name="Submit")


def test_a_large_file_shows_how_much_of_it_was_sent_and_leads_to_its_job(open_page, user):
    page = open_page("/jobs/new/echo/", user=user)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 1_000_000}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    button = filled_in(page)
    button.click()
    button.click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.wait_for_url("**/jobs/*-*/")
    expect(page.get_by_role("heading", name="Hello")).to_be_visible()
    assert Job.objects.count() == 1


def test_a_broken_upload_is_told_and_can_be_sent_again(open_page, user):
    page = open_page("/jobs/new/echo/", user=user)
    page.route("**/jobs/new/echo/", lambda route: route.abort())
    button = filled_in(page)
    button.click()
    expect(page.get_by_text("The connection broke off").first).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_hidden()
    assert not Job.objects.exists()
    page.unroute("**/jobs/new/echo/")
    button.click()
    page.wait_for_url("**/jobs/*-*/")
    assert Job.objects.count() == 1


def test_what_is_wrong_with_the_form_is_told_after_an_upload_too(open_page, user):
    page = open_page("/jobs/new/echo/", user=user)
    button = filled_in(page)
    page.get_by_label("Seconds").evaluate("field => { field.type = 'text'; field.value = 'soon'; }")
    button.click()
    expect(page.get_by_text("Enter a number.")).to_be_visible()
    filled_in(page)
    page.get_by_label("Seconds").fill("1")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/*-*/")
    assert Job.objects.count() == 1
