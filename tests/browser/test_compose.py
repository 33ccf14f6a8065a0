"""Writing a post: what the page shows and counts meanwhile, and the way from there to the network."""

import json
from dataclasses import asdict
from io import BytesIO
from typing import Any

import pytest
import requests
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from PIL import Image
from playwright.sync_api import Page, expect

from jobs.kinds.media.models import MediaFile, Version
from jobs.kinds.social.lengths import counts
from jobs.kinds.social.models import Account
from jobs.kinds.social.networks import networks
from jobs.models import Job
from tests.kinds.social.conftest import connected
from tests.kinds.social.networks.guestbook import Guestbook, account_in, add
from tests.processes import ROOT, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, databases=["default", "sandbox"])]

FORM = "/jobs/new/social/"


def picture(width: int = 60, height: int = 40) -> bytes:
    content = BytesIO()
    Image.new("RGB", (width, height), "teal").save(content, "PNG")
    return content.getvalue()


def file(content: bytes, name: str = "field.png") -> dict[str, Any]:
    return {"name": name, "mimeType": "image/png", "buffer": content}


@pytest.fixture
def accounts(user) -> list[Account]:
    """One on each network; nothing is sent to them."""
    limits = {"characters": 50, "characters_per_url": 23}
    return [
        connected(user, "bluesky", "https://bsky.example", "@ann.example", {}, display_name="Ann"),
        connected(user, "mastodon", "https://mastodon.example", "@ann@mastodon.example", {}, limits=limits),
        connected(user, "webhook", "https://hook.example", "My receiver", {}),
    ]


def choose_all(page: Page) -> None:
    for box in page.get_by_role("checkbox").all():
        box.check()


def posts(page: Page) -> Any:
    return page.get_by_role("complementary", name="Preview").get_by_role("article")


def test_each_account_shows_the_post_as_its_network_will(open_page, user, accounts):
    page = open_page(FORM, user=user)
    expect(page.get_by_text("Choose an account, and you see")).to_be_visible()
    choose_all(page)
    page.get_by_label("Text").fill("Hello @bob@other.example https://example.org/a/rather/long/way/to/go")
    page.get_by_text("Warning, language").click()
    page.get_by_label("Content warning").fill("Boats")
    bluesky, mastodon, webhook = posts(page).all()
    expect(bluesky).to_contain_text("CW: Boats")
    expect(bluesky).to_contain_text("https://example.org/a/rather/long/way/to/go")
    expect(mastodon).to_contain_text("Hello @bob example.org/a/rather/long/way/…")
    expect(mastodon.locator(".warning")).to_have_text("Boats")
    expect(webhook).to_contain_text("@bob@other.example")
    page.get_by_label("Bluesky").uncheck()
    expect(posts(page)).to_have_count(2)


