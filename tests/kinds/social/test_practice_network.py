"""The whole way against the practice network: register, allow, post, misbehaviour, revocation."""

from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.urls import reverse
from django.utils import timezone

from jobs.core.waiting import waits_of
from jobs.kinds.social.models import Account
from jobs.kinds.social.networks.mastodon.models import MastodonApp
from jobs.models import Job, Status
from jobs.sandbox.webhooks import webhook_secret
from tests.kinds.social.conftest import attempted, connected, posted, result_of
from tests.kinds.social.connecting import MASTODON, asked, disconnected, done, job_of, shown
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True, databases=["default", "sandbox"]), pytest.mark.stack]


def behave(network: str, **behaviour: Any) -> None:
    answer = requests.post(f"{network}/practice/behaviour", json=behaviour, timeout=20)
    assert answer.ok, answer.text


@pytest.fixture
def network(sandbox):
    """The practice network, that answers at once unless told otherwise."""
    behave(sandbox, mode="normal", delay_ms=0, remaining=0)
    yield sandbox
    behave(sandbox, mode="normal", delay_ms=0, remaining=0)


def connect(page: Any, network: str) -> Account:
    """Connect as a person does, approving on the network's own page."""
    url = result_of(asked(page, MASTODON, {"server": network}))["url"]
    approval = requests.post(url, data={"name": "ann", "decision": "approve"}, timeout=20, allow_redirects=False)
    back = urlsplit(approval.headers["Location"])
    result_of(done(job_of(page.get(f"{back.path}?{back.query}"))))
    return shown()


@pytest.fixture
def account(client, user, network) -> Account:
    client.force_login(user)
    return connect(client, network)


def statuses(network: str, job: Job) -> list[dict[str, Any]]:
    """What the network published for a job."""
    found = requests.get(f"{network}/practice/statuses", timeout=20).json()["statuses"]
    return [status for status in found if status["idempotency_key"] == str(job.pk)]


def test_a_person_connects_and_posts(network, client, account):
    assert (account.instance, account.handle) == (network, f"@ann@{network.removeprefix('http://')}")
    assert account.limits == {
        "characters": 500,
        "characters_per_url": 23,
        "media": 4,
        "picture_bytes": 16 * 1024 * 1024,
        "picture_pixels": 33_177_600,
        "alt": 1500,
    }
    assert b"".join(client.get(reverse("social:avatar", args=[account.pk])).streaming_content).startswith(b"\x89PNG")
    job = posted(account, "Hello\nhttps://example.org/?a=1&b=2 #first <b>")
    assert job.status == Status.SUCCEEDED, job.error_text
    (status,) = statuses(network, job)
    assert result_of(job)["url"] == status["url"]
    assert requests.get(status["url"], timeout=20).ok
    card = client.get(job.get_absolute_url()).content.decode()
    assert f'href="{status["url"]}"' in card


@pytest.mark.parametrize("mode", ["drop", "reset", "500", "429", "429_bare"])
def test_whatever_the_network_does_there_is_one_status(network, account, mode):
    behave(network, mode=mode, remaining=1)
    job = posted(account, f"Through {mode}: https://example.org/ & @bob@other.example\n\n“one”")
    assert (job.status, job.attempt) == (Status.PENDING, 1)
    if mode == "429":
        assert 0 < (job.run_at - timezone.now()).total_seconds() <= 3
    job = attempted(job)
    assert job.status == Status.SUCCEEDED, job.error_text
    assert len(statuses(network, job)) == 1


def test_a_link_of_any_length_counts_as_23_here_and_there(network, account):
    assert posted(account, "x" * 476 + " https://example.org/" + "y" * 400).status == Status.SUCCEEDED


def test_an_account_disconnected_here_is_revoked_there(network, client, account):
    token = account.credentials["token"]
    result_of(disconnected(client, account))
    answer = requests.get(
        f"{network}/api/v1/accounts/verify_credentials", headers={"Authorization": f"Bearer {token}"}, timeout=20
    )
    assert answer.status_code == 401


def test_access_that_was_taken_away_there_is_told_here(network, client, account):
    form = {"token": account.credentials["token"], **account_client(account)}
    assert requests.post(f"{network}/oauth/revoke", data=form, timeout=20).ok
    job = posted(account, "Hello")
    assert (job.status, job.error_code) == (Status.PENDING, "reconnect")
    problem = Account.objects.get().last_error_text
    assert "The access token was revoked" in problem
    assert problem in client.get("/social/accounts/").content.decode()
    account = connect(client, network)
    assert not account.needs_reconnect
    assert attempted(job).status == Status.SUCCEEDED


def test_a_worker_goes_on_with_what_waited_for_its_account(network, client, user, start_worker):
    client.force_login(user)
    account = connect(client, network)
    form = {"token": account.credentials["token"], **account_client(account)}
    assert requests.post(f"{network}/oauth/revoke", data=form, timeout=20).ok
    for number in range(3):
        # Before a worker finds out that the account has to be connected again: forms offer none of those.
        form_sent = {"text": f"Waiting {number}", "accounts": [account.pk]}
        assert client.post("/jobs/new/social/", form_sent).status_code == 303
    start_worker("--role", "network")
    wait_until(lambda: Account.objects.get().needs_reconnect, what="the revocation is noticed")
    posts = Job.objects.filter(kind="social")
    wait_until(lambda: {wait.reason for wait in waits_of(posts.all()).values()} == {"on_hold"}, what="they wait")
    connect(client, network)
    wait_until(lambda: not Job.objects.unfinished().exists(), what="all three are posted")
    texts = [row["text"] for row in requests.get(f"{network}/practice/statuses", timeout=20).json()["statuses"]]
    assert [text for text in texts if text.startswith("Waiting")] == [f"Waiting {n}" for n in (2, 1, 0)]


def account_client(account: Account) -> dict[str, str]:
    return MastodonApp.objects.get(instance=account.instance).client


def test_a_worker_posts_in_the_order_of_acceptance(network, client, user, start_worker):
    client.force_login(user)
    account = connect(client, network)
    start_worker("--role", "network")
    for number in range(5):
        form = {"text": f"Number {number} of five", "accounts": [account.pk]}
        assert client.post("/jobs/new/social/", form).status_code == 303
    wait_until(lambda: not Job.objects.unfinished().exists(), what="all five are posted")
    assert set(Job.objects.values_list("status", flat=True)) == {Status.SUCCEEDED}
    texts = [row["text"] for row in requests.get(f"{network}/practice/statuses", timeout=20).json()["statuses"]]
    assert [text for text in texts if text.endswith("of five")] == [f"Number {n} of five" for n in reversed(range(5))]


def test_a_worker_delivers_to_the_practice_webhook(network, client, user, start_worker):
    client.force_login(user)
    start_worker("--role", "network")
    credentials = {"url": f"{network}/webhooks/social/", "secret": webhook_secret("social")}
    account = connected(user, "webhook", network, "Practice inbox", credentials)
    behave(network, mode="drop", remaining=1)
    client.post("/jobs/new/social/", {"text": "Hello", "accounts": [account.pk]})
    job = Job.objects.get()
    wait_until(lambda: Job.objects.get().is_finished, seconds=30, what="the post is delivered")
    job.refresh_from_db()
    assert (job.status, job.attempt) == (Status.SUCCEEDED, 2)
    assert result_of(job)["answer"] == '{"received": true, "repeated": true}'
