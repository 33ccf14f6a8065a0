"""What a waiting job tells: on its card, on its line in the list and in its JSON, the same sentence for each reason."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from jobs.conf import options
from jobs.core import lifecycle, pauses
from jobs.kind import Kind, Queue, Role, Submission
from jobs.kinds.arithmetic.kind import ArithmeticKind
from jobs.kinds.social.models import Account
from jobs.models import Job, Status
from tests.conftest import Offload, StartWorker
from tests.environment import VAR
from tests.kind_app.kind import Crunch, Echo, Strict
from tests.kinds.arithmetic.conftest import form
from tests.kinds.social.conftest import connected, submitted
from tests.processes import Process, wait_until
from tests.servers.mastodon import CarelessMastodon
from tests.servers.stand_in import Reply

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.django_db(transaction=True)]

HELLO = Submission({"text": "Hello"}, "Hello")
LONG = 50
"""Seconds that a job takes whose end no test waits for."""


@dataclass
class Scene:
    """What a job may have to wait for."""

    user: User
    start_worker: StartWorker
    network: CarelessMastodon
    offload: Offload

    def submit(self, kind: Kind, *submissions: Submission, **options: Any) -> Job:
        """The last of the jobs."""
        return lifecycle.submit(kind, submissions, owner=self.user, **options).jobs[-1]

    def change(self, value: str) -> Job:
        """A long change of a value."""
        filled = form(self.user, value, "+1")
        assert filled.is_valid(), filled.errors
        (one,) = filled.submissions()
        return self.submit(ArithmeticKind(), replace(one, payload={**one.payload, "delay": LONG}))

    def work(self, role: Role = Role.NETWORK, *args: str) -> Process:
        """A worker that hands back at once what it runs when it is told to stop."""
        return self.start_worker("--role", role, "--grace", "0", *args, env={"SANDBOX_ORIGINS": self.network.origin})

    def account(self) -> Account:
        """An account on the network, with a token that was good once."""
        credentials = {"token": CarelessMastodon.TOKEN, "account_id": "7", "callback_url": "http://testserver/"}
        return connected(self.user, "mastodon", self.network.origin, "@ann@network.example", credentials)


@pytest.fixture
def scene(user: User, start_worker: StartWorker, offload: Offload) -> Iterator[Scene]:
    with CarelessMastodon() as network:
        yield Scene(user, start_worker, network, offload)


def reached(job: Job, status: Status) -> Job:
    wait_until(lambda: Job.objects.filter(pk=job.pk, status=status).exists(), what=f"{job} is {status}")
    return job


# --- How each reason comes about; the job that waits for it ----------------------------------------------------------


def scheduled(scene: Scene) -> Job:
    scene.work()
    return scene.submit(Echo(), HELLO, run_at=timezone.now() + timedelta(days=2))


def retry(scene: Scene) -> Job:
    scene.network.misbehave("POST /api/v1/statuses", Reply({"error": "Slow down"}, 429, {"Retry-After": "600"}))
    scene.work()
    return submitted(scene.account(), "Good evening.")


def after(scene: Scene) -> Job:
    scene.work()
    first = Submission({"text": "picture"}, "The picture", kind=Crunch())
    return scene.submit(Echo(), first, replace(HELLO, after=0))


def turn(scene: Scene) -> Job:
    scene.work()
    reached(scene.change("apples"), Status.RUNNING)
    return scene.change("apples")


def on_hold(scene: Scene) -> Job:
    scene.network.revoked = True
    scene.work()
    return submitted(scene.account(), "Good night.")


def held(scene: Scene) -> Job:
    scene.work()
    reached(scene.submit(Strict(), Submission({"text": "", "outcome": "fail"}, "First", "shelf")), Status.FAILED)
    return scene.submit(Strict(), replace(HELLO, resource="shelf"))


def paused(scene: Scene) -> Job:
    scene.work()
    pauses.pause(Queue.NETWORK, "The mail server moves to another machine.", by="staff")
    return scene.submit(Echo(), HELLO)


def no_worker(scene: Scene) -> Job:
    scene.work(Role.MEDIA)
    return scene.submit(Echo(), HELLO)


def no_redis(scene: Scene) -> Job:
    scene.offload(REDIS_URL=f"unix://{VAR}/nobody-listens.sock")
    scene.start_worker("--role", "network", env={"REDIS_URL": options.REDIS_URL})
    return scene.submit(Echo(), HELLO)


def queue(scene: Scene) -> Job:
    busy = scene.change("apples")
    scene.change("pears")
    scene.work(Role.NETWORK, "--concurrency", "1")
    reached(busy, Status.RUNNING)
    return scene.change("plums")


DAY, TIME = r"on \d+ \w+", r"at \d\d:\d\d:\d\d JST"
REASONS = {
    scheduled: rf"Starts {DAY} {TIME}\.",
    retry: rf"Attempt 2 of 5 starts ({DAY} )?{TIME}\. Mastodon \(.+\) asked us to wait until \d\d:\d\d UTC\.",
    after: r"Starts when “The picture” is done\.",
    turn: r"Waits behind 1 job on the same object\.",
    on_hold: r"Mastodon \(.+\) does not accept our access any more: “The access token was revoked”\. "
    r"Connect the account again\. This post waits for that\.",
    held: r"Held: an earlier job on the same object failed\. "
    r"It waits until that one is retried, skipped or cancelled\.",
    paused: r"Paused by the people who run this site since \d\d:\d\d JST: The mail server moves to another machine\. "
    r"It starts when they resume\.",
    no_worker: r"No worker is running for this just now\. It starts as soon as one is back\.",
    no_redis: r"The queue of this site \(Redis\) does not answer just now\. It starts as soon as that is back\.",
    queue: r"Waits for a free worker, behind 1 job\.",
}


def told(page: Page, job: Job, reason: str) -> str:
    """The sentence of the job's JSON, as soon as it waits for that."""

    def sentence() -> str:
        wait = page.request.get(f"{job.get_absolute_url()}status.json").json()["wait"]
        return str(wait["text"]) if wait and wait["reason"] == reason else ""

    return wait_until(sentence, what=f"the job waits: {reason}")


