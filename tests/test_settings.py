"""Settings come from the environment; a wrong value ends in one sentence; each variable is documented."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment import VAR
from tests.processes import ROOT, manage

pytestmark = [pytest.mark.apart, pytest.mark.stack]

SETTINGS = (ROOT / "config" / "settings.py").read_text()
RUNNING = (ROOT / "docs" / "running.md").read_text()


def check(*args: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`manage.py check` in an environment that holds nothing of the test run's but what is given."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        manage("check", *args),
        cwd=ROOT,
        env=inherited | {"VAR_DIR": str(VAR / "check")} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "mysql://localhost/offload"),
        ("DATABASE_URL", "postgresql://user:pass-secret@localhost:port/offload"),
        ("REDIS_URL", "http://localhost"),
        ("REDIS_URL", "redis://:pass-secret@localhost:port"),
        ("EMAIL_URL", "nonsense"),
        ("EMAIL_URL", "http://localhost"),
        ("EMAIL_URL", "smtp://user:pass-secret@localhost:99999999"),
        ("EMAIL_URL", "smtps://localhost"),
        ("EMAIL_URL", "submission://"),
        ("PORT", "80a"),
        ("PORT", "99999"),
        ("SANDBOX_SMTP_PORT", "0"),
        ("SANDBOX_URL", "127.0.0.1:8001"),
        ("SANDBOX_URL", "http://127.0.0.1:99999"),
        ("SANDBOX_URL", "http://127.0.0.1:8001/network/"),
        ("SANDBOX_ORIGINS", "http://127.0.0.1:8001,http://user:pass-secret@127.0.0.1:8002"),
        ("DEBUG", "perhaps"),
        ("NETWORK_CONCURRENCY", "-1"),
        ("JOB_LEASE_SECONDS", "nan"),
        ("JOB_KEEP_DAYS", "-1"),
        ("MEDIA_MAX_FILES", "101"),
        ("MEDIA_MAX_BYTES", "many"),
        ("TIME_ZONE", "Nowhere/Land"),
        ("KINDS", "email,knitting"),
        ("KINDS", "media"),
        ("KINDS", "email,social"),
        ("KINDS", ""),
        ("EXTRA_APPS", "nowhere.at.all"),
        ("EXTRA_APPS", "tests.nowhere"),
        ("EXTRA_APPS", "tests.kind_app,"),
        ("LOG_LEVEL", "LOUD"),
        ("VAR_DIR", str(ROOT / "manage.py" / "var")),
    ],
)
def test_a_wrong_variable_ends_in_one_sentence_that_names_it(variable: str, value: str) -> None:
    done = check(**{variable: value})
    assert done.returncode != 0
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("Settings: ")
    assert variable in sentence
    assert "pass-secret" not in sentence


def test_an_unknown_kind_is_told_with_those_that_there_are() -> None:
    assert "there are email, media, social, arithmetic, lab, personal." in check(KINDS="email,knitting").stderr


def python(code: str, **environment: str) -> str:
    """What a program prints that uses the site with nothing but this environment."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{code}"],
        cwd=ROOT,
        env=inherited | {"DJANGO_SETTINGS_MODULE": "config.settings", "LOG_LEVEL": "ERROR"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


NAMES = "from jobs.kind import installed_kinds; print(*(kind.name for kind in installed_kinds()))"


@pytest.mark.parametrize(
    ("environment", "lab"),
    [
        ({"SANDBOX": "0"}, False),
        ({"SANDBOX": "1"}, True),
        ({"SANDBOX": "0", "KINDS": "lab, email"}, True),
        ({"SANDBOX": "1", "KINDS": "email"}, False),
    ],
)
def test_the_lab_is_there_with_the_sandbox_or_where_it_is_named(
    tmp_path: Path, environment: dict[str, str], lab: bool
) -> None:
    assert ("lab" in python(NAMES, VAR_DIR=str(tmp_path), **environment).split()) == lab


VISIT = """
import re, sys
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.db import connections
from django.conf import settings
for alias in settings.DATABASES:
    call_command("migrate", database=alias, verbosity=0)
call_command("createcachetable", verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
passed = dict(headers={"host": "localhost"}, follow=True)
visitor = Client()
form = {"email": "ann@example.org", "password1": "seven-calm-herons-42", "password2": "seven-calm-herons-42"}
job = re.search(r'href="(/jobs/[0-9a-f-]{36}/)"', visitor.post("/accounts/signup/", form, **passed).content.decode())[1]
staff = Client()
staff.force_login(User.objects.create_superuser("staff", "staff@example.org", "x"))
paths = ["/", job, "/jobs/", "/accounts/email/", "/accounts/login/", "/accounts/signup/", "/admin/", "/admin/monitor/",
    "/admin/offload/job/", "/sandbox/", "/sandbox/mail/", "/sandbox/network/"]
seen = set()
for client, todo in ((visitor, paths), (staff, paths[2:])):
    todo = list(todo)
    while todo:
        path = todo.pop()
        seen.add(path)
        answer = client.get(path, **passed)
        print(path, answer.status_code)
        # Every link of the site's own navigation has to lead somewhere.
        if not path.startswith("/admin"):
            links = re.findall(r'<a [^>]*href="(/[^"?]*)', answer.content.decode())
            todo += sorted({link for link in links if not link.startswith(("/admin", "/static"))} - seen - set(todo))
"""


def test_a_site_of_mails_alone_answers_on_every_page_that_it_links_to(tmp_path: Path) -> None:
    assert python(NAMES, VAR_DIR=str(tmp_path), KINDS="email").split() == ["email"]
    told = [line.split() for line in python(VISIT, VAR_DIR=str(tmp_path), KINDS="email").splitlines()]
    assert {"/", "/jobs/", "/accounts/email/", "/admin/monitor/", "/sandbox/mail/"} <= {path for path, _ in told}
    assert [(path, status) for path, status in told if status not in {"200"}] == []


def test_a_secret_key_that_can_not_be_kept_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "secret_key").mkdir()
    done = check(VAR_DIR=str(tmp_path))
    assert done.returncode != 0
    (sentence,) = done.stderr.splitlines()
    assert str(tmp_path / "secret_key") in sentence


