"""`manage.py check`: kinds that are complete, a database that workers can see, and what must not go public."""

import pytest

from jobs import checks
from jobs.kind import Kind, Queue, register
from tests.test_settings import check

pytestmark = pytest.mark.apart

REAL = {"DATABASE_URL": "sqlite:////tmp/offload-check.sqlite3", "SECRET_KEY": "long-enough-" + "x7" * 30}
"""An environment outside the embedded default; checks open no database."""


@pytest.mark.stack
def test_a_complete_environment_passes_the_deploy_check() -> None:
    done = check("--deploy", **REAL, HTTPS="1")
    assert done.returncode == 0, done.stderr
    assert "offload." not in done.stderr


@pytest.mark.stack
@pytest.mark.parametrize(
    ("environment", "code", "word"),
    [
        ({"SECRET_KEY": ""}, "offload.E001", "SECRET_KEY"),
        ({"DEBUG": "1"}, "offload.E002", "DEBUG"),
        ({"SANDBOX": "1"}, "offload.E003", "sandbox"),
    ],
)
def test_the_deploy_check_fails_outside_the_embedded_default(environment: dict[str, str], code: str, word: str) -> None:
    done = check("--deploy", **{**REAL, **environment})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (error,) = [line for line in done.stderr.splitlines() if "offload." in line]
    assert code in error
    assert word in error
    assert "HINT:" in done.stderr.split(error)[1].splitlines()[1]


@pytest.mark.stack
def test_the_deploy_check_only_warns_in_the_embedded_default() -> None:
    done = check("--deploy")
    assert done.returncode == 0, done.stderr
    assert "offload.W001" in done.stderr


@pytest.mark.stack
def test_a_plain_check_is_silent_in_the_embedded_default() -> None:
    done = check()
    assert done.returncode == 0, done.stderr
    assert done.stdout == "System check identified no issues (0 silenced).\n"


@pytest.mark.stack
def test_a_database_in_memory_is_refused() -> None:
    done = check(**REAL | {"DATABASE_URL": "sqlite://:memory:"})
    assert done.returncode == 1
    assert "offload.E004" in done.stderr


class Fine(Kind):
    name = "fine"
    label = "Fine"


class Shouting(Fine):
    name = "Shouting Kind"


class Taken(Fine):
    name = "admin"


class Roleless(Fine):
    role = "gardener"  # type: ignore[assignment]


class Untried(Fine):
    max_attempts = 0


class Templateless(Fine):
    summary_template = "nowhere/_result.html"


class Styleless(Fine):
    stylesheet = "nowhere/nowhere.css"


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (Shouting, "one word"),
        (Taken, "address of the site"),
        (Roleless, "gardener"),
        (Untried, "max_attempts"),
        (Templateless, "nowhere/_result.html"),
        (Styleless, "nowhere/nowhere.css"),
    ],
)
def test_an_incomplete_kind_is_named(kind: type[Kind], word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.kind._kinds", {"fine": Fine(), "other": kind()})
    (error,) = checks.check_kinds(None)
    assert error.id == "offload.E005"
    assert kind.name in error.msg
    assert word in error.msg


def test_two_kinds_can_not_share_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.kind._kinds", {})
    register(Fine())
    with pytest.raises(ValueError, match="Two kinds are named 'fine'"):
        register(type("Other", (Fine,), {})())


def test_every_queue_is_in_django_rqs_pages() -> None:
    from django.conf import settings

    assert set(settings.RQ_QUEUES) == set(map(str, Queue))
