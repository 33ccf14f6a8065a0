"""Rules of the design that are read from the syntax tree: who writes a status, which settings are read, and who calls
other servers.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator

import pytest
from django.conf import global_settings

from jobs.models import Status
from tests.test_architecture import below, imports, modules

pytestmark = pytest.mark.apart

# --- Only the lifecycle writes a status ------------------------------------------------------------------------------

WRITERS = {"update", "create", "acreate", "aupdate", "get_or_create", "update_or_create", "bulk_create", "bulk_update"}
OWNED = {"status", "has_turn", "attempt", "lease_until", "deadline", "finished_at", "position"}
"""Columns of a job that say where it stands. Other models may have some of the names: see OTHERS."""
OTHERS = {"jobs.sandbox.api", "jobs.sandbox.practice"}
"""Modules whose rows are no jobs: the practice network's posts and pictures."""


def written(source: str) -> Iterator[str]:
    """The owned columns that a module writes: by keyword to a queryset or to Job(…), by assignment to an attribute."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in WRITERS or name == "Job":
                yield from (word.arg for word in node.keywords if word.arg in OWNED)
                yield from (
                    key.value
                    for word in node.keywords
                    if isinstance(word.value, ast.Dict)
                    for key in word.value.keys
                    if isinstance(key, ast.Constant) and key.value in OWNED
                )
            if name == "bulk_update":
                yield from (one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and one.value in OWNED)
        for target in assigned(node):
            is_row = isinstance(target, ast.Attribute) and not (
                isinstance(target.value, ast.Name) and target.value.id in {"self", "cls"}
            )
            if is_row and isinstance(target, ast.Attribute) and target.attr in OWNED:
                yield target.attr


def assigned(node: ast.AST) -> list[ast.expr]:
    """What a statement assigns to."""
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []


def test_only_the_lifecycle_writes_where_a_job_stands() -> None:
    offenders = {
        module: columns
        for module, source in modules()
        if module != "jobs.core.lifecycle" and module not in OTHERS and (columns := set(written(source)))
    }
    assert offenders == {}


@pytest.mark.parametrize(
    "source",
    [
        "Job.objects.update(status=Status.FAILED)",
        "jobs.filter(pk=1).update(has_turn=True)",
        "Job.objects.create(status='running')",
        "Job(status='running').save()",
        "job.status = Status.SUCCEEDED",
        "job.attempt += 1",
        "Job.objects.update_or_create(pk=1, defaults={'status': 'failed'})",
        "Job.objects.bulk_update(rows, ['status'])",
    ],
)
def test_each_way_to_write_a_status_is_seen(source: str) -> None:
    assert list(written(source))


# --- Nobody writes a status as a bare word ---------------------------------------------------------------------------


def bare_statuses(source: str) -> list[str]:
    """The words of Status that stand as text where a status is compared or asked for."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg in {"status", "status__in"}:
            found += [one for one in ast.walk(node.value) if isinstance(one, ast.Constant)]
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr == "status":
            found += [one for right in node.comparators for one in ast.walk(right) if isinstance(one, ast.Constant)]
    return [one.value for one in found if isinstance(one.value, str) and one.value in Status.values]


def test_statuses_are_named_not_spelled() -> None:
    assert {module: words for module, source in modules() if (words := bare_statuses(source))} == {}


def test_a_spelled_status_is_seen() -> None:
    assert bare_statuses("mine.filter(status__in=['failed'])") == ["failed"]
    assert bare_statuses("job.status != 'succeeded'") == ["succeeded"]


# --- Whoever the users are -------------------------------------------------------------------------------------------


def names_the_user_model(source: str) -> bool:
    """Whether a module imports Django's own User, which a site may have replaced (AUTH_USER_MODEL)."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "django.contrib.auth.models"
        and any(alias.name == "User" for alias in node.names)
        for node in ast.walk(ast.parse(source))
    )


def test_nothing_in_jobs_takes_the_site_to_have_djangos_own_users() -> None:
    named = [module for module, source in modules() if below(module, "jobs") and names_the_user_model(source)]
    assert named == []


def test_an_import_of_djangos_own_user_is_seen() -> None:
    assert names_the_user_model("def f():\n    from django.contrib.auth.models import AbstractBaseUser, User")


# --- The only setting of ours is OFFLOAD, which jobs/conf.py reads ---------------------------------------------------

WITHOUT_DEFAULT = {"ROOT_URLCONF", "RQ_QUEUES", "SALT_KEY"}
"""Settings of Django, and of the package that encrypts, that Django's own defaults do not list:
https://docs.djangoproject.com/en/5.2/ref/settings/
"""
READS_OFFLOAD = {"jobs.conf", "jobs.checks"}


def own_settings(source: str) -> set[str]:
    """The settings that a module reads of django.conf.settings, by attribute or getattr, and that are not Django's."""
    read = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"settings", "conf.settings"}:
            read.add(node.attr)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"getattr", "hasattr"} and len(node.args) > 1:
            of, name = map(ast.unparse, node.args[:2])
            if of in {"settings", "conf.settings"}:
                read.add(name.strip("'"))
    return {name for name in read if not hasattr(global_settings, name)} - WITHOUT_DEFAULT


