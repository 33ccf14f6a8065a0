"""The numbers about queues and workers: what waits, what runs, what came out, and whether somebody works on it.

Everything the monitor page, its JSON and /healthz say is counted here, on the database's clock. Five queries, each of
them on an index of `Job.Meta.indexes` or of a small table; finished jobs older than `OUTCOMES_SINCE` are never touched.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import Error as DatabaseError
from django.db.models import Count, DurationField, ExpressionWrapper, F, Min, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from ..conf import options
from ..core import dispatch, pauses
from ..kind import ROLE_OF, installed_kinds, kind_named
from ..models import Job, Status, Worker

OUTCOMES_SINCE = timedelta(hours=24)
"""How far back outcomes are counted."""


@dataclass(frozen=True)
class KindNumbers:
    """The jobs of one kind on one queue. All numbers are jobs, except where a unit is named.

    due: pending and free to run now. later: pending, but scheduled or backing off. behind: pending behind an earlier
    job on the same object. succeeded, failed, cancelled: finished within `OUTCOMES_SINCE`.
    oldest_due_seconds: for how many seconds the longest waiting due job could have run already; None: nothing is due.
    """

    queue: str
    kind: str
    label: str
    due: int = 0
    later: int = 0
    behind: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    oldest_due_seconds: float | None = None


@dataclass(frozen=True)
class WorkerNumbers:
    """One worker process. running: jobs it works on now. silent: it counts as gone.

    seen_seconds: seconds since its last sign of life. dropped: messages in Redis that it threw away because they named
    no job of ours.
    """

    name: str
    role: str
    concurrency: int
    running: int
    seen_seconds: float
    dropped: int
    silent: bool


@dataclass(frozen=True)
class PauseLine:
    """A queue that staff have paused: since when, who, and the reason that people read."""

    queue: str
    since: datetime
    by: str
    reason: str


@dataclass(frozen=True)
class Numbers:
    """All that the monitor shows. redis: messages waiting in each queue, None while Redis is not reachable."""

    pauses: list[PauseLine]
    lines: list[KindNumbers]
    workers: list[WorkerNumbers]
    redis: dict[str, int] | None

    def as_json(self) -> dict[str, Any]:
        """The numbers as JSON data, under the names of the attributes."""
        return asdict(self)


def numbers() -> Numbers:
    """Count everything now."""
    paused = [PauseLine(one.queue, one.since, one.by, one.reason) for one in pauses.paused().values()]
    return Numbers(pauses=paused, lines=lines(), workers=workers(), redis=dispatch.queue_lengths())


def lines() -> list[KindNumbers]:
    """One line for each installed kind, and one for each other kind of which there are jobs."""
    found = {
        (str(kind.role.queue), kind.name): KindNumbers(queue=kind.role.queue, kind=kind.name, label=str(kind.label))
        for kind in installed_kinds()
    }

    def add(queue: str, kind: str, **counted: Any) -> None:
        known = kind_named(kind)
        label = str(known.label) if known else kind
        line = found.get((queue, kind)) or KindNumbers(queue=queue, kind=kind, label=label)
        found[queue, kind] = replace(line, **counted)

    for row in _unfinished():
        oldest = row.pop("oldest_due")
        add(**row, oldest_due_seconds=oldest and max(oldest.total_seconds(), 0.0))
    for row in _outcomes():
        add(row["queue"], row["kind"], **{row["status"]: row["jobs"]})
    return sorted(found.values(), key=lambda line: (line.queue, line.label))


def _unfinished() -> Iterable[Any]:
    pending = Q(status=Status.PENDING)
    due = pending & Q(has_turn=True, run_at__lte=Now())
    return (
        Job.objects.unfinished()
        .order_by()
        .values("queue", "kind")
        .annotate(
            due=Count("pk", filter=due),
            later=Count("pk", filter=pending & Q(has_turn=True, run_at__gt=Now())),
            behind=Count("pk", filter=pending & Q(has_turn=False)),
            running=Count("pk", filter=Q(status=Status.RUNNING)),
            oldest_due=ExpressionWrapper(Now() - Min("run_at", filter=due), output_field=DurationField()),
        )
    )


def _outcomes() -> Iterable[Any]:
    return (
        Job.objects.filter(finished_at__gte=Now() - OUTCOMES_SINCE)
        .order_by()
        .values("queue", "kind", "status")
        .annotate(jobs=Count("pk"))
    )


def workers() -> list[WorkerNumbers]:
    """The registered workers by role and name; the sweep forgets those that have been silent for an hour."""
    running = dict(Job.objects.filter(status=Status.RUNNING).order_by().values_list("worker").annotate(Count("pk")))
    seen = Worker.objects.annotate(
        silence=ExpressionWrapper(Now() - F("seen_at"), output_field=DurationField())
    ).order_by("role", "name")
    return [
        WorkerNumbers(
            name=worker.name,
            role=worker.role,
            concurrency=worker.concurrency,
            running=running.get(worker.name, 0),
            seen_seconds=max(worker.silence.total_seconds(), 0.0),
            dropped=worker.dropped,
            silent=worker.silence.total_seconds() > options.WORKER_SILENT_SECONDS,
        )
        for worker in seen
    ]


def problems() -> list[str]:
    """What keeps accepted jobs from being run at the moment, each as a sentence without secrets; empty: all is well."""
    found = []
    try:
        found += [
            _("No worker for %(role)s jobs has given a sign of life within %(seconds)g seconds.")
            % {"role": role, "seconds": options.WORKER_SILENT_SECONDS}
            for role in sorted(roles_without_worker())
        ]
    except DatabaseError:
        found.append(_("The database does not answer: is it running, and migrated?"))
    if dispatch.queue_lengths() is None:
        found.append(_("Redis is not reachable."))
    return found


def paused_queues() -> list[str]:
    """The queues that staff have paused. That is no problem; none are known while the database does not answer."""
    try:
        return sorted(pauses.paused())
    except DatabaseError:
        return []


def _due_queues() -> set[str]:
    """The queues of due jobs, each found behind the one before: DISTINCT would read every job that waits."""
    queues = Job.objects.runnable().order_by("queue", "run_at").values_list("queue", flat=True)
    found: set[str] = set()
    while queue := queues.filter(queue__gt=max(found, default="")).first():
        found.add(queue)
    return found


def roles_without_worker() -> set[str]:
    """The roles that an installed kind or a due job needs, and that no living worker serves."""
    needed = {str(kind.role) for kind in installed_kinds()}
    needed.update(ROLE_OF.get(queue, queue) for queue in _due_queues())
    return needed - set(Worker.objects.alive().values_list("role", flat=True))
