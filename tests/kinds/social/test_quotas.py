"""What connecting accounts and posting take of an owner's quotas, on every way that leads there."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from jobs.core import quotas
from jobs.kinds.social.models import Account, Secret
from jobs.models import Job, Status
from tests.kinds.social.conftest import attempted
from tests.kinds.social.connecting import (
    BLUESKY,
    MASTODON,
    WEBHOOK,
    answer,
    came_back,
    disconnected,
    done,
    job_of,
    sent_to,
    signed_in,
)
from tests.kinds.social.pictures import noisy, photo, stored
from tests.servers.bluesky import Pds

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]

NO_MORE = "There is no room: of at most 1 accounts, 1 are there already. Disconnect one that you need no more."


def kept(user) -> float:
    (standing,) = [one for one in quotas.standings(user.pk) if one.quota.name == "bytes"]
    return standing.used


def post(page, accounts: list[Account], *pictures: bytes, **headers: str):
    fields: dict[str, Any] = {"text": "Hello", "accounts": [account.pk for account in accounts]}
    for number, content in enumerate(pictures, 1):
        fields |= {f"picture_{number}": SimpleUploadedFile("p.jpg", content), f"alt_{number}": "a picture"}
    return page.post("/jobs/new/social/", fields, headers=headers)


# --- Accounts --------------------------------------------------------------------------------------------------------


def test_beyond_the_quota_no_account_is_connected_and_the_form_keeps_what_was_typed(
    page, webhook_account, careless, offload
):
    offload(QUOTA_ACCOUNTS=1)
    refused = page.post(MASTODON, {"server": careless.origin})
    assert (refused.status_code, NO_MORE in refused.text, careless.origin in refused.text) == (429, True, True)
    program = page.post(MASTODON, {"server": careless.origin}, headers={"Accept": "application/json"})
    assert (program.status_code, program.json()) == (429, {"errors": {"__all__": [NO_MORE]}})
    assert not Job.objects.exists()
    assert not Secret.objects.exists()


def test_an_account_that_is_there_can_be_connected_again(page, pds, offload):
    assert signed_in(page, pds).status == Status.SUCCEEDED
    offload(QUOTA_ACCOUNTS=1)
    assert signed_in(page, pds).status == Status.SUCCEEDED
    assert Account.objects.count() == 1


def test_another_account_on_a_server_where_there_is_one_is_refused_by_the_job(page, user, pds, offload):
    signed_in(page, pds)
    Account.objects.update(handle="@other.test")
    offload(QUOTA_ACCOUNTS=1)
    job = signed_in(page, pds)
    assert (job.status, job.error_code) == (Status.FAILED, "too_many_accounts")
    assert job.error_text.startswith("There is no room for another account: at most 1 may")
    assert [account.handle for account in Account.objects.all()] == ["@other.test"]
    assert not Secret.objects.exists()


def test_two_that_were_begun_at_once_make_one_account_where_there_is_room_for_one(page, pds, receiver, offload):
    offload(QUOTA_ACCOUNTS=1)
    form = {"handle": "@ann.test", "app_password": Pds.PASSWORD, "service": pds.origin}
    hook = {"name": "Hook", "url": f"{receiver.origin}/h", "secret": "whsec_" + "QUJD" * 10}
    jobs = [
        job_of(page.post(BLUESKY, form)),
        job_of(page.post(WEBHOOK, hook)),
    ]
    assert {done(job).status for job in jobs} == {Status.SUCCEEDED, Status.FAILED}
    assert Account.objects.count() == 1


def test_coming_back_from_the_network_s_page_needs_room_too_and_works_once_there_is(
    page, user, careless, webhook_account, offload
):
    query = sent_to(page, careless)
    offload(QUOTA_ACCOUNTS=1)
    refused = answer(page, query, code="c0de")
    assert (refused.status_code, NO_MORE in refused.text) == (429, True)
    assert Job.objects.filter(kind="connect").count() == 1
    disconnected(page, webhook_account)
    assert came_back(page, query).status == Status.SUCCEEDED
    assert Account.objects.get().network == "mastodon"


def test_disconnecting_is_always_possible(page, webhook_account, user, offload):
    offload(QUOTA_JOBS=1, QUOTA_PACE=1, QUOTA_ACCOUNTS=1)
    quotas.meter(user.pk, quotas.PACE, 9)
    disconnected(page, webhook_account)
    assert not Account.objects.exists()


def test_connecting_counts_for_the_pace_as_every_submit(page, user, careless, offload):
    offload(QUOTA_PACE=1)
    assert page.post(MASTODON, {"server": careless.origin}).status_code == 303
    refused = page.post(MASTODON, {"server": careless.origin})
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 60


# --- Posts -----------------------------------------------------------------------------------------------------------


def test_a_post_to_several_accounts_with_pictures_is_as_many_jobs_and_one_more(
    page, webhook_account, mastodon_account, offload
):
    accounts = [webhook_account, mastodon_account]
    Account.objects.filter(network="webhook").update(limits={"media": 4})
    offload(QUOTA_JOBS=2)
    before = stored()
    assert post(page, accounts, photo()).status_code == 429
    assert (Job.objects.count(), stored()) == (0, before)
    offload(QUOTA_JOBS=3)
    assert post(page, accounts, photo()).status_code == 303


def test_pictures_that_do_not_fit_are_refused_at_their_field(page, user, mastodon_account, offload):
    content = noisy(200, 200)
    offload(QUOTA_BYTES=len(content))
    before = stored()
    refused = post(page, [mastodon_account], content, content, Accept="application/json")
    assert refused.status_code == 429
    assert list(json.loads(refused.content)["errors"]) == ["picture_1"]
    assert (Job.objects.count(), stored()) == (0, before)
    assert post(page, [mastodon_account], content).status_code == 303
    assert kept(user) == len(content)


def test_prepared_pictures_count_and_go_with_their_job(page, user, mastodon_account):
    post(page, [mastodon_account], noisy(200, 200))
    job = attempted(Job.objects.get(kind="pictures"))
    assert job.status == Status.SUCCEEDED
    assert kept(user) == job.stored_bytes > len(noisy(200, 200))
    post_job = Job.objects.get(kind="social")
    attempted(post_job)
    Job.objects.filter(pk__in=[job.pk, post_job.pk]).delete()
    assert kept(user) == 0


def test_pictures_need_time_of_work_and_words_need_none(page, user, mastodon_account, offload):
    offload(QUOTA_COMPUTING=60)
    quotas.meter(user.pk, quotas.COMPUTING, 60)
    assert post(page, [mastodon_account], photo()).status_code == 429
    assert post(page, [mastodon_account]).status_code == 303
