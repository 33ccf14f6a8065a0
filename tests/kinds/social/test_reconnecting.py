"""Posts to a revoked account wait, say why, and go on; posts that failed are tried again together."""

import pytest
from django.urls import reverse
from django.utils import timezone

from jobs.core.waiting import waits_of
from jobs.kinds.social.models import Account
from jobs.models import Job, Status
from tests.kinds.social.conftest import attempted, database, posted, result_of, submitted
from tests.kinds.social.connecting import came_back, sent_to
from tests.servers.mastodon import STATUSES
from tests.servers.stand_in import Reply

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def waiting(careless, mastodon_account) -> list[Job]:
    """Three posts to an account whose access was taken away; the first found out."""
    jobs = [submitted(mastodon_account, f"Number {number}") for number in range(3)]
    careless.revoked = True
    attempted(jobs[0])
    return list(Job.objects.filter(kind="social").order_by("position"))


def connected_again(client, careless, account) -> None:
    """The person has allowed it again, on the server's own page."""
    careless.revoked = False
    query = sent_to(client, careless)
    careless.routes["GET /api/v1/accounts/verify_credentials"] = Reply({"id": "7", "username": "ann"})
    Account.objects.filter(pk=account.pk).update(handle=f"@ann@{careless.origin.removeprefix('http://')}")
    result_of(came_back(client, query))


def test_all_posts_of_a_revoked_account_say_what_they_wait_for(waiting, client, mastodon_account):
    waits = waits_of(waiting)
    assert {waits[job.pk].reason for job in waiting} == {"on_hold"}
    client.force_login(mastodon_account.owner)
    for job in waiting:
        page = client.get(job.get_absolute_url()).content.decode()
        assert "Connect the account again. This post waits for that." in page
        assert f'href="{reverse("social:accounts")}">Connect the account again</a>' in page
        assert reverse("offload:cancel", args=[job.pk]) in page


def test_they_are_not_tried_one_after_the_other(waiting, careless):
    calls = len(careless.asked)
    assert [attempted(job).attempt for job in waiting] == [1, 0, 0]
    assert len(careless.asked) == calls


def test_they_go_on_in_their_order_when_the_account_is_connected_again(waiting, client, careless, mastodon_account):
    client.force_login(mastodon_account.owner)
    connected_again(client, careless, mastodon_account)
    for job in waiting:
        result_of(attempted(job))
    assert [status["content"] for status in careless.statuses] == [f"<p>Number {n}</p>" for n in range(3)]


def test_waiting_counts_as_no_attempt(waiting, client, careless, mastodon_account):
    client.force_login(mastodon_account.owner)
    for _ in range(7):
        connected_again(client, careless, mastodon_account)
        careless.revoked = True
        assert attempted(waiting[0]).status == Status.PENDING
    connected_again(client, careless, mastodon_account)
    result_of(attempted(waiting[0]))


def test_a_cancelled_post_leaves_the_others_waiting(waiting, client, mastodon_account):
    client.force_login(mastodon_account.owner)
    client.post(reverse("offload:cancel", args=[waiting[0].pk]))
    waiting[0].refresh_from_db()
    assert waiting[0].status == Status.CANCELLED
    assert [wait.reason for wait in waits_of(waiting[1:]).values()] == ["on_hold"] * 2


def test_when_the_account_is_disconnected_each_post_says_so(waiting, client, careless, mastodon_account):
    client.force_login(mastodon_account.owner)
    client.post(reverse("social:disconnect", args=[mastodon_account.pk]))
    assert [attempted(job).error_code for job in waiting] == ["account_gone"] * 3


def test_a_post_that_fails_while_its_account_is_connected_again_is_tried_at_once(careless, mastodon_account):
    def connected_meanwhile(asked):
        with database():
            Account.objects.update(connected_at=timezone.now())
        return Reply({"error": "The access token was revoked"}, 401)

    careless.misbehave(STATUSES, connected_meanwhile)
    job = posted(mastodon_account, "Hello")
    assert (job.status, job.error_code) == (Status.PENDING, "reconnected")
    assert not Account.objects.get().needs_reconnect
    result_of(attempted(job))


# --- Several destinations ---


@pytest.fixture
def fan_out(client, user, careless, receiver, mastodon_account, webhook_account) -> list[Job]:
    """One post to two accounts: Mastodon refuses, the webhook takes it."""
    client.force_login(user)
    careless.misbehave(STATUSES, Reply({"error": "No"}, 422))
    receiver.routes["POST /hook"] = Reply()
    form = {"text": "Hello", "accounts": [mastodon_account.pk, webhook_account.pk]}
    client.post("/jobs/new/social/", form)
    jobs = [attempted(Job.objects.get(resource=account.resource)) for account in (mastodon_account, webhook_account)]
    assert [job.status for job in jobs] == [Status.FAILED, Status.SUCCEEDED]
    return jobs


def test_only_the_failed_destinations_are_tried_again(client, fan_out, careless, receiver):
    address = fan_out[0].submit.get_absolute_url()
    assert "Try the failed ones again" in client.get(address).content.decode()
    assert client.post(f"{address}retry/")["Location"] == address
    result_of(attempted(fan_out[0]))
    assert (len(careless.statuses), len(receiver.calls("POST /hook"))) == (1, 1)


def test_trying_again_what_did_not_fail_is_told(client, fan_out):
    address = f"{fan_out[0].submit.get_absolute_url()}retry/"
    client.post(address)
    attempted(fan_out[0])
    page = client.post(address, follow=True).content.decode()
    assert "None of these jobs can be tried again as they stand now." in page
    answer = client.post(address, headers={"Accept": "application/json"})
    assert (answer.status_code, list(answer.json()["errors"])) == (409, ["__all__"])


def test_a_program_gets_the_new_state_of_all(client, fan_out):
    answer = client.post(f"{fan_out[0].submit.get_absolute_url()}retry/", headers={"Accept": "application/json"})
    assert sorted(job["status"] for job in answer.json()["jobs"]) == ["pending", "succeeded"]


def test_nobody_else_can_try_them_again(client, fan_out, other_user):
    client.force_login(other_user)
    assert client.post(f"{fan_out[0].submit.get_absolute_url()}retry/").status_code == 404
    fan_out[0].refresh_from_db()
    assert fan_out[0].status == Status.FAILED


def test_limits_are_read_again_once_a_day(careless, mastodon_account):
    posted(mastodon_account, "One")
    posted(mastodon_account, "Two")
    mastodon_account.refresh_from_db()
    assert mastodon_account.limits == {"characters": 100}
    assert len(careless.calls("GET /api/v1/instance")) == 1
    careless.routes["GET /api/v1/instance"] = Reply("", 500)
    Account.objects.update(limits_read_at=None)
    result_of(posted(mastodon_account, "Three"))
