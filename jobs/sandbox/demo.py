"""What `manage.py demo` does: the whole stack in a throw-away folder, used over HTTP as a person would, and removed."""

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urljoin

import requests
from PIL import Image
from PIL.ExifTags import IFD

from ..conf import options
from . import samples
from .services import free_port, stop_group
from .visitor import Outcome, Unexpected, Visitor
from .webhooks import webhook_secret

EMAIL = "visitor@offload.example"
PASSWORD = "seven-calm-herons-42"  # noqa: S105 (of an account that lives for a minute)
START_SECONDS = 90
OUTCOME_SECONDS = 60

OWN_SERVICES = (
    "DATABASE_URL",
    "SANDBOX_DATABASE_URL",
    "REDIS_URL",
    "EMAIL_URL",
    "KINDS",
    "HTTPS",
    "BEHIND_PROXY",
    "ALLOWED_HOSTS",
)
"""Variables that lead elsewhere; the demo brings all of it itself."""


@dataclass(frozen=True)
class Site:
    """A running stack: the address of the site, and of its practice network."""

    url: str
    network: str


def run(tell: Callable[[str], None]) -> bool:
    """Start, use and stop everything. `tell` gets a line of JSON for each outcome. Returns whether all succeeded.

    Raises Unexpected when something could not be done at all.
    """
    with TemporaryDirectory(prefix="offload-demo-") as folder, stack(Path(folder)) as site:
        succeeded = True
        for outcome in outcomes(site, Path(folder)):
            tell(as_line(outcome))
            succeeded &= outcome.job["status"] == "succeeded"
    return succeeded


def as_line(outcome: Outcome) -> str:
    """An outcome as one line of JSON."""
    line = {
        "kind": outcome.job["kind"],
        "title": outcome.job["title"],
        "status": outcome.job["status"],
        "seconds_to_answer": round(outcome.seconds_to_answer, 3),
        "seconds_to_outcome": round(outcome.seconds_to_outcome, 3),
        "url": outcome.url,
    }
    if outcome.job["error"]:
        line["error"] = outcome.job["error"]["text"]
    return json.dumps(line, ensure_ascii=False)


@contextmanager
def stack(folder: Path) -> Iterator[Site]:
    """`manage.py run` with all its data in `folder`, on free ports, until the block ends. Raises Unexpected."""
    port, network_port, smtp_port = free_port(), free_port(), free_port()
    site = Site(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{network_port}")
    env = {name: value for name, value in os.environ.items() if name not in OWN_SERVICES} | {
        "VAR_DIR": str(folder / "var"),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "SANDBOX": "1",
        "SANDBOX_URL": site.network,
        "SANDBOX_SMTP_PORT": str(smtp_port),
    }
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run", "--no-samples"],
            cwd=options.BASE_DIR,
            env=env,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_for(site, process, log)
        yield site
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            stop_group(process.pid, signal.SIGKILL)


def _wait_for(site: Site, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return when the site says where it runs. Raises Unexpected, with the last lines of its log, if it never does."""
    end = time.monotonic() + START_SECONDS
    while f"Offload runs at {site.url}/" not in log.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > end:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise Unexpected(f"The site did not start. The last it said:\n{last}")
        time.sleep(0.1)


# --- What a visitor does ---------------------------------------------------------------------------------------------


def outcomes(site: Site, folder: Path) -> Iterator[Outcome]:
    """Use the site from sign-up on; yields each job's outcome as it comes. folder: for the sample video."""
    visitor = Visitor(site.url)
    yield sign_up(visitor)

    photo = upload(visitor, "photo.jpg", samples.sample_photo(), "image/jpeg")
    if photo.job["status"] == "succeeded":
        check_place_is_gone(visitor, photo)
    yield photo
    video = folder / "video.mp4"
    samples.sample_video(video)
    yield upload(visitor, "video.mp4", video.read_bytes(), "video/mp4")
    yield upload(visitor, "sound.wav", samples.sample_sound(), "audio/wav")

    visitor.connect_practice_account(site.network, "visitor")
    yield post(visitor, "@visitor@")
    visitor.connect_webhook(f"{site.network}/webhooks/demo/", webhook_secret("demo"), "Demo inbox")
    yield post(visitor, "Demo inbox")
    visitor.close()


def sign_up(visitor: Visitor) -> Outcome:
    """Sign up, watch the confirmation mail's job, read the mail and confirm the address, which signs in.

    Raises Unexpected.
    """
    form = visitor.get("/accounts/signup/")
    start = time.monotonic()
    answer = visitor.send(form, {"email": EMAIL, "password1": PASSWORD, "password2": PASSWORD}, follow=False)
    answered = time.monotonic() - start
    page = visitor.get(urljoin(answer.url, answer.headers.get("Location", "")))
    job_page = re.search(r'href="(/jobs/[0-9a-f-]{36}/)"', page.text)
    if not job_page:
        raise Unexpected(f"{page.url} shows no job for the confirmation mail.")
    url = urljoin(page.url, job_page[1])
    job = visitor.watch(url, OUTCOME_SECONDS)
    outcome = Outcome(job, url, answered, time.monotonic() - start)
    if job["status"] == "succeeded":
        mail = visitor.get(_first_link(visitor.get("/sandbox/mail/"), r"/sandbox/mail/[^/\"]+/"))
        arrived = visitor.send(visitor.get(_first_link(mail, r"http[^\"]+/accounts/confirm-email/[^\"]+")), {})
        if not arrived.url.endswith("/jobs/"):
            raise Unexpected(f"Confirming the address led to {arrived.url} instead of into the account.")
    return outcome


def _first_link(page: requests.Response, pattern: str) -> str:
    """The first link of a page whose address looks like `pattern`, whole. Raises Unexpected."""
    found = re.search(f'href="({pattern})"', page.text)
    if not found:
        raise Unexpected(f"{page.url} has no link like {pattern}.")
    return urljoin(page.url, html.unescape(found[1]))


def upload(visitor: Visitor, name: str, content: bytes, content_type: str) -> Outcome:
    """Upload a file and watch its job."""
    return visitor.outcome(
        "/jobs/new/media/", {}, files={"file": (name, content, content_type)}, seconds=OUTCOME_SECONDS
    )


def post(visitor: Visitor, account: str) -> Outcome:
    """Post a text to one account and watch its job."""
    values = {"text": "Posted by the demo, in the background.", "accounts": visitor.account(account)}
    return visitor.outcome("/jobs/new/social/", values, seconds=OUTCOME_SECONDS)


def check_place_is_gone(visitor: Visitor, photo: Outcome) -> None:
    """Look into every picture that was made of the sample photo, which said where it was taken. Raises Unexpected."""
    if not _tells_place(samples.sample_photo()):
        raise Unexpected("The sample photo has no place that could be removed.")
    links = [f"/media/files/{photo.job['id']}/{file['name']}" for file in photo.job["result"]["files"]]
    if not links:
        raise Unexpected(f"{photo.url} offers no files.")
    for link in links:
        content = visitor.get(link).content
        if _tells_place(content) or samples.MAKER.encode() in content:
            raise Unexpected(f"{link} still tells where or with what the photo was taken.")


def _tells_place(picture: bytes) -> bool:
    with Image.open(BytesIO(picture)) as image:
        exif: Any = image.getexif()
        return bool(exif.get_ifd(IFD.GPSInfo))
