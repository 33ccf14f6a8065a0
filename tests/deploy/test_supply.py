"""What the lock file brings is written down in the SBOM, and `make audit` tells three outcomes from each other.

pip-audit and npm are the real ones; the sources that they ask are servers on loopback.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from packaging.utils import canonicalize_name

from tests.processes import ROOT
from tests.servers.stand_in import Asked, Reply, StandIn

LOCK = (ROOT / "requirements" / "base.txt").read_text()
SBOM = ROOT / "requirements" / "sbom.cdx.json"
TOOLS = ROOT / ".venv-audit" / "bin"
OSV, NPM = "POST /v1/query", "POST /-/npm/v1/security/advisories/bulk"


def locked() -> dict[tuple[str, str], set[str]]:
    """Name and version of each package in the lock file, with its hashes."""
    entries = re.findall(r"^(\S+?)(?:\[\S+\])?==(\S+)((?:.*\\\n)+.*)", LOCK, re.MULTILINE)
    return {(name, version): set(re.findall(r"sha256:(\w{64})", rest)) for name, version, rest in entries}


def test_the_sbom_names_each_locked_package_with_its_version_and_hashes():
    components = json.loads(SBOM.read_text())["components"]
    named = {
        (canonicalize_name(one["name"]), one["version"]): {
            told["content"] for reference in one["externalReferences"] for told in reference["hashes"]
        }
        for one in components
    }
    assert len(named) == len(components) == len(re.findall(r"^\S+==", LOCK, re.MULTILINE)) > 40
    assert named == locked()
    assert all(one["purl"] == f"pkg:pypi/{canonicalize_name(one['name'])}@{one['version']}" for one in components)


def test_the_sbom_holds_no_address_of_a_registry_and_no_path_of_a_machine():
    text = SBOM.read_text()
    assert re.findall(r"\w+://[^/\"]+", text) == ["http://cyclonedx.org"]
    assert str(ROOT) not in text
    assert not re.search(r"\"/|file:", text)


needs_tools = pytest.mark.skipif(not TOOLS.exists(), reason="`make audit` has not made .venv-audit here")


@pytest.mark.stack
@pytest.mark.apart
@needs_tools
def test_the_sbom_is_what_the_lock_file_gives_today(tmp_path):
    (command,) = re.findall(r"^\t\$\(AUDIT\)/bin/(cyclonedx-py (?:.*\\\n)*.*)", (ROOT / "Makefile").read_text(), re.M)
    program, *options = command.replace("\\\n", " ").replace(str(SBOM.relative_to(ROOT)), f"{tmp_path}/sbom").split()
    subprocess.run([str(TOOLS / program), *options], cwd=ROOT, check=True, capture_output=True, timeout=60)
    assert (tmp_path / "sbom").read_text() == SBOM.read_text()


@pytest.fixture
def source() -> Iterator[StandIn]:
    """A source of advisories, for Python as OSV and for JavaScript as npm's registry, that knows of nothing."""
    with StandIn() as source:
        source.routes = {OSV: Reply({}), NPM: Reply({})}
        yield source


def audit(source: StandIn) -> tuple[int, dict[str, str]]:
    """The exit code, and what is said of each file."""
    done = subprocess.run(
        [str(TOOLS / "python"), "requirements/audit.py"],
        cwd=ROOT,
        env=os.environ
        | {
            "PIP_AUDIT_VULNERABILITY_SERVICE": "osv",
            "PIP_AUDIT_OSV_URL": f"{source.origin}/v1/query",
            "npm_config_registry": source.origin,
            "npm_config_fetch_retries": "0",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stderr == ""
    return done.returncode, dict(line.split(": ", 1) for line in done.stdout.splitlines())


pythons = {str(path.relative_to(ROOT)) for path in (ROOT / "requirements").glob("*.txt")}


def flawed(asked: Asked) -> Reply:
    """Knows one flaw, of Django, and has no answer about Celery."""
    if asked.json["package"]["name"] == "celery":
        return Reply("away", 503)
    if asked.json["package"]["name"] != "django":
        return Reply({})
    events = [{"introduced": "0"}, {"fixed": "99.1"}]
    affected = {
        "package": {"ecosystem": "PyPI", "name": "django"},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return Reply({"vulns": [{"id": "PYSEC-0000-1", "modified": "2026-01-01T00:00:00Z", "affected": [affected]}]})


@pytest.mark.stack
@pytest.mark.apart
@needs_tools
@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not here")
def test_the_audit_tells_nothing_from_something_and_from_a_source_that_is_away(source):
    code, told = audit(source)
    assert (code, told) == (0, dict.fromkeys([*pythons, "package-lock.json"], "nothing found"))
    assert {asked.json["package"]["name"] for asked in source.calls(OSV)} > {"django", "rq", "pip-audit", "celery"}

    source.routes[OSV] = flawed
    package = {"name": "axe-core", "version": "4.14.1", "dist": {}}
    source.routes["GET /axe-core"] = Reply({"name": "axe-core", "versions": {"4.14.1": package}})
    flaw = {"id": 1, "url": "", "title": "A flaw", "severity": "high", "vulnerable_versions": "<99"}
    source.routes[NPM] = Reply({"axe-core": [flaw]})
    code, told = audit(source)
    assert code == 1
    assert told["requirements/base.txt"] == f"django {_version('django')}: PYSEC-0000-1, mended in 99.1"
    assert told["requirements/audit.txt"] == "nothing found"
    assert told["requirements/bench.txt"].startswith("could not ask: ")
    assert told["package-lock.json"] == "axe-core: high"

    source.routes[NPM] = Reply("away", 503)
    source.routes[OSV] = Reply("away", 503)
    code, told = audit(source)
    assert code == 2
    assert set(told) == {*pythons, "package-lock.json"}
    assert all(said.startswith("could not ask: ") for said in told.values())


def _version(name: str) -> str:
    (version,) = [version for one, version in locked() if one == name]
    return version
