"""The statements that are compiled once do what the plain ORM does with the same rows, on each database."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import F, Model, Q
from django.db.models.functions import Now
from django.utils import timezone

from jobs.conf import options
from jobs.core import lifecycle, quotas
from jobs.core.statements import Given, Number, Numbers, Statement
from jobs.kind import Queue, Submission
from jobs.models import FIELDS, Attempt, Job, Pause, QuotaException, Resource, Status, Submit
from jobs.web import access
from tests.kind_app.kind import Crunch, Echo

pytestmark = pytest.mark.django_db


@dataclass
class Scene:
    """Jobs in every state that a statement may meet; `owner` has some of them."""

    owner: User
    ids: list[UUID]
    attempts: dict[UUID, int]


@pytest.fixture
def scene(user: User, other_user: User) -> Scene:
    def accept(kind: type[Echo] = Echo, owner: User | None = user, resource: str = "", visitor: str = "", **options):
        submission = Submission({"text": "hi"}, "A title", resource)
        return lifecycle.submit(kind(), [submission], owner=owner, visitor=visitor, **options).jobs[0]

    def started(*args: Any, worker: str = "w1", **options: Any) -> Job:
        job = lifecycle.start(accept(*args, **options).pk, worker)
        assert job
        return job

    accept()
    accept(owner=other_user)
    accept(owner=None, visitor="visitor")
    accept(run_at=timezone.now() + timedelta(hours=1))
    accept(resource="r")
    accept(resource="r")
    accept(Crunch)
    Pause.objects.create(queue=Queue.MEDIA, reason="New disks.", by="staff")
    started()
    started(worker="w2")
    over = started()
    Job.objects.filter(pk=over.pk).update(deadline=timezone.now() - timedelta(seconds=1))
    lifecycle.succeed(started(), {"text": "hi"})
    lifecycle.fail(started(), "c")
    lifecycle.cancel(accept().pk)
    again = started()
    lifecycle.try_again(again, "c", pause=timedelta(0))
    lifecycle.start(again.pk, "w1")
    Job.objects.filter(status=Status.RUNNING).update(lease_until=timezone.now() - timedelta(seconds=10))
    jobs = Job.objects.order_by("created_at", "pk")
    return Scene(user, list(jobs.values_list("pk", flat=True)), dict(jobs.values_list("pk", "attempt")))


def lease() -> timedelta:
    return timedelta(seconds=options.LEASE_SECONDS)


def start_plainly(scene: Scene) -> None:
    may = Job.objects.filter(pk__in=scene.ids, status=Status.PENDING, has_turn=True, run_at__lte=Now())
    may.exclude(queue__in=Pause.objects.values("queue")).update(
        status=Status.RUNNING,
        attempt=F("attempt") + 1,
        worker="w1",
        started_at=Now(),
        lease_until=Now() + lease(),
        deadline=Now() + F("time_limit"),
    )


def renew_plainly(scene: Scene) -> None:
    mine = Job.objects.filter(pk__in=scene.ids, status=Status.RUNNING, worker="w1", deadline__gt=Now())
    mine.update(lease_until=Now() + lease())


def succeed_plainly(scene: Scene) -> None:
    for job_id, attempt in scene.attempts.items():
        Job.objects.filter(pk=job_id, status=Status.RUNNING, attempt=attempt).update(
            status=Status.SUCCEEDED,
            has_turn=False,
            lease_until=None,
            deadline=None,
            worker="",
            finished_at=Now(),
            result={"n": attempt},
            progress_percent=100,
            progress_said={},
            error_code="",
            error_said={},
            traceback="",
        )


def record_plainly(scene: Scene) -> None:
    job = Job.objects.filter(status=Status.RUNNING).order_by("created_at", "pk")[0]
    Attempt.objects.create(
        job=job,
        number=9,
        worker="w1",
        started_at=cast(datetime, job.started_at),
        ended_at=Now(),
        outcome=Attempt.Outcome.SUCCEEDED,
    )


def record_compiled(scene: Scene) -> None:
    job = Job.objects.filter(status=Status.RUNNING).order_by("created_at", "pk")[0]
    lifecycle._ATTEMPT_SUCCEEDED.run(
        {"job_id": job.pk, "attempt": 9, "worker": "w1", "started_at": job.started_at},
    )


NEW: dict[str, Any] = {
    "awaited": False,
    "title": "New",
    "kind": "echo",
    "queue": "network",
    "result": {"a": [1, None]},
    "time_limit": timedelta(seconds=3),
}


def new_row(scene: Scene) -> Job:
    return Job(id=UUID(int=7), owner=scene.owner, payload_text="{}", **NEW)


def insert_compiled(scene: Scene) -> None:
    row = new_row(scene)
    values = {name: getattr(row, name) for name in FIELDS if name not in {"created_at", "run_at"}}
    lifecycle._INSERT.run({**values, "run_at": None})


def submit_of(scene: Scene) -> Submit:
    return Submit(owner=scene.owner, kind="echo", idempotency_key="k", fingerprint="f")


def insert_submit_compiled(scene: Scene) -> None:
    values = {field.attname: getattr(submit_of(scene), field.attname) for field in Submit._meta.concrete_fields}
    lifecycle._INSERT_SUBMIT.run(values)


WRITING: dict[str, tuple[Callable[[Scene], Any], Callable[[Scene], Any]]] = {
    "insert": (insert_compiled, lambda scene: new_row(scene).save(force_insert=True)),
    "insert a submit": (insert_submit_compiled, lambda scene: submit_of(scene).save(force_insert=True)),
    "start": (lambda scene: lifecycle._START.rows(job_ids=scene.ids, queues=list(Queue), worker="w1"), start_plainly),
    "renew": (lambda scene: lifecycle._RENEW.rows(job_ids=scene.ids, worker="w1"), renew_plainly),
    "succeed": (
        lambda scene: lifecycle._SUCCEED.run(
            *({"job_id": one, "attempt": n, "result": {"n": n}} for one, n in scene.attempts.items())
        ),
        succeed_plainly,
    ),
    "record an attempt": (record_compiled, record_plainly),
}


class Moment(datetime):
    """A moment that equals any other within a second and a half: the two ways are not gone at the same time."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, datetime) and abs(self.timestamp() - other.timestamp()) < 1.5


