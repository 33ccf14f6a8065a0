"""`make screenshots`: uses the whole site as people do, and writes a picture of every state into docs/screenshots/.

Everything that is seen is real: the stack of `manage.py run` in a throw-away folder, its workers and its sandbox. Waits
are brought about as they come about in life: workers are frozen, queues paused, accounts revoked.
"""

import os
import re
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import django
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect, sync_playwright

DOCS = Path(__file__).resolve().parents[2] / "docs"
FOLDER = DOCS / "screenshots"
WIDE, NARROW = 1100, 360
TALLEST = 1300
"""Pixels of a page that a picture shows."""
ONE_JOB = re.compile(r"/jobs/[0-9a-f-]{36}/$")
PASSWORD = "seven-calm-herons-42"
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "SANDBOX": "1",
    # Few places, so that jobs have to wait for one; and a silent worker counts as gone soon.
    "NETWORK_CONCURRENCY": "3",
    "MEDIA_CONCURRENCY": "1",
    "JOB_WORKER_SILENT_SECONDS": "5",
}


class Camera:
    """Takes pictures, and lists them with what they show."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)

    def heading(self, text: str) -> None:
        """Begin a part of the list."""
        self.taken.append(("", text))

    def take(self, page: Page, name: str, caption: str, *, dark: bool = False, narrow: bool = False) -> None:
        """Keep a picture of the page as it is: in dark colours, or as wide as a telephone, if asked for."""
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.set_viewport_size({"width": NARROW if narrow else WIDE, "height": 700})
        page.evaluate("Promise.all([...document.images].map((image) => image.decode().catch(() => 0)))")
        picture = Image.open(BytesIO(page.screenshot(full_page=True, animations="disabled"))).convert("RGB")
        picture = picture.crop((0, 0, picture.width, min(picture.height, TALLEST)))
        picture.save(FOLDER / f"{name}.webp", quality=80, method=6)
        self.taken.append((name, caption))
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()

    def write_list(self) -> None:
        """Write docs/screenshots.md."""
        lines = ["# What it looks like", "", "Made by `make screenshots` from a running site; nothing is drawn.", ""]
        for name, text in self.taken:
            lines += [f"**{text}**", "", f"![{text}](screenshots/{name}.webp)", ""] if name else [f"## {text}", ""]
        (DOCS / "screenshots.md").write_text("\n".join(lines))


class Person:
    """Somebody with a browser."""

    def __init__(self, browser: Browser, site: str) -> None:
        self.context: BrowserContext = browser.new_context(base_url=site, viewport={"width": WIDE, "height": 700})
        self.context.set_default_timeout(90_000)
        self.page = self.context.new_page()

    def sign_in(self, email: str, password: str) -> None:
        """Sign in with a password."""
        self.password = password
        self.page.goto("/accounts/login/")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_url("**/jobs/")

    def post(self, path: str, **fields: Any) -> dict[str, Any]:
        """Send JSON as a program does, and return the answer."""
        answer = self.context.request.post(
            path,
            data=fields,
            headers={"X-CSRFToken": self._token(), "Accept": "application/json", "Content-Type": "application/json"},
        )
        assert answer.ok, answer.text()
        return dict(answer.json()) if "json" in answer.headers.get("content-type", "") else {}

    def submit(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Submit one job. Returns its status."""
        return self.post(f"/jobs/new/{kind}/", **fields)

    def _token(self) -> str:
        cookies = self.context.cookies()
        return next(cookie["value"] for cookie in cookies if cookie["name"] == "csrftoken")

    def until(self, job: dict[str, Any], *statuses: str, wait: str = "", seconds: float = 90) -> Page:
        """Open the job's page once it has one of the statuses, or waits for that reason."""
        end = time.monotonic() + seconds
        while True:
            now = self.context.request.get(job["links"]["self"]).json()
            if now["status"] in statuses or (wait and now["wait"] and now["wait"]["reason"] == wait):
                self.page.goto(job["links"]["page"])
                return self.page
            if time.monotonic() > end:
                raise AssertionError(f"{now['title']} is {now['status']}: {now['wait']}; not {statuses} {wait}")
            time.sleep(0.1)

    def workers(self) -> list[int]:
        """The worker processes that the monitor knows; for staff."""
        found = self.context.request.get("/admin/monitor/data.json").json()["workers"]
        return [int(one["name"].split(":")[1]) for one in found if not one["silent"]]