@pytest.mark.parametrize(("bring_about", "words"), REASONS.items(), ids=[one.__name__ for one in REASONS])
def test_card_line_and_json_tell_the_same_reason(
    open_page, scene: Scene, bring_about: Callable[[Scene], Job], words: str
) -> None:
    page = open_page("/", user=scene.user, timezone_id="Asia/Tokyo")
    job = bring_about(scene)
    page.goto("/jobs/")
    sentence = told(page, job, bring_about.__name__)
    assert re.fullmatch(words, sentence)
    line = page.locator(f"[data-id='{job.pk}']")
    expect(line.get_by_text(sentence, exact=True)).to_be_visible()
    line.get_by_role("link").click()
    card = page.get_by_role("article")
    # Attempts, folded away, may tell it too.
    expect(card.get_by_text(sentence, exact=True).first).to_be_visible()
    expect(card.get_by_text("Waiting", exact=True)).to_be_visible()
    card.get_by_role("button", name="Cancel").click()
    expect(card.get_by_text("This job was cancelled before it")).to_be_visible()


def test_a_post_on_hold_leads_to_where_its_account_is_connected_again(open_page, scene: Scene) -> None:
    job = on_hold(scene)
    page = open_page(job.get_absolute_url(), user=scene.user)
    page.get_by_role("article").get_by_role("link", name="Connect the account again").click()
    expect(page.get_by_role("heading", name="Social accounts")).to_be_visible()
    expect(page.get_by_role("heading", name="@ann@network.example")).to_be_visible()


def test_a_page_tells_by_itself_that_the_reason_is_over(open_page, scene: Scene) -> None:
    job = no_worker(scene)
    page = open_page(job.get_absolute_url(), user=scene.user)
    expect(page.get_by_text("No worker is running")).to_be_visible()
    scene.work()
    expect(page.get_by_text("Done", exact=True)).to_be_visible()
    expect(page.get_by_text("No worker is running")).to_be_hidden()


def test_skipping_a_failed_job_lets_the_one_behind_it_run(open_page, scene: Scene) -> None:
    job = held(scene)
    page = open_page(job.get_absolute_url(), user=scene.user)
    expect(page.get_by_text("Held: an earlier job on the same object failed.")).to_be_visible()
    failed = page.context.new_page()
    failed.goto(Job.objects.get(status=Status.FAILED).get_absolute_url())
    failed.get_by_role("button", name="Skip it").click()
    expect(failed.get_by_role("button", name="Skip it")).to_be_hidden()
    expect(page.get_by_text("Done", exact=True)).to_be_visible()
