"""Every transition of a job. The only module that writes `status`.

Each is one guarded UPDATE that names the state it leaves and, while the job runs, the attempt it belongs to: whoever
moves no row lost the race and stops. docs/lifecycle.md draws them. Times are the database's own (`Now()`), so that the
clocks of web and worker machines do not matter.

Jobs on one resource: `has_turn` marks the first that is unfinished (or failed and holds the line). Whoever gives or
takes a turn holds the lock of the Resource row, and takes it before touching a job, so that two of them can't wait for
each other.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial, update_wrapper
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, connection, transaction
from django.db.models import DateTimeField, Exists, ExpressionWrapper, F, OuterRef, Q, Value
from django.db.models.functions import Coalesce, Now
from django.db.models.signals import post_delete
from django.dispatch import receiver

from ..conf import options
from ..kind import ClaimLost, Kind, OwnerKey, Queue, Quota, Role, Stopped, Submission, WaitReason
from ..models import FIELDS, RUNNABLE, Attempt, Job, JobQuerySet, Pause, Resource, Status, Submit
from ..sentences import Sentence
from ..storable import LONGEST, Unstorable, as_json, as_text
from . import dispatch, quotas
from .actions import RETRIABLE
from .statements import AnyGiven, Given, Insert, Select, Update, UpdateReturning

T = TypeVar("T")

_ENDED = {"has_turn": False, "lease_until": None, "deadline": None, "worker": "", "finished_at": Now()}
"""What is so of every job whose attempt was its last."""
_NO_PROGRESS = {"progress_percent": 0, "progress_said": {}}
_ANY = Q()
"""The guard that lets every job pass."""


class KeyReused(Exception):
    """The owner used this Idempotency-Key before, for something else."""


@dataclass(frozen=True)
class Accepted:
    """What a submit led to.

    jobs: in the order of the submissions. submit: what holds them together, when there is a key or more than one job.
    repeated: True if an earlier submit with the same key was found and nothing new was made.
    """

    jobs: list[Job]
    submit: Submit | None = None
    repeated: bool = False


# --- Acceptance -----------------------------------------------------------------------------------------------------


def submit(
    kind: Kind,
    submissions: Sequence[Submission],
    *,
    owner: AbstractBaseUser | None,
    visitor: str = "",
    idempotency_key: str = "",
    fingerprint: str = "",
    run_at: datetime | None = None,
) -> Accepted:
    """(nothing) → pending. Accepts the jobs, all or none, and hands them to RQ once they are committed.

    kind: of the jobs whose submission names no other. owner or visitor: whose jobs they are. idempotency_key,
    fingerprint: see `find`; they need an owner.
    run_at: not before this moment; None for at once. Raises KeyReused, and Unstorable with a sentence.
    """
    try:
        with transaction.atomic():
            together = None
            if owner and (idempotency_key or len(submissions) > 1):
                together = Submit(
                    owner_id=owner.pk,
                    kind=kind.name,
                    idempotency_key=idempotency_key or uuid4().hex,
                    fingerprint=fingerprint,
                )
                _INSERT_SUBMIT.run({name: getattr(together, name) for name in _SUBMIT})
            places = _places([one.resource for one in submissions])
            awaited = {one.after for one in submissions}
            # Those of one submit have the same `created_at`, more or less: ids in order keep them in order.
            ids = sorted(uuid4() for _ in submissions)
            rows: list[Job] = []
            for index, (one, (position, has_turn)) in enumerate(zip(submissions, places, strict=True)):
                its_kind = one.kind or kind
                if one.urgent and its_kind.role is not Role.NETWORK:
                    raise ValueError(f"{its_kind}: only jobs of Role.NETWORK can be urgent.")
                row = Job(
                    id=ids[index],
                    owner_id=owner.pk if owner else None,
                    visitor=visitor,
                    submit=together,
                    kind=its_kind.name,
                    queue=Queue.URGENT if one.urgent else its_kind.role.queue,
                    title=_fitting("title", one.title),
                    resource=one.resource,
                    position=position,
                    has_turn=has_turn and one.after is None,
                    holds_line=its_kind.holds_line and bool(one.resource),
                    after_id=None if one.after is None else ids[one.after],
                    awaited=index in awaited,
                    stored_bytes=one.stored_bytes,
                    max_attempts=its_kind.max_attempts,
                    time_limit=its_kind.time_limit,
                    run_at_reason=WaitReason.SCHEDULED if run_at else "",
                )
                row.payload = one.payload
                rows.append(row)
            jobs = _inserted(rows, run_at)
            if run_at is None:
                _push([(job.pk, job.queue) for job in jobs if job.has_turn])
    except IntegrityError:
        # The same key arrived twice at the same moment, and the other request was first.
        earlier = find(owner, idempotency_key, fingerprint)
        if earlier is None:
            raise
        return earlier
    return Accepted(jobs, together)


_INSERT = Insert(
    lambda: Job(
        **{name: Given(name, field) for name, field in FIELDS.items()}
        | {"created_at": Now(), "run_at": Coalesce(Given("run_at", FIELDS["run_at"]), Now())}
    )
)


_SUBMIT = {field.attname: field for field in Submit._meta.concrete_fields}
_INSERT_SUBMIT = Insert(
    lambda: Submit(**{name: Given(name, field) for name, field in _SUBMIT.items()} | {"created_at": Now()})
)


def _inserted(rows: Iterable[Job], run_at: datetime | None) -> list[Job]:
    """Insert the rows. Returns them with what the database's clock says left to be read."""
    values = [{name: getattr(row, name) for name in FIELDS if name not in {"created_at", "run_at"}} for row in rows]
    _INSERT.run(*({**one, "run_at": run_at} for one in values))
    return [Job.from_db(connection.alias, list(one), list(one.values())) for one in values]


