"""What a run found, as its page draws and tells it."""

import re
from xml.etree import ElementTree

import pytest

from tests.kinds.lab.conftest import FOUND, succeeded

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


SVG = "{http://www.w3.org/2000/svg}"


def drawings(html: str) -> list[ElementTree.Element]:
    """The SVG elements of a page, read as XML."""
    found = re.findall(r"<svg role.*?</svg>", html, re.DOTALL)
    return [ElementTree.fromstring(one.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"')) for one in found]


@pytest.mark.parametrize("experiment", FOUND)
def test_a_run_is_drawn_with_a_title_and_told_in_a_table(ann, user, experiment):
    job = succeeded(user, experiment)
    page = ann.get(job.get_absolute_url()).content.decode()
    charts = drawings(page)
    assert charts
    named = set()
    for chart in charts:
        title, description = chart.find(f"{SVG}title"), chart.find(f"{SVG}desc")
        assert title is not None
        assert title.text
        assert description is not None
        assert description.text
        assert chart.attrib["role"] == "img"
        assert chart.attrib["aria-labelledby"] == title.attrib["id"]
        assert chart.attrib["aria-describedby"] == description.attrib["id"]
        named |= {title.attrib["id"], description.attrib["id"]}
        assert chart.findall(f"{SVG}rect")
    assert len(named) == 2 * len(charts)
    assert "<table" in page
    assert "style=" not in page


@pytest.mark.parametrize(("wall", "said"), [(1.0, False), (2.0, True)])
def test_a_run_that_other_work_disturbed_says_so(ann, user, monkeypatch, wall, said):
    monkeypatch.setitem(FOUND["locks"]["comparison"], "sequence", {"wall": wall, "cpu": 1.0})
    page = ann.get(succeeded(user, "locks").get_absolute_url()).content.decode()
    assert ("the machine was busy with other work" in page) is said


def test_figures_that_are_missing_are_no_fault(ann, user):
    page = ann.get(succeeded(user, "offload").get_absolute_url()).content.decode()
    assert "9 of 10" in page
    assert "none" in page


def test_the_race_says_how_often_what_came_out(ann, user):
    page = ann.get(succeeded(user, "race").get_absolute_url()).content.decode()
    assert "Without protection 2 of 3 runs ended with another number" in page
    assert "With both tasks on one resource, 0 of 3 did." in page
    assert "×5 reads 4" in page