def test_no_module_reads_a_setting_of_its_own_but_offload() -> None:
    found = {name: own for name, source in modules() if not below(name, "config") and (own := own_settings(source))}
    assert found == {module: {"OFFLOAD"} for module in READS_OFFLOAD}


@pytest.mark.parametrize(
    "source",
    [
        "from django.conf import settings\nsettings.JOB_LEASE_SECONDS",
        "from django import conf\nconf.settings.SANDBOX",
        "getattr(settings, 'VAR_DIR', '/tmp')",
    ],
)
def test_each_way_to_read_a_setting_of_ones_own_is_seen(source: str) -> None:
    assert own_settings(source)
    assert not own_settings("settings.AUTH_USER_MODEL + settings.ROOT_URLCONF")


# --- No view and no form calls another server ------------------------------------------------------------------------

OUTSIDE = {"aiohttp", "ftplib", "http.client", "httpx", "requests", "requests_hardened", "smtplib", "urllib.request"}
"""What speaks with other servers."""
BY_WORKERS = {"run", "forget", "forget_owner", "files", "belongings"}
"""Methods of a kind that workers call."""
EVERYDAY = {
    "add",
    "clean",
    "close",
    "count",
    "create",
    "delete",
    "filter",
    "get",
    "items",
    "keys",
    "pop",
    "read",
    "save",
}
EVERYDAY |= {"strip", "update", "values", "write"}
"""Names of methods that say nothing about whose they are."""
WAITS_ON_PURPOSE = "jobs.kinds.lab.views.waits"
"""The lab measures what a request costs that waits for another server: this is that request. There is no other."""


def waits_for_an_answer(function: str, module: str) -> bool:
    """Whether the function runs while somebody waits for an answer of the site: it is a view's, or a form's."""
    if below(module, "jobs.kinds"):
        is_form = function.rpartition(".")[2].startswith("clean")
        return is_form or module.split(".")[-1] in {"views", "forms", "admin"}
    return below(module, "jobs.web", "jobs.staff", "accounts", "jobs.admin")