def may_know(owner: AbstractBaseUser, key_start: str) -> bool:
    """Whether an earlier submit of this owner has a key that begins so. False: `find` would find nothing."""
    # "z" comes after all that a key of a form goes on with, in whatever order the database sorts.
    return Submit.objects.filter(owner=owner.pk, idempotency_key__range=(key_start, f"{key_start}z")).exists()


def find(owner: AbstractBaseUser | None, idempotency_key: str, fingerprint: str) -> Accepted | None:
    """The earlier submit of this owner with this key, or None.

    fingerprint: a hash of what was asked for. Raises KeyReused if the key came with another one.
    https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    """
    if owner is None or not idempotency_key:
        return None
    earlier = next(iter(_EARLIER.rows(owner=owner.pk, key=idempotency_key)), None)
    if earlier is None:
        return None
    if earlier.fingerprint != fingerprint:
        raise KeyReused
    return Accepted(list(earlier.jobs.order_by("created_at", "pk")), earlier, repeated=True)


_EARLIER = Select(
    Submit,
    _SUBMIT.keys(),
    lambda: Submit.objects.filter(
        owner=Given("owner", _SUBMIT["owner_id"]), idempotency_key=Given("key", _SUBMIT["idempotency_key"])
    ),
)


def _places(resources: Sequence[str]) -> list[tuple[int | None, bool]]:
    """For each resource name the next place in its line and whether that is its head; (None, True) without a resource.

    Takes the locks of the resources in the order of their names. A resource named twice gets two places in a row.
    Raises Unstorable: with another name it might be another resource.
    """
    places: list[tuple[int | None, bool]] = [(None, True)] * len(resources)
    for index in sorted((i for i, name in enumerate(resources) if name), key=lambda i: (resources[i], i)):
        name = resources[index]
        if name != _fitting("resource", name):
            raise Unstorable("The name of what this changes is too long, or holds characters that are no text.")
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO offload_resource (name, last_position) VALUES (%s, 1) "
                "ON CONFLICT (name) DO UPDATE SET last_position = offload_resource.last_position + 1 "
                "RETURNING last_position, on_hold",
                [name],
            )
            position, on_hold = cursor.fetchone()
        nobody_before = name not in resources[:index] and not (
            Job.objects.first_on(name).exists() or Job.objects.in_line(name).exists()
        )
        places[index] = (position, nobody_before and not on_hold)
    return places


