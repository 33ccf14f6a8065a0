"""Who may import whom, and where tests are; and what the lock files and docs/dependencies.md have to hold."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.processes import ROOT

pytestmark = pytest.mark.apart

FLOORS = {
    "conf": 0,
    "storable": 0,
    "sentences": 1,
    "kind": 2,
    "wording": 3,
    "models": 4,
    "core": 5,
    "web": 6,
    "worker": 6,
    "staff": 6,
    "contract": 7,
    "kinds": 8,
    "sandbox": 9,
    **dict.fromkeys(("admin", "checks", "management", "migrations", "templatetags", "urls"), 10),
    "apps": 11,
}
"""The rooms of jobs/, from the ground up; on top is where Django looks. Rooms on one floor don't know each other."""

# The options only check that REDIS_URL can be read.
KNOW_RQ = {"jobs.core.dispatch", "jobs.worker.loop", "jobs.conf"}


WITHOUT_TESTS_OF_THEIR_NAME = {
    "jobs.contract": "names from other modules, and nothing of its own",
    "jobs.kinds.lab.models": "one row of one number",
    "jobs.kinds.lab.templatetags.lab": "hands on what `report` makes: tests/kinds/lab/test_report.py",
    "jobs.kinds.media.conversion": "what pictures and recordings take and leave, without code",
    "jobs.sandbox.first_start": "a part of `manage.py run`: tests/sandbox/test_stack.py",
    "jobs.sandbox.management.commands.mailcatcher": "starts the server of tests/sandbox/test_mail.py",
    "jobs.sandbox.management.commands.run": "starts the stack of tests/sandbox/test_stack.py",
    "jobs.sandbox.network": "serves what all tests of tests/sandbox/ ask",
}
"""Modules of jobs/ that have no file of their name in tests/, and why not. The list may only shrink."""


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


def room(name: str) -> str:
    """The room of jobs/ that a module is or lies in."""
    return name.split(".")[1] if "." in name else ""


def points_down(module: str, name: str) -> bool:
    """A module of jobs/ imports what is in its own room or on a floor below. No room knows the kinds or the sandbox."""
    if not below(module, "jobs") or not below(name, "jobs") or module == "jobs.__init__" or name == "jobs":
        return not below(module, "jobs") or not below(name, "accounts", "config", "tests", "bench")
    if room(module) == room(name):
        return True
    return FLOORS[room(name)] < FLOORS[room(module)] and room(name) not in {"kinds", "sandbox"}


def kinds_know_the_contract_alone(module: str, name: str) -> bool:
    """A kind imports from the core only the contract, and from another kind only its `library`."""
    if not below(module, "jobs.kinds") or module == "jobs.kinds.__init__" or not below(name, "jobs"):
        return True
    own = ".".join(module.split(".")[:3])
    is_library = below(name, "jobs.kinds") and name.split(".")[3:4] == ["library"]
    return below(name, "jobs.contract", own) or is_library


def accounts_know_mail_and_the_contract(module: str, name: str) -> bool:
    """Sign-up and sign-in send mails and show their jobs; they know nothing else of jobs/."""
    return not below(module, "accounts") or not below(name, "jobs") or below(name, "jobs.contract", "jobs.kinds.email")


def names_its_package(module: str, source: str) -> bool:
    """Whether a module of jobs/ imports or spells `jobs.…`: it is installed under another name."""
    named: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0):
            named += [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Constant) and re.fullmatch(r"jobs(\.[a-z_]+){2,}", str(node.value)):
            named.append(str(node.value))
    return below(module, "jobs") and any(below(name, "jobs") for name in named)


def few_know_rq(module: str, name: str) -> bool:
    """RQ and Redis are imported where jobs are handed over and run, nowhere else."""
    return module in KNOW_RQ or not below(name, "rq", "redis", "django_rq")


def sandbox_is_apart(module: str, name: str) -> bool:
    """Only the sandbox itself and the settings' URLs know the sandbox."""
    return below(module, "jobs.sandbox", "config") or not below(name, "jobs.sandbox")


def modules() -> Iterator[tuple[str, str]]:
    """Name (of a package: with `.__init__`) and source of each module of the project."""
    for path in [path for folder in ("jobs", "accounts", "config") for path in ROOT.glob(f"{folder}/**/*.py")]:
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path.read_text()


def offences(rule: object) -> list[str]:
    """What breaks a rule, in words."""
    assert callable(rule)
    return [
        f"{module} imports {name}"
        for module, source in modules()
        for name in sorted(imports(source, module))
        if not rule(module, name)
    ]


def has_tests_of_its_own(module: str) -> bool:
    """Whether a module of jobs/ is tested by itself: no package, migration, app or list of addresses.

    Nor what each kind declares, which is tested where the admin and all sentences are.
    """
    *packages, name = module.split(".")
    declares = name in {"__init__", "apps"} or name.endswith("urls") or "migrations" in packages
    of_a_kind = name in {"admin", "sentences"} and below(module, "jobs.kinds")
    return below(module, "jobs") and not declares and not of_a_kind


def place_of_tests(module: str) -> Path:
    """Where the tests of a module of jobs/ are: the same place in tests/."""
    _, *packages, name = module.split(".")
    return ROOT.joinpath("tests", *packages, f"test_{name}.py")


