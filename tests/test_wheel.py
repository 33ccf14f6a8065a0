"""The wheel: what is in it, what it asks for, and whether a site that is not ours (tests/wheel) runs a job with it."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import PathDistribution, version
from pathlib import Path
from zipfile import Path as ZipPath
from zipfile import ZipFile

import pytest
import requests
from packaging.requirements import Requirement
from redis import Redis

from jobs.conf import options
from jobs.sandbox.services import free_port
from tests.processes import ROOT, Process, stop_all, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.apart]

ANN = "ann@example.org"
PASSWORD = "a-long-password"


def output_of(*command: str | Path, **env: str) -> str:
    """What a command says, which must succeed."""
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this folder."""
    folder = tmp_path_factory.mktemp("wheel")
    output_of(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (built,) = folder.iterdir()
    return built


def test_the_wheel_holds_the_product_under_its_own_name_and_nothing_else(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert {re.sub(r"-.*", "", name.split("/")[0]) for name in names} == {"offload"}
    inside = {name.removeprefix("offload/") for name in names if name.startswith("offload/")}
    ours = {str(path.relative_to(ROOT / "jobs")) for path in (ROOT / "jobs").rglob("*") if path.is_file()}
    assert inside == {path for path in ours if "__pycache__" not in path}
    assert {"py.typed", "migrations/0001_initial.py", "templates/offload/detail.html"} < inside
    assert {"kinds/media/migrations/0001_initial.py", "static/offload/poll.js"} < inside
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_all_that_the_wheel_asks_for_is_in_the_lock(wheel: Path) -> None:
    (metadata,) = (path for path in ZipPath(wheel).iterdir() if path.name.endswith(".dist-info"))
    asked = PathDistribution(metadata)
    extras = ["", *(asked.metadata.get_all("Provides-Extra") or [])]
    requirements = [Requirement(text) for text in asked.requires or []]
    assert "django" in {one.name.lower() for one in requirements if one.marker is None}
    for one in requirements:
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras):
            assert one.specifier.contains(version(one.name)), one


class Site:
    """A copy of the site in tests/wheel, with a Python of its own in which the wheel is installed."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder / "site"
        shutil.copytree(ROOT / "tests" / "wheel", self.folder, ignore=shutil.ignore_patterns("__pycache__"))
        output_of(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
        self.python = folder / "venv" / "bin" / "python"
        install = ("install", "--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
        output_of(sys.executable, "-m", "pip", "--python", self.python, *install, wheel)
        # What the wheel needs is borrowed from the Python of this test, so that no network is needed and what the lock
        # holds is tried. Nothing of Offload is there.
        (packages,) = (folder / "venv" / "lib").glob("*/site-packages")
        borrowed = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
        (packages / "lock.pth").write_text("\n".join(borrowed))
        self.env = {"REDIS_URL": options.REDIS_URL, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
        self.started: list[Process] = []

    def manage(self, *args: str) -> str:
        """What a command of its manage.py says."""
        return output_of(self.python, self.folder / "manage.py", *args, **self.env)

    def start(self, *args: str) -> Process:
        """Start one that goes on."""
        command = [str(self.python), str(self.folder / "manage.py"), *args]
        self.started.append(Process(command, self.env, name=f"site-{args[0]}"))
        return self.started[-1]


@pytest.fixture
def site(tmp_path: Path, wheel: Path, redis: Redis) -> Iterator[Site]:
    """The site, with its database."""
    made = Site(tmp_path, wheel)
    made.manage("migrate", "-v0")
    yield made
    stop_all(made.started)


class Browser:
    """Somebody who uses the site."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str) -> requests.Response:
        answer = self.session.get(self.url + path, timeout=10)
        assert answer.ok, answer.text
        return answer

    def post(self, path: str, **fields: str) -> requests.Response:
        """Send the form of a page. Returns where that leads."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path).text)
        assert token
        data = {"csrfmiddlewaretoken": token[1], **fields}
        answer = self.session.post(self.url + path, data, timeout=10, headers={"Referer": self.url + path})
        assert answer.ok, answer.text
        return answer

    def up(self) -> bool:
        try:
            return self.session.get(f"{self.url}/jobs/", timeout=10).ok
        except requests.ConnectionError:
            return False


def test_a_site_with_an_app_named_jobs_people_and_a_base_page_of_its_own_runs_a_job(site: Site) -> None:
    assert "no issues" in site.manage("check", "--fail-level", "DEBUG")
    site.manage("makemigrations", "--check", "--dry-run")
    site.manage("createsuperuser", "--noinput", "--email", ANN)
    vacancy = "from jobs.models import Job; from people.models import Person"
    site.manage("shell", "-c", f"{vacancy}; Job.objects.create(title='Stevedore', owner=Person.objects.get())")

    port = free_port()
    browser = Browser(f"http://127.0.0.1:{port}")
    site.start("runserver", "--noreload", f"127.0.0.1:{port}")
    site.start("rqworker", "--role", "network", "--grace", "1")
    wait_until(browser.up, seconds=30, what="the site answers")
    assert "/accounts/login/" in browser.get("/offload/").text
    assert "/accounts/login/?next=/offload/jobs/" in browser.get("/offload/jobs/").url
    browser.post("/accounts/login/", username=ANN, password=PASSWORD)

    form = "/offload/jobs/new/arithmetic/"
    page = browser.post(form, value="cranes", operation="add", operand="12", delay="0").url.removeprefix(browser.url)
    job = page.rstrip("/").rpartition("/")[2]
    wait_until(
        lambda: browser.get(f"{page}status.json").json()["status"] == "succeeded", seconds=30, what="the job is done"
    )
    # The first answer brings the cookie that vouches for whoever asks next, and that one is not looked up again.
    first, second = (browser.get(f"/offload/jobs/status.json?id={job}") for _ in range(2))
    assert ("follower" in first.cookies, "follower" in second.cookies) == (True, False)
    assert first.json() == second.json()
    assert [one["id"] for one in second.json()["jobs"]] == [job]

    shown = browser.get(page).text
    assert "<header>Harbour Works</header>" in shown
    assert re.search(r"<title>cranes \+ 12\s+– Harbour Works</title>", shown)
    assert re.search(r"<main>.*<h1>Your job</h1>.*wrote <strong>12</strong>.*</main>", shown, re.DOTALL)
    assert "12" in browser.get("/offload/arithmetic/").text
    style = re.search(r'<link rel="stylesheet" href="([^"]+)"', shown)
    assert style
    assert browser.get(style[1]).headers["Content-Type"] == "text/css"
    # The form that the buttons of cards send.
    assert re.search(r'<form id="action" method="post" hidden><input type="hidden" name="csrfmiddlewaretoken"', shown)

    assert "Stevedore" in browser.get("/jobs/").text
    assert "cranes + 12" in browser.get(f"/admin/offload/job/?q={ANN}").text
    assert "Harbour Works" not in browser.get("/offload/admin/monitor/").text
