"""The samples of the first start: a job of each of three kinds, as far as they are installed, and a connected account,
for the demo user, who uses the site as anybody would.
"""

import time

import requests
from django.core.mail import EmailMessage, get_connection

from ..conf import options
from ..kind import kind_named
from ..models import Job
from . import samples
from .stack import DEMO, base_url, kept_password, user_of
from .visitor import Unexpected, Visitor

WELCOME = """Welcome to Offload.

This mail is a job. A worker took it from the queue and handed it to the sandbox's mail server, which keeps all mail
and sends none of it anywhere: {site}/sandbox/mail/

Look at your other jobs, and make more: {site}/jobs/
"""


def wait_for_servers(seconds: float = 60) -> None:
    """Return when the site and the practice network answer. Raises Unexpected if they do not in time."""
    end = time.monotonic() + seconds
    with requests.Session() as session:
        session.trust_env = False
        for url in (f"{base_url()}/", f"{options.SANDBOX_URL}/api/v2/instance"):
            while not _answers(session, url):
                if time.monotonic() > end:
                    raise Unexpected(f"{url} does not answer after {seconds:.0f} seconds.")
                time.sleep(0.1)


def _answers(session: requests.Session, url: str) -> bool:
    try:
        return session.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def submit_samples() -> bool:
    """Submit the samples, unless the demo user has jobs already or changed the password.

    Returns whether it did. Raises Unexpected or requests.RequestException.
    """
    user = user_of(DEMO)
    password = kept_password(DEMO)
    if user is None or password is None or Job.objects.filter(owner=user.pk).exists():
        return False
    mail = EmailMessage(
        "Welcome to Offload", WELCOME.format(site=base_url()), to=[DEMO], connection=get_connection(owner=user)
    )
    mail.send()
    visitor = Visitor(base_url())
    visitor.sign_in(DEMO, password)
    if kind_named("media"):
        visitor.submit(
            "/jobs/new/media/", {}, files={"file": ("Kleine Scheidegg.jpg", samples.sample_photo(), "image/jpeg")}
        )
    if kind_named("social"):
        visitor.connect_practice_account(options.SANDBOX_URL, "demo")
        text = "Hello from Offload: this post went out in the background."
        visitor.submit("/jobs/new/social/", {"text": text, "accounts": visitor.account("@demo@")})
    visitor.close()
    return True
