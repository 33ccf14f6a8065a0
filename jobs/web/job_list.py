"""The list of somebody's jobs: filtered, searched and paged at a cost that does not grow with their number.

One index (owner, -created_at, -id) answers for the order and for where a page begins. A filter or a search looks
through WINDOW jobs in that order and then stops; the next page goes on from there.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Case, Q, QuerySet, Value, When
from django.db.models.lookups import Exact
from django.http import Http404
from django.utils.translation import gettext_lazy as _

from ..kind import installed_kinds
from ..models import Job, JobQuerySet, Status

PAGE = 25
"""Jobs on one page."""
WINDOW = 10_000
"""Jobs that one request looks through at the most."""


class Filters(forms.Form):
    """What a person wants to see: jobs of one kind, in one status, with some words in their titles. All of it optional.

    after: the id of the last job of the page before.
    """

    q = forms.CharField(max_length=100, required=False, label=_("Title contains"), widget=forms.SearchInput)
    kind = forms.ChoiceField(required=False, label=_("Kind"))
    status = forms.ChoiceField(required=False, label=_("Status"), choices=[("", _("Any")), *Status.choices])
    after = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = sorted(((kind.name, str(kind.label)) for kind in installed_kinds()), key=lambda one: one[1])
        self.fields["kind"].choices = [("", _("Any")), *labels]  # type: ignore[attr-defined]

    def conditions(self) -> Q:
        """What a job must be like to be shown."""
        wanted = {
            "kind": self.cleaned_data["kind"],
            "status": self.cleaned_data["status"],
            "title__icontains": self.cleaned_data["q"],
        }
        return Q(**{name: value for name, value in wanted.items() if value})


@dataclass(frozen=True)
class Page:
    """A part of the list.

    jobs: at most PAGE of them. next: the job behind which the next page begins, None at the end of the list.
    looked_at: how many jobs were looked through in vain when `jobs` is not full although there are more, else None.
    is_filtered, is_first: whether a filter is on, and whether this is the first page.
    """

    jobs: list[Job]
    next: UUID | None
    looked_at: int | None
    is_filtered: bool
    is_first: bool


def page_of(jobs: JobQuerySet, filters: Filters) -> Page:
    """The page of `jobs` (all those of one owner) that valid `filters` ask for.

    Raises Http404 if `after` is not one of them.
    """
    after: UUID | None = filters.cleaned_data["after"]
    conditions = filters.conditions()
    # As a CASE, which no index answers: another one would lead through jobs of others, or past the window.
    wanted = Q(Exact(Case(When(conditions, Value(1)), default=Value(0)), 1)) if conditions else Q()
    rest = _behind(jobs, after)
    last = None
    if conditions:
        last = rest.values_list("pk", flat=True)[WINDOW - 1 : WINDOW].first()
    found = _up_to(rest, jobs, last) if last else rest
    rows = list(found.filter(wanted)[: PAGE + 1])
    shown, is_full = rows[:PAGE], len(rows) > PAGE
    return Page(
        jobs=shown,
        next=shown[-1].pk if is_full else last,
        looked_at=WINDOW if last and not is_full else None,
        is_filtered=bool(conditions),
        is_first=after is None,
    )


def _behind(jobs: JobQuerySet, after: UUID | None) -> JobQuerySet:
    """The jobs in the order of the list, from the one behind job `after` on."""
    ordered = jobs.order_by("-created_at", "-pk")
    if after is None:
        return ordered
    if not jobs.filter(pk=after).exists():
        raise Http404
    moment = _moment(jobs, after)
    # The first half is what the index can use; a mere OR would walk from the newest job to here.
    return ordered.filter(Q(created_at__lt=moment) | Q(pk__lt=after), created_at__lte=moment)


def _up_to(rest: JobQuerySet, jobs: JobQuerySet, last: UUID) -> JobQuerySet:
    """Those of `rest` that come before job `last`, and itself."""
    moment = _moment(jobs, last)
    return rest.filter(Q(created_at__gt=moment) | Q(pk__gte=last), created_at__gte=moment)


def _moment(jobs: JobQuerySet, job_id: UUID) -> QuerySet[Job, Any]:
    """When a job was accepted. Compared inside the database: as text, SQLite's own moments have fewer digits."""
    return jobs.filter(pk=job_id).order_by().values("created_at")[:1]
