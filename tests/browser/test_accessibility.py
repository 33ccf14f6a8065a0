"""axe-core finds nothing to object to on any page, light and dark. Needs `npm ci`; see collect_ignore in conftest."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page

from jobs.core import lifecycle, pauses
from jobs.kind import Queue, Submission
from jobs.kinds.social.connecting import ConnectKind
from jobs.models import Job, Worker
from jobs.sandbox.samples import sample_photo, sample_sound
from jobs.sentences import Sentence
from jobs.worker import execution
from tests.browser.conftest import AXE
from tests.browser.test_passkeys import add, give_password, sign_out
from tests.kind_app.kind import Echo
from tests.kinds.social.conftest import connected
from tests.processes import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RUN = """(within) => axe.run(within).then(({ violations }) =>
    violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))"""
FOR_ALL = ("/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/nowhere/", "/time-zone/")
FOR_USERS = (
    "/",
    "/jobs/",
    "/jobs/?status=failed",
    "/jobs/?q=nothing",
    "/jobs/?q=a%00b",
    "/jobs/delete/",
    "/jobs/usage/",
    "/accounts/email/",
    "/accounts/reauthenticate/",
    "/accounts/sessions/",
    "/accounts/second-factor/",
    "/export/",
    "/erasure/",
)
KINDS = ("echo", "media", "social", "arithmetic")
NETWORKS = ("mastodon", "bluesky", "webhook")


def unfold(page: Page) -> None:
    """Show what is folded away: axe looks at nothing else."""
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")


def problems(page: Page, within: str = "html") -> list[Any]:
    """What axe objects to in this part of the page: the rule, and the elements."""
    unfold(page)
    page.evaluate(f"{AXE.read_text()}; 0")
    found: list[Any] = page.evaluate(RUN, within)
    return found


@pytest.fixture
def jobs(user) -> list[Job]:
    """A job in each state that looks different."""

    def accept(**options) -> Job:
        return lifecycle.submit(Echo(), [Submission({"text": "Hello"}, "Hello")], owner=user, **options).jobs[0]

    def start(job: Job) -> Job:
        running = lifecycle.start(job.pk, "w")
        assert running
        return running

    waiting, later = accept(), accept(run_at=timezone.now() + timedelta(days=1))
    running, stopping, done, late, failed, cancelled = (start(accept()) for _ in range(6))
    lifecycle.progress(running, 40, Sentence("text", text="Frame 4 of 10"))
    lifecycle.cancel(stopping.pk)
    lifecycle.succeed(done, {"text": "Hello"})
    lifecycle.cancel(late.pk)
    lifecycle.succeed(late, {"text": "Hello"})
    lifecycle.try_again(failed, "away", pause=timedelta(0))
    lifecycle.fail(start(failed), "told_to_fail")
    lifecycle.cancel(cancelled.pk)
    lifecycle.stop(cancelled)
    return [waiting, later, running, stopping, done, late, failed, cancelled]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(open_page, user, jobs, scheme):
    found = {}
    of_users = [*FOR_USERS, *(f"/jobs/new/{kind}/" for kind in KINDS), *(job.get_absolute_url() for job in jobs)]
    of_users += [f"{job.get_absolute_url()}delete/" for job in jobs]
    for who, addresses in ((None, FOR_ALL), (user, of_users)):
        page = open_page("/", user=who, color_scheme=scheme)
        for address in addresses:
            page.goto(address)
            found[address] = problems(page)
    assert {address: problems for address, problems in found.items() if problems} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_second_factors_are_set_up_and_asked_for(owner, with_authenticator, scheme):
    owner.emulate_media(color_scheme=scheme)
    with_authenticator(owner)
    assert problems(owner) == []
    add(owner, "My laptop")
    owner.wait_for_url("**/recovery-codes/")
    assert problems(owner) == []
    for page in ("", "totp/activate/", "recovery-codes/", "recovery-codes/generate/", "reauthenticate/"):
        owner.goto(f"/accounts/second-factor/{page}")
        assert problems(owner) == [], page
    owner.goto("/accounts/second-factor/webauthn/reauthenticate/")
    assert problems(owner) == []
    sign_out(owner)
    give_password(owner)
    assert problems(owner) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_a_post_is_written(open_page, user, scheme):
    for network in NETWORKS:
        connected(user, network, "https://social.example", f"@ann@{network}.example", {}, limits={"characters": 4})
    page = open_page("/jobs/new/social/", user=user, color_scheme=scheme)
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_label("Text").fill("Hello https://example.org/")
    unfold(page)
    page.get_by_label("From this device").first.set_input_files(ROOT / "jobs" / "static" / "offload" / "icon.svg")
    page.get_by_label("Content warning").fill("Boats")
    assert problems(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_accounts_are_connected(open_page, user, scheme):
    error = {"needs_reconnect": True, "last_error": Sentence("session_over", who="Bluesky").as_data()}
    connected(user, "mastodon", "https://social.example", "@ann@social.example", {}, **error)
    page = open_page("/", user=user, color_scheme=scheme)
    leads, ended, failed, waiting = lifecycle.submit(
        ConnectKind(), [Submission({}, "Connecting Mastodon") for _ in range(4)], owner=user
    ).jobs
    running = sorted(lifecycle.start_all([leads.pk, ended.pk, failed.pk], "w"), key=lambda job: job.pk)
    lifecycle.succeed(running[0], {"url": "https://social.example/oauth", "host": "social.example"})
    lifecycle.succeed(running[1], {"account": "Mastodon @ann@social.example", "new": True})
    lifecycle.fail(running[2], "begin_again", can_retry=False)
    connecting = [f"/social/{address}/" for address in ("accounts", *(f"connect/{network}" for network in NETWORKS))]
    for address in [*connecting, *(job.get_absolute_url() for job in (leads, ended, failed, waiting))]:
        page.goto(address)
        assert problems(page) == [], address


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_pages_of_converted_files(open_page, user, scheme):
    client = Client()
    client.force_login(user)
    uploads = [SimpleUploadedFile("a.jpg", sample_photo()), SimpleUploadedFile("b.wav", sample_sound())]
    submit = client.post("/jobs/new/media/", {"file": uploads, "form_key": "k"})["Location"]
    for job in Job.objects.all():
        execution.perform(str(job.pk))
    files = [job.result["file"] for job in Job.objects.all() if job.result]
    addresses = [submit, "/media/", *(f"/media/{file}/" for file in files), f"/jobs/new/edit/?file={files[0]}"]
    page = open_page("/jobs/new/media/", user=user, color_scheme=scheme)
    page.get_by_label("Files", exact=True).set_input_files(
        [{"name": name, "mimeType": "image/png", "buffer": b"x"} for name in ("a.png", "b.png")]
    )
    found = {}
    for address in ("", *addresses):
        if address:
            page.goto(address)
        found[address] = problems(page)
    assert {address: problems for address, problems in found.items() if problems} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_monitor(open_page, jobs, scheme):
    """Our part of the page only: around it is Django's admin, whose breadcrumb link axe takes for a link in a text."""
    staff = User.objects.create_superuser("staff", "staff@example.org", "a-long-password")
    Worker.objects.create(name="host:1:abc", role="media", concurrency=2)
    pauses.pause(Queue.MEDIA, "The disk is full.", "staff")
    page = open_page("/admin/monitor/", user=staff, color_scheme=scheme)
    assert problems(page, "#content-main") == []
