"""What people and programs do with jobs over HTTP: submit, follow, try again, cancel. docs/http.md is the contract.

Each view reads the request, calls the lifecycle and answers. A job is only ever looked up through `jobs_of`, so that
somebody else's does not exist (404).
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render, resolve_url
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ..core import lifecycle, quotas
from ..core.actions import RETRIABLE
from ..kind import Kind, KindForm, kind_named
from ..models import Job, JobQuerySet
from ..storable import Unstorable
from . import access, job_list, job_status, submit_request
from .access import UNSEEN, jobs_of, listed
from .answers import EVERYWHERE, errors, no_room, wants_json
from .navigation import offered
from .polling import AT_ONCE, asked_for
from .schedule_form import ScheduleForm

LATEST = 5
"""Jobs on the start page."""

Params = ParamSpec("Params")


class SignedInRequest(HttpRequest):
    """A request that has passed `signed_in`."""

    user: AbstractBaseUser  # type: ignore[assignment]  # whatever the site's user model is


def signed_in(
    view: Callable[Concatenate[SignedInRequest, Params], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, Params], HttpResponseBase]:
    """Let only signed-in people in: a browser is led to the sign-in page, a program is told 401."""

    @wraps(view)
    def guarded(request: Any, /, *args: Params.args, **kwargs: Params.kwargs) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if wants_json(request):
            return errors({EVERYWHERE: [_("Sign in first.")]}, 401)
        return redirect_to_login(request.get_full_path())

    return guarded


def _mine(request: HttpRequest) -> JobQuerySet:
    """The jobs of whoever asks."""
    return jobs_of(request).defer(*UNSEEN)


# --- Submit ----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, no_cache=True)
@signed_in
def new(request: SignedInRequest, name: str) -> HttpResponseBase:
    """The form of a kind, and the one place through which its jobs are submitted."""
    kind = kind_named(name)
    if kind is None or kind.form is None:
        raise Http404
    if request.method != "POST":
        # The address may fill in fields beforehand: ?value=7
        return _form_page(request, kind, kind.form(initial=request.GET.dict(), owner=request.user), ScheduleForm())
    try:
        asked = submit_request.parse(request, kind.name)
    except submit_request.Malformed as error:
        return _refused(request, kind, kind.form({}, owner=request.user), ScheduleForm({}), str(error), error.status)
    form = kind.form(asked.fields, asked.files, owner=request.user)
    schedule = ScheduleForm(asked.fields)
    try:
        accepted = _submit(request.user, kind, form, schedule, asked)
    except lifecycle.KeyReused:
        text = _("This Idempotency-Key was used before, for something else. Use a new key for a new submit.")
        return _refused(request, kind, form, schedule, text, 422)
    except Unstorable as error:
        return _refused(request, kind, form, schedule, str(error), 400)
    except quotas.QuotaExceeded as exceeded:
        return no_room(request, exceeded, partial(_no_room_page, request, kind, form, schedule, exceeded))
    if accepted is None:
        return _refused(request, kind, form, schedule, None, 400)
    return _accepted(request, accepted)


def _submit(
    owner: AbstractBaseUser, kind: Kind, form: KindForm, schedule: ScheduleForm, asked: submit_request.SubmitRequest
) -> lifecycle.Accepted | None:
    """Hand the jobs of a valid form to the lifecycle, once for each key; None if the form is not valid.

    Files that the form stored and no job needs are discarded. Raises what `lifecycle.submit` raises, and
    quotas.QuotaExceeded; by then nothing is stored, and no file read but its beginning.
    """
    # A repetition finds its jobs, whatever else its owner has no room for.
    may_be_known = asked.key_start and (not asked.files or lifecycle.may_know(owner, asked.key_start))
    if may_be_known and (earlier := lifecycle.find(owner, asked.key, asked.fingerprint)):
        return earlier
    if not (schedule.is_valid() & form.is_valid()):
        return None
    quotas.check(owner.pk, [*quotas.for_jobs(kind, form.count()), *form.uses()])
    key, fingerprint = asked.key, asked.fingerprint  # before the files are moved
    accepted = None
    try:
        accepted = lifecycle.submit(
            kind,
            form.submissions(),
            owner=owner,
            idempotency_key=key,
            fingerprint=fingerprint,
            run_at=schedule.cleaned_data["run_at"],
        )
    finally:
        if accepted is None or accepted.repeated:
            form.discard()
    return accepted


def _accepted(request: HttpRequest, accepted: lifecycle.Accepted) -> HttpResponse:
    """303 to where the outcome will be, or 202 with the status of each job."""
    if not accepted.jobs:
        raise Http404
    together = accepted.submit if len(accepted.jobs) > 1 else None
    page = (together or accepted.jobs[0]).get_absolute_url()
    if not wants_json(request):
        return HttpResponseRedirect(page, status=303)
    # Read again for what only the database knows: the times.
    jobs = list(_mine(request).filter(pk__in=[job.pk for job in accepted.jobs]).order_by("created_at", "pk"))
    if not jobs:
        raise Http404
    body = job_status.bodies(jobs) if together else job_status.body(jobs[0])
    status = page if together else reverse("offload:status", args=[jobs[0].pk])
    return JsonResponse(body, status=202, headers=job_status.accepted_headers(jobs, status))


def _form_page(
    request: HttpRequest, kind: Kind, form: KindForm, schedule: ScheduleForm, status: int = 200
) -> HttpResponse:
    """The page of a form. A kind may bring its own, named <kind>/new.html, which extends the core's."""
    key = request.POST.get(submit_request.FORM_KEY) or uuid4().hex
    context = {
        "kind": kind,
        "form": form,
        "schedule": schedule,
        "form_key_name": submit_request.FORM_KEY,
        "form_key": key,
    }
    return render(request, [f"{kind.name}/new.html", "offload/new.html"], context, status=status)