def test_the_counter_counts_as_each_network_does(open_page, user, accounts):
    page = open_page(FORM, user=user)
    choose_all(page)
    counters = page.locator("[data-counters] li")
    page.get_by_label("Text").fill("👨‍👩‍👧‍👦 @bob@other.example https://example.org/a/rather/long/way/to/go")
    expect(counters).to_have_text(
        ["Bluesky (bsky.example): 64 of 300 characters", "Mastodon (mastodon.example): 30 of 50 characters"]
    )
    expect(page.locator("[data-announce]")).to_have_text("")
    page.get_by_label("Text").fill("x" * 51)
    expect(counters.nth(1)).to_have_class("over")
    sentence = "Mastodon (mastodon.example) takes posts of up to 50 characters; this one has 51, which is 1 too many."
    expect(page.locator("[data-announce]")).to_have_text(sentence)
    page.get_by_role("button", name="Submit").click()
    assert page.get_by_label("Text").evaluate("field => field.validationMessage") == sentence
    assert not Job.objects.exists()
    page.get_by_label("Mastodon").uncheck()
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/submits/*/")
    assert Job.objects.count() == 2


def test_a_further_network_is_counted_and_shown_by_rules_of_its_own(open_page, user, monkeypatch):
    add(monkeypatch, Guestbook())
    account_in("https://book.example", user)
    page = open_page(FORM, user=user)
    choose_all(page)
    page.get_by_label("Text").fill("Hello @bob@other.example https://example.org/a/long/way")
    page.get_by_text("Warning, language").click()
    page.get_by_label("Content warning").fill("Boats")
    expect(posts(page).locator(".text")).to_have_text("[Boats] Hello @bob example.or…")
    expect(posts(page).locator(".warning")).to_be_hidden()
    expect(page.locator("[data-counters] li")).to_have_text("Guestbook (book.example): 24 of 40 characters")


COUNTED_HERE = """async (texts) => {
  const { counts } = await import("/static/social/compose.js");
  const { accounts } = JSON.parse(document.getElementById("compose").textContent);
  const counted = ([pk, account]) => [pk, texts.map(([text, warning]) => counts(account, text, warning))];
  return Object.fromEntries(Object.entries(accounts).map(counted));
}"""


def test_the_browser_counts_for_each_network_what_the_server_counts(open_page, user, monkeypatch):
    add(monkeypatch, Guestbook())
    accounts = [connected(user, network.name, "https://x.example", "@ann", {}) for network in networks()]
    examples = json.loads((ROOT / "tests/kinds/social/lengths.json").read_text())
    texts = [(example["text"], warning) for example in examples for warning in ("", "Boats & @bob@other.example")]
    page = open_page(FORM, user=user)
    assert page.evaluate(COUNTED_HERE, texts) == {
        str(account.pk): [[asdict(count) for count in counts(account, *text)] for text in texts] for account in accounts
    }


def test_pictures_are_shown_before_they_are_sent(open_page, user, accounts):
    page = open_page(FORM, user=user)
    page.get_by_label("Webhook").check()
    page.get_by_text("Pictures …").click()
    expect(page.get_by_role("group", name="Picture 1")).to_be_visible()
    expect(page.get_by_role("group", name="Picture 2")).to_be_hidden()
    page.get_by_label("From this device").first.set_input_files(file(picture()))
    expect(page.get_by_role("group", name="Picture 2")).to_be_visible()
    expect(posts(page).get_by_role("img", name="field.png")).to_be_visible()
    page.get_by_label("What it shows").first.fill("A teal field")
    expect(posts(page).get_by_role("img", name="A teal field")).to_be_visible()
    page.get_by_label("From this device").nth(1).set_input_files(file(b"\0\0\0\x18ftypheic", "phone.heic"))
    expect(posts(page)).to_contain_text("phone.heic")


def test_a_picture_must_be_described_even_if_its_field_is_folded_away(open_page, user, accounts):
    page = open_page(FORM, user=user)
    page.get_by_label("Webhook").check()
    page.get_by_text("Pictures …").click()
    page.get_by_label("From this device").first.set_input_files(file(picture()))
    page.get_by_text("Pictures …").click()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_label("What it shows").first).to_be_focused()
    page.keyboard.type("A teal field")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/submits/*/")
    expect(page.get_by_text("Starts when “Picture for: A teal field” is done.")).to_be_visible()


def test_an_earlier_picture_can_be_chosen(open_page, user, accounts):
    mine = MediaFile.objects.create(owner=user, name="Harbour", type="image")
    path = storages["default"].save("media/test/source", ContentFile(picture()))
    entry = {"name": "picture-60.png", "path": path, "type": "image/png", "role": "picture", "bytes": 1, "width": 60}
    measures = {"format": "PNG", "bytes": 1, "width": 60, "height": 40}
    Version.objects.create(file=mine, number=1, change="upload", path=path, measures=measures, files=[entry], notes=[])
    page = open_page(FORM, user=user)
    page.get_by_label("Webhook").check()
    page.get_by_text("Pictures …").click()
    page.get_by_label("Or one that was converted here").first.select_option("Harbour")
    page.get_by_label("What it shows").first.fill("Boats")
    expect(posts(page)).to_contain_text("Harbour")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/submits/*/")
    assert sorted(Job.objects.values_list("kind", flat=True)) == ["pictures", "social"]


def test_what_the_server_refuses_is_shown_in_the_page_which_goes_on_counting(open_page, user, accounts):
    page = open_page(FORM, user=user)
    page.get_by_label("Bluesky").check()
    page.get_by_text("Pictures …").click()
    page.get_by_label("From this device").first.set_input_files(file(b"no picture"))
    page.get_by_label("What it shows").first.fill("Nothing")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("This file is no picture.")).to_be_visible()
    page.get_by_label("Text").fill("Hello")
    expect(page.locator("[data-counters] li")).to_have_text("Bluesky (bsky.example): 5 of 300 characters")
    expect(posts(page)).to_contain_text("Hello")


def test_a_post_is_written_with_the_keyboard_alone(open_page, user, accounts):
    page = open_page(FORM, user=user)
    page.get_by_label("Webhook").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("Hello")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # opens the pictures
    page.keyboard.press("Tab")
    expect(page.get_by_label("From this device").first).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("What it shows").first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # opens warning, language, visibility
    page.keyboard.press("Tab")
    page.keyboard.type("Greetings")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*-*/")
    expect(page.get_by_role("heading", name="Hello → Webhook My receiver")).to_be_visible()