# --- A worker's attempt ---------------------------------------------------------------------------------------------


def start(job_id: UUID, worker: str) -> Job | None:
    """As `start_all`, for one job."""
    return next(iter(start_all([job_id], worker)), None)


_START = UpdateReturning(
    Job,
    # What Run, the fences and the attempt's record need.
    {
        *("id", "owner_id", "kind", "payload_text", "title", "resource", "awaited", "kept", "status"),
        *("attempt", "max_attempts", "time_limit", "worker", "started_at"),
    },
    lambda: (
        Job.objects.filter(
            ~Exists(Pause.objects.filter(queue=OuterRef("queue"))),
            pk__in=AnyGiven("job_ids", FIELDS["id"]),
            queue__in=AnyGiven("queues", FIELDS["queue"]),
        ).that_are(RUNNABLE),
        {
            "status": Status.RUNNING,
            "attempt": F("attempt") + 1,
            "worker": Given("worker", FIELDS["worker"]),
            "started_at": Now(),
            "lease_until": _lease_end(),
            "deadline": Now() + F("time_limit"),
        },
    ),
    depends_on=lambda: options.LEASE_SECONDS,
)


def start_all(job_ids: Iterable[UUID], worker: str, queues: Iterable[Queue] = Queue) -> list[Job]:
    """pending → running, as a new attempt of `worker`, which holds the leases from now on. Returns those that it got.

    Left out are those that are due later, wait for their turn, stand in a paused queue or in none of `queues`, were
    taken by another worker, or are gone.
    """
    return _START.rows(job_ids=list(job_ids), queues=list(map(str, queues)), worker=worker)


_RENEW = UpdateReturning(
    Job,
    {"id", "attempt"},
    lambda: (
        # Locked in the order of `succeed_all`, which may hold some of them. Django drops an order without a limit.
        Job.objects.filter(
            pk__in=Job.objects.filter(pk__in=AnyGiven("job_ids", FIELDS["id"]))
            .that_are(Q(status=Status.RUNNING, worker=Given("worker", FIELDS["worker"]), deadline__gt=Now()))
            .order_by("pk")
            .select_for_update()[:1_000_000]
        ),
        {"lease_until": _lease_end()},
    ),
    depends_on=lambda: options.LEASE_SECONDS,
)


def renew(worker: str, running: Mapping[UUID, int]) -> set[UUID]:
    """Extend the leases of the attempts (job id → number) that `worker` runs, within their time limits.

    Returns the jobs that it must stop: it has lost them, or their time is over.
    """
    if not running:
        return set()
    held = {job.pk: job.attempt for job in _RENEW.rows(job_ids=list(running), worker=worker)}
    if held.keys() != running.keys():
        # One that has just succeeded needs no stopping: it is about to hand its resource's next job to RQ.
        succeeded = Job.objects.filter(pk__in=list(running), status=Status.SUCCEEDED)
        held |= dict(succeeded.values_list("pk", "attempt"))
    return {job_id for job_id, attempt in running.items() if held.get(job_id) != attempt}


def to_stop(worker: str, job_ids: Iterable[UUID], seconds: float) -> set[UUID]:
    """Those of the running jobs of `worker` that were asked to stop `seconds` ago or more, and may be stopped."""
    asked = Job.objects.filter(
        pk__in=job_ids, status=Status.RUNNING, worker=worker, cancel_asked_at__lt=_in(-timedelta(seconds=seconds))
    )
    return {job.pk for job in asked.only("kept") if _may_stop(job)}


def progress(job: Job, percent: int, said: Sentence | None = None) -> None:
    """running: note how far the attempt is. Raises ClaimLost if it was given up, Stopped if it is to be cancelled."""
    _write(job, progress_percent=percent, progress_said=said.as_data() if said else {})


def keep(job: Job, values: Mapping[str, Any]) -> None:
    """running: store what later attempts must know. Raises ClaimLost and Stopped as `progress` does, and Unstorable."""
    kept = as_json({**job.kept, **values})
    _write(job, kept=kept)
    job.kept = kept


