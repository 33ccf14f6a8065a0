"""`manage.py check`: kinds that are complete, a database that workers can see, and what must not go public."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.forms import Form
from django.test import override_settings
from django.utils.translation import gettext_lazy

from jobs import checks
from jobs.kind import Kind, KindForm, Queue, Run, installed_kinds, kind_named, register
from tests.test_settings import check

pytestmark = pytest.mark.apart

REAL = {
    "DATABASE_URL": "sqlite:////tmp/offload-check.sqlite3",
    "SECRET_KEY": "long-enough-" + "x7" * 30,
    "SITE_ADDRESS": "https://offload.example",
}
"""An environment outside the embedded default; checks open no database."""


@pytest.mark.stack
def test_a_complete_environment_passes_the_deploy_check() -> None:
    done = check("--deploy", **REAL, HTTPS="1")
    assert done.returncode == 0, done.stderr
    assert "(offload." not in done.stderr


@pytest.mark.stack
@pytest.mark.parametrize(
    ("environment", "code", "word"),
    [
        ({"SECRET_KEY": ""}, "offload.E001", "SECRET_KEY"),
        ({"DEBUG": "1"}, "offload.E002", "DEBUG"),
        ({"SANDBOX": "1"}, "offload.E003", "sandbox"),
        ({"SITE_ADDRESS": ""}, "offload.E010", "SITE_ADDRESS"),
    ],
)
def test_the_deploy_check_fails_outside_the_embedded_default(environment: dict[str, str], code: str, word: str) -> None:
    done = check("--deploy", **{**REAL, **environment})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (error,) = [line for line in done.stderr.splitlines() if "(offload." in line]
    assert code in error
    assert word in error
    assert "HINT:" in done.stderr.split(error)[1].splitlines()[1]


@pytest.mark.stack
@pytest.mark.parametrize(
    ("environment", "codes"),
    [({}, ["E003", "E009"]), ({"SANDBOX": "0"}, ["E009"]), ({"DEBUG": "1"}, ["E002", "E003", "E009"])],
)
def test_the_deploy_check_fails_in_the_embedded_default(environment: dict[str, str], codes: list[str]) -> None:
    done = check("--deploy", **environment)
    assert done.returncode == 1
    assert sorted(re.findall(r"\(offload\.(E\d+)\)", done.stderr)) == codes


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

    def run(self, run: Run) -> dict[str, Any]:
        return {}


class Idle(Kind):
    name = "idle"
    label = "Idle"


LAZY = gettext_lazy("Lazy")


@pytest.mark.parametrize(
    ("attribute", "value", "word"),
    [
        ("name", "Shouting Kind", "one word"),
        ("name", "admin", "address of the site"),
        ("label", "", "no label"),
        ("label", 7, "no label"),
        ("invitation", None, "invitation"),
        ("role", "gardener", "'gardener'; there are Role.NETWORK, Role.MEDIA"),
        ("role", "network", "'network'; there are Role.NETWORK, Role.MEDIA"),
        ("form", Form, "KindForm"),
        ("form", "echo", "KindForm"),
        ("max_attempts", 0, "max_attempts"),
        ("max_attempts", "5", "max_attempts"),
        ("time_limit", timedelta(), "time_limit"),
        ("time_limit", 120, "time_limit"),
        ("backoff", timedelta(seconds=-1), "backoff must"),
        ("backoff_max", 900, "backoff_max must"),
        ("holds_line", "yes", "holds_line"),
        ("nav", ("Values", "arithmetic:values"), "nav"),
        ("quotas", ("accounts",), "quotas"),
        ("on_hold_link", "social:accounts", "on_hold_link"),
        ("failed_link", "social:again", "failed_link"),
        ("urls", ["urls"], "dotted path"),
        ("urls", "tests.nowhere", "No module named 'tests.nowhere'"),
        ("summary_template", "nowhere/_result.html", "nowhere/_result.html"),
        ("summary_template", None, "summary_template"),
        ("sentences", ["Gone."], "sentences must"),
        ("sentences", {"gone": None}, "sentences must"),
        ("stylesheet", "nowhere/nowhere.css", "nowhere/nowhere.css"),
    ],
)
def test_an_incomplete_kind_is_named(attribute: str, value: object, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type("Other", (Fine,), {attribute: value})()
    monkeypatch.setattr("jobs.kind._kinds", {"fine": Fine(), "other": kind})
    (error,) = checks.check_kinds(None)
    assert error.id == "offload.E005"
    assert error.msg.startswith(f"Kind {kind.name!r}: ")
    assert word in error.msg


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("label", LAZY),
        ("form", KindForm),
        ("nav", [(LAZY, "a:b")]),
        ("on_hold_link", (LAZY, "a:b")),
        ("failed_link", (LAZY, "a:b")),
        ("backoff", timedelta()),
        ("sentences", {"gone": LAZY}),
    ],
)
def test_a_complete_kind_passes(attribute: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.kind._kinds", {"other": type("Other", (Fine,), {attribute: value})()})
    assert checks.check_kinds(None) == []


def test_a_kind_that_does_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.kind._kinds", {"idle": Idle()})
    assert [error.msg for error in checks.check_kinds(None)] == ["Kind 'idle': it has no method `run`."]


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
    def run(self, run):
        return {{}}
class Tulip(Kind):
    name = label = "tulip"
    run = Rose.run
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


@pytest.mark.stack
def test_a_kind_whose_addresses_can_not_be_imported_is_told(tmp_path: Path) -> None:
    code, errors = planted(tmp_path, "register(Rose())", urls="garden.nowhere")
    assert code == 1
    (error,) = [line for line in errors if "offload.E005" in line]
    assert "Kind 'rose': its urls 'garden.nowhere' can't be imported (No module named 'garden.nowhere')." in error


def test_of_two_kinds_of_one_name_the_first_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.kind._kinds", {})
    monkeypatch.setattr("jobs.kind._mistakes", [])
    fine = Fine()
    for kind in (fine, Fine(), Idle(), type("Other", (Fine,), {})()):
        register(kind)
    assert list(installed_kinds()) == [fine, kind_named("idle")]


def test_every_queue_is_known_to_django_rqs_commands() -> None:
    assert set(settings.RQ_QUEUES) == set(map(str, Queue))


def test_a_queue_whose_messages_would_be_unpickled_is_named() -> None:
    queue = {"URL": "redis://"}
    with override_settings(RQ_QUEUES={"network": queue, "other": {"URL": "redis://"}}):
        (warning,) = checks.check_serializers(None)
        assert "RQ_QUEUES names no JSON serializer for 'network'" in warning.msg
        queue["SERIALIZER"] = "rq.serializers.JSONSerializer"
        assert checks.check_serializers(None) == []
    with override_settings(RQ_QUEUES={}):
        assert checks.check_serializers(None) == []


def test_a_data_folder_that_others_may_enter_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "our data"
    folder.mkdir()
    with override_settings(OFFLOAD={**settings.OFFLOAD, "VAR_DIR": folder}):
        for mode in (0o755, 0o710, 0o701, 0o777):
            folder.chmod(mode)
            (warning,) = checks.check_folder(None)
            assert str(folder) in warning.msg
            assert f"chmod 700 '{folder}'." in str(warning.hint)
            assert folder.stat().st_mode & 0o777 == mode
        folder.chmod(0o700)
        assert checks.check_folder(None) == []
    for shared in ("/", "/tmp"):
        with override_settings(OFFLOAD={**settings.OFFLOAD, "VAR_DIR": shared}):
            (warning,) = checks.check_folder(None)
            assert "chmod" not in str(warning.hint)
    # A site that names none has its temporary files in the system's folder, which is open to all.
    with override_settings(OFFLOAD={}):
        assert checks.check_folder(None) == []
