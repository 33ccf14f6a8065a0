"""Who may import whom, read from the source; and what the lock files and docs/dependencies.md have to hold."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT

pytestmark = pytest.mark.apart

LAYERS = {
    "jobs.kind": 0,
    "jobs.processes": 0,
    "jobs.shared": 0,
    "jobs.statements": 0,
    "jobs.models": 1,
    "jobs.dispatch": 2,
    "jobs.owners": 2,
    "jobs.leftovers": 2,
    "jobs.pauses": 2,
    "jobs.lifecycle": 3,
    "jobs.waiting": 3,
    "jobs.sweep": 4,
    "jobs.contract": 4,
}
"""The core from the ground up; everything that is not named here (views, admin, monitor, worker, …) is on top."""
TOP = 5

# The settings only check that REDIS_URL can be read.
KNOW_RQ = {"jobs.dispatch", "jobs.worker", "jobs.execution", "config.settings"}
RUN_JOBS = {"jobs.worker", "jobs.execution"}
START_WORKERS = {*RUN_JOBS, "jobs.management.commands.rqworker"}


def imports(source: str, module: str) -> set[str]:
    """Dotted names of all that a module's source imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ".".join([*module.split(".")[: -node.level], *filter(None, [node.module])])
            base = package if node.level else node.module
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


def below(name: str, *packages: str) -> bool:
    """Whether a dotted name is one of the packages or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def is_core(module: str) -> bool:
    return below(module, "jobs") and not below(module, "jobs.kinds", "jobs.sandbox")


def layer(name: str) -> int:
    return LAYERS.get(".".join(name.split(".")[:2]), TOP)


def points_down(module: str, name: str) -> bool:
    """A module of the core imports what lies in its own layer or below."""
    return not (is_core(module) and is_core(name) and name != "jobs") or layer(name) <= layer(module)


def kinds_know_the_contract_alone(module: str, name: str) -> bool:
    """A kind imports from the core only the contract, and from another kind only its `library`."""
    if not below(module, "jobs.kinds") or module == "jobs.kinds" or not below(name, "jobs", "config", "tests"):
        return True
    own = ".".join(module.split(".")[:3])
    is_library = below(name, "jobs.kinds") and name.split(".")[3:4] == ["library"]
    return below(name, "jobs.contract", own) or is_library


def core_knows_no_kind(module: str, name: str) -> bool:
    """The core imports no kind."""
    return not (is_core(module) and below(name, "jobs.kinds"))


def few_know_rq(module: str, name: str) -> bool:
    """RQ and Redis are imported where jobs are handed over and run, nowhere else."""
    return module in KNOW_RQ or not below(name, "rq", "redis", "django_rq")


def web_never_imports_the_worker(module: str, name: str) -> bool:
    """What runs jobs is imported by the worker and its command alone."""
    return module in START_WORKERS or not below(name, *RUN_JOBS)


def sandbox_is_apart(module: str, name: str) -> bool:
    """Only the sandbox itself and the settings' URLs know the sandbox."""
    return below(module, "jobs.sandbox", "config") or not below(name, "jobs.sandbox")


def modules() -> Iterator[tuple[str, str]]:
    """Name and source of each module of the project."""
    for path in [*ROOT.glob("jobs/**/*.py"), *ROOT.glob("config/**/*.py")]:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield name, path.read_text()


def offences(rule: object) -> list[str]:
    """What breaks a rule, in words."""
    assert callable(rule)
    return [
        f"{module} imports {name}"
        for module, source in modules()
        for name in sorted(imports(source, module))
        if not rule(module, name)
    ]


def test_imports_of_the_core_point_down() -> None:
    assert offences(points_down) == []


def test_kinds_import_only_the_contract_from_the_core() -> None:
    assert offences(kinds_know_the_contract_alone) == []


def test_the_core_imports_no_kind() -> None:
    assert offences(core_knows_no_kind) == []


def test_only_dispatch_and_the_worker_know_rq_and_redis() -> None:
    assert offences(few_know_rq) == []


def test_the_web_never_imports_the_worker() -> None:
    assert offences(web_never_imports_the_worker) == []


def test_only_the_sandbox_and_the_settings_know_the_sandbox() -> None:
    assert offences(sandbox_is_apart) == []


@pytest.mark.parametrize(
    ("rule", "module", "source"),
    [
        (points_down, "jobs.models", "from jobs.lifecycle import submit"),
        (points_down, "jobs.dispatch", "from jobs import lifecycle"),
        (points_down, "jobs.lifecycle", "def later():\n    from jobs.views import detail"),
        (points_down, "jobs.waiting", "from . import monitor"),
        (kinds_know_the_contract_alone, "jobs.kinds.email.kind", "from jobs.models import Job"),
        (kinds_know_the_contract_alone, "jobs.kinds.email.kind", "from jobs.kinds.social import http"),
        (kinds_know_the_contract_alone, "jobs.kinds.social.kind", "from jobs.kinds.media import library, pictures"),
        (kinds_know_the_contract_alone, "jobs.kinds.email.kind", "from ... import models"),
        (core_knows_no_kind, "jobs.views", "import jobs.kinds.email.kind"),
        (few_know_rq, "jobs.monitor", "from redis import Redis"),
        (few_know_rq, "jobs.kinds.media.kind", "import rq.job"),
        (web_never_imports_the_worker, "jobs.views", "from jobs.execution import run_attempt"),
        (sandbox_is_apart, "jobs.kinds.social.http", "from jobs.sandbox.services import free_port"),
    ],
)
def test_each_rule_can_fail(rule: object, module: str, source: str) -> None:
    assert callable(rule)
    assert not all(rule(module, name) for name in imports(source, module))


def requirements(path: Path) -> list[str]:
    """The lines of a requirements file, continued lines joined, without comments and options."""
    text = re.sub(r"\\\n", " ", path.read_text())
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("-")]


@pytest.mark.parametrize("name", ["base.txt", "dev.txt"])
def test_every_locked_package_has_a_version_and_hashes(name: str) -> None:
    lines = requirements(ROOT / "requirements" / name)
    assert lines
    assert [line for line in lines if not re.match(r"[\w.\[\],-]+==\S+.* --hash=sha256:[0-9a-f]{64}", line)] == []


@pytest.mark.parametrize("name", ["base.in", "base.txt", "dev.in", "dev.txt"])
def test_no_requirements_file_names_a_host(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text)


@pytest.mark.parametrize("name", ["base.in", "dev.in"])
def test_every_direct_dependency_has_its_reason(name: str) -> None:
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    packages = [re.split(r"[\[~=<> ;]", line)[0] for line in requirements(ROOT / "requirements" / name)]
    assert [package for package in packages if f"\n| {package} | " not in reasons] == []