class Code:
    """The functions of the project, and whom each may call.

    A name means what its module made or imported. A method of something unknown may be each of that name in the app.
    """

    def __init__(self, sources: dict[str, str]) -> None:
        self.uses: dict[str, set[str]] = {}
        """What each function, class and module-level name uses, as dotted names."""
        self.functions: dict[str, str] = {}
        """The module of each function and method."""
        self.methods: defaultdict[str, set[str]] = defaultdict(set)
        self.classes: defaultdict[str, set[str]] = defaultdict(set)
        """The methods of each class: whoever names it may call them all."""
        for module, source in sources.items():
            self._read(module, ast.parse(source))

    def _read(self, module: str, tree: ast.Module) -> None:
        known: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                package = ".".join(module.split(".")[: -node.level]) if node.level else ""
                base = ".".join(filter(None, [package, node.module]))
                known |= {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                known |= {alias.asname or alias.name.split(".")[0]: alias.name for alias in node.names}
        for node in tree.body:
            names = [node.name] if hasattr(node, "name") else []
            names += [target.id for target in assigned(node) if isinstance(target, ast.Name)]
            known |= {name: f"{module}.{name}" for name in names}
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                for member in node.body:
                    if isinstance(member, ast.FunctionDef) and member.name not in BY_WORKERS:
                        name = f"{module}.{node.name}.{member.name}"
                        self.uses[name] = self._names(member, known)
                        self.functions[name] = module
                        self.methods[member.name].add(name)
                        self.classes[f"{module}.{node.name}"].add(name)
                self.uses[f"{module}.{node.name}"] = self.classes[f"{module}.{node.name}"]
            elif isinstance(node, ast.FunctionDef):
                self.uses[f"{module}.{node.name}"] = self._names(node, known)
                self.functions[f"{module}.{node.name}"] = module
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
                for target in assigned(node):
                    if isinstance(target, ast.Name):
                        self.uses[f"{module}.{target.id}"] = self._names(node.value, known)

    def _names(self, code: ast.AST, known: dict[str, str]) -> set[str]:
        found = set()
        for node in ast.walk(code):
            if isinstance(node, ast.Attribute):
                if isinstance(node.value, ast.Name) and node.value.id in known:
                    found.add(f"{known[node.value.id]}.{node.attr}")
                elif node.attr not in EVERYDAY and not node.attr.startswith("__"):
                    found.add(f"*.{node.attr}")
            elif isinstance(node, ast.Name) and node.id in known:
                found.add(known[node.id])
        return found

    def way_outside(self, start: str) -> list[str]:
        """How a function comes to speak with another server, step by step; empty if it does not."""
        ways, todo = {start: [start]}, [start]
        while todo:
            name = todo.pop()
            for used in sorted(self.uses.get(name, ())):
                if any(below(used, package) for package in OUTSIDE):
                    return [*ways[name], used]
                nexts = {used}
                if used.startswith("*."):
                    app = ".".join(name.split(".")[:3])
                    nexts = {one for one in self.methods[used[2:]] if below(one, app)}
                for one in nexts - ways.keys():
                    ways[one] = [*ways[name], one]
                    todo.append(one)
        return []


def project() -> dict[str, str]:
    """Sources by module, without the sandbox: that is the other server."""
    return {name.removesuffix(".__init__"): source for name, source in modules() if not below(name, "jobs.sandbox")}


def test_no_view_and_no_form_calls_another_server_but_the_one_that_shows_what_that_costs() -> None:
    code = Code(project())
    ways = {
        name: way
        for name, module in code.functions.items()
        if waits_for_an_answer(name, module) and (way := code.way_outside(name))
    }
    assert ways.pop(WAITS_ON_PURPOSE)
    assert not ways, "\n".join(" → ".join(way) for way in ways.values())


def test_a_view_that_calls_another_server_is_seen_through_helpers_methods_and_tables() -> None:
    code = Code(
        {
            "jobs.kinds.a.views": "from . import client\ndef straight(request):\n    client.call()\n"
            "def by_table(request):\n    STEPS[0](request)\ndef by_object(request, it):\n    it.speak()\n"
            "def harmless(request):\n    return 1\nSTEPS = [client.call]\n",
            "jobs.kinds.a.client": "import requests\nfrom requests_hardened import Session\n"
            "def call():\n    requests.get('x')\nclass It:\n    def speak(self):\n        Session()\n",
        }
    )
    assert code.way_outside("jobs.kinds.a.views.straight")
    assert code.way_outside("jobs.kinds.a.views.by_table")
    assert code.way_outside("jobs.kinds.a.views.by_object")
    assert not code.way_outside("jobs.kinds.a.views.harmless")


# --- What strangers made is decoded where it is confined, and nowhere else -------------------------------------------

DECODERS = {"av", "pillow_heif", "PIL"}
CONFINED = {"jobs.kinds.media.operations", "jobs.kinds.media.pictures", "jobs.kinds.media.recordings"}
"""Modules that decode in `jobs.kinds.media.decoding.confined`, as their own tests show."""


def decoders(module: str, source: str) -> set[str]:
    """The decoders that a module imports."""
    return {name.partition(".")[0] for name in imports(source, module)} & DECODERS


def test_only_what_is_confined_knows_decoders() -> None:
    knowing = {name for name, source in modules() if not below(name, "jobs.sandbox") and decoders(name, source)}
    assert knowing == CONFINED
    assert decoders("jobs.kinds.social.avatars", "def later():\n    from PIL.Image import open") == {"PIL"}


# --- What kinds ask of other servers has an end ----------------------------------------------------------------------

OF_THIS_MACHINE = {"jobs.kinds.lab.steps", "jobs.kinds.lab.views", "jobs.kinds.lab.experiments.offload"}
"""They ask the site itself, and its practice network. The list may only shrink."""


def asks_without_end(module: str, source: str) -> bool:
    """Whether a kind's module speaks with other servers and does not do so within an exchange."""
    found = imports(source, module)
    return (
        below(module, "jobs.kinds")
        and any(below(name, *OUTSIDE) for name in found)
        and not ({"jobs.contract.exchange", "jobs.contract.connect"} <= found)
    )


def test_what_kinds_ask_of_other_servers_they_ask_within_an_exchange() -> None:
    assert {module for module, source in modules() if asks_without_end(module, source)} == OF_THIS_MACHINE
    assert asks_without_end("jobs.kinds.email.kind", "import smtplib\nfrom ...contract import exchange")
