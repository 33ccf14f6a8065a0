"""The one setting OFFLOAD: what each option is without it, what is refused, and how that is told."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from jobs import checks
from jobs.conf import Options, known, options, problems
from tests.conftest import Offload
from tests.processes import ROOT

pytestmark = pytest.mark.apart

SETTINGS_MD = (ROOT / "docs" / "settings.md").read_text()

WRONG = [
    ("LEASE_SECONDS", "10", "a number from 1 to 86,400"),
    ("LEASE_SECONDS", 0.5, "a number from 1 to 86,400"),
    ("LEASE_SECONDS", float("nan"), "a number from 1 to 86,400"),
    ("LEASE_SECONDS", True, "a number from 1 to 86,400"),
    ("SWEEP_SECONDS", float("inf"), "a number from 0.1 to 86,400"),
    ("KEEP_DAYS", 1.5, "a whole number from 0 to 36,500"),
    ("NETWORK_CONCURRENCY", 0, "a whole number from 1 on"),
    ("MEDIA_MAX_FILES", 101, "a whole number from 1 to 100"),
    ("MEDIA_MAX_BYTES", None, "a whole number from 1 on"),
    ("QUOTA_JOBS", -1, "a whole number from 0 on"),
    ("QUOTA_BYTES", "5 GB", "a whole number from 0 on"),
    ("QUOTA_COMPUTING", None, "a whole number from 0 on"),
    ("REDIS_URL", "http://localhost", "a URL that begins with redis://"),
    ("REDIS_URL", "redis://:pass-secret@localhost:port", "a URL that begins with redis://"),
    ("VAR_DIR", "/nowhere/at/all", "the path of a folder that exists"),
    ("VAR_DIR", 7, "the path of a folder that exists"),
    ("HOST", 127, "a text"),
    ("PORT", 65_536, "a whole number from 1 to 65,535"),
    ("SANDBOX", "yes", "True or False"),
    ("SANDBOX", 1, "True or False"),
    ("SANDBOX_URL", "http://127.0.0.1:99999", "an address such as"),
    ("SANDBOX_URL", "http://127.0.0.1:8001/network/", "an address such as"),
    ("SANDBOX_ORIGINS", "http://127.0.0.1:8001", "a list of addresses"),
    ("SANDBOX_ORIGINS", ["http://user:pass-secret@127.0.0.1:8002"], "a list of addresses"),
]


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_a_wrong_value_is_told_in_one_sentence_by_the_check_and_whoever_reads_it(
    offload: Offload, name: str, value: Any, words: str
) -> None:
    offload(**{name: value})
    (error,) = checks.check_options(None)
    assert error.id == "offload.E007"
    assert error.msg.startswith(f"OFFLOAD: {name} must be {words}")
    assert "pass-secret" not in error.msg
    with pytest.raises(ImproperlyConfigured) as raised:
        getattr(options, name)
    assert str(raised.value) == error.msg
    assert checks.check_deployment(None) == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [("LEASE_SECOND", "LEASE_SECONDS"), ("JOB_KEEP_DAYS", "KEEP_DAYS"), ("lease_seconds", ""), (7, ""), ("COLOUR", "")],
)
def test_an_unknown_option_is_told_with_the_one_that_is_near(name: object, hint: str) -> None:
    ((sentence, told),) = problems({name: 10})
    assert sentence == f"OFFLOAD has no option {name!r}."
    assert told == (f"Did you mean {hint}?" if hint else "")


@pytest.mark.parametrize("given", [None, [], "LEASE_SECONDS=10", 7])
def test_what_is_no_dict_is_told(given: object) -> None:
    with override_settings(OFFLOAD=given):
        (error,) = checks.check_options(None)
        assert error.msg.startswith("OFFLOAD must be a dict of options")
        with pytest.raises(ImproperlyConfigured, match="must be a dict"):
            _ = options.PORT


def test_several_mistakes_are_told_together() -> None:
    assert len(list(problems({"LEASE_SECONDS": 0, "PORT": 0, "COLOUR": "red", "HOST": "127.0.0.1"}))) == 3


@pytest.mark.parametrize("name", known())
def test_every_default_is_a_value_that_the_option_may_have(name: str) -> None:
    default = getattr(Options(dict), name)
    assert known()[name].checked(default) == default


@pytest.mark.parametrize("name", known())
def test_every_option_says_in_one_line_what_it_means(name: str) -> None:
    meaning = known()[name].meaning
    assert meaning.endswith(".")
    assert "\n" not in meaning


def test_the_documented_table_is_that_of_the_options() -> None:
    table = {line.split("`")[1]: line for line in SETTINGS_MD.splitlines() if line.startswith("| `")}
    assert list(table) == list(known())
    for name, option in known().items():
        default, words, meaning = [cell.strip() for cell in table[name].split("|")[2:5]]
        assert (words, meaning) == (option.rule.words, option.meaning)
        assert callable(option.default) or default == f"`{option.default}`"


def test_a_site_without_the_setting_has_the_defaults() -> None:
    with override_settings():
        del django_settings.OFFLOAD
        options.forget()
        assert checks.check_options(None) == []
        assert (options.LEASE_SECONDS, options.SANDBOX, options.REDIS_URL) == (10, False, "redis://127.0.0.1:6379/0")
        assert options.SANDBOX_ORIGINS == [options.SANDBOX_URL]
    options.forget()


def test_a_value_has_the_type_of_its_option() -> None:
    given = Options(
        lambda: {"VAR_DIR": "/", "SANDBOX_URL": "http://localhost/", "SANDBOX_ORIGINS": ("http://[::1]:1",)}
    )
    assert Path("/") == given.VAR_DIR
    assert given.SANDBOX_URL == "http://localhost"
    assert given.SANDBOX_ORIGINS == ["http://[::1]:1"]


def test_an_option_is_read_anew_when_the_setting_changes(offload: Offload) -> None:
    before = options.LEASE_SECONDS
    with override_settings(OFFLOAD={"LEASE_SECONDS": before + 1}):
        assert before + 1 == options.LEASE_SECONDS
    assert before == options.LEASE_SECONDS
    offload(LEASE_SECONDS=before + 2)
    assert before + 2 == options.LEASE_SECONDS
