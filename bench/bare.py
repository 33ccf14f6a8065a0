"""A bare Django project on the tables of Offload's database: what a poll and a submit are compared with.

No middleware, no templates (see bench.bare_settings); each view does the one thing that its name says. The table `bare`
has the columns of a job, and no index but that of its key.
"""

from typing import Any

from django import forms
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import models
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils import timezone
from django.utils.decorators import decorator_from_middleware
from django.views.decorators.csrf import csrf_protect
from encrypted_fields.fields import EncryptedTextField

from jobs.models import Job


class Status(models.Model):  # noqa: DJ008
    """What a poll needs of a job's row."""

    id = models.UUIDField(primary_key=True)
    title = models.TextField()
    status = models.TextField()
    progress_percent = models.IntegerField()
    progress_said = models.JSONField()
    created_at = models.DateTimeField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()

    objects: models.Manager["Status"] = models.Manager()

    class Meta:
        app_label = "bare"
        managed = False
        db_table = "offload_job"


def _copy(field: Any) -> Any:
    if isinstance(field, EncryptedTextField):
        return models.TextField()
    if isinstance(field, models.ForeignKey):
        return type(field.target_field)(null=True, db_column=field.column)
    return field.clone()


Row: Any = type(
    "Row",
    (models.Model,),
    {
        "__module__": __name__,
        "Meta": type("Meta", (), {"app_label": "bare", "managed": False, "db_table": "bare"}),
        **{field.name: _copy(field) for field in Job._meta.concrete_fields},
    },
)


class Form(forms.Form):
    """One field, as the kind of the bench has."""

    text = forms.CharField(max_length=500)


def read(request: HttpRequest, row_id: Any) -> JsonResponse:
    """Read one row and tell it."""
    row = Status.objects.get(pk=row_id)
    response = JsonResponse(
        {
            "id": row.id,
            "title": row.title,
            "status": row.status,
            "progress": {"percent": row.progress_percent, "text": row.progress_said},
            "created_at": row.created_at,
            "started_at": row.started_at,
            "finished_at": row.finished_at,
        }
    )
    # Otherwise gunicorn sends it in chunks.
    response.headers["Content-Length"] = str(len(response.content))
    return response


def _insert(text: str, owner: int | None) -> HttpResponse:
    row = Row(kind="bench", queue="network", title=text, payload_text=f'{{"text": "{text}"}}', owner=owner)
    row.created_at = row.run_at = timezone.now()
    row.save(force_insert=True)
    return HttpResponse(status=303, headers={"Location": f"/{row.pk}/", "Content-Length": "0"})


def insert(request: HttpRequest) -> HttpResponse:
    """Insert one row, whoever asks."""
    return _insert("hello", None)


insert.csrf_exempt = True  # type: ignore[attr-defined]


@decorator_from_middleware(SessionMiddleware)
@decorator_from_middleware(AuthenticationMiddleware)
@csrf_protect
def insert_checked(request: HttpRequest) -> HttpResponse:
    """Insert one row of a form, for somebody who is signed in and sent the CSRF token."""
    form = Form(request.POST)
    if not request.user.is_authenticated or not form.is_valid():
        return HttpResponse(status=400)
    return _insert(form.cleaned_data["text"], request.user.pk)


urlpatterns = [
    path("read/<uuid:row_id>/", read),
    path("insert/", insert),
    path("insert-checked/", insert_checked),
]