def rows(model: type[Model]) -> list[dict[str, Any]]:
    """All rows, in the order of their jobs. Encrypted texts differ each time."""
    found = [
        {
            name: Moment.fromisoformat(value.isoformat()) if isinstance(value, datetime) else value
            for name, value in row.items()
            if name != "payload_text" and (name != "id" or model is Job)
        }
        for row in model._base_manager.values()
    ]
    return sorted(found, key=lambda row: str([row.get(name) for name in ("id", "job_id", "number", "name")]))


def after(write: Callable[[Scene], Any], scene: Scene) -> list[list[dict[str, Any]]]:
    """All rows as `write` leaves them; it is rolled back."""
    with transaction.atomic():
        write(scene)
        found = [rows(Job), rows(Attempt), rows(Resource), rows(Submit)]
        transaction.set_rollback(True)
    return found


@pytest.mark.parametrize("name", WRITING)
def test_a_compiled_statement_writes_what_the_orm_writes(name: str, scene: Scene):
    compiled, plain = WRITING[name]
    before = after(lambda _: None, scene)
    written = after(compiled, scene)
    assert written == after(plain, scene)
    assert written != before


@pytest.mark.parametrize("whose", ["owner", "visitor", "nobody"])
def test_a_compiled_look_finds_what_the_orm_finds(whose: str, scene: Scene):
    who = {"owner": (scene.owner.pk, ""), "visitor": (None, "visitor"), "nobody": (None, "")}[whose]
    mine = {"owner": Q(owner=scene.owner), "visitor": Q(visitor="visitor"), "nobody": Q(pk=None)}[whose]
    plain = list(Job.objects.filter(mine).order_by("-created_at", "-pk").defer(*access.UNSEEN))
    found = access.find(scene.ids, who)
    assert found == plain
    seen = FIELDS.keys() - set(access.UNSEEN)
    assert [[getattr(job, name) for name in seen] for job in found] == [
        [getattr(job, name) for name in seen] for job in plain
    ]
    assert all(job.get_deferred_fields() == set(access.UNSEEN) for job in found)
    assert len(found) == {"owner": 12, "visitor": 1, "nobody": 0}[whose]


