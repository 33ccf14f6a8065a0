"""A real Chromium on the pages of a live server."""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.accounts.conftest import PASSWORD, confirmed  # noqa: F401 (fixture)
from tests.processes import ROOT

OpenPage = Callable[..., Page]

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
# Where there is no npm, pages are not checked with axe-core; `make test` says so.
collect_ignore = [] if AXE.exists() else ["test_accessibility.py"]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    # It runs an event loop in this thread, and Django takes that for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        yield playwright
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def launched(playwright: Playwright, **options: Any) -> Browser:
    """A Chromium of its own. options: Playwright's."""
    return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"], **options)


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium for all tests; each test gets a profile of its own."""
    browser = launched(playwright)
    yield browser
    browser.close()


@pytest.fixture
def open_page(chromium: Browser, live_server, redis) -> Iterator[OpenPage]:
    """Open an address of the site in a new profile, signed in as `user`.

    frozen: the page's clock stands still until `page.clock` moves it.
    At the end no page may have seen an error of a script or a breach of the content security policy.
    """
    contexts, problems = [], []

    def open_it(path: str, *, user: User | None = None, width: int = 1280, frozen: bool = False, **options) -> Page:
        context = chromium.new_context(base_url=live_server.url, viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        context.set_default_timeout(20_000)
        if user:
            client = Client()
            client.force_login(user)
            context.add_cookies(
                [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
            )
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if "Content Security" in line.text else None)
        if frozen:
            page.clock.install()
            page.clock.pause_at(datetime.now() + timedelta(seconds=1))
        page.goto(path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not problems


@pytest.fixture
def with_authenticator() -> Callable[..., Callable[..., Any]]:
    """Give a page's browser a device that can hold passkeys: https://www.w3.org/TR/webauthn-3/#sctn-automation

    Returns a function that commands it.
    """

    def with_authenticator(page: Page, **options: Any) -> Callable[..., Any]:
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        usual = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        usual |= {"isUserVerified": True, "automaticPresenceSimulation": True, **options}
        device = session.send("WebAuthn.addVirtualAuthenticator", {"options": usual})["authenticatorId"]

        def command(name: str, **values: Any) -> Any:
            return session.send(f"WebAuthn.{name}", {"authenticatorId": device, **values})

        return command

    return with_authenticator


@pytest.fixture
def owner(open_page, confirmed: User) -> Page:  # noqa: F811 (fixture)
    """A browser in which the owner has signed in, and given the password once more."""
    page: Page = open_page("/accounts/login/")
    page.get_by_label("Email").fill(confirmed.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/jobs/")
    page.goto("/accounts/second-factor/webauthn/add/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url("**/webauthn/add/")
    return page
