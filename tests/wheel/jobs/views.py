"""Pages of vacancies."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from .models import Job


def vacancies(request: HttpRequest) -> HttpResponse:
    """All of them."""
    return render(request, "jobs/list.html", {"jobs": Job.objects.all()})
