"""The rows: Job (the truth about one accepted piece of work), its attempts, and what coordinates the workers.

Only `jobs.core.lifecycle` writes a job's status. What must never be true is forbidden by the database itself, see
`Job.Meta.constraints`.
"""

import json
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from encrypted_fields.fields import EncryptedTextField

from .conf import options
from .kind import Kind, WaitReason, kind_named
from .storable import as_given
from .wording import worded

LARGEST_PAYLOAD = 32_000_000
"""Bytes of what a job is told to do: a mail with its attachments, say."""

_NONE = str(UUID(int=0))


@cache
def _page_of_none() -> str:
    """The address of the page of a job with the id _NONE. To look each job's up takes a tenth of the time of a poll."""
    return reverse("offload:detail", args=[_NONE])


class Status(models.TextChoices):
    """Where a job stands. docs/lifecycle.md draws the transitions."""

    PENDING = "pending", "Waiting"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


UNFINISHED = (Status.PENDING, Status.RUNNING)
TURN_ON_A_RESOURCE = Q(has_turn=True) & ~Q(resource="")
IN_A_LINE = Q(finished_at__isnull=True) & ~Q(resource="")
RUNNABLE = Q(status=Status.PENDING, has_turn=True, run_at__lte=Now())
"""What may start now: pending, due on the database's clock, and first on its resource."""