def test_the_generated_secret_key_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    assert check(VAR_DIR=str(tmp_path / "var")).returncode == 0
    key = tmp_path / "var" / "secret_key"
    first = key.read_text()
    assert len(first) >= 50
    assert key.stat().st_mode & 0o777 == 0o600
    assert check(VAR_DIR=str(tmp_path / "var")).returncode == 0
    assert key.read_text() == first


SEAL = """
from django.core import signing
from jobs.models import Job
print(signing.dumps("told"), Job._meta.get_field("payload_text").get_prep_value("told"))
"""
READ = """
from django.core import signing
from jobs.models import Job
try:
    print(signing.loads({0!r}))
except signing.BadSignature:
    print("forged")
print(Job._meta.get_field("payload_text").to_python({1!r}))
"""


def test_what_was_signed_and_encrypted_with_a_former_key_is_read(tmp_path: Path) -> None:
    old, new = "the-old-one-" + "x7" * 30, "the-new-one-" + "y8" * 30
    signed, encrypted = python(SEAL, VAR_DIR=str(tmp_path), SECRET_KEY=old).split()
    told = READ.format(signed, encrypted)
    fallbacks = f"a-third-one-{'z9' * 30},{old}"
    after = python(told, VAR_DIR=str(tmp_path), SECRET_KEY=new, SECRET_KEY_FALLBACKS=fallbacks)
    assert after.split() == ["told", "told"]
    assert python(told, VAR_DIR=str(tmp_path), SECRET_KEY=new).split() == ["forged", encrypted]


def test_every_variable_that_the_settings_read_is_documented() -> None:
    read = set(re.findall(r"""(?:env\.\w+|_database)\(\s*"([A-Z_]+)\"""", SETTINGS))
    read |= set(re.findall(r"""\("([A-Z_]+)", env\.\w+\)""", SETTINGS))
    assert {"SECRET_KEY", "DATABASE_URL", "JOB_LEASE_SECONDS"} <= read
    assert read - set(re.findall(r"`([A-Z_]+)`", RUNNING)) == set()


def test_every_documented_variable_is_read() -> None:
    documented = {
        name
        for line in RUNNING.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([A-Z_]+)`", line.split("|")[1])
    }
    # gunicorn.conf.py reads this one.
    documented -= {"WEB_CONCURRENCY"}
    assert {name for name in documented if f'"{name}"' not in SETTINGS} == set()


@pytest.mark.parametrize(("behind_proxy", "address"), [("0", "127.0.0.1"), ("1", "203.0.113.7")])
def test_limits_count_by_the_address_of_the_client_also_behind_a_proxy(behind_proxy: str, address: str) -> None:
    code = (
        "import django; django.setup(); from allauth.account.adapter import get_adapter; "
        "from django.test import RequestFactory; "
        "asked = RequestFactory().get('/', headers={'x-forwarded-for': '198.51.100.1, 203.0.113.7'}); "
        "print(get_adapter().get_client_ip(asked))"
    )
    environment = os.environ | {"BEHIND_PROXY": behind_proxy, "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == address, done.stderr


COOKIES = """
from django.conf import settings
from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware, get_token
from django.test import RequestFactory
def view(request):
    return HttpResponse(get_token(request))
for name, cookie in CsrfViewMiddleware(view)(RequestFactory().get("/")).cookies.items():
    print(name, cookie["path"], cookie["domain"] or None, bool(cookie["secure"]))
print(settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_PATH, settings.SESSION_COOKIE_DOMAIN,
    settings.SESSION_COOKIE_SECURE)
"""


@pytest.mark.parametrize(("https", "prefix"), [("0", ""), ("1", "__Host-")])
def test_over_https_the_cookies_have_what_their_names_promise(tmp_path: Path, https: str, prefix: str) -> None:
    told = python(COOKIES, VAR_DIR=str(tmp_path), HTTPS=https).splitlines()
    assert told == [f"{prefix}{name} / None {https == '1'}" for name in ("csrftoken", "sessionid")]
