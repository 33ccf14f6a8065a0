"""Accounts on stand-ins of the networks, and posting to them through the real core."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.db.models.functions import Now
from django.http import QueryDict

from jobs.conf import options
from jobs.core import lifecycle
from jobs.kinds.social.kind import SocialKind
from jobs.kinds.social.models import Account
from jobs.models import Job, Status
from jobs.worker import execution
from tests.servers.bluesky import Pds
from tests.servers.mastodon import CarelessMastodon
from tests.servers.stand_in import StandIn

Start = Callable[[type[StandIn]], Any]


@pytest.fixture
def start(offload) -> Iterator[Start]:
    """Start a stand-in that the site trusts as it trusts the sandbox."""
    with ExitStack() as stack:

        def begin(kind: type[StandIn]) -> StandIn:
            server = stack.enter_context(kind())
            offload(SANDBOX_ORIGINS=[*options.SANDBOX_ORIGINS, server.origin])
            return server

        yield begin


@pytest.fixture
def page(client, user):
    """A browser in which ann is signed in."""
    client.force_login(user)
    return client


@pytest.fixture
def pds(start) -> Pds:
    server: Pds = start(Pds)
    return server


@pytest.fixture
def careless(start) -> CarelessMastodon:
    server: CarelessMastodon = start(CarelessMastodon)
    return server


@pytest.fixture
def receiver(start) -> StandIn:
    """A webhook receiver at /hook that takes everything."""
    server: StandIn = start(StandIn)
    return server


def connected(
    owner: User, network: str, instance: str, handle: str, credentials: dict[str, str], **more: Any
) -> Account:
    """An account as connecting it leaves it."""
    return Account.objects.create(
        owner=owner,
        network=network,
        instance=instance,
        handle=handle,
        credentials_text=json.dumps(credentials),
        **more,
    )


@pytest.fixture
def mastodon_account(user, careless) -> Account:
    credentials = {"token": CarelessMastodon.TOKEN, "account_id": "7", "callback_url": "http://testserver/callback"}
    limits = {"characters": 100, "characters_per_url": 23, "media": 4}
    return connected(user, "mastodon", careless.origin, "@ann@careless.test", credentials, limits=limits)


@pytest.fixture
def bluesky_account(user, pds) -> Account:
    pds.session()
    credentials = {"did": Pds.DID, "pds": pds.origin, "access": "access-1", "refresh": "refresh-1"}
    limits = {"characters": 300, "bytes": 3000, "media": 4}
    return connected(user, "bluesky", pds.origin, "@ann.test", credentials, limits=limits)


@pytest.fixture
def webhook_account(user, receiver) -> Account:
    credentials = {"url": f"{receiver.origin}/hook?key=s3cret", "secret": "whsec_" + "QUJD" * 10}
    return connected(user, "webhook", receiver.origin, "My receiver", credentials)


def submitted(account: Account, text: str) -> Job:
    """A job as the form makes it."""
    data = QueryDict(mutable=True)
    data.update({"text": text, "accounts": str(account.pk)})
    form = SocialKind.form(data, owner=account.owner)
    assert form.is_valid(), form.errors
    (job,) = lifecycle.submit(SocialKind(), form.submissions(), owner=account.owner).jobs
    return job


def attempted(job: Job) -> Job:
    """The job after one more attempt, whenever that was due."""
    Job.objects.filter(pk=job.pk, status=Status.PENDING).update(run_at=Now())
    execution.perform(str(job.pk))
    return Job.objects.get(pk=job.pk)


def posted(account: Account, text: str) -> Job:
    """The job of a post after its first attempt."""
    return attempted(submitted(account, text))


@contextmanager
def database() -> Iterator[None]:
    """For what a stand-in does meanwhile, in its own thread: the connection that it opens is closed again."""
    try:
        yield
    finally:
        connections.close_all()


def result_of(job: Job) -> dict[str, Any]:
    """What a job that worked left behind."""
    assert job.status == Status.SUCCEEDED, job.error_text
    return job.result or {}
