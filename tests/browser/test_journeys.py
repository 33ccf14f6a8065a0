"""The ways of people through the site, each from its first page to its outcome: real workers, the sandbox's mail."""

from zipfile import ZipFile

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.core.cache import cache
from playwright.sync_api import Locator, Page, expect

from jobs.core import lifecycle
from jobs.kind import Submission
from jobs.models import Job
from tests.conftest import StartWorker
from tests.kind_app.kind import Echo

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.django_db(transaction=True, databases=["default", "sandbox"]),
]

PASSWORD = "seven-calm-herons-42"


@pytest.fixture(autouse=True)
def mails_become_jobs(settings, transactional_db: None) -> None:
    """Django's test runner replaces the backend. What counts against the limits of mail begins anew."""
    settings.EMAIL_BACKEND = "jobs.kinds.email.backend.JobEmailBackend"
    cache.clear()


@pytest.fixture
def ann(user: User) -> User:
    """Somebody with a confirmed address."""
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def card(page: Page, address: str) -> Locator:
    """The card of a mail's job."""
    return page.get_by_role("article", name=f"E-mail to {address}")


def follow_the_mail(page: Page, address: str) -> None:
    """Open the link of the newest mail that the sandbox caught for this address."""
    page.goto("/sandbox/mail/")
    row = page.get_by_role("row").filter(has_text=f"to {address}").first
    row.get_by_role("link").click()
    page.get_by_role("article").get_by_role("link").click()


def sign_in(page: Page, address: str, password: str) -> None:
    page.get_by_label("Email").fill(address)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/jobs/")


def expect_done_in_my_jobs(page: Page, address: str) -> None:
    """The mail that was asked for before there was a user belongs to them now."""
    expect(page.get_by_role("heading", name="My jobs")).to_be_visible()
    # The oldest: a later one tells of the new password.
    line = page.locator(".line", has_text=f"E-mail to {address}").last
    expect(line.get_by_text("Done", exact=True)).to_be_visible()


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_new_person_signs_up_follows_the_mail_and_finds_its_job(
    open_page, sandbox: str, start_worker: StartWorker, script: bool
) -> None:
    address = f"new-{script}@example.org".lower()
    page = open_page("/", java_script_enabled=script)
    page.get_by_role("link", name="Sign up").first.click()
    page.get_by_label("Email").fill(address)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password (again)").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    page.wait_for_url("**/confirm-email/")
    expect(card(page, address).get_by_text("Waiting", exact=True)).to_be_visible()
    expect(card(page, address).get_by_text("No worker is running for this just now.")).to_be_visible()
    start_worker("--role", "network")
    # Without JavaScript the page loads itself again every few seconds.
    expect(card(page, address).get_by_text("Done", exact=True)).to_be_visible(timeout=15_000)
    expect(card(page, address).get_by_text(f"Sent to {address}")).to_be_visible()
    follow_the_mail(page, address)
    page.get_by_role("button", name="Yes, confirm it").click()
    page.wait_for_url("**/jobs/")
    expect_done_in_my_jobs(page, address)


def test_whoever_confirms_in_another_browser_chooses_a_password_first(
    open_page, sandbox: str, start_worker: StartWorker
) -> None:
    address, chosen = "elsewhere@example.org", "nine-loud-magpies-17"
    start_worker("--role", "network")
    first = open_page("/accounts/signup/")
    first.get_by_label("Email").fill(address)
    first.get_by_label("Password", exact=True).fill(PASSWORD)
    first.get_by_label("Password (again)").fill(PASSWORD)
    first.get_by_role("button", name="Sign up").click()
    expect(card(first, address).get_by_text("Done", exact=True)).to_be_visible()
    page = open_page("/")
    follow_the_mail(page, address)
    expect(page.get_by_text("You did not sign up in this browser")).to_be_visible()
    page.get_by_role("button", name="Yes, confirm it").click()
    page.get_by_label("New Password", exact=True).fill(chosen)
    page.get_by_label("New Password (again)").fill(chosen)
    page.get_by_role("button", name="Set the password").click()
    page.get_by_role("link", name="Sign in with it").click()
    sign_in(page, address, chosen)


def test_a_forgotten_password_is_set_anew_on_a_narrow_screen(
    open_page, ann: User, sandbox: str, start_worker: StartWorker
) -> None:
    page = open_page("/accounts/login/", width=360)

    def fits() -> bool:
        return bool(page.evaluate("document.documentElement.scrollWidth <= 360"))

    page.get_by_role("link", name="Forgot").click()
    page.get_by_label("Email").fill(ann.email)
    page.get_by_role("button", name="Send me the mail").click()
    expect(card(page, ann.email).get_by_text("Waiting", exact=True)).to_be_visible()
    assert fits()
    start_worker("--role", "network")
    expect(card(page, ann.email).get_by_text("Done", exact=True)).to_be_visible()
    assert fits()
    follow_the_mail(page, ann.email)
    page.get_by_label("New Password", exact=True).fill(PASSWORD)
    page.get_by_label("New Password (again)").fill(PASSWORD)
    assert fits()
    page.get_by_role("button", name="Set the password").click()
    page.get_by_role("link", name="Sign in with it").click()
    assert fits()
    sign_in(page, ann.email, PASSWORD)
    expect_done_in_my_jobs(page, ann.email)
    assert fits()


