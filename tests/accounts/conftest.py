"""What the tests of the account pages share: people, their forms and their mails.

The pages send mail, so the fixtures of the e-mail kind's tests are theirs too.
"""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs.models import Job, Status
from tests.kinds.email.conftest import _real_backend, attempt, mail_server  # noqa: F401 (fixtures)

PASSWORD = "correct horse battery"


def sign_up(client: Client, email: str = "ann@example.org", password: str = PASSWORD, **extra: Any):
    return client.post(
        reverse("account_signup"), {"email": email, "password1": password, "password2": password}, **extra
    )


def sign_in(client: Client, email: str = "ann@example.org", password: str = PASSWORD, **extra: Any):
    return client.post(reverse("account_login"), {"login": email, "password": password}, **extra)


def signed_in_to(client: Client) -> str:
    """The address of the account that the client is signed in to, "" if to none."""
    user_id = client.session.get("_auth_user_id")
    answer = client.get(reverse("account_email"))
    return User.objects.get(pk=user_id).email if user_id and answer.status_code == 200 else ""


def link_in(text: str) -> str:
    """The path of the one link in a mail."""
    (url,) = re.findall(r"http://\S+", text)
    return str(urlsplit(url).path)


@pytest.fixture
def other_client() -> Client:
    return Client()


@pytest.fixture
def confirmed(db) -> User:
    """A user with a confirmed address."""
    user = User.objects.create_user("taken", "taken@example.org", PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@pytest.fixture
def newest_link(attempt, mail_server):  # noqa: F811 (fixtures)
    """Send all mails that wait, as a worker does, and return the path of the newest one's link."""

    def newest_link() -> str:
        for job in Job.objects.filter(kind="email", status=Status.PENDING).order_by("created_at"):
            attempt(job)
        return link_in(mail_server.mails[-1].body)

    return newest_link


@pytest.fixture
def confirm_path(client, newest_link) -> str:
    """A sign-up's confirmation link, taken from the mail that arrived."""
    sign_up(client)
    return str(newest_link())
