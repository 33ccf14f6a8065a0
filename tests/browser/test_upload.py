"""Sending files: choosing and dropping them, how far it is, and what happens when the line breaks."""

from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import expect

from jobs.models import Job
from jobs.sandbox.samples import sample_photo

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


# --- Several files ---


def png(name: str) -> dict:
    file = BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": file.getvalue() + name.encode()}


TEXT = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"just words"}


def drop(page, *files: dict, on: str = "main", times: int = 1):
    """Drop files onto a part of the page, as a browser reports it."""
    content = [[file["name"], file["mimeType"], list(file["buffer"])] for file in files]
    data = page.evaluate_handle(
        """(files) => {
          const data = new DataTransfer();
          for (const [name, type, content] of files)
            data.items.add(new File([new Uint8Array(content)], name, { type }));
          return data;
        }""",
        content,
    )
    for event in ("dragover", "drop") * times:
        page.dispatch_event(on, event, {"dataTransfer": data})


def listed(page):
    return page.get_by_role("list", name="Chosen files").get_by_role("listitem")


def test_files_that_are_chosen_and_dropped_are_listed_and_sent_together(open_page, user):
    page = open_page("/jobs/new/media/", user=user)
    page.get_by_label("Files", exact=True).set_input_files([png("one.png"), png("two.png")])
    page.get_by_label("Files", exact=True).set_input_files([png("three.png")])
    drop(page, png("four.png"), times=2)
    drop(page, png("five.png"), on="footer")
    expect(listed(page)).to_have_count(5)

    page.get_by_role("button", name="Remove three.png").press("Enter")

    expect(page.get_by_role("button", name="Remove four.png")).to_be_focused()
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/submits/*/")
    expect(page.get_by_role("heading", name="4 jobs, submitted together")).to_be_visible()
    assert {job.title for job in Job.objects.all()} == {"one.png", "two.png", "four.png", "five.png"}


def test_a_file_that_is_refused_leaves_the_others_chosen(open_page, user):
    page = open_page("/jobs/new/media/", user=user)
    page.get_by_label("Files", exact=True).set_input_files([png("one.png"), TEXT, png("two.png")])
    page.get_by_role("radio", name="Web pictures").check()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("notes.txt: This is a text file")).to_be_visible()
    expect(listed(page)).to_have_count(3)
    assert not Job.objects.exists()

    page.get_by_role("button", name="Remove notes.txt").click()
    page.get_by_role("button", name="Submit").click()

    page.wait_for_url("**/jobs/submits/*/")
    assert {job.payload["preset"] for job in Job.objects.all()} == {"web"}
    assert Job.objects.count() == 2


def test_a_broken_upload_of_several_files_loses_none_of_them(open_page, user):
    page = open_page("/jobs/new/media/", user=user)
    page.get_by_label("Files", exact=True).set_input_files([png("one.png"), png("two.png")])
    page.route("**/jobs/new/media/", lambda route: route.abort())
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("The connection broke off").first).to_be_visible()
    expect(listed(page)).to_have_count(2)
    page.unroute("**/jobs/new/media/")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/submits/*/")
    assert Job.objects.count() == 2


def test_limits_are_told_before_anything_is_sent(open_page, user, offload):
    offload(MEDIA_MAX_FILES=2, MEDIA_MAX_BYTES=1024)
    page = open_page("/jobs/new/media/", user=user)
    sent = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    page.get_by_label("Files", exact=True).set_input_files([png("one.png"), png("two.png"), png("three.png")])
    sentence = page.locator("main").get_by_text("These are too many files. Please send up to 2 at once.")
    expect(sentence).to_be_visible()
    page.get_by_role("button", name="Submit").click()
    assert not sent

    page.get_by_role("button", name="Remove one.png").click()

    expect(sentence).to_be_hidden()
    large = {"name": "large.png", "mimeType": "image/png", "buffer": b"x" * 2000}
    page.get_by_role("button", name="Remove two.png").click()
    page.get_by_label("Files", exact=True).set_input_files([large])
    expect(page.locator("main").get_by_text("One of these files is larger than 1.0\xa0KB")).to_be_visible()


def test_several_files_are_sent_without_javascript(open_page, user):
    page = open_page("/jobs/new/media/", user=user, java_script_enabled=False)
    expect(page.get_by_text("Or drop files here.")).to_be_hidden()
    page.get_by_label("Files", exact=True).set_input_files([png("one.png"), png("two.png")])
    page.get_by_role("radio", name="Web pictures").check()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="2 jobs, submitted together")).to_be_visible()
    assert Job.objects.count() == 2


def test_the_whole_way_by_keyboard_to_the_copied_html(open_page, user, start_worker):
    start_worker("--role", "media")
    page = open_page("/jobs/new/media/", user=user, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("Files", exact=True).set_input_files(
        [{"name": "holiday.jpg", "mimeType": "image/jpeg", "buffer": sample_photo()}]
    )
    page.get_by_role("radio", name="What suits each file").press("ArrowDown")
    expect(page.get_by_role("radio", name="Web pictures")).to_be_checked()
    page.get_by_role("button", name="Submit").press("Enter")
    expect(page.get_by_text("% smaller")).to_be_visible(timeout=60_000)
    page.get_by_text("HTML for your page").press("Enter")
    button = page.get_by_role("button", name="Copy the HTML")
    button.press("Enter")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("<picture>")
    assert "holiday-picture-1500.jpg 1500w" in copied
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all (zip)").press("Enter")
    assert download.value.suggested_filename == "holiday.zip"
