"""What staff see: every job with its attempts, to read; and what may be done with it, which the lifecycle does.

Payloads may carry secrets (a confirmation link, a token) and are never loaded here. Lists stay quick over a million
rows: nothing counts or groups the whole table.
"""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from .core import lifecycle, quotas
from .core.actions import Action, actions_for
from .kind import Queue, installed_kinds
from .models import Attempt, Job, QuotaException, Submit, Worker
from .sentences import Text
from .staff.read_only import ReadOnly, search_by_owner

COUNT_UP_TO = 10_000
"""Rows of a list that can be paged through; beyond, search and filters lead on."""

MOVE_AT_ONCE = 1_000
"""Jobs that one action moves: as many as fit well into one request."""

BUTTONS: dict[Action, Text] = {
    Action.RETRY: _("Try this job again"),
    Action.SKIP: _("Let the jobs behind it run"),
    Action.CANCEL: _("Cancel this job"),
}
"""What staff may do with the job of a page. Another start is its owner's choice, and so is deleting it."""


class CappedPaginator(Paginator):
    """Counts no further than COUNT_UP_TO."""

    @cached_property
    def count(self) -> int:
        """The number of rows, at most COUNT_UP_TO."""
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[:COUNT_UP_TO].count()


def _pre(text: str) -> str:
    return format_html("<pre>{}</pre>", text) if text else "–"


def _pretty(value: Any) -> str:
    return _pre("" if value is None else json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True))


class KindFilter(admin.SimpleListFilter):
    """By kind, from those installed: no query is needed to draw it."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The installed kinds' names and labels."""
        return [(kind.name, str(kind.label)) for kind in installed_kinds()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """The jobs of the chosen kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


class QueueFilter(admin.SimpleListFilter):
    """By the queue in which the job stands or stood."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The queues."""
        return [(queue.value, queue.value) for queue in Queue]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """The jobs of the chosen queue."""
        return queryset.filter(queue=self.value()) if self.value() else queryset


class AttemptInline(ReadOnly, admin.StackedInline):
    """The history of a job: each try, with its traceback."""

    model = Attempt
    extra = 0
    can_delete = False
    fields = readonly_fields = (
        "number",
        "outcome",
        "worker",
        "started_at",
        "ended_at",
        "error_code",
        "error_text",
        "the_traceback",
    )

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Attempt]":
        """With what words their errors: the kind of their job."""
        return super().get_queryset(request).select_related("job").defer("job__payload_text")

    def has_view_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """Whoever may see the job may see its attempts."""
        return bool(request.user.has_perm("offload.view_job"))

    @admin.display(description=_("traceback"))
    def the_traceback(self, attempt: Attempt) -> str:
        """The traceback as it was printed."""
        return _pre(attempt.traceback)