def _refused(
    request: HttpRequest, kind: Kind, form: KindForm, schedule: ScheduleForm, text: str | None, status: int
) -> HttpResponse:
    """The form again with its errors, or the errors by field as JSON. text: a sentence about the submit as a whole."""
    if wants_json(request):
        return errors({EVERYWHERE: [text]} if text else {**form.errors, **schedule.errors}, status)
    if text:
        form.add_error(None, text)
    return _form_page(request, kind, form, schedule, status)


def _no_room_page(
    request: HttpRequest, kind: Kind, form: KindForm, schedule: ScheduleForm, exceeded: quotas.QuotaExceeded
) -> HttpResponse:
    """The form again, with what was typed."""
    form.add_error(exceeded.field or None, str(exceeded))
    return _form_page(request, kind, form, schedule)


# --- Follow ----------------------------------------------------------------------------------------------------------


@require_safe
@cache_control(private=True, no_cache=True)
def detail(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """A job's page."""
    return _job_page(request, get_object_or_404(_mine(request), pk=job_id))


def _job_page(
    request: HttpRequest, job: Job, schedule: ScheduleForm | None = None, status: int = 200, trouble: str = ""
) -> HttpResponse:
    """schedule: the form for another start, with the errors of what was entered. trouble: what could not be done."""
    if job.is_scheduled and schedule is None:
        schedule = ScheduleForm(initial={"run_at": job.run_at})
    context = {
        "job": job,
        "unfinished": not job.is_finished and schedule is None,
        "schedule": schedule,
        "together": job.submit_id and _mine(request).filter(submit=job.submit_id).exclude(pk=job.pk).exists(),
        # Asked here, since a template would call the form's class.
        "again": job.the_kind and job.the_kind.form is not None,
        "trouble": trouble,
    }
    return render(request, "offload/detail.html", context, status=status)


@require_safe
def status(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """A job's status as JSON; `as=card` or `as=line` adds the HTML that shows it."""
    return job_status.one_response(request, get_object_or_404(_mine(request), pk=job_id))


@require_safe
def statuses(request: HttpRequest) -> HttpResponse:
    """The status of several jobs (`?id=…&id=…`) as JSON: one request for all that a page shows. See jobs.web.polling.

    `as` as above; `only=changes` leaves out what the request's If-None-Match names.
    """
    try:
        ids = asked_for(request)
    except ValueError:
        return errors({"id": [_("An id looks like %(id)s.") % {"id": "7b4c9a0e-1f0c-4c60-9a53-0d9c1e7b4c9a"}]}, 400)
    if not 1 <= len(ids) <= AT_ONCE:
        return errors({"id": [_("Ask for 1 to %(number)s jobs at once.") % {"number": AT_ONCE}]}, 400)
    jobs = access.find(ids, access.who(request))
    response = job_status.several_response(request, jobs, gone=ids - {job.pk for job in jobs})
    return access.vouch(request, response)


@require_safe
@cache_control(private=True, no_cache=True)
def submit(request: HttpRequest, submit_id: UUID) -> HttpResponse:
    """The jobs of one submit together. A kind may bring its own page, named <kind>/submit.html, as for its form."""
    jobs = list(_mine(request).filter(submit=submit_id).order_by("created_at", "pk"))
    if not jobs:
        raise Http404
    if wants_json(request):
        return JsonResponse(job_status.bodies(jobs))
    return _submit_page(request, submit_id, jobs)


def _submit_page(request: HttpRequest, submit_id: UUID, jobs: list[Job], trouble: str = "") -> HttpResponse:
    """trouble: what could not be done."""
    unfinished = any(not job.is_finished for job in jobs)
    context = {"submit_id": submit_id, "jobs": jobs, "unfinished": unfinished, "trouble": trouble}
    return render(request, [f"{jobs[0].kind}/submit.html", "offload/submit.html"], context)


@require_safe
@cache_control(private=True, no_cache=True)
@signed_in
def my_jobs(request: SignedInRequest) -> HttpResponse:
    """My jobs, newest first, filtered and searched as the query asks."""
    asked = job_list.Filters(request.GET)
    if "after" in asked.errors:
        raise Http404
    if not asked.is_valid():
        return render(request, "offload/list.html", {"filters": asked}, status=400)
    page = job_list.page_of(listed(request).defer(*UNSEEN), asked)
    return render(request, "offload/list.html", {"filters": asked, "page": page, "offered": offered()})


@require_safe
@cache_control(private=True, no_cache=True)
@signed_in
def usage(request: SignedInRequest) -> HttpResponse:
    """How much I have and use of what I may, as a page or as JSON."""
    standings = quotas.standings(request.user.pk)
    if wants_json(request):
        return JsonResponse({one.quota.name: {"used": one.used, "most": one.most or None} for one in standings})
    return render(request, "offload/usage.html", {"standings": standings})


@require_safe
@cache_control(private=True, no_cache=True)
def home(request: HttpRequest) -> HttpResponse:
    """The start page: what this is, what can be done here, and my latest jobs."""
    latest = listed(request).defer(*UNSEEN).order_by("-created_at", "-pk")[:LATEST]
    context = {"jobs": latest, "offered": offered(), "sign_in": resolve_url(settings.LOGIN_URL)}
    return render(request, "offload/home.html", context)


# --- Change ----------------------------------------------------------------------------------------------------------


@require_POST
def retry(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Run a failed job again."""
    job = get_object_or_404(_mine(request), pk=job_id)
    try:
        _check_retries([job])
    except quotas.QuotaExceeded as exceeded:
        return no_room(request, exceeded, partial(_job_page, request, job, trouble=str(exceeded)))
    too_late = "" if _retried([job]) else _("This job can't be tried again as it stands now.")
    return _back(request, job, too_late)


@require_POST
def retry_failed(request: HttpRequest, submit_id: UUID) -> HttpResponse:
    """Run those jobs of a submit again that failed; what became of the others stays."""
    jobs = _mine(request).filter(submit=submit_id)
    if not jobs.exists():
        raise Http404
    failed = list(jobs.filter(RETRIABLE).order_by("created_at", "pk"))
    try:
        _check_retries(failed)
    except quotas.QuotaExceeded as exceeded:
        return no_room(request, exceeded, partial(_submit_page, request, submit_id, list(jobs), str(exceeded)))
    if not _retried(failed):
        too_late = _("None of these jobs can be tried again as they stand now.")
        if wants_json(request):
            return errors({EVERYWHERE: [too_late]}, 409)
        messages.warning(request, too_late)
    if wants_json(request):
        return JsonResponse(job_status.bodies(jobs.order_by("created_at", "pk")))
    return HttpResponseRedirect(reverse("offload:submit", args=[submit_id]), status=303)


def _check_retries(failed: list[Job]) -> None:
    """Make sure that the jobs' owner has room for another try of each. Raises quotas.QuotaExceeded."""
    kinds = [job.the_kind for job in failed if job.the_kind]
    uses = {use.quota.name: use for kind in kinds for use in quotas.for_jobs(kind, len(failed))}
    quotas.check(failed[0].owner_id if failed else None, uses.values())


def _retried(failed: list[Job]) -> bool:
    """Run failed jobs of one owner again, which counts as submitting them anew. False: none of them could be."""
    retried = [job for job in failed if lifecycle.retry(job.pk)]
    if retried and (owner_id := retried[0].owner_id):
        quotas.meter(owner_id, quotas.PACE, len(retried))
    return bool(retried)


@require_POST
def cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Cancel a job that waits, ask one that runs to stop, or give up one that failed and keeps others waiting."""
    job = get_object_or_404(_mine(request), pk=job_id)
    too_late = "" if lifecycle.cancel(job.pk) else _("It was too late to cancel this job: it has ended already.")
    return _back(request, job, too_late)


@require_POST
def reschedule(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Change when a job starts that has not started yet (`run_at`; empty: at once)."""
    job = get_object_or_404(_mine(request), pk=job_id)
    try:
        schedule = ScheduleForm(submit_request.parse(request, job.kind).fields)
    except submit_request.Malformed as error:
        return errors({EVERYWHERE: [str(error)]}, error.status)
    if not schedule.is_valid():
        if wants_json(request):
            return errors(schedule.errors, 400)
        return _job_page(request, job, schedule, 400)
    moved = lifecycle.reschedule(job.pk, schedule.cleaned_data["run_at"])
    return _back(request, job, "" if moved else _("It was too late to change the start of this job."))


@require_POST
def skip(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Let the jobs behind a failed one run."""
    job = get_object_or_404(_mine(request), pk=job_id)
    too_late = "" if lifecycle.skip(job.pk) else _("No job waits behind this one any more.")
    return _back(request, job, too_late)


def _back(request: HttpRequest, job: Job, too_late: str) -> HttpResponse:
    """Back to the job's page, or its status as JSON. too_late: a sentence when the job had moved on."""
    if wants_json(request):
        if too_late:
            return errors({EVERYWHERE: [too_late]}, 409)
        return JsonResponse(job_status.body(_mine(request).get(pk=job.pk)))
    if too_late:
        messages.warning(request, too_late)
    return HttpResponseRedirect(job.get_absolute_url(), status=303)


# --- Refusals of the site --------------------------------------------------------------------------------------------


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The answer to a POST without a valid CSRF token (setting CSRF_FAILURE_VIEW)."""
    if wants_json(request):
        said = _("Send the value of the cookie %(name)s in the X-CSRFToken header.")
        return errors({EVERYWHERE: [said % {"name": settings.CSRF_COOKIE_NAME}]}, 403)
    return render(request, "403_csrf.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The answer where nothing is, or nothing of this person's (handler404)."""
    if wants_json(request):
        return errors({EVERYWHERE: [_("There is nothing here, or it belongs to somebody else.")]}, 404)
    return render(request, "404.html", status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The answer to a request that can't be read (handler400)."""
    status = 413 if isinstance(exception, RequestDataTooBig) else 400
    if wants_json(request):
        return errors({EVERYWHERE: [_("The request can't be read.")]}, status)
    return render(request, "400.html", status=status)
