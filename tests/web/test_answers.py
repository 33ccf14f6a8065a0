"""The answer to an owner who has no room: 429 for programs and browsers alike."""

import json

from django.http import HttpResponse
from django.test import RequestFactory

from jobs.core.quotas import QuotaExceeded
from jobs.web.answers import no_room


def page() -> HttpResponse:
    return HttpResponse("a page")


def test_a_program_gets_the_sentence_at_its_field_and_when_to_come_again() -> None:
    request = RequestFactory().post("/", headers={"Accept": "application/json"})
    answer = no_room(request, QuotaExceeded("No room.", 3, "file", 12), page)
    assert (answer.status_code, answer["Retry-After"]) == (429, "12")
    assert json.loads(answer.content) == {"errors": {"file": ["No room."]}}


def test_a_browser_gets_a_page_and_no_hint_where_time_does_not_help() -> None:
    answer = no_room(RequestFactory().post("/"), QuotaExceeded("No room.", 3, "", None), page)
    assert (answer.status_code, answer.content) == (429, b"a page")
    assert "Retry-After" not in answer


def test_what_belongs_to_no_field_is_said_of_the_whole() -> None:
    request = RequestFactory().post("/", headers={"Accept": "application/json"})
    answer = no_room(request, QuotaExceeded("No room.", 3, "", None), page)
    assert json.loads(answer.content) == {"errors": {"__all__": ["No room."]}}
