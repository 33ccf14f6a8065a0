"""The addresses of the kinds' own pages."""

import pytest
from django.urls import reverse

from jobs.kind import installed_kinds
from jobs.web.kind_pages import kind_pages
from tests.kind_app.kind import Echo


def test_each_kind_with_pages_has_them_below_its_name() -> None:
    names = [kind.name for kind in installed_kinds() if kind.urls]
    assert [str(found.pattern) for found in kind_pages()] == [f"{name}/" for name in names]
    assert reverse("arithmetic:values").startswith("/arithmetic/")


def test_a_kind_whose_addresses_can_not_be_imported_has_no_pages_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("jobs.kind._kinds", {"lost": type("Lost", (Echo,), {"name": "lost", "urls": "nowhere.urls"})()})
    assert kind_pages() == []
    assert "Kind 'lost' has no pages: nowhere.urls can't be imported" in caplog.text
