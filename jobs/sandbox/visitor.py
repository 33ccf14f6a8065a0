"""A person at a browser, as a program: reads pages, fills in their forms, and watches jobs until their outcome.

The demo, the samples of the first start and the deployment test use the site through this, by HTTP alone.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import requests

TIMEOUT = 30
"""Seconds that any one answer may take, and a job if nothing else is said."""
POLL = 0.2
"""Seconds between two looks at a job at most: more eager than the pages are, since outcomes are timed here."""


class Unexpected(Exception):
    """The site did not do what it should have: one sentence."""


@dataclass
class Form:
    """A form of a page.

    action, method: where and how it is sent. names: all that can be filled in or pressed. values: what it would send as
    it stands. choices: boxes to tick, as name, value and label.
    """

    action: str
    method: str
    names: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)
    choices: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """How a job went.

    job: its status.json. url: its page. Seconds: from sending the form to the answer, and until the outcome was seen.
    """

    job: dict[str, Any]
    url: str
    seconds_to_answer: float
    seconds_to_outcome: float


class Visitor:
    """One browser session on one site. Methods that ask the site for something raise Unexpected if it refuses."""

    def __init__(self, site: str) -> None:
        """site: its address, without a path."""
        self.site = site
        self.session = requests.Session()
        # Proxies and passwords of the machine (environment, .netrc) have no business with servers on loopback.
        self.session.trust_env = False

    def close(self) -> None:
        """End the connections."""
        self.session.close()

    def get(self, url: str) -> requests.Response:
        """The page at a path of the site, or at a whole address."""
        return _checked(self.session.get(urljoin(self.site, url), timeout=TIMEOUT))

    def send(
        self, page: requests.Response, values: Mapping[str, Any], *, files: Any = None, follow: bool = True
    ) -> requests.Response:
        """Fill in and send the form of a page that has all these fields (or buttons); files as requests takes them."""
        files = files or {}
        form = form_with({*values, *files}, page)
        return _checked(
            self.session.post(
                urljoin(page.url, form.action),
                data={name: value for name, value in form.values.items() if name not in files} | dict(values),
                files=files,
                # Browsers say where a form came from.
                headers={"Referer": page.url, "Origin": "/".join(page.url.split("/")[:3])},
                timeout=TIMEOUT,
                allow_redirects=follow,
            )
        )

    def sign_in(self, email: str, password: str) -> None:
        """Sign in with a password."""
        answer = self.send(self.get("/accounts/login/"), {"login": email, "password": password})
        if answer.url.endswith("/accounts/login/"):
            raise Unexpected(f"The site did not let {email} in.")

    def submit(self, path: str, values: Mapping[str, Any], *, files: Any = None) -> str:
        """Send the form at `path`. Returns the address of its job's page."""
        return _job_page(self.send(self.get(path), values, files=files, follow=False))

    def outcome(self, path: str, values: Mapping[str, Any], *, files: Any = None, seconds: float = TIMEOUT) -> Outcome:
        """Send the form at `path` and watch its job until the outcome, for at most `seconds`."""
        page = self.get(path)
        start = time.monotonic()
        url = _job_page(self.send(page, values, files=files, follow=False))
        answered = time.monotonic() - start
        job = self.watch(url, seconds)
        return Outcome(job, url, answered, time.monotonic() - start)

    def watch(self, url: str, seconds: float = TIMEOUT) -> dict[str, Any]:
        """Poll a job's status as its page does, until the outcome. Raises Unexpected after `seconds` without one."""
        end = time.monotonic() + seconds
        while True:
            job: dict[str, Any] = self.get(f"{url}status.json").json()
            if job["poll_after"] is None:
                return job
            if time.monotonic() > end:
                raise Unexpected(f"{url} had no outcome after {seconds:.0f} seconds: it is {job['status']}.")
            time.sleep(min(job["poll_after"], POLL))

    # --- Social accounts ---

    def connect_practice_account(self, network: str, name: str) -> None:
        """Connect the account `name` of the practice network at the address `network`, by way of its page (OAuth)."""
        asked = self._succeeded(self.submit("/social/connect/mastodon/", {"server": network}))
        approved = self.send(self.get(asked["result"]["url"]), {"name": name, "decision": "approve"})
        self._succeeded(approved.url)

    def connect_webhook(self, url: str, secret: str, name: str) -> None:
        """Connect an address that receives signed posts. name: what it is called on the site."""
        self._succeeded(self.submit("/social/connect/webhook/", {"url": url, "secret": secret, "name": name}))

    def account(self, name: str) -> str:
        """What the form of a post sends for the connected account whose label has `name` in it."""
        page = self.get("/jobs/new/social/")
        for _, value, label in form_with({"text", "accounts"}, page).choices:
            if name in label:
                return value
        raise Unexpected(f"{page.url} offers no account {name}.")

    def _succeeded(self, url: str) -> dict[str, Any]:
        """The job at an address once it has done its work. Raises Unexpected if it can't."""
        job = self.watch(url)
        if job["status"] != "succeeded":
            raise Unexpected(f"{url} ended as {job['status']}: {job['error'] and job['error']['text']}")
        return job


def _checked(answer: requests.Response) -> requests.Response:
    if answer.status_code >= 400:
        raise Unexpected(f"{answer.request.method} {answer.url} was answered with {answer.status_code}.")
    return answer


def _job_page(answer: requests.Response) -> str:
    """Where the answer to a submit leads."""
    if answer.status_code != 303:
        raise Unexpected(f"{answer.url} answered {answer.status_code} to its form instead of leading to the job.")
    return urljoin(answer.url, answer.headers["Location"])


def form_with(names: set[str], page: requests.Response) -> Form:
    """The page's form that has all these fields and buttons. Raises Unexpected."""
    reader = _FormReader()
    reader.feed(page.text)
    for form in reader.forms:
        if form.method == "post" and names <= form.names:
            return form
    raise Unexpected(f"{page.url} has no form with {', '.join(sorted(names))}.")


class _FormReader(HTMLParser):
    """Collects the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._in_choice = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, or one of its fields and buttons."""
        found = {name: value or "" for name, value in attrs}
        name, value = found.get("name", ""), found.get("value", "")
        if tag == "form":
            self._form = Form(found.get("action", ""), found.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form and name and tag in {"input", "textarea", "select", "button"}:
            self._form.names.add(name)
            if found.get("type") in {"checkbox", "radio"}:
                self._form.choices.append((name, value, ""))
                self._in_choice = True
            elif tag == "input":
                self._form.values[name] = value

    def handle_data(self, data: str) -> None:
        """The text after a box is its label."""
        if self._form and self._in_choice:
            name, value, label = self._form.choices[-1]
            self._form.choices[-1] = name, value, label + data

    def handle_endtag(self, tag: str) -> None:
        """A label or the form ends."""
        if tag == "label":
            self._in_choice = False
        elif tag == "form":
            self._form = None
