"""What the tests of the e-mail kind share: the real backend, a mail server on loopback, and one attempt at a job."""

from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.db.models.functions import Now

from jobs.models import Job
from jobs.worker.execution import perform
from tests.kinds.email.smtp_server import MailServer

Attempt = Callable[[Job], Job]
Mail = Callable[..., Job]


@pytest.fixture(autouse=True)
def _real_backend(settings, db) -> None:
    """Django's test runner replaces the backend; here it is what is tested. Rate limits start afresh.

    Passwords are hashed quickly, since nothing here is about how hard they are to guess.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EMAIL_BACKEND = "jobs.kinds.email.backend.JobEmailBackend"
    cache.clear()


@pytest.fixture
def mail_server(settings) -> Iterator[MailServer]:
    server = MailServer()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    yield server
    server.stop()


@pytest.fixture
def attempt() -> Attempt:
    """Run the next attempt of a pending job here and now, whatever pause it is in."""

    def attempt(job: Job) -> Job:
        Job.objects.filter(pk=job.pk).update(run_at=Now())
        perform(str(job.pk))
        job.refresh_from_db()
        return job

    return attempt


@pytest.fixture
def mail(db) -> Mail:
    """Send a mail through Django to one address; returns its job."""

    def mail(to: str = "ann@example.org", subject: str = "Hello", body: str = "Good morning.") -> Job:
        EmailMessage(subject, body, None, [to]).send()
        return Job.objects.latest("created_at")

    return mail