def test_tests_are_where_their_module_is() -> None:
    without = {name for name, _ in modules() if has_tests_of_its_own(name) and not place_of_tests(name).exists()}
    assert without == WITHOUT_TESTS_OF_THEIR_NAME.keys()


def test_a_module_without_tests_in_its_place_is_seen() -> None:
    for module in ("jobs.web.nowhere", "jobs.kinds.media.nowhere", "jobs.nowhere", "jobs.nowhere.admin"):
        assert has_tests_of_its_own(module)
        assert not place_of_tests(module).exists()
    for module in ("jobs.kinds.social.admin", "jobs.web.urls", "jobs.migrations.0001_initial", "config.settings"):
        assert not has_tests_of_its_own(module)


def test_every_module_has_its_floor() -> None:
    assert {room(module) for module, _ in modules() if below(module, "jobs")} - {"__init__"} <= FLOORS.keys()


def test_imports_point_down() -> None:
    assert offences(points_down) == []


def test_kinds_import_only_the_contract_from_the_core() -> None:
    assert offences(kinds_know_the_contract_alone) == []


def test_accounts_import_only_mail_and_the_contract() -> None:
    assert offences(accounts_know_mail_and_the_contract) == []


def test_only_dispatch_and_the_worker_know_rq_and_redis() -> None:
    assert offences(few_know_rq) == []


def test_only_the_sandbox_and_the_settings_know_the_sandbox() -> None:
    assert offences(sandbox_is_apart) == []


def test_what_lies_in_jobs_names_its_own_package_nowhere() -> None:
    assert [module for module, source in modules() if names_its_package(module, source)] == []
    assert names_its_package("jobs.web.views", "from jobs.models import Job")
    assert names_its_package("jobs.kinds.lab.kind", "urls = 'jobs.kinds.lab.urls'")


@pytest.mark.parametrize(
    ("rule", "module", "source"),
    [
        (points_down, "jobs.conf", "from .kind import Role"),
        (points_down, "jobs.models", "from .core.lifecycle import submit"),
        (points_down, "jobs.core.dispatch", "from ..worker import sweep"),
        (points_down, "jobs.core.lifecycle", "def later():\n    from ..web.views import detail"),
        (points_down, "jobs.core.waiting", "from ..staff import monitor"),
        (points_down, "jobs.web.views", "from ..worker.execution import run_attempt"),
        (points_down, "jobs.staff.views", "from ..web import views"),
        (points_down, "jobs.web.views", "from ..contract import submit"),
        (points_down, "jobs.web.views", "from ..kinds.email import kind"),
        (points_down, "jobs.checks", "from .kinds.email import kind"),
        (points_down, "jobs.core.lifecycle", "import accounts.adapter"),
        (kinds_know_the_contract_alone, "jobs.kinds.email.kind", "from ...models import Job"),
        (kinds_know_the_contract_alone, "jobs.kinds.email.kind", "from ..social import http"),
        (kinds_know_the_contract_alone, "jobs.kinds.social.kind", "from ..media import library, pictures"),
        (kinds_know_the_contract_alone, "jobs.kinds.email.kind", "from ... import models"),
        (accounts_know_mail_and_the_contract, "accounts.adapter", "from jobs.models import Job"),
        (few_know_rq, "jobs.staff.monitor", "from redis import Redis"),
        (few_know_rq, "jobs.kinds.media.kind", "import rq.job"),
        (sandbox_is_apart, "jobs.kinds.social.http", "from ...sandbox.services import free_port"),
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


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
"""What a part of the wheel needs beside what all of it does."""
THROUGH = {"urllib3": "requests"}
"""What is imported from a package that another one brings, whose business it is to."""


def package(requirement: str) -> str:
    """The name in a requirement, as every spelling of it is read:
    https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", re.split(r"[\[~=<> ;]", requirement)[0]).lower()


def brought_by(extra: str) -> set[str]:
    """The packages that come with an extra of the wheel, and those that always do."""
    found = set(map(package, PROJECT["dependencies"]))
    for requirement in EXTRAS.get(extra, ()):
        if package(requirement) == PROJECT["name"]:
            for other in requirement[requirement.index("[") + 1 : -1].split(","):
                found |= brought_by(other)
        found.add(package(requirement))
    return found


def test_the_wheel_asks_for_what_the_site_is_locked_with() -> None:
    asked = {*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)}
    others = {one for one in asked if package(one) != PROJECT["name"]}
    locked = requirements(ROOT / "requirements" / "base.in")
    # Whoever locks a package with an extra locks the package.
    assert others - {*locked, *(re.sub(r"\[.*?\]", "", one) for one in locked)} == set()


def test_each_part_of_the_wheel_imports_only_what_comes_with_it() -> None:
    distributions = packages_distributions()
    missing = set()
    for module, source in modules():
        part = module.split(".")[2] if below(module, "jobs.kinds") and module.count(".") > 1 else room(module)
        for name in {name.partition(".")[0] for name in imports(source, module)} if below(module, "jobs") else ():
            if name in sys.stdlib_module_names or name == "jobs":
                continue
            if not {THROUGH.get(name), *map(package, distributions.get(name, []))} & brought_by(part):
                missing.add(f"{module} imports {name}, which the extra {part!r} does not bring")
    assert not missing