def test_everything_can_be_asked_for_without_javascript(open_page, user, accounts):
    page = open_page(FORM, user=user, java_script_enabled=False)
    expect(page.get_by_role("complementary", name="Preview")).to_be_hidden()
    page.get_by_label("Mastodon").check()
    page.get_by_text("Pictures …").click()
    page.get_by_label("From this device").nth(3).set_input_files(file(picture()))
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Please say in words what the picture shows")).to_be_visible()
    page.get_by_label("Text").fill("x" * 51)
    page.get_by_label("From this device").nth(3).set_input_files(file(picture()))
    page.get_by_label("What it shows").nth(3).fill("A teal field")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("this one has 51, which is 1 too many")).to_be_visible()
    page.get_by_label("Text").fill("")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Please choose the picture that you describe here")).to_be_visible()
    page.get_by_label("From this device").nth(3).set_input_files(file(picture()))
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/submits/*/")
    assert Job.objects.count() == 2


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_sticks_out_of_the_page(open_page, user, accounts, width):
    page = open_page(FORM, user=user, width=width)
    choose_all(page)
    page.get_by_label("Text").fill("https://example.org/" + "x" * 300)
    page.get_by_text("Pictures …").click()
    page.get_by_label("From this device").first.set_input_files(file(picture(3000, 100), "x" * 100 + ".png"))
    page.get_by_text("Warning, language").click()
    expect(page.locator("canvas")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.stack
def test_from_connecting_an_account_to_a_post_with_pictures(open_page, user, sandbox, start_worker):
    page = open_page("/social/connect/mastodon/", user=user)
    page.get_by_label("Server").fill(sandbox)
    start_worker()
    page.get_by_role("button", name="Continue on your server").click()
    page.get_by_role("link", name=f"Continue on {sandbox.removeprefix('http://')}").click()
    page.get_by_label("Practice name").fill("composer")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text(f"@composer@{sandbox.removeprefix('http://')} is connected.")).to_be_visible()
    page.get_by_role("link", name="Write a post").click()
    page.get_by_label("@composer@").check()
    page.get_by_label("Text").fill("Two fields")
    page.get_by_text("Pictures …").click()
    for number, words in enumerate(["A teal field", "A long teal field"]):
        page.get_by_label("From this device").nth(number).set_input_files(file(picture(60 + 900 * number, 40)))
        page.get_by_label("What it shows").nth(number).fill(words)
    page.get_by_text("Warning, language").click()
    page.get_by_label("Content warning").fill("Fields")
    page.get_by_label("Language").select_option("de")
    page.get_by_label("Who can see it").select_option("Followers only")
    page.get_by_role("button", name="Submit").dblclick()
    page.wait_for_url("**/jobs/submits/*/")
    expect(page.get_by_role("heading", name="2 pictures for: Two fields")).to_be_visible()
    wait_until(lambda: not Job.objects.unfinished().exists(), what="the post is made", seconds=60)
    assert Job.objects.filter(kind__in=("pictures", "social")).count() == 2
    address = page.get_by_role("link", name="see it on Mastodon").get_attribute("href")
    assert address
    status = requests.get(f"{sandbox}/api/v1/statuses/{address.rpartition('/')[2]}", timeout=20).json()
    said = {name: status[name] for name in ("spoiler_text", "language", "visibility")}
    assert said == {"spoiler_text": "Fields", "language": "de", "visibility": "private"}
    assert [one["description"] for one in status["media_attachments"]] == ["A teal field", "A long teal field"]
