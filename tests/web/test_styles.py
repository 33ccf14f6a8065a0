"""The style sheets hold what pages use, each rule lies with those who use it, and pages load what they need."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.messages.constants import DEFAULT_TAGS
from django.test import Client

from jobs.kind import installed_kinds
from jobs.models import Attempt, Status
from jobs.web.styles import CORE, sheets
from tests.processes import ROOT

pytestmark = pytest.mark.apart

CORE_APP = "jobs"
FROM_DJANGO = {"errorlist", "nonfield"}
"""Classes that only Django's own templates write: on the errors of a form."""


def app_of(path: Path) -> str:
    """Whose file it is: a kind's folder, the sandbox, accounts; all else (the site's templates, too) is the core's."""
    place = re.match(r"jobs/kinds/\w+(?=/)|jobs/sandbox|accounts", path.relative_to(ROOT).as_posix())
    return place[0] if place else CORE_APP


def files(ending: str) -> list[Path]:
    """All files of the project with that ending."""
    return [path for folder in ("jobs", "accounts", "templates") for path in ROOT.glob(f"{folder}/**/*.{ending}")]


def classes_of_sheet(css: str) -> list[set[str]]:
    """The classes that the selectors of each of its rules name."""
    bare = re.sub(r"/\*.*?\*/|\"[^\"]*\"|'[^']*'", "", css, flags=re.S)
    preludes = [prelude for prelude in re.findall(r"([^{};]+)\{", bare) if not prelude.lstrip().startswith("@")]
    return [set(re.findall(r"\.(-?[A-Za-z_][\w-]*)", prelude)) for prelude in preludes]


def words_of_the_lab() -> set[str]:
    """Every word in a text of the lab's code: the tones of its charts are among them."""
    trees = [ast.parse(path.read_text()) for path in ROOT.glob("jobs/kinds/lab/**/*.py")]
    constants = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return {word for text in constants if isinstance(text, str) for word in text.split()}


COMPUTED: dict[str, Callable[[], set[str]]] = {
    "job.status": lambda: set(Status.values),
    "attempt.outcome": lambda: set(Attempt.Outcome.values),
    "message.level_tag": lambda: set(DEFAULT_TAGS.values()),
    "file.type": lambda: {"image", "video", "audio"},
    "result.type": lambda: {"image", "video", "audio"},
    "one.tone": words_of_the_lab,
}
"""What stands in {{ }} in a class attribute of a template, and which classes that can be."""


def classes_of_template(html: str) -> set[str]:
    """The classes that its elements can have. Raises KeyError for a {{ }} that COMPUTED does not know."""
    attributes = re.findall(r'\bclass="((?:\{%.*?%\}|\{\{.*?\}\}|[^"])*)"', html)
    found = {word for value in attributes for word in re.sub(r"\{[%{].*?[%}]\}", " ", value).split()}
    computed = [name for value in attributes for name in re.findall(r"\{\{\s*([\w.]+)", value)]
    return found.union(*(COMPUTED[name]() for name in computed))


def classes_of_script(source: str) -> set[str]:
    """The classes that a script puts on elements."""
    texts = re.findall(r"\bclass(?:Name\s*=|List\.\w+\()\s*[\"'`]([^\"'`]*)", source)
    return {word for text in texts for word in text.split()}


def classes_of_code(source: str) -> set[str]:
    """The classes in the HTML that Python code writes."""
    return {word for text in re.findall(r"class=[\"']([^\"'{]*)[\"']", source) for word in text.split()}


def uses() -> dict[str, set[str]]:
    """Which classes each app uses."""
    found: dict[str, set[str]] = {CORE_APP: set(FROM_DJANGO)}
    for ending, read in (("html", classes_of_template), ("js", classes_of_script), ("py", classes_of_code)):
        for path in files(ending):
            found.setdefault(app_of(path), set()).update(read(path.read_text()))
    return found


def unused(app: str, css: str, used: dict[str, set[str]]) -> set[str]:
    """The classes in a sheet of an app that nothing of it uses.

    The core's sheets are for all apps. A rule with a class of the app's own may name what the core puts inside it.
    """
    rules = classes_of_sheet(css)
    if app == CORE_APP:
        return set().union(*rules) - set().union(*used.values())
    own, either = used[app], used[app] | used[CORE_APP]
    return set().union(*(names - (either if names & own else own) for names in rules))


def others(css: str, used: dict[str, set[str]]) -> dict[str, str]:
    """Classes in a sheet of the core that one other app alone uses, and that app."""
    named = set().union(*classes_of_sheet(css))
    users = {name: [app for app, names in used.items() if name in names] for name in named}
    return {name: apps[0] for name, apps in users.items() if len(apps) == 1 and apps != [CORE_APP]}


def own_sheets() -> Iterator[tuple[str, Path]]:
    """Each sheet of the project with its app."""
    yield from ((app_of(path), path) for path in files("css"))


def test_every_class_in_a_sheet_is_used_by_the_app_that_it_lies_with() -> None:
    used = uses()
    found = {path.name: names for app, path in own_sheets() if (names := unused(app, path.read_text(), used))}
    assert found == {}


def test_the_cores_sheets_hold_no_rule_for_one_other_app_alone() -> None:
    used = uses()
    found = {
        path.name: names for app, path in own_sheets() if app == CORE_APP and (names := others(path.read_text(), used))
    }
    assert found == {}


def test_both_rules_can_fail() -> None:
    used = {CORE_APP: {"card"}, "jobs/kinds/a": {"card", "loud"}, "jobs/kinds/b": {"quiet"}}
    assert unused(CORE_APP, "/* .no */ .card > a:not(.old), .loud { margin: .5rem }", used) == {"old"}
    assert unused("jobs/kinds/b", "@media (min-width: 1.5rem) { .loud::after { content: '.x { ' } }", used) == {"loud"}
    assert unused("jobs/kinds/b", ".card { color: red } .quiet .card { color: red }", used) == {"card"}
    assert others(".card .loud, .quiet { color: red } .card { color: red }", used) == {
        "loud": "jobs/kinds/a",
        "quiet": "jobs/kinds/b",
    }


def test_classes_are_found_in_templates_scripts_and_code() -> None:
    template = '<p class="a {% if x == "y" %}b{% else %}c{% endif %} {{ job.status }}"></p>'
    assert classes_of_template(template) == {"a", "b", "c", *Status.values}
    assert classes_of_script('row.classList.toggle("over", x); part.className = "linked"; f("no")') == {
        "over",
        "linked",
    }
    assert classes_of_code("""html = '<i class="hint">{}</i>'""") == {"hint"}


def test_every_sheet_is_linked_by_all_pages_or_by_a_template() -> None:
    templates = "".join(path.read_text() for path in files("html"))
    paths = [path.as_posix().split("/static/")[1] for _, path in own_sheets()]
    assert {path for path in paths if f'static "{path}"' not in templates} == set(sheets())


def test_a_page_links_each_sheet_once_and_the_cores_first(client: Client, db) -> None:
    hrefs = re.findall(r'<link rel="stylesheet" href="([^"]+)">', client.get("/").content.decode())
    kinds = {kind.stylesheet for kind in installed_kinds()} - {""}
    assert len(hrefs) == len(CORE) + len(kinds)
    assert [href.removeprefix("/static/") for href in hrefs[: len(CORE)]] == list(CORE)