@contextmanager
def frozen(staff: Person) -> Iterator[None]:
    """While the block runs no worker does."""
    pids = staff.workers()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def pause(staff: Person, role: str, reason: str) -> None:
    """Pause a queue in the monitor."""
    staff.page.goto("/admin/monitor/")
    staff.page.get_by_label(f"Reason for a pause of the {role} queue").fill(reason)
    staff.page.get_by_role("button", name=f"Pause the {role} queue").click()
    staff.page.get_by_text(f"The {role} queue is paused").wait_for()


def resume(staff: Person, role: str) -> None:
    """Let it go on."""
    staff.page.get_by_role("button", name=f"Resume the {role} queue").click()
    staff.page.get_by_text(f"The {role} queue goes on").wait_for()


def visitors(camera: Camera, visitor: Person, staff: Person) -> None:
    """From the start page to the first sign-in."""
    page = visitor.page
    camera.heading("Coming in")
    page.goto("/")
    camera.take(page, "start", "The start page")
    with frozen(staff):
        page.goto("/accounts/signup/")
        page.get_by_label("Email").fill("ann@example.org")
        for name in ("password1", "password2"):
            page.locator(f"[name={name}]").fill(PASSWORD)
        camera.take(page, "sign-up", "Signing up")
        page.get_by_role("button", name="Sign up").click()
        page.wait_for_url("**/confirm-email/")
        camera.take(page, "mail-waiting", "Its mail is a job like any other; here no worker has taken it yet")
    page.get_by_text("Done", exact=True).wait_for()
    camera.take(page, "mail-sent", "The mail is sent, and when it can be sent again")
    page.get_by_role("button", name="Send the mail again").click()
    camera.take(page, "mail-too-soon", "Asked again too soon")
    page.goto("/sandbox/mail/")
    camera.take(page, "sandbox-mail", "The sandbox catches all mail")
    page.get_by_role("link", name="Confirm your e-mail address").click()
    page.goto(re.findall(r"http://\S+/accounts/confirm-email/[^\s\"<]+", page.content())[0])
    camera.take(page, "confirm", "The link of the mail")
    page.get_by_role("button", name="Yes, confirm it").click()
    page.wait_for_url("**/jobs/")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in").first.wait_for()
    page.goto("/accounts/password/reset/")
    page.get_by_label("Email").fill("bob@example.org")
    page.get_by_role("button", name="Send me the mail").click()
    page.get_by_text("Done", exact=True).wait_for()
    camera.take(page, "password-reset", "A forgotten password: the same whether or not the address has an account")