@admin.register(Job)
class JobAdmin(ReadOnly, admin.ModelAdmin):
    """Jobs: find one, read all about it but its payload, ask for another try, cancel."""

    list_display = (
        "short_id",
        "kind_label",
        "status",
        "title",
        "owner",
        "resource",
        "attempt",
        "run_at",
        "created_at",
        "finished_at",
        "worker",
    )
    list_filter = ("status", KindFilter, QueueFilter, "created_at")
    list_select_related = ("owner",)
    list_per_page = 50
    view_on_site = False
    search_fields = ("title", search_by_owner(), "resource", "error_code")
    search_help_text = format_lazy(
        _(
            "A job's id, or a part of its title, of its owner's e-mail address, of its resource or of its error code. "
            "A list ends after {count} jobs: narrow it to reach older ones."
        ),
        count=f"{COUNT_UP_TO:,}",
    )
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    sortable_by = ("created_at",)
    paginator = CappedPaginator
    actions = ("retry", "skip", "cancel")
    inlines = (AttemptInline,)
    fieldsets = (
        (None, {"fields": ("id", "title", "kind", "queue", "status", "owner", "visitor", "submit")}),
        (
            _("Outcome"),
            {"fields": ("the_result", "stored_bytes", "error_code", "error_text", "can_retry", "the_traceback")},
        ),
        (_("Progress"), {"fields": ("progress_percent", "progress_text", "attempt", "max_attempts", "the_kept")}),
        (
            _("Place in line"),
            {
                "fields": (
                    "resource",
                    "position",
                    "has_turn",
                    "holds_line",
                    "after",
                    "awaited",
                    "run_at",
                    "run_at_reason",
                )
            },
        ),
        (_("Worker"), {"fields": ("worker", "time_limit", "lease_until", "deadline")}),
        (_("Times"), {"fields": ("created_at", "started_at", "cancel_asked_at", "finished_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """All jobs, without their payloads."""
        return super().get_queryset(request).defer("payload_text")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """A whole id finds its job by the primary key; anything else is looked for in `search_fields`."""
        try:
            return queryset.filter(pk=UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    def has_move_permission(self, request: HttpRequest) -> bool:
        """Who may retry and cancel: staff with the model's change permission, though nobody edits fields."""
        return bool(request.user.has_perm("offload.change_job"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        """One job. Its page offers the actions to those who may use them."""
        buttons: list[tuple[str, Text]] = []
        job = self.get_object(request, object_id) if self.has_move_permission(request) else None
        if job is not None:
            buttons = [(action, BUTTONS[action]) for action in actions_for(job) if action in BUTTONS]
        context = {**(extra_context or {}), "buttons": buttons}
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("id"))
    def short_id(self, job: Job) -> str:
        """Enough of the id to tell jobs apart by eye."""
        return str(job.pk)[:8]

    @admin.display(description=_("kind"), ordering="kind")
    def kind_label(self, job: Job) -> str:
        """What people call the kind."""
        return job.kind_label

    @admin.display(description=_("result"))
    def the_result(self, job: Job) -> str:
        """The result as indented JSON."""
        return _pretty(job.result)

    @admin.display(description=_("kept between attempts"))
    def the_kept(self, job: Job) -> str:
        """What attempts kept for the next, as indented JSON."""
        return _pretty(job.kept or None)

    @admin.display(description=_("traceback"))
    def the_traceback(self, job: Job) -> str:
        """The traceback as it was printed."""
        return _pre(job.traceback)

    @admin.action(description=_("Retry failed jobs"), permissions=["move"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Failed → pending."""
        self._move(request, queryset, lifecycle.retry, _("%(jobs)s will be tried again."), _("failed"))

    @admin.action(description=_("Let the jobs behind failed ones run"), permissions=["move"])
    def skip(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Failed, stays failed: its line goes on."""
        done = _("%(jobs)s skipped: the jobs behind go on.")
        self._move(request, queryset, lifecycle.skip, done, _("failed and holding a line"))

    @admin.action(description=_("Cancel waiting or running jobs"), permissions=["move"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Pending → cancelled; a running job is asked to stop."""
        done = _("%(jobs)s cancelled or told to stop.")
        self._move(request, queryset, lifecycle.cancel, done, _("waiting or running"))

    def _move(
        self,
        request: HttpRequest,
        queryset: QuerySet[Job],
        verb: Callable[[UUID], bool],
        done: Text,
        source: Text,
    ) -> None:
        """Apply a verb of the lifecycle to each job, oldest first so that jobs on one resource keep their order."""
        ids = list(queryset.order_by("created_at").values_list("pk", flat=True)[: MOVE_AT_ONCE + 1])
        moved = [verb(job_id) for job_id in ids[:MOVE_AT_ONCE]]
        if count := moved.count(True):
            self.message_user(request, done % {"jobs": _jobs(count)}, messages.SUCCESS)
        if count := moved.count(False):
            text = _("%(jobs)s stayed as before: too late, not %(source)s any more.")
            self.message_user(request, text % {"jobs": _jobs(count), "source": source}, messages.WARNING)
        if len(ids) > MOVE_AT_ONCE:
            text = _("More than %(most)s jobs were chosen and the oldest were taken: run the action again.")
            self.message_user(request, text % {"most": f"{MOVE_AT_ONCE:,}"}, messages.WARNING)


def _jobs(count: int) -> str:
    return ngettext("%(number)s job", "%(number)s jobs", count) % {"number": f"{count:,}"}


class JobInline(ReadOnly, admin.TabularInline):
    """The jobs that one submit made."""

    model = Job
    extra = 0
    can_delete = False
    view_on_site = False
    show_change_link = True
    fields = readonly_fields = ("status", "resource", "attempt", "created_at", "finished_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """The jobs, without their payloads."""
        return super().get_queryset(request).defer("payload_text")


@admin.register(Submit)
class SubmitAdmin(ReadOnly, admin.ModelAdmin):
    """Submits, each with the jobs it made."""

    list_display = ("id", "kind", "owner", "created_at")
    list_select_related = ("owner",)
    search_fields = ("=id", search_by_owner())
    show_full_result_count = False
    paginator = CappedPaginator
    view_on_site = False
    inlines = (JobInline,)


@admin.register(Worker)
class WorkerAdmin(ReadOnly, admin.ModelAdmin):
    """Worker processes and their last signs of life; the monitor shows what they do."""

    list_display = ("name", "role", "concurrency", "started_at", "seen_at", "dropped")
    list_filter = ("role",)


class QuotaExceptionForm(forms.ModelForm):
    """Offers the quotas that there are."""

    quota = forms.ChoiceField(
        label=_("Quota"), choices=lambda: [(quota.name, quota.label) for quota in quotas.all_quotas()]
    )


@admin.register(QuotaException)
class QuotaExceptionAdmin(admin.ModelAdmin):
    """What a person or a group may have in place of what the options say; and what the person has now."""

    form = QuotaExceptionForm
    fields = ("quota", "user", "group", "most", "their_use")
    readonly_fields = ("their_use",)
    raw_id_fields = ("user",)
    list_display = ("quota", "user", "group", "most")
    list_filter = ("quota",)
    list_select_related = ("user", "group")
    search_fields = (search_by_owner("user"), "group__name")
    view_on_site = False

    @admin.display(description=_("what the person uses"))
    def their_use(self, exception: QuotaException) -> str:
        """Of all quotas; nothing for a group, whose members each have their own."""
        if exception.user_id is None:
            return "–"
        lines = ((one.quota.label, one) for one in quotas.standings(exception.user_id))
        return format_html_join("", "<p>{}: {}</p>", lines)
