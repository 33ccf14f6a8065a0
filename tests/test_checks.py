"""`manage.py check`: kinds that are complete, a database that workers can see, and what must not go public."""

from pathlib import Path

import pytest

from jobs import checks
from jobs.kind import Kind, Queue, installed_kinds, kind_named, register
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


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (Shouting, "one word"),
        (Taken, "address of the site"),
        (Roleless, "gardener"),
        (Untried, "max_attempts"),
        (Templateless, "nowhere/_result.html"),
    ],
)
def test_an_incomplete_kind_is_named(kind: type[Kind], word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.kind._kinds", {"fine": Fine(), "other": kind()})
    (error,) = checks.check_kinds(None)
    assert error.id == "offload.E005"
    assert kind.name in error.msg
    assert word in error.msg


# --- How kinds are registered ----------------------------------------------------------------------------------------

APPS = """
from django.apps import AppConfig
class GardenConfig(AppConfig):
    name = "garden"
    def ready(self):
        from jobs.contract import register
        from garden.kinds import Rose, Tulip
{registers}
"""
KINDS = """
from jobs.contract import Kind
class Rose(Kind):
    name = label = "rose"
    urls = {urls!r}
class Tulip(Kind):
    name = label = "tulip"
"""
LATE_URLS = """
from garden.kinds import Tulip
from jobs.contract import register
register(Tulip())
urlpatterns = []
"""


def planted(folder: Path, *registers: str, urls: str | None = None, **environment: str) -> "tuple[int, list[str]]":
    """`manage.py check` with an app that registers kinds so. Returns the exit code and the errors."""
    garden = folder / "garden"
    garden.mkdir()
    (garden / "__init__.py").touch()
    (garden / "apps.py").write_text(APPS.format(registers="\n".join(f"        {line}" for line in registers)))
    (garden / "kinds.py").write_text(KINDS.format(urls=urls))
    (garden / "urls.py").write_text(LATE_URLS)
    done = check(EXTRA_APPS="garden", PYTHONPATH=str(folder), **environment)
    assert "Traceback" not in done.stderr
    return done.returncode, [line for line in done.stderr.splitlines() if "offload." in line]


@pytest.mark.stack
def test_a_kind_registered_in_ready_is_fine(tmp_path: Path) -> None:
    assert planted(tmp_path, "register(Rose())", "register(Tulip())") == (0, [])


@pytest.mark.stack
def test_two_kinds_of_one_name_are_told_with_both_classes(tmp_path: Path) -> None:
    code, (error,) = planted(tmp_path, "register(Rose())", "Tulip.name = 'rose'", "register(Tulip())")
    assert code == 1
    assert "(offload.E008) Two kinds are named 'rose', garden.kinds.Rose and garden.kinds.Tulip" in error


@pytest.mark.stack
def test_one_kind_of_two_names_is_told(tmp_path: Path) -> None:
    code, (error,) = planted(
        tmp_path, "rose = Rose()", "register(rose)", "rose.name = 'lily'", "register(rose)", "register(Tulip())"
    )
    assert code == 1
    assert "(offload.E008) garden.kinds.Rose is registered under two names, 'rose' and 'lily'" in error


@pytest.mark.stack
def test_a_kind_that_is_registered_when_addresses_are_read_is_told(tmp_path: Path) -> None:
    code, (error,) = planted(tmp_path, "register(Rose())", urls="garden.urls")
    assert code == 1
    assert "(offload.E008) garden.kinds.Tulip is registered too late" in error


@pytest.mark.stack
def test_all_mistakes_are_told_together(tmp_path: Path) -> None:
    code, errors = planted(tmp_path, "register(Rose)", "del Tulip.name", "register(Tulip())")
    assert code == 1
    assert len(errors) == 2
    assert "register was handed <class 'garden.kinds.Rose'>, which is no kind." in "".join(errors)
    assert "garden.kinds.Tulip has no name." in "".join(errors)


def test_of_two_kinds_of_one_name_the_first_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.kind._kinds", {})
    monkeypatch.setattr("jobs.kind._mistakes", [])
    fine = Fine()
    for kind in (fine, Fine(), Shouting(), type("Other", (Fine,), {})()):
        register(kind)
    assert list(installed_kinds()) == [fine, kind_named("Shouting Kind")]


def test_every_queue_is_in_django_rqs_pages() -> None:
    from django.conf import settings

    assert set(settings.RQ_QUEUES) == set(map(str, Queue))