class Submit(models.Model):
    """One accepted submit of a form: the jobs it made belong together, and it can be repeated without harm.

    `idempotency_key` is the client's (draft-ietf-httpapi-idempotency-key-header), `fingerprint` a hash of the body that
    came with it.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=50)
    idempotency_key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="submit_key_once_for_each_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    def get_absolute_url(self) -> str:
        """The page that shows the jobs of this submit together."""
        return reverse("offload:submit", args=[self.id])


class Resource(models.Model):
    """A shared object's place in the order of acceptance; its row is the lock under which jobs queue up for it.

    on_hold: the sentence that says to their owners why no job on it runs until a person acts; None while they run.
    """

    name = models.CharField(max_length=200, primary_key=True)
    last_position = models.BigIntegerField(default=0)
    on_hold = models.JSONField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class JobQuerySet(models.QuerySet["Job"]):
    """The sets of jobs that the rest of the core talks about.

    Each says literally what the condition of its partial index says: SQLite draws no conclusions.
    """

    def runnable(self) -> "JobQuerySet":
        """May start now: see RUNNABLE."""
        return self.filter(RUNNABLE)

    def that_are(self, condition: Q) -> "JobQuerySet":
        """Those of some rows, known by their keys, for which the condition holds.

        The database looks at each of these rows and nowhere else. Said with `filter`, PostgreSQL may look for the
        condition in an index that was nearly empty when it gathered its statistics, and read all that is in there now.
        """
        return self.filter(Case(When(condition, then=Value(True)), default=Value(False)))

    def holding(self) -> "JobQuerySet":
        """Failed for good, and the line of their resource waits for somebody to decide what happens with them."""
        return self.filter(status=Status.FAILED, has_turn=True)

    def unfinished(self) -> "JobQuerySet":
        """Pending or running."""
        return self.filter(finished_at__isnull=True)

    def in_line(self, resource: str) -> "JobQuerySet":
        """Unfinished, on the resource."""
        return self.filter(IN_A_LINE, resource=resource)

    def first_on(self, resource: str) -> "JobQuerySet":
        """The one job that has the turn on the resource, if there is one."""
        return self.filter(TURN_ON_A_RESOURCE, resource=resource)


class Job(models.Model):
    """One accepted piece of work.

    owner / visitor: whose it is: a user, or (before there is one) the visitor token of a session.
    kind: which kind's code runs it. queue: where it stands in line (`jobs.kind.Queue`). Written at submit, like
        max_attempts and time_limit, and without `choices`, so that a new kind needs no migration.
    payload: what `Kind.run` reads; encrypted at rest. title: what the owner reads.
    resource, position: the shared object and the job's place in its order of acceptance (None without a resource).
    has_turn: it is the resource's first job that is unfinished or holds the line, and waits for nothing else. Without a
        resource: it is unfinished, and waits for nothing else.
    after: the job that has to succeed before this one may have its turn; None as soon as it has. awaited: it is some
        other job's `after`.
    holds_line: if it fails for good, the line behind it waits (Kind.holds_line).
    run_at: not before this moment, by the database's clock; the only clock for schedules and retries.
    run_at_reason: why then (WaitReason.SCHEDULED or RETRY), "" for at once.
    attempt: number of the newest attempt, 0 before the first: the fencing token. max_attempts: the last one allowed.
    time_limit: how long one attempt may take.
    lease_until, deadline, worker: while running: when the worker counts as lost, when time is up, who it is.
    cancel_asked_at: when its owner asked to stop it while it ran; None if nobody did.
    kept: what attempts stored for the next (Run.keep). progress_percent, progress_said: from Run.progress.
    stored_bytes: what its kind stores for it, as Submission and Run.stored told.
    result: JSON from Kind.run. error_code: for programs and staff; error_said: for the owner; traceback: for staff.
    What is said is stored as `jobs.sentences.Sentence` gives it, {} for nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    # The index of the list begins with the owner.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    visitor = models.CharField(max_length=32, blank=True, default="")
    submit = models.ForeignKey(Submit, models.SET_NULL, null=True, blank=True, related_name="jobs")

    kind = models.CharField(max_length=50)
    queue = models.CharField(max_length=20)
    payload_text = EncryptedTextField(editable=False)
    title = models.CharField(max_length=200)
    resource = models.CharField(max_length=200, blank=True, default="")
    position = models.BigIntegerField(null=True, blank=True)
    has_turn = models.BooleanField(default=True)
    holds_line = models.BooleanField(default=False)
    # Whoever deletes a job that another still waits for must say what becomes of that one.
    after = models.ForeignKey("self", models.RESTRICT, null=True, blank=True, related_name="followers", db_index=False)
    awaited = models.BooleanField(db_default=False)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    run_at = models.DateTimeField(db_default=Now())
    run_at_reason = models.CharField(max_length=20, blank=True, default="")
    attempt = models.PositiveIntegerField(default=0)
    max_attempts = models.PositiveIntegerField(default=1)
    time_limit = models.DurationField(default=timedelta(minutes=2))
    lease_until = models.DateTimeField(null=True, blank=True)
    deadline = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=100, blank=True, default="")

    cancel_asked_at = models.DateTimeField(null=True, blank=True)

    kept = models.JSONField(default=dict, blank=True)
    progress_percent = models.PositiveSmallIntegerField(default=0)
    progress_said = models.JSONField(default=dict, blank=True)
    stored_bytes = models.BigIntegerField(default=0)
    result = models.JSONField(null=True, blank=True)
    error_code = models.CharField(max_length=50, blank=True, default="")
    error_said = models.JSONField(default=dict, blank=True)
    can_retry = models.BooleanField(default=False)
    traceback = models.TextField(blank=True, default="")

    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["resource"], condition=TURN_ON_A_RESOURCE, name="job_one_turn_on_a_resource"
            ),
            models.UniqueConstraint(fields=["resource", "position"], name="job_position_on_a_resource"),
            models.CheckConstraint(
                condition=~Q(status=Status.RUNNING) | Q(has_turn=True), name="job_running_has_the_turn"
            ),
            models.CheckConstraint(
                condition=Q(status=Status.RUNNING, lease_until__isnull=False, deadline__isnull=False)
                | (~Q(status=Status.RUNNING) & Q(lease_until__isnull=True, deadline__isnull=True)),
                name="job_lease_while_running",
            ),
            models.CheckConstraint(
                condition=Q(status__in=UNFINISHED, finished_at__isnull=True)
                | (~Q(status__in=UNFINISHED) & Q(finished_at__isnull=False)),
                name="job_finished_has_a_time",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.PENDING) | Q(cancel_asked_at__isnull=True),
                name="job_asked_to_stop_is_not_pending",
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="job_status_is_known"),
            models.CheckConstraint(
                condition=Q(resource="", position__isnull=True) | (~Q(resource="") & Q(position__isnull=False)),
                name="job_position_with_a_resource",
            ),
            models.CheckConstraint(condition=Q(progress_percent__lte=100), name="job_percent_is_a_percentage"),
            models.CheckConstraint(
                condition=Q(after__isnull=True) | Q(status=Status.PENDING, has_turn=False),
                name="job_after_another_is_pending",
            ),
        ]
        indexes = [
            models.Index(
                fields=["queue", "run_at"], condition=Q(status=Status.PENDING, has_turn=True), name="job_runnable"
            ),
            models.Index(fields=["lease_until"], condition=Q(status=Status.RUNNING), name="job_leases"),
            models.Index(fields=["resource", "position"], condition=IN_A_LINE, name="job_line"),
            models.Index(fields=["after"], condition=Q(after__isnull=False), name="job_after"),
            models.Index(fields=["owner", "-created_at", "-id"], name="job_list"),
            models.Index(fields=["owner"], condition=Q(finished_at__isnull=True), name="job_unfinished"),
            models.Index(fields=["owner", "stored_bytes"], condition=Q(stored_bytes__gt=0), name="job_stored_of"),
            models.Index(fields=["visitor"], condition=~Q(visitor=""), name="job_visitor"),
            # None begins with the status: SQLite, which keeps no statistics, takes it for more telling than the primary
            # key, and would read all finished jobs to find a few of them by id.
            models.Index(
                fields=["finished_at", "queue", "kind", "status"],
                condition=Q(finished_at__isnull=False),
                name="job_outcomes",
            ),
            # The order of the staff's list, by status too.
            models.Index(fields=["-created_at", "status"], name="job_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    def get_absolute_url(self) -> str:
        """The job's page."""
        return _page_of_none().replace(_NONE, str(self.id))

    @property
    def payload(self) -> dict[str, Any]:
        """What the form asked for. Raises ValueError if the row can't be decrypted (the secret key was changed).

        To set it raises Unstorable if it can't be kept just as it is.
        """
        payload = json.loads(self.payload_text)
        if not isinstance(payload, dict):
            raise ValueError("The payload is no object.")
        return payload

    @payload.setter
    def payload(self, value: dict[str, Any]) -> None:
        self.payload_text = as_given(value, LARGEST_PAYLOAD)

    @property
    def the_kind(self) -> Kind | None:
        """The installed kind, None if its app is gone."""
        return kind_named(self.kind)

    @property
    def kind_label(self) -> str:
        """What people call the kind."""
        return str(self.the_kind.label) if self.the_kind else self.kind

    @property
    def result_items(self) -> list[tuple[str, Any]]:
        """The names and values of its result. In a template `result.items` may be one of the values."""
        return list((self.result or {}).items())

    @property
    def error_text(self) -> str:
        """What went wrong, in words for its owner; "" if nothing did."""
        return worded(self.error_said, self.kind)

    @property
    def progress_text(self) -> str:
        """What is being done, in words; "" if that was not told."""
        return worded(self.progress_said, self.kind)

    @property
    def is_finished(self) -> bool:
        """Whether the outcome is there."""
        return self.status not in UNFINISHED

    @property
    def status_label(self) -> str:
        """What people call where it stands."""
        return "Stopping …" if self.is_stopping else self.get_status_display()

    @property
    def is_scheduled(self) -> bool:
        """Whether it waits for a moment that somebody chose, which can still be changed."""
        is_chosen = self.status == Status.PENDING and self.run_at_reason == WaitReason.SCHEDULED
        return is_chosen and self.run_at > timezone.now()

    @property
    def has_history(self) -> bool:
        """Whether its attempts tell more than it tells itself: there were several, or one has to be repeated."""
        return self.attempt > 1 or (self.attempt == 1 and self.status == Status.PENDING)

    @property
    def is_stopping(self) -> bool:
        """Whether it runs although its owner asked to stop it: it ends at the kind's next safe point."""
        return self.status == Status.RUNNING and self.cancel_asked_at is not None

    @property
    def was_too_late_to_cancel(self) -> bool:
        """Whether it was done before it could be stopped."""
        return self.status == Status.SUCCEEDED and self.cancel_asked_at is not None

    @property
    def lacked_another(self) -> bool:
        """Whether it was cancelled since the job that had to be done first did not succeed; its error says so."""
        return self.status == Status.CANCELLED and self.error_code == "after_failed"

    @property
    def is_holding(self) -> bool:
        """Whether it failed and the line of its resource waits for somebody to decide what happens with it."""
        return self.status == Status.FAILED and self.has_turn


FIELDS = {field.attname: field for field in Job._meta.concrete_fields}
"""The columns of a job, by the attribute that holds them: for statements that are compiled once."""


class Attempt(models.Model):
    """One try at running a job that has ended, kept so that its history can be read after the fact.

    While it goes on, the job itself says all there is: `attempt`, `worker`, `started_at`.
    outcome: succeeded, failed (for good), retried (failed, another follows), lost (its worker
    vanished), handed back (its worker was shut down), on hold (it waits until somebody acts) or cancelled.
    """

    class Outcome(models.TextChoices):
        """How a try ended."""

        SUCCEEDED = "succeeded", "Done"
        FAILED = "failed", "Failed"
        RETRIED = "retried", "Failed, another attempt followed"
        LOST = "lost", "Its worker stopped"
        ON_HOLD = "on_hold", "Waits until somebody acts"
        HANDED_BACK = "handed_back", "Interrupted, its worker was shut down"
        CANCELLED = "cancelled", "Cancelled"

    job = models.ForeignKey(Job, models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    worker = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    error_code = models.CharField(max_length=50, blank=True, default="")
    error_said = models.JSONField(default=dict, blank=True)
    traceback = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="attempt_number_once")]

    def __str__(self) -> str:
        return f"attempt {self.number}"

    @property
    def error_text(self) -> str:
        """What went wrong, in words for the job's owner; "" if nothing did."""
        return worded(self.error_said, self.job.kind)


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Which workers can be counted on."""

    def alive(self) -> "WorkerQuerySet":
        """Gave a sign of life within WORKER_SILENT_SECONDS."""
        return self.filter(seen_at__gt=Now() - timedelta(seconds=options.WORKER_SILENT_SECONDS))


class Worker(models.Model):
    """A worker process's last sign of life, on the database's clock. Pages and the monitor read it.

    dropped: messages found in Redis that named no job of ours and were thrown away.
    """

    name = models.CharField(max_length=100, primary_key=True)
    role = models.CharField(max_length=20)
    concurrency = models.PositiveIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    dropped = models.PositiveIntegerField(default=0)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["role", "seen_at"], name="worker_seen")]

    def __str__(self) -> str:
        return self.name


class Leader(models.Model):
    """Which worker holds a task that only one may do at a time (the sweep), and until when."""

    task = models.CharField(max_length=20, primary_key=True)
    worker = models.CharField(max_length=100, blank=True, default="")
    until = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.task


class Leftover(models.Model):
    """What a deleted job may have left behind, until its kind has forgotten that too: see `jobs.core.leftovers`.

    job_id, kind, payload_text, result: the deleted job's. due_at: not before this moment, by the database's clock.
    """

    job_id = models.UUIDField(primary_key=True, editable=False)
    kind = models.CharField(max_length=50)
    payload_text = EncryptedTextField(editable=False)
    result = models.JSONField(null=True)
    due_at = models.DateTimeField(db_default=Now(), db_index=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.job_id}"


class Pause(models.Model):
    """A queue that staff have paused: workers start no job of it while the row is there (`jobs.core.pauses`).

    reason: for everybody whose job waits. by: who paused it. since: when, by the database's clock.
    """

    queue = models.CharField(max_length=20, primary_key=True)
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=150)
    since = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.queue


class Meter(models.Model):
    """How much an owner has used of a quota with a period (`jobs.core.quotas`), until that period ends.

    amount: since it began. until: when the next begins, by the database's clock.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    quota = models.CharField(max_length=50)
    amount = models.FloatField()
    until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "quota"], name="meter_once_for_each_owner")]

    def __str__(self) -> str:
        return f"{self.quota} of {self.owner_id}"


class QuotaException(models.Model):
    """What a person, or each member of a group, may have of a quota in place of what the option says.

    most: 0 for no limit, as in the option.
    """

    quota = models.CharField(max_length=50)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+")
    group = models.ForeignKey(Group, models.CASCADE, null=True, blank=True, related_name="+")
    most = models.PositiveBigIntegerField(help_text=_("0: no limit. Bytes and seconds where it is about those."))

    class Meta:
        verbose_name = _("exception from a quota")
        verbose_name_plural = _("exceptions from quotas")
        ordering = ["quota", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True, group__isnull=False) | Q(user__isnull=False, group__isnull=True),
                name="quota_exception_for_a_person_or_a_group",
                violation_error_message=_("Choose a person or a group, one of the two."),
            ),
            models.UniqueConstraint(
                fields=["quota", "user"],
                name="quota_exception_once_for_a_person",
                violation_error_message=_("This person has an exception from this quota already."),
            ),
            models.UniqueConstraint(
                fields=["quota", "group"],
                name="quota_exception_once_for_a_group",
                violation_error_message=_("This group has an exception from this quota already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quota}: {self.user or self.group}"
