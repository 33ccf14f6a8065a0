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