def test_a_new_address_is_confirmed_and_made_the_main_one_by_keyboard(
    open_page, ann: User, sandbox: str, start_worker: StartWorker
) -> None:
    start_worker("--role", "network")
    page = open_page("/accounts/email/", user=ann)
    page.get_by_label("Email").focus()
    page.keyboard.type("ann.second@example.org")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Add it")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_label("Password").focus()
    page.keyboard.type("a-long-password")
    page.keyboard.press("Enter")
    expect(card(page, "ann.second@example.org").get_by_text("Done", exact=True)).to_be_visible()
    expect(page.get_by_text("not confirmed")).to_be_visible()
    follow_the_mail(page, "ann.second@example.org")
    page.get_by_role("button", name="Yes, confirm it").press("Enter")
    page.wait_for_url(lambda url: "confirm-email" not in url)
    page.goto("/accounts/email/")
    expect(page.get_by_text("not confirmed")).to_be_hidden()
    page.get_by_role("button", name="Make it the main address").press("Enter")
    main = page.get_by_role("listitem").filter(has_text="main address")
    expect(main.get_by_role("heading", name="ann.second@example.org")).to_be_visible()


def test_an_address_that_does_not_exist_is_told_on_the_page_that_asked_for_its_mail(
    open_page, sandbox: str, start_worker: StartWorker
) -> None:
    start_worker("--role", "network")
    page = open_page("/accounts/password/reset/")
    page.get_by_label("Email").fill("nobody@example.org")
    page.get_by_role("button", name="Send me the mail").click()
    expect(card(page, "nobody@example.org").get_by_text("Failed", exact=True)).to_be_visible()
    expect(page.get_by_text("The mail server says that this address does not exist.")).to_be_visible()


def test_a_value_is_changed_and_its_history_read(open_page, user: User, start_worker: StartWorker) -> None:
    page = open_page("/jobs/", user=user)
    page.get_by_role("link", name="Arithmetic").click()
    page.get_by_label("Value").fill("apples")
    page.get_by_label("Operation").select_option("add")
    page.get_by_label("Number").fill("2.5")
    page.get_by_label("Delay in seconds").fill("0")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="apples + 2.5")).to_be_visible()
    start_worker("--role", "network")
    expect(page.get_by_text("Read 0, wrote 2.5: change 1 of apples.")).to_be_visible()
    page.get_by_role("link", name="apples", exact=True).click()
    expect(page.get_by_text("Now: 2.5")).to_be_visible()
    expect(page.get_by_role("row").filter(has=page.get_by_role("link", name="+ 2.5"))).to_be_visible()


def test_somebody_takes_a_copy_of_their_data_and_deletes_the_account(
    open_page, ann: User, sandbox: str, start_worker: StartWorker
) -> None:
    page = open_page("/export/", user=ann)
    page.get_by_role("button", name="Make a copy").click()
    expect(page.get_by_text("Waiting", exact=True)).to_be_visible()
    start_worker()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    with ZipFile(download.value.path()) as archive:
        assert any(ann.email.encode() in archive.read(name) for name in archive.namelist())
    page.goto("/export/")
    page.get_by_role("link", name="Delete my account …").click()
    page.get_by_label("Password").fill("not my password")
    page.get_by_role("button", name="Delete my account for good").click()
    page.get_by_label("Password").fill("a-long-password")
    page.get_by_role("button", name="Delete my account for good").click()
    expect(page.get_by_text("Your account and all that belonged to it are deleted.")).to_be_visible()
    assert not User.objects.filter(pk=ann.pk).exists()
    page.goto("/jobs/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_what_one_tab_does_all_others_show_by_themselves(open_page, user: User) -> None:
    (job,) = lifecycle.submit(Echo(), [Submission({"text": "Hello"}, "Hello")], owner=user).jobs
    acting = open_page(job.get_absolute_url(), user=user)
    watching, listing = acting.context.new_page(), acting.context.new_page()
    watching.goto(job.get_absolute_url())
    listing.goto("/jobs/")
    expect(listing).to_have_title("(1) My jobs · Offload")
    for page in (watching, listing):
        page.evaluate("window.notReloaded = true")
    acting.get_by_role("button", name="Cancel").click()
    for page in (acting, watching, listing):
        expect(page.locator(".badge")).to_have_text("Cancelled")
    expect(watching.get_by_text("This job was cancelled before it started.")).to_be_visible()
    expect(watching.get_by_role("button", name="Cancel")).to_be_hidden()
    expect(listing).to_have_title("My jobs · Offload")
    assert all(page.evaluate("window.notReloaded") for page in (watching, listing))


def test_a_tab_that_comes_too_late_says_so(open_page, user: User) -> None:
    (job,) = lifecycle.submit(Echo(), [Submission({"text": "Hello"}, "Hello")], owner=user).jobs
    late = open_page(job.get_absolute_url(), user=user, frozen=True)
    lifecycle.cancel(job.pk)
    late.get_by_role("button", name="Cancel").click()
    expect(late.get_by_text("It was too late to cancel this job: it has ended already.")).to_be_visible()
    assert Job.objects.get().status == "cancelled"
