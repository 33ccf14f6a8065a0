"""What a kind is, and which are installed."""

import pytest

from jobs.kind import register
from tests.kind_app.kind import Echo


def test_two_kinds_can_not_share_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.kind._kinds", {})
    register(Echo())
    with pytest.raises(ValueError, match="Two kinds are named 'echo'"):
        register(type("Other", (Echo,), {})())