def stored(job: Job, size: int) -> None:
    """running: note how many bytes are stored for the job. Raises ClaimLost if the attempt was given up."""
    if not _attempt_of(job).update(stored_bytes=size):
        raise ClaimLost


def _write(job: Job, **values: Any) -> None:
    """Update the row of a running job at a safe point. Nothing is written if the job is to be stopped here."""
    mine = _attempt_of(job)
    if not (mine.filter(cancel_asked_at=None) if _may_stop(job) else mine).update(**values):
        raise Stopped if mine.exists() else ClaimLost


def _may_stop(job: Job) -> bool:
    """Whether no outside effect is under way: see jobs.kind.Run.keep."""
    return not any(job.kept.values())


@contextmanager
def claimed(job: Job) -> Iterator[None]:
    """running: a transaction in which the attempt can't be given up. Raises ClaimLost if it was already."""
    with transaction.atomic():
        if _attempt_of(job).select_for_update().values_list("pk").first() is None:
            raise ClaimLost
        yield


def succeed(job: Job, result: Mapping[str, Any]) -> None:
    """As `succeed_all`, for one job. Raises ClaimLost if the attempt was given up."""
    if not succeed_all([(job, result)]):
        raise ClaimLost


_SUCCEED = Update(
    lambda: (
        Job.objects.filter(pk=Given("job_id", FIELDS["id"])).that_are(
            Q(status=Status.RUNNING, attempt=Given("attempt", FIELDS["attempt"]))
        ),
        {
            **_ENDED,
            "status": Status.SUCCEEDED,
            "result": Given("result", FIELDS["result"]),
            "progress_percent": 100,
            "progress_said": {},
            **_error(""),
        },
    )
)
_ATTEMPT_SUCCEEDED = Insert(
    lambda: Attempt(  # type: ignore[misc]
        job_id=Given("job_id", FIELDS["id"]),
        number=Given("attempt", FIELDS["attempt"]),
        worker=Given("worker", FIELDS["worker"]),
        started_at=Given("started_at", FIELDS["started_at"]),
        ended_at=Now(),
        outcome=Attempt.Outcome.SUCCEEDED,
    )
)


def succeed_all(ended: Iterable[tuple[Job, Mapping[str, Any]]]) -> set[UUID]:
    """running → succeeded, all in one transaction. Returns those that moved; the others' attempts were given up.

    ended: jobs with their results, as `storable.as_json` gives them. Raises what the database raises if it refuses one
    all the same; then nothing has moved.
    """
    ended = sorted(ended, key=lambda one: one[0].pk)  # locked in the order of `renew`
    moved = [job for job, _ in ended]
    with transaction.atomic():
        for resource in sorted({job.resource for job in moved}):
            _lock(resource)
        runs = [{"job_id": job.pk, "attempt": job.attempt, "result": result} for job, result in ended]
        if _SUCCEED.run(*runs) < len(moved):
            # Whose attempt has its record was here before: the answer to that was lost.
            rows = Job.objects.filter(pk__in=[job.pk for job in moved], status=Status.SUCCEEDED)
            recorded = Attempt.objects.filter(job=OuterRef("pk"), number=OuterRef("attempt"))
            attempts = dict(rows.filter(~Exists(recorded)).values_list("pk", "attempt"))
            moved = [job for job in moved if attempts.get(job.pk) == job.attempt]
        _ATTEMPT_SUCCEEDED.run(
            *(
                {"job_id": job.pk, "attempt": job.attempt, "worker": job.worker, "started_at": job.started_at}
                for job in moved
            )
        )
        _push_runnable([following for job in moved for following in _pass_turn(job.resource)])
        for job in moved:
            _settle_later(job)
        _meter_computing(moved)
    return {job.pk for job in moved}


def stop(job: Job, guard: Q = _ANY) -> bool:
    """running → cancelled, as its owner asked. False: nobody asked, or the attempt was given up (or the guard held)."""
    asked = guard & Q(cancel_asked_at__isnull=False)
    return _finish(job, Attempt.Outcome.CANCELLED, asked, status=Status.CANCELLED)