@pytest.mark.parametrize("whose", ["owner", "visitor", "nobody"])
def test_a_compiled_look_by_cookie_finds_the_same_and_how_session_and_account_stand(whose: str, scene: Scene):
    owner, visitor = {"owner": (scene.owner.pk, ""), "visitor": (None, "visitor"), "nobody": (None, "")}[whose]
    session_key = "s" * 32

    def look() -> list[tuple[Job, str | None]]:
        given = {"owner": owner, "visitor": visitor or None, "session_key": session_key}
        together: list[Any] = access._FOLLOW.rows(job_ids=scene.ids, **given)
        each: list[Any] = [job for one in scene.ids for job in access._FOLLOW_ONE.rows(job_id=one, **given)]
        assert sorted(together, key=lambda job: scene.ids.index(job.pk)) == each
        assert [job.hashed for job in together] == [job.hashed for job in each]
        return [(job, job.hashed) for job in together]

    found = access.find(scene.ids, (owner, visitor))
    assert look() == [(job, None) for job in found]
    Session.objects.create(session_key=session_key, expire_date=timezone.now() + timedelta(hours=1))
    for is_active in (True, False):
        User.objects.update(is_active=is_active)
        hashed = scene.owner.password if owner and is_active else ""
        assert look() == [(job, hashed) for job in found]


def test_compiled_looks_for_a_submit_and_for_exceptions_find_what_the_orm_finds(user: User, other_user: User):
    submits = [
        Submit.objects.create(owner=owner, kind="echo", idempotency_key=key, fingerprint="f")
        for owner in (user, other_user)
        for key in ("k", "kz", "z")
    ]
    assert lifecycle._EARLIER.rows(owner=user.pk, key="k") == submits[:1]
    assert lifecycle._EARLIER.rows(owner=user.pk, key="none") == []
    group, theirs = (Group.objects.create(name=name) for name in ("ours", "theirs"))
    user.groups.add(group)
    wanted: list[dict[str, Any]] = [{"user": user}, {"group": group}, {"user": other_user}, {"group": theirs}]
    exceptions = [QuotaException.objects.create(quota="jobs", most=5, **one) for one in wanted]
    assert sorted(one.pk for one in quotas._EXCEPTIONS.rows(owner=user.pk)) == [one.pk for one in exceptions[:2]]


def test_numbers_are_counted_to_their_end_or_to_a_limit_and_have_amounts_added(user: User):
    owner = Given("owner", FIELDS["owner_id"])
    jobs = Job.objects.filter(owner=owner)
    one = jobs.filter(title="b")
    statement = Numbers(
        lambda: [
            Number(jobs),
            Number(one),
            Number(None, one.values("attempt")),
            Number(),
        ]
    )
    assert statement.tell([None] * 4, owner=user.pk) == [0, 0, 0, 0]
    for title in "aab":
        lifecycle.submit(Echo(), [Submission({"text": "hi"}, title)], owner=user)
    Job.objects.update(attempt=4)
    assert statement.tell([None] * 4, owner=user.pk) == [3, 1, 4, 0]
    assert statement.tell([2, 2, 2, 2], owner=user.pk) == [2, 1, 4, 0]


def test_every_compiled_statement_is_compared():
    """A new one gets its line above."""
    compiled = {
        name
        for module in (lifecycle, access, quotas)
        for name, value in vars(module).items()
        if isinstance(value, Statement)
    }
    writing = {"_INSERT", "_INSERT_SUBMIT", "_START", "_RENEW", "_SUCCEED", "_ATTEMPT_SUCCEEDED"}
    assert compiled == writing | {"_FIND", "_FOLLOW", "_FOLLOW_ONE", "_EARLIER", "_EXCEPTIONS"}