def media(camera: Camera, person: Person, folder: Path) -> None:
    """Pictures, videos, and edits."""
    from jobs.sandbox import samples

    page = person.page
    camera.heading("Media")
    photo = FilePayload(name="Kleine Scheidegg.jpg", mimeType="image/jpeg", buffer=samples.sample_photo())
    sound = FilePayload(name="bells.wav", mimeType="audio/wav", buffer=samples.sample_sound())
    page.goto("/jobs/new/media/")
    page.locator("input[type=file]").set_input_files([photo, sound])
    camera.take(page, "media-new", "Several files at once, and presets in plain words")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/submits/**")
    page.get_by_text("Done", exact=True).nth(1).wait_for(timeout=90_000)
    page.reload()
    camera.take(page, "media-done", "What came out, one card for each file")
    video = folder / "sunrise.mp4"
    samples.sample_video(video, seconds=300)  # long enough to be seen while it is converted
    page.goto("/jobs/new/media/")
    page.locator("input[type=file]").set_input_files(str(video))
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(ONE_JOB, timeout=60_000)
    expect(page.locator("progress")).not_to_have_attribute("value", "0", timeout=60_000)
    camera.take(page, "media-running", "A video while it is converted")
    page.goto("/media/")
    camera.take(page, "files", "My files")
    page.locator("main a[href^='/media/']").first.click()
    camera.take(page, "file", "A file with its versions")


def posts(camera: Camera, person: Person, network: str) -> None:
    """Writing a post, and what becomes of it."""
    page = person.page
    camera.heading("Posts")
    page.goto("/social/accounts/")
    camera.take(page, "accounts", "Connected accounts")
    page.goto("/jobs/new/social/")
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_label("Text", exact=True).fill("First snow on the pass! More at https://mountains.example/first-snow ❄️")
    camera.take(page, "compose", "A post, as each network will show and count it")
    camera.take(page, "compose-dark-360", "The same in the dark, on a telephone", dark=True, narrow=True)
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/submits/**")
    page.get_by_text("Done", exact=True).nth(1).wait_for(timeout=60_000)
    camera.take(page, "fan-out", "One card for each destination")
    page.goto("/sandbox/network/")
    camera.take(page, "sandbox-network", "The practice network, and how it shall misbehave")


def waits(camera: Camera, person: Person, staff: Person, network: str, account: str, var: Path) -> None:
    """Every reason for which a job waits."""
    from jobs.sandbox import samples

    camera.heading("What a job waits for")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    scheduled = person.submit("arithmetic", value="harvest", operation="add", operand="1", run_at=tomorrow)
    camera.take(person.until(scheduled, wait="scheduled"), "wait-scheduled", "A moment that was chosen")

    asked = [person.submit("arithmetic", value="apples", operation="add", operand="1", delay=8) for _ in range(3)]
    camera.take(person.until(asked[2], wait="turn"), "wait-turn", "Its turn on a shared object")
    camera.take(person.until(asked[0], "running"), "running", "Running, with its progress")
    for name in ("pears", "plums", "grapes", "nuts", "figs"):
        last = person.submit("arithmetic", value=name, operation="add", operand="1", delay=8)
    camera.take(person.until(last, wait="queue"), "wait-queue", "A free worker")

    behaviour = f"{network}/practice/behaviour"
    person.context.request.post(behaviour, data={"mode": "500", "delay_ms": 0, "remaining": 0})
    retried = person.submit("social", text="Good evening.", accounts=[account])
    camera.take(person.until(retried, wait="retry"), "wait-retry", "Its next attempt, and why the last one failed")
    person.context.request.post(behaviour, data={"mode": "normal", "delay_ms": 0, "remaining": 0})
    person.post(retried["links"]["cancel"])

    pause(staff, "media", "The disks are being changed.")
    page = person.page
    page.goto("/jobs/new/social/")
    page.get_by_label("@ann@").check()
    page.get_by_label("Text", exact=True).fill("The view from up here.")
    page.get_by_text("Pictures …").click()
    page.locator("[name=picture_1]").set_input_files(
        FilePayload(name="view.jpg", mimeType="image/jpeg", buffer=samples.sample_photo())
    )
    page.locator("[name=alt_1]").fill("A meadow, a hill behind it, and the sun.")
    camera.take(page, "compose-pictures", "A picture with the words for those who can't see it")
    page.get_by_role("button", name="Submit").click()
    page.get_by_text("Starts when “").wait_for()
    camera.take(page, "wait-after", "A post waits for its picture, and that for the people who run the site")
    resume(staff, "media")

    with sqlite3.connect(var / "sandbox.sqlite3", timeout=20) as sandbox:
        sandbox.execute("DELETE FROM offload_sandbox_token")
    held = person.submit("social", text="Good night.", accounts=[account])
    camera.take(person.until(held, wait="on_hold"), "wait-on-hold", "A person: access was taken away")

    pause(staff, "network", "The mail server moves to another machine.")
    paused = person.submit("arithmetic", value="cherries", operation="add", operand="1")
    camera.take(person.until(paused, wait="paused"), "wait-paused", "The people who run the site")
    camera.take(staff.page, "monitor", "What staff see of it, in the monitor")
    resume(staff, "network")
    person.until(paused, "succeeded")

    with frozen(staff):
        alone = person.submit("arithmetic", value="cherries", operation="add", operand="1")
        camera.take(person.until(alone, wait="no_worker"), "wait-no-worker", "A worker, and none is running")


def outcomes(camera: Camera, person: Person) -> None:
    """Done, failed, cancelled, deleted."""
    camera.heading("Outcomes")
    done = person.submit("arithmetic", value="apples", operation="multiply", operand="2.5", delay=0)
    camera.take(person.until(done, "succeeded"), "done", "Done")
    camera.take(person.page, "done-dark", "Done, in the dark", dark=True)
    page = person.page
    page.goto("/accounts/reauthenticate/?next=/accounts/email/")
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Email").fill("nobody@example.org")
    page.get_by_role("button", name="Add it").click()
    page.get_by_text("does not exist").wait_for()
    page.goto("/jobs/?status=failed")
    page.get_by_role("link", name="E-mail to nobody@example.org").click()
    camera.take(page, "failed", "Failed, why, and what can be done")
    for _ in range(14):
        failed = person.submit("arithmetic", value="stars", operation="multiply", operand="9999999999", delay=0)
        behind = person.submit("arithmetic", value="stars", operation="add", operand="1", delay=0)
        person.until(failed, "failed", "succeeded", wait="held")
        if person.context.request.get(failed["links"]["self"]).json()["status"] == "failed":
            break
    camera.take(person.until(failed, "failed"), "failed-holding", "Failed, and it keeps others waiting")
    camera.take(person.until(behind, wait="held"), "wait-held", "Held behind it")
    long = person.submit("arithmetic", value="patience", operation="add", operand="1", delay=10)
    person.until(long, "running")
    person.post(long["links"]["cancel"])
    camera.take(person.until(long, "cancelled"), "cancelled", "Cancelled while it ran")
    page.goto(f"/jobs/{done['id']}/delete/")
    camera.take(page, "delete", "Deleting a job")


def lists(camera: Camera, person: Person) -> None:
    """The pages that hold many things."""
    page = person.page
    camera.heading("Lists")
    page.goto("/jobs/")
    camera.take(page, "list", "My jobs")
    camera.take(page, "list-dark-360", "My jobs in the dark, on a telephone", dark=True, narrow=True)
    page.goto("/jobs/?q=nothing+like+that")
    camera.take(page, "list-empty", "A search that finds nothing")
    page.goto("/arithmetic/")
    camera.take(page, "values", "Values that jobs change in order")
    page.get_by_role("link", name="apples").click()
    camera.take(page, "value", "One value, what is in line, and its history")
    page.goto("/jobs/new/arithmetic/")
    page.get_by_text("Later …").click()
    camera.take(page, "arithmetic-new", "A change of a value, now or later")
    page.goto("/lab/")
    camera.take(page, "lab", "The lab")


def account(camera: Camera, person: Person) -> None:
    """What belongs to a person."""
    page = person.page
    camera.heading("Account and data")
    page.goto("/accounts/email/")
    camera.take(page, "email", "E-mail addresses")
    page.goto("/export/")
    page.get_by_role("button", name="Make a copy").click()
    page.get_by_role("link", name="Download").wait_for(timeout=60_000)
    page.goto("/export/")
    camera.take(page, "my-data", "A copy of all my data, and the way out")
    page.goto("/erasure/")
    camera.take(page, "erasure", "Deleting the account")


def goodbye(camera: Camera, visitor: Person) -> None:
    """The last page of an account."""
    visitor.sign_in("ann@example.org", PASSWORD)
    visitor.page.goto("/erasure/")
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.page.get_by_role("button", name="Delete my account for good").click()
    visitor.page.get_by_text("are deleted").wait_for()
    camera.take(visitor.page, "goodbye", "The last page")


def administration(camera: Camera, staff: Person) -> None:
    """What staff see."""
    page = staff.page
    camera.heading("For staff")
    page.goto("/admin/")
    camera.take(page, "admin", "The admin")
    page.goto("/admin/offload/job/")
    camera.take(page, "admin-jobs", "All jobs, without their payloads")
    page.goto("/admin/offload/job/?status__exact=failed")
    page.locator("#result_list tbody th a").first.click()
    camera.take(page, "admin-job", "One job with its attempts")


def run() -> None:
    """Take all pictures."""
    from jobs.sandbox import demo, stack
    from jobs.sandbox.visitor import Visitor
    from jobs.sandbox.webhooks import webhook_secret

    camera = Camera()
    with TemporaryDirectory(prefix="offload-screenshots-") as name, sync_playwright() as playwright:
        folder = Path(name)
        with demo.stack(folder) as site:
            lines = (folder / "var" / "accounts.txt").read_text().splitlines()
            passwords = dict(line.split(" ", 1) for line in lines)
            connecting = Visitor(site.url)
            connecting.sign_in(stack.DEMO, passwords[stack.DEMO])
            connecting.connect_practice_account(site.network, "ann")
            connecting.connect_webhook(f"{site.network}/webhooks/demo/", webhook_secret("demo"), "Demo inbox")
            practice = connecting.account("@ann@")
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            visitor, person, staff = (Person(browser, site.url) for _ in range(3))
            staff.sign_in(stack.STAFF, passwords[stack.STAFF])
            person.sign_in(stack.DEMO, passwords[stack.DEMO])
            visitors(camera, visitor, staff)
            media(camera, person, folder)
            posts(camera, person, site.network)
            waits(camera, person, staff, site.network, practice, folder / "var")
            outcomes(camera, person)
            lists(camera, person)
            account(camera, person)
            goodbye(camera, visitor)
            administration(camera, staff)
            browser.close()
    camera.write_list()


if __name__ == "__main__":
    with TemporaryDirectory(prefix="offload-settings-") as own:
        os.environ.update(ENVIRONMENT, VAR_DIR=own)
        django.setup()
        run()