def fail(job: Job, code: str, said: Sentence | None = None, *, can_retry: bool = True, traceback: str = "") -> None:
    """running → failed. Raises ClaimLost if it was given up.

    code: for programs. said: for the owner; None for the sentence of that code. traceback: for staff.
    """
    if not _finish(job, Attempt.Outcome.FAILED, **_failure(code, said, can_retry, traceback)):
        raise ClaimLost


def try_again(
    job: Job, code: str, said: Sentence | None = None, *, pause: timedelta, not_before: datetime | None = None
) -> None:
    """running → pending, due after `pause` or at `not_before`; it keeps its place on its resource.

    After the last attempt: running → failed. If its owner asked to cancel it: running → cancelled. Raises ClaimLost if
    the attempt was given up.
    """
    if job.attempt >= job.max_attempts:
        return fail(job, code, said)
    # Not Now() + 0: SQLite's Now() is cut to milliseconds, and the sum sorts after it.
    soon = _in(pause) if pause else Now()
    run_at = Value(not_before, DateTimeField()) if not_before else soon
    waits: dict[str, Any] = {"run_at": run_at, "run_at_reason": WaitReason.RETRY}
    if not _release(job, Attempt.Outcome.RETRIED, **waits, **_error(code, said)):
        raise ClaimLost
    return None


def hand_back(job: Job) -> bool:
    """running → pending, at once: the worker shuts down. The attempt does not count. False: it was given up.

    If its owner asked to cancel it: running → cancelled.
    """
    return _release(job, Attempt.Outcome.HANDED_BACK, run_at=Now(), max_attempts=F("max_attempts") + 1)


def hold(job: Job, code: str, said: Sentence | None = None) -> None:
    """running → pending, without the turn: the job and the line behind it wait until `resume`. It does not count.

    Without a resource there is no line to hold: running → failed. If its owner asked to cancel it: running → cancelled.
    Raises ClaimLost if the attempt was given up.
    """
    if not job.resource:
        return fail(job, code, said)
    with transaction.atomic():
        why = {"by": job.kind, **(said or Sentence(code)).as_data()}
        Resource.objects.filter(name=job.resource).update(on_hold=why)
        waits: dict[str, Any] = {"run_at": Now(), "has_turn": False, "max_attempts": F("max_attempts") + 1}
        if not _release(job, Attempt.Outcome.ON_HOLD, **waits, **_error(code, said)):
            raise ClaimLost
    return None


def lose(job: Job, *, lapsed: bool = True) -> bool:
    """running → pending (or failed after the last attempt): the worker vanished. False: it finished meanwhile.

    If its owner asked to cancel it: running → cancelled.
    lapsed: only if the lease has run out on the database's clock; False when the caller saw the process die.
    """
    guard = Q(lease_until__lt=Now()) if lapsed else Q()
    if job.attempt >= job.max_attempts:
        return stop(job, guard) or _finish(job, Attempt.Outcome.LOST, guard, **_failure("worker_lost"))
    return _release(job, Attempt.Outcome.LOST, guard, run_at=Now(), **_error("worker_lost"))


def expire(job: Job) -> bool:
    """running → failed: the time limit is over. False: it finished meanwhile."""
    too_long = _failure("time_limit", Sentence("time_limit", limit=job.time_limit))
    return _finish(job, Attempt.Outcome.FAILED, Q(deadline__lt=Now()), **too_long)


# --- What people ask for --------------------------------------------------------------------------------------------


def retry(job_id: UUID) -> bool:
    """failed → pending, for its owner or staff. False: too late.

    A job that holds the line of its resource goes on where it stands; another goes to the end of the line.
    """
    with transaction.atomic():
        failed = Job.objects.filter(RETRIABLE, pk=job_id)
        job = failed.first()
        if job is None:
            return False
        ((position, has_turn),) = [(job.position, True)] if job.is_holding else _places([job.resource])
        moved = failed.filter(attempt=job.attempt, has_turn=job.has_turn).update(
            status=Status.PENDING,
            position=position,
            has_turn=has_turn,
            run_at=Now(),
            run_at_reason="",
            max_attempts=job.attempt + (job.the_kind.max_attempts if job.the_kind else 1),
            finished_at=None,
            cancel_asked_at=None,
            **_NO_PROGRESS,
            **_error(""),
        )
        if moved and has_turn:
            _push_runnable([job_id])
    return bool(moved)


