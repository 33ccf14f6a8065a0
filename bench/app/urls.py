"""What a submit is compared with, in the same project: a view that only inserts a row."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils import timezone

from bench.app.kind import Asked, TextForm
from jobs.models import Job, Status


def insert(request: HttpRequest) -> HttpResponse:
    """Insert one row of a form, for somebody who is signed in. Nobody is to work on it: it is finished."""
    if not request.user.is_authenticated:
        return HttpResponse(status=400)
    form = TextForm(request.POST, owner=request.user)
    if not form.is_valid():
        return HttpResponse(status=400)
    (asked,) = form.submissions()
    job = Job(kind=Asked.name, queue=Asked.role.queue, owner=request.user, title=asked.title)
    job.status, job.has_turn, job.finished_at = Status.CANCELLED, False, timezone.now()
    job.payload = asked.payload
    job.save(force_insert=True)
    return HttpResponseRedirect(job.get_absolute_url(), status=303)


urlpatterns = [path("insert/", insert)]
