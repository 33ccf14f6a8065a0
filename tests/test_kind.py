"""The registry of kinds."""

import pytest

from jobs import kind
from tests.kind_app.kind import Echo


def test_of_two_kinds_with_one_name_the_first_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "_kinds", {})
    monkeypatch.setattr(kind, "_mistakes", [])
    first = Echo()
    kind.register(first)
    kind.register(type("Other", (Echo,), {})())
    assert kind.kind_named("echo") is first
    assert "Two kinds are named 'echo'" in [told.partition(",")[0] for told, _ in kind.mistakes()]