def cancel(job_id: UUID) -> bool:
    """pending → cancelled; also failed → cancelled, if it holds its line. False: too late.

    A running job is asked to stop, which is no transition: its attempt ends at the kind's next safe point
    (`Run.progress`, `Run.keep`), or before that as it ends anyway, and then it was too late.
    """
    may = Job.objects.filter(status=Status.PENDING) | Job.objects.holding()
    if _leave_line(job_id, may, status=Status.CANCELLED, finished_at=Now(), after=None):
        return True
    running = Job.objects.filter(pk=job_id, status=Status.RUNNING)
    return bool(running.update(cancel_asked_at=Coalesce("cancel_asked_at", Now())))


def reschedule(job_id: UUID, run_at: datetime | None) -> bool:
    """pending, before its first attempt: not before `run_at` (None: at once). False: too late."""
    with transaction.atomic():
        moved = Job.objects.filter(pk=job_id, status=Status.PENDING, attempt=0).update(
            run_at=run_at or Now(), run_at_reason=WaitReason.SCHEDULED if run_at else ""
        )
        if moved:
            _push_runnable([job_id])
    return bool(moved)


def resume(resource: str) -> None:
    """Let the jobs on a resource run again that one of them has put on hold."""
    with transaction.atomic():
        if Resource.objects.filter(name=resource, on_hold__isnull=False).update(on_hold=None):
            _push_runnable(_pass_turn(resource))


def skip(job_id: UUID) -> bool:
    """failed and holding its line → failed: the next job on the resource runs. False: it does not hold the line."""
    return _leave_line(job_id, Job.objects.holding())


def delete(job_ids: Iterable[UUID]) -> int:
    """finished → (nothing), with all that belongs to them. Returns how many: those that are not finished stay.

    A failed job that holds its line lets it go on (`_leave_turn`). What kinds store of the jobs is deleted next: see
    `jobs.core.leftovers`.
    """
    chosen = Job.objects.filter(pk__in=list(job_ids))
    for awaited in chosen.filter(awaited=True).values_list("pk", flat=True):
        settle(awaited)
    with transaction.atomic():
        lines = sorted(set(chosen.exclude(resource="").order_by().values_list("resource", flat=True)))
        for resource in lines:
            _lock(resource)
        finished = chosen.filter(~Exists(Job.objects.filter(after=OuterRef("pk"))), finished_at__isnull=False)
        rows = dict(finished.order_by("pk").select_for_update().values_list("pk", "submit"))
        fresh = Job.objects.filter(pk__in=list(rows), owner__isnull=False, created_at__gt=Now() - quotas.MINUTE)
        owners = Counter(fresh.order_by().values_list("owner", flat=True))
        Job.objects.filter(pk__in=list(rows)).delete()
        Submit.objects.filter(pk__in=set(rows.values()) - {None}, jobs__isnull=True).delete()
        for resource in lines:
            # Its name may tell something about a person; the first job that comes back begins a new line.
            Resource.objects.filter(~Exists(Job.objects.filter(resource=resource)), name=resource).delete()
        _meter(quotas.PACE, owners)
    return len(rows)


# --- Shared steps ---------------------------------------------------------------------------------------------------


def _attempt_of(job: Job, guard: Q = _ANY) -> JobQuerySet:
    """The job's row, as long as it runs and this attempt owns it: the fence before every write."""
    return Job.objects.filter(pk=job.pk).that_are(guard & Q(status=Status.RUNNING, attempt=job.attempt))


