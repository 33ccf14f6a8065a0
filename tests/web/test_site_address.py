"""Links are made of the site's own address, whatever a request says of its host."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from jobs.web.site_address import middleware
from tests.conftest import Offload


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "offload.example", "testserver"]


def link(host: str) -> str:
    """A link as it is made for mails, in the answer to a request that says it went to this host."""

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.build_absolute_uri("/reset/"))

    request = RequestFactory().get("/", HTTP_HOST=host, HTTP_X_FORWARDED_HOST="evil.example")
    answer = middleware(view)(request)
    assert isinstance(answer, HttpResponse)
    return answer.content.decode()


def test_a_link_leads_to_the_site_whatever_port_the_request_names(offload: Offload) -> None:
    offload(SITE_ADDRESS="https://offload.example")
    assert link("localhost:6666") == "http://offload.example/reset/"
    offload(SITE_ADDRESS="https://offload.example:8443")
    assert link("offload.example") == "http://offload.example:8443/reset/"


def test_without_a_site_address_a_link_leads_where_the_request_went(offload: Offload) -> None:
    offload(SITE_ADDRESS="")
    assert link("localhost:6666") == "http://localhost:6666/reset/"


@pytest.mark.django_db
def test_a_host_that_is_none_of_ours_is_refused_as_before(client: Client, offload: Offload) -> None:
    offload(SITE_ADDRESS="https://offload.example")
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
