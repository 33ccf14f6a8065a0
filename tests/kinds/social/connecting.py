"""Connecting accounts as a person does, for tests; their jobs are run here and now."""

import io
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from PIL import Image

from jobs.kinds.social.models import Account
from jobs.models import Job
from tests.kinds.social.conftest import attempted, result_of
from tests.servers.bluesky import Pds
from tests.servers.stand_in import StandIn

ACCOUNTS = "/social/accounts/"
MASTODON = "/social/connect/mastodon/"
BLUESKY = "/social/connect/bluesky/"
WEBHOOK = "/social/connect/webhook/"


def picture(width: int = 200, height: int = 100) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "JPEG", comment=b"made by somebody")
    return file.getvalue()


def said(response) -> str:
    """The messages of the page that a redirect leads to."""
    return " ".join(str(message) for message in response.context["messages"])


def job_of(response) -> Job:
    """The job to whose page a form leads, not begun yet."""
    assert response.status_code == 303, response.context["form"].errors
    return Job.objects.get(pk=response["Location"].split("/")[2])


def done(job: Job) -> Job:
    """The job once it is finished, however many attempts that takes."""
    while not job.is_finished:
        job = attempted(job)
    return job


def asked(page, address: str, form: dict[str, Any]) -> Job:
    """What became of the job that a form of the accounts asks for."""
    return done(job_of(page.post(address, form)))


def sent_to(page, server: StandIn) -> dict[str, str]:
    """Begin to connect; the query with which the browser arrives at the server's own page."""
    url = result_of(asked(page, MASTODON, {"server": server.origin}))["url"]
    assert url.startswith(f"{server.origin}/oauth/authorize?")
    return dict(parse_qsl(urlsplit(url).query))


def answer(page, query: dict[str, str], **more: str):
    """What the browser is answered when it comes back from there; it was sent with `query`."""
    return page.get(urlsplit(query["redirect_uri"]).path, {"state": query["state"], **more})


def came_back(page, query: dict[str, str]) -> Job:
    """What became of the job that exchanges the code."""
    return done(job_of(answer(page, query, code="c0de")))


def signed_in(page, pds, **more: str) -> Job:
    form = {"handle": "@Ann.test", "app_password": Pds.PASSWORD, "service": pds.origin}
    return asked(page, BLUESKY, form | more)


def disconnected(page, account: Account) -> Job:
    return asked(page, f"/social/accounts/{account.pk}/disconnect/", {})


def shown() -> Account:
    """The one account, once its picture was fetched."""
    for job in Job.objects.filter(kind="avatar"):
        result_of(done(job))
    return Account.objects.get()