def _finish(job: Job, outcome: Attempt.Outcome, guard: Q = _ANY, **values: Any) -> bool:
    """running → an end state; the turn goes to the next on the resource, unless the job failed and holds the line.

    False: the fence held.
    """
    with transaction.atomic():
        _lock(job.resource)
        moved = _attempt_of(job, guard).update(**{**_ENDED, **values})
        if moved:
            _end_attempt(job, outcome, values)
            _push_runnable(_pass_turn(job.resource))
            _settle_later(job)
            _meter_computing([job])
    return bool(moved)


def _release(job: Job, outcome: Attempt.Outcome, guard: Q = _ANY, **values: Any) -> bool:
    """running → pending, keeping the turn; → cancelled if its owner asked for it. False: the fence held."""
    with transaction.atomic():
        _lock(job.resource)
        mine = _attempt_of(job, guard)
        # Whoever asks to cancel it waits for this lock, and then finds it pending or cancelled.
        if any(mine.order_by("pk").select_for_update().values_list("cancel_asked_at", flat=True)):
            return stop(job, guard)
        reset: dict[str, Any] = {"lease_until": None, "deadline": None, "worker": "", "run_at_reason": ""}
        moved = mine.update(status=Status.PENDING, **{**reset, **_NO_PROGRESS, **values})
        if moved:
            _end_attempt(job, outcome, values)
            _push_runnable([job.pk])
            _meter_computing([job])
    return bool(moved)


def _leave_line(job_id: UUID, guard: JobQuerySet, **values: Any) -> bool:
    """Take a job that does not run out of its line; the turn goes to the next, if the job had it."""
    with transaction.atomic():
        job = Job.objects.filter(pk=job_id).order_by("pk").first()
        if job is None:
            return False
        _lock(job.resource)
        moved = guard.filter(pk=job_id).update(has_turn=False, **values)
        if moved:
            _push_runnable(_pass_turn(job.resource))
            _settle_later(job)
    return bool(moved)


def _end_attempt(job: Job, outcome: Attempt.Outcome, values: Mapping[str, Any]) -> None:
    """Write the record of an attempt that ended otherwise than in success."""
    errors = {name: values[name] for name in ("error_code", "error_said", "traceback") if name in values}
    Attempt.objects.create(
        job=job,
        number=job.attempt,
        worker=job.worker,
        started_at=cast(datetime, job.started_at),
        ended_at=Now(),
        outcome=outcome,
        **errors,
    )


def _meter_computing(ended: Iterable[Job]) -> None:
    """Add the time of attempts that have just ended to what their owners have used of `quotas.COMPUTING`."""
    computed = {job.pk: job for job in ended if job.owner_id and job.the_kind and job.the_kind.role is Role.MEDIA}
    if not computed:
        return
    used: dict[OwnerKey, float] = {}
    for attempt in Attempt.objects.filter(job__in=computed).only("job_id", "number", "started_at", "ended_at"):
        job = computed[attempt.job_id]
        if attempt.number == job.attempt:
            seconds = max(0.0, (attempt.ended_at - attempt.started_at).total_seconds())
            used[job.owner_id] = used.get(job.owner_id, 0.0) + seconds
    _meter(quotas.COMPUTING, used)


def _meter(quota: Quota, amounts: Mapping[OwnerKey, float]) -> None:
    """Note what owners used. These are the last locks that a transaction takes, and always in the same order."""
    for owner_id in sorted(amounts, key=str):
        quotas.meter(owner_id, quota, amounts[owner_id])


def _lock(resource: str) -> None:
    """Hold the resource's line until the transaction ends. SQLite holds its one write lock already (IMMEDIATE)."""
    if resource:
        Resource.objects.select_for_update().filter(name=resource).first()


def pass_turn(resource: str) -> None:
    """Give the turn on a resource to its first pending job, if no job has it: the one that had it was deleted."""
    with transaction.atomic():
        _lock(resource)
        _push_runnable(_pass_turn(resource))


@receiver(post_delete, sender=Job)
def _leave_turn(instance: Job, **_: object) -> None:
    """A job was deleted (with its owner, say): the line that it was the first of goes on.

    The first has no turn while it waits for another job, and may have got it since it was read.
    """
    if instance.resource and (instance.has_turn or not instance.is_finished):
        _once_committed(pass_turn, instance.resource)


