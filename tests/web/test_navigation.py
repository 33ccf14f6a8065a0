"""The navigation that every page of the site draws."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from jobs.kind import installed_kinds
from jobs.web.navigation import site

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]

PAGE = "/time-zone/"
"""A page that links to nothing of the kinds by itself."""


def links(client: Client) -> set[str]:
    """Where the links of a page lead."""
    answer = client.get(PAGE)
    assert answer.status_code == 200
    return set(re.findall(r'href="([^"]+)"', answer.content.decode()))


def test_the_kinds_that_people_may_ask_for_are_offered_and_no_others(ann):
    forms = {f"/jobs/new/{kind.name}/" for kind in installed_kinds() if kind.form}
    assert len(forms) < len(list(installed_kinds()))
    assert {link for link in links(ann) if link.startswith("/jobs/new/")} == forms


def test_every_link_that_a_kind_brings_is_there_and_leads_to_a_page(ann):
    addresses = {reverse(name) for kind in installed_kinds() for _, name in kind.nav}
    assert {"/arithmetic/", "/media/"} <= addresses <= links(ann)
    assert {ann.get(address).status_code for address in addresses} == {200}


def test_whoever_is_not_signed_in_is_offered_nothing_that_asks_for_it(client):
    addresses = {reverse(name) for kind in installed_kinds() for _, name in kind.nav}
    assert not {link for link in links(client) if link.startswith("/jobs/") or link in addresses}


def test_the_sandbox_is_linked_while_it_is_on(client, offload):
    assert reverse("sandbox:home") in links(client)
    offload(SANDBOX=False)
    assert reverse("sandbox:home") not in links(client)


def test_templates_are_told_the_labels_in_the_order_of_the_kinds(rf):
    told = site(rf.get("/"))["site"]
    assert [kind.label for kind in told["forms"]] == [kind.label for kind in installed_kinds() if kind.form]
    assert told["links"] == [link for kind in installed_kinds() for link in kind.nav]