def _pass_turn(resource: str) -> list[UUID]:
    """Give the turn to the first pending job on the resource, if it is free. Returns that job. Its lock must be held.

    Nobody gets it while that job waits for another, or the resource is on hold: whoever ends that passes the turn.
    """
    if not resource or Job.objects.first_on(resource).exists():
        return []
    following = Job.objects.in_line(resource).order_by("position").only("after").first()
    if (
        following is None
        or following.after_id
        or not Resource.objects.filter(name=resource, on_hold__isnull=True).exists()
    ):
        return []
    Job.objects.filter(pk=following.pk).update(has_turn=True)
    return [following.pk]


def _settle_later(job: Job) -> None:
    """Once the end of a job is committed: say to the jobs that wait for it what it means for them.

    In transactions of their own, since they may stand in lines that other transactions lock; should this process die
    before that, the sweep does it.
    """
    if job.awaited:
        _once_committed(settle, job.pk)


def settle(job_id: UUID) -> None:
    """Let the jobs that wait for a finished one have their turn if it succeeded; cancel them if it did not."""
    ended = Job.objects.filter(pk=job_id, finished_at__isnull=False).order_by("pk").first()
    if ended is None:
        return
    waiting = Job.objects.filter(after=job_id)
    for follower in waiting.order_by("created_at", "pk"):
        if ended.status == Status.SUCCEEDED:
            _let_follow(follower)
        else:
            what = "after_failed" if ended.status == Status.FAILED else "after_cancelled"
            why = _error("after_failed", Sentence(what, title=ended.title))
            _leave_line(follower.pk, waiting, status=Status.CANCELLED, finished_at=Now(), after=None, **why)


def _let_follow(follower: Job) -> None:
    """pending, stays pending: what it waited for is there."""
    with transaction.atomic():
        _lock(follower.resource)
        moved = Job.objects.filter(pk=follower.pk, after__isnull=False).update(
            after=None, has_turn=not follower.resource
        )
        if moved:
            _push_runnable(_pass_turn(follower.resource) if follower.resource else [follower.pk])


def _push_runnable(job_ids: list[UUID]) -> None:
    """Hand those of the jobs that may run now to RQ, after the commit. What is due later is the sweep's."""
    if job_ids:
        _push(list(Job.objects.filter(pk__in=job_ids).that_are(RUNNABLE).values_list("pk", "queue")))


def _push(jobs: list[tuple[UUID, str]]) -> None:
    if jobs:
        _once_committed(dispatch.push, jobs)


def _once_committed(step: Callable[[T], object], about: T) -> None:
    """Do what follows from a transaction after its commit. If it breaks that is logged, and the sweep does it later.

    What is robust needs a name, by which Django tells of it in the log; a mere `partial` has none.
    https://github.com/django/django/pull/19609
    """
    transaction.on_commit(update_wrapper(partial(step, about), step), robust=True)


def _fitting(name: str, text: str) -> str:
    """A text as the job's column of that name can hold it."""
    return as_text(text, FIELDS[name].max_length or LONGEST)


def _error(code: str, said: Sentence | None = None, traceback: str = "") -> dict[str, Any]:
    """code, said: none for no error. said: None for the sentence of the code."""
    if code and said is None:
        said = Sentence(code)
    return {
        "error_code": _fitting("error_code", code),
        "error_said": said.as_data() if said else {},
        "traceback": _fitting("traceback", traceback),
    }


def _failure(code: str, said: Sentence | None = None, can_retry: bool = True, traceback: str = "") -> dict[str, Any]:
    errors = _error(code, said, traceback)
    return {"status": Status.FAILED, "can_retry": can_retry, "has_turn": F("holds_line"), **errors}


def _in(pause: timedelta) -> ExpressionWrapper:
    return ExpressionWrapper(Now() + Value(pause), output_field=DateTimeField())


def _lease_end() -> ExpressionWrapper:
    return _in(timedelta(seconds=options.LEASE_SECONDS))
